// SPDX-License-Identifier: BSD-3-Clause
// Commands and transactions larger than the window: collected in a file, sent from there, in order,
// with exact offsets and counters.
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/lanes_rig.h"
#include "tests/unit/random.h"
#include "tests/unit/words.h"

#define FORWARDED_MAX 4096

// A stream, and the commands of it that have to reach a lane.
struct script {
	char *bytes;
	size_t len, max;
	struct {
		uint64_t begin, end;
		bool verbatim, done;
	} forwarded[FORWARDED_MAX];
	unsigned n, n_done;
	uint64_t n_commands, frame; // `frame`: where the one at hand begins
	bool in_multi;
};

static struct script *script_new(void)
{
	struct script *s = calloc(1, sizeof(*s));
	assert_non_null(s);
	return s;
}

static void script_free(struct script *s)
{
	free(s->bytes);
	free(s);
}

static void put(struct script *s, const char *p, size_t len)
{
	if (s->len + len > s->max) {
		s->max = 2 * (s->len + len);
		s->bytes = realloc(s->bytes, s->max);
		assert_non_null(s->bytes);
	}
	memcpy(s->bytes + s->len, p, len);
	s->len += len;
}

static void put_word(struct script *s, const char *p, size_t len)
{
	char head[32];
	put(s, head, (size_t)sprintf(head, "$%zu\r\n", len));
	put(s, p, len);
	put(s, "\r\n", 2);
}

static void put_line(struct script *s, const char *line)
{
	struct words w;
	char head[32];
	words_split(line, &w);
	put(s, head, (size_t)sprintf(head, "*%d\r\n", w.argc));
	for (int i = 0; i < w.argc; i++)
		put_word(s, w.argv[i].p, w.argv[i].len);
	s->n_commands++;
}

static void forwarded(struct script *s, uint64_t begin, bool verbatim)
{
	assert_in_range(s->n, 0, FORWARDED_MAX - 1);
	s->forwarded[s->n].begin = begin;
	s->forwarded[s->n].end = s->len;
	s->forwarded[s->n++].verbatim = verbatim;
}

static void write_line(struct script *s, const char *line)
{
	uint64_t begin = s->len;
	put_line(s, line);
	forwarded(s, begin, true);
}

// name key <len bytes> [EX 100]
static void write_big(struct script *s, const char *name, const char *key, size_t len, bool expires)
{
	uint64_t begin = s->len;
	char *value = malloc(len + 1);
	for (size_t i = 0; i < len; i++)
		value[i] = (char)(i * 31 + len);
	memcpy(value, "\r\n*3\r\n$", len < 7 ? len : 7); // what a scan must not take for a header
	put(s, expires ? "*5\r\n" : "*3\r\n", 4);
	put_word(s, name, strlen(name));
	put_word(s, key, strlen(key));
	put_word(s, value, len);
	if (expires) {
		put_word(s, "EX", 2);
		put_word(s, "100", 3);
	}
	s->n_commands++;
	forwarded(s, begin, !expires);
	free(value);
}

// ---- Running

static void item_check(struct script *s, const struct batch *b, unsigned i)
{
	const struct batch_item *item = &b->items[i];
	unsigned n = 0;
	while (n < s->n && s->forwarded[n].begin != item->offset)
		n++;
	assert_in_range(n, 0, s->n - 1);
	assert_false(s->forwarded[n].done);
	s->forwarded[n].done = true;
	s->n_done++;
	size_t len = batch_item_len(b, i), want = s->forwarded[n].end - s->forwarded[n].begin;
	if (!s->forwarded[n].verbatim)
		return;
	char *bytes = malloc(len);
	assert_int_equal(len, want);
	assert_int_equal(batch_item_bytes(b, i, bytes, len), len);
	assert_memory_equal(bytes, s->bytes + s->forwarded[n].begin, len);
	free(bytes);
}

static void batch_check(struct script *s, const struct batch *b, bool in_order)
{
	uint64_t all = 0;
	for (unsigned i = 0; i < b->n_segments; i++)
		all += b->segments[i].len;
	assert_int_equal(all, b->len);
	assert_int_equal(b->marker.offset, b->end);
	for (unsigned i = 0; i < b->n_items; i++) {
		if (b->items[i].kind == ITEM_INTERNAL)
			continue;
		if (in_order)
			assert_int_equal(b->items[i].offset, s->forwarded[s->n_done].begin);
		assert_in_range(b->items[i].offset, b->begin, b->end - 1);
		item_check(s, b, i);
	}
}

