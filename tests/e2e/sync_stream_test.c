// SPDX-License-Identifier: BSD-3-Clause
// Live streams: whatever clients do at the source while a link runs is done to the target, once and
// in order.
#include "tests/e2e/harness.h"
#include "tests/e2e/write_commands.h"

// Send every row, in a database that a copy of SELECT at its start picked. What a row answers does
// not count: some are there to be refused.
static void write_everything(struct server *s, int db)
{
	select_db(s, db);
	for (unsigned i = 0; i < sizeof(write_commands) / sizeof(*write_commands); i++)
		freeReplyObject(ask(s, write_commands[i]));
	s->db = 0; // as the table leaves it
	redisReply *dump = ask(s, "DUMP y");
	freeReplyObject(ask(s, "RESTORE restored 0 %b", dump->str, dump->len));
	freeReplyObject(ask(s, "RESTORE restored 60000 %b REPLACE", dump->str, dump->len));
	freeReplyObject(ask(s, "RESTORE restored2 4102444800000 %b ABSTTL", dump->str, dump->len));
	freeReplyObject(dump);
}

// Everything that was written is in the target and nothing was refused there.
static void finish(struct job *j, struct server *source, struct server *target)
{
	job_wait_applied(j, source);
	assert_same_data(source, target);
	assert_int_equal(job_drain(j), 0);
	assert_books_balance(j);
	assert_int_equal(job_number(j, "parked"), 0);
	assert_same_data(source, target);
}

static void stream_of_every_command(struct world *w, const char *lanes, unsigned n_cores,
				    const char *batch)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct job *j = sync_start(w, source->url, target->url, "--lanes", lanes, "--cores",
				   cores(n_cores), "--batch-commands", batch, NULL);

	job_wait_phase(j, "stream");
	write_everything(source, 0);
	write_everything(source, 5);
	write_everything(source, 0);
	finish(j, source, target);
}

static void every_write_command_over_one_lane(struct world *w)
{
	stream_of_every_command(w, "1", 1, "128");
}

static void every_write_command_over_four_lanes(struct world *w)
{
	stream_of_every_command(w, "4", 1, "128");
}

static void every_write_command_over_four_lanes_on_two_cores(struct world *w)
{
	stream_of_every_command(w, "4", 2, "128");
}

static void every_write_command_in_batches_of_one(struct world *w)
{
	stream_of_every_command(w, "3", 1, "1");
}

// A source and a target that a link holds together, in phase stream.
struct pair {
	struct server *source, *target;
	struct job *job;
};

static struct pair pair_start(struct world *w, const char *lanes)
{
	struct pair p = {server_start(w, "source", NULL), server_start(w, "target", NULL), NULL};

	p.job = sync_start(w, p.source->url, p.target->url, "--lanes", lanes, NULL);
	job_wait_phase(p.job, "stream");
	return p;
}

static void transactions_arrive_whole(struct world *w)
{
	struct pair p = pair_start(w, "4");

	run(p.source, "SET text x");
	run(p.source, "MULTI");
	run(p.source, "SET a 1");
	run(p.source, "LPUSH text 1"); // WRONGTYPE: not in the stream, the others are
	run(p.source, "INCR b");
	run(p.source, "SELECT 3");
	run(p.source, "RPUSH c 1 2");
	run(p.source, "SELECT 0");
	run(p.source, "RENAME a a2");
	run(p.source, "EXEC");
	run(p.source, "MULTI");
	run(p.source, "EXEC");
	run(p.source, "MULTI");
	run(p.source, "SET never 1");
	run(p.source, "DISCARD");
	run(p.source, "MULTI");
	run(p.source, "EVAL %s 2 d e", "redis.call('SET',KEYS[1],1) redis.call('SET',KEYS[2],2)");
	run(p.source, "EXEC");
	run(p.source, "MULTI");
	for (unsigned i = 0; i < 20000; i++)
		queue(p.source, "RPUSH many:%u %u", i % 50, i);
	run(p.source, "EXEC");
	finish(p.job, p.source, p.target);
}

// While transactions that keep four keys equal run through the link, a reader of the target never
// sees them differ.
static void transactions_are_never_seen_half_done(struct world *w)
{
	struct pair p = pair_start(w, "4");
	unsigned long seen = 0, newest = 0;
	long long deadline = now_ms() + DEADLINE_MS;

	run(p.source, "MSET left 0 right 0 far:1 0 other:2 0");
	job_wait_applied(p.job, p.source);
	for (unsigned i = 1; seen < 100 && now_ms() < deadline; i++) {
		queue(p.source, "MULTI");
		queue(p.source, "SET left %u", i);
		queue(p.source, "SET right %u", i);
		queue(p.source, "INCR far:1");
		queue(p.source, "MSET other:2 %u", i);
		queue(p.source, "EXEC");
		queue(p.source, "SET noise:%u %u", i % 100, i);
		if (i % 10)
			continue;
		queue_flush(p.source);
		redisReply *r = ask(p.target, "MGET left right far:1 other:2");
		for (unsigned k = 0; k < 4; k++)
			assert_string_equal(r->element[k]->str, r->element[0]->str);
		unsigned long now = strtoul(r->element[0]->str, NULL, 10);
		assert_true(now >= newest);
		seen += now != newest;
		newest = now;
		freeReplyObject(r);
	}
	assert_true(seen >= 100);
	finish(p.job, p.source, p.target);
}

