// SPDX-License-Identifier: BSD-3-Clause
// Raw bodies with our footer, and elements sent as commands, against a real redis-server (7.0 on
// Debian 12; skipped where there is none): every key must read back the same from
//
//   db 0   written by commands, saved by the server      (its own data set only)
//   db 9   RDB_RAW -> RESTORE
//   db 8   elements -> RPUSH, SADD, HSET, ZADD, XADD
#include "tests/unit/rdb_feed.h"
#include "tests/unit/rdb_gen.h"
#include "tests/unit/rdb_server.h"

struct sender {
	redisContext *rc;
	char key[256]; // of the big value being sent
	size_t key_len;
	enum rdb_kind kind;
	int n_values;
};

static void send_pair(struct sender *s, const char *verb, struct span a, struct span b)
{
	command(s->rc, b.p ? 4 : 3, (const char *[]){verb, s->key, a.p, b.p},
		(size_t[]){strlen(verb), s->key_len, a.len, b.len});
}

static void send_entry(struct sender *s, const struct rdb_event *ev)
{
	struct rdb_field field[64];
	struct rdb_fields fields = ev->fields;
	const char *argv[3 + 128] = {"XADD", s->key};
	size_t lens[3 + 128] = {4, s->key_len};
	char id[48];
	int n = 3;

	assert_true(fields.n <= 64);
	lens[2] = (size_t)snprintf(id, sizeof(id), "%llu-%llu", (unsigned long long)ev->id.ms,
				   (unsigned long long)ev->id.seq);
	argv[2] = id;
	for (int i = 0; rdb_fields_next(&fields, &field[i]); i++) {
		argv[n] = field[i].name.p;
		lens[n++] = field[i].name.len;
		argv[n] = field[i].value.p;
		lens[n++] = field[i].value.len;
	}
	command(s->rc, n, argv, lens);
}

// A stream may be empty, so it is made before its first entry.
static void stream_create(struct sender *s)
{
	command(s->rc, 6, (const char *[]){"XGROUP", "CREATE", s->key, "made", "0", "MKSTREAM"},
		(size_t[]){6, 6, s->key_len, 4, 1, 8});
	command(s->rc, 4, (const char *[]){"XGROUP", "DESTROY", s->key, "made"},
		(size_t[]){6, 7, s->key_len, 4});
}

static void on_raw(void *arg, const struct rdb_reader *r, const struct rdb_event *ev)
{
	struct sender *s = arg;

	if (ev->kind != RDB_RAW)
		return;
	restore(s->rc, ev);
	s->n_values++;
}

static void on_element(void *arg, const struct rdb_reader *r, const struct rdb_event *ev)
{
	struct sender *s = arg;
	const struct span none = {NULL, 0};

	switch (ev->kind) {
	case RDB_BIG_BEGIN:
		assert_true(ev->key.len <= sizeof(s->key));
		memcpy(s->key, ev->key.p, ev->key.len);
		s->key_len = ev->key.len;
		s->n_values++;
		if (ev->value_kind == RDB_KIND_STREAM)
			stream_create(s);
		break;
	case RDB_LIST_ITEM:
		send_pair(s, "RPUSH", ev->value, none);
		break;
	case RDB_SET_ITEM:
		send_pair(s, "SADD", ev->value, none);
		break;
	case RDB_HASH_ITEM:
		send_pair(s, "HSET", ev->field, ev->value);
		break;
	case RDB_ZSET_ITEM:
		send_pair(s, "ZADD", ev->value, ev->field);
		break;
	case RDB_STREAM_ENTRY:
		send_entry(s, ev);
		break;
	default:
		break;
	}
}

// The file's values into the selected database. Returns how many.
static int load(redisContext *rc, struct span file, bool elements)
{
	struct sender s = {.rc = rc};
	struct feeder f = {.set = FEED_SETTINGS, .how = FEED_RANDOM, .seed = 3, .arg = &s};

	f.set.elements = elements;
	f.seen = elements ? on_element : on_raw;
	f.set.big_len = f.set.window_len;
	f.set.scratch_len *= 4;
	feed_run(&f, file);
	assert_int_equal(f.result, RDB_DONE);
	return s.n_values;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_reply(FILE *out, const redisReply *reply)
{
	// ZADD stores the score -0 as 0 in a small zset, RESTORE leaves it as it is.
	size_t from = reply->type == REDIS_REPLY_STRING && strcmp(reply->str, "-0") == 0;

	if (reply->type == REDIS_REPLY_STRING)
		for (size_t i = from; i < reply->len; i++)
			fprintf(out, "%02x", (unsigned char)reply->str[i]);
	for (size_t i = 0; i < reply->elements; i++) {
		fputc(' ', out);
		print_reply(out, reply->element[i]);
	}
}

// All of a key as text. Sets, hashes: `unit` replies at a time, sorted.
static char *key_text(redisContext *rc, const char *key, size_t key_len)
{
	static const struct {
		const char *type, *read;
		size_t unit;
	} reads[] = {{"list", "LRANGE %b 0 -1", 0},
		     {"set", "SMEMBERS %b", 1},
		     {"hash", "HGETALL %b", 2},
		     {"zset", "ZRANGE %b 0 -1 WITHSCORES", 0},
		     {"stream", "XRANGE %b - +", 0}};
	redisReply *type = redisCommand(rc, "TYPE %b", key, key_len), *reply = NULL;
	char *text, *units[3000];
	size_t len, unit = 0, n = 0;

	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++)
		if (strcmp(type->str, reads[i].type) == 0) {
			reply = redisCommand(rc, reads[i].read, key, key_len);
			unit = reads[i].unit;
		}
	if (reply == NULL)
		fail_msg("key %s of type %s", key, type->str);
	freeReplyObject(type);
	for (size_t i = 0; unit && i < reply->elements; i += unit) {
		FILE *out = open_memstream(&units[n], &len);

		assert_true(++n < sizeof(units) / sizeof(units[0]));
		for (size_t j = 0; j < unit; j++) {
			fputc(' ', out);
			print_reply(out, reply->element[i + j]);
		}
		fclose(out);
	}
	FILE *out = open_memstream(&text, &len);

	qsort(units, n, sizeof(units[0]), by_text);
	for (size_t i = 0; i < n; i++) {
		fputs(units[i], out);
		free(units[i]);
	}
	if (unit == 0)
		print_reply(out, reply);
	fclose(out);
	freeReplyObject(reply);
	return text;
}

