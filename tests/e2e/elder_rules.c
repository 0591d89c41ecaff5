// SPDX-License-Identifier: BSD-3-Clause
// elder_judge() -> name_judge(), words_judge(), option_judge(), payload_judge()
#include "tests/e2e/elder_rules.h"

#include <stdio.h>

#include "parsers/commands.h"
#include "parsers/server_version.h"

#define V(major, minor) SERVER_VERSION(major, minor)
#define N(a)            (sizeof(a) / sizeof((a)[0]))

// Commands that the table of parsers/commands.h has no row for: they write nothing.
static const struct name_row {
	const char *name;
	uint16_t since;
} names[] = {
	{"ACL", V(6, 0)},          {"BITFIELD_RO", V(6, 2)},   {"CLUSTER", V(3, 0)},
	{"EVALSHA_RO", V(7, 0)},   {"EVAL_RO", V(7, 0)},       {"EXPIRETIME", V(7, 0)},
	{"FAILOVER", V(6, 2)},     {"FCALL", V(7, 0)},         {"FCALL_RO", V(7, 0)},
	{"GEODIST", V(3, 2)},      {"GEOHASH", V(3, 2)},       {"GEOPOS", V(3, 2)},
	{"GEOSEARCH", V(6, 2)},    {"HELLO", V(6, 0)},         {"HRANDFIELD", V(6, 2)},
	{"HSTRLEN", V(3, 2)},      {"LCS", V(7, 0)},           {"LOLWUT", V(5, 0)},
	{"LPOS", V(6, 0)},         {"MEMORY", V(4, 0)},        {"MODULE", V(4, 0)},
	{"PEXPIRETIME", V(7, 0)},  {"READONLY", V(3, 0)},      {"REPLICAOF", V(5, 0)},
	{"RESET", V(6, 2)},        {"SINTERCARD", V(7, 0)},    {"SMISMEMBER", V(6, 2)},
	{"SORT_RO", V(7, 0)},      {"SSUBSCRIBE", V(7, 0)},    {"TOUCH", V(3, 2)},
	{"WAIT", V(3, 0)},         {"XINFO", V(5, 0)},         {"XLEN", V(5, 0)},
	{"XPENDING", V(5, 0)},     {"XRANGE", V(5, 0)},        {"XREAD", V(5, 0)},
	{"XREVRANGE", V(5, 0)},    {"ZDIFF", V(6, 2)},         {"ZINTER", V(6, 2)},
	{"ZINTERCARD", V(7, 0)},   {"ZMSCORE", V(6, 2)},       {"ZRANDMEMBER", V(6, 2)},
	{"ZUNION", V(6, 2)},
};

// Subcommands, where their container is older.
static const struct sub_row {
	const char *name, *sub;
	uint16_t since;
} subs[] = {
	{"CLIENT", "ID", V(5, 0)},        {"CLIENT", "INFO", V(6, 2)},
	{"CLIENT", "NO-EVICT", V(7, 0)},  {"CLIENT", "NO-TOUCH", V(7, 2)},
	{"CLIENT", "SETINFO", V(7, 2)},   {"CLIENT", "UNBLOCK", V(5, 0)},
	{"COMMAND", "DOCS", V(7, 0)},     {"COMMAND", "LIST", V(7, 0)},
	{"OBJECT", "FREQ", V(4, 0)},      {"XGROUP", "CREATECONSUMER", V(6, 2)},
};

// Words more than a release takes: refused as it counts them.
static const struct words_row {
	const char *name;
	unsigned most;
	uint16_t since;
} counts[] = {
	{"AUTH", 2, V(6, 0)},     {"EXISTS", 2, V(3, 0)},    {"EXPIRE", 3, V(7, 0)},
	{"EXPIREAT", 3, V(7, 0)}, {"FLUSHALL", 1, V(4, 0)},  {"FLUSHDB", 1, V(4, 0)},
	{"HSET", 4, V(4, 0)},     {"LPOP", 2, V(6, 2)},      {"LPUSHX", 3, V(4, 0)},
	{"PEXPIRE", 3, V(7, 0)},  {"PEXPIREAT", 3, V(7, 0)}, {"RESTORE", 4, V(3, 0)},
	{"RPOP", 2, V(6, 2)},     {"RPUSHX", 3, V(4, 0)},    {"SPOP", 2, V(3, 2)},
	{"XSETID", 3, V(7, 0)},
};

