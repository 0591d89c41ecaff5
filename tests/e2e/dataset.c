// SPDX-License-Identifier: BSD-3-Clause
#include "tests/e2e/harness.h"

const char function_library[] = "#!lua name=flyover_test\n"
				"redis.register_function('put', function(keys, args)\n"
				"  redis.call('SET', keys[1], args[1])\n"
				"  return redis.call('RPUSH', keys[1] .. ':list', args[1])\n"
				"end)\n";

// ---- Many items in few commands: a test has other things to do than to send commands

#define ITEMS      100 // of a command
#define ITEM_WORDS 2
#define WORD_LEN   32

typedef unsigned item_words(unsigned i, char words[ITEM_WORDS][WORD_LEN]);

static unsigned far_number(unsigned i, char words[ITEM_WORDS][WORD_LEN])
{
	snprintf(words[0], WORD_LEN, "%u", i * 7919);
	return 1;
}

static unsigned number(unsigned i, char words[ITEM_WORDS][WORD_LEN])
{
	snprintf(words[0], WORD_LEN, "%u", i);
	return 1;
}

static unsigned text_and_number(unsigned i, char words[ITEM_WORDS][WORD_LEN])
{
	snprintf(words[0], WORD_LEN, "some-text-%u", i);
	snprintf(words[1], WORD_LEN, "%u", i);
	return 2;
}

static unsigned member(unsigned i, char words[ITEM_WORDS][WORD_LEN])
{
	snprintf(words[0], WORD_LEN, "member-%u", i);
	return 1;
}

static unsigned field_and_value(unsigned i, char words[ITEM_WORDS][WORD_LEN])
{
	snprintf(words[0], WORD_LEN, "field-%u", i);
	snprintf(words[1], WORD_LEN, "value-%u", i);
	return 2;
}

static unsigned score_and_member(unsigned i, char words[ITEM_WORDS][WORD_LEN])
{
	snprintf(words[0], WORD_LEN, "%.17g", i * 0.1);
	snprintf(words[1], WORD_LEN, "member-%u", i);
	return 2;
}

static unsigned short_field(unsigned i, char words[ITEM_WORDS][WORD_LEN])
{
	snprintf(words[0], WORD_LEN, "f%u", i);
	snprintf(words[1], WORD_LEN, "%u", i);
	return 2;
}

// a0 b0 c0 a3 b3 c3 ..
static unsigned letter(unsigned i, char words[ITEM_WORDS][WORD_LEN])
{
	snprintf(words[0], WORD_LEN, "%c%u", "abc"[i % 3], i - i % 3);
	return 1;
}

static unsigned score_and_letter(unsigned i, char words[ITEM_WORDS][WORD_LEN])
{
	snprintf(words[0], WORD_LEN, "%u", i);
	snprintf(words[1], WORD_LEN, "%c%u", "abc"[i % 3], i - i % 3);
	return 2;
}

static void queue_items(struct server *s, const char *verb, const char *key, unsigned n,
			item_words *words_of)
{
	char words[ITEMS][ITEM_WORDS][WORD_LEN];
	const char *argv[2 + ITEMS * ITEM_WORDS] = {verb, key};
	for (unsigned i = 0; i < n;) {
		int argc = 2;
		for (unsigned k = 0; k < ITEMS && i < n; k++, i++) {
			unsigned n_words = words_of(i, words[k]);
			for (unsigned w = 0; w < n_words; w++)
				argv[argc++] = words[k][w];
		}
		queue_argv(s, argc, argv, NULL);
	}
}

// ---- Types

