// SPDX-License-Identifier: BSD-3-Clause
// What targets of older releases get. Arguments: stream_forms.txt
#include "tests/unit/test.h"
#include "tests/unit/words.h"
#include "parsers/rewrite.h"
#include "parsers/rewrite_older.h"

#define RECEIVED_MS 1000000

static const char *forms_path;

static const struct rewrite_rules rules = {.received_ms = RECEIVED_MS};

// One command on its way to one target, with all it points into.
struct outcome {
	struct words words;
	struct span argv[WORDS_MAX + REWRITE_GROWTH];
	struct rewrite rewrite;
	struct older older;
	struct older_form form;
	const struct command *command;
	enum older_result result;
};

static struct server_version version_of(const char *text)
{
	struct server_version v;
	char info[80];
	unsigned major, minor;
	bool valkey = !strncmp(text, "valkey ", 7);
	assert_int_equal(sscanf(text + (valkey ? 7 : 0), "%u.%u", &major, &minor), 2);
	int len = snprintf(info, sizeof(info), "%s_version:%u.%u.4\r\n",
			   valkey ? "valkey" : "redis", major, minor);
	assert_true(server_version_read((struct span){info, (size_t)len}, &v));
	return v;
}

// A line as a source sends it, first made safe to run again.
static void adapt(const char *line, const char *target, bool drop, struct outcome *o)
{
	struct server_version v = version_of(target);
	struct words *w = &o->words;
	words_split(line, w);
	const struct command *c =
		command_find(w->argv[0], w->argc > 1 ? w->argv[1] : (struct span){"", 0});
	if (!c)
		fail_msg("no row for: %s", line);
	const struct span *argv = w->argv;
	int argc = w->argc;
	o->rewrite = (struct rewrite){.argv = o->argv, .room = argc + REWRITE_GROWTH};
	if (rewrite_command(c, argv, argc, &rules, &o->rewrite) == REWRITE_CHANGED) {
		argv = o->argv;
		argc = o->rewrite.argc;
		c = o->rewrite.command;
	}
	older_init(&o->older, &v, drop);
	o->command = c;
	o->result = OLDER_SAME;
	if (older_asks(&o->older, c))
		o->result = older_apply(&o->older, c, argv, argc, &o->form);
	if (o->result == OLDER_SAME)
		older_form_of(&o->form, argv, argc);
}

static struct span word_of(const struct older_form *f, const struct older_command *c, int i)
{
	int run = c->first_run;
	while (i >= f->runs[run].n)
		i -= f->runs[run++].n;
	return f->runs[run].words[i];
}

// The commands as a line, "; " between; a script by "script".
static void line_of(const struct outcome *o, char *out, size_t room)
{
	static const char *const fates[] = {
		[OLDER_PARK] = "!park", [OLDER_FILTER] = "!filter", [OLDER_RESYNC] = "!resync"};
	size_t at = 0;
	out[0] = '\0';
	if (o->result > OLDER_FORM) {
		snprintf(out, room, "%s", fates[o->result]);
		return;
	}
	for (int i = 0; i < o->form.n_commands; i++) {
		const struct older_command *c = &o->form.commands[i];
		bool script = span_caseeq(word_of(&o->form, c, 0), "EVAL");
		for (int k = 0; k < c->argc; k++) {
			struct span word = word_of(&o->form, c, k);
			if (script && k == 1 && o->result == OLDER_FORM)
				word = SPAN_LIT("script");
			at += (size_t)snprintf(out + at, room - at, "%s%.*s",
					       k ? " " : i ? " ; " : "", (int)word.len, word.p);
		}
	}
}

static void expect(const char *line, const char *target, bool drop, const char *want)
{
	struct outcome o;
	char got[512];
	adapt(line, target, drop, &o);
	line_of(&o, got, sizeof(got));
	if (strcmp(got, want))
		fail_msg("%s, to %s: got \"%s\", not \"%s\"", line, target, got, want);
}

struct older_case {
	const char *line, *target, *want;
};

