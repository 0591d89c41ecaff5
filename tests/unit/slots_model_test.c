// SPDX-License-Identifier: BSD-3-Clause
// Random commands of a source over random slots, carried out by a cluster of the test: whatever the
// order in which slots get their turn, and however often we die between any two units, the cluster
// ends with what the source has. When nodes lose what they had answered it does, too, or a full
// sync is asked for.
#include "parsers/cluster.h"
#include "tests/unit/lanes_rig.h"
#include "tests/unit/random.h"
#include "tests/unit/slots_rig.h"
#include "tests/unit/store_model.h"

#define COMMANDS   1500
#define STREAM_MAX (COMMANDS * 200)
#define NUMBERS    3

#define TAGS 6
static const char *const tags[TAGS] = {"{a}", "{b}", "{c}", "{d}", "{e}", "{f}"};

// Each tag is a node's only slot with keys. What the node had answered at some time before.
struct replica {
	struct store store; // of its keys alone
	uint64_t marker, low;
};

struct model {
	struct random *random;
	struct store source, cluster;
	char *stream;
	size_t len;
	uint64_t marker[SLOT_COUNT]; // what each slot's says
	uint64_t low[TAGS]; // claimed at the node: all of its lane's range is answered up to there
	struct replica replicas[TAGS];
	unsigned n_commands, n_lives, n_gathered, n_failovers;
	bool fails_over; // nodes lose what they had answered
	int gone;        // the lanes still take this node for what it was, -1: none
	bool resync;     // and that cannot be mended

	// This life.
	struct rig *rig;
	struct gather gather;
	size_t fed;
	bool done[LANES_MAX][LANE_BATCHES][512]; // items, by handle
	unsigned budget;                         // units until we die
	unsigned turns;                          // until the lanes notice
};

// ---- The source

static void key_draw(struct model *m, char *out)
{
	sprintf(out, "%s%u", tags[random_below(m->random, TAGS)],
		(unsigned)random_below(m->random, NUMBERS));
}

static void stream_add(struct model *m, const struct words *w)
{
	char *to = m->stream + m->len;
	to += sprintf(to, "*%d\r\n", w->argc);
	for (int i = 0; i < w->argc; i++)
		to += sprintf(to, "$%zu\r\n%.*s\r\n", w->argv[i].len, (int)w->argv[i].len,
			      w->argv[i].p);
	m->len = (size_t)(to - m->stream);
}

static void say(struct model *m, const char *line)
{
	struct words w;
	words_split(line, &w);
	stream_add(m, &w);
}

// What the source could not do is not in its stream.
static void source_try(struct model *m)
{
	static const char *const forms[] = {
		"SET %s v%u",  "SET %s v%u",  "INCR %s",     "RPUSH %s v%u", "RPUSH %s v%u",
		"SADD %s m%u", "SADD %s m%u", "SREM %s m%u", "DEL %s",
	};
	static const char *const pairs[] = {
		"DEL %s %s",          "MSET %s x %s y",    "RENAME %s %s",
		"COPY %s %s REPLACE", "RPOPLPUSH %s %s",   "LMOVE %s %s LEFT RIGHT",
		"SMOVE %s %s m1",     "SUNIONSTORE %s %s", "RENAME %s %s",
	};
	char line[200], a[16], b[16], c[16];
	struct words w;
	key_draw(m, a);
	key_draw(m, b);
	key_draw(m, c);
	unsigned form = (unsigned)random_below(m->random, 9);
	if (!random_below(m->random, 400))
		strcpy(line, "FLUSHALL");
	else if (!random_below(m->random, 10))
		snprintf(line, sizeof(line), "SUNIONSTORE %s %s %s", a, b, c);
	else if (random_below(m->random, 3))
		snprintf(line, sizeof(line), forms[form], a, (unsigned)random_below(m->random, 4));
	else
		snprintf(line, sizeof(line), pairs[form], a, b);
	words_split(line, &w);
	if (store_run(&m->source, w.argv, w.argc))
		stream_add(m, &w);
}

