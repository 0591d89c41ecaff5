// SPDX-License-Identifier: BSD-3-Clause
// `flyover decode`: files cut off at every byte, filters and reports.
#include "tests/unit/decode_rig.h"

// ---- Damage

// All but the last line are those of the whole file, and the last one can be read as well.
static void cut_file_check(struct span file, size_t len, const struct shown *whole)
{
	struct shown s = decode((struct span){file.p, len}, "jsonl", NULL);
	size_t same = 0, lines = 0;
	assert_int_equal(s.rc, -1);
	assert_int_equal(s.f.id, ERROR_FILE_DAMAGED);
	assert_non_null(strstr(s.f.sentence, "truncated at byte "));
	for (const char *at = s.text, *end; (end = strchr(at, '\n')); at = end + 1) {
		json_t *o = json_loadb(at, (size_t)(end - at), JSON_ALLOW_NUL, NULL);
		if (!o)
			fail_msg("cut at %zu: %.200s", len, at);
		if (!json_object_get(o, "truncated"))
			same = (size_t)(end + 1 - s.text);
		else
			assert_int_equal(end[1], '\0');
		json_decref(o);
		lines++;
	}
	assert_true(same <= whole->len && !memcmp(s.text, whole->text, same));
	assert_true(same == s.len || lines > 0);
	free(s.text);
}

static void cut_files_show_what_stands_before(void **state)
{
	file_begin("REDIS0015");
	rdb_write_aux(&w, SPAN_LIT("redis-ver"), SPAN_LIT("8.10"));
	BYTES("\xf2\x00\x02\x03" "age\x04name");
	key(0, "k");
	STR("value");
	key(30, "packed");
	BYTES("\x11\x11\0\0\0\x03\0\x00\x01\x2a\x01\x84" "Edij\x05\xff");
	stream(27, "s", 5);
	key(28, "a");
	BYTES("\x01\x01\x07\x06\x03\x02hi");
	key(5, "z");
	rdb_write_len(&w, 1);
	STR("m");
	rdb_write_double(&w, 1);
	struct span file = file_end();
	struct shown whole = decode(file, "jsonl", NULL);
	assert_int_equal(whole.rc, 0);
	for (size_t len = 0; len < file.len; len++)
		cut_file_check(file, len, &whole);
	free(whole.text);
}

static void cut_json_is_still_an_array(void **state)
{
	collections();
	struct span file = file_end();
	for (size_t len = 0; len < file.len; len++) {
		struct shown s = decode((struct span){file.p, len}, "json", NULL);
		json_t *o = json_loads(s.text, JSON_ALLOW_NUL, NULL);
		if (!json_is_array(o))
			fail_msg("cut at %zu: %s", len, s.text);
		json_decref(o);
		free(s.text);
	}
}

// Commands are whole ones, and the SET of a whole key is not missing.
static void wrong_checksum_is_told_after_the_data(void **state)
{
	file_begin("REDIS0011");
	key(0, "k");
	STR("v");
	struct span file = file_end();
	rdb[file.len - 1] ^= 1;
	struct shown s = decode(file, "keys", NULL);
	assert_int_equal(s.rc, -1);
	assert_string_equal(s.text, "k\n");
	assert_non_null(strstr(s.f.sentence, "it is damaged, after 1 keys"));
	free(s.text);
	refuses(SPAN_LIT("hello, world"), "not an RDB");
}

// A full disk, or a pipe that nobody reads any more.
static void refused_output_is_told(void **state)
{
	char path[64];
	struct printer printer;
	struct output out;
	struct failure f = {0};
	collections();
	int in = memory_file(file_end()), full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", in);
	assert_int_equal(output_init(&out, full, 4096), 0);
	assert_int_equal(printer_init(&printer, &printer_jsonl, &out), 0);
	struct decode d = {.path = path, .printer = &printer};
	assert_int_equal(decode_run(&d, &f), -1);
	assert_int_equal(f.id, ERROR_OUTPUT);
	assert_int_equal(out.error, -ENOSPC);
	printer_fini(&printer);
	output_fini(&out);
	close(in);
	close(full);
}

// ---- Filters

