// SPDX-License-Identifier: BSD-3-Clause
// A cluster in memory whose slots move, in all ways that there are, to and fro, and sometimes half;
// clients that write to it and follow its redirects; and one who reads all streams, each with its
// own lag, and sends what handoff.h says to a target that answers late. It may crash at any time.
// In the end the target holds what the owners hold. Every write has a number of its own, so that
// what is lost, repeated or in another order shows.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/handoff_model.h"

#define RUNS      8
#define RUNS_LONG 1000 // of each kind
#define STEPS     2500

// ---- The one who reads

static uint8_t member_of(void *owner, struct span node)
{
	return node.len == 5 ? (uint8_t)(node.p[4] - '0') : HANDOFF_NOBODY;
}

void sent_answer(struct model *m, unsigned shard, unsigned n)
{
	struct shard *s = &m->shards[shard];
	for (unsigned i = 0; i < n; i++)
		sent_apply(m, &m->target, shard, &s->sent[i]);
	s->n_sent -= n;
	memmove(s->sent, s->sent + n, s->n_sent * sizeof(*s->sent));
	handoff_frontier(m->h, shard,
			 (uint64_t)COMMAND_LEN * (s->n_sent ? s->sent[0].command : s->routed));
}

static uint64_t clear(void *owner, unsigned member, int32_t db, struct span name)
{
	struct model *m = owner;
	struct shard *s = &m->shards[member];
	unsigned slot, key;
	if (!below(m, 3) || s->n_sent == SENT_MAX)
		return 0;
	assert_true(key_parse(name, &slot, &key));
	struct sent *sent = &s->sent[s->n_sent++];
	*sent = (struct sent){.command = s->routed, .slot = slot, .parts = true};
	sent->clears[key] = true;
	return (uint64_t)COMMAND_LEN * s->routed + 1;
}

static bool is_idle(void *owner, unsigned member)
{
	const struct model *m = owner;
	return !m->shards[member].n_sent && m->shards[member].sync.stage != SYNC_LOADING;
}

static void sent_add(struct model *m, const struct handoff_at *at, const struct span *argv,
		     int argc, enum handoff_verdict verdict)
{
	struct shard *s = &m->shards[at->member];
	struct sent *sent = &s->sent[s->n_sent++];
	unsigned slot, key;
	*sent = (struct sent){.command = s->routed, .parts = verdict == HANDOFF_PARTS};
	for (int i = 1; i < argc; i++)
		if (key_parse(argv[i], &slot, &key) && (sent->slot = slot, true))
			sent->clears[key] |=
				(verdict == HANDOFF_CLEAR && handoff_clears(m->h, at, argv[i])) ||
				(verdict == HANDOFF_PARTS && handoff_has(m->h, at, argv[i]));
}

static void command_read(struct model *m, unsigned shard)
{
	struct shard *s = &m->shards[shard];
	struct span argv[WORDS];
	if (s->routed == s->received || s->n_sent == SENT_MAX)
		return;
	int argc = words_of(s->stream[s->routed], argv);
	struct handoff_at at = {.member = shard,
				.begin = (uint64_t)COMMAND_LEN * s->routed,
				.end = (uint64_t)COMMAND_LEN * (s->routed + 1)};
	const struct command *c = command_find(argv[0], argc > 1 ? argv[1] : (struct span){"", 0});
	assert_non_null(c);
	enum handoff_verdict verdict = is_control(argv) ? handoff_control(m->h, &at, argv, argc)
							: handoff_command(m->h, &at, c, argv, argc);
	static const char *const verdicts[] = {"send", "skip", "clear", "parts", "wait", "resync"};
	for (unsigned slot = 0; m->traced >= 0 && slot < SLOTS; slot++)
		if (is_of_slot(argv, argc, slot) && verdict != HANDOFF_WAIT) {
			trace(m, slot, "%s: shard%u #%u %.80s", verdicts[verdict], shard, s->routed,
			      s->stream[s->routed]);
			key_trace(m, slot);
		}
	if (verdict == HANDOFF_WAIT || verdict == HANDOFF_RESYNC)
		return;
	if (verdict != HANDOFF_SKIP)
		sent_add(m, &at, argv, argc, verdict);
	if (m->watched)
		seen_run(s, argv, argc);
	s->routed++;
	if (!s->n_sent)
		handoff_frontier(m->h, shard, (uint64_t)COMMAND_LEN * s->routed);
}

