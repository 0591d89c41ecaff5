// SPDX-License-Identifier: BSD-3-Clause
// The workload of the torture: several connections that write to a redis-server until SIGTERM.
//
//   torture_writer PORT SEED CONNECTIONS HABITS
//
// main() -> burst_write() -> step() -> one of `steps`. The seed decides every command; what the
// server makes of them, and how the connections' commands meet there, is its own affair. The last
// line says how many commands were answered, and which refusal was not expected.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <hiredis/hiredis.h>

#include "tests/e2e/torture_random.h"
#include "tests/e2e/torture_writer.h"

#define CONNECTIONS_MAX 8
#define BURST           12 // steps of a connection between two looks at its answers
#define KEYS            24 // of each kind, in each database
#define VALUE_MAX       (4u << 20)

struct client {
	redisContext *redis;
	struct random random;
	unsigned habits, port;
	unsigned queued; // commands whose answer was not read yet
	unsigned db;
};

static struct {
	volatile sig_atomic_t stop_wanted;
	unsigned long long answered, refused;
	char refusal[200];
	char bytes[VALUE_MAX + 1]; // values are pieces of it
} writer;

static void stop_want(int signal_number)
{
	writer.stop_wanted = 1;
}

// A command, in the format of hiredis. It does not know %c.
static void say(struct client *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	redisvAppendCommand(c->redis, format, args);
	va_end(args);
	c->queued++;
}

static unsigned below(struct client *c, unsigned n)
{
	return random_below(&c->random, n);
}

static unsigned key(struct client *c)
{
	return below(c, KEYS);
}

// ---- Values

struct value {
	const char *p;
	size_t len;
};

static size_t value_len(struct client *c)
{
	unsigned dice = below(c, 10000);
	bool heavy = c->habits & WRITES_HEAVY;

	if (c->habits & WRITES_GIANTS && dice == 0)
		return VALUE_MAX - below(c, 1000);
	if (dice < (heavy ? 100 : 5))
		return below(c, 300000);
	if (dice < (heavy ? 1000 : 100))
		return below(c, 30000);
	if (dice < 1000)
		return below(c, 2000);
	return dice < 1300 ? 0 : 1 + below(c, 60);
}

static struct value value(struct client *c)
{
	size_t len = value_len(c);

	return (struct value){writer.bytes + below(c, (unsigned)(VALUE_MAX - len) + 1), len};
}

// A value of a container: small, so that many of them stay small.
static struct value element(struct client *c)
{
	size_t len = below(c, 100) ? below(c, 20) : below(c, 3000);

	return (struct value){writer.bytes + below(c, VALUE_MAX - 3000), len};
}

// ---- Steps: what is done twice shows

static void step_count(struct client *c)
{
	say(c, "INCR n:%u", key(c));
	say(c, "DECRBY n:%u %u", key(c), below(c, 1000));
	say(c, "INCRBYFLOAT f:%u %u.%u", key(c), below(c, 100), below(c, 100));
}

static void step_append(struct client *c)
{
	struct value v = value(c);
	unsigned k = key(c);

	if (below(c, 6) == 0)
		say(c, "SET s:%u %s", k, "");
	say(c, "APPEND s:%u %b", k, v.p, v.len);
}

static void step_list(struct client *c)
{
	struct value v = element(c);
	unsigned k = key(c), other = key(c);

	say(c, "RPUSH l:%u %u %b", k, below(c, 30), v.p, v.len);
	say(c, "LPUSH l:%u %b %u", other, v.p, v.len, below(c, 30));
	switch (below(c, 7)) {
	case 0:
		say(c, "LPOP l:%u %u", k, below(c, 4));
		break;
	case 1:
		say(c, "LINSERT l:%u BEFORE %u x%u", k, below(c, 30), below(c, 100));
		break;
	case 2:
		say(c, "LTRIM l:%u -40 -1", other);
		break;
	case 3:
		say(c, "LMOVE l:%u l:%u LEFT RIGHT", k, other);
		break;
	case 4:
		say(c, "LREM l:%u 1 %u", k, below(c, 30));
		break;
	case 5:
		say(c, "RPOPLPUSH l:%u l:%u", k, k);
		break;
	default:
		say(c, "LPUSHX l:%u once", k);
		say(c, "LTRIM l:%u 0 60", k);
	}
}