static void expect_all(const struct older_case *cases, size_t n, bool drop)
{
	for (size_t i = 0; i < n; i++)
		expect(cases[i].line, cases[i].target, drop, cases[i].want);
}

#define EXPECT_ALL(cases, drop) expect_all(cases, sizeof(cases) / sizeof((cases)[0]), drop)

static void verbs_become_older_ones(void **state)
{
	static const struct older_case cases[] = {
		{"UNLINK a b c", "2.8", "DEL a b c"},
		{"UNLINK a b c", "4.0", "UNLINK a b c"},
		{"GETDEL k", "2.8", "DEL k"},
		{"HSET h f v", "2.8", "HSET h f v"},
		{"HSET h f v g w", "3.2", "HMSET h f v g w"},
		{"HSET h f v g w", "4.0", "HSET h f v g w"},
		{"LPOP l", "6.0", "LPOP l"},
		{"LPOP l 2", "6.0", "LTRIM l 2 -1"},
		{"LPOP l 2", "6.2", "LPOP l 2"},
		{"RPOP l 2", "6.0", "EVAL script 1 l l 2"},
		{"LMOVE a b RIGHT LEFT", "6.0", "RPOPLPUSH a b"},
		{"LMOVE a b right left", "6.0", "RPOPLPUSH a b"},
		{"LMOVE a b LEFT RIGHT", "6.0", "EVAL script 2 a b a b LEFT RIGHT"},
		{"BLMOVE a b RIGHT LEFT 0", "5.0", "RPOPLPUSH a b"},
		{"ZPOPMIN z", "4.0", "ZREMRANGEBYRANK z 0 0"},
		{"ZPOPMAX z", "4.0", "ZREMRANGEBYRANK z -1 -1"},
		{"ZPOPMAX z 3", "4.0", "EVAL script 1 z z 3"},
		{"ZPOPMAX z 3", "5.0", "ZPOPMAX z 3"},
		{"COPY a b DB 1", "6.0", "EVAL script 2 a b a b DB 1 REPLACE"},
		{"COPY a b DB 1", "6.2", "COPY a b DB 1 REPLACE"},
		{"ZDIFFSTORE d 2 a b", "6.0", "EVAL script 1 d d 2 a b"},
		{"ZRANGESTORE d s 0 -1", "6.0", "EVAL script 2 d s d s 0 -1"},
		{"GEOSEARCHSTORE d g FROMMEMBER BYBOX BYRADIUS 1 km ASC COUNT 2", "6.0",
		 "EVAL script 2 d g d g FROMMEMBER BYBOX BYRADIUS 1 km ASC COUNT 2"},
		{"GEOSEARCHSTORE d g FROMLONLAT 1 2 BYBOX 1 2 km", "6.0", "!park"},
		{"GEOSEARCHSTORE d g FROMLONLAT 1 2 BYRADIUS 1 km COUNT 2 ANY", "6.0", "!park"},
		{"XGROUP CREATECONSUMER x g c", "5.0",
		 "XREADGROUP GROUP g c COUNT 1 STREAMS x 0"},
		{"XGROUP CREATECONSUMER x g c", "4.0", "!park"},
		{"MSETEX 2 a 1 b 2 PXAT 5", "8.2", "EVAL script 1 a 2 a 1 b 2 PXAT 5"},
		{"MSETEX 2 a 1 b 2 PXAT 5", "valkey 9.0", "EVAL script 1 a 2 a 1 b 2 PXAT 5"},
		{"MSETEX 2 a 1 b 2 PXAT 5", "valkey 9.1", "MSETEX 2 a 1 b 2 PXAT 5"},
		{"XDELEX x KEEPREF IDS 2 1-1 2-1", "7.0", "XDEL x 1-1 2-1"},
		{"XDELEX x IDS 1 1-1", "valkey 9.1", "XDEL x 1-1"},
		{"XDELEX x DELREF IDS 1 1-1", "7.0", "!park"},
		{"XACKDEL x g KEEPREF IDS 1 1-1", "7.0", "XACK x g 1-1 ; XDEL x 1-1"},
		{"DELEX k IFEQ v", "7.0", "DEL k"},
		{"DELIFEQ k v", "7.0", "DEL k"},
	};
	EXPECT_ALL(cases, false);
}