static void scripts_and_functions_arrive_as_their_effects(struct world *w)
{
	struct pair p = pair_start(w, "2");

	run(p.source, "FUNCTION LOAD %s", function_library);
	for (unsigned i = 0; i < 200; i++) {
		run(p.source, "FCALL put 1 f:%u %u", i % 20, i);
		run(p.source, "EVAL %s 2 e:%u e:%u %u",
		    "for i=1,5 do redis.call('RPUSH',KEYS[1],ARGV[1]) redis.call('INCR',KEYS[2]) "
		    "end",
		    i % 10, 100 + i % 7, i);
		run(p.source, "EVAL %s 1 r:%u", "return redis.call('SET',KEYS[1],math.random())",
		    i);
		run(p.source, "EVAL %s 1 t:%u",
		    "return redis.call('SET',KEYS[1],redis.call('TIME')[2])", i);
	}
	job_wait_applied(p.job, p.source);
	assert_int_equal(ask_number(p.target, "FCALL put 1 elsewhere x"), 1);
	run(p.target, "DEL elsewhere elsewhere:list");
	run(p.source, "FUNCTION DELETE flyover_test");
	finish(p.job, p.source, p.target);
}

static void published_messages_are_heard_at_the_target(struct world *w)
{
	struct pair p = pair_start(w, "3");
	redisContext *ear = server_connect(p.target);
	redisReply *r = redisCommand(ear, "SUBSCRIBE news");

	assert_non_null(r);
	freeReplyObject(r);
	for (unsigned i = 0; i < 100; i++) {
		run(p.source, "PUBLISH news %u", i);
		run(p.source, "SET k:%u %u", i, i);
	}
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(redisGetReply(ear, (void **)&r), REDIS_OK);
		assert_int_equal(r->elements, 3);
		assert_int_equal(strtol(r->element[2]->str, NULL, 10), i);
		freeReplyObject(r);
	}
	redisFree(ear);
	finish(p.job, p.source, p.target);
}

static void whole_databases_are_flushed_and_swapped_in_order(struct world *w)
{
	static const char *const sweeps[] = {"FLUSHDB",      "FLUSHDB ASYNC", "SWAPDB 0 1",
					     "FLUSHALL",     "SWAPDB 1 2",    "FLUSHALL ASYNC",
					     "FLUSHDB SYNC", "SWAPDB 0 2"};
	struct pair p = pair_start(w, "4");

	for (unsigned round = 0; round < 24; round++) {
		for (int db = 0; db < 3; db++) {
			select_db(p.source, db);
			for (unsigned i = 0; i < 200; i++)
				queue(p.source, "RPUSH l:%u %u", i % 40, round * 1000 + i);
			queue(p.source, "SET only:%u:%d x", round, db);
		}
		select_db(p.source, (int)(round % 3));
		run(p.source, sweeps[round % 8]);
		for (unsigned i = 0; i < 100; i++)
			queue(p.source, "INCR after:%u", i % 30);
	}
	finish(p.job, p.source, p.target);
}

static void the_database_is_followed_through_every_select(struct world *w)
{
	struct pair p = pair_start(w, "4");

	for (unsigned i = 0; i < 3000; i++) {
		select_db(p.source, (int)(i * 7 % 16));
		queue(p.source, "RPUSH list:%u %u", i % 11, i);
		queue(p.source, "MSET a:%u %u b:%u %u", i % 5, i, i % 3, i);
	}
	finish(p.job, p.source, p.target);
}

static bool keys_have_expired(void *arg)
{
	return ask_number(arg, "DBSIZE") == 1;
}

static void expired_keys_leave_the_target_too(struct world *w)
{
	struct pair p = pair_start(w, "2");

	run(p.source, "SET stays 1");
	for (unsigned i = 0; i < 500; i++)
		queue(p.source, "SET short:%u x PX %u", i, 1 + i);
	queue_flush(p.source);
	wait_until(keys_have_expired, p.source, "the keys to expire");
	finish(p.job, p.source, p.target);
	assert_int_equal(keys_count(p.target, 0), 1);
}