static void disk_turn(struct model *m)
{
	if (m->putting) {
		free(m->disk);
		m->disk = m->putting;
		m->disk_len = m->putting_len;
		m->h->saved = m->put;
		m->putting = NULL;
	} else if (m->h->version != m->h->saved) {
		m->putting_len = handoff_text(m->h, &m->putting);
		m->put = m->h->version;
		assert_true(m->putting_len && m->putting_len < HANDOFF_FILE_LEN_MAX);
	}
}

static void life_begin(struct model *m)
{
	m->h = handoff_new();
	assert_non_null(m->h);
	m->h->member_of = member_of;
	m->h->clear = clear;
	m->h->is_idle = is_idle;
	m->h->owner = m;
	m->h->wait_ns_max = 4000;
	m->h->third_ns_max = 100;
	m->h->now_ns = m->now;
	if (m->disk)
		assert_int_equal(handoff_parse(m->h, (struct span){m->disk, m->disk_len}), 0);
	for (unsigned i = 0; i < m->n_shards; i++) {
		char name[16];
		snprintf(name, sizeof(name), "shard%u", i);
		assert_int_equal(handoff_join(m->h, name), i);
	}
}

static unsigned frontier(const struct shard *s)
{
	return s->n_sent ? s->sent[0].command : s->routed;
}

// What was on its way is lost, and is read again.
static void stream_rewind(struct model *m, unsigned shard)
{
	struct shard *s = &m->shards[shard];
	s->routed = frontier(s);
	s->n_sent = 0;
	memset(&s->seen, 0, sizeof(s->seen));
	memset(s->trimmed, 0, sizeof(s->trimmed));
	for (unsigned k = 0; m->watched && k < s->routed; k++) {
		struct span argv[WORDS];
		int argc = words_of(s->stream[k], argv);
		seen_run(s, argv, argc);
	}
}

static void crash(struct model *m)
{
	for (unsigned i = 0; i < m->n_shards; i++) {
		sync_lost(m, i, true);
		stream_rewind(m, i);
		m->shards[i].received = m->shards[i].routed;
	}
	handoff_free(m->h);
	free(m->putting);
	m->putting = NULL;
	life_begin(m);
	for (unsigned i = 0; i < m->n_shards; i++)
		handoff_frontier(m->h, i, (uint64_t)COMMAND_LEN * m->shards[i].routed);
}

static void target_lost(struct model *m, unsigned shard)
{
	sync_lost(m, shard, false);
	if (m->shards[shard].n_sent)
		sent_answer(m, shard, below(m, m->shards[shard].n_sent));
	stream_rewind(m, shard);
	handoff_discard(m->h, shard);
}

static void target_back_up(struct model *m)
{
	m->backup.target = m->target;
	for (unsigned i = 0; i < m->n_shards; i++) {
		const struct shard *s = &m->shards[i];
		m->backup.routed[i] = frontier(s);
		m->backup.n_claims[i] = s->sync.n_claims;
		m->backup.loads[i] = s->sync.due || s->sync.stage == SYNC_LOADING;
	}
}

// It comes back as it was, and we with it perhaps. Streams are read again from there, unless slots
// have moved since.
static void target_older(struct model *m)
{
	const struct backup *b = &m->backup;
	if (below(m, 2))
		crash(m);
	for (unsigned i = 0; i < m->n_shards; i++)
		target_lost(m, i);
	m->target = b->target;
	for (unsigned i = 0; i < m->n_shards; i++) {
		struct shard *s = &m->shards[i];
		bool resumes = !b->loads[i] && b->n_claims[i] == s->sync.n_claims &&
			       (uint64_t)COMMAND_LEN * b->routed[i] >= m->h->members[i].moved_until;
		s->sync.due |= !resumes;
		m->n_older += resumes && b->routed[i] < s->routed;
		if (!resumes)
			continue;
		s->routed = b->routed[i];
		stream_rewind(m, i);
		handoff_frontier(m->h, i, (uint64_t)COMMAND_LEN * s->routed);
	}
}

static void moves_note(struct model *m)
{
	if (!handoff_moves(m->h))
		return;
	for (unsigned i = 0; i < m->n_shards; i++)
		if (m->shards[i].sync.stage == SYNC_NONE)
			m->h->members[i].moved_until = m->h->members[i].frontier;
}

