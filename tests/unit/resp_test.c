// SPDX-License-Identifier: BSD-3-Clause
// Commands of a stream and replies of a server, whole, byte at a time and in random slices.
#include "parsers/info.h"
#include "parsers/reply.h"
#include "parsers/resp.h"
#include "parsers/resp_skim.h"
#include "parsers/server_version.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"

#define FRAMES_MAX 512

struct stream_text {
	char *p;
	size_t len;
	struct {
		uint64_t begin, end;
		unsigned argc;
		uint64_t last_at, last_len; // of the last argument
	} frames[FRAMES_MAX];
	unsigned n;
};

static void text_random(struct stream_text *t, struct random *r)
{
	t->p = malloc(4 << 20);
	t->len = 0;
	for (t->n = 0; t->n < FRAMES_MAX; t->n++) {
		uint64_t begin = t->len;
		unsigned argc = random_below(r, 6) ? 1 + (unsigned)random_below(r, 7) : 0;
		if (!random_below(r, 100))
			argc = 300; // more than the first table holds
		if (!argc)
			t->p[t->len++] = '\n';
		else
			t->len += (size_t)sprintf(t->p + t->len, "*%u\r\n", argc);
		for (unsigned i = 0; i < argc; i++) {
			size_t len =
				random_below(r, 40) ? random_below(r, 20) : random_below(r, 20000);
			t->len += (size_t)sprintf(t->p + t->len, "$%zu\r\n", len);
			t->frames[t->n].last_at = t->len - begin;
			t->frames[t->n].last_len = len;
			for (size_t j = 0; j < len; j++)
				t->p[t->len++] = "\r\n*$ab\0x"[random_below(r, 8)];
			memcpy(t->p + t->len, "\r\n", 2);
			t->len += 2;
		}
		t->frames[t->n].begin = begin;
		t->frames[t->n].end = t->len;
		t->frames[t->n].argc = argc;
	}
}

static void frame_check(const struct stream_text *t, unsigned i, uint64_t from,
			const struct resp_frame *f)
{
	assert_in_range(i, 0, t->n - 1);
	assert_int_equal(f->begin, from + t->frames[i].begin);
	assert_int_equal(f->end, from + t->frames[i].end);
	assert_int_equal(f->argc, t->frames[i].argc);
	if (!f->argc)
		return;
	assert_int_equal(f->argv[f->argc - 1].at, t->frames[i].last_at);
	assert_int_equal(f->argv[f->argc - 1].len, t->frames[i].last_len);
}

// The next command of the first `len` bytes. They end where their memory ends, and lie elsewhere
// each time.
static enum resp_verdict next_at(struct resp_stream *s, const char *p, uint64_t from, size_t len,
				 struct resp_frame *f)
{
	size_t at = (size_t)(resp_stream_position(s) - from), n = len - at;
	if (n > 64 * 1024) // a copy a command would take long
		return resp_stream_next(s, (struct span){p + at, n}, f);
	char *exact = malloc(n ? n : 1);
	memcpy(exact, p + at, n);
	enum resp_verdict v = resp_stream_next(s, (struct span){exact, n}, f);
	free(exact);
	return v;
}

// @param slice  bytes more each time, 0: random
static void text_check(const struct stream_text *t, size_t slice, struct random *r)
{
	uint64_t from = 1000000007;
	struct resp_stream *s = resp_stream_new(from);
	unsigned seen = 0;
	for (size_t at = 0; at < t->len;) {
		size_t n = slice ? slice : 1 + random_below(r, random_below(r, 2) ? 9 : 5000);
		n = n < t->len - at ? n : t->len - at;
		at += n;
		struct resp_frame f;
		enum resp_verdict v;
		while ((v = next_at(s, t->p, from, at, &f)) == RESP_OK)
			frame_check(t, seen++, from, &f);
		if (v == RESP_BAD)
			fail_msg("at %zu: %s", at, resp_stream_error(s));
		assert_int_equal(resp_stream_position(s),
				 from + (seen ? t->frames[seen - 1].end : 0));
		if (seen < t->n)
			assert_true(resp_stream_frame_least(s) <=
				    t->frames[seen].end - t->frames[seen].begin);
	}
	assert_int_equal(seen, t->n);
	resp_stream_free(s);
}

