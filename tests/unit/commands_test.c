// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "tests/unit/test.h"
#include "tests/unit/words.h"
#include "parsers/commands.h"
#include "parsers/rewrite.h"

static const struct command *find_line(const char *line, struct words *w)
{
	words_split(line, w);
	const struct command *c =
		command_find(w->argv[0], w->argc > 1 ? w->argv[1] : (struct span){"", 0});
	if (!c)
		fail_msg("no row for: %s", line);
	return c;
}

// The keys of a command line, with blanks between, or the negative errno as text.
static void keys_of(const char *line, char *out, size_t room)
{
	struct words w;
	const struct command *c = find_line(line, &w);
	int at[16];
	int n = command_keys(c, w.argv, w.argc, at, 16);
	out[0] = '\0';
	if (n < 0)
		snprintf(out, room, "%s", n == -EINVAL ? "EINVAL" : n == -E2BIG ? "E2BIG" : "?");
	for (int i = 0; i < n; i++)
		snprintf(out + strlen(out), room - strlen(out), "%s%.*s", i ? " " : "",
			 (int)w.argv[at[i]].len, w.argv[at[i]].p);
}

// A row's name in alternating case, split in command and subcommand.
static void name_of(const struct command *c, char *out, struct span *name, struct span *sub)
{
	for (size_t i = 0; i <= strlen(c->name); i++)
		out[i] = (char)(i % 2 ? tolower((uint8_t)c->name[i]) : c->name[i]);
	char *blank = strchr(out, ' ');
	*name = (struct span){out, blank ? (size_t)(blank - out) : strlen(out)};
	*sub = blank ? span_of(blank + 1) : (struct span){"", 0};
}

static void every_row_is_found_in_any_case(void **state)
{
	for (size_t i = 0; i < command_row_count; i++) {
		const struct command *c = &command_rows[i];
		char text[64];
		struct span name, sub;
		name_of(c, text, &name, &sub);
		if (command_find(name, sub) != c)
			fail_msg("%s is not found as %s", c->name, text);
	}
}

static void every_row_makes_sense(void **state)
{
	for (size_t i = 0; i < command_row_count; i++) {
		const struct command *c = &command_rows[i];
		bool ok = c->class < CLASS_COUNT && c->scope < SCOPE_COUNT && c->arity != 0 &&
			  c->rewrite < REWRITE_KIND_COUNT && (c->since_redis || c->since_valkey);
		ok &= !(c->flags & COMMAND_REWRITE) == (c->rewrite == REWRITE_NONE);
		// PFCOUNT refreshes the cached count inside the value, so it is forwarded.
		if (c->class == CLASS_READ && strcmp(c->name, "PFCOUNT"))
			ok &= c->flags & COMMAND_NEVER && c->written == WRITTEN_NONE;
		ok &= c->scope != SCOPE_KEY || c->keyspec != KEYS_NONE;
		ok &= !(c->flags & COMMAND_NEVER) || !(c->flags & COMMAND_FRAME);
		// An effect that depends on a value or a position is never safe to repeat.
		if (c->class == CLASS_DELTA || c->class == CLASS_POS || c->class == CLASS_DERIVED)
			ok &= !(c->flags & COMMAND_IDEMPOTENT) || c->flags & COMMAND_BY_ARGS;
		if (!ok)
			fail_msg("%s", c->name);
	}
}