static void step_hash(struct client *c)
{
	struct value v = element(c);
	unsigned k = key(c);

	say(c, "HINCRBY h:%u n%u %u", k, below(c, 9), below(c, 100));
	say(c, "HSET h:%u f%u %b", k, below(c, 140), v.p, v.len);
	if (below(c, 3) == 0)
		say(c, "HDEL h:%u f%u f%u", k, below(c, 140), below(c, 140));
	if (below(c, 3) == 0)
		say(c, "HINCRBYFLOAT h:%u d%u 0.%u", k, below(c, 5), below(c, 1000));
	if (below(c, 9) == 0)
		say(c, "HSETNX h:%u n%u 5", k, below(c, 9));
}

static void step_sorted(struct client *c)
{
	unsigned k = key(c);

	say(c, "ZINCRBY z:%u %u.5 m%u", k, below(c, 50), below(c, 150));
	if (below(c, 4) == 0)
		say(c, "ZADD z:%u GT CH %u m%u %u m%u", k, below(c, 500), below(c, 150),
		    below(c, 500), below(c, 150));
	if (below(c, 5) == 0)
		say(c, "ZPOPMIN z:%u 2", k);
	if (below(c, 9) == 0)
		say(c, "ZREMRANGEBYRANK z:%u 0 %u", k, below(c, 20));
	if (below(c, 9) == 0)
		say(c, "ZRANGESTORE z:%u z:%u 0 %u", key(c), k, below(c, 50));
}

static void step_set(struct client *c)
{
	unsigned k = key(c);

	say(c, "SADD e:%u %u %u x%u", k, below(c, 700), below(c, 300), below(c, 40));
	if (below(c, 3) == 0)
		say(c, "SPOP e:%u %u", k, below(c, 4));
	if (below(c, 5) == 0)
		say(c, "SREM e:%u %u", k, below(c, 300));
	if (below(c, 5) == 0)
		say(c, "SMOVE e:%u e:%u %u", k, key(c), below(c, 300));
	if (below(c, 9) == 0)
		say(c, "SUNIONSTORE e:%u e:%u e:%u", key(c), k, key(c));
	if (below(c, 9) == 0)
		say(c, "SDIFFSTORE e:%u e:%u e:%u", key(c), k, key(c));
}

static const char xdel_first[] =
	"local r = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1) "
	"if r[1] then redis.call('XDEL', KEYS[1], r[1][1]) end";

static void step_stream(struct client *c)
{
	unsigned k = key(c) % 8;

	say(c, "XADD x:%u * f %u g %u", k, below(c, 100000), below(c, 10));
	switch (below(c, 12)) {
	case 0:
		say(c, "XTRIM x:%u MAXLEN %u", k, below(c, 60));
		break;
	case 1:
		say(c, "XADD x:%u MAXLEN ~ 50 * h %u", k, below(c, 100));
		break;
	case 2:
		say(c, "EVAL %s 1 x:%u", xdel_first, k);
		break;
	case 3:
		say(c, "XGROUP CREATE x:%u g%u 0 MKSTREAM", k, below(c, 3));
		break;
	case 4:
		say(c, "XREADGROUP GROUP g%u me%u COUNT 3 STREAMS x:%u >", below(c, 3), below(c, 2),
		    k);
		break;
	case 5:
		say(c, "XAUTOCLAIM x:%u g%u me%u 0 0 COUNT 2", k, below(c, 3), below(c, 2));
		break;
	case 6:
		if (below(c, 5) == 0)
			say(c, "DEL x:%u", k);
		break;
	default:
		break;
	}
}