static void filter_shows(const struct decode_filter *filter, const char *expected)
{
	file_begin("REDIS0011");
	rdb_write_aux(&w, SPAN_LIT("redis-ver"), SPAN_LIT("7"));
	key(0, "user:1");
	STR("x");
	key(1, "list");
	rdb_write_len(&w, 1);
	STR("e");
	rdb_write_selectdb(&w, 5);
	key(0, "user:2");
	STR("y");
	key(0, "uber");
	STR("z");
	struct shown s = decode(file_end(), "keys", filter);
	assert_int_equal(s.rc, 0);
	assert_string_equal(s.text, expected);
	free(s.text);
}

static void filters_choose_keys(void **state)
{
	filter_shows(&(struct decode_filter){0}, "user:1\nlist\nuser:2\nuber\n");
	filter_shows(&(struct decode_filter){.one_db = true}, "user:1\nlist\n");
	filter_shows(&(struct decode_filter){.one_db = true, .db = 5}, "user:2\nuber\n");
	filter_shows(&(struct decode_filter){.match = "u*:?"}, "user:1\nuser:2\n");
	filter_shows(&(struct decode_filter){.type = "LIST"}, "list\n");
	filter_shows(&(struct decode_filter){.limit = 2}, "user:1\nlist\n");
	filter_shows(&(struct decode_filter){.limit = 2, .match = "u*"}, "user:1\nuser:2\n");
	file_begin("REDIS0011");
	rdb_write_aux(&w, SPAN_LIT("a"), SPAN_LIT("b"));
	rdb_write_function(&w, SPAN_LIT("#!lua name=l\n"));
	struct span file = file_end();
	struct shown s = decode(file, "jsonl", &(struct decode_filter){.type = "aux"});
	assert_string_equal(s.text, "{\"type\":\"aux\",\"key\":\"a\",\"value\":\"b\"}\n");
	free(s.text);
	s = decode(file, "jsonl", &(struct decode_filter){.one_db = true});
	assert_string_equal(s.text, "");
	free(s.text);
}

