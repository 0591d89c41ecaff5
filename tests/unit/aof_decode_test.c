// SPDX-License-Identifier: BSD-3-Clause
// `flyover decode` of append-only files: what is shown of commands, and what is not, since it is
// not whole, too late, or not wanted.
#include "tests/unit/aof_rig.h"

#define SELECT_0 "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
#define DEL_K    "*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n"
#define DISCARD  "*1\r\n$7\r\nDISCARD\r\n"

static void commands_show_in_every_format(void **state)
{
	struct span file =
		SPAN_LIT("#TS:1700000000\r\n" SELECT_3 "*3\r\n$3\r\nSET\r\n$1\r\n\xff\r\n"
			 "$2\r\n\r\n\r\n" MULTI INCR_N EXEC DEL_K);
	shows(file, "jsonl",
	      "{\"type\":\"command\",\"db\":0,\"offset\":16,\"at_ms\":1700000000000,"
	      "\"args\":[\"SELECT\",\"3\"]}\n"
	      "{\"type\":\"command\",\"db\":3,\"offset\":39,\"at_ms\":1700000000000,"
	      "\"args\":[\"SET\",{\"base64\":\"/w==\"},\"\\r\\n\"]}\n"
	      "{\"type\":\"command\",\"db\":3,\"offset\":67,\"at_ms\":1700000000000,"
	      "\"args\":[\"MULTI\"]}\n"
	      "{\"type\":\"command\",\"db\":3,\"offset\":82,\"at_ms\":1700000000000,"
	      "\"args\":[\"INCR\",\"n\"]}\n"
	      "{\"type\":\"command\",\"db\":3,\"offset\":103,\"at_ms\":1700000000000,"
	      "\"args\":[\"EXEC\"]}\n"
	      "{\"type\":\"command\",\"db\":3,\"offset\":117,\"at_ms\":1700000000000,"
	      "\"args\":[\"DEL\",\"k\"]}\n");
	shows(file, "keys", "\\xff\nn\nk\n");
	shows(file, "resp",
	      SELECT_3 "*3\r\n$3\r\nSET\r\n$1\r\n\xff\r\n$2\r\n\r\n\r\n" MULTI INCR_N EXEC DEL_K);
	shows(SPAN_LIT(SET_K_V), "json",
	      "[\n{\"type\":\"command\",\"db\":0,\"offset\":0,\"args\":[\"SET\",\"k\",\"v\"]}\n]"
	      "\n");
}

// An RDB of one key, and how far it goes.
static struct span preamble(const char *ctime)
{
	file_begin("REDIS0011");
	if (ctime)
		rdb_write_aux(&w, SPAN_LIT("ctime"), span_of(ctime));
	rdb_write_selectdb(&w, 5);
	key(0, "first");
	STR("one");
	struct span file = file_end();
	return file;
}

static struct span with_commands(struct span file, const char *text)
{
	memcpy(rdb + file.len, text, strlen(text));
	return (struct span){rdb, file.len + strlen(text)};
}

static void preamble_is_shown_before_the_commands(void **state)
{
	struct span base = preamble(NULL);
	size_t at = base.len;
	char expected[512];
	struct span file = with_commands(base, SET_K_V);
	snprintf(expected, sizeof(expected),
		 "{\"db\":5,\"key\":\"first\",\"type\":\"string\",\"value\":\"one\"}\n"
		 "{\"type\":\"command\",\"db\":0,\"offset\":%zu,\"args\":[\"SET\",\"k\",\"v\"]}\n",
		 at);
	shows(file, "jsonl", expected);
	shows(file, "keys", "first\nk\n");
	shows(file, "resp",
	      "*2\r\n$6\r\nSELECT\r\n$1\r\n5\r\n*3\r\n$3\r\nSET\r\n$5\r\nfirst\r\n$3\r\none\r\n"
	      SELECT_0 SET_K_V);
	struct shown s = decode(with_commands(preamble(NULL), "oops" SET_K_V), "keys", NULL);
	assert_int_equal(s.rc, 0);
	assert_string_equal(s.text, "first\n");
	says(s.d.note, "is no AOF and was left out");
	free(s.text);
	// A rewrite that has just ended: a preamble, and no command yet.
	shows(preamble(NULL), "keys", "first\n");
	refuses(with_commands(preamble(NULL), SET_K_V "oops"), "neither a command");
}

static struct shown folder_decode(const struct folder *d, const char *format,
				  const struct decode *as)
{
	struct decode settings = *as;
	settings.path = d->path;
	return decode_as(&settings, format);
}