static bool lanes_answer(struct rig *r, struct script *s)
{
	bool any = false;
	for (unsigned i = 0; i < r->n_lanes; i++) {
		struct batch *b = rig_ready(r, i);
		if (!b)
			continue;
		batch_check(s, b, r->n_lanes == 1);
		rig_answer(r, i);
		any = true;
	}
	return any;
}

// To the end: bytes in pieces of up to `piece`, answers now and then.
static void finish(struct rig *r, struct script *s, size_t fed, size_t piece, struct random *rnd)
{
	unsigned idle = 0;
	while (rig_frontier(r) < s->len) {
		size_t most = 1 + random_below(rnd, piece), left = s->len - fed;
		uint64_t routed = r->route.routed, end = r->route.giant.end;
		size_t n = rig_receive(r, s->bytes + fed, most < left ? most : left);
		fed += n;
		if (route_turn(&r->route, 5000) < 0)
			fail_msg("%s", r->route.text);
		route_flush(&r->route, !random_below(rnd, 3));
		bool answered = random_below(rnd, 2) && lanes_answer(r, s);
		bool moved =
			n || answered || r->route.routed != routed || r->route.giant.end != end;
		idle = moved ? 0 : idle + 1;
		if (idle > 1000)
			fail_msg("nothing moves at offset %llu",
				 (unsigned long long)r->route.routed);
	}
	assert_int_equal(r->route.routed, s->len);
	assert_int_equal(s->n_done, s->n);
	assert_int_equal(counter_get(&r->counters.received_commands), s->n_commands);
	assert_int_equal(r->place.files_len, 0);
	assert_int_equal(r->route.giant.state, GIANT_NONE);
}

static void run(struct script *s, unsigned n_lanes, size_t piece, struct random *rnd)
{
	struct rig *r = rig_new(n_lanes, 16);
	finish(r, s, 0, piece, rnd);
	rig_free(r);
}

static void run_all_ways(struct script *(*make)(void))
{
	struct random rnd = random_seeded(__func__);
	static const size_t pieces[] = {RIG_WINDOW, 5000, 300};
	for (unsigned n_lanes = 1; n_lanes <= 4; n_lanes += 3) {
		for (unsigned i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
			struct script *s = make();
			run(s, n_lanes, pieces[i], &rnd);
			script_free(s);
		}
	}
}

// ---- Tests

static struct script *values_make(void)
{
	static const size_t lens[] = {RIG_WINDOW / 4 - 40, RIG_WINDOW / 4, RIG_WINDOW / 4 + 1,
				      RIG_WINDOW,	   5 * RIG_WINDOW, 3 * RIG_WINDOW + 17};
	struct script *s = script_new();
	put_line(s, "SELECT 2");
	for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		write_line(s, "INCR k1");
		write_big(s, i % 2 ? "SET" : "APPEND", i % 3 ? "k2" : "k1", lens[i], i == 3);
		put(s, "\n", 1);
		put_line(s, "PING");
		write_line(s, "INCR k2");
	}
	write_big(s, "SET", "k3", 2 * RIG_WINDOW, true);
	write_big(s, "SET", "__flyover:{other}:0-16383", 2 * RIG_WINDOW, false);
	s->n--; // reserved: filtered, file and all
	write_line(s, "INCR k3");
	return s;
}

static void values_of_many_windows_pass(void **state)
{
	run_all_ways(values_make);
}

static struct script *transactions_make(void)
{
	struct script *s = script_new();
	char line[64];
	write_line(s, "SET k0 v");
	for (unsigned round = 0; round < 3; round++) {
		put_line(s, "MULTI");
		write_line(s, "INCR k1");
		put_line(s, "PING");
		if (round)
			write_big(s, "RPUSH", "k2", round * 2 * RIG_WINDOW, false);
		put_line(s, "SELECT 3");
		put(s, "\n", 1);
		// Many small ones: more than half of the window together.
		for (unsigned i = 0; i < (round == 1 ? 3u : 900u); i++) {
			snprintf(line, sizeof(line), "APPEND k%u %0*u", i % 7, 40, i);
			write_line(s, line);
		}
		if (round == 0)
			write_big(s, "APPEND", "k5", RIG_WINDOW, false);
		write_big(s, "SET", "k6", RIG_WINDOW / 3, true);
		put_line(s, "SET __flyover:{other}:0-16383 x");
		put_line(s, "EXEC");
		write_line(s, "INCR k4");
	}
	return s;
}

static void transactions_of_many_windows_stay_whole(void **state)
{
	run_all_ways(transactions_make);
}

