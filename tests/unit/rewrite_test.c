// SPDX-License-Identifier: BSD-3-Clause
// Arguments: stream_forms.txt
#include <errno.h>

#include "tests/unit/test.h"
#include "tests/unit/words.h"
#include "parsers/commands_number.h"
#include "parsers/rewrite.h"

#define RECEIVED_MS 1000000
#define NOW_MS      1000500

static const char *forms_path;

static const struct rewrite_rules rules = {.received_ms = RECEIVED_MS, .now_ms = NOW_MS};

// One rewrite with all it points into.
struct outcome {
	struct span argv[WORDS_MAX + REWRITE_GROWTH];
	struct rewrite rewrite;
	enum rewrite_result result;
};

static const struct command *row_of(const char *line, const struct words *w)
{
	const struct command *c =
		command_find(w->argv[0], w->argc > 1 ? w->argv[1] : (struct span){"", 0});
	if (!c)
		fail_msg("no row for: %s", line);
	return c;
}

static void rewrite_line(
	const char *line, const struct rewrite_rules *with, struct words *w, struct outcome *o)
{
	words_split(line, w);
	const struct command *c = row_of(line, w);
	// No more room than promised, so that a sanitizer build sees a word too many.
	o->rewrite = (struct rewrite){.argv = o->argv, .room = w->argc + REWRITE_GROWTH};
	o->result = rewrite_command(c, w->argv, w->argc, with, &o->rewrite);
}

// The outcome as a line; "" when unchanged, "!reason" when refused.
static void line_of(const struct outcome *o, char *out, size_t room)
{
	size_t at = 0;
	out[0] = '\0';
	if (o->result == REWRITE_REFUSED)
		snprintf(out, room, "!%s", rewrite_reason_text(o->rewrite.reason));
	if (o->result != REWRITE_CHANGED)
		return;
	for (int i = 0; i < o->rewrite.argc; i++)
		at += (size_t)snprintf(out + at, room - at, "%s%.*s", i ? " " : "",
				       (int)o->argv[i].len, o->argv[i].p);
}

static void expect(const char *line, const struct rewrite_rules *with, const char *want)
{
	struct words w;
	struct outcome o;
	char got[512], again[512];
	rewrite_line(line, with, &w, &o);
	line_of(&o, got, sizeof(got));
	if (strcmp(got, want))
		fail_msg("%s: got \"%s\", not \"%s\"", line, got, want);
	if (o.result != REWRITE_CHANGED)
		return;
	if (!span_caseeq(o.argv[0], o.rewrite.command->name) && !o.rewrite.command->parent)
		fail_msg("%s: row %s goes with \"%s\"", line, o.rewrite.command->name, got);
	rewrite_line(got, with, &w, &o);
	line_of(&o, again, sizeof(again));
	if (o.result != REWRITE_UNCHANGED)
		fail_msg("%s: \"%s\" becomes \"%s\"", line, got, again);
}

struct rewrite_case {
	const char *line, *want;
};

static void expect_all(const struct rewrite_case *cases, size_t n, const struct rewrite_rules *with)
{
	for (size_t i = 0; i < n; i++)
		expect(cases[i].line, with, cases[i].want);
}

#define EXPECT_ALL(cases, with) expect_all(cases, sizeof(cases) / sizeof((cases)[0]), with)

