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

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(compare_agrees_with_a_native_replica),
		E2E_TEST(compare_notices_every_kind_of_difference),
		E2E_TEST(proxy_passes_delays_replaces_stalls_and_cuts),
		E2E_TEST(fake_servers_answer_as_told),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