static void parts_of_a_folder_follow_each_other(void **state)
{
	struct folder d = folder_make();
	folder_text(&d, "a.manifest", "file b seq 1 type b\nfile i1 seq 1 type i\n"
				      "file i2 seq 2 type i\nfile i3 seq 3 type i\n");
	folder_write(&d, "b", preamble(NULL));
	folder_text(&d, "i1", SELECT_3 SET_K_V);
	folder_text(&d, "i2", "");
	folder_text(&d, "i3", INCR_N);
	struct shown s = folder_decode(&d, "jsonl", &(struct decode){0});
	assert_int_equal(s.rc, 0);
	assert_string_equal(
		s.text,
		"{\"db\":5,\"key\":\"first\",\"type\":\"string\",\"value\":\"one\"}\n"
		"{\"type\":\"command\",\"db\":0,\"offset\":0,\"file\":\"i1\","
		"\"args\":[\"SELECT\",\"3\"]}\n"
		"{\"type\":\"command\",\"db\":3,\"offset\":23,\"file\":\"i1\","
		"\"args\":[\"SET\",\"k\",\"v\"]}\n"
		"{\"type\":\"command\",\"db\":0,\"offset\":0,\"file\":\"i3\","
		"\"args\":[\"INCR\",\"n\"]}\n");
	assert_int_equal(s.d.n_bytes, s.d.total);
	free(s.text);
	folder_text(&d, "i1", SET_K_V MULTI INCR_N);
	s = folder_decode(&d, "resp", &(struct decode){0});
	assert_int_equal(s.rc, -1); // only the last one may end early
	says(s.f.sentence, "i1: the transaction that begins at byte 27 has no EXEC");
	says(s.text, SET_K_V MULTI INCR_N DISCARD);
	free(s.text);
	folder_text(&d, "i1", SET_K_V "REDIS0011");
	s = folder_decode(&d, "resp", &(struct decode){0});
	assert_int_equal(s.rc, -1);
	says(s.f.sentence, "i1: neither a command nor an annotation begins (at byte 27");
	free(s.text);
	folder_remove(&d);
}

// ---- Ends

static void file_that_ends_early_is_shown_as_far_as_it_is_good(void **state)
{
	static const char file[] = SET_K_V MULTI INCR_N EXEC DEL_K;
	static const size_t good[] = {0, 27, 77, 97};
	struct folder d = folder_make();
	for (size_t len = 0, at = 0; len < sizeof(file); len++) {
		at += at < 3 && good[at + 1] == len;
		folder_write(&d, "x.aof", (struct span){file, len});
		struct decode as = {.path = folder_file(&d, "x.aof")};
		struct shown s = decode_as(&as, "resp");
		assert_int_equal(s.rc, 0);
		// A SELECT stands before the first.
		assert_int_equal(s.len, good[at] ? good[at] + strlen(SELECT_0) : 0);
		assert_int_equal(s.d.note[0] == 0, good[at] == len);
		free(s.text);
		as.strict = true;
		s = decode_as(&as, "resp");
		assert_int_equal(s.rc, good[at] == len ? 0 : -1);
		assert_int_equal(s.f.id, s.rc ? ERROR_FILE_DAMAGED : 0);
		free(s.text);
	}
	folder_remove(&d);
}

