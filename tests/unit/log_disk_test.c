// SPDX-License-Identifier: BSD-3-Clause
// The log with a simulated disk: whatever is received is viewed in order, byte by byte what the
// source sent, whatever the disk does meanwhile and after any crash.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/log/log.h"
#include "tests/unit/sim_disk.h"
#include "tests/unit/test.h"

#define PERIOD   1000003 // of the bytes that the source sends
#define RUNS_MAX 64

struct rig {
	struct random random;
	struct sim_disk disk;
	struct log_config config;
	struct log log;
	unsigned cursor;
	char root[64], folder[96];
	unsigned n_lives;
	struct clock_reading now;
	char *bytes; // two periods

	uint64_t viewed, applied; // by whom the log serves
	struct log_run runs[RUNS_MAX];
	unsigned n_runs;
	bool may_be_damaged;      // power failed and nothing was ever synced
};

// ---- The source's bytes

static char *source_bytes(void)
{
	struct random r = {42};
	char *p = malloc(2 * PERIOD);
	for (size_t i = 0; i < PERIOD; i++)
		p[i] = p[PERIOD + i] = (char)random_next(&r);
	return p;
}

static const char *source_at(const struct rig *r, uint64_t offset)
{
	return r->bytes + offset % PERIOD;
}

// ---- The rig

static void rig_open(struct rig *r)
{
	char text[LOG_TEXT_LEN];
	int rc = log_init(&r->log, &r->config, text);
	if (rc)
		fail_msg("%s", text);
	r->cursor = log_cursor_add(&r->log);
}

static struct rig *rig_new(uint64_t seed)
{
	struct rig *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	r->random.state = seed;
	r->disk.random.state = seed + 1;
	r->disk.space = UINT64_MAX;
	snprintf(r->root, sizeof(r->root), "/dev/shm/flyover-log-XXXXXX");
	assert_non_null(mkdtemp(r->root));
	snprintf(r->folder, sizeof(r->folder), "%s/0", r->root);
	r->bytes = source_bytes();
	r->now = (struct clock_reading){1000000000, 1000};
	r->config = (struct log_config){.window_len = 64 * 1024,
					.folder = r->folder,
					.disk_limit = 1024 * 1024,
					.sync = LOG_SYNC_INTERVAL,
					.sync_interval_ms = 100,
					.owner = "test",
					.wake_fd = -1,
					.seam = sim_disk_seam(&r->disk),
					.record_len = 16 * 1024};
	return r;
}

static void rig_begin(struct rig *r, const char *replid, uint64_t offset)
{
	log_reset(&r->log, replid, offset);
	r->viewed = r->applied = offset;
	r->n_runs = 1;
	r->runs[0].first = offset;
	snprintf(r->runs[0].replid, sizeof(r->runs[0].replid), "%s", replid);
}

static void rig_free(struct rig *r)
{
	log_fini(&r->log);
	sim_disk_forget(&r->disk);
	sim_disk_remove(r->folder);
	assert_int_equal(rmdir(r->root), 0);
	free(r->bytes);
	free(r);
}

static void turn(struct rig *r, uint64_t ms)
{
	uint64_t deadline = UINT64_MAX;
	r->now.mono_ns += ms * 1000000;
	r->now.wall_ms += ms;
	log_turn(&r->log, &r->now, &deadline);
	assert_true(r->log.head <= r->log.end && r->log.end <= r->log.tail);
}

// @return bytes that were taken
static size_t receive(struct rig *r, size_t len)
{
	size_t done = 0, space;
	while (done < len) {
		char *to = log_space(&r->log, &space);
		size_t n = len - done < space ? len - done : space;
		if (!n)
			break;
		n = 1 + random_below(&r->random, n);
		n = n < PERIOD ? n : PERIOD;
		memcpy(to, source_at(r, r->log.tail), n);
		log_received(&r->log, n, r->now.mono_ns, r->now.wall_ms);
		done += n;
	}
	return done;
}

// View up to `to`, and compare with what the source sent.
static void view(struct rig *r, uint64_t to)
{
	while (r->viewed < to) {
		size_t len;
		const char *p = log_view(&r->log, r->viewed, &len);
		assert_true(len > 0);
		len = len < to - r->viewed ? len : (size_t)(to - r->viewed);
		len = len < PERIOD ? len : PERIOD;
		if (memcmp(p, source_at(r, r->viewed), len))
			fail_msg("other bytes at offset %" PRIu64, r->viewed);
		r->viewed += len;
	}
}

