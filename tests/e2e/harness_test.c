// SPDX-License-Identifier: BSD-3-Clause
// The harness itself, with redis-servers only: a comparer that sees no difference, or a proxy that
// does not cut, would let every other test pass.
#include "tests/e2e/harness.h"

static bool replica_has_all(void *arg)
{
	struct server **pair = arg;
	return strcmp(info_text(pair[1], "replication", "master_link_status"), "up") == 0 &&
	       server_offset(pair[0]) == server_offset(pair[1]);
}

static void compare_agrees_with_a_native_replica(struct world *w)
{
	struct server *pair[2] = {server_start(w, "source", NULL), server_start(w, "target", NULL)};

	dataset_load(pair[0]);
	dataset_load_big(pair[0]);
	run(pair[1], "REPLICAOF 127.0.0.1 %d", pair[0]->port);
	wait_until(replica_has_all, pair, "the replica to have everything");
	assert_same_data(pair[0], pair[1]);
}

// A change that the comparer has to notice, and how often.
static const char *const changes[] = {
	"SET number:1 2",
	"DEL number:1",
	"SET extra 1",
	"RPUSH list:nodes x",
	"LSET list:small 0 x",
	"SADD set:table x",
	"SREM set:ints64 0",
	"HSET hash:small field1 x",
	"HDEL hash:table field-7",
	"ZADD zset:small 9 member1",
	"ZINCRBY zset:skiplist 0.5 member-3",
	"PERSIST ttl:far",
	"PEXPIRE ttl:hash 7654322",
	"XADD stream:one 2-1 a b",
	"XACK stream:groups first 6-0",
	"XGROUP CREATE stream:one group 0",
	"XGROUP SETID stream:groups second 400-0",
	"XCLAIM stream:groups first alice 0 6-0 RETRYCOUNT 5",
	"XSETID stream:one 77-7",
	"RENAME geo geo2",
	"SETBIT bitmap 5 1",
	"SET ttl:far value PXAT 4102444800124",
};

static void compare_notices_every_kind_of_difference(struct world *w)
{
	struct server *a = server_start(w, "a", NULL), *b = server_start(w, "b", NULL);
	struct server *pair[2] = {a, b};

	dataset_load(a);
	for (unsigned i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		run(b, "REPLICAOF 127.0.0.1 %d", a->port);
		wait_until(replica_has_all, pair, "the replica to have everything");
		run(b, "REPLICAOF NO ONE");
		assert_int_equal(data_differences(a, b), 0);
		select_db(b, 3);
		redisReply *r = ask(b, changes[i]);
		assert_true(r->type != REDIS_REPLY_ERROR);
		freeReplyObject(r);
		if (!data_differences(a, b))
			fail_msg("not noticed: %s", changes[i]);
	}
	select_db(b, 0);
	run(b, "REPLICAOF 127.0.0.1 %d", a->port);
	wait_until(replica_has_all, pair, "the replica to have everything");
	run(b, "REPLICAOF NO ONE");
	run(b, "SET __flyover:marker x");
	assert_int_equal(data_differences(a, b), 0);
}

static struct server behind(struct server *s, struct proxy *p)
{
	struct server near = {.world = s->world, .name = "proxied", .port = p->port};
	return near;
}

static void proxy_passes_delays_replaces_stalls_and_cuts(struct world *w)
{
	struct server *s = server_start(w, "server", NULL);
	struct proxy *p = proxy_start(w, s->port);
	struct server near = behind(s, p);

	assert_string_equal(ask_text(&near, "ECHO %s", "hello"), "hello");
	assert_int_equal(proxy_bytes(p, FROM_SERVER), 11);

	proxy_delay(p, 30);
	long long before = now_ms();
	assert_string_equal(ask_text(&near, "ECHO late"), "late");
	assert_true(now_ms() - before >= 60);
	proxy_delay(p, 0);

	proxy_replace(p, FROM_SERVER, "world", "earth");
	assert_string_equal(ask_text(&near, "ECHO world"), "earth");
	assert_string_equal(ask_text(&near, "ECHO world"), "world");

	proxy_stall(p, true);
	assert_int_equal(redisAppendCommand(near.redis, "SET stalled 1"), REDIS_OK);
	int done = 0;
	while (!done)
		assert_int_equal(redisBufferWrite(near.redis, &done), REDIS_OK);
	assert_int_equal(ask_number(s, "EXISTS stalled"), 0);
	proxy_stall(p, false);
	redisReply *r = NULL;
	assert_int_equal(redisGetReply(near.redis, (void **)&r), REDIS_OK);
	freeReplyObject(r);
	assert_int_equal(ask_number(s, "EXISTS stalled"), 1);

	proxy_cut_after(p, FROM_SERVER, 100, END_RST);
	r = redisCommand(near.redis, "ECHO %s", text("%0300d", 1));
	assert_null(r);
	proxy_wait_cut(p);
	redisFree(near.redis);
	near.redis = NULL;
	assert_string_equal(ask_text(&near, "PING"), "PONG");
	proxy_cut(p, END_FIN);
	r = redisCommand(near.redis, "PING");
	assert_null(r);
	redisFree(near.redis);
}

