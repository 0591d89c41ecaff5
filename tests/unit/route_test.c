// SPDX-License-Identifier: BSD-3-Clause
// From the bytes of a stream to the batches of lanes: order, barriers, transactions, offsets.
#include "tests/unit/lanes_rig.h"
#include "tests/unit/random.h"
#include "tests/unit/words.h"

#define COMMANDS_MAX 6000
#define KEYS         40
#define DATABASES    3
#define NOBODY       UINT32_MAX

// One command of the source, and what became of it.
struct sent {
	uint64_t begin, end;
	uint64_t frame_begin; // of its MULTI, or its own
	uint32_t before[3];   // the last ones on its keys
	uint32_t barrier;     // the last one that touches everything
	int32_t db;
	uint32_t group; // number of its MULTI, 0: none
	bool global, forwarded, verbatim;
	bool done;
};

// A stream being written, and the order that it demands.
struct script {
	char *bytes;
	size_t len, max;
	struct sent sent[COMMANDS_MAX];
	uint32_t n;
	uint32_t last[DATABASES][KEYS], barrier;
	uint64_t frame_begin;
	int32_t db;
	uint32_t group, n_groups; // of the MULTI that is open, 0: none
	uint64_t n_commands;      // without newlines
	uint32_t group_done[COMMANDS_MAX], group_size[COMMANDS_MAX];
};

static struct script *script_new(void)
{
	struct script *s = calloc(1, sizeof(*s));
	s->max = 4 << 20;
	s->bytes = malloc(s->max);
	memset(s->last, 0xff, sizeof(s->last));
	s->barrier = NOBODY;
	return s;
}

static void script_free(struct script *s)
{
	free(s->bytes);
	free(s);
}

static void script_bytes(struct script *s, const char *p, size_t len)
{
	assert_true(s->len + len <= s->max);
	memcpy(s->bytes + s->len, p, len);
	s->len += len;
}

// Append a command written as one line.
static void script_line(struct script *s, const char *line)
{
	struct words w;
	char head[32];
	words_split(line, &w);
	script_bytes(s, head, (size_t)sprintf(head, "*%d\r\n", w.argc));
	for (int i = 0; i < w.argc; i++) {
		script_bytes(s, head, (size_t)sprintf(head, "$%zu\r\n", w.argv[i].len));
		script_bytes(s, w.argv[i].p, w.argv[i].len);
		script_bytes(s, "\r\n", 2);
	}
	s->n_commands++;
}

// A command that is forwarded. @param keys  numbers of its keys; n 0 and global: all of them
static void script_write(struct script *s, const char *line, const int *keys, int n, bool global,
			 bool verbatim)
{
	assert_in_range(s->n, 0, COMMANDS_MAX - 1);
	struct sent *c = &s->sent[s->n];
	*c = (struct sent){.begin = s->len,
			   .db = s->db,
			   .group = s->group,
			   .global = global,
			   .forwarded = true,
			   .verbatim = verbatim,
			   .barrier = s->barrier};
	c->frame_begin = s->group ? s->frame_begin : c->begin;
	memset(c->before, 0xff, sizeof(c->before));
	for (int i = 0; i < n; i++) {
		if (s->last[s->db][keys[i]] != s->n) // not the same key twice
			c->before[i] = s->last[s->db][keys[i]];
		s->last[s->db][keys[i]] = s->n;
	}
	if (global)
		s->barrier = s->n;
	script_line(s, line);
	c->end = s->len;
	s->group_size[s->group]++;
	s->n++;
}

static void script_select(struct script *s, int db)
{
	char line[32];
	snprintf(line, sizeof(line), "SELECT %d", db);
	script_line(s, line);
	s->db = db;
}

static void script_multi(struct script *s)
{
	s->frame_begin = s->len;
	script_line(s, "MULTI");
	s->group = ++s->n_groups;
}

static void script_exec(struct script *s)
{
	script_line(s, "EXEC");
	s->group = 0;
}

// ---- Running what the lanes were given

static struct sent *sent_at(struct script *s, uint64_t begin)
{
	uint32_t low = 0, high = s->n;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (s->sent[middle].begin < begin)
			low = middle + 1;
		else
			high = middle;
	}
	assert_true(low < s->n && s->sent[low].begin == begin);
	return &s->sent[low];
}

static void assert_done(const struct script *s, uint32_t i)
{
	assert_true(i == NOBODY || s->sent[i].done);
}