static void apply(struct rig *r, uint64_t to)
{
	r->applied = to;
	log_cursor_set(&r->log, r->cursor, to);
}

// Let the target take everything. It ends, whatever is on the disk.
static void drain(struct rig *r)
{
	for (unsigned i = 0; r->applied < r->log.tail; i++) {
		const char *text = "";
		bool damaged = log_damage(&r->log, &text);
		if (damaged && r->may_be_damaged)
			rig_begin(r, "again", r->applied);
		else if (damaged || i > 1000000)
			fail_msg("no end at %" PRIu64 " of %" PRIu64 " (end %" PRIu64 "): %s %s",
				 r->applied, r->log.tail, r->log.end, log_trouble(&r->log), text);
		turn(r, 50);
		view(r, r->log.end);
		apply(r, r->log.end);
	}
}

// ---- Small and certain

static void fills_the_window_and_goes_on_to_the_disk(void **state)
{
	struct rig *r = rig_new(1);
	rig_open(r);
	rig_begin(r, "a", 5000);
	for (unsigned i = 0; i < 200; i++) {
		assert_int_equal(receive(r, 4096), 4096);
		turn(r, 1);
	}
	assert_int_equal(r->log.tail, 5000 + 200 * 4096);
	assert_true(log_end(&r->log) - 5000 <= log_capacity(&r->log));
	assert_true(log_figures(&r->log).disk_bytes > 0);
	assert_string_equal(log_trouble(&r->log), "");
	drain(r);
	turn(r, 1);
	turn(r, 1);
	assert_true(log_figures(&r->log).read_bytes > 0);
	assert_true(sim_disk_used(r->folder) < 200000);
	rig_free(r);
}

static void does_not_touch_the_disk_while_nobody_lags(void **state)
{
	struct rig *r = rig_new(2);
	rig_open(r);
	rig_begin(r, "a", 0);
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(receive(r, 10000), 10000);
		turn(r, 1);
		view(r, r->log.end);
		apply(r, r->log.end);
	}
	assert_int_equal(log_figures(&r->log).written_bytes, 0);
	assert_string_equal(log_disk_text(&r->log), "not used yet");
	rig_free(r);
}

static void holds_the_source_back_at_the_limit_and_goes_on(void **state)
{
	struct rig *r = rig_new(3);
	rig_open(r);
	rig_begin(r, "a", 0);
	for (unsigned i = 0; i < 3000; i++) {
		receive(r, 4096);
		turn(r, 1);
		assert_true(sim_disk_used(r->folder) <= r->config.disk_limit + 100);
	}
	size_t space;
	log_space(&r->log, &space);
	assert_int_equal(space, 0);
	assert_non_null(strstr(log_trouble(&r->log), "disk-limit is reached"));
	assert_non_null(strstr(log_trouble(&r->log), r->folder));
	assert_true(r->log.tail > r->config.disk_limit * 3 / 4);
	drain(r);
	assert_int_equal(receive(r, 50000), 50000);
	turn(r, 1);
	assert_string_equal(log_trouble(&r->log), "");
	drain(r);
	rig_free(r);
}

static void waits_while_the_disk_is_full(void **state)
{
	struct rig *r = rig_new(4);
	r->disk.space = 300000;
	rig_open(r);
	rig_begin(r, "a", 0);
	for (unsigned i = 0; i < 400; i++) {
		receive(r, 4096);
		turn(r, 10);
	}
	size_t space;
	log_space(&r->log, &space);
	assert_int_equal(space, 0);
	assert_non_null(strstr(log_trouble(&r->log), "is full"));
	uint64_t tail = r->log.tail;
	r->disk.space = UINT64_MAX;
	for (unsigned i = 0; i < 100; i++)
		turn(r, 50);
	assert_string_equal(log_trouble(&r->log), "");
	assert_int_equal(receive(r, 50000), 50000);
	assert_int_equal(r->log.tail, tail + 50000);
	drain(r);
	rig_free(r);
}

// ---- Folders

static void refuses_a_folder_that_is_not_ours(void **state)
{
	struct rig *r = rig_new(5);
	char text[LOG_TEXT_LEN], path[128];
	assert_int_equal(mkdir(r->folder, 0700), 0);
	snprintf(path, sizeof(path), "%s/notes.txt", r->folder);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(log_init(&r->log, &r->config, text), -EPERM);
	assert_non_null(strstr(text, "is not a folder of Flyover's"));
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	rig_open(r);
	rig_free(r);
}