static void step_string(struct client *c)
{
	struct value v = value(c);
	unsigned k = key(c);

	switch (below(c, 8)) {
	case 0:
		say(c, "SETRANGE s:%u %u %b", k, below(c, 300), v.p, v.len < 999 ? v.len : 999);
		break;
	case 1:
		say(c, "GETDEL s:%u", k);
		break;
	case 2:
		say(c, "GETSET s:%u %u", k, below(c, 100));
		break;
	case 3:
		say(c, "SETBIT bits:%u %u %u", k, below(c, 9000), below(c, 2));
		say(c, "BITOP XOR bits:%u bits:%u bits:%u", k, k, key(c));
		break;
	case 4:
		say(c, "PFADD hll:%u %u %u", k % 4, below(c, 9999), below(c, 99));
		break;
	case 5:
		say(c, "SET s:%u %b NX", k, v.p, v.len);
		break;
	default:
		say(c, "SET s:%u %b", k, v.p, v.len);
	}
}

static void step_several(struct client *c)
{
	static const char *const kinds[] = {"s", "l", "h", "z", "e", "n", "f"};
	const char *kind = kinds[below(c, 7)];
	unsigned k = key(c), other = key(c);

	switch (below(c, 6)) {
	case 0:
		say(c, "RENAME %s:%u %s:%u", kind, k, kind, other);
		break;
	case 1:
		say(c, "COPY %s:%u %s:%u REPLACE", kind, k, kind, other);
		break;
	case 2:
		say(c, "RENAMENX %s:%u %s:%u", kind, k, kind, other);
		break;
	case 3:
		say(c, "MSET s:%u %u s:%u %u s:%u %u", k, k, other, below(c, 99), key(c), k);
		break;
	case 4:
		say(c, "MSETNX once:%u 1 once:%u 2", k, other);
		break;
	default:
		say(c, "DEL %s:%u once:%u", kind, k, other);
	}
}

static const char move_one[] =
	"local v = redis.call('RPOP', KEYS[1]) "
	"if v then redis.call('LPUSH', KEYS[2], v) end "
	"redis.call('INCRBY', KEYS[3], ARGV[1]) "
	"redis.call('APPEND', KEYS[4], ARGV[1]) "
	"return redis.call('HINCRBY', KEYS[5], 'n1', 1)";

static void step_script(struct client *c)
{
	say(c, "EVAL %s 5 l:%u l:%u n:%u s:%u h:%u %u", move_one, key(c), key(c), key(c), key(c),
	    key(c), below(c, 99));
}

static void select_other(struct client *c)
{
	static const unsigned databases[] = {0, 0, 1, 5};

	c->db = databases[below(c, 4)];
	say(c, "SELECT %u", c->db);
}

static void step_transaction(struct client *c)
{
	unsigned n = 1 + below(c, 6);

	say(c, "MULTI");
	while (n--) {
		unsigned dice = below(c, 12);
		if (dice == 0)
			select_other(c);
		say(c, "INCR n:%u", key(c));
		say(c, "RPUSH l:%u t%u", key(c), below(c, 100));
		say(c, "LTRIM l:%u -50 -1", key(c));
		if (dice == 1)
			say(c, "RENAME s:%u s:%u", key(c), key(c));
		if (dice == 2)
			say(c, "EVAL %s 5 l:%u l:%u n:%u s:%u h:%u 7", move_one, key(c), key(c),
			    key(c), key(c), key(c));
		if (dice == 3)
			say(c, "EXPIRE n:%u 3000", key(c));
	}
	say(c, below(c, 12) ? "EXEC" : "DISCARD");
}

// Expiries beyond the end of the test, on keys that go on changing; and brief ones on keys that are
// but set.
static void step_expiry(struct client *c)
{
	static const char *const kinds[] = {"s", "l", "h", "z", "e", "n"};
	const char *kind = kinds[below(c, 6)];

	switch (below(c, 7)) {
	case 0:
		say(c, "EXPIRE %s:%u %u", kind, key(c), 3000 + below(c, 9000));
		break;
	case 1:
		say(c, "PERSIST %s:%u", kind, key(c));
		break;
	case 2:
		say(c, "SET s:%u x KEEPTTL", key(c));
		say(c, "GETEX s:%u EX 5000", key(c));
		break;
	case 3:
		say(c, "PEXPIREAT %s:%u 1", kind, key(c));
		break;
	case 4:
		say(c, "EXPIRE %s:%u 4000 GT", kind, key(c));
		break;
	default:
		say(c, "SET brief:%u %u PX %u", key(c), below(c, 100), 1 + below(c, 1500));
		say(c, "SETEX brief:%u 1 %u", key(c), below(c, 100));
	}
}

