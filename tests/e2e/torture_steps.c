// SPDX-License-Identifier: BSD-3-Clause
// What the workload of the torture writes: client_step() -> one of `steps`. The seed decides every
// command; what the server makes of them, and how the connections' commands meet there, is its own
// affair.
#include "tests/e2e/torture_steps.h"

#include <string.h>

#define KEYS 24 // of each kind, in each database

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

	return (struct value){c->bytes + below(c, (unsigned)(VALUE_MAX - len) + 1), len};
}

// A value of a container: small, so that many of them stay small.
static struct value element(struct client *c)
{
	size_t len = below(c, 100) ? below(c, 20) : below(c, 3000);

	return (struct value){c->bytes + below(c, VALUE_MAX - 3000), len};
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

void client_select(struct client *c)
{
	static const unsigned databases[] = {0, 0, 1, 5};
	unsigned db = databases[below(c, 4)];

	if (c->habits & WRITES_ONE_DATABASE)
		return;
	c->db = db;
	say(c, "SELECT %u", c->db);
}

static void step_transaction(struct client *c)
{
	unsigned n = 1 + below(c, 6);

	say(c, "MULTI");
	while (n--) {
		unsigned dice = below(c, 12);
		if (dice == 0)
			client_select(c);
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

// Keys that are changed, or live on, shortly before they would have gone. The target loses such a
// key if it got the expiry in time and what comes after late; so both are written while no link
// runs, under names of their own each time.
static void step_reprieve(struct client *c)
{
	unsigned k = key(c), n = c->gap;

	if (!n)
		return;
	switch (below(c, 4)) {
	case 0:
		say(c, "RPUSH late:%u:%u %u", n, k, below(c, 100));
		say(c, "PEXPIRE late:%u:%u %u", n, k, 20 + below(c, 800));
		break;
	case 1:
		say(c, "RPUSH late:%u:%u %u", n, k, below(c, 100));
		break;
	case 2:
		say(c, "PERSIST late:%u:%u", n, k);
		break;
	default:
		say(c, "PEXPIRE late:%u:%u %u", n, k, 20 + below(c, 800));
	}
}

static void step_flush(struct client *c)
{
	static const char *const kinds[] = {"s", "l", "h", "z", "e"};
	unsigned dice = below(c, 40);

	if (dice > 1 && c->habits & WRITES_ONE_DATABASE)
		return;
	switch (dice) {
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
	{step_reprieve, 12, 0},
	{step_flush, 1, WRITES_FLUSHES},
};

void client_step(struct client *c)
{
	unsigned dice = below(c, 130), n = sizeof(steps) / sizeof(*steps);

	if (below(c, 40) == 0)
		client_select(c);
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