static void refuses_a_folder_that_is_in_use(void **state)
{
	struct rig *r = rig_new(6);
	struct log *second = calloc(1, sizeof(*second));
	char text[LOG_TEXT_LEN];
	rig_open(r);
	assert_int_equal(log_init(second, &r->config, text), -EBUSY);
	assert_non_null(strstr(text, "in use by another process"));
	log_fini(second);
	free(second);
	rig_free(r);
}

static void refuses_a_limit_that_holds_nothing(void **state)
{
	struct rig *r = rig_new(7);
	char text[LOG_TEXT_LEN];
	r->config.disk_limit = 10000;
	assert_int_equal(log_init(&r->log, &r->config, text), -EINVAL);
	assert_non_null(strstr(text, "disk-limit is too small"));
	r->config.disk_limit = 0;
	rig_open(r);
	assert_string_equal(log_disk_text(&r->log), "off");
	mkdir(r->folder, 0700);
	rig_free(r);
}

// ---- A former life

// Close in order, and open again.
static void rig_restart(struct rig *r)
{
	log_fini(&r->log);
	sim_disk_forget(&r->disk);
	rig_open(r);
}

static void spill(struct rig *r, uint64_t len)
{
	while (len) {
		size_t n = receive(r, len < 4096 ? len : 4096);
		assert_true(n > 0);
		len -= n;
		turn(r, 1);
	}
}

static void goes_on_where_a_former_life_ended(void **state)
{
	struct rig *r = rig_new(8);
	rig_open(r);
	rig_begin(r, "a", 777);
	spill(r, 300000);
	view(r, 777 + 20000);
	apply(r, 777 + 20000);
	rig_restart(r);
	const struct log_history *h = log_history(&r->log);
	assert_int_equal(h->n, 1);
	assert_string_equal(h->runs[0].replid, "a");
	assert_true(h->runs[0].first <= 777 + 20000);
	assert_int_equal(h->end, 777 + 300000);
	assert_int_equal(log_seek(&r->log, 777 + 20000), 0);
	assert_int_equal(r->log.tail, 777 + 300000);
	assert_int_equal(log_history(&r->log)->n, 0);
	spill(r, 100000);
	drain(r);
	assert_int_equal(r->viewed, 777 + 400000);
	rig_free(r);
}

static void begins_anew_without_what_was_there(void **state)
{
	struct rig *r = rig_new(9);
	rig_open(r);
	rig_begin(r, "a", 0);
	spill(r, 300000);
	rig_restart(r);
	assert_int_equal(log_history(&r->log)->n, 1);
	rig_begin(r, "b", 1000000);
	assert_int_equal(log_history(&r->log)->n, 0);
	spill(r, 200000);
	rig_restart(r);
	assert_int_equal(log_history(&r->log)->n, 1);
	assert_string_equal(log_history(&r->log)->runs[0].replid, "b");
	assert_int_equal(log_history(&r->log)->runs[0].first, 1000000);
	assert_int_equal(log_seek(&r->log, 10), -ENOENT);
	assert_int_equal(log_seek(&r->log, 1200001), -ENOENT);
	assert_int_equal(log_seek(&r->log, 1200000), 0);
	rig_free(r);
}

static void keeps_the_chain_of_ids(void **state)
{
	struct rig *r = rig_new(10);
	r->disk.slowness = 5;
	rig_open(r);
	rig_begin(r, "a", 0);
	spill(r, 100000);
	log_rename(&r->log, "b");
	size_t space;
	log_space(&r->log, &space);
	assert_int_equal(space, 0); // nothing is on disk yet
	for (unsigned i = 0; i < 1000 && !space; i++) {
		turn(r, 1);
		log_space(&r->log, &space);
	}
	spill(r, 100000);
	rig_restart(r);
	const struct log_history *h = log_history(&r->log);
	assert_int_equal(h->n, 2);
	assert_string_equal(h->runs[0].replid, "a");
	assert_string_equal(h->runs[1].replid, "b");
	assert_int_equal(h->runs[1].first, 100000);
	assert_int_equal(h->end, 200000);
	assert_int_equal(log_seek(&r->log, 0), 0);
	drain(r);
	rig_free(r);
}

// The only file in a folder that holds this offset, by its number.
static void file_flip(const struct rig *r, unsigned number, uint64_t at)
{
	char path[160], byte;
	snprintf(path, sizeof(path), "%s/%08u.log", r->folder, number);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= 4;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	close(fd);
}