static void databases_compare(redisContext *rc, int a, int b)
{
	char select[2][16];

	snprintf(select[0], sizeof(select[0]), "SELECT %d", a);
	snprintf(select[1], sizeof(select[1]), "SELECT %d", b);
	say(rc, select[0]);
	redisReply *keys = redisCommand(rc, "KEYS *");

	assert_true(keys->elements > 0);
	for (size_t i = 0; i < keys->elements; i++) {
		const redisReply *key = keys->element[i];
		char *text[2];

		for (int j = 0; j < 2; j++) {
			say(rc, select[j]);
			text[j] = key_text(rc, key->str, key->len);
		}
		if (strcmp(text[0], text[1]) != 0)
			fail_msg("key %s differs: %s in database %d, %s in %d", key->str, text[0],
				 a, text[1], b);
		free(text[0]);
		free(text[1]);
	}
	freeReplyObject(keys);
}

// A value of each type and encoding that the server knows.
static const char *const data_set[] = {
	"RPUSH list:small a 1 -5 300 70000 5000000000",
	"EVAL for\\ i=1,2000\\ do\\ redis.call('rpush','list:big','item-'..i)\\ end 0",
	"SADD set:ints 1 -2 70000",
	"SADD set:text a b 3",
	"EVAL for\\ i=1,600\\ do\\ redis.call('sadd','set:big','m'..i)\\ end 0",
	"HSET hash:small f v n 12 e -4096",
	"EVAL for\\ i=1,600\\ do\\ redis.call('hset','hash:big','f'..i,i)\\ end 0",
	"ZADD zset:small 1 a 2.5 b -inf c inf d 0.1 e -0 f",
	"EVAL for\\ i=1,600\\ do\\ redis.call('zadd','zset:big',i/7,'m'..i)\\ end 0",
	"XADD stream 1-1 name value",
	"XADD stream 1-2 name other n2 12",
	"XADD stream 5-0 name last",
	"XADD stream 6-0 name gone",
	"XDEL stream 6-0",
	"XGROUP CREATE stream g 0",
};

static void data_set_write(redisContext *rc)
{
	for (size_t i = 0; i < sizeof(data_set) / sizeof(data_set[0]); i++) {
		const char *argv[16];
		size_t lens[16];
		char words[256], *p = words;
		int n = 0;

		// Words are parted by spaces; "\ " is a space in a word.
		strcpy(words, data_set[i]);
		for (char *word = p; n < 16; word = p) {
			char *to = p;

			for (; *p && *p != ' '; p++)
				*to++ = p[0] == '\\' && p[1] == ' ' ? *++p : *p;
			argv[n] = word;
			lens[n++] = (size_t)(to - word);
			if (*p++ == '\0')
				break;
		}
		command(rc, n, argv, lens);
	}
}

static void values_reach_a_server_unchanged(void **state)
{
	struct server *s = *state;
	char path[160];

	if (s->rc == NULL)
		skip();
	for (int compressed = 0; compressed < 2; compressed++) {
		say(s->rc, "FLUSHALL");
		say(s->rc, compressed ? "CONFIG SET rdbcompression yes"
				      : "CONFIG SET rdbcompression no");
		say(s->rc, "SELECT 0");
		data_set_write(s->rc);
		say(s->rc, "SAVE");
		snprintf(path, sizeof(path), "%s/dump.rdb", s->dir);
		struct span file = file_read(path);

		assert_non_null(file.p);
		say(s->rc, "SELECT 9");
		assert_int_equal(load(s->rc, file, false), 10);
		say(s->rc, "SELECT 8");
		assert_int_equal(load(s->rc, file, true), 10);
		databases_compare(s->rc, 0, 9);
		databases_compare(s->rc, 0, 8);
		free((char *)file.p);
	}
}

// Types that a 7.0 only loads: ziplists, zipmaps, plain lists and sets.
static void values_of_old_types_reach_a_server_unchanged(void **state)
{
	static const uint8_t types[] = {1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 15};
	struct random seeds = random_seeded("rdb_server");
	struct server *s = *state;

	if (s->rc == NULL)
		skip();
	for (int i = 0; i < 10; i++) {
		struct gen g;
		struct gen_file file;

		gen_init(&g, seeds.state + (unsigned)i);
		g.loadable = true;
		gen_file_make(&g, &file, RDB_MAGIC_REDIS, types, sizeof(types));
		say(s->rc, "FLUSHALL");
		say(s->rc, "SELECT 9");
		int n = load(s->rc, (struct span){file.p, file.len}, false);

		assert_int_equal(n, file.n_keys);
		say(s->rc, "SELECT 8");
		assert_int_equal(load(s->rc, (struct span){file.p, file.len}, true), n);
		databases_compare(s->rc, 9, 8);
		gen_file_free(&file);
		gen_fini(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_reach_a_server_unchanged),
		cmocka_unit_test(values_of_old_types_reach_a_server_unchanged),
	};

	return cmocka_run_group_tests(tests, server_start, server_stop);
}
