// SPDX-License-Identifier: BSD-3-Clause
// What a probe reads and how it judges: cases, streams, lists of commands. Replies and streams are
// made up here; the probe_replay test has those of real servers.
#include "tests/unit/test.h"

#include <errno.h>
#include <jansson.h>

#include "ctrl/doctor/probe_commands.h"
#include "ctrl/doctor/probe_match.h"
#include "ctrl/doctor/probe_report.h"
#include "ctrl/doctor/probe_since.h"
#include "parsers/commands.h"
#include "parsers/server_version.h"

#define LEN_OF(a) (sizeof(a) / sizeof((a)[0]))

static struct probe_names names_make(void)
{
	struct probe_names names;
	probe_names_init(&names, 7);
	names.other_db = 3;
	names.dump_len = 4;
	memcpy(names.dump, "\0 \n%", 4);
	return names;
}

// ---- Words ------------------------------------------------------------------------------------

static void signs_of_a_case_are_filled_in(void **state)
{
	struct probe_names names = names_make();
	struct probe_list l;
	char text[200], want[200];
	assert_int_equal(strlen(names.token), PROBE_TOKEN_LEN);
	assert_int_equal(
		probe_list_read(&l, SPAN_LIT("SET @cup 'a b' ;  MOVE @cup & ; X % a@b '' <dump>"),
				&names),
		0);
	assert_int_equal(l.n, 3);
	snprintf(want, sizeof(want), "__flyover:probe:{%s}:cup", names.token);
	assert_true(span_eq(l.list[0].argv[1], span_of(want)));
	assert_true(span_eq(l.list[0].argv[2], SPAN_LIT("a b")));
	assert_true(span_eq(l.list[1].argv[2], SPAN_LIT("3")));
	assert_true(span_eq(l.list[2].argv[1], span_of(names.token)));
	assert_true(span_eq(l.list[2].argv[2], SPAN_LIT("a@b")));
	assert_int_equal(l.list[2].argv[3].len, 0);
	assert_true(span_eq(l.list[2].argv[4], (struct span){"\0 \n%", 4}));
	assert_true(probe_is_ours(&names, l.list[0].argc, l.list[0].argv));
	assert_false(probe_is_ours(&names, 1, l.list[2].argv));
	snprintf(want, sizeof(want), "SET @cup a b ; MOVE @cup 3 ; X %s a@b '' . .%%", names.token);
	assert_string_equal(probe_list_text(&l, &names, text, sizeof(text)), want);
	assert_string_equal(probe_list_text(&l, &names, text, 9), "SET @cup");
}

static void what_is_too_much_is_cut_and_said(void **state)
{
	struct probe_names names = names_make();
	struct probe_list l = {0};
	struct span word = SPAN_LIT("x"), words[PROBE_ARGS_MAX + 1];
	static char big[PROBE_BYTES_MAX + 1];
	struct span huge = {big, sizeof(big)};
	char text[300] = "";
	for (unsigned i = 0; i < PROBE_COMMANDS_MAX; i++)
		probe_list_add(&l, 1, &word);
	assert_false(l.cut);
	probe_list_add(&l, 1, &word);
	assert_true(l.cut);
	assert_false(probe_match("?", &names, &l)); // nobody knows what else there was
	assert_non_null(strstr(probe_list_text(&l, &names, text, sizeof(text)), " ..."));
	memset(&l, 0, sizeof(l));
	probe_list_add(&l, 1, &huge);
	assert_true(l.cut);
	for (unsigned i = 0; i <= PROBE_ARGS_MAX; i++)
		words[i] = word;
	memset(&l, 0, sizeof(l));
	probe_list_add(&l, PROBE_ARGS_MAX, words);
	assert_false(l.cut);
	probe_list_add(&l, PROBE_ARGS_MAX + 1, words);
	assert_true(l.cut);
	for (unsigned i = 0; i < 13; i++)
		strcat(text, i ? " ; a" : "a");
	assert_int_equal(probe_list_read(&l, span_of("a;b 'open"), &names), 0);
	assert_int_equal(
		probe_list_read(&l, span_of("a ; a ; a ; a ; a ; a ; a ; a ; a ; a ; a ; a ; a"),
				&names),
		-E2BIG);
}

// ---- Matching ---------------------------------------------------------------------------------