static void conditions_go(void **state)
{
	static const struct rewrite_case cases[] = {
		{"SET k v", ""},
		{"SET k v KEEPTTL", ""},
		{"SET k v FUTUREOPTION", ""},
		{"SET k v XX", "SET k v"},
		{"set k v nx get", "set k v"},
		{"SET k NX KEEPTTL", ""},
		{"SET k w IFEQ v", "SET k w"},
		{"SET k w IFEQ NX KEEPTTL", "SET k w KEEPTTL"},
		{"SET k w IFDNE EX", "SET k w"},
		{"SET k w IFNE", "!malformed command"},
		{"SETNX k v", "SET k v"},
		{"GETSET k v", "SET k v"},
		{"MSETNX a 1 b 2", "MSET a 1 b 2"},
		{"HSETNX h f v", "HSET h f v"},
		{"RENAMENX a b", "RENAME a b"},
		{"LPUSHX l a b", "LPUSH l a b"},
		{"RPUSHX l a b", "RPUSH l a b"},
		{"GETDEL k", "DEL k"},
		{"DELIFEQ k v", "DEL k"},
		{"DELEX k IFEQ v", "DEL k"},
		{"DELEX k", "DEL k"},
		{"COPY a b", "COPY a b REPLACE"},
		{"COPY a b DB 1 replace", ""},
		{"COPY REPLACE b", "COPY REPLACE b REPLACE"},
		{"COPY a b REPLACE DB 1", ""},
		{"FUNCTION LOAD code", "FUNCTION LOAD REPLACE code"},
		{"FUNCTION LOAD replace code", ""},
		{"FUNCTION RESTORE payload", "FUNCTION RESTORE payload REPLACE"},
		{"FUNCTION RESTORE payload APPEND", "FUNCTION RESTORE payload REPLACE"},
		{"FUNCTION RESTORE payload FLUSH", ""},
		{"FUNCTION DELETE lib", ""},
		{"XADD x 1-1 NOMKSTREAM v", ""},
		{"XADD x NOMKSTREAM 1-1 f v", "XADD x 1-1 f v"},
		{"XADD x KEEPREF MAXLEN = 5 LIMIT 3 NOMKSTREAM 1-1 f v",
		 "XADD x KEEPREF MAXLEN = 5 1-1 f v"},
		{"XADD x MINID = 1-1 LIMIT 10 2-1 f v", "XADD x MINID = 1-1 2-1 f v"},
		{"XADD x 1-1 LIMIT 3", ""},
		{"XTRIM x MAXLEN = 5 LIMIT 3", "XTRIM x MAXLEN = 5"},
		{"XTRIM x MINID = 5 LIMIT 3 KEEPREF", "XTRIM x MINID = 5 KEEPREF"},
		{"XTRIM x MAXLEN 5", ""},
		{"XTRIM x MAXLEN =", "!malformed command"},
		{"XADD x MAXLEN 5 NOMKSTREAM 1-1 f v", "XADD x MAXLEN 5 1-1 f v"},
		{"XADD x MAXLEN = NOMKSTREAM 1-1", ""},
		{"XADD x IDMP p i NOMKSTREAM 1-1 f v", "XADD x IDMP p i 1-1 f v"},
		{"XADD x LIMIT 3 IDMPAUTO", "!malformed command"},
		{"ZADD z XX GT CH 1 a", ""},
		{"ZADD z NX 1 a", ""},
		{"MSETEX 1 a XX XX KEEPTTL", "MSETEX 1 a XX KEEPTTL"},
		{"MSETEX 3 a XX XX KEEPTTL", "!malformed command"},
		{"HSETEX h FXX PXAT 2000000 FIELDS 1 FNX v",
		 "HSETEX h PXAT 2000000 FIELDS 1 FNX v"},
		{"HGETDEL h FIELDS 2 a b", "HDEL h a b"},
		{"HGETDEL h NOFIELDS 1 a", "!malformed command"},
		{"HSETEX h FXX FIELDS 1 a", "!malformed command"},
		{"BRPOPLPUSH l m 1", "RPOPLPUSH l m"},
		{"BLMOVE l m LEFT RIGHT 0", "LMOVE l m LEFT RIGHT"},
		{"SETNX k", "!malformed command"},
		{"INCR k", ""},
	};
	EXPECT_ALL(cases, &rules);
}