static void evicted_keys_leave_the_target_too(struct world *w)
{
	struct server *source =
		server_start(w, "source", "--repl-backlog-size", "1mb", "--maxmemory", "6mb",
			     "--maxmemory-policy", "allkeys-lru", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct job *j = sync_start(w, source->url, target->url, "--lanes", "2", NULL);

	job_wait_phase(j, "stream");
	dataset_load_strings(source, "key", 20000, 500);
	assert_true(info_number(source, "stats", "evicted_keys") > 1000);
	run(source, "CONFIG SET maxmemory 0"); // or to read it would evict more
	finish(j, source, target);
}

static void pings_of_an_idle_source_count_in_the_offset(struct world *w)
{
	struct server *source = server_start(w, "source", "--repl-ping-replica-period", "1", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct job *j = sync_start(w, source->url, target->url, NULL);

	run(source, "SET a 1");
	job_wait_applied(j, source);
	long long offset = job_number(j, "frontier_offset"), filtered = job_number(j, "filtered");
	job_wait_number(j, "frontier_offset", offset + 3 * 14);
	assert_true(job_number(j, "filtered") >= filtered + 3);
	finish(j, source, target);
}

static void large_and_binary_arguments_pass(struct world *w)
{
	struct pair p = pair_start(w, "2");
	const char *argv[5002];
	size_t lens[5002], len = 8u << 20;
	char *bytes = malloc(len);

	assert_non_null(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(i * 31 + i / 256);
	run(p.source, "SET big %b", bytes, len);
	run(p.source, "SET %b %b", bytes, (size_t)70000, bytes, (size_t)256);
	run(p.source, "APPEND big %b", bytes, len);
	argv[0] = "RPUSH", argv[1] = "many";
	lens[0] = 5, lens[1] = 4;
	for (unsigned i = 2; i < 5002; i++) {
		argv[i] = bytes + i;
		lens[i] = i % 400;
	}
	for (unsigned i = 0; i < 5; i++)
		queue_argv(p.source, 5002, argv, lens);
	queue(p.source, "SET %b %b", "", (size_t)0, "", (size_t)0);
	finish(p.job, p.source, p.target);
	free(bytes);
}

static void writes_during_a_slow_snapshot_arrive(struct world *w)
{
	struct server *source = server_start(w, "source", "--rdb-key-save-delay", "200", NULL);
	struct server *target = server_start(w, "target", NULL);

	dataset_load(source);
	dataset_load_strings(source, "key", 5000, 100);
	for (unsigned i = 0; i < 100; i++)
		queue(source, "RPUSH log:%u start", i);
	struct job *j = sync_start(w, source->url, target->url, "--lanes", "3", NULL);
	job_wait_phase(j, "snapshot");
	select_db(source, 3);
	for (unsigned i = 0; i < 20000; i++)
		queue(source, "APPEND key:%u %u,", i % 500, i);
	select_db(source, 0);
	for (unsigned i = 0; i < 20000; i++) {
		queue(source, "RPUSH log:%u %u", i % 100, i);
		queue(source, "INCR counter:%u", i % 7);
		queue(source, i % 2 ? "DEL key:%u" : "SETRANGE key:%u 3 abc", i % 5000);
	}
	write_everything(source, 0);
	finish(j, source, target);
}

static void the_link_goes_on_after_markers_were_flushed_at_the_target(struct world *w)
{
	struct pair p = pair_start(w, "2");

	for (unsigned i = 0; i < 300; i++)
		run(p.source, "INCR n:%u", i % 10);
	run(p.source, "FLUSHALL");
	for (unsigned i = 0; i < 300; i++)
		run(p.source, "INCR n:%u", i % 10);
	finish(p.job, p.source, p.target);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(every_write_command_over_one_lane),
		E2E_TEST(every_write_command_over_four_lanes),
		E2E_TEST(every_write_command_over_four_lanes_on_two_cores),
		E2E_TEST(every_write_command_in_batches_of_one),
		E2E_TEST(transactions_arrive_whole),
		E2E_TEST(transactions_are_never_seen_half_done),
		E2E_TEST(scripts_and_functions_arrive_as_their_effects),
		E2E_TEST(published_messages_are_heard_at_the_target),
		E2E_TEST(whole_databases_are_flushed_and_swapped_in_order),
		E2E_TEST(the_database_is_followed_through_every_select),
		E2E_TEST(expired_keys_leave_the_target_too),
		E2E_TEST(evicted_keys_leave_the_target_too),
		E2E_TEST(pings_of_an_idle_source_count_in_the_offset),
		E2E_TEST(large_and_binary_arguments_pass),
		E2E_TEST(writes_during_a_slow_snapshot_arrive),
		E2E_TEST(the_link_goes_on_after_markers_were_flushed_at_the_target),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