static void source_write(struct model *m)
{
	for (unsigned i = 0; i < m->n_commands;) {
		unsigned n = 1;
		bool multi = !random_below(m->random, 6);
		if (multi) {
			n = 1 + (unsigned)random_below(m->random, 6);
			say(m, "MULTI");
		}
		for (unsigned k = 0; k < n; k++)
			source_try(m);
		if (multi)
			say(m, "EXEC");
		i += n;
		assert_true(m->len < STREAM_MAX - 2000);
	}
}

// ---- The cluster

static void item_run(struct model *m, const struct batch *b, unsigned i)
{
	char text[4096] = "";
	struct words w;
	item_words(b, i, text);
	words_split(text + 1, &w);
	for (int k = 1; k < w.argc && b->items[i].slot < SLOT_COUNT; k++)
		if (memchr(w.argv[k].p, '{', w.argv[k].len))
			assert_int_equal(key_slot(w.argv[k]), b->items[i].slot);
	store_run(&m->cluster, w.argv, w.argc);
}

static void unit_run(struct model *m, unsigned lane, uint32_t handle, unsigned first)
{
	const struct batch *b = &m->rig->lanes[lane].pool[handle];
	unsigned i = first;
	do {
		item_run(m, b, i);
		m->done[lane][handle][i] = true;
	} while (++i < b->n_items && b->items[i].flags & ITEM_JOINED);
	if (b->items[first].slot == SLOT_EVERY) // and LOW is written behind it
		for (unsigned s = 0; s < SLOT_COUNT; s++)
			m->marker[s] = b->items[first].offset + 1;
	else if (b->items[first].flags & ITEM_FENCED)
		m->marker[b->items[first].slot] = b->items[i - 1].offset + 1;
}

// A node that went back is looked at before it gets anything more, so it gets nothing in this life.
static bool is_out_of_reach(const struct model *m, uint16_t slot)
{
	return m->gone >= 0 && (slot == SLOT_EVERY || slot == key_slot(span_of(tags[m->gone])));
}

static bool may_start(const struct model *m, const struct batch *b)
{
	for (unsigned i = 0; i < m->rig->n_lanes; i++)
		if (b->after_mask & 1u << i &&
		    atomic_load(&m->rig->lanes[i].done_seq) < b->after[i])
			return false;
	return true;
}

// The units of a lane whose turn it may be: the first of each slot. One of them, drawn at random.
//
// @return false: there is none
static bool unit_draw(struct model *m, unsigned lane, uint32_t *handle, unsigned *first)
{
	struct rig *r = m->rig;
	uint16_t seen[64];
	unsigned n_seen = 0, n_candidates = 0;
	bool blocked = false;
	for (unsigned k = 0; k < r->n_queue[lane] && !blocked; k++) {
		const struct batch *b = &r->lanes[lane].pool[r->queue[lane][k]];
		if (!may_start(m, b))
			break;
		for (unsigned i = 0; i < b->n_items && !blocked; i++) {
			const struct batch_item *item = &b->items[i];
			assert_true(i < 512);
			if (item->flags & ITEM_JOINED || m->done[lane][r->queue[lane][k]][i])
				continue;
			bool every = item->slot == SLOT_EVERY, taken = every && n_seen;
			taken |= is_out_of_reach(m, item->slot);
			for (unsigned s = 0; s < n_seen; s++)
				taken |= seen[s] == item->slot;
			seen[n_seen++ % 64] = item->slot;
			n_seen = n_seen < 64 ? n_seen : 63;
			blocked = every;
			if (taken || random_below(m->random, ++n_candidates))
				continue;
			*handle = r->queue[lane][k];
			*first = i;
		}
	}
	return n_candidates;
}

static bool batch_is_done(const struct model *m, unsigned lane, uint32_t handle)
{
	for (unsigned i = 0; i < m->rig->lanes[lane].pool[handle].n_items; i++)
		if (!m->done[lane][handle][i])
			return false;
	return true;
}

static bool is_of(const char *key, unsigned tag)
{
	return !strncmp(key, tags[tag], 3);
}