static void options_become_older_words(void **state)
{
	static const struct older_case cases[] = {
		{"SET k v", "2.8", "SET k v"},
		{"SET k v PX 5", "2.8", "SET k v ; PEXPIREAT k 1000005"},
		{"SET k v PXAT 5", "6.0", "SET k v ; PEXPIREAT k 5"},
		{"SET k v EXAT 5", "6.0", "SET k v ; EXPIREAT k 5"},
		{"SET k v PXAT 5", "6.2", "SET k v PXAT 5"},
		{"SET k v PXAT 5", "valkey 7.2", "SET k v PXAT 5"},
		{"SETEX k 1 v", "4.0", "SET k v ; PEXPIREAT k 1001000"},
		{"SET k KEEPTTL NX", "2.8", "SET k KEEPTTL"},
		{"SET k v KEEPTTL", "6.0", "SET k v KEEPTTL"},
		{"SET k v KEEPTTL", "5.0", "EVAL script 1 k k v KEEPTTL"},
		{"PEXPIREAT k 5 GT", "2.8", "PEXPIREAT k 5"},
		{"FLUSHALL", "2.8", "FLUSHALL"},
		{"FLUSHALL ASYNC", "3.2", "FLUSHALL"},
		{"FLUSHALL ASYNC", "4.0", "FLUSHALL ASYNC"},
		{"FLUSHDB SYNC", "6.0", "FLUSHDB"},
		{"RESTORE k 0 payload IDLETIME 7", "5.0", "RESTORE k 0 payload IDLETIME 7 REPLACE"},
		{"RESTORE k 0 payload IDLETIME 7 FREQ 1", "4.0", "RESTORE k 0 payload REPLACE"},
		{"RESTORE k 9 payload ABSTTL FREQ 7", "4.0",
		 "RESTORE k 0 payload REPLACE ; PEXPIREAT k 9"},
		{"RESTORE k 9 payload", "4.0", "RESTORE k 0 payload REPLACE ; PEXPIREAT k 1000009"},
		{"RESTORE k 0 payload ABSTTL", "4.0", "RESTORE k 0 payload REPLACE"},
		{"RESTORE k 0 payload", "2.8", "DEL k ; RESTORE k 0 payload"},
		{"RESTORE k 9 payload ABSTTL", "2.8",
		 "DEL k ; RESTORE k 0 payload ; PEXPIREAT k 9"},
		{"ZADD z 1 GT", "2.8", "ZADD z 1 GT"},
		{"ZADD z CH 1 a", "2.8", "ZADD z 1 a"},
		{"ZADD z GT CH 1 a", "6.0", "EVAL script 1 z z GT CH 1 a"},
		{"ZADD z GT CH 1 a", "6.2", "ZADD z GT CH 1 a"},
		{"ZADD z NX 1 a", "3.2", "ZADD z NX 1 a"},
		{"ZADD z NX 1 a", "2.8", "EVAL script 1 z z NX 1 a"},
		{"XADD x 5-1 MINID 3", "5.0", "XADD x 5-1 MINID 3"},
		{"XADD x MAXLEN = 9 LIMIT 3 5-1 f v", "5.0", "XADD x MAXLEN = 9 5-1 f v"},
		{"XADD x NOMKSTREAM MINID ~ 3 5-1 f v", "6.0",
		 "EVAL script 1 x x MINID ~ 3 5-1 f v"},
		{"XADD x NOMKSTREAM MINID ~ 3 5-1 f v", "6.2", "XADD x MINID ~ 3 5-1 f v"},
		{"XADD x KEEPREF MAXLEN 9 5-1 f v", "7.0", "XADD x MAXLEN 9 5-1 f v"},
		{"XADD x DELREF MAXLEN 9 5-1 f v", "7.0", "!park"},
		{"XADD x IDMP p i 5-1 f v", "valkey 9.1", "XADD x 5-1 f v"},
		{"XTRIM x MINID = 3", "5.0", "EVAL script 1 x x MINID = 3"},
		{"XTRIM x MAXLEN ~ 3 LIMIT 5", "5.0", "XTRIM x MAXLEN ~ 3"},
		{"XSETID x 5-1 ENTRIESADDED 3 MAXDELETEDID 1-1", "6.2", "XSETID x 5-1"},
		{"XGROUP CREATE x g 0 MKSTREAM ENTRIESREAD 3", "6.2",
		 "XGROUP CREATE x g 0 MKSTREAM"},
		{"XGROUP SETID x g 1-1 ENTRIESREAD 3", "6.2", "XGROUP SETID x g 1-1"},
		{"XGROUP SETID x g 1-1 ENTRIESREAD 3", "7.0", "XGROUP SETID x g 1-1 ENTRIESREAD 3"},
	};
	EXPECT_ALL(cases, false);
}