static void fake_servers_answer_as_told(struct world *w)
{
	struct fake *primary = fake_start(w, fake_primary, NULL);
	struct server near = {.world = w, .name = "fake", .port = primary->port};

	assert_string_equal(ask_text(&near, "PING"), "PONG");
	assert_int_equal(info_number(&near, "replication", "master_repl_offset"), 1000);
	redisReply *r = ask(&near, "GET a");
	assert_int_equal(r->type, REDIS_REPLY_ERROR);
	freeReplyObject(r);
	redisFree(near.redis);
}

// The reply has to be this error.
static void assert_refused(struct server *s, const char *command, const char *with)
{
	redisReply *r = redisCommand(s->redis, command);
	assert_non_null(r);
	if (r->type != REDIS_REPLY_ERROR || strncmp(r->str, with, strlen(with)))
		fail_msg("%s: %s", command, r->str ? r->str : "no text");
	freeReplyObject(r);
}

// A payload of DUMP, with the RDB version of another server in it.
static redisReply *restore(struct server *s, struct server *real, const char *key, unsigned version)
{
	redisReply *dump = ask(real, "DUMP %s", key);
	assert_int_equal(dump->type, REDIS_REPLY_STRING);
	dump->str[dump->len - 10] = (char)version;
	redisReply *r = ask(s, "RESTORE restored 0 %b", dump->str, dump->len);
	freeReplyObject(dump);
	return r;
}

static void an_elder_says_its_version_and_refuses_what_it_does_not_know(struct world *w)
{
	struct server *s = server_start(w, "server", NULL);
	struct elder *e = elder_start(w, "redis 4.0.14", s->port);
	struct server near = {.world = w, .name = "elder", .port = e->port};

	assert_string_equal(info_text(&near, "server", "redis_version"), "4.0.14");
	assert_refused(&near, "XADD s 1-1 a b", "ERR unknown command `XADD`");
	assert_refused(&near, "SET a 1 PXAT 4102444800000", "ERR syntax error");
	assert_refused(&near, "RESTORE a 0 payload ABSTTL", "ERR syntax error");
	assert_refused(&near, "LPOP l 2", "ERR wrong number of arguments for 'lpop' command");
	assert_refused(&near, "CLIENT ID", "ERR Unknown subcommand");
	assert_int_equal(elder_refused(e), 5);
	run(&near, "HSET hash a 1 b 2");
	run(&near, "SET set-by-elder 1 PX 100000");
	assert_int_equal(ask_number(s, "HLEN hash"), 2);
	redisReply *r = ask(&near, "COMMAND INFO get xadd");
	assert_true(r->elements == 2 && r->element[0]->type == REDIS_REPLY_ARRAY &&
		    r->element[1]->type == REDIS_REPLY_NIL);
	freeReplyObject(r);
	r = restore(&near, s, "hash", 10);
	assert_string_equal(r->str, "ERR DUMP payload version or checksum are wrong");
	freeReplyObject(r);
	r = restore(&near, s, "hash", 6);
	assert_string_equal(r->str, "ERR Bad data format");
	freeReplyObject(r);
	redisFree(near.redis);
}

static void an_elder_spoils_a_transaction_as_a_server_does(struct world *w)
{
	struct server *s = server_start(w, "server", NULL);
	struct elder *e = elder_start(w, "redis 2.8.24", s->port);
	struct server near = {.world = w, .name = "elder", .port = e->port};

	run(&near, "MULTI");
	run(&near, "SET a 1");
	assert_refused(&near, "UNLINK a", "ERR unknown command 'UNLINK'");
	assert_refused(&near, "EXEC", "EXECABORT");
	run(&near, "MULTI");
	run(&near, "SET b 1");
	run(&near, "SET b 2 KEEPTTL");
	redisReply *r = ask(&near, "EXEC");
	assert_int_equal(r->elements, 2);
	assert_string_equal(r->element[1]->str, "ERR syntax error");
	freeReplyObject(r);
	assert_int_equal(ask_number(s, "EXISTS a b"), 1);
	redisFree(near.redis);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(compare_agrees_with_a_native_replica),
		E2E_TEST(compare_notices_every_kind_of_difference),
		E2E_TEST(proxy_passes_delays_replaces_stalls_and_cuts),
		E2E_TEST(fake_servers_answer_as_told),
		E2E_TEST(an_elder_says_its_version_and_refuses_what_it_does_not_know),
		E2E_TEST(an_elder_spoils_a_transaction_as_a_server_does),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