static void reader_step(struct model *m, unsigned shard)
{
	struct shard *s = &m->shards[shard];
	m->h->now_ns = m->now;
	moves_note(m);
	switch (below(m, 12)) {
	case 0:
		handoff_certify(m->h, shard, m->now, (uint64_t)COMMAND_LEN * s->n);
		break;
	case 1:
		view_tell(m, shard);
		break;
	case 2:
		handoff_settle(m->h);
		break;
	case 3:
		disk_turn(m);
		break;
	case 4:
	case 5:
		s->received += below(m, s->n - s->received + 1);
		break;
	case 6:
	case 7:
		if (s->n_sent)
			sent_answer(m, shard, 1 + below(m, s->n_sent));
		break;
	default:
		if (!sync_step(m, shard))
			command_read(m, shard);
	}
}

// ---- Runs

struct plan {
	unsigned shards, keys, kinds;
	unsigned lag; // who reads gets one of `lag` + 1 steps
	bool ways[WAYS], halves, crashes;
};

static void model_begin(struct model *m, uint64_t seed, const struct plan *p)
{
	unsigned n_shards = p->shards;
	memset(m, 0, sizeof(*m));
	m->n_keys = p->keys;
	m->kinds = p->kinds;
	m->random.state = seed;
	m->traced = getenv("FLYOVER_TRACE") ? atoi(getenv("FLYOVER_TRACE")) : -1;
	m->n_shards = n_shards;
	m->now = 1;
	for (unsigned i = 0; i < n_shards; i++) {
		m->shards[i].stream = calloc(STREAM_MAX, sizeof(value));
		assert_non_null(m->shards[i].stream);
	}
	for (unsigned i = 0; i < SLOTS; i++)
		m->owner[i] = below(m, n_shards);
	life_begin(m);
	sync_all(m);
	target_back_up(m);
	m->n_resyncs = 0;
}

static void model_end(struct model *m)
{
	for (unsigned i = 0; i < m->n_shards; i++)
		free(m->shards[i].stream);
	handoff_free(m->h);
	free(m->putting);
	free(m->disk);
}

static bool is_over(const struct model *m)
{
	bool over = !m->h->n_flux && !m->h->n_dirty && !m->putting && m->h->saved == m->h->version;
	for (unsigned i = 0; i < m->n_shards; i++)
		over &= m->shards[i].routed == m->shards[i].n && !m->shards[i].n_sent &&
			!m->h->members[i].resync && !m->shards[i].sync.due &&
			m->shards[i].sync.stage == SYNC_NONE;
	for (unsigned i = 0; i < SLOTS; i++)
		over &= m->h->home[i * 100] == m->owner[i];
	return over;
}

static bool differs(const struct model *m, uint64_t seed)
{
	for (unsigned slot = 0; slot < SLOTS; slot++)
		for (unsigned key = 0; key < KEYS; key++) {
			const char *is = m->target.of[slot][key];
			const char *should = m->shards[m->owner[slot]].state.of[slot][key];
			if (!strcmp(is, should))
				continue;
			printf("FLYOVER_SEED=%" PRIu64 " slot %u key %u of shard %u:\n %s\n not\n"
			       " %s\n",
			       seed, slot, key, m->owner[slot], is, should);
			return true;
		}
	return false;
}

static void unfinished_print(const struct model *m, uint64_t seed)
{
	printf("FLYOVER_SEED=%" PRIu64
	       " does not come to an end; %u slots in flux, %u dirty; disk %" PRIu64 " of %" PRIu64
	       "\n",
	       seed, m->h->n_flux, m->h->n_dirty, m->h->saved, m->h->version);
	for (unsigned i = 0; i < m->n_shards; i++) {
		char text[TEXT_LEN];
		handoff_wait_text(m->h, i, text);
		printf("shard %u: %u of %u read, %u sent; %s %d %s %d\n", i, m->shards[i].routed,
		       m->shards[i].n, m->shards[i].n_sent, text, m->h->members[i].resync,
		       m->h->members[i].why, m->shards[i].sync.stage);
	}
	for (unsigned i = 0; i < HANDOFF_TASKS; i++)
		if (m->h->tasks[i].state == TASK_ACTIVE)
			printf("task %s of shard %u is on\n", m->h->tasks[i].name,
			       m->h->tasks[i].member);
	for (unsigned i = 0; i < SLOTS; i++)
		printf("slot %u home %u owner %u flux %u dirty %u\n", i, m->h->home[i * 100],
		       m->owner[i], m->h->flux[i * 100], m->h->dirty[i * 100]);
}