static void streams_fit_their_patterns(void **state)
{
	static const struct {
		const char *expected, *came;
		bool fits;
	} rows[] = {
		{"SET @a b", "set @a b", true},
		{"SET @a b", "SET @a c", false},
		{"SET @a b", "SET @a B", false},
		{"SET @a b", "SET @a b KEEPTTL", false},
		{"SET @a b KEEPTTL | SET @a b", "SET @a b", true},
		{"SET @a b XX", "SET @a b xx", true},
		{"-", "", true},
		{"-", "DEL @a", false},
		{"- | DEL @a", "DEL @a", true},
		{"DEL @a | -", "", true},
		{"DEL @a", "", false},
		{"?", "ANY thing", true},
		{"?", "", true},
		{"PEXPIREAT @a <ms>", "PEXPIREAT @a 1795293705535", true},
		{"PEXPIREAT @a <ms>", "PEXPIREAT @a 100000", false},
		{"PEXPIREAT @a <ms>", "PEXPIREAT @a 179529370553x", false},
		{"XADD @a <id> f v", "XADD @a 5-0 f v", true},
		{"XADD @a <id> f v", "XADD @a 5- f v", false},
		{"XADD @a <id> f v", "XADD @a * f v", false},
		{"SREM @a <any>", "SREM @a b", true},
		{"SREM @a <any>", "SREM @a", false},
		{"MULTI ; DEL @a ; EXEC", "MULTI ; DEL @a ; EXEC", true},
		{"MULTI ; DEL @a ; EXEC", "MULTI ; DEL @a", false},
		{"DEL @a ; DEL @b", "DEL @b ; DEL @a", false},
	};
	struct probe_names names = names_make();
	for (unsigned i = 0; i < LEN_OF(rows); i++) {
		struct probe_list came;
		assert_int_equal(probe_list_read(&came, span_of(rows[i].came), &names), 0);
		if (probe_match(rows[i].expected, &names, &came) != rows[i].fits)
			fail_msg("`%s` and `%s`", rows[i].expected, rows[i].came);
	}
}

// ---- Cases ------------------------------------------------------------------------------------

// Verbs of the table that no case runs.
static const char *const left_out[] = {
	// They would touch what is not the probe's.
	"FLUSHALL", "FLUSHDB", "SWAPDB", "SFLUSH", "FUNCTION FLUSH", "FUNCTION RESTORE",
	"SCRIPT FLUSH",
	// What they need, or their arguments, are not known beforehand.
	"EVALSHA", "HIMPORT", "LMOVEM", "BLMOVEM", "RESTORE-ASKING", "MIGRATE", "PFDEBUG",
};

static bool is_left_out(const struct command *c)
{
	const unsigned not = COMMAND_NEVER | COMMAND_FRAME | COMMAND_CONTAINER | COMMAND_CONTROL;
	for (unsigned i = 0; i < LEN_OF(left_out); i++)
		if (!strcmp(c->name, left_out[i]))
			return true;
	return (c->flags & not) || strchr(c->name, '.'); // modules have a few
}

static const struct command *row_of(const struct probe_command *c)
{
	struct span sub = c->argc > 1 ? c->argv[1] : (struct span){"", 0};
	return command_find(c->argv[0], sub);
}

static void every_verb_of_the_table_has_a_case(void **state)
{
	struct probe_names names = names_make();
	bool *run = calloc(command_row_count, sizeof(*run));
	unsigned n;
	const struct probe_case *rows = probe_cases(&n);
	assert_non_null(run);
	for (unsigned i = 0; i < n; i++) {
		struct probe_list l;
		assert_int_equal(probe_list_read(&l, span_of(rows[i].command), &names), 0);
		for (unsigned k = 0; k < l.n; k++) {
			const struct command *c = row_of(&l.list[k]);
			if (!c)
				fail_msg("%s has no row", rows[i].command);
			run[c - command_rows] = true;
		}
	}
	for (size_t i = 0; i < command_row_count; i++)
		if (!run[i] && !is_left_out(&command_rows[i]))
			fail_msg("%s has no case", command_rows[i].name);
	free(run);
}

static void expectation_check(const struct probe_case *row, const struct probe_names *names)
{
	char *text = strdup(row->expected), *at = text;
	while (at) {
		struct probe_list l;
		char *bar = strstr(at, " | ");
		if (bar)
			*bar = 0;
		assert_int_equal(probe_list_read(&l, span_of(at), names), 0);
		assert_true(l.n > 0);
		for (unsigned k = 0; strcmp(at, "-") && strcmp(at, "?") && k < l.n; k++)
			if (!row_of(&l.list[k]))
				fail_msg("%s: a link does not know `%s`", row->command, at);
		at = bar ? bar + 3 : NULL;
	}
	free(text);
}