static void relative_expiries_become_absolute(void **state)
{
	static const struct rewrite_case cases[] = {
		{"SET k v EX 5", "SET k v PXAT 1005000"},
		{"SET k v px 600 nx", "SET k v PXAT 1000600"},
		{"SET k v XX EX 5 GET", "SET k v PXAT 1005000"},
		{"SET k v EXAT 5000", ""},
		{"SET k v PXAT 2000000", ""},
		{"SET k v EX", "!malformed command"},
		{"SET k v EX 5 PX 6", "!malformed command"},
		{"SET k v EX x", "!malformed command"},
		{"SET k v EX 9223372036854775", "!expiry out of range"},
		{"SET k v EX 9223372036854776", "!expiry out of range"},
		{"SETEX k 5 v", "SET k v PXAT 1005000"},
		{"PSETEX k 600 v", "SET k v PXAT 1000600"},
		{"SETEX k v v", "!malformed command"},
		{"EXPIRE k 5", "PEXPIREAT k 1005000"},
		{"EXPIRE k 5 NX", "PEXPIREAT k 1005000"},
		{"PEXPIRE k 600 xx gt", "PEXPIREAT k 1000600"},
		{"EXPIREAT k 5000", ""},
		{"EXPIREAT k 5000 LT", "EXPIREAT k 5000"},
		{"PEXPIREAT k 2000000", ""},
		{"PEXPIREAT k 2000000 NX", "PEXPIREAT k 2000000"},
		{"PEXPIREAT k 99999999999999999999", "!malformed command"},
		{"GETEX k", ""},
		{"GETEX k EX 5", "PEXPIREAT k 1005000"},
		{"GETEX k PX 600", "PEXPIREAT k 1000600"},
		{"GETEX k EXAT 5000", "PEXPIREAT k 5000000"},
		{"GETEX k PERSIST", "PERSIST k"},
		{"GETEX k EX", "!malformed command"},
		{"HEXPIRE h 5 FIELDS 1 a", "HPEXPIREAT h 1005000 FIELDS 1 a"},
		{"HPEXPIRE h 600 NX FIELDS 1 NX", "HPEXPIREAT h 1000600 FIELDS 1 NX"},
		{"HEXPIREAT h 5000 GT FIELDS 1 a", "HEXPIREAT h 5000 FIELDS 1 a"},
		{"HPEXPIREAT h 2000000 FIELDS 1 XX", ""},
		{"HPEXPIREAT h 1 FIELDS 1 a", ""},
		{"HPEXPIREAT h 1 NX NX FIELDS 1 a", "HPEXPIREAT h 1 FIELDS 1 a"},
		{"HGETEX h EX 5 FIELDS 1 a", "HPEXPIREAT h 1005000 FIELDS 1 a"},
		{"HGETEX h PERSIST FIELDS 1 a", "HPERSIST h FIELDS 1 a"},
		{"HGETEX h FIELDS 1 a", ""},
		{"HGETEX h EX 5 NX FIELDS 1 a", "!malformed command"},
		{"HSETEX h EX 5 FIELDS 1 a 1", "HSETEX h PXAT 1005000 FIELDS 1 a 1"},
		{"HSETEX h KEEPTTL FIELDS 1 a 1", ""},
		{"MSETEX 2 a 1 b 2 EX 5 NX", "MSETEX 2 a 1 b 2 PXAT 1005000"},
		{"RESTORE k 600 payload", "RESTORE k 1000600 payload REPLACE ABSTTL"},
		{"RESTORE k 600 payload IDLETIME 5 REPLACE",
		 "RESTORE k 1000600 payload IDLETIME 5 REPLACE ABSTTL"},
		{"RESTORE k 0 payload", "RESTORE k 0 payload REPLACE"},
		{"RESTORE k 0 payload REPLACE", ""},
		{"RESTORE k 2000000 payload ABSTTL", "RESTORE k 2000000 payload ABSTTL REPLACE"},
		{"restore k 2000000 payload absttl replace", ""},
		{"RESTORE k x payload", "!malformed command"},
		{"RESTORE-ASKING k 0 payload REPLACE", "RESTORE k 0 payload REPLACE"},
	};
	EXPECT_ALL(cases, &rules);
}

static void expired_writes_become_deletes(void **state)
{
	static const struct rewrite_case cases[] = {
		{"SET k v PXAT 1000500", "DEL k"},
		{"SET k v PXAT 1000501", ""},
		{"SET k v EXAT 1000", "DEL k"},
		{"SET k v PX 400", "DEL k"},
		{"SET k v PX 400 NX", "DEL k"},
		{"SETEX k 0 v", "DEL k"},
		{"PSETEX k 500 v", "DEL k"},
		{"EXPIRE k -1", "DEL k"},
		{"PEXPIREAT k 1 GT", "DEL k"},
		{"GETEX k PX 1", "DEL k"},
		{"MSETEX 2 a 1 b 2 XX PXAT 1", "DEL a b"},
		{"RESTORE k 1 payload ABSTTL", "DEL k"},
		{"RESTORE k 400 payload", "DEL k"},
	};
	EXPECT_ALL(cases, &rules);
}