static void item_run(struct script *s, const struct batch *b, unsigned i)
{
	const struct batch_item *item = &b->items[i];
	char bytes[4096];
	size_t len = batch_item_bytes(b, i, bytes, sizeof(bytes));
	if (item->kind == ITEM_INTERNAL)
		return;
	struct sent *c = sent_at(s, item->offset);
	assert_false(c->done);
	assert_int_equal(item->db, c->db);
	for (int k = 0; k < 3; k++)
		assert_done(s, c->before[k]);
	assert_done(s, c->barrier);
	for (uint32_t j = 0; c->global && s->sent + j < c; j++)
		assert_true(s->sent[j].done);
	if (c->verbatim) {
		assert_int_equal(len, c->end - c->begin);
		assert_memory_equal(bytes, s->bytes + c->begin, len);
	}
	c->done = true;
	s->group_done[c->group]++;
}

static void batch_run(struct script *s, const struct batch *b)
{
	uint32_t groups[256], n = 0;
	assert_true(b->framed);
	assert_int_equal(b->marker.offset, b->end);
	for (unsigned i = 0; i < b->n_items; i++) {
		item_run(s, b, i);
		if (b->items[i].kind != ITEM_COMMAND)
			continue;
		const struct sent *c = sent_at(s, b->items[i].offset);
		assert_true(c->frame_begin >= b->begin && c->end <= b->end);
		if (c->group && (!n || groups[n - 1] != c->group) && n < 256)
			groups[n++] = c->group;
	}
	// A transaction is in one batch, all of it.
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(s->group_done[groups[i]], s->group_size[groups[i]]);
}

// Nothing at or after the frontier counts as applied, and nothing before it is missing.
static void assert_frontier(struct script *s, uint64_t frontier)
{
	for (uint32_t i = 0; i < s->n && s->sent[i].frame_begin < frontier; i++)
		assert_true(s->sent[i].done);
}

// Answer everything that is there, in the order of the numbers; all must come to its turn.
static void rig_run_all(struct rig *r, struct script *s)
{
	for (bool progress = true; progress;) {
		progress = false;
		for (unsigned i = 0; i < r->n_lanes; i++) {
			struct batch *b = rig_ready(r, i);
			if (!b)
				continue;
			batch_run(s, b);
			rig_answer(r, i);
			progress = true;
		}
	}
	assert_true(rig_is_idle(r)); // else they wait for each other
}

static void counters_add_up(struct rig *r, const struct script *s)
{
	assert_int_equal(counter_get(&r->counters.received_commands), s->n_commands);
}

// Route and answer everything; `placed` grows by what batches carry.
static void rig_finish(struct rig *r, struct script *s)
{
	for (int i = 0; i < 100000 && rig_frontier(r) < s->len; i++) {
		assert_true(route_turn(&r->route, 5000) >= 0);
		route_flush(&r->route, true);
		rig_run_all(r, s);
	}
	assert_int_equal(rig_frontier(r), s->len);
	for (uint32_t i = 0; i < s->n; i++)
		assert_true(s->sent[i].done);
}

// ---- Tests

static void offsets_stand_at_frame_boundaries(void **state)
{
	struct rig *r = rig_new(1, 128);
	struct script *s = script_new();
	script_select(s, 0);
	script_write(s, "SET k0 v", (int[]){0}, 1, false, true);
	script_bytes(s, "\n", 1);
	script_line(s, "PING");
	uint64_t end = s->len;
	script_write(s, "INCR k1", (int[]){1}, 1, false, true);
	assert_int_equal(rig_receive(r, s->bytes, s->len - 1), s->len - 1);
	assert_int_equal(route_turn(&r->route, 0), 0);
	assert_int_equal(r->route.routed, end);
	route_flush(&r->route, true);
	const struct batch *b = rig_ready(r, 0);
	assert_non_null(b);
	assert_int_equal(b->begin, s->sent[0].begin);
	assert_int_equal(b->end, end);
	assert_int_equal(b->n_commands, 1);
	assert_true(b->idempotent);
	batch_run(s, b);
	rig_answer(r, 0);
	assert_int_equal(rig_frontier(r), end);
	rig_receive(r, s->bytes + s->len - 1, 1);
	rig_finish(r, s);
	counters_add_up(r, s);
	assert_int_equal(counter_get(&r->counters.filtered_commands), 2);
	script_free(s);
	rig_free(r);
}