// Options: refused as the command runs.
static const struct option_row {
	const char *name, *option;
	unsigned from; // first word that may be one
	uint16_t since;
} options[] = {
	{"SET", "KEEPTTL", 3, V(6, 0)},      {"SET", "PXAT", 3, V(6, 2)},
	{"SET", "EXAT", 3, V(6, 2)},         {"SET", "GET", 3, V(6, 2)},
	{"RESTORE", "REPLACE", 4, V(3, 0)},  {"RESTORE", "ABSTTL", 4, V(5, 0)},
	{"RESTORE", "IDLETIME", 4, V(5, 0)}, {"RESTORE", "FREQ", 4, V(5, 0)},
	{"XADD", "NOMKSTREAM", 2, V(6, 2)},  {"XADD", "MINID", 2, V(6, 2)},
	{"XADD", "LIMIT", 2, V(6, 2)},       {"XTRIM", "MINID", 2, V(6, 2)},
	{"XTRIM", "LIMIT", 2, V(6, 2)},      {"XGROUP", "ENTRIESREAD", 5, V(7, 0)},
	{"ZADD", "NX", 2, V(3, 0)},          {"ZADD", "XX", 2, V(3, 0)},
	{"ZADD", "CH", 2, V(3, 0)},          {"ZADD", "INCR", 2, V(3, 0)},
	{"ZADD", "GT", 2, V(6, 2)},          {"ZADD", "LT", 2, V(6, 2)},
	{"GEOADD", "NX", 2, V(6, 2)},        {"GEOADD", "XX", 2, V(6, 2)},
	{"GEOADD", "CH", 2, V(6, 2)},        {"FLUSHALL", "SYNC", 1, V(6, 2)},
	{"FLUSHDB", "SYNC", 1, V(6, 2)},     {"SCAN", "TYPE", 2, V(6, 0)},
	{"XPENDING", "IDLE", 3, V(6, 2)},    {"ZRANGE", "REV", 4, V(6, 2)},
	{"ZRANGE", "BYSCORE", 4, V(6, 2)},   {"ZRANGE", "BYLEX", 4, V(6, 2)},
	{"SCRIPT", "ASYNC", 2, V(6, 2)},     {"XINFO", "FULL", 3, V(6, 0)},
};

static bool is_too_new(uint16_t at, uint16_t since)
{
	return !since || since > at;
}

bool elder_knows(uint16_t at, struct span name)
{
	for (size_t i = 0; i < N(names); i++)
		if (span_caseeq(name, names[i].name))
			return !is_too_new(at, names[i].since);
	const struct command *c = command_find(name, (struct span){"", 0});
	return !c || !is_too_new(at, c->since_redis);
}

static bool sub_is_known(uint16_t at, const struct span *argv)
{
	for (size_t i = 0; i < N(subs); i++)
		if (span_caseeq(argv[0], subs[i].name) && span_caseeq(argv[1], subs[i].sub))
			return !is_too_new(at, subs[i].since);
	return true;
}

static bool count_is_known(uint16_t at, const struct span *argv, unsigned argc)
{
	for (size_t i = 0; i < N(counts); i++)
		if (span_caseeq(argv[0], counts[i].name) && argc > counts[i].most)
			return !is_too_new(at, counts[i].since);
	return true;
}

// Behind such a word come the elements.
static bool options_end(struct span name, struct span word)
{
	if (span_caseeq(name, "XADD"))
		return memchr(word.p, '-', word.len) || span_caseeq(word, "*");
	bool scores = span_caseeq(name, "ZADD") || span_caseeq(name, "GEOADD");
	return scores && word.len && strchr("+-.0123456789", word.p[0]);
}