static void near_names_are_not_found(void **state)
{
	static const char *const names[] = {
		"", "S", "SE", "SETT", "ETS", "RESTORE\rASKING", "GEORADIUSBYMEMBEX",
		"GEORADIUSXYMEMBER", "ZREMRANGEBYSCOR", "ZREMRANGEBYSCOREE", "CREATE",
		"XGROUP CREATE", "NOSUCHCOMMANDATALL", "\x13\x05\x14", "@SET", "S\xC5T",
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (command_find(span_of(names[i]), SPAN_LIT("x")))
			fail_msg("%s", names[i]);
}

static void subcommands_have_rows_and_containers_stand_for_the_rest(void **state)
{
	struct words w;
	assert_string_equal(find_line("xgroup createconsumer x g c", &w)->name,
			    "XGROUP CREATECONSUMER");
	assert_string_equal(find_line("XGROUP newthing x g", &w)->name, "XGROUP");
	assert_string_equal(find_line("replconf getack *", &w)->name, "REPLCONF GETACK");
	assert_string_equal(find_line("REPLCONF vendor-kind 1", &w)->name, "REPLCONF");
	assert_true(find_line("REPLCONF vendor-kind 1", &w)->flags & COMMAND_NEVER);
	assert_true(find_line("CLUSTER SYNCSLOTS FINISH", &w)->flags & COMMAND_NEVER);
	assert_true(find_line("CLUSTER whatever", &w)->flags & COMMAND_NEVER);
	assert_true(find_line("TRIMSLOTS RANGES 1 0 5", &w)->flags & COMMAND_NEVER);
	assert_true(find_line("ping", &w)->flags & COMMAND_NEVER);
	assert_true(find_line("select 1", &w)->flags & COMMAND_FRAME);
	// An argument that happens to be a subcommand's name means nothing to other commands.
	assert_string_equal(find_line("SET LOAD 1", &w)->name, "SET");
}

static void keys_are_found(void **state)
{
	static const char *const cases[][2] = {
		{"SET k v EX 5", "k"},
		{"PING", ""},
		{"DEL a b c", "a b c"},
		{"MSET a 1 b 2", "a b"},
		{"MSET a 1 b", "EINVAL"},
		{"MSETEX 2 a 1 b 2 XX KEEPTTL", "a b"},
		{"MSETEX 3 a 1 b 2", "EINVAL"},
		{"JSON.MSET a $ 1 b $ 2", "a b"},
		{"EVAL script 2 a b arg", "a b"},
		{"EVAL script 0", ""},
		{"EVAL script 3 a b", "EINVAL"},
		{"EVAL script -1 a", "EINVAL"},
		{"EVAL script 01 a", "EINVAL"},
		{"EVAL script x a", "EINVAL"},
		{"EVAL script 99999999999999999999 a", "EINVAL"},
		{"EVAL script 2147483648 a", "EINVAL"},
		{"EVALSHA sha 1 a b", "a"},
		{"FCALL f 1 a b", "a"},
		{"ZUNIONSTORE d 2 a b WEIGHTS 1 2", "d a b"},
		{"ZUNIONSTORE d 3 a b", "EINVAL"},
		{"ZDIFFSTORE d 1 a", "d a"},
		{"LMPOP 2 a b LEFT", "a b"},
		{"BLMPOP 0 2 a b LEFT", "a b"},
		{"BLPOP a b 0", "a b"},
		{"SORT l", "l"},
		{"SORT l BY w_* LIMIT 0 5 GET # STORE d", "l d"},
		{"SORT l BY STORE STORE d ASC", "l d"},
		{"SORT l STORE d STORE e", "l e"},
		{"SORT l STORE", "EINVAL"},
		{"MIGRATE h 6379 k 0 1000", "k"},
		{"GEORADIUS g 1 2 3", "EINVAL"},
		{"GEORADIUS g 1 2 3 km COUNT 5", "g"},
		{"GEORADIUS g 1 2 3 km COUNT 5 STORE d", "g d"},
		{"GEORADIUS g 1 2 3 km STOREDIST d ASC", "g d"},
		{"GEORADIUSBYMEMBER g STORE 3 km STORE d", "g d"},
		{"GEOSEARCHSTORE d g FROMMEMBER m BYRADIUS 1 km", "d g"},
		{"XREADGROUP GROUP g c COUNT 5 NOACK STREAMS a b > >", "a b"},
		{"XREADGROUP GROUP STREAMS c STREAMS a >", "a"},
		{"XREADGROUP GROUP g c STREAMS a b >", "EINVAL"},
		{"XREADGROUP GROUP g c COUNT 5 a b", "EINVAL"},
		{"XREADGROUP GROUP g c CLAIM 5 STREAMS a >", "a"},
		{"XREAD BLOCK 5 STREAMS a 0", "a"},
		{"BITOP AND d a b", "d a b"},
		{"XGROUP CREATE x g $ MKSTREAM", "x"},
		{"XGROUP newthing", "EINVAL"},
		{"OBJECT ENCODING k", "k"},
		{"RENAME a b", "a b"},
		{"RENAME a", "EINVAL"},
		{"RENAME a b c", "EINVAL"},
		{"COPY a b DB 1", "a b"},
		{"MOVE a 1", "a"},
		{"SPUBLISH ch m", "ch"},
		{"PUBLISH ch m", ""},
		{"SUNSUBSCRIBE", ""},
		{"LMOVEM a", "EINVAL"},
		{"HIMPORT", "EINVAL"},
		{"DEL 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "E2BIG"},
		{"FUNCTION LOAD code", ""},
		{"FLUSHALL ASYNC", ""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char keys[256];
		keys_of(cases[i][0], keys, sizeof(keys));
		if (strcmp(keys, cases[i][1]))
			fail_msg("%s: found \"%s\", not \"%s\"", cases[i][0], keys, cases[i][1]);
	}
}

// The words that words_split() cannot make: an empty key sends MIGRATE to its KEYS.
static void migrate_takes_keys_after_an_empty_key(void **state)
{
	struct words w;
	const struct command *c = find_line("MIGRATE h 1 E 0 9 AUTH2 KEYS p KEYS a b", &w);
	w.argv[3].len = 0;
	int at[4];
	assert_int_equal(command_keys(c, w.argv, w.argc, at, 4), 2);
	assert_int_equal(at[0], 10);
	assert_int_equal(at[1], 11);
	assert_int_equal(command_keys(c, w.argv, 10, at, 4), -EINVAL);
}

// Cut short at any length, every row either has its keys inside or says EINVAL.
static void no_key_lies_outside_the_arguments(void **state)
{
	static const char *const fillers[] = {"1", "3", "STREAMS", "STORE", "KEYS", "GROUP", "-2"};
	for (size_t i = 0; i < command_row_count; i++) {
		for (size_t f = 0; f < sizeof(fillers) / sizeof(fillers[0]); f++) {
			struct span argv[8];
			for (int k = 0; k < 8; k++)
				argv[k] = span_of(k % 2 ? "2" : fillers[f]);
			for (int argc = 1; argc <= 8; argc++) {
				struct key_run run;
				int rc = command_key_run(&command_rows[i], argv, argc, &run);
				assert_true(rc == 0 || rc == -EINVAL);
				for (int k = 0; rc == 0 && k < run.n; k++)
					assert_in_range(key_run_at(&run, k), 1, argc - 1);
			}
		}
	}
}

static void reach_depends_on_the_arguments(void **state)
{
	static const struct {
		const char *line;
		enum command_scope scope;
	} cases[] = {
		{"DEL a", SCOPE_KEY},
		{"DEL a b", SCOPE_MULTI},
		{"COPY a b", SCOPE_MULTI},
		{"COPY a b DB 1", SCOPE_CROSS_DB},
		{"MOVE a 1", SCOPE_CROSS_DB},
		{"SORT l STORE d", SCOPE_MULTI},
		{"SORT l BY nosort GET # STORE d", SCOPE_MULTI},
		{"SORT l BY w_* STORE d", SCOPE_DB},
		{"SORT l GET w_* STORE d", SCOPE_DB},
		{"SORT l", SCOPE_KEY},
		{"EVAL s 1 a", SCOPE_DB},
		{"FLUSHDB", SCOPE_DB},
		{"FLUSHALL", SCOPE_GLOBAL},
		{"SWAPDB 0 1", SCOPE_GLOBAL},
		{"PUBLISH c m", SCOPE_NONE},
		{"SET k v", SCOPE_KEY},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct words w;
		struct key_run run;
		const struct command *c = find_line(cases[i].line, &w);
		assert_int_equal(command_key_run(c, w.argv, w.argc, &run), 0);
		if (command_reach(c, w.argv, w.argc, &run) != cases[i].scope)
			fail_msg("%s: %s", cases[i].line,
				 command_scope_name(command_reach(c, w.argv, w.argc, &run)));
	}
}

static void other_database_is_read(void **state)
{
	static const struct {
		const char *line;
		int db;
	} cases[] = {
		{"MOVE a 7", 7},
		{"MOVE a x", -EINVAL},
		{"COPY a b", -ENOENT},
		{"COPY a b REPLACE", -ENOENT},
		{"COPY DB DB REPLACE DB 3", 3},
		{"COPY a b DB", -EINVAL},
		{"COPY a b DB -1", -EINVAL},
		{"SET DB 1", -ENOENT},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct words w;
		const struct command *c = find_line(cases[i].line, &w);
		if (command_other_db(c, w.argv, w.argc) != cases[i].db)
			fail_msg("%s", cases[i].line);
	}
}

static void idempotence_depends_on_the_arguments(void **state)
{
	static const struct {
		const char *line;
		bool idempotent;
	} cases[] = {
		{"SET k v", true},
		{"INCR k", false},
		{"RPUSH l a", false},
		{"XADD x 1-1 f v", false},
		{"ZADD z 1 a", true},
		{"ZADD z 1 NX", true},
		{"ZADD z GT CH 1 a", true},
		{"ZADD z CH INCR 1 a", false},
		{"ZADD z nx 1 a 2 b", false},
		{"ZADD z XX 1 a 2 b", false},
		{"BITFIELD k SET u8 0 1", true},
		{"BITFIELD k SET u8 0 1 incrby u8 0 1", false},
		{"XGROUP CREATE x g 0", true},
		{"XGROUP CREATE x g $", false},
		{"XGROUP SETID x g 1-1 ENTRIESREAD 1", true},
		{"XGROUP SETID x g $", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct words w;
		const struct command *c = find_line(cases[i].line, &w);
		if (command_is_idempotent(c, w.argv, w.argc) != cases[i].idempotent)
			fail_msg("%s", cases[i].line);
	}
}

static void written_keys_are_told_apart(void **state)
{
	struct words w;
	assert_true(command_writes_key(find_line("RENAME a b", &w), 0, 2));
	assert_true(command_writes_key(find_line("BITOP AND d a", &w), 0, 2));
	assert_false(command_writes_key(find_line("BITOP AND d a", &w), 1, 2));
	assert_false(command_writes_key(find_line("COPY a b", &w), 0, 2));
	assert_true(command_writes_key(find_line("COPY a b", &w), 1, 2));
	assert_false(command_writes_key(find_line("SORT l", &w), 0, 1));
	assert_false(command_writes_key(find_line("GET k", &w), 0, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_found_in_any_case),
		cmocka_unit_test(every_row_makes_sense),
		cmocka_unit_test(near_names_are_not_found),
		cmocka_unit_test(subcommands_have_rows_and_containers_stand_for_the_rest),
		cmocka_unit_test(keys_are_found),
		cmocka_unit_test(migrate_takes_keys_after_an_empty_key),
		cmocka_unit_test(no_key_lies_outside_the_arguments),
		cmocka_unit_test(reach_depends_on_the_arguments),
		cmocka_unit_test(other_database_is_read),
		cmocka_unit_test(idempotence_depends_on_the_arguments),
		cmocka_unit_test(written_keys_are_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