static void what_has_no_older_form_is_never_silent(void **state)
{
	static const struct older_case cases[] = {
		{"XADD x 5-1 f v", "4.0", "!park"},
		{"BITFIELD k SET u8 0 1", "2.8", "!park"},
		{"BITOP AND d a b", "2.8", "BITOP AND d a b"},
		{"BITOP DIFF d a b", "7.0", "!park"},
		{"BITOP DIFF d a b", "8.2", "BITOP DIFF d a b"},
		{"FUNCTION LOAD code", "6.2", "!park"},
		{"FUNCTION FLUSH", "6.2", "!park"},
		{"SPUBLISH c m", "6.2", "!filter"},
		{"SPUBLISH c m", "7.0", "SPUBLISH c m"},
		{"SWAPDB 0 1", "3.2", "!resync"},
		{"SWAPDB 0 1", "4.0", "SWAPDB 0 1"},
		{"VADD v VALUES 1 0.5 e", "7.0", "!park"},
		{"VADD v VALUES 1 0.5 e", "valkey 9.1", "!park"},
		{"JSON.SET k $ 1", "6.2", "JSON.SET k $ 1"},
		{"SPOP s 2", "2.8", "!park"},
		{"LMPOP 1 k LEFT", "6.2", "!park"},
		{"UNLINK", "2.8", "!park"},
		{"EVAL return(1) 0", "2.8", "EVAL return(1) 0"},
	};
	EXPECT_ALL(cases, false);
}

static void expiries_of_fields_go_by_the_setting(void **state)
{
	static const struct older_case park[] = {
		{"HPEXPIREAT h 5 FIELDS 1 f", "7.0", "!park"},
		{"HPEXPIREAT h 5 FIELDS 1 f", "valkey 8.1", "!park"},
		{"HPEXPIREAT h 5 FIELDS 1 f", "valkey 9.0", "HPEXPIREAT h 5 FIELDS 1 f"},
		{"HSETEX h PXAT 5 FIELDS 1 f v", "7.4", "!park"},
		{"HSETEX h FIELDS 1 f v", "7.0", "HMSET h f v"},
		{"HSETEX h KEEPTTL FIELDS 2 f v g w", "2.8", "HMSET h f v g w"},
		{"HPERSIST h FIELDS 1 f", "7.0", "!filter"},
		{"HGETEX h PERSIST FIELDS 1 f", "7.0", "!filter"},
		{"HGETDEL h FIELDS 1 f", "2.8", "HDEL h f"},
	};
	static const struct older_case drop[] = {
		{"HPEXPIREAT h 5 FIELDS 1 f", "7.0", "!filter"},
		{"HEXPIRE h 5 FIELDS 1 f", "7.0", "!filter"},
		{"HSETEX h PXAT 5 FIELDS 1 f v", "7.0", "HMSET h f v"},
		{"HSETEX h FXX EX 5 FIELDS 1 f v", "7.0", "HMSET h f v"},
	};
	EXPECT_ALL(park, false);
	EXPECT_ALL(drop, true);
	for (size_t i = 0; i < sizeof(drop) / sizeof(drop[0]); i++) {
		struct outcome o;
		adapt(drop[i].line, drop[i].target, true, &o);
		assert_true(o.form.degraded);
	}
}