// Of a link that lags: expiries up to 1009000 become 2000000.
static void expiries_of_keys_are_held(void **state)
{
	static const struct rewrite_rules holding = {.received_ms = RECEIVED_MS,
						     .now_ms = NOW_MS,
						     .hold_until_ms = 1009000,
						     .hold_at_ms = 2000000};
	static const struct rewrite_case cases[] = {
		{"SET k v PXAT 1009000", "SET k v PXAT 2000000"},
		{"SET k v PXAT 1009001", ""},
		{"SET k v PXAT 1", "SET k v PXAT 2000000"}, // over, and yet it may be kept
		{"SET k v EXAT 1008", "SET k v PXAT 2000000"},
		{"SET k v NX PX 9000", "SET k v PXAT 2000000"},
		{"SET k v KEEPTTL", ""},
		{"SETEX k 9 v", "SET k v PXAT 2000000"},
		{"PSETEX k 9001 v", "SET k v PXAT 1009001"},
		{"EXPIRE k 9", "PEXPIREAT k 2000000"},
		{"PEXPIREAT k 1000000", "PEXPIREAT k 2000000"},
		{"EXPIREAT k 1009 GT", "PEXPIREAT k 2000000"},
		{"EXPIREAT k 1010", ""},
		{"PEXPIREAT k 0", "DEL k"},
		{"GETEX k PXAT 1009000", "PEXPIREAT k 2000000"},
		{"RESTORE k 0 payload REPLACE", ""},
		{"RESTORE k 500 payload", "RESTORE k 2000000 payload REPLACE ABSTTL"},
		{"RESTORE k 1000500 payload ABSTTL REPLACE",
		 "RESTORE k 2000000 payload ABSTTL REPLACE"},
		{"MSETEX 2 a 1 b 2 PXAT 1009000", "MSETEX 2 a 1 b 2 PXAT 2000000"},
		{"HPEXPIREAT h 1009000 FIELDS 1 f", ""}, // fields are not held
		{"HSETEX h PXAT 1009000 FIELDS 1 f v", ""},
	};
	struct words w;
	struct outcome o;
	expect_all(cases, sizeof(cases) / sizeof(cases[0]), &holding);
	rewrite_line("SET k v PX 9000", &holding, &w, &o);
	assert_int_equal(o.rewrite.held_ms, 1009000);
	rewrite_line("SET k v PX 9001", &holding, &w, &o);
	assert_int_equal(o.rewrite.held_ms, 0);
}

static void expired_writes_stay_without_a_clock(void **state)
{
	static const struct rewrite_case cases[] = {
		{"SET k v PXAT 1", ""},
		{"SET k v PX 1", "SET k v PXAT 1000001"},
		{"PEXPIREAT k 1", ""},
		{"MSETEX 1 a 1 PXAT 1", ""},
	};
	const struct rewrite_rules no_clock = {.received_ms = RECEIVED_MS};
	EXPECT_ALL(cases, &no_clock);
}

static void relative_expiries_need_a_receive_time(void **state)
{
	static const struct rewrite_case cases[] = {
		{"SET k v EX 5", "!relative expiry without a receive time"},
		{"EXPIRE k 5", "!relative expiry without a receive time"},
		{"RESTORE k 5 payload", "!relative expiry without a receive time"},
		{"SET k v PXAT 2000000", ""},
		{"RESTORE k 0 payload REPLACE", ""},
	};
	const struct rewrite_rules no_time = {.now_ms = NOW_MS};
	EXPECT_ALL(cases, &no_time);
}

// Takes payloads that end in "own" as they are, refuses those that begin with "bad".
static int footer_for_test(
	const void *arg, struct span payload, uint8_t footer[RDB_FOOTER_LEN])
{
	assert_string_equal(arg, "arg");
	if (memcmp(payload.p, "bad", 3) == 0)
		return -EINVAL;
	if (memcmp(payload.p + payload.len - 3, "own", 3) == 0)
		return 0;
	memcpy(footer, "1234567own", RDB_FOOTER_LEN);
	return 1;
}

static void footers_are_replaced_where_the_hook_says_so(void **state)
{
	const struct rewrite_rules with = {
		.received_ms = RECEIVED_MS, .footer = footer_for_test, .footer_arg = "arg"};
	struct words w;
	struct outcome o;
	rewrite_line("RESTORE k 0 body1234567890 REPLACE", &with, &w, &o);
	assert_int_equal(o.result, REWRITE_CHANGED);
	assert_int_equal(o.rewrite.footer_at, 3);
	assert_memory_equal(o.rewrite.footer, "1234567own", RDB_FOOTER_LEN);
	assert_true(span_eq(o.argv[3], SPAN_LIT("body1234567890")));

	rewrite_line("FUNCTION RESTORE body1234567890 FLUSH", &with, &w, &o);
	assert_int_equal(o.result, REWRITE_CHANGED);
	assert_int_equal(o.rewrite.footer_at, 2);

	static const struct rewrite_case cases[] = {
		{"RESTORE k 0 body1234567own REPLACE", ""},
		{"RESTORE k 0 body1234567own", "RESTORE k 0 body1234567own REPLACE"},
		{"RESTORE k 0 bad1234567890 REPLACE", "!the target cannot load this payload"},
		{"RESTORE k 0 short REPLACE", "!malformed command"},
		{"SET k 1234567890", ""},
	};
	EXPECT_ALL(cases, &with);
}