static void globs_match_as_redis_has_them(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {
		{"", "", true},          {"", "a", false},         {"*", "", true},
		{"*", "abc", true},      {"a*c", "abc", true},     {"a*c", "ac", true},
		{"a*c", "ab", false},    {"a*b*c", "axbxbc", true}, {"a?c", "abc", true},
		{"a?c", "ac", false},    {"[abc]", "b", true},     {"[abc]", "d", false},
		{"[^a]", "b", true},     {"[^a]", "a", false},     {"[a-c]x", "bx", true},
		{"[c-a]x", "bx", true},  {"\\*", "*", true},       {"\\*", "x", false},
		{"[\\]]", "]", true},    {"a[", "a", false},       {"[a", "a", true},
		{"*[0-9]", "key9", true}, {"*[0-9]", "key", false}, {"**a", "bba", true},
		{"h[e-", "he", true},    {"*aab", "aaaaaab", true},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (glob_matches(span_of(cases[i].pattern), span_of(cases[i].text)) !=
		    cases[i].matches)
			fail_msg("%s on %s", cases[i].pattern, cases[i].text);
	// What takes for ever when every star tries everything.
	char text[5001];
	memset(text, 'a', 5000);
	text[5000] = '\0';
	assert_false(glob_matches(SPAN_LIT("*a*a*a*a*a*a*a*a*a*a*a*a*b"), span_of(text)));
}

// ---- Reports

static const char filler[3000];

static void report_of(struct span file, struct report *report)
{
	char path[64];
	struct failure f = {0};
	int in = memory_file(file);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", in);
	assert_int_equal(report_init(report, 5000000), 0);
	struct decode d = {.path = path, .report = report};
	if (decode_run(&d, &f))
		fail_msg("%s", f.sentence);
	close(in);
}

static void reports_add_up(void **state)
{
	struct report r;
	file_begin("REDIS0012");
	rdb_write_aux(&w, SPAN_LIT("redis-ver"), SPAN_LIT("7.4.0"));
	rdb_write_aux(&w, SPAN_LIT("ctime"), SPAN_LIT("1000"));
	size_t before = w.len + w.n_sunk;
	rdb_write_key(&w, 0, SPAN_LIT("user:1"), &(struct rdb_write_attrs){999999, -1, -1});
	STR("x");
	rdb_write_key(&w, 0, SPAN_LIT("user:2"), &(struct rdb_write_attrs){1000001, -1, -1});
	rdb_write_plain(&w, (struct span){filler, 3000});
	key(1, "queue");
	rdb_write_len(&w, 3);
	STR("a");
	STR("b");
	STR("c");
	rdb_write_key(&w, 7, SPAN_LIT("m"), &RDB_WRITE_NO_ATTRS);
	BYTES("\x81\xb5\xeb-\xff\xfa\xddl\x01\x02\x05\x05\x03" "abc\x00");
	size_t end = w.len + w.n_sunk;
	report_of(file_end(), &r);
	assert_int_equal(r.all.keys, 4);
	assert_int_equal(r.all.bytes, end - before);
	assert_int_equal(r.all.elements, 6);
	assert_int_equal(r.all.expiring, 2);
	assert_int_equal(r.types[RDB_KIND_STRING].keys, 2);
	assert_int_equal(r.types[RDB_KIND_LIST].elements, 3);
	assert_int_equal(r.types[RDB_KIND_MODULE].bytes, 1 + 2 + 9 + 8);
	assert_int_equal(r.encodings[7].keys, 1);
	assert_int_equal(r.databases[0].keys, 4);
	assert_int_equal(r.expiries[0].keys, 1); // by the time of the file, not of today
	assert_int_equal(r.expiries[1].keys, 1);
	assert_int_equal(r.expiries[REPORT_EXPIRIES - 1].keys, 2);
	assert_int_equal(r.n_top, 4);
	assert_memory_equal(r.top[0].key, "user:2", 6);
	assert_memory_equal(r.most[0].key, "queue", 5);
	const struct report_prefix *list[REPORT_PREFIXES];
	assert_int_equal(report_prefixes(&r, list), 2);
	assert_int_equal(list[0]->len, 5);
	assert_memory_equal(list[0]->text, "user:", 5);
	assert_int_equal(list[0]->count.keys, 2);
	report_fini(&r);
}

// More keys and prefixes than are told apart: what is kept is the greatest, and all are counted.
static void reports_are_bounded(void **state)
{
	struct report r;
	char name[64];
	uint64_t sum = 0;
	file_begin("REDIS0012");
	for (unsigned i = 0; i < 20000; i++) {
		// Letters only: digits end a prefix.
		snprintf(name, sizeof(name), "%c%c%c%c:k", 'a' + i % 26, 'a' + i / 26 % 26,
			 'a' + i / 676 % 26, 'a' + i / 17576);
		key(0, name);
		rdb_write_plain(&w, (struct span){filler, i % 500});
	}
	report_of(file_end(), &r);
	assert_int_equal(r.all.keys, 20000);
	assert_int_equal(r.n_top, REPORT_TOP);
	for (unsigned i = 1; i < REPORT_TOP; i++)
		assert_true(r.top[i - 1].bytes >= r.top[i].bytes);
	assert_true(r.top[REPORT_TOP - 1].bytes >= 495);
	for (unsigned i = 0; i < REPORT_PREFIX_SLOTS; i++)
		sum += r.prefixes[i].count.keys;
	assert_int_equal(sum + r.other_prefixes.keys, 20000);
	assert_true(r.other_prefixes.keys > 0);
	report_fini(&r);
}

static void pages_need_nothing_else(void **state)
{
	struct report r;
	char *text;
	size_t len;
	file_begin("REDIS0012");
	key(0, "<script>alert(\"&\")</script>:");
	STR("x");
	report_of(file_end(), &r);
	FILE *out = open_memstream(&text, &len);
	const struct report_file file = {.path = "a<b>&.rdb", .magic = "REDIS", .version = 12,
					 .bytes = 10, .warning = "\"careful\""};
	report_html(&r, &file, out);
	fclose(out);
	assert_null(strstr(text, "<script"));
	assert_null(strstr(text, "http"));
	assert_null(strstr(text, "src="));
	assert_non_null(strstr(text, "&lt;script&gt;alert(&quot;&amp;&quot;)"));
	assert_non_null(strstr(text, "a&lt;b&gt;&amp;.rdb"));
	assert_non_null(strstr(text, "<svg"));
	assert_non_null(strstr(text, "</html>"));
	free(text);
	report_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_files_show_what_stands_before),
		cmocka_unit_test(cut_json_is_still_an_array),
		cmocka_unit_test(wrong_checksum_is_told_after_the_data),
		cmocka_unit_test(refused_output_is_told),
		cmocka_unit_test(filters_choose_keys),
		cmocka_unit_test(globs_match_as_redis_has_them),
		cmocka_unit_test(reports_add_up),
		cmocka_unit_test(reports_are_bounded),
		cmocka_unit_test(pages_need_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