static void cases_are_well_formed_and_told_apart(void **state)
{
	struct probe_names names = names_make();
	unsigned n;
	const struct probe_case *rows = probe_cases(&n);
	assert_in_range(n, 200, PROBE_FOUND_MAX);
	for (unsigned i = 0; i < n; i++) {
		struct probe_list l;
		assert_int_equal(probe_list_read(&l, span_of(rows[i].setup), &names), 0);
		expectation_check(&rows[i], &names);
		for (unsigned k = 0; k < i; k++)
			if (!strcmp(rows[i].setup, rows[k].setup) &&
			    !strcmp(rows[i].command, rows[k].command))
				fail_msg("%s stands twice", rows[i].command);
	}
}

static bool has(const char *setup, const char *command, const char *since, bool valkey,
		unsigned version)
{
	struct probe_names names = names_make();
	const struct probe_case row = {setup, command, "-", since};
	return probe_case_since(&row, &names, valkey, version);
}

static void releases_come_from_the_table_and_the_case(void **state)
{
	assert_true(has("", "GETDEL @a", NULL, false, SERVER_VERSION(6, 2)));
	assert_false(has("", "GETDEL @a", NULL, false, SERVER_VERSION(6, 0)));
	assert_false(has("VADD @v", "DEL @v", NULL, true, SERVER_VERSION(9, 0)));
	assert_true(has("", "SET @a b IFEQ c", "8.4 8.1", true, SERVER_VERSION(8, 1)));
	assert_false(has("", "SET @a b IFEQ c", "8.4 8.1", true, SERVER_VERSION(8, 0)));
	assert_false(has("", "SET @a b IFEQ c", "8.4 8.1", false, SERVER_VERSION(8, 2)));
	assert_false(has("", "SET @a b IFNE c", "8.4 -", true, SERVER_VERSION(9, 1)));
	assert_true(has("", "LPOP @a 2", "6.2", true, SERVER_VERSION(7, 2)));
	assert_true(has("", "DELIFEQ @a b", "8.4 -", false, 0));
}

// ---- COMMAND ----------------------------------------------------------------------------------

#define ENTRY(name, flags, first, last, step)                                                      \
	"*6\r\n$" name "\r\n:-2\r\n" flags ":" first "\r\n:" last "\r\n:" step "\r\n"

static void commands_judge(const char *reply, unsigned version, struct findings *f)
{
	struct resp_replies *r = resp_replies_new();
	const struct resp_value *v;
	unsigned n;
	memset(f, 0, sizeof(*f));
	assert_int_equal(resp_replies_feed(r, reply, strlen(reply)), 0);
	assert_int_equal(resp_replies_next(r, &v, &n), RESP_OK);
	probe_commands_judge(v, n, version, f);
	resp_replies_free(r);
}

static void commands_that_nobody_knows_are_named(void **state)
{
	struct findings *f = malloc(sizeof(*f));
	commands_judge("*4\r\n" ENTRY("3\r\nget", "*1\r\n+readonly\r\n", "1", "1", "1")
			       ENTRY("3\r\nset", "*1\r\n+write\r\n", "1", "1", "1")
				       ENTRY("6\r\nts.add", "*2\r\n+write\r\n+module\r\n", "1", "1",
					     "1") ENTRY("5\r\nfancy", "*1\r\n+readonly\r\n", "0",
							"0", "0"),
		       SERVER_VERSION(8, 0), f);
	assert_int_equal(f->n, 1);
	assert_int_equal(f->list[0].severity, SEVERITY_WARNING);
	assert_string_equal(f->list[0].check, "probe-commands");
	assert_non_null(strstr(f->list[0].sentence, "TS.ADD (write module; keys 1..1/1)"));
	free(f);
}

static void other_places_of_keys_are_found(void **state)
{
	struct findings *f = malloc(sizeof(*f));
	commands_judge("*3\r\n" ENTRY("6\r\nrename", "*1\r\n+write\r\n", "1", "3", "1")
			       ENTRY("3\r\nget", "*1\r\n+readonly\r\n", "2", "2", "1")
				       ENTRY("7\r\nmigrate", "*1\r\n+write\r\n", "1", "1", "1"),
		       SERVER_VERSION(8, 0), f);
	assert_int_equal(f->n, 1);
	assert_string_equal(f->list[0].check, "probe-keys");
	assert_non_null(strstr(f->list[0].sentence, "RENAME has keys 1..3/1"));
	assert_non_null(strstr(f->list[0].sentence, "1..2/1"));
	free(f);
}