// A payload of a version, its CRC right or zero. Returns rewrite_footer()'s verdict, 1 checked.
static int refooted(uint8_t type, uint16_t version, bool zero_crc, const struct rewrite_target *to)
{
	uint8_t payload[5 + RDB_FOOTER_LEN] = {type, 4, 'b', 'o', 'd'};
	uint8_t footer[RDB_FOOTER_LEN], want[RDB_FOOTER_LEN];
	const struct span body = {(char *)payload + 1, 4};
	rdb_restore_footer(type, version, body, payload + 5);
	if (zero_crc)
		memset(payload + 7, 0, 8);
	int rc = rewrite_footer(to, (struct span){(char *)payload, sizeof(payload)}, footer);
	if (rc == 1) {
		uint16_t lowest = (uint16_t)(footer[0] | footer[1] << 8);
		rdb_restore_footer(type, lowest, body, want);
		assert_memory_equal(footer, want, RDB_FOOTER_LEN);
		return lowest;
	}
	return rc;
}

static void footers_are_chosen_for_the_target(void **state)
{
	const struct rewrite_target redis70 = {10, false}, redis80 = {12, false};
	const struct rewrite_target valkey80 = {11, true}, valkey90 = {80, true};
	assert_int_equal(refooted(0, 10, false, &redis70), 0);
	assert_int_equal(refooted(0, 10, true, &redis70), 6);
	assert_int_equal(refooted(0, 12, false, &redis70), 6);
	assert_int_equal(refooted(16, 80, false, &redis70), 10);
	assert_int_equal(refooted(20, 11, false, &redis70), -ENOTSUP);
	assert_int_equal(refooted(24, 12, false, &redis80), 0);
	assert_int_equal(refooted(24, 12, false, &valkey80), -ENOTSUP);
	assert_int_equal(refooted(24, 12, false, &valkey90), -ENOTSUP);
	assert_int_equal(refooted(21, 12, false, &valkey90), 11);
	assert_int_equal(refooted(22, 80, false, &valkey90), 0);
	assert_int_equal(refooted(22, 80, false, &redis80), -ENOTSUP);
	assert_int_equal(refooted(245, 12, false, &redis70), 10); // FUNCTION DUMP
	assert_int_equal(refooted(245, 80, false, &valkey80), 10);
	assert_int_equal(refooted(99, 12, false, &redis70), -ENOTSUP);
}

// A Redis 8.4 without functions says so as it takes slots in; a Redis 7.0 wants it as its own
// FUNCTION DUMP has it.
static void no_functions_are_a_footer_alone(void **state)
{
	static const char from84[] = "\x0c\x00\x96\xed\x68\x80\xf5\x55\x3c\x93";
	static const char from70[] = "\x0a\x00\x5d\x9b\x5c\x40\x0f\x7f\xa2\xda";
	const struct rewrite_target redis62 = {9, false}, redis70 = {10, false};
	const struct span payload = {from84, RDB_FOOTER_LEN};
	uint8_t footer[RDB_FOOTER_LEN];

	assert_int_equal(rewrite_footer(&redis70, payload, footer), 1);
	assert_memory_equal(footer, from70, RDB_FOOTER_LEN);
	assert_int_equal(rewrite_footer(&redis62, payload, footer), -ENOTSUP);
}

// Every form that a source was seen to send is known, has its keys found, and settles at once.
static void captured_forms_are_known_and_settle(void **state)
{
	FILE *f = fopen(forms_path, "r");
	assert_non_null(f);
	char line[512];
	int n = 0;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#')
			continue;
		struct words w;
		struct outcome o;
		struct key_run run;
		char got[512];
		rewrite_line(line, &rules, &w, &o);
		if (o.result == REWRITE_REFUSED)
			fail_msg("refused: %s", line);
		const struct command *c = row_of(line, &w);
		if (command_key_run(c, w.argv, w.argc, &run) < 0)
			fail_msg("no keys: %s", line);
		if ((c->flags & COMMAND_NEVER) && strcmp(c->name, "PFCOUNT") &&
		    strcmp(c->name, "SCRIPT FLUSH"))
			fail_msg("never forwarded: %s", line);
		line_of(&o, got, sizeof(got));
		expect(line, &rules, got);
		n++;
	}
	fclose(f);
	assert_true(n > 150);
}