static void deltas_make_a_batch_that_must_not_be_repeated(void **state)
{
	struct rig *r = rig_new(1, 128);
	struct script *s = script_new();
	script_write(s, "SET k0 v", (int[]){0}, 1, false, true);
	script_write(s, "INCR k1", (int[]){1}, 1, false, true);
	rig_receive(r, s->bytes, s->len);
	assert_int_equal(route_turn(&r->route, 0), 0);
	route_flush(&r->route, true);
	assert_false(rig_ready(r, 0)->idempotent);
	rig_finish(r, s);
	script_free(s);
	rig_free(r);
}

static void databases_are_kept_per_command(void **state)
{
	struct rig *r = rig_new(1, 128);
	struct script *s = script_new();
	script_select(s, 2);
	script_write(s, "SET k0 a", (int[]){0}, 1, false, true);
	script_select(s, 1);
	script_write(s, "SET k0 b", (int[]){0}, 1, false, true);
	script_write(s, "SET k1 b", (int[]){1}, 1, false, true);
	rig_receive(r, s->bytes, s->len);
	assert_int_equal(route_turn(&r->route, 0), 0);
	route_flush(&r->route, true);
	const struct batch *b = rig_ready(r, 0);
	assert_int_equal(b->db_first, 2);
	assert_int_equal(b->db_last, 1);
	assert_int_equal(b->marker.db, 1);
	assert_int_equal(b->n_items, 4);
	assert_int_equal(b->items[1].kind, ITEM_INTERNAL);
	char select[64];
	assert_int_equal(batch_item_bytes(b, 1, select, sizeof(select)), 23);
	assert_memory_equal(select, "*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n", 23);
	rig_finish(r, s);
	script_free(s);
	rig_free(r);
}

static void reserved_keys_and_housekeeping_are_filtered(void **state)
{
	struct rig *r = rig_new(4, 128);
	struct script *s = script_new();
	script_line(s, "PING");
	script_line(s, "REPLCONF GETACK *");
	script_line(s, "SET __flyover:{rig}:0-4095 x");
	script_line(s, "DEL __flyover:{other}:0-16383");
	script_multi(s);
	script_line(s, "SET __flyover:{rig}:0-4095 x");
	script_exec(s);
	rig_receive(r, s->bytes, s->len);
	assert_int_equal(route_turn(&r->route, 0), 0);
	route_flush(&r->route, true);
	assert_true(rig_is_idle(r));
	assert_int_equal(rig_frontier(r), s->len);
	counters_add_up(r, s);
	assert_int_equal(counter_get(&r->counters.filtered_commands), s->n_commands);
	script_free(s);
	rig_free(r);
}

// What the lane was given, a line an item; markers of SELECT included. Answers all of it.
static const char *lane_takes(struct rig *r, char *out, size_t room)
{
	size_t at = 0;
	out[0] = 0;
	route_flush(&r->route, true);
	for (struct batch *b; (b = rig_ready(r, 0)); rig_answer(r, 0))
		for (unsigned i = 0; i < b->n_items; i++) {
			char bytes[512];
			size_t len = batch_item_bytes(b, i, bytes, sizeof(bytes));
			for (size_t k = 0; k < len && at + 2 < room; k++) // its words only
				if (bytes[k] == '$')
					while (bytes[++k] != '\n')
						;
				else if (bytes[k] == '*')
					while (bytes[++k] != '\n')
						;
				else if (bytes[k] != '\n')
					out[at++] = bytes[k] == '\r' ? ' ' : bytes[k];
			out[at++] = '|';
			out[at] = 0;
		}
	rig_frontier(r);
	return out;
}

static void line_routed(struct rig *r, const char *line, uint64_t now_ms)
{
	struct script *s = script_new();
	script_line(s, line);
	rig_receive(r, s->bytes, s->len);
	assert_true(route_turn(&r->route, now_ms) >= 0);
	script_free(s);
}

#define RECEIVED 1000 // by rig_receive()