// The same commands, found without looking at their bodies.
static void skim_check(const struct stream_text *t, size_t slice, struct random *r)
{
	struct resp_skim s;
	unsigned seen = 0, n_args = 0;
	resp_skim_init(&s);
	for (size_t at = 0; at < t->len;) {
		size_t n = slice ? slice : 1 + random_below(r, random_below(r, 2) ? 9 : 5000), used;
		n = n < t->len - at ? n : t->len - at;
		struct span in = {t->p + at, n};
		enum skim_verdict v;
		while ((v = resp_skim_next(&s, in, &used)) != SKIM_MORE) {
			in.p += used;
			in.len -= used;
			n_args += v == SKIM_ARG;
			if (v == SKIM_BAD)
				fail_msg("at %zu: %s", at, s.error);
			if (v == SKIM_ARG)
				continue;
			assert_int_equal(n_args, s.argc);
			struct resp_frame f = {s.begin, s.position, s.argc, NULL};
			assert_int_equal(f.begin, seen ? t->frames[seen - 1].end : 0);
			assert_int_equal(f.end, t->frames[seen].end);
			assert_int_equal(f.argc, t->frames[seen].argc);
			if (s.argc) {
				assert_int_equal(s.arg.at, t->frames[seen].last_at);
				assert_int_equal(s.arg.len, t->frames[seen].last_len);
			}
			seen++;
			n_args = 0;
		}
		at += n;
		assert_int_equal(s.position, at);
	}
	assert_int_equal(seen, t->n);
}

static void skim_finds_the_same_commands(void **state)
{
	struct random r = random_seeded(__func__);
	struct stream_text t;
	text_random(&t, &r);
	skim_check(&t, t.len, &r);
	skim_check(&t, 1, &r);
	for (int i = 0; i < 20; i++)
		skim_check(&t, 0, &r);
	free(t.p);
}

// A body of 4 GB needs no more memory than its header.
static void skim_passes_over_any_length(void **state)
{
	static const char head[] = "*2\r\n$6\r\nAPPEND\r\n$4294967296\r\n", tail[] = "\r\n\n";
	static char body[1 << 20];
	struct resp_skim s;
	size_t used;
	resp_skim_init(&s);
	assert_int_equal(resp_skim_next(&s, SPAN_LIT(head), &used), SKIM_ARG);
	struct span rest = {head + used, sizeof(head) - 1 - used};
	assert_int_equal(resp_skim_next(&s, rest, &used), SKIM_MORE);
	for (int i = 0; i < 4096; i++)
		assert_int_equal(
			resp_skim_next(&s, (struct span){body, sizeof(body)}, &used), SKIM_MORE);
	assert_int_equal(resp_skim_next(&s, SPAN_LIT(tail), &used), SKIM_ARG);
	assert_int_equal(used, 2);
	assert_int_equal(s.arg.len, 4294967296);
	assert_memory_equal(s.name, "APPEND", s.name_len);
	assert_int_equal(resp_skim_next(&s, SPAN_LIT("\n"), &used), SKIM_COMMAND);
	assert_int_equal(s.position, sizeof(head) - 1 + 4294967296 + 2);
	assert_int_equal(resp_skim_next(&s, SPAN_LIT("\n"), &used), SKIM_COMMAND);
	assert_int_equal(s.argc, 0);
	// One more byte would be too much.
	resp_skim_init(&s);
	assert_int_equal(resp_skim_next(&s, SPAN_LIT("*1\r\n$4294967297\r\n"), &used), SKIM_BAD);
	assert_non_null(s.error);
}

static void offsets_are_exact_however_the_bytes_come(void **state)
{
	struct random r = random_seeded(__func__);
	struct stream_text t;
	text_random(&t, &r);
	text_check(&t, t.len, &r);
	text_check(&t, 1, &r);
	text_check(&t, RESP_SLICE, &r);
	for (int i = 0; i < 10; i++)
		text_check(&t, 0, &r);
	free(t.p);
}

static enum resp_verdict verdict_of(const char *text, size_t len, size_t slice)
{
	struct resp_stream *s = resp_stream_new(0);
	struct resp_frame f;
	enum resp_verdict v = RESP_MORE;
	for (size_t at = 0; at < len && v != RESP_BAD;) {
		at += len - at < slice ? len - at : slice;
		while ((v = next_at(s, text, 0, at, &f)) == RESP_OK)
			;
	}
	assert_true(v != RESP_BAD || next_at(s, text, 0, len, &f) == RESP_BAD);
	assert_true(v != RESP_BAD || resp_stream_error(s)[0]);
	resp_stream_free(s);
	return v;
}

static void what_is_no_command_is_bad(void **state)
{
	static const char *const bad[] = {
		"+OK\r\n",
		"-ERR\r\n",
		":1\r\n",
		"$1\r\na\r\n",
		"*0\r\n",
		"*-1\r\n",
		"*a\r\n",
		"PING\r\n",
		"*1\r\n+OK\r\n",
		"*1\r\n:1\r\n",
		"*1\r\n$-1\r\n",
		"*1\r\n*1\r\n$1\r\na\r\n",
		"*1\r\n$x\r\n",
		"*1\r\n$99999999999999999999\r\n",
		"*99999999999999999999\r\n",
		"*2147483648\r\n",
		"*01\r\n",
		"*1\r\r\n",
		"*1\n",
		"*1\r\n$\r\n",
		"*1\r\n$00\r\n\r\n",
		"*1\r\n$1\r\nab\n",
		"*1\r\n$1\r\na\r\r",
		"\r\n",
	};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (size_t slice = 1; slice <= 64; slice += 63)
			if (verdict_of(bad[i], strlen(bad[i]), slice) != RESP_BAD)
				fail_msg("taken, %zu at a time: %s", slice, bad[i]);
}