static void reasons_name_command_release_and_target(void **state)
{
	static const struct older_case cases[] = {
		{"FUNCTION FLUSH", "6.2",
		 "FUNCTION FLUSH came with Redis 7.0, and the target is redis 6.2"},
		{"XADD x DELREF MAXLEN 9 5-1 f v", "7.0",
		 "XADD DELREF came with Redis 8.2, and the target is redis 7.0"},
		{"VADD v VALUES 1 0.5 e", "valkey 9.1",
		 "VADD is not known to Valkey, and the target is valkey 9.1"},
		{"HPEXPIREAT h 5 FIELDS 1 f", "valkey 8.1",
		 "HPEXPIREAT came with Valkey 9.0, and the target is valkey 8.1; field-ttl=drop "
		 "leaves the expiry out"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct outcome o;
		char reason[OLDER_REASON_LEN];
		adapt(cases[i].line, cases[i].target, false, &o);
		assert_int_equal(o.result, OLDER_PARK);
		older_reason(&o.older.target, o.command, o.form.row, reason);
		assert_string_equal(reason, cases[i].want);
	}
}

static void what_reaches_a_target_is_known_beforehand(void **state)
{
	static const struct {
		const char *name, *target;
		bool reaches, reaches_dropped;
	} cases[] = {
		{"SET", "2.8", true, true},           {"UNLINK", "2.8", true, true},
		{"GETDEL", "2.8", true, true},        {"GETEX", "2.8", true, true},
		{"HGETDEL", "2.8", true, true},       {"MSETEX", "7.0", true, true},
		{"XADD", "4.0", false, false},        {"VADD", "7.0", false, false},
		{"HPEXPIREAT", "7.0", false, true},   {"HSETEX", "7.0", true, true},
		{"SWAPDB", "3.2", true, true},        {"BITFIELD", "2.8", false, false},
		{"GEOSEARCHSTORE", "6.0", true, true}, {"LMPOP", "6.2", false, false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct server_version v = version_of(cases[i].target);
		const struct command *c =
			command_find(span_of(cases[i].name), (struct span){"", 0});
		struct older o;
		older_init(&o, &v, false);
		if (older_reaches(&o, c) != cases[i].reaches)
			fail_msg("%s, %s", cases[i].name, cases[i].target);
		older_init(&o, &v, true);
		if (older_reaches(&o, c) != cases[i].reaches_dropped)
			fail_msg("%s, %s, dropped", cases[i].name, cases[i].target);
	}
}

// ---- All that sources say, to all targets

// Told once more, apart from the table that is tested.
struct since {
	const char *name, *option;
	int from; // first word that may be it; 0: the command itself
	unsigned redis, valkey;
};

static const struct since news[] = {
	{"SET", "PXAT", 3, 602, 702},        {"SET", "EXAT", 3, 602, 702},
	{"SET", "KEEPTTL", 3, 600, 702},     {"SET", "GET", 3, 602, 702},
	{"SET", "IFEQ", 3, 804, 801},        {"RESTORE", "ABSTTL", 4, 500, 702},
	{"RESTORE", "REPLACE", 4, 300, 702}, {"RESTORE", "IDLETIME", 4, 500, 702},
	{"ZADD", "NX", 2, 300, 702},         {"ZADD", "INCR", 2, 300, 702},
	{"ZADD", "GT", 2, 602, 702},         {"XADD", "MINID", 2, 602, 702},
	{"XADD", "NOMKSTREAM", 2, 602, 702}, {"XTRIM", "MINID", 2, 602, 702},
	{"XTRIM", "DELREF", 2, 802, 9999},   {"XGROUP", "ENTRIESREAD", 5, 700, 702},
	{"FLUSHALL", "ASYNC", 1, 400, 702},  {"FLUSHDB", "SYNC", 1, 602, 702},
	{"PEXPIREAT", "NX", 3, 700, 702},    {"PEXPIREAT", "GT", 3, 700, 702},
	{"XSETID", "ENTRIESADDED", 3, 700, 702},
	{"UNLINK", NULL, 0, 400, 702},       {"COPY", NULL, 0, 602, 702},
	{"LMOVE", NULL, 0, 602, 702},        {"BLMOVE", NULL, 0, 602, 702},
	{"GETDEL", NULL, 0, 602, 702},       {"GETEX", NULL, 0, 602, 702},
	{"ZRANGESTORE", NULL, 0, 602, 702},  {"ZDIFFSTORE", NULL, 0, 602, 702},
	{"GEOSEARCHSTORE", NULL, 0, 602, 702}, {"GEORADIUS", NULL, 0, 302, 702},
	{"ZPOPMIN", NULL, 0, 500, 702},      {"ZPOPMAX", NULL, 0, 500, 702},
	{"XADD", NULL, 0, 500, 702},         {"XCLAIM", NULL, 0, 500, 702},
	{"XGROUP", NULL, 0, 500, 702},       {"XTRIM", NULL, 0, 500, 702},
	{"XDEL", NULL, 0, 500, 702},         {"XACK", NULL, 0, 500, 702},
	{"XSETID", NULL, 0, 500, 702},       {"XDELEX", NULL, 0, 802, 9999},
	{"XACKDEL", NULL, 0, 802, 9999},     {"SWAPDB", NULL, 0, 400, 702},
	{"FUNCTION", NULL, 0, 700, 702},     {"SPUBLISH", NULL, 0, 700, 702},
	{"BITFIELD", NULL, 0, 302, 702},     {"HSETEX", NULL, 0, 800, 900},
	{"HPEXPIREAT", NULL, 0, 704, 900},   {"HPERSIST", NULL, 0, 704, 900},
	{"HGETDEL", NULL, 0, 800, 901},      {"MSETEX", NULL, 0, 804, 901},
	{"DELEX", NULL, 0, 804, 9999},       {"VADD", NULL, 0, 800, 9999},
	{"VREM", NULL, 0, 800, 9999},        {"VSETATTR", NULL, 0, 800, 9999},
};

// Calls of more words than a release takes.
static const struct {
	const char *name;
	int most;
	unsigned redis;
} counts[] = {{"HSET", 4, 400}, {"LPOP", 2, 602}, {"RPOP", 2, 602}, {"SPOP", 2, 302}};

static bool stands_at(const struct older_form *f, const struct older_command *c, int from,
		      const char *option)
{
	for (int i = from; i < c->argc; i++)
		if (span_caseeq(word_of(f, c, i), option))
			return true;
	return false;
}

static void command_is_old_enough(const char *line, const char *target, const struct older_form *f,
				  const struct older_command *c)
{
	struct server_version v = version_of(target);
	unsigned at = (v.at >> 8) * 100u + (v.at & 0xff);
	struct span name = word_of(f, c, 0);
	for (size_t i = 0; i < sizeof(news) / sizeof(news[0]); i++) {
		const struct since *n = &news[i];
		if (!span_caseeq(name, n->name) || at >= (v.valkey ? n->valkey : n->redis))
			continue;
		if (!n->option || stands_at(f, c, n->from, n->option))
			fail_msg("%s, to %s: gets %s %s", line, target, n->name,
				 n->option ? n->option : "");
	}
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]) && !v.valkey; i++)
		if (span_caseeq(name, counts[i].name) && at < counts[i].redis)
			assert_true(c->argc <= counts[i].most);
	const struct command *row = command_find(name, word_of(f, c, c->argc > 1));
	if (row && !strchr(row->name, '.'))
		assert_true((v.valkey ? row->since_valkey : row->since_redis) <= v.at);
}