// Keys that are changed, or live on, shortly before they would have gone.
static void step_reprieve(struct client *c)
{
	unsigned k = key(c);

	switch (below(c, 4)) {
	case 0:
		say(c, "RPUSH late:%u %u", k, below(c, 100));
		say(c, "PEXPIRE late:%u %u", k, 20 + below(c, 800));
		break;
	case 1:
		say(c, "RPUSH late:%u %u", k, below(c, 100));
		break;
	case 2:
		say(c, "PERSIST late:%u", k);
		break;
	default:
		say(c, "PEXPIRE late:%u %u", k, 20 + below(c, 800));
	}
}

static void step_flush(struct client *c)
{
	static const char *const kinds[] = {"s", "l", "h", "z", "e"};

	switch (below(c, 40)) {
	case 0:
		say(c, "FLUSHDB");
		break;
	case 1:
		say(c, "FLUSHALL");
		break;
	case 2:
	case 3:
		say(c, "SWAPDB %u %u", 1 + below(c, 5), below(c, 2) * 5);
		break;
	default:
		say(c, "MOVE %s:%u %u", kinds[below(c, 5)], key(c), 5 - c->db);
	}
}

static const char library[] =
	"#!lua name=torture\n"
	"redis.register_function('twice', function(keys, args) "
	"redis.call('INCR', keys[1]) return redis.call('INCRBY', keys[2], args[1]) end)";

static void step_function(struct client *c)
{
	if (below(c, 10) == 0)
		say(c, "FUNCTION LOAD REPLACE %s", library);
	else if (below(c, 60) == 0)
		say(c, "FUNCTION DELETE torture");
	else
		say(c, "FCALL twice 2 n:%u n:%u %u", key(c), key(c), below(c, 9));
}

static void step_idempotent(struct client *c)
{
	struct value v = value(c), e = element(c);
	unsigned k = key(c);

	switch (below(c, 6)) {
	case 0:
		say(c, "DEL s:%u h:%u", k, key(c));
		break;
	case 1:
		say(c, "HSET h:%u f%u %b", k, below(c, 50), e.p, e.len);
		break;
	case 2:
		say(c, "SADD e:%u %u", k, below(c, 500));
		break;
	case 3:
		say(c, "ZADD z:%u %u m%u", k, below(c, 99), below(c, 99));
		break;
	default:
		say(c, "SET s:%u %b", k, v.p, v.len);
	}
}

// How often, and what must be asked for.
static const struct {
	void (*run)(struct client *c);
	unsigned weight;
	enum writer_habit only;
} steps[] = {
	{step_count, 14, 0},
	{step_append, 10, 0},
	{step_list, 16, 0},
	{step_hash, 10, 0},
	{step_sorted, 10, 0},
	{step_set, 10, 0},
	{step_stream, 8, 0},
	{step_string, 10, 0},
	{step_several, 6, 0},
	{step_script, 4, 0},
	{step_transaction, 8, 0},
	{step_expiry, 6, 0},
	{step_function, 2, 0},
	{step_reprieve, 6, WRITES_REPRIEVES},
	{step_flush, 1, WRITES_FLUSHES},
};

static void step(struct client *c)
{
	unsigned dice = below(c, 130), n = sizeof(steps) / sizeof(*steps);

	if (below(c, 40) == 0)
		select_other(c);
	if (c->habits & WRITES_IDEMPOTENT) {
		step_idempotent(c);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		if (dice < steps[i].weight) {
			if (!steps[i].only || c->habits & steps[i].only)
				steps[i].run(c);
			return;
		}
		dice -= steps[i].weight;
	}
}