// @return whether it ended as it should
static bool run(uint64_t seed, const struct plan *p, unsigned *n_resyncs, unsigned *n_older)
{
	struct model *m = malloc(sizeof(*m));
	assert_non_null(m);
	model_begin(m, seed, p);
	m->halves = p->halves;
	m->watched = m->traced >= 0;
	bool kept = true;
	memcpy(m->ways, p->ways, sizeof(m->ways));
	for (unsigned i = 0; i < STEPS; i++, m->now++) {
		kept = kept && (!m->watched || promise_holds(m));
		unsigned what = below(m, 10);
		if (what < 3)
			client_writes(m);
		else if (what == 3 && !below(m, 2))
			move_step(m, below(m, SLOTS));
		else if (what == 4 && p->crashes && !below(m, 60))
			crash(m);
		else if (what == 4 && p->crashes && !below(m, 20))
			target_lost(m, below(m, m->n_shards));
		else if (what == 4 && p->crashes && !below(m, 30))
			target_back_up(m);
		else if (what == 4 && p->crashes && !below(m, 150))
			target_older(m);
		// Now this one is ahead, now that one.
		else if (!below(m, p->lag + 1))
			for (unsigned k = 0; k < 8; k++)
				reader_step(m, (i / 200 + below(m, 3) / 2) % m->n_shards);
	}
	m->halves = false;
	for (unsigned i = 0; i < SLOTS; i++)
		for (unsigned k = 0; m->moves[i].on && k < 20; k++, m->now++)
			move_step(m, i);
	unsigned left = 100000, most = m->n_resyncs + 100;
	for (; left && m->n_resyncs < most && !is_over(m); left--, m->now++) {
		reader_step(m, below(m, m->n_shards));
		kept = kept && (!m->watched || promise_holds(m));
	}
	bool over = is_over(m), wrong = differs(m, seed) || !over || !kept;
	if (!over)
		unfinished_print(m, seed);
	*n_resyncs += m->n_resyncs;
	*n_older += m->n_older;
	model_end(m);
	free(m);
	return !wrong;
}

// Two shards half of the time: what is known of time is hardest to come by there.
static void runs(const char *name, const struct plan *plan)
{
	const char *rounds = getenv("FLYOVER_ROUNDS"), *is_long = getenv("FLYOVER_TEST_LONG");
	unsigned n = rounds ? (unsigned)atoi(rounds) : is_long && *is_long ? RUNS_LONG : RUNS;
	struct random random = random_seeded(name);
	unsigned n_resyncs = 0, n_older = 0, n_wrong = 0;
	names_make();
	for (unsigned i = 0; i < n; i++) {
		struct plan p = *plan;
		p.lag = random.state % 3 * 2;
		p.shards = random.state / 3 % 2 ? 2 : 2 + random.state / 6 % 3;
		p.keys = 1 + random.state / 18 % KEYS;
		p.kinds = random.state / 72 % 2 ? 4 : 8;
		n_wrong += !run(random.state, &p, &n_resyncs, &n_older);
		random_next(&random);
	}
	printf("%s: %u runs, %u full syncs, %u streams read again for an older target, %u wrong\n",
	       name, n, n_resyncs, n_older, n_wrong);
	assert_int_equal(n_wrong, 0);
}

static void tasks_lose_nothing(void **unused)
{
	runs("tasks", &(struct plan){.ways = {[TASK] = true}, .halves = true, .crashes = true});
}

static void keys_are_handed_to_and_fro(void **unused)
{
	runs("classic", &(struct plan){.ways = {[CLASSIC] = true}});
}

static void keys_that_are_stuck_half_way_are_where_they_belong(void **unused)
{
	runs("halves", &(struct plan){.ways = {[CLASSIC] = true}, .halves = true});
}

static void slots_brought_by_commands_lose_nothing(void **unused)
{
	runs("by keys", &(struct plan){.ways = {[BY_KEYS] = true}, .halves = true});
}

static void all_ways_with_crashes(void **unused)
{
	runs("all", &(struct plan){.ways = {true, true, true}, .halves = true, .crashes = true});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_lose_nothing),
		cmocka_unit_test(keys_are_handed_to_and_fro),
		cmocka_unit_test(keys_that_are_stuck_half_way_are_where_they_belong),
		cmocka_unit_test(slots_brought_by_commands_lose_nothing),
		cmocka_unit_test(all_ways_with_crashes),
	};
	const char *only = getenv("FLYOVER_TEST");
	if (only)
		cmocka_set_test_filter(only);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