static void captured_forms_are_said_to_every_target(void **state)
{
	static const char *const targets[] = {
		"2.8", "4.0", "5.0", "6.2", "7.0", "7.2", "8.0", "valkey 7.2", "valkey 8.1",
		"valkey 9.0", "valkey 9.1",
	};
	char line[600];
	unsigned n[OLDER_RESYNC + 1] = {0};
	FILE *f = fopen(forms_path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || !line[0])
			continue;
		for (size_t t = 0; t < sizeof(targets) / sizeof(targets[0]); t++) {
			struct outcome o;
			adapt(line, targets[t], false, &o);
			n[o.result]++;
			if (o.result > OLDER_FORM || o.command->flags & COMMAND_NEVER)
				continue;
			for (int i = 0; i < o.form.n_commands; i++)
				command_is_old_enough(line, targets[t], &o.form,
						      &o.form.commands[i]);
		}
	}
	fclose(f);
	assert_true(n[OLDER_SAME] > 500 && n[OLDER_FORM] > 50 && n[OLDER_PARK] > 10);
}

// A target that knows all the table knows is asked nothing.
static void newest_targets_cost_nothing(void **state)
{
	struct older o;
	older_init(&o, &(struct server_version){.at = SERVER_VERSION(99, 0)}, false);
	for (size_t i = 0; i < command_row_count; i++)
		if (command_rows[i].since_redis)
			assert_false(older_asks(&o, &command_rows[i]));
	older_init(&o, &(struct server_version){.at = 0}, false);
	assert_false(o.any);
}

