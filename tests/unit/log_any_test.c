// SPDX-License-Identifier: BSD-3-Clause
// The log on disk under anything in any order: whatever is received is viewed in order, byte by
// byte what the source sent, whatever the disk does meanwhile and after any crash. FLYOVER_SEED=n
// and FLYOVER_ROUNDS=1 run one round again.
#include "tests/unit/log_rig.h"

static uint64_t pick(struct rig *r, uint64_t n)
{
	return random_below(&r->random, n);
}

static void config_any(struct rig *r)
{
	struct log_config *c = &r->config;
	c->record_len = (uint32_t)(8192 + 4096 * pick(r, 7));
	c->window_len = 32768 + 4096 * pick(r, 30);
	c->small_len = pick(r, 2) ? 0 : 4096 * (1 + pick(r, c->window_len / 16384));
	c->disk_limit = 3 * (4096 + c->record_len) + 4096 * pick(r, 300);
	c->sync = (enum setting_log_sync)pick(r, 3);
	c->sync_interval_ms = 1 + pick(r, 200);
	c->passing = !pick(r, 4);
	c->keep_len = c->passing || pick(r, 3) ? 0 : 1 + pick(r, 500000);
	c->keep_ms = pick(r, 100000);
	r->disk.slowness = (unsigned)pick(r, 8);
	r->disk.eio_in = pick(r, 3) ? 0 : 20 + (unsigned)pick(r, 200);
}

static const char *run_at(const struct rig *r, uint64_t offset)
{
	const char *replid = r->runs[0].replid;
	for (unsigned i = 0; i < r->n_runs; i++)
		if (r->runs[i].first <= offset)
			replid = r->runs[i].replid;
	return replid;
}

// The history says of every offset that it holds what is true.
static void history_check(const struct rig *r, uint64_t tail)
{
	const struct log_history *h = log_history(&r->log);
	assert_true(h->end <= tail);
	for (unsigned i = 0; i < h->n; i++) {
		uint64_t end = i + 1 < h->n ? h->runs[i + 1].first : h->end;
		assert_true(h->runs[i].first <= end);
		if (h->runs[i].first < end)
			assert_string_equal(h->runs[i].replid, run_at(r, h->runs[i].first));
		if (h->runs[i].first + 1 < end)
			assert_string_equal(h->runs[i].replid, run_at(r, end - 1));
	}
	if (h->n)
		assert_int_equal(h->runs[0].first, log_oldest(&r->log));
}

// What came after the end is not known, and neither is a new id but for the log's word.
static void runs_cut(struct rig *r, const struct log_history *h)
{
	const struct log_run *last = &h->runs[h->n - 1];
	while (r->n_runs > 1 && r->runs[r->n_runs - 1].first >= h->end)
		r->n_runs--;
	if (strcmp(last->replid, r->runs[r->n_runs - 1].replid)) {
		assert_int_equal(last->first, h->end);
		r->runs[r->n_runs++] = *last;
	}
}

// A later life goes on: from somewhere in what was left, or anew.
static void later_life(struct rig *r, uint64_t tail)
{
	history_check(r, tail);
	const struct log_history h = *log_history(&r->log);
	uint64_t oldest = log_oldest(&r->log);
	if (!h.n || !pick(r, 8)) {
		char replid[LOG_REPLID_LEN + 1];
		memcpy(replid, run_at(r, r->applied), sizeof(replid));
		rig_begin(r, replid, r->applied);
		return;
	}
	r->applied = oldest + pick(r, h.end - oldest + 1);
	r->viewed = r->applied;
	assert_int_equal(log_seek(&r->log, r->applied), 0);
	assert_int_equal(r->log.tail, h.end);
	runs_cut(r, &h);
}

static void crash(struct rig *r)
{
	char to[sizeof(r->folder)];
	uint64_t tail = r->log.tail, applied = r->applied, durable = log_durable(&r->log);
	bool power = pick(r, 2);
	r->may_be_damaged |= power && r->config.sync == LOG_SYNC_NEVER;
	snprintf(to, sizeof(to), "%s/%u", r->root, ++r->n_lives);
	sim_disk_crash(&r->disk, r->folder, to, power);
	log_fini(&r->log);
	sim_disk_forget(&r->disk);
	sim_disk_remove(r->folder);
	memcpy(r->folder, to, sizeof(to));
	unsigned eio_in = r->disk.eio_in;
	r->disk.eio_in = 0;
	rig_open(r);
	r->disk.eio_in = eio_in;
	// What was called durable and is still needed is there.
	if (durable > applied && !r->config.passing) {
		assert_in_range(applied, log_oldest(&r->log), log_history(&r->log)->end);
		assert_in_range(durable, log_oldest(&r->log), log_history(&r->log)->end);
	}
	later_life(r, tail);
}