// ---- Answers

// What a server that is going away or coming back says, and what some steps provoke.
static bool refusal_is_expected(const char *text)
{
	static const char *const expected[] = {
		"LOADING", "BUSYGROUP", "NOGROUP", "MASTERDOWN", "READONLY", "no such key",
		"The XGROUP subcommand", "Function not found", "Library not found", "MISCONF",
		"source and destination objects are the same", "offset is out of range",
		"EXECABORT",
	};

	for (unsigned i = 0; i < sizeof(expected) / sizeof(*expected); i++)
		if (strstr(text, expected[i]))
			return true;
	return false;
}

static void answer_judge(const redisReply *r)
{
	writer.answered++;
	for (size_t i = 0; r->type == REDIS_REPLY_ARRAY && i < r->elements; i++)
		if (r->element[i]->type == REDIS_REPLY_ERROR)
			answer_judge(r->element[i]);
	if (r->type != REDIS_REPLY_ERROR || refusal_is_expected(r->str))
		return;
	if (!writer.refused++)
		snprintf(writer.refusal, sizeof(writer.refusal), "%s", r->str);
}

static void client_close(struct client *c)
{
	redisFree(c->redis);
	c->redis = NULL;
	c->queued = 0;
}

static void answers_read(struct client *c)
{
	while (c->redis && c->queued) {
		void *reply = NULL;
		if (redisGetReply(c->redis, &reply) != REDIS_OK) {
			client_close(c);
			return;
		}
		answer_judge(reply);
		freeReplyObject(reply);
		c->queued--;
	}
}

static void client_open(struct client *c)
{
	struct timeval timeout = {.tv_sec = 30};

	c->redis = redisConnect("127.0.0.1", (int)c->port);
	if (c->redis && c->redis->err)
		client_close(c);
	if (!c->redis)
		return;
	redisSetTimeout(c->redis, timeout);
	c->db = 0;
	select_other(c);
}

// Send all of what is queued, so that the server works on it while others are served.
static void burst_send(struct client *c)
{
	int done = 0;

	while (c->redis && !done)
		if (redisBufferWrite(c->redis, &done) != REDIS_OK)
			client_close(c);
}

static void round_write(struct client *clients, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct client *c = &clients[i];
		if (!c->redis)
			client_open(c);
		unsigned burst = c->habits & WRITES_CALMLY ? 2 : BURST;
		for (unsigned k = 0; c->redis && k < burst; k++)
			step(c);
		burst_send(c);
	}
	for (unsigned i = 0; i < n; i++)
		answers_read(&clients[i]);
}

int main(int argc, char **argv)
{
	const struct timespec pause = {.tv_nsec = 4000000};
	static struct client clients[CONNECTIONS_MAX];

	if (argc != 5)
		return 2;
	uint64_t seed = strtoull(argv[2], NULL, 10);
	unsigned n = (unsigned)strtoul(argv[3], NULL, 10);
	struct random random = random_of(seed, 1000);
	for (size_t i = 0; i + 8 <= sizeof(writer.bytes); i += 8)
		memcpy(writer.bytes + i, &(uint64_t){random_next(&random)}, 8);
	for (unsigned i = 0; i < n && i < CONNECTIONS_MAX; i++) {
		clients[i].port = (unsigned)strtoul(argv[1], NULL, 10);
		clients[i].random = random_of(seed, i);
		clients[i].habits = (unsigned)strtoul(argv[4], NULL, 10);
	}
	signal(SIGTERM, stop_want);
	signal(SIGPIPE, SIG_IGN);
	puts("ready");
	fflush(stdout);
	while (!writer.stop_wanted) {
		round_write(clients, n < CONNECTIONS_MAX ? n : CONNECTIONS_MAX);
		nanosleep(&pause, NULL);
	}
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
		if (clients[i].redis)
			client_close(&clients[i]);
	printf("%llu answered, %llu refused %s\n", writer.answered, writer.refused, writer.refusal);
	return writer.refused ? 1 : 0;
}