static bool options_are_known(uint16_t at, const struct span *argv, unsigned argc)
{
	for (unsigned i = 1; i < argc; i++) {
		if (i > 1 && options_end(argv[0], argv[i]))
			break;
		for (size_t row = 0; row < N(options); row++)
			if (i >= options[row].from && is_too_new(at, options[row].since) &&
			    span_caseeq(argv[0], options[row].name) &&
			    span_caseeq(argv[i], options[row].option))
				return false;
	}
	return true;
}

// Value types, and the RDB version that brought them. Written here once more, since what sends
// payloads is what is tested.
static unsigned rdb_version_of(uint8_t type)
{
	if (type <= 4 || (type >= 9 && type <= 13))
		return 6;
	if (type == 14)
		return 7;
	if (type <= 7)
		return 8;
	return type == 15 ? 9 : 10;
}

static unsigned rdb_version_at(uint16_t at)
{
	if (at < V(3, 2))
		return 6;
	if (at < V(4, 0))
		return 7;
	if (at < V(5, 0))
		return 8;
	return at < V(7, 0) ? 9 : 11;
}

static const char *payload_trouble(uint16_t at, struct span payload)
{
	if (payload.len < 11)
		return NULL; // the server will say
	const uint8_t *footer = (const uint8_t *)payload.p + payload.len - 10;
	if ((unsigned)(footer[0] | footer[1] << 8) > rdb_version_at(at))
		return "ERR DUMP payload version or checksum are wrong";
	if (rdb_version_of((uint8_t)payload.p[0]) > rdb_version_at(at))
		return "ERR Bad data format";
	return NULL;
}

// As the releases put it: the words behind the name came with 4.0.10, other quotes with 7.0.
static void unknown_text(uint16_t at, struct span name, char *text)
{
	int len = name.len < 60 ? (int)name.len : 60;
	if (at < V(4, 0))
		snprintf(text, ELDER_TEXT_LEN, "ERR unknown command '%.*s'", len, name.p);
	else
		snprintf(text, ELDER_TEXT_LEN,
			 "ERR unknown command `%.*s`, with args beginning with: ", len, name.p);
}

static void lower_case(char *out, size_t out_len, struct span name)
{
	size_t n = name.len < out_len - 1 ? name.len : out_len - 1;
	for (size_t i = 0; i < n; i++)
		out[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]);
	out[n] = 0;
}

enum elder_verdict elder_judge(uint16_t at, const struct span *argv, unsigned argc, char *text)
{
	char name[64];
	if (!elder_knows(at, argv[0])) {
		unknown_text(at, argv[0], text);
		return ELDER_AT_QUEUEING;
	}
	if (!count_is_known(at, argv, argc)) {
		lower_case(name, sizeof(name), argv[0]);
		snprintf(text, ELDER_TEXT_LEN,
			 "ERR wrong number of arguments for '%s' command", name);
		return ELDER_AT_QUEUEING;
	}
	if (argc > 1 && !sub_is_known(at, argv)) {
		snprintf(text, ELDER_TEXT_LEN,
			 "ERR Unknown subcommand or wrong number of arguments for '%.*s'",
			 (int)(argv[1].len < 60 ? argv[1].len : 60), argv[1].p);
		return ELDER_AT_RUNNING;
	}
	if (!options_are_known(at, argv, argc)) {
		snprintf(text, ELDER_TEXT_LEN, "ERR syntax error");
		return ELDER_AT_RUNNING;
	}
	const char *trouble = argc > 3 && span_caseeq(argv[0], "RESTORE")
				      ? payload_trouble(at, argv[3])
				      : NULL;
	if (trouble)
		snprintf(text, ELDER_TEXT_LEN, "%s", trouble);
	return trouble ? ELDER_AT_RUNNING : ELDER_PASS;
}