static uint32_t random_next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*seed >> 33);
}

// Some command with words that mean something to one command or other.
static const struct command *random_call(uint64_t *seed, struct words *w)
{
	static const char *const vocabulary[] = {
		"k", "0", "1", "2", "5", "600", "2000000", "-1", "x", "NX", "XX", "GT", "GET",
		"EX", "PX", "EXAT", "PXAT", "KEEPTTL", "IFEQ", "FNX", "FIELDS", "PERSIST",
		"REPLACE", "ABSTTL", "APPEND", "NOMKSTREAM", "MAXLEN", "MINID", "=", "LIMIT",
		"IDMP", "IDMPAUTO", "STORE", "BY", "STREAMS", "GROUP", "COUNT", "KEYS", "AUTH",
		"DB", "", "9223372036854775807",
	};
	const struct command *c = &command_rows[random_next(seed) % command_row_count];
	w->argc = 1 + (int)(random_next(seed) % 12);
	for (int i = 0; i < w->argc; i++)
		w->argv[i] = span_of(vocabulary[random_next(seed) %
						(sizeof(vocabulary) / sizeof(vocabulary[0]))]);
	w->argv[0] = span_of(c->parent ? command_rows[c->parent - 1].name : c->name);
	if (c->parent && w->argc > 1)
		w->argv[1] = span_of(c->name + w->argv[0].len + 1);
	return c->parent && w->argc == 1 ? command_find(w->argv[0], (struct span){"", 0}) : c;
}

// Whatever the words, a rewrite stays within its room and leaves nothing for a second one.
static void random_calls_settle(void **state)
{
	uint64_t seed = 7;
	int n_changed = 0;
	for (int i = 0; i < 400000; i++) {
		struct words w;
		struct outcome a;
		struct span again[WORDS_MAX + 2 * REWRITE_GROWTH];
		const struct command *c = random_call(&seed, &w);
		a.rewrite = (struct rewrite){.argv = a.argv, .room = w.argc + REWRITE_GROWTH};
		if (rewrite_command(c, w.argv, w.argc, &rules, &a.rewrite) != REWRITE_CHANGED)
			continue;
		n_changed++;
		struct rewrite b = {.argv = again, .room = a.rewrite.argc + REWRITE_GROWTH};
		assert_true(a.rewrite.argc <= w.argc + REWRITE_GROWTH);
		if (rewrite_command(a.rewrite.command, a.argv, a.rewrite.argc, &rules, &b) !=
		    REWRITE_UNCHANGED)
			fail_msg("call %d: %s", i, c->name);
	}
	assert_true(n_changed > 1000);
}

static void numbers_are_read_as_the_server_reads_them(void **state)
{
	static const char *const bad[] = {
		"", "-", "+1", " 1", "1 ", "01", "-0", "1.0", "0x1", "9223372036854775808",
		"-9223372036854775809", "99999999999999999999",
	};
	static const int64_t good[] = {0, 1, -1, 10, INT64_MAX, INT64_MIN, 1795289855414};
	int64_t n;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (number_parse(span_of(bad[i]), &n))
			fail_msg("\"%s\" is a number", bad[i]);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char digits[NUMBER_LEN_MAX];
		assert_true(number_parse(number_print(good[i], digits), &n));
		assert_true(n == good[i]);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions_go),
		cmocka_unit_test(relative_expiries_become_absolute),
		cmocka_unit_test(expired_writes_become_deletes),
		cmocka_unit_test(expiries_of_keys_are_held),
		cmocka_unit_test(expired_writes_stay_without_a_clock),
		cmocka_unit_test(relative_expiries_need_a_receive_time),
		cmocka_unit_test(footers_are_replaced_where_the_hook_says_so),
		cmocka_unit_test(footers_are_chosen_for_the_target),
		cmocka_unit_test(no_functions_are_a_footer_alone),
		cmocka_unit_test(captured_forms_are_known_and_settle),
		cmocka_unit_test(random_calls_settle),
		cmocka_unit_test(numbers_are_read_as_the_server_reads_them),
	};
	if (argc < 2)
		return 2;
	forms_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