static void names_a_flipped_bit_and_shows_nothing_of_it(void **state)
{
	struct rig *r = rig_new(11);
	rig_open(r);
	rig_begin(r, "a", 0);
	spill(r, 600000);
	file_flip(r, 4, 4096 + 16384 + 2000);
	const char *text;
	for (unsigned i = 0; i < 10000 && !log_damage(&r->log, &text); i++) {
		turn(r, 1);
		view(r, r->log.end);
		apply(r, r->log.end);
	}
	assert_int_equal(log_damage(&r->log, &text), -EBADMSG);
	assert_non_null(strstr(text, "/00000004.log at byte 20480, offset "));
	assert_non_null(strstr(text, "checksum of a record is wrong"));
	uint64_t end = r->log.end;
	for (unsigned i = 0; i < 100; i++)
		turn(r, 100);
	assert_int_equal(r->log.end, end);
	rig_begin(r, "b", 0);
	assert_int_equal(log_damage(&r->log, &text), 0);
	spill(r, 200000);
	drain(r);
	rig_free(r);
}

static void cuts_a_torn_tail_and_says_so(void **state)
{
	struct rig *r = rig_new(12);
	rig_open(r);
	rig_begin(r, "a", 0);
	spill(r, 100000);
	log_fini(&r->log);
	sim_disk_forget(&r->disk);
	file_flip(r, 1, 4096 + 16384 + 5000);
	char text[LOG_TEXT_LEN];
	assert_int_equal(log_init(&r->log, &r->config, text), 0);
	assert_non_null(strstr(text, "the log was cut off at offset 15360 ("));
	assert_non_null(strstr(text, "/00000001.log, byte 20480)"));
	assert_int_equal(log_history(&r->log)->end, 15360);
	r->cursor = log_cursor_add(&r->log);
	assert_int_equal(log_seek(&r->log, 0), 0);
	r->viewed = r->applied = 0;
	spill(r, 100000);
	drain(r);
	rig_free(r);
}

static void memory_goes_though_a_cursor_stands_there(void **state)
{
	struct rig *r = rig_new(13);
	rig_open(r);
	rig_begin(r, "a", 0);
	// A command of many windows, which somebody collects elsewhere.
	for (unsigned i = 0; i < 2000; i++) {
		assert_true(receive(r, 4096) > 0);
		turn(r, 1);
		view(r, r->log.end);
		log_release(&r->log, r->log.end);
	}
	assert_int_equal(r->applied, 0);
	assert_true(r->log.tail > 4 * r->config.disk_limit);
	drain(r);
	rig_free(r);
}

static void rewinds_within_memory(void **state)
{
	struct rig *r = rig_new(14);
	r->config.folder = NULL;
	mkdir(r->folder, 0700);
	rig_open(r);
	rig_begin(r, "a", 0);
	for (unsigned i = 0; i < 100; i++) {
		receive(r, 8192);
		view(r, r->log.end);
		apply(r, r->log.end);
	}
	assert_int_equal(log_oldest(&r->log), r->log.tail - log_capacity(&r->log));
	assert_int_equal(log_seek(&r->log, log_oldest(&r->log) - 1), -ENOENT);
	assert_int_equal(log_seek(&r->log, log_oldest(&r->log) + 5), 0);
	r->viewed = r->applied = log_oldest(&r->log) + 5;
	view(r, r->log.end);
	apply(r, r->log.end);
	rig_free(r);
}

static void keeps_times_through_the_disk(void **state)
{
	struct rig *r = rig_new(15);
	rig_open(r);
	rig_begin(r, "a", 0);
	for (unsigned i = 0; i < 100; i++) { // byte o comes at about 1000 + o / 100
		receive(r, 4096);
		turn(r, 41);
	}
	uint64_t came_ms = r->now.wall_ms;
	turn(r, 100000);
	while (r->applied < r->log.tail) {
		turn(r, 1);
		for (uint64_t o = r->applied; o < r->log.end; o += 1000) {
			struct log_stamp s = log_stamp_at(&r->log, o);
			assert_in_range(s.wall_ms, 1000 + o / 100 - 100, 1000 + o / 100 + 50);
			assert_true(s.wall_ms <= came_ms);
			uint64_t ago_ms = (r->now.mono_ns - s.mono_ns) / 1000000;
			assert_in_range(ago_ms, r->now.wall_ms - s.wall_ms - 200,
					r->now.wall_ms - s.wall_ms + 200);
		}
		apply(r, r->log.end);
	}
	r->viewed = r->applied;
	rig_free(r);
}