static void transaction_is_one_batch_at_its_own_offsets(void **state)
{
	struct random rnd = random_seeded(__func__);
	struct rig *r = rig_new(1, 16);
	struct script *s = script_new();
	write_line(s, "INCR k1");
	uint64_t begin = s->len;
	put_line(s, "MULTI");
	write_line(s, "INCR k1");
	write_big(s, "SET", "k1", 3 * RIG_WINDOW, false);
	put_line(s, "EXEC");
	uint64_t end = s->len;
	write_line(s, "INCR k1");
	size_t fed = 0;
	while (r->route.routed < end) {
		fed += rig_receive(r, s->bytes + fed, s->len - fed);
		assert_true(route_turn(&r->route, 0) >= 0);
		route_flush(&r->route, true);
		rig_take(r, 0);
		rig_frontier(r);
		if (r->n_queue[0] == 1 && r->route.routed == begin) { // what stands before it
			batch_check(s, rig_ready(r, 0), true);
			rig_answer(r, 0);
		}
	}
	const struct batch *b = rig_ready(r, 0);
	assert_int_equal(b->begin, begin);
	assert_int_equal(b->end, end);
	assert_int_equal(b->n_commands, 4);
	assert_false(b->idempotent);
	assert_int_equal(rig_frontier(r), begin);
	// In memory are the bytes behind it, not its own.
	assert_true(r->log.head >= end - RIG_WINDOW);
	assert_int_equal(r->place.files_len, end - begin);
	finish(r, s, fed, 1000, &rnd);
	script_free(s);
	rig_free(r);
}

static void one_byte_at_a_time_gives_the_same(void **state)
{
	struct random rnd = random_seeded(__func__);
	struct script *s = script_new();
	write_line(s, "INCR k1");
	write_big(s, "APPEND", "k1", RIG_WINDOW / 4 + 5000, false);
	put_line(s, "MULTI");
	write_big(s, "APPEND", "k1", RIG_WINDOW / 3, false);
	write_line(s, "INCR k1");
	put_line(s, "EXEC");
	write_line(s, "INCR k1");
	run(s, 1, 1, &rnd);
	script_free(s);
}

// Words without end: they lie in a file as well, and when the command has another form, are sent
// from where they came.
static void command_of_very_many_words_passes(void **state)
{
	struct random rnd = random_seeded(__func__);
	struct rig *r = rig_new(1, 16);
	struct script *s = script_new();
	char head[64], word[32];
	unsigned n = 200000;
	uint64_t begin = s->len;
	put(s, head, (size_t)sprintf(head, "*%u\r\n$6\r\nMSETNX\r\n", 2 * n + 1));
	for (unsigned i = 0; i < n; i++) {
		put_word(s, word, (size_t)sprintf(word, "k%u", i));
		put_word(s, word, (size_t)sprintf(word, "v%u", i * 7));
	}
	s->n_commands++;
	forwarded(s, begin, false);
	size_t fed = 0;
	const struct batch *b = NULL;
	while (!b) {
		fed += rig_receive(r, s->bytes + fed, s->len - fed);
		assert_true(route_turn(&r->route, 0) >= 0);
		route_flush(&r->route, true);
		rig_frontier(r);
		b = rig_ready(r, 0);
	}
	assert_true(b->idempotent);
	assert_in_range(b->n_segments, 2, 4); // the new head, and all words in one
	assert_in_range(b->n_text, 1, 200);
	char *bytes = malloc(s->len);
	size_t len = batch_item_bytes(b, 0, bytes, s->len),
	       skip = strlen("*400001\r\n$6\r\nMSETNX\r\n");
	assert_memory_equal(bytes, "*400001\r\n$4\r\nMSET\r\n", skip - 2);
	assert_int_equal(len, s->len - 2);
	assert_memory_equal(bytes + skip - 2, s->bytes + skip, s->len - skip);
	free(bytes);
	assert_true(r->route.argv_max < 1000);
	finish(r, s, fed, 1000, &rnd);
	script_free(s);
	rig_free(r);
}