static void a_read_that_writes_by_now_is_found(void **state)
{
	struct findings *f = malloc(sizeof(*f));
	commands_judge("*2\r\n" ENTRY("3\r\nget", "*1\r\n+write\r\n", "1", "1", "1")
			       ENTRY("7\r\npfcount", "*1\r\n+write\r\n", "1", "-1", "1"),
		       SERVER_VERSION(9, 0), f);
	assert_int_equal(f->n, 1); // PFCOUNT is forwarded in any case
	assert_int_equal(f->list[0].severity, SEVERITY_ERROR);
	assert_non_null(strstr(f->list[0].sentence, "writes by GET"));
	free(f);
}

// Before 7.0, what a walk over the arguments finds is told as no keys at all.
static void movable_keys_of_old_servers_are_no_difference(void **state)
{
	static const char sort[] =
		"*1\r\n" ENTRY("4\r\nsort", "*2\r\n+write\r\n+movablekeys\r\n", "0", "0", "0");
	struct findings *f = malloc(sizeof(*f));
	commands_judge(sort, SERVER_VERSION(6, 2), f);
	assert_int_equal(f->n, 0);
	commands_judge(sort, SERVER_VERSION(7, 0), f);
	assert_int_equal(f->n, 1);
	free(f);
}

static void subcommands_are_looked_at(void **state)
{
	struct findings *f = malloc(sizeof(*f));
	commands_judge("*1\r\n*10\r\n$6\r\nxgroup\r\n:-2\r\n*0\r\n:0\r\n:0\r\n:0\r\n"
		       "*0\r\n*0\r\n*0\r\n*2\r\n"
		       "*10\r\n$13\r\nxgroup|create\r\n:-5\r\n*1\r\n+write\r\n:2\r\n:2\r\n:1\r\n"
		       "*0\r\n*0\r\n*0\r\n*0\r\n"
		       "*10\r\n$12\r\nxgroup|merge\r\n:-5\r\n*1\r\n+write\r\n:2\r\n:3\r\n:1\r\n"
		       "*0\r\n*0\r\n*0\r\n*0\r\n",
		       SERVER_VERSION(9, 0), f);
	assert_int_equal(f->n, 1);
	assert_non_null(strstr(f->list[0].sentence, "XGROUP MERGE (write; keys 2..3/1)"));
	free(f);
}

static void garbled_lists_are_no_trouble(void **state)
{
	static const char *const replies[] = {
		"*1\r\n*0\r\n",
		"*2\r\n:1\r\n$-1\r\n",
		"*1\r\n*6\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n",
		"*1\r\n*6\r\n$0\r\n\r\n:1\r\n*1\r\n*1\r\n:1\r\n:1\r\n:1\r\n:1\r\n",
		"*1\r\n*10\r\n$1\r\n|\r\n:1\r\n*0\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n*1\r\n:"
		"1\r\n",
		"*0\r\n",
	};
	struct findings *f = malloc(sizeof(*f));
	for (unsigned i = 0; i < LEN_OF(replies); i++) {
		commands_judge(replies[i], SERVER_VERSION(9, 0), f);
		assert_int_equal(f->n, 0);
	}
	commands_judge("-NOPERM no\r\n", SERVER_VERSION(9, 0), f);
	assert_int_equal(f->n, 1);
	assert_int_equal(f->list[0].severity, SEVERITY_INFO);
	free(f);
}

static void many_unknown_ones_are_counted(void **state)
{
	struct findings *f = malloc(sizeof(*f));
	char reply[4000] = "*20\r\n";
	for (unsigned i = 0; i < 20; i++)
		snprintf(reply + strlen(reply), sizeof(reply) - strlen(reply),
			 ENTRY("4\r\nnew%c", "*1\r\n+write\r\n", "1", "1", "1"), 'a' + (int)i);
	commands_judge(reply, SERVER_VERSION(9, 0), f);
	assert_non_null(strstr(f->list[f->n - 1].sentence, "12 more commands"));
	free(f);
}

// ---- Report -----------------------------------------------------------------------------------

static void put(struct probe_report *r, unsigned row, enum probe_verdict v, const char *came)
{
	unsigned n;
	struct probe_found *one = &r->found[r->n++];
	one->row = &probe_cases(&n)[row];
	one->verdict = v;
	snprintf(one->came, sizeof(one->came), "%s", came);
	snprintf(one->why, sizeof(one->why), "ERR why");
}