static void expiries_of_a_link_that_lags_are_held(void **state)
{
	struct rig *r = rig_new(1, 128);
	char out[4096];
	line_routed(r, "SET k v PXAT 1900", RECEIVED + HOLD_LAG_MS); // it does not lag
	assert_string_equal(lane_takes(r, out, sizeof(out)), "SET k v PXAT 1900 |");
	line_routed(r, "SET k v PXAT 1010", RECEIVED + HOLD_LAG_MS);
	assert_string_equal(lane_takes(r, out, sizeof(out)), "DEL k |");
	assert_false(holds_any(&r->route.holds));
	line_routed(r, "SET k v PXAT 1010", RECEIVED + 100);
	assert_string_equal(lane_takes(r, out, sizeof(out)), "SET k v PXAT 86401100 |");
	line_routed(r, "PEXPIREAT far 6301", RECEIVED + 100); // beyond 5000 and twice the lag
	assert_string_equal(lane_takes(r, out, sizeof(out)), "PEXPIREAT far 6301 |");
	r->route.oldest_ms = 900; // what came before is not answered
	line_routed(r, "PEXPIREAT near 6101", RECEIVED + 1);
	assert_string_equal(lane_takes(r, out, sizeof(out)), "PEXPIREAT near 86401001 |");
	r->route.oldest_ms = 0;
	r->route.behind = true;
	line_routed(r, "PEXPIREAT minutes 500000", RECEIVED);
	assert_string_equal(lane_takes(r, out, sizeof(out)), "PEXPIREAT minutes 86401000 |");
	assert_int_equal(r->route.holds.n_live, 3);
	// Dead is what is over by 1010, near what expires by 6101.
	assert_int_equal(route_release(&r->route, 1010, 6101), 1);
	assert_string_equal(lane_takes(r, out, sizeof(out)),
			    "PEXPIREAT k 1010 XX |PEXPIREAT minutes 500000 XX |");
	line_routed(r, "PERSIST near", RECEIVED);
	assert_string_equal(lane_takes(r, out, sizeof(out)), "PERSIST near |");
	assert_int_equal(route_release(&r->route, INT64_MAX, 0), 1);
	assert_string_equal(lane_takes(r, out, sizeof(out)), "");
	rig_free(r);
}

// A transaction whose end is yet to come is read again: what it holds is held once, and until then
// what was held before it stays so.
static void holds_of_a_transaction_that_is_read_again(void **state)
{
	struct rig *r = rig_new(1, 128);
	char out[4096];
	line_routed(r, "SET a v PXAT 1500", RECEIVED + 100);
	line_routed(r, "MULTI", RECEIVED + 100);
	line_routed(r, "RENAME a b", RECEIVED + 100);
	assert_false(r->route.in_frame); // it was put back, since `a` waits before it
	assert_int_equal(r->route.holds.n_live, 1);
	assert_string_equal(lane_takes(r, out, sizeof(out)), "SET a v PXAT 86401100 |");
	line_routed(r, "SET c v PXAT 1600", RECEIVED + 200);
	line_routed(r, "EXEC", RECEIVED + 200);
	assert_int_equal(r->route.holds.n_live, 2);
	lane_takes(r, out, sizeof(out));
	assert_non_null(strstr(out, "RENAME a b |SET c v PXAT 86401200 |"));
	assert_int_equal(route_release(&r->route, INT64_MAX, 0), 1);
	assert_string_equal(lane_takes(r, out, sizeof(out)),
			    "PEXPIREAT b 1500 XX |PEXPIREAT c 1600 XX |");
	assert_false(holds_any(&r->route.holds));
	rig_free(r);
}

static void transaction_that_is_cut_anywhere_stays_whole(void **state)
{
	for (unsigned n_lanes = 1; n_lanes <= 4; n_lanes += 3) {
		for (size_t cut = 0;; cut++) {
			struct rig *r = rig_new(n_lanes, 128);
			struct script *s = script_new();
			script_select(s, 1);
			script_write(s, "SET k0 1", (int[]){0}, 1, false, true);
			script_multi(s);
			script_write(s, "SET k1 2", (int[]){1}, 1, false, true);
			script_write(s, "INCR k2", (int[]){2}, 1, false, true);
			script_line(s, "PING");
			script_write(s, "SET k0 3", (int[]){0}, 1, false, true);
			script_exec(s);
			script_write(s, "SET k1 4", (int[]){1}, 1, false, true);
			bool last = cut == s->len;
			rig_receive(r, s->bytes, cut);
			assert_true(route_turn(&r->route, 5000) >= 0);
			route_flush(&r->route, true);
			rig_run_all(r, s);
			assert_frontier(s, rig_frontier(r));
			rig_receive(r, s->bytes + cut, s->len - cut);
			rig_finish(r, s);
			counters_add_up(r, s);
			script_free(s);
			rig_free(r);
			if (last)
				break;
		}
	}
}