// A count that nothing stands behind must not take memory for itself.
static void huge_counts_wait_without_memory(void **state)
{
	static const char huge[] = "*2147483647\r\n$1\r\na\r\n";
	assert_int_equal(verdict_of(huge, sizeof(huge) - 1, 1), RESP_MORE);
	static const char long_one[] = "*2\r\n$3\r\nGET\r\n$536870912\r\nab";
	struct resp_stream *s = resp_stream_new(5);
	struct resp_frame f;
	assert_int_equal(resp_stream_next(s, SPAN_LIT(long_one), &f), RESP_MORE);
	assert_int_equal(resp_stream_frame_argc(s), 2);
	assert_int_equal(resp_stream_frame_least(s), sizeof(long_one) - 3 + 536870912 + 2);
	assert_int_equal(resp_stream_position(s), 5);
	resp_stream_free(s);
}

static void reset_forgets_and_counts_from_there(void **state)
{
	struct resp_stream *s = resp_stream_new(0);
	struct resp_frame f;
	assert_int_equal(resp_stream_next(s, SPAN_LIT("*2\r\n$3\r\nGE"), &f), RESP_MORE);
	resp_stream_reset(s, 77);
	assert_int_equal(resp_stream_next(s, SPAN_LIT("*1\r\n$4\r\nPING\r\n"), &f), RESP_OK);
	assert_int_equal(f.begin, 77);
	assert_int_equal(f.end, 91);
	resp_stream_free(s);
}

// ---- Replies

static const char REPLIES[] =
	"+OK\r\n-ERR no\r\n:-42\r\n$5\r\nhe\r\no\r\n$-1\r\n$0\r\n\r\n*-1\r\n*0\r\n"
	"*3\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n+x\r\n";

static void replies_come_apart_however_the_bytes_come(void **state)
{
	static const enum resp_type types[] = {RESP_STATUS, RESP_ERROR, RESP_INTEGER,
					       RESP_STRING, RESP_NIL,   RESP_STRING,
					       RESP_NIL,    RESP_ARRAY, RESP_ARRAY};
	static const unsigned counts[] = {1, 1, 1, 1, 1, 1, 1, 1, 6};
	for (size_t slice = 1; slice <= sizeof(REPLIES); slice++) {
		struct resp_replies *r = resp_replies_new();
		const struct resp_value *v;
		unsigned n, seen = 0;
		for (size_t at = 0; at < sizeof(REPLIES) - 1; at += slice) {
			size_t len = sizeof(REPLIES) - 1 - at;
			resp_replies_feed(r, REPLIES + at, len < slice ? len : slice);
			while (resp_replies_next(r, &v, &n) == RESP_OK) {
				assert_in_range(seen, 0, 8);
				assert_int_equal(v[0].type, types[seen]);
				assert_int_equal(n, counts[seen]);
				if (seen == 2)
					assert_int_equal(v[0].integer, -42);
				if (seen == 3)
					assert_memory_equal(v[0].text.p, "he\r\no", 5);
				if (seen == 8)
					assert_true(v[2].type == RESP_ARRAY &&
						    v[4].type == RESP_NIL);
				seen++;
			}
		}
		assert_int_equal(seen, 9);
		resp_replies_free(r);
	}
}

// What reply_scan() calls whole must be what the reader takes apart, byte for byte.
static void scan_finds_the_same_ends(void **state)
{
	const char *p = REPLIES;
	size_t left = sizeof(REPLIES) - 1, n = 0;
	struct reply r;
	while (left) {
		size_t whole = 0;
		for (size_t len = 0; len <= left; len++) {
			char *exact = malloc(len ? len : 1);
			memcpy(exact, p, len);
			enum reply_verdict v = reply_scan((struct span){exact, len}, &r);
			free(exact);
			assert_int_not_equal(v, REPLY_BAD);
			if (v == REPLY_OK && !whole)
				whole = len;
			assert_true(!whole || v == REPLY_OK);
			assert_true(v == REPLY_MORE || r.len == whole);
		}
		assert_true(whole > 0);
		p += whole;
		left -= whole;
		n++;
	}
	assert_int_equal(n, 9);
}