static void history_is_kept_and_no_longer_than_asked(void **state)
{
	struct rig *r = rig_new(16);
	r->config.keep_len = 300000;
	r->config.keep_ms = 1000000;
	rig_open(r);
	rig_begin(r, "a", 0);
	for (unsigned i = 0; i < 500; i++) {
		assert_int_equal(receive(r, 4096), 4096);
		turn(r, 10);
		view(r, r->log.end);
		apply(r, r->log.end);
	}
	assert_in_range(r->log.tail - log_oldest(&r->log), 300000, 300000 + 200000);
	assert_int_equal(log_seek(&r->log, log_oldest(&r->log)), 0);
	r->viewed = r->applied = log_oldest(&r->log);
	drain(r);
	turn(r, 2000000);
	turn(r, 1);
	assert_in_range(r->log.tail - log_oldest(&r->log), 0, 200000);
	rig_free(r);
}

static void full_disk_costs_history_before_it_costs_the_source(void **state)
{
	struct rig *r = rig_new(17);
	r->config.keep_len = 1ull << 40;
	r->config.keep_ms = 1ull << 40;
	rig_open(r);
	rig_begin(r, "a", 0);
	for (unsigned i = 0; i < 1000; i++) {
		if (i == 500)
			r->disk.space = 0;
		if (i == 800)
			r->disk.space = UINT64_MAX;
		assert_int_equal(receive(r, 4096), 4096);
		for (unsigned k = 0; k < 20; k++)
			turn(r, 1);
		view(r, r->log.end);
		apply(r, r->log.end);
	}
	assert_true(log_oldest(&r->log) > 0);
	assert_true(r->log.tail - log_oldest(&r->log) > 500000);
	rig_free(r);
}

// ---- Anything in any order

static uint64_t pick(struct rig *r, uint64_t n)
{
	return random_below(&r->random, n);
}

static void config_any(struct rig *r)
{
	struct log_config *c = &r->config;
	c->record_len = (uint32_t)(8192 + 4096 * pick(r, 7));
	c->window_len = 32768 + 4096 * pick(r, 30);
	c->disk_limit = 3 * (4096 + c->record_len) + 4096 * pick(r, 300);
	c->sync = (enum setting_log_sync)pick(r, 3);
	c->sync_interval_ms = 1 + pick(r, 200);
	c->keep_len = pick(r, 3) ? 0 : 1 + pick(r, 500000);
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
	if (durable > applied) {
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
	if (log_seek(&r->log, to)) // the front and the disk are full of other bytes
		assert_true(2 * log_figures(&r->log).disk_bytes + 200000 > r->config.disk_limit);
	else
		r->viewed = r->applied = to;
}

static void step(struct rig *r)
{
	uint64_t held = r->log.end - r->viewed;
	switch (pick(r, 40)) {
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
	}
	assert_true(sim_disk_used(r->folder) <= r->config.disk_limit + 100);
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
	const char *rounds = getenv("FLYOVER_ROUNDS");
	unsigned n = rounds ? (unsigned)strtoul(rounds, NULL, 10) : 2000;
	for (unsigned i = 0; i < n; i++) {
		uint64_t seed = seeds.state + i;
		printf("\r%" PRIu64, seed);
		fflush(stdout);
		round_any(seed);
	}
	printf("\n");
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_the_window_and_goes_on_to_the_disk),
		cmocka_unit_test(does_not_touch_the_disk_while_nobody_lags),
		cmocka_unit_test(holds_the_source_back_at_the_limit_and_goes_on),
		cmocka_unit_test(waits_while_the_disk_is_full),
		cmocka_unit_test(refuses_a_folder_that_is_not_ours),
		cmocka_unit_test(refuses_a_folder_that_is_in_use),
		cmocka_unit_test(refuses_a_limit_that_holds_nothing),
		cmocka_unit_test(goes_on_where_a_former_life_ended),
		cmocka_unit_test(begins_anew_without_what_was_there),
		cmocka_unit_test(keeps_the_chain_of_ids),
		cmocka_unit_test(names_a_flipped_bit_and_shows_nothing_of_it),
		cmocka_unit_test(cuts_a_torn_tail_and_says_so),
		cmocka_unit_test(memory_goes_though_a_cursor_stands_there),
		cmocka_unit_test(rewinds_within_memory),
		cmocka_unit_test(keeps_times_through_the_disk),
		cmocka_unit_test(history_is_kept_and_no_longer_than_asked),
		cmocka_unit_test(full_disk_costs_history_before_it_costs_the_source),
		cmocka_unit_test(anything_in_any_order_loses_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