static void strings_load(struct server *s)
{
	static const char *const numbers[] = {
		"0",
		"1",
		"-1",
		"127",
		"-128",
		"128",
		"32767",
		"-32768",
		"32768",
		"2147483647",
		"-2147483648",
		"2147483648",
		"9223372036854775807",
		"-9223372036854775808",
		"9223372036854775808",
		"007",
		"+1",
		"-0",
		"1.0",
		"1e5",
		" 1",
	};
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		queue(s, "SET number:%u %s", i, numbers[i]);
		queue(s, "SET %s %u", numbers[i], i); // a key that the snapshot packs as integer
	}
	queue(s, "SET string:embedded %s", "forty-four bytes or fewer lie in one piece");
	queue(s, "SETRANGE string:raw 300 x");
	queue(s, "SETRANGE string:zeros 70000 x"); // packs well
	queue(s, "SET string:empty %b", "", (size_t)0);
	queue(s, "SET %b %s", "", (size_t)0, "the empty key");
	queue(s, "SET %b %b", "\0\r\n\xff", (size_t)4, "\xff\0\r\n*1\r\n", (size_t)8);
	queue(s, "SETBIT bitmap 100003 1");
	queue(s, "BITFIELD bitfield SET u8 3 200 INCRBY i16 40 -7");
	for (unsigned i = 0; i < 3; i++)
		queue(s, "PFADD hll:sparse a%u b%u", i, i);
	queue_items(s, "PFADD", "hll:dense", 5000, far_number);
}

// n: items of what is large
static void lists_load(struct server *s, unsigned n)
{
	for (unsigned i = 0; i < 5; i++)
		queue(s, "RPUSH list:small item%u %u", i, i * 1000);
	queue_items(s, "RPUSH", "list:nodes", n, text_and_number);
	queue(s, "RPUSH list:binary %b %b", "", (size_t)0, "\r\n\0", (size_t)3);
	const char *big = text("%020000d", 7); // a node of its own
	queue(s, "RPUSH list:plain before %s after", big);
}

static void sets_load(struct server *s, unsigned n)
{
	for (int i = -3; i < 4; i++) {
		queue(s, "SADD set:ints16 %d", i * 1000);
		queue(s, "SADD set:ints32 %d", i * 100000);
		queue(s, "SADD set:ints64 %lld", i * 10000000000ll);
		queue(s, "SADD set:texts text%d", i);
	}
	queue_items(s, "SADD", "set:table", n, member);
	queue_items(s, "SADD", "set:many-ints", n, number);
	queue(s, "SADD set:binary %b %b", "", (size_t)0, "\n\0\r", (size_t)3);
}

static void hashes_load(struct server *s, unsigned n)
{
	for (unsigned i = 0; i < 6; i++)
		queue(s, "HSET hash:small field%u %u", i, i * 77);
	queue_items(s, "HSET", "hash:table", n, field_and_value);
	queue(s, "HSET hash:long field %s", text("%0200d", 5));
	queue(s, "HSET hash:binary %b %b", "", (size_t)0, "\0\r\n", (size_t)3);
}

static void zsets_load(struct server *s, unsigned n)
{
	for (int i = -5; i < 6; i++)
		queue(s, "ZADD zset:small %d.25 member%d", i, i);
	queue_items(s, "ZADD", "zset:skiplist", n, score_and_member);
	for (int many = 0; many < 2; many++) {
		const char *key = many ? "zset:edges-skiplist" : "zset:edges";
		queue(s, "ZADD %s +inf high -inf low 0 zero", key);
		queue(s, "ZADD %s 1.7976931348623157e308 max 4.9406564584124654e-324 least", key);
		queue(s, "ZADD %s 3.1415926535897931 pi 9007199254740993 odd", key);
		if (many) // packed, a server forgets the sign of zero
			queue(s, "ZADD %s -0.0 minus", key);
		for (unsigned i = 0; many && i < 300; i++)
			queue(s, "ZADD %s %u filler%u", key, i, i);
	}
	queue(s, "GEOADD geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania");
}