static void one_byte_at_a_time_gives_the_same(void **state)
{
	struct rig *r = rig_new(4, 4);
	struct script *s = script_new();
	char line[64];
	for (int i = 0; i < 60; i++) {
		snprintf(line, sizeof(line), i % 5 ? "SET k%d v%d" : "INCR k%d", i % 7, i);
		if (i % 10 == 3)
			script_multi(s);
		script_write(s, line, (int[]){i % 7}, 1, false, true);
		if (i % 10 == 6)
			script_exec(s);
	}
	for (size_t i = 0; i < s->len; i++) {
		rig_receive(r, s->bytes + i, 1);
		assert_true(route_turn(&r->route, 5000) >= 0);
		route_flush(&r->route, i % 3 == 0);
		rig_run_all(r, s);
		assert_frontier(s, rig_frontier(r));
	}
	rig_finish(r, s);
	counters_add_up(r, s);
	script_free(s);
	rig_free(r);
}

static void garbage_ends_the_route(void **state)
{
	static const char *const garbage[] = {
		"+OK\r\n",       "*1\r\n+OK\r\n",   "*-1\r\n", "*x\r\n",
		"$3\r\nSET\r\n", "hello there\r\n", "*0\r\n",  "*2\r\n*1\r\n$1\r\na\r\n$1\r\nb\r\n",
		"*1\r\n:1\r\n",  "*1\r\n$-1\r\n",
	};
	for (unsigned i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		struct rig *r = rig_new(1, 128);
		struct script *s = script_new();
		script_write(s, "SET k0 1", (int[]){0}, 1, false, true);
		script_bytes(s, garbage[i], strlen(garbage[i]));
		rig_receive(r, s->bytes, s->len);
		int rc = 0;
		for (int turn = 0; turn < 3 && rc >= 0; turn++)
			rc = route_turn(&r->route, 0);
		if (rc != -1)
			fail_msg("taken: %s", garbage[i]);
		assert_int_equal(r->route.error, ERROR_STREAM_GARBAGE);
		assert_int_equal(r->route.routed, s->sent[0].end);
		script_free(s);
		rig_free(r);
	}
}