static void scan_refuses_what_is_not_resp(void **state)
{
	static const char *const bad[] = {
		"hello\r\n",
		"+OK\n",
		":x\r\n",
		":\r\n",
		"$-2\r\n",
		"*-2\r\n",
		"$3\r\nabcd\r\n",
		"$1\r\na\n\n",
		"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
		"*2\r\n:1\r\nx\r\n",
		"$9223372036854775808\r\n",
		":99999999999999999999\r\n",
		"\n",
	};
	struct reply r;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct span in = {bad[i], strlen(bad[i])};
		if (reply_scan(in, &r) != REPLY_BAD)
			fail_msg("taken: %s", bad[i]);
	}
	static const char edge[] = "$9223372036854775807\r\n";
	assert_int_equal(reply_scan((struct span){edge, sizeof(edge) - 1}, &r), REPLY_MORE);
	char *line = malloc(65537);
	memset(line, '+', 65537);
	assert_int_equal(reply_scan((struct span){line, 65537}, &r), REPLY_BAD);
	free(line);
}

static void scan_of_a_line_stops_before_the_elements(void **state)
{
	struct reply r;
	struct span in = SPAN_LIT("*3\r\n:1\r\n");
	assert_int_equal(reply_scan_line(in, &r), REPLY_OK);
	assert_int_equal(r.integer, 3);
	assert_int_equal(r.len, 4);
}

static void info_fields_are_found_by_their_whole_name(void **state)
{
	struct span info =
		SPAN_LIT("# Server\r\nredis_version:7.0.15\r\nxrun_id:no\r\nrun_id:abc\r\n"
			 "empty:\r\nlast:end");
	char out[32], small[4];
	assert_true(info_field(info, "redis_version", out, sizeof(out)));
	assert_string_equal(out, "7.0.15");
	assert_true(info_field(info, "run_id", out, sizeof(out)));
	assert_string_equal(out, "abc");
	assert_true(info_field(info, "empty", out, sizeof(out)));
	assert_string_equal(out, "");
	assert_true(info_field(info, "last", out, sizeof(out)));
	assert_string_equal(out, "end");
	assert_true(info_field(info, "redis_version", small, sizeof(small)));
	assert_string_equal(small, "7.0");
	assert_false(info_field(info, "redis", out, sizeof(out)));
	assert_false(info_field(info, "nothing", out, sizeof(out)));
	assert_false(info_field((struct span){"", 0}, "last", out, sizeof(out)));
}

static void versions_are_read_and_say_what_restore_takes(void **state)
{
	static const struct {
		const char *info, *text;
		bool valkey;
		uint16_t at, rdb;
	} rows[] = {
		{"redis_version:2.8.24\r\n", "redis 2.8.24", false, SERVER_VERSION(2, 8), 6},
		{"redis_version:6.2.14\r\n", "redis 6.2.14", false, SERVER_VERSION(6, 2), 9},
		{"redis_version:7.0.15\r\n", "redis 7.0.15", false, SERVER_VERSION(7, 0), 10},
		{"redis_version:8.4.0\r\n", "redis 8.4.0", false, SERVER_VERSION(8, 4), 12},
		{"redis_version:9.0.0\r\n", "redis 9.0.0", false, SERVER_VERSION(9, 0), 15},
		{"redis_version:7.2.4\r\nvalkey_version:8.1.1\r\n", "valkey 8.1.1", true,
		 SERVER_VERSION(8, 1), 11},
		{"redis_version:7.2.4\r\nvalkey_version:9.0.4\r\n", "valkey 9.0.4", true,
		 SERVER_VERSION(9, 0), 80},
		{"redis_version:unstable\r\n", "redis unstable", false, 0, 0},
	};
	struct server_version v;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct span info = {rows[i].info, strlen(rows[i].info)};
		assert_true(server_version_read(info, &v));
		assert_string_equal(v.text, rows[i].text);
		assert_int_equal(v.valkey, rows[i].valkey);
		assert_int_equal(v.at, rows[i].at);
		assert_int_equal(server_rdb_version(&v), rows[i].rdb);
	}
	assert_false(server_version_read(SPAN_LIT("run_id:1\r\n"), &v));
	assert_int_equal(server_rdb_version(&v), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offsets_are_exact_however_the_bytes_come),
		cmocka_unit_test(skim_finds_the_same_commands),
		cmocka_unit_test(skim_passes_over_any_length),
		cmocka_unit_test(what_is_no_command_is_bad),
		cmocka_unit_test(huge_counts_wait_without_memory),
		cmocka_unit_test(reset_forgets_and_counts_from_there),
		cmocka_unit_test(replies_come_apart_however_the_bytes_come),
		cmocka_unit_test(scan_finds_the_same_ends),
		cmocka_unit_test(scan_refuses_what_is_not_resp),
		cmocka_unit_test(scan_of_a_line_stops_before_the_elements),
		cmocka_unit_test(info_fields_are_found_by_their_whole_name),
		cmocka_unit_test(versions_are_read_and_say_what_restore_takes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