// The replica of a node gets what that has now.
static void replica_take(struct model *m, unsigned tag)
{
	struct replica *r = &m->replicas[tag];
	r->store = m->cluster;
	for (unsigned i = 0; i < STORE_KEYS; i++)
		if (!is_of(r->store.values[i].key, tag))
			memset(&r->store.values[i], 0, sizeof(r->store.values[i]));
	r->marker = m->marker[key_slot(span_of(tags[tag]))];
	r->low = m->low[tag];
}

// And is the node from now on.
static void fail_over(struct model *m, unsigned tag)
{
	const struct replica *r = &m->replicas[tag];
	struct store_value *values = m->cluster.values;
	for (unsigned i = 0; i < STORE_KEYS; i++)
		if (is_of(values[i].key, tag))
			memset(&values[i], 0, sizeof(values[i]));
	for (unsigned i = 0, at = 0; i < STORE_KEYS; i++) {
		if (!r->store.values[i].key[0])
			continue;
		while (values[at].key[0])
			at++;
		values[at] = r->store.values[i];
	}
	m->marker[key_slot(span_of(tags[tag]))] = r->marker;
	m->low[tag] = r->low;
	m->n_failovers++;
}

// A lane's range is answered up to there: its nodes are told, now and then.
static void low_claim(struct model *m, unsigned lane, uint64_t low)
{
	for (unsigned i = 0; i < TAGS; i++) {
		if (m->rig->place.lane_of_slot[key_slot(span_of(tags[i]))] != lane ||
		    (int)i == m->gone)
			continue;
		if (random_below(m->random, 2))
			m->low[i] = low;
		if (!random_below(m->random, 4))
			replica_take(m, i);
	}
}

static void batches_answer(struct model *m, unsigned lane)
{
	struct rig *r = m->rig;
	while (r->n_queue[lane] && may_start(m, &r->lanes[lane].pool[r->queue[lane][0]]) &&
	       batch_is_done(m, lane, r->queue[lane][0])) {
		uint32_t handle = r->queue[lane][0];
		uint64_t end = r->lanes[lane].pool[handle].marker.offset;
		memset(m->done[lane][handle], 0, sizeof(m->done[lane][handle]));
		rig_answer(r, lane);
		low_claim(m, lane, end);
	}
}

static void lane_run(struct model *m, unsigned lane)
{
	uint32_t handle;
	unsigned first;
	rig_take(m->rig, lane);
	if (m->budget && unit_draw(m, lane, &handle, &first)) {
		unit_run(m, lane, handle, first);
		m->budget--;
	}
	if (m->budget)
		batches_answer(m, lane);
}

// In a transaction with the markers of their slots, see gather.h.
static void keys_tell(struct model *m)
{
	char value[4096];
	for (unsigned i = 0; i < m->gather.n_keys; i++)
		if (m->marker[m->gather.keys[i].slot] != m->gather.fence.offset)
			return;
	for (unsigned i = 0; i < m->gather.n_keys; i++) {
		struct gather_key *k = &m->gather.keys[i];
		struct span key = {k->name, k->name_len};
		k->value_len =
			k->how == GATHER_VALUE
				? store_dump(&m->cluster, key, value, sizeof(value))
				: store_element(&m->cluster, key, k->how == GATHER_LAST, value);
		k->exists = k->value_len;
		k->value = malloc(k->value_len + 1);
		memcpy(k->value, value, k->value_len);
	}
	m->gather.state = GATHER_READY;
	m->n_gathered++;
}

// ---- A life of ours