static void command_longer_than_the_window_says_so_without_disk(void **state)
{
	struct rig *r = rig_new(1, 128);
	r->config.settings.disk_limit = 0;
	char *big = malloc(RIG_WINDOW);
	int n = snprintf(big, RIG_WINDOW, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n", 10 * RIG_WINDOW);
	memset(big + n, 'x', RIG_WINDOW - (size_t)n);
	assert_int_equal(rig_receive(r, big, RIG_WINDOW), RIG_WINDOW);
	int rc = 0;
	for (int turn = 0; turn < 100 && rc >= 0; turn++)
		rc = route_turn(&r->route, 0);
	assert_int_equal(rc, -1);
	assert_int_equal(r->route.error, ERROR_COMMAND_TOO_LONG);
	free(big);
	rig_free(r);
}

// ---- Random streams

static void random_write(struct script *s, struct random *r)
{
	char line[160];
	int a = (int)random_below(r, KEYS), b = (int)random_below(r, KEYS),
	    c = (int)random_below(r, KEYS);
	unsigned n = s->n;
	switch (random_below(r, 16)) {
	case 0:
		snprintf(line, sizeof(line), "MSET k%d %u k%d %u k%d %u", a, n, b, n, c, n);
		script_write(s, line, (int[]){a, b, c}, 3, false, true);
		break;
	case 1:
		snprintf(line, sizeof(line), "RENAME k%d k%d", a, b);
		script_write(s, line, (int[]){a, b}, 2, false, true);
		break;
	case 2:
		snprintf(line, sizeof(line), "SUNIONSTORE k%d k%d k%d", a, b, c);
		script_write(s, line, (int[]){a, b, c}, 3, false, true);
		break;
	case 3:
		snprintf(line, sizeof(line), "SETEX k%d 100 %u", a, n);
		script_write(s, line, (int[]){a}, 1, false, false);
		break;
	case 4:
		if (random_below(r, 8))
			break;
		script_write(s, n % 2 ? "FLUSHALL" : "FLUSHDB", NULL, 0, true, true);
		break;
	case 5:
		if (random_below(r, 8))
			break;
		script_write(s, n % 2 ? "SWAPDB 1 2" : "MODULE.WRITE a b c", NULL, 0, true, true);
		break;
	case 6:
		script_write(s, "PUBLISH channel message", NULL, 0, false, true);
		break;
	case 7:
		snprintf(line, sizeof(line), "DEL k%d k%d", a, b);
		script_write(s, line, (int[]){a, b}, 2, false, true);
		break;
	case 8:
	case 9:
		snprintf(line, sizeof(line), "RPUSH k%d %u", a, n);
		script_write(s, line, (int[]){a}, 1, false, true);
		break;
	default:
		snprintf(line, sizeof(line), "SET k%d %u%.*s", a, n, (int)random_below(r, 60),
			 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
		script_write(s, line, (int[]){a}, 1, false, true);
	}
}

static void random_step(struct script *s, struct random *r)
{
	if (s->group) {
		random_write(s, r);
		if (!random_below(r, 5))
			script_exec(s);
		return;
	}
	switch (random_below(r, 14)) {
	case 0:
		script_select(s, (int)random_below(r, DATABASES));
		break;
	case 1:
		script_line(s, "PING");
		break;
	case 2:
		script_bytes(s, "\n", 1);
		break;
	case 3:
		script_multi(s);
		break;
	default:
		random_write(s, r);
	}
}

// Lanes answer when they like, bytes come in any pieces, batches are handed over at any time.
static void random_stream(unsigned n_lanes, struct random *rnd)
{
	struct rig *r = rig_new(n_lanes, 1 + (unsigned)random_below(rnd, 20));
	struct script *s = script_new();
	while (s->n < COMMANDS_MAX - 20)
		random_step(s, rnd);
	if (s->group)
		script_exec(s);
	size_t fed = 0;
	for (uint64_t idle = 0; rig_frontier(r) < s->len; idle++) {
		size_t piece = 1 + random_below(rnd, random_below(rnd, 4) ? 3000 : 20);
		piece = piece < s->len - fed ? piece : s->len - fed;
		fed += rig_receive(r, s->bytes + fed, piece);
		if (route_turn(&r->route, 5000) < 0)
			fail_msg("%s", r->route.text);
		route_flush(&r->route, !random_below(rnd, 6) || fed == s->len);
		if (!random_below(rnd, 50) && !r->route.in_frame)
			place_touch(&r->place, r->route.routed, r->route.db);
		for (uint64_t i = random_below(rnd, 3 * n_lanes); i; i--) {
			unsigned lane = (unsigned)random_below(rnd, n_lanes);
			struct batch *b = rig_ready(r, lane);
			if (!b)
				continue;
			batch_run(s, b);
			rig_answer(r, lane);
			idle = 0;
		}
		if (!random_below(rnd, 20))
			assert_frontier(s, rig_frontier(r));
		if (idle > 100000)
			fail_msg("nothing moves: the batches wait in a circle");
	}
	for (uint32_t i = 0; i < s->n; i++)
		assert_true(s->sent[i].done);
	counters_add_up(r, s);
	assert_true(r->route.db == s->db);
	script_free(s);
	rig_free(r);
}

static void random_streams_keep_order_and_lose_nothing(void **state)
{
	static const unsigned lanes[] = {1, 2, 4, 32};
	struct random rnd = random_seeded(__func__);
	for (unsigned i = 0; i < sizeof(lanes) / sizeof(lanes[0]); i++)
		for (int round = 0; round < 3; round++)
			random_stream(lanes[i], &rnd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offsets_stand_at_frame_boundaries),
		cmocka_unit_test(deltas_make_a_batch_that_must_not_be_repeated),
		cmocka_unit_test(databases_are_kept_per_command),
		cmocka_unit_test(reserved_keys_and_housekeeping_are_filtered),
		cmocka_unit_test(expiries_of_a_link_that_lags_are_held),
		cmocka_unit_test(holds_of_a_transaction_that_is_read_again),
		cmocka_unit_test(transaction_that_is_cut_anywhere_stays_whole),
		cmocka_unit_test(one_byte_at_a_time_gives_the_same),
		cmocka_unit_test(garbage_ends_the_route),
		cmocka_unit_test(command_longer_than_the_window_says_so_without_disk),
		cmocka_unit_test(random_streams_keep_order_and_lose_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