static struct probe_report *report_make(void)
{
	struct probe_report *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	r->names = names_make();
	put(r, 0, PROBE_OK, "SET @cup tea");
	put(r, 1, PROBE_DIFFERS, "SET @cup milk");
	put(r, 2, PROBE_SKIPPED, "");
	put(r, 3, PROBE_UNKNOWN, "SETTTL @cup tea");
	put(r, 4, PROBE_TARGET_REFUSES, "SETTTL @cup tea");
	put(r, 5, PROBE_VALUE_DIFFERS, "SET @cup rum");
	put(r, 6, PROBE_REFUSED, "");
	return r;
}

static const struct finding *find(const struct findings *f, const char *check)
{
	for (unsigned i = 0; i < f->n; i++)
		if (!strcmp(f->list[i].check, check))
			return &f->list[i];
	fail_msg("no finding of %s", check);
	return NULL;
}

static void verdicts_become_findings(void **state)
{
	struct findings *f = calloc(1, sizeof(*f));
	struct probe_report *r = report_make();
	probe_report_tell(r, "redis 9.9.9", "valkey 9.9.9", f);
	assert_int_equal(findings_count(f, SEVERITY_ERROR), 2);
	assert_int_equal(findings_count(f, SEVERITY_WARNING), 3);
	assert_int_equal(find(f, "probe-value")->severity, SEVERITY_ERROR);
	assert_int_equal(find(f, "probe-target")->severity, SEVERITY_ERROR);
	assert_non_null(strstr(find(f, "probe-stream")->sentence,
			       "`SET @cup milk` where `SET @cup milk XX` was expected"));
	assert_non_null(strstr(find(f, "probe-unknown")->sentence, "barrier"));
	assert_non_null(strstr(find(f, "probe-refused")->sentence, "ERR why"));
	assert_non_null(strstr(find(f, "probe")->sentence,
			       "7 commands were tried on scratch keys (__flyover:probe:{"));
	assert_non_null(strstr(find(f, "probe")->sentence,
			       "1 as expected, 1 skipped for want of them, 5 not as expected"));
	json_t *o = probe_report_json(r), *list = json_object_get(o, "list");
	assert_int_equal(json_array_size(list), 6);
	assert_int_equal(json_integer_value(json_object_get(o, "differs")), 1);
	json_decref(o);
	free(r);
	free(f);
}

// Where no server was seen, nothing is promised: a difference only warns. And many are counted.
static void open_cases_warn_and_many_are_counted(void **state)
{
	struct findings *f = calloc(1, sizeof(*f));
	struct probe_report *r = calloc(1, sizeof(*r));
	unsigned n, open = 0;
	const struct probe_case *rows = probe_cases(&n);
	while (open < n && !probe_is_open(rows[open].expected))
		open++;
	assert_true(open < n);
	put(r, open, PROBE_VALUE_DIFFERS, "INCREX @sum");
	r->leftovers = true;
	probe_report_tell(r, "a", "b", f);
	assert_int_equal(findings_count(f, SEVERITY_ERROR), 0);
	assert_int_equal(findings_count(f, SEVERITY_WARNING), 2);
	assert_null(strstr(find(f, "probe")->sentence, "deleted again"));
	memset(f, 0, sizeof(*f));
	while (r->n < 50)
		put(r, 0, PROBE_VALUE_DIFFERS, "-");
	probe_report_tell(r, "a", "b", f);
	assert_non_null(strstr(f->list[8].sentence, "42 more commands leave another value"));
	free(r);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signs_of_a_case_are_filled_in),
		cmocka_unit_test(what_is_too_much_is_cut_and_said),
		cmocka_unit_test(streams_fit_their_patterns),
		cmocka_unit_test(every_verb_of_the_table_has_a_case),
		cmocka_unit_test(cases_are_well_formed_and_told_apart),
		cmocka_unit_test(releases_come_from_the_table_and_the_case),
		cmocka_unit_test(commands_that_nobody_knows_are_named),
		cmocka_unit_test(other_places_of_keys_are_found),
		cmocka_unit_test(a_read_that_writes_by_now_is_found),
		cmocka_unit_test(movable_keys_of_old_servers_are_no_difference),
		cmocka_unit_test(subcommands_are_looked_at),
		cmocka_unit_test(garbled_lists_are_no_trouble),
		cmocka_unit_test(many_unknown_ones_are_counted),
		cmocka_unit_test(verdicts_become_findings),
		cmocka_unit_test(open_cases_warn_and_many_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