static void restart(struct rig *r)
{
	uint64_t tail = r->log.tail;
	unsigned eio_in = r->disk.eio_in;
	r->disk.eio_in = 0;
	rig_restart(r);
	r->disk.eio_in = eio_in;
	later_life(r, tail);
}

static void rename_any(struct rig *r)
{
	if (r->n_runs == RUNS_MAX)
		return;
	struct log_run *run = &r->runs[r->n_runs++];
	run->first = r->log.tail;
	snprintf(run->replid, sizeof(run->replid), "id%" PRIu64, random_next(&r->random));
	log_rename(&r->log, run->replid);
}

static void seek_any(struct rig *r)
{
	uint64_t oldest = log_oldest(&r->log), end = r->log.end;
	uint64_t to = oldest + (end > oldest ? pick(r, end - oldest + 1) : 0);
	if (log_seek(&r->log, to)) // the front and the disk are full of other bytes, or ids
		assert_true(r->n_runs > 1 || 2 * log_figures(&r->log).disk_bytes + 200000 >
						     r->config.disk_limit);
	else
		r->viewed = r->applied = to;
}

// A log that passes through the disk may do so from here on, or all of it has passed.
static void pass_any(struct rig *r)
{
	uint64_t written = log_figures(&r->log).written_bytes;
	char replid[LOG_REPLID_LEN + 1];
	if (!r->config.passing)
		return;
	if (pick(r, 4)) {
		log_disk_allow(&r->log);
		return;
	}
	log_release_memory(&r->log);
	if (pick(r, 2))
		wait_for_the_disk_to_be_empty(r);
	memcpy(replid, run_at(r, r->applied), sizeof(replid));
	rig_begin(r, replid, r->applied);
	for (unsigned i = (unsigned)pick(r, 5); i > 0; i--)
		turn(r, 1);
	assert_int_equal(log_figures(&r->log).written_bytes, written);
}

static void step(struct rig *r)
{
	uint64_t held = r->log.end - r->viewed;
	switch (pick(r, 41)) {
	case 0 ... 11:
		receive(r, 1 + pick(r, 40000));
		break;
	case 12 ... 25:
		turn(r, pick(r, 20) ? pick(r, 5) : 1000);
		break;
	case 26 ... 30:
		view(r, r->viewed + (pick(r, 2) ? held : pick(r, held + 1)));
		break;
	case 31 ... 34:
		apply(r, r->applied + pick(r, r->viewed - r->applied + 1));
		break;
	case 35:
		log_settle(&r->log, r->viewed);
		break;
	case 36:
		rename_any(r);
		break;
	case 37:
		r->disk.space = pick(r, 3) ? UINT64_MAX : pick(r, 1000000);
		break;
	case 38:
		if (pick(r, 4))
			break;
		seek_any(r);
		break;
	case 39:
		if (!pick(r, 10))
			pick(r, 2) ? crash(r) : restart(r);
		break;
	case 40:
		pass_any(r);
		break;
	}
	assert_true(log_figures(&r->log).disk_bytes <= r->config.disk_limit);
	assert_true(sim_disk_used(r->folder) <= log_figures(&r->log).disk_bytes + 100);
}

static void round_any(uint64_t seed)
{
	struct rig *r = rig_new(seed);
	config_any(r);
	rig_open(r);
	rig_begin(r, "first", pick(r, 1000000));
	unsigned n = 20 + (unsigned)pick(r, 400);
	for (unsigned i = 0; i < n; i++)
		step(r);
	r->disk.space = UINT64_MAX;
	r->disk.eio_in = 0;
	drain(r);
	uint64_t tail = r->log.tail;
	for (unsigned i = 0; i < 10000 && receive(r, 1000) < 1000; i++)
		turn(r, 100);
	if (r->log.tail == tail)
		fail_msg("takes no bytes: %s", log_trouble(&r->log));
	drain(r);
	rig_free(r);
}

static void anything_in_any_order_loses_nothing(void **state)
{
	struct random seeds = random_seeded("log_disk");
	const char *rounds = getenv("FLYOVER_ROUNDS"), *asked = getenv("FLYOVER_TEST_LONG");
	bool is_long = asked && *asked;
	unsigned n = rounds ? (unsigned)strtoul(rounds, NULL, 10) : is_long ? 20000 : 400;
	for (unsigned i = 0; i < n; i++) {
		uint64_t seed = seeds.state + i;
		printf("\rFLYOVER_SEED=%" PRIu64, seed); // stays on the line when the round fails
		fflush(stdout);
		round_any(seed);
	}
	printf("\n");
}

// Drawn once: a seek to the oldest segment, which goes as the front is copied to the disk for it.
static void oldest_segment_goes_under_a_seek(void **state)
{
	round_any(3118891043);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(oldest_segment_goes_under_a_seek),
		cmocka_unit_test(anything_in_any_order_loses_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