static void broken_with(const char *garbage, bool in_multi, enum error_id error)
{
	struct rig *r = rig_new(1, 16);
	struct script *s = script_new();
	if (in_multi)
		put_line(s, "MULTI");
	write_big(s, "APPEND", "k1", 2 * RIG_WINDOW, false);
	if (!in_multi)
		s->len -= strlen("\r\n"); // garbage where the value has to end
	uint64_t at = s->len;
	put(s, garbage, strlen(garbage));
	put(s, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n\r\n", 36);
	size_t fed = 0;
	int rc = 0;
	for (int i = 0; i < 1000 && rc >= 0; i++) {
		fed += rig_receive(r, s->bytes + fed, s->len - fed);
		rc = route_turn(&r->route, 0);
		rig_frontier(r);
	}
	if (rc != -1)
		fail_msg("taken: %s", garbage);
	assert_int_equal(r->route.error, error);
	assert_int_equal(r->route.routed, 0);
	assert_true(rig_is_idle(r));
	if (error == ERROR_STREAM_GARBAGE)
		assert_in_range(r->route.giant.begin + r->route.giant.skim.position, at, at + 40);
	script_free(s);
	rig_free(r);
}

static void garbage_within_a_giant_ends_the_route(void **state)
{
	static const char *const garbage[] = {
		"+OK\r\n",  "*0\r\n",        "*-1\r\n",
		"$3\r\n",   "*1\r\n$-1\r\n", "*99999999999999999999999999\r\n",
		"*1\r\n*1", "*1x\r\n",       "*2\r\n$1\r\na\r\n$18446744073709551615\r\n",
		"*\r\n",    "*1\n",          "*2\r\n$1\r\na\r\n$99999999999\r\n",
	};
	for (unsigned i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++)
		broken_with(garbage[i], true, ERROR_STREAM_GARBAGE);
	broken_with("x", false, ERROR_STREAM_GARBAGE);
	broken_with("\n\r", false, ERROR_STREAM_GARBAGE);
}

// A new history: what was collected of the old one is gone without a trace.
static void reset_forgets_what_was_collected(void **state)
{
	struct random rnd = random_seeded(__func__);
	struct rig *r = rig_new(1, 16);
	struct script *s = script_new();
	write_big(s, "SET", "k1", 3 * RIG_WINDOW, false);
	assert_int_equal(rig_receive(r, s->bytes, RIG_WINDOW), RIG_WINDOW);
	assert_true(route_turn(&r->route, 0) >= 0);
	assert_int_equal(r->route.giant.state, GIANT_COLLECTING);
	log_reset(&r->log, "", 0);
	route_reset(&r->route, 0, 0);
	finish(r, s, 0, RIG_WINDOW, &rnd);
	script_free(s);
	rig_free(r);
}

// A drain: a transaction whose end has not come is not begun.
static void abandoned_transaction_is_not_begun(void **state)
{
	struct rig *r = rig_new(1, 16);
	struct script *s = script_new();
	write_line(s, "INCR k1");
	uint64_t begin = s->len;
	put_line(s, "MULTI");
	write_big(s, "SET", "k1", 3 * RIG_WINDOW, false);
	size_t fed = 0;
	while (fed < s->len) {
		fed += rig_receive(r, s->bytes + fed, s->len - fed);
		while (route_turn(&r->route, 0) > 0)
			;
		route_flush(&r->route, true);
		lanes_answer(r, s);
		rig_frontier(r);
	}
	assert_int_equal(route_abandon(&r->route), 0);
	assert_int_equal(r->route.routed, begin);
	assert_int_equal(rig_frontier(r), begin);
	assert_true(rig_is_idle(r));
	assert_int_equal(s->n_done, 1);
	assert_int_equal(counter_get(&r->counters.received_commands), 1);
	script_free(s);
	rig_free(r);
}

static void disk_limit_holds_giants_back(void **state)
{
	struct random rnd = random_seeded(__func__);
	struct rig *r = rig_new(1, 16);
	struct script *s = script_new();
	r->config.settings.disk_limit = 4 * RIG_WINDOW;
	write_big(s, "SET", "k1", 3 * RIG_WINDOW, false);
	write_big(s, "SET", "k2", 3 * RIG_WINDOW, false);
	size_t fed = 0;
	for (int i = 0; i < 100; i++) {
		fed += rig_receive(r, s->bytes + fed, s->len - fed);
		assert_true(route_turn(&r->route, 1000) >= 0);
		rig_frontier(r);
		assert_true(r->place.files_len < 4 * RIG_WINDOW);
	}
	assert_non_null(strstr(r->route.giant.waiting, "disk-limit"));
	assert_true(fed < s->len);
	assert_true(lanes_answer(r, s));
	finish(r, s, fed, RIG_WINDOW, &rnd);
	assert_string_equal(r->route.giant.waiting, "");
	// One that can never fit ends the route.
	write_big(s, "SET", "k1", 5 * RIG_WINDOW, false);
	int rc = 0;
	for (int i = 0; i < 100 && rc >= 0; i++) {
		fed = r->log.tail;
		rig_receive(r, s->bytes + fed, s->len - fed);
		rc = route_turn(&r->route, 10000);
		rig_frontier(r);
	}
	assert_int_equal(rc, -1);
	assert_int_equal(r->route.error, ERROR_COMMAND_TOO_LONG);
	script_free(s);
	rig_free(r);
}

// A file system of 1 MB of our own. @return false when that is not allowed here
static bool small_disk(const char *folder)
{
	return !unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("flyover", folder, "tmpfs", 0, "size=1m");
}

static void full_disk_is_waited_for(void **state)
{
	struct random rnd = random_seeded(__func__);
	char folder[] = "/tmp/flyover-giant-XXXXXX", filler[64];
	assert_non_null(mkdtemp(folder));
	if (!small_disk(folder)) {
		rmdir(folder);
		skip();
	}
	struct rig *r = rig_new(1, 16);
	struct script *s = script_new();
	snprintf(r->config.state_dir, sizeof(r->config.state_dir), "%s", folder);
	snprintf(filler, sizeof(filler), "%s/filler", folder);
	FILE *f = fopen(filler, "w");
	for (int i = 0; i < 600 * 1024; i++)
		fputc('x', f);
	fclose(f);
	write_line(s, "INCR k1");
	write_big(s, "SET", "k1", 3 * RIG_WINDOW, false);
	size_t fed = 0;
	uint64_t now_ms = 100000;
	for (int i = 0; i < 100; i++, now_ms += 100) {
		fed += rig_receive(r, s->bytes + fed, s->len - fed);
		assert_true(route_turn(&r->route, now_ms) >= 0);
		route_flush(&r->route, true);
		lanes_answer(r, s);
		rig_frontier(r);
	}
	assert_non_null(strstr(r->route.giant.waiting, folder));
	assert_int_equal(s->n_done, 1);
	assert_true(fed < s->len);
	int rc = 0;
	uint64_t since_ms = r->route.giant.waiting_since_ms;
	r->config.settings.wait_timeout = 1000; // nobody comes
	rc = route_turn(&r->route, now_ms + 2000);
	assert_int_equal(rc, -1);
	assert_int_equal(r->route.error, ERROR_DISK);
	r->config.settings.wait_timeout = 1000000;
	assert_true(since_ms > 0);
	assert_int_equal(unlink(filler), 0); // somebody does
	r->route.now_ms = 0;
	finish(r, s, fed, RIG_WINDOW, &rnd);
	assert_string_equal(r->route.giant.waiting, "");
	script_free(s);
	rig_free(r);
	assert_int_equal(umount(folder), 0);
	rmdir(folder);
}

static void transaction_of_too_many_commands_says_so(void **state)
{
	static const char ping[] = "*1\r\n$4\r\nPING\r\n";
	struct rig *r = rig_new(1, 16);
	struct script *s = script_new();
	put_line(s, "MULTI");
	rig_receive(r, s->bytes, s->len);
	for (int i = 0; i < 4096; i++)
		put(s, ping, strlen(ping));
	int rc = 0;
	size_t at = 15;
	for (uint64_t n = 0; n < 3 * 4200000ull && rc >= 0; n++) {
		size_t n_put = rig_receive(r, s->bytes + at, s->len - at);
		at += n_put;
		at = at == s->len ? 15 : at;
		rc = route_turn(&r->route, 0);
		rig_frontier(r);
		if (!n_put && !rc && r->route.giant.state == GIANT_NONE)
			fail_msg("stuck");
	}
	assert_int_equal(rc, -1);
	assert_int_equal(r->route.error, ERROR_COMMAND_TOO_LONG);
	assert_int_equal(r->route.giant.n_commands, GIANT_COMMANDS_MAX + 1);
	script_free(s);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_many_windows_pass),
		cmocka_unit_test(transactions_of_many_windows_stay_whole),
		cmocka_unit_test(transaction_is_one_batch_at_its_own_offsets),
		cmocka_unit_test(one_byte_at_a_time_gives_the_same),
		cmocka_unit_test(command_of_very_many_words_passes),
		cmocka_unit_test(garbage_within_a_giant_ends_the_route),
		cmocka_unit_test(reset_forgets_what_was_collected),
		cmocka_unit_test(abandoned_transaction_is_not_begun),
		cmocka_unit_test(disk_limit_holds_giants_back),
		cmocka_unit_test(full_disk_is_waited_for),
		cmocka_unit_test(transaction_of_too_many_commands_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