static void streams_load(struct server *s)
{
	queue(s, "XADD stream:one 1-1 field value");
	queue(s, "XADD stream:empty 5-5 gone soon");
	queue(s, "XDEL stream:empty 5-5");
	queue(s, "XGROUP CREATE stream:none group 0 MKSTREAM");
	for (unsigned i = 1; i <= 700; i++)
		queue(s, "XADD stream:groups %u-%u same %u other%u %s", i, i % 3, i, i % 5, "text");
	queue(s, "XDEL stream:groups 10-1 11-2 350-2");
	queue(s, "XGROUP CREATE stream:groups first 0");
	queue(s, "XGROUP CREATE stream:groups second 300-0 ENTRIESREAD 299");
	queue(s, "XREADGROUP GROUP first alice COUNT 20 STREAMS stream:groups >");
	queue(s, "XREADGROUP GROUP first bob COUNT 7 STREAMS stream:groups >");
	queue(s, "XREADGROUP GROUP second carol COUNT 3 STREAMS stream:groups >");
	queue(s, "XGROUP CREATECONSUMER stream:groups second idle");
	queue(s, "XACK stream:groups first 1-1 2-2 22-1");
	queue(s, "XCLAIM stream:groups first bob 0 3-0 4-1 RETRYCOUNT 9");
	queue(s, "XADD stream:binary 9-0 %b %b", "", (size_t)0, "\0\r\n", (size_t)3);
	queue(s, "XTRIM stream:groups MINID 5");
}

static void expiries_load(struct server *s)
{
	queue(s, "SET ttl:far value PXAT 4102444800123");
	queue(s, "SET ttl:hour value EX 3600");
	queue(s, "SET ttl:soon value EX 600");
	for (unsigned i = 0; i < 50; i++)
		queue(s, "SET ttl:%u value EX %u", i, 1000 + i);
	for (unsigned i = 0; i < 40; i++)
		queue(s, "RPUSH ttl:list a%u", i);
	queue(s, "EXPIRE ttl:list 5000");
	queue(s, "HSET ttl:hash a b");
	queue(s, "PEXPIRE ttl:hash 7654321");
	queue(s, "ZADD ttl:zset 1 a");
	queue(s, "EXPIREAT ttl:zset 4102444800");
	queue(s, "SADD ttl:set 1 2 3");
	queue(s, "EXPIRE ttl:set 86400");
	queue(s, "XADD ttl:stream 1-1 a b");
	queue(s, "EXPIRE ttl:stream 86400");
}

void dataset_load(struct server *s)
{
	static const int databases[] = {0, 3, 9, 15};

	for (unsigned i = 0; i < 4; i++) {
		unsigned n = i ? 700 : 3000; // both past what a server packs
		select_db(s, databases[i]);
		strings_load(s);
		lists_load(s, n);
		sets_load(s, n);
		hashes_load(s, n);
		zsets_load(s, n);
		streams_load(s);
		expiries_load(s);
		queue(s, "SET only-in:%u here", i);
	}
	select_db(s, 0);
	run(s, "FUNCTION LOAD REPLACE %s", function_library);
}

void dataset_load_big(struct server *s)
{
	select_db(s, 0);
	size_t len = 5u << 20;
	char *bytes = malloc(len);
	uint32_t seed = 1;
	assert_non_null(bytes);
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (char)(seed >> 24);
	}
	run(s, "SET big:string %b", bytes, len);
	free(bytes);
	queue_items(s, "RPUSH", "big:list", 200000, number);
	queue_items(s, "HSET", "big:hash", 100000, short_field);
	queue_items(s, "ZADD", "big:zset", 60000, score_and_letter);
	queue_items(s, "SADD", "big:set", 60000, letter);
	for (unsigned i = 1; i <= 40000; i++)
		queue(s, "XADD big:stream %u-0 field %u", i, i);
	queue(s, "EXPIRE big:hash 90000");
	queue_flush(s);
}

void dataset_load_strings(struct server *s, const char *prefix, unsigned n, unsigned len)
{
	const char *value = text("%0*d", (int)len, 0);

	for (unsigned i = 0; i < n; i++)
		queue(s, "SET %s:%u %b", prefix, i, value, (size_t)len);
	queue_flush(s);
}