static void random_calls_stay_within_their_room(void **state)
{
	static const char *const vocabulary[] = {
		"k", "0", "1", "2", "-1", "NX", "XX", "GT", "CH", "INCR", "PXAT", "KEEPTTL",
		"FIELDS", "REPLACE", "ABSTTL", "IDLETIME", "FREQ", "NOMKSTREAM", "MAXLEN", "MINID",
		"=", "~", "LIMIT", "IDMP", "KEEPREF", "DELREF", "IDS", "ASYNC", "RIGHT", "LEFT",
		"ENTRIESREAD", "MKSTREAM", "BYBOX", "COUNT", "ANY", "", "1-1",
	};
	static const uint16_t releases[] = {
		SERVER_VERSION(2, 8), SERVER_VERSION(4, 0), SERVER_VERSION(5, 0),
		SERVER_VERSION(6, 0), SERVER_VERSION(7, 0), SERVER_VERSION(8, 2),
	};
	struct older olders[12];
	uint64_t seed = 11;
	for (int i = 0; i < 12; i++)
		older_init(&olders[i],
			   &(struct server_version){.at = releases[i % 6], .valkey = i > 5}, i & 1);
	unsigned n_forms = 0;
	for (int i = 0; i < 300000; i++) {
		struct span argv[16];
		struct older_form f;
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		const struct command *c = &command_rows[(seed >> 33) % command_row_count];
		int argc = 1 + (int)(seed >> 20 & 15);
		uint64_t words = seed;
		for (int k = 0; k < argc; k++) {
			words = words * 6364136223846793005ull + 1442695040888963407ull;
			argv[k] = span_of(vocabulary[(words >> 33) % (sizeof(vocabulary) /
								      sizeof(vocabulary[0]))]);
		}
		argv[0] = span_of(c->name);
		const struct older *o = &olders[i % 12];
		if (!older_asks(o, c) || older_apply(o, c, argv, argc, &f) != OLDER_FORM)
			continue;
		n_forms++;
		for (int k = 0; k < f.n_commands; k++)
			for (int w = 0; w < f.commands[k].argc; w++)
				assert_non_null(word_of(&f, &f.commands[k], w).p);
	}
	assert_true(n_forms > 1000);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verbs_become_older_ones),
		cmocka_unit_test(options_become_older_words),
		cmocka_unit_test(what_has_no_older_form_is_never_silent),
		cmocka_unit_test(expiries_of_fields_go_by_the_setting),
		cmocka_unit_test(reasons_name_command_release_and_target),
		cmocka_unit_test(what_reaches_a_target_is_known_beforehand),
		cmocka_unit_test(captured_forms_are_said_to_every_target),
		cmocka_unit_test(newest_targets_cost_nothing),
		cmocka_unit_test(random_calls_stay_within_their_room),
	};
	if (argc < 2)
		return 2;
	forms_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