static uint64_t life_begin(struct model *m, unsigned n_lanes)
{
	struct slots_rig *rig = slots_rig_new(n_lanes, URL_CLUSTER);
	struct rig *r = rig->rig;
	free(rig);
	m->rig = r;
	uint64_t from = UINT64_MAX;
	for (unsigned i = 0; i < TAGS; i++)
		from = m->low[i] < from ? m->low[i] : from;
	log_reset(&r->log, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", from);
	route_reset(&r->route, from, 0);
	for (unsigned s = 0; s < SLOT_COUNT; s++)
		r->route.held[s] = UINT64_MAX; // nothing of it ever comes
	for (unsigned i = 0; i < TAGS; i++) {
		unsigned s = key_slot(span_of(tags[i]));
		r->route.held[s] = m->marker[s] > m->low[i] ? m->marker[s] : m->low[i];
		if (r->route.held[s] > r->route.held_end)
			r->route.held_end = r->route.held[s];
	}
	gather_init(&m->gather, NULL, &r->config, NULL);
	r->route.gather = &m->gather;
	memset(m->done, 0, sizeof(m->done));
	m->gone = -1;
	m->n_lives++;
	return from;
}

static void life_end(struct model *m)
{
	gather_fini(&m->gather);
	rig_free(m->rig);
}

// A replica takes over, and the lanes find out a little later.
static void go_back(struct model *m)
{
	m->gone = (int)random_below(m->random, TAGS);
	fail_over(m, (unsigned)m->gone);
	m->turns = 1 + (unsigned)random_below(m->random, 30);
}

// @return whether all of the stream was carried out
static bool life_run(struct model *m, unsigned n_lanes)
{
	m->fed = life_begin(m, n_lanes);
	struct rig *r = m->rig;
	for (unsigned idle = 0; m->budget && rig_frontier(r) < m->len; idle++) {
		if (m->gone >= 0 && !m->turns--)
			break;
		size_t piece = 1 + random_below(m->random, 600);
		piece = piece < m->len - m->fed ? piece : m->len - m->fed;
		m->fed += rig_receive(r, m->stream + m->fed, piece);
		if (route_turn(&r->route, 5000) < 0) {
			if (!m->fails_over || !r->route.resync)
				fail_msg("%s%s", r->route.text,
					 r->route.resync ? r->route.resync : "");
			m->resync = true;
			break;
		}
		route_flush(&r->route, m->fed == m->len || random_below(m->random, 2));
		bool asks = m->gather.state == GATHER_ASKING;
		if (m->fails_over && m->gone < 0 && !random_below(m->random, asks ? 10 : 200))
			go_back(m);
		if (m->gather.state == GATHER_ASKING && !random_below(m->random, 3))
			keys_tell(m);
		for (uint64_t k = random_below(m->random, 12); k; k--)
			lane_run(m, (unsigned)random_below(m->random, n_lanes));
		assert_true(idle < 1000000);
	}
	bool over = m->resync || (rig_frontier(r) == m->len && m->gone < 0);
	life_end(m);
	if (!over && m->fails_over && !random_below(m->random, 8))
		fail_over(m, (unsigned)random_below(m->random, TAGS));
	return over;
}

// @return whether it came to its end without a full sync
static bool stream_run(struct random *random, unsigned n_lanes, bool fails_over)
{
	struct model *m = calloc(1, sizeof(*m));
	// What one that was lost did must not be overwritten before the end.
	m->n_commands = fails_over ? 100 : COMMANDS;
	m->random = random;
	m->fails_over = fails_over;
	m->stream = malloc(STREAM_MAX);
	source_write(m);
	do
		m->budget = m->n_lives < 60 ? (unsigned)random_below(random, m->n_commands / 5)
					    : UINT_MAX;
	while (!life_run(m, n_lanes));
	bool mended = !m->resync;
	assert_true(!mended || store_same(&m->source, &m->cluster));
	assert_true(fails_over || (m->n_gathered > 20 && m->n_lives > 3));
	free(m->stream);
	free(m);
	return mended;
}

static void a_cluster_ends_with_what_the_source_has(void **state)
{
	static const unsigned lanes[] = {1, 1, 2, 4, 7};
	struct random random = random_seeded(__func__);
	for (unsigned i = 0; i < 3 * sizeof(lanes) / sizeof(lanes[0]); i++)
		assert_true(stream_run(&random, lanes[i % 5], false));
}

static void nodes_that_lose_writes_never_make_it_end_otherwise(void **state)
{
	struct random random = random_seeded(__func__);
	unsigned n_mended = 0, rounds = 500;
	for (unsigned i = 0; i < rounds; i++)
		n_mended += stream_run(&random, 1 + i % 3, true);
	assert_in_range(n_mended, 1, rounds - 1); // both happen
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cluster_ends_with_what_the_source_has),
		cmocka_unit_test(nodes_that_lose_writes_never_make_it_end_otherwise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