// What a pipe brings.
static struct shown pipe_decode(const char *text, const char *format, const struct decode *as)
{
	struct decode settings = *as;
	char path[64];
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
	close(ends[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	settings.path = path;
	struct shown s = decode_as(&settings, format);
	close(ends[0]);
	return s;
}

static void pipe_is_shown_as_it_comes(void **state)
{
	const struct decode plain = {0}, strict = {.strict = true};
	struct shown s = pipe_decode(SET_K_V MULTI INCR_N "*2\r\n", "resp", &plain);
	assert_int_equal(s.rc, 0);
	assert_string_equal(s.text, SELECT_0 SET_K_V MULTI INCR_N DISCARD);
	says(s.d.note, "no EXEC: the file ends 40 bytes behind its last good point");
	says(s.d.note, "the whole commands among them were shown");
	free(s.text);
	s = pipe_decode(SET_K_V "*2\r\n", "resp", &plain);
	assert_int_equal(s.rc, 0);
	says(s.d.note, "were left out");
	free(s.text);
	s = pipe_decode(SET_K_V "*2\r\n", "resp", &strict);
	assert_int_equal(s.rc, -1);
	free(s.text);
	s = pipe_decode("#TS:5\r\n" SET_K_V "#TS:7\r\n" INCR_N, "resp",
			&(struct decode){.has_until = true, .until_s = 6});
	assert_int_equal(s.rc, 0);
	assert_string_equal(s.text, SELECT_0 SET_K_V);
	free(s.text);
}

// ---- Long commands

#define LONG_LEN 9437184 // 9 MB; stands in the headers below

// A value above what is shown in one piece, between what stands before and behind it.
static struct span long_file(const char *before, const char *behind)
{
	size_t head = strlen(before), tail = strlen(behind), len = head + LONG_LEN + tail;
	char *bytes = malloc(len);
	if (!bytes)
		abort();
	memset(bytes, 'x', len);
	memcpy(bytes, before, head);
	memcpy(bytes + head + LONG_LEN, behind, tail);
	return (struct span){bytes, len};
}

// SET of it in a transaction.
static struct span long_set(void)
{
	return long_file(SELECT_0 MULTI "*3\r\n$3\r\nSET\r\n$4\r\nlong\r\n$9437184\r\n",
			 "\r\n" EXEC INCR_N);
}

static void long_commands_pass_in_pieces(void **state)
{
	struct span file = long_set();
	struct shown s = decode(file, "resp", NULL);
	assert_int_equal(s.rc, 0);
	assert_int_equal(s.len, file.len);
	assert_memory_equal(s.text, file.p, file.len);
	free(s.text);
	s = decode(file, "jsonl", NULL);
	assert_int_equal(s.rc, 0);
	json_t *o = json_loads(strchr(strchr(s.text, '\n') + 1, '\n') + 1, JSON_DISABLE_EOF_CHECK,
			       NULL);
	const char *value = json_string_value(
		json_object_get(json_array_get(json_object_get(o, "args"), 2), "base64"));
	assert_int_equal(strlen(value), LONG_LEN / 3 * 4);
	assert_int_equal(strspn(value, "eHh4"), LONG_LEN / 3 * 4);
	json_decref(o);
	free(s.text);
	s = decode(file, "keys", NULL);
	assert_string_equal(s.text, "long\nn\n");
	free(s.text);
	s = decode(file, "keys", &(struct decode_filter){.match = "lo*"});
	assert_string_equal(s.text, "long\n");
	free(s.text);
	s = decode(file, "keys", &(struct decode_filter){.match = "n"});
	assert_string_equal(s.text, "n\n");
	free(s.text);
	free((char *)file.p);
}

// The file from its n-th byte on, through a pipe.
static struct shown tail_decode(const struct folder *d, int n, const char *format)
{
	char tail[440], path[64];
	snprintf(tail, sizeof(tail), "tail -c +%d %s", n, folder_file(d, "x.aof"));
	FILE *in = popen(tail, "r");
	assert_non_null(in);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(in));
	const struct decode as = {.path = path};
	struct shown s = decode_as(&as, format);
	pclose(in);
	return s;
}

// One that is cut is not begun when the file can be looked at before; from a pipe it is damage.
static void long_command_that_is_cut_is_never_half_written(void **state)
{
	struct span file = long_set();
	struct folder d = folder_make();
	file.len = LONG_LEN;
	folder_write(&d, "x.aof", file);
	struct decode as = {.path = folder_file(&d, "x.aof")};
	struct shown s = decode_as(&as, "resp");
	assert_int_equal(s.rc, 0);
	assert_string_equal(s.text, "");
	says(s.d.note, "the transaction that begins at byte 23 has no EXEC");
	free(s.text);
	s = tail_decode(&d, 1, "resp");
	assert_int_equal(s.rc, -1);
	says(s.f.sentence, "the transaction that begins at byte 23 has no EXEC");
	free(s.text);
	s = tail_decode(&d, 39, "jsonl"); // without MULTI
	assert_int_equal(s.rc, -1);
	says(s.f.sentence, "the file ends within what begins at byte 0");
	json_t *o = json_loads(s.text, 0, NULL);
	assert_true(json_is_true(json_object_get(o, "truncated")));
	assert_int_equal(json_array_size(json_object_get(o, "args")), 3);
	json_decref(o);
	free(s.text);
	folder_remove(&d);
	free((char *)file.p);
}

static void keys_of_long_commands_are_found(void **state)
{
	static const char *const expected[] = {"a\nb\n", "dest\n", "x\n", ""};
	static const char *const heads[] = {
		"*5\r\n$4\r\nMSET\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$9437184\r\n",
		"*5\r\n$11\r\nZUNIONSTORE\r\n$4\r\ndest\r\n$1\r\n2\r\n$1\r\na\r\n$9437184\r\n",
		"*3\r\n$8\r\nX.INVENT\r\n$1\r\nx\r\n$9437184\r\n",
		"*2\r\n$4\r\nPING\r\n$9437184\r\n"};
	for (size_t i = 0; i < 4; i++) {
		struct span file = long_file(heads[i], "\r\n");
		shows(file, "keys", expected[i]);
		free((char *)file.p);
	}
}

// ---- Filters

static void filter_shows(const struct decode_filter *filter, const char *format,
			 const char *expected)
{
	static const char file[] =
		SET_K_V "*3\r\n$6\r\nRENAME\r\n$1\r\nk\r\n$2\r\nk2\r\n"
			"*2\r\n$8\r\nX.INVENT\r\n$2\r\nk3\r\n" SELECT_3 MULTI INCR_N EXEC
			"*1\r\n$8\r\nFLUSHALL\r\n";
	struct span base = preamble(NULL);
	struct shown s = decode(with_commands(base, file), format, filter);
	if (s.rc)
		fail_msg("%s", s.f.sentence);
	assert_string_equal(s.text, expected);
	free(s.text);
}

static void filters_choose_commands(void **state)
{
	filter_shows(&(struct decode_filter){0}, "keys", "first\nk\nk\nk2\nk3\nn\n");
	filter_shows(&(struct decode_filter){.match = "k?"}, "keys", "k\nk2\nk3\n");
	filter_shows(&(struct decode_filter){.match = "f*"}, "keys", "first\n");
	filter_shows(&(struct decode_filter){.type = "string"}, "keys", "first\n");
	filter_shows(&(struct decode_filter){.type = "command"}, "keys", "k\nk\nk2\nk3\nn\n");
	filter_shows(&(struct decode_filter){.limit = 2}, "keys", "first\nk\n");
	filter_shows(&(struct decode_filter){.one_db = true, .db = 3}, "resp",
		     SELECT_3 MULTI INCR_N EXEC "*1\r\n$8\r\nFLUSHALL\r\n");
}

// ---- Report

static char *report_of(const char *path, struct report *r, bool html)
{
	struct failure f = {0};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	assert_int_equal(report_init(r, 1700000000000), 0);
	struct decode d = {.path = path, .report = r};
	if (decode_run(&d, &f))
		fail_msg("%s", f.sentence);
	const struct report_file file = {
		.path = path, .magic = d.magic, .version = d.version, .bytes = d.n_bytes};
	if (html)
		report_html(r, &file, out);
	else
		report_text(r, &file, out);
	fclose(out);
	return text;
}

static void report_counts_commands_keys_and_time(void **state)
{
	struct folder d = folder_make();
	struct report r;
	FILE *out = fopen(folder_file(&d, "x.aof"), "w");
	fputs("#TS:1700000000\r\n", out);
	for (int i = 1000; i < 4000; i++)
		fprintf(out, "*3\r\n$3\r\nset\r\n$4\r\n%d\r\n$1\r\nv\r\n" INCR_N, i);
	fputs("#TS:1700000060\r\n" SELECT_3 INCR_N, out);
	for (int i = 10; i < 40; i++)
		fprintf(out, "*2\r\n$9\r\nX.INVEN%d\r\n$1\r\nk\r\n", i);
	fclose(out);
	char *text = report_of(folder_file(&d, "x.aof"), &r, false);
	assert_int_equal(r.commands.n, 6032);
	assert_int_equal(r.commands.n_keys, 6031);
	assert_in_range(report_keys_different(&r), 2850, 3150); // 3003
	assert_int_equal(r.commands.unknown[REPORT_UNKNOWN].n, 30 - REPORT_UNKNOWN);
	says(text, ": AOF, ");
	says(text, "6,032 commands, 6,031 keys named, about ");
	says(text, "from 2023-11-14T22:13:20Z to 2023-11-14T22:14:20Z");
	says(text, "  INCR                                  3,001  49.8%");
	says(text, "  SET                                   3,000  49.7%");
	says(text, "  (others)                                 14   0.2%");
	says(text, "  SELECT                                    1   0.0%       23 B   0.0%");
	free(text);
	report_fini(&r);
	text = report_of(folder_file(&d, "x.aof"), &r, true);
	says(text, "<h2>Commands</h2>");
	says(text, "<td>INCR</td><td>3,001</td>");
	says(text, "last time<b>2023-11-14T22:14:20Z</b>");
	free(text);
	report_fini(&r);
	folder_remove(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_show_in_every_format),
		cmocka_unit_test(preamble_is_shown_before_the_commands),
		cmocka_unit_test(parts_of_a_folder_follow_each_other),
		cmocka_unit_test(file_that_ends_early_is_shown_as_far_as_it_is_good),
		cmocka_unit_test(pipe_is_shown_as_it_comes),
		cmocka_unit_test(long_commands_pass_in_pieces),
		cmocka_unit_test(long_command_that_is_cut_is_never_half_written),
		cmocka_unit_test(keys_of_long_commands_are_found),
		cmocka_unit_test(filters_choose_commands),
		cmocka_unit_test(report_counts_commands_keys_and_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
