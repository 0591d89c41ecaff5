// SPDX-License-Identifier: BSD-3-Clause
// Full syncs: every type in every encoding arrives, with expiry, database and functions.
#include "tests/e2e/harness.h"

// Sync what the source holds and come back; the target then has to be its equal.
static void sync_snapshot(struct world *w, struct server *source, struct server *target,
			  const char *option, const char *value)
{
	assert_int_equal(
		sync_run(w, source->url, target->url, "--until=caught-up", option, value, NULL), 0);
	assert_same_data_with(source, target, true);
	assert_books_balance(w->jobs);
	assert_int_equal(job_number(w->jobs, "parked"), 0);
	assert_string_equal(job_text(w->jobs, "result"), "done");
}

static void every_type_arrives_by_a_diskless_snapshot(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);

	dataset_load(source);
	sync_snapshot(w, source, target, NULL, NULL);
}

static void every_type_arrives_by_a_snapshot_on_disk(struct world *w)
{
	struct server *source = server_start(w, "source", "--repl-diskless-sync", "no", NULL);
	struct server *target = server_start(w, "target", NULL);

	dataset_load(source);
	sync_snapshot(w, source, target, NULL, NULL);
}

static void every_type_arrives_over_four_lanes(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);

	dataset_load(source);
	dataset_load_big(source);
	sync_snapshot(w, source, target, "--lanes", "4");
}

static void every_type_arrives_uncompressed_and_without_checksum(struct world *w)
{
	struct server *source =
		server_start(w, "source", "--rdbcompression", "no", "--rdbchecksum", "no", NULL);
	struct server *target = server_start(w, "target", NULL);

	dataset_load(source);
	sync_snapshot(w, source, target, NULL, NULL);
}

// Thresholds that turn small values into tables and large ones into packed ones.
static void every_type_arrives_in_unusual_encodings(struct world *w)
{
	struct server *unpacked = server_start(
		w, "unpacked", "--hash-max-listpack-entries", "0", "--zset-max-listpack-entries",
		"0", "--set-max-intset-entries", "0", "--list-max-listpack-size", "1",
		"--stream-node-max-entries", "3", NULL);
	struct server *packed = server_start(
		w, "packed", "--hash-max-listpack-entries", "60000", "--zset-max-listpack-entries",
		"60000", "--hash-max-listpack-value", "10000", "--set-max-intset-entries", "60000",
		"--list-max-listpack-size", "-5", "--stream-node-max-entries", "0",
		"--list-compress-depth", "1", NULL);
	struct server *target = server_start(w, "target", NULL);

	dataset_load(unpacked);
	sync_snapshot(w, unpacked, target, NULL, NULL);
	run(target, "FLUSHALL");
	run(target, "FUNCTION FLUSH");
	dataset_load(packed);
	sync_snapshot(w, packed, target, NULL, NULL);
}

static void big_values_arrive_through_a_small_window(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);

	dataset_load_big(source);
	sync_snapshot(w, source, target, "--snapshot-window", "1MB");
}

static void big_values_arrive_by_a_snapshot_on_disk(struct world *w)
{
	struct server *source = server_start(w, "source", "--repl-diskless-sync", "no", NULL);
	struct server *target = server_start(w, "target", NULL);

	dataset_load_big(source);
	sync_snapshot(w, source, target, NULL, NULL);
}

static void an_empty_source_is_synced_at_once(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);

	sync_snapshot(w, source, target, NULL, NULL);
}

static void keys_of_the_target_are_replaced_whatever_their_type(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	const char *const names[] = {"string", "list", "set", "hash", "zset", "stream"};

	for (unsigned i = 0; i < 6; i++) {
		queue(source, "SET string %u", i);
		queue(source, "RPUSH list %u", i);
		queue(source, "SADD set %u", i);
		queue(source, "HSET hash f %u", i);
		queue(source, "ZADD zset %u m", i);
		queue(source, "XADD stream 1-%u a b", i + 1);
		queue(target, "ZADD %s 1 other", names[i]);
		queue(target, "EXPIRE %s 1000", names[i]);
	}
	queue_flush(target);
	queue_flush(source);
	sync_snapshot(w, source, target, NULL, NULL);
}

static void extra_keys_of_the_target_are_kept_unless_told_otherwise(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *keeps = server_start(w, "keeps", NULL);
	struct server *loses = server_start(w, "loses", NULL);

	dataset_load_strings(source, "key", 100, 10);
	select_db(keeps, 4);
	run(keeps, "SET mine 1");
	assert_int_equal(sync_run(w, source->url, keeps->url, "--until=caught-up", NULL), 0);
	assert_int_equal(ask_number(keeps, "EXISTS mine"), 1);
	assert_int_equal(keys_count(keeps, 0), 100);

	dataset_load(loses);
	sync_snapshot(w, source, loses, "--extra-keys", "delete");
}

// A source that takes its time to write a snapshot: about 0.4 ms a key.
static struct server *slow_source(struct world *w, unsigned n_keys)
{
	struct server *source = server_start(w, "source", "--rdb-key-save-delay", "400", NULL);

	dataset_load_strings(source, "key", n_keys, 10);
	return source;
}

static bool snapshot_is_written(void *arg)
{
	return info_number(arg, "persistence", "rdb_bgsave_in_progress") == 1;
}

static void expired_keys_are_not_created(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);

	run(source, "DEBUG SET-ACTIVE-EXPIRE 0");
	for (unsigned i = 0; i < 50; i++)
		queue(source, "SET gone:%u x PX 1", i);
	run(source, "SET stays x");
	// They lie in the snapshot, because nobody has looked at them since they expired.
	assert_int_equal(ask_number(source, "DBSIZE"), 51);
	sync_snapshot(w, source, target, NULL, NULL);
	assert_int_equal(keys_count(target, 0), 1);
}

// The key expires between the writing of the snapshot and the end of its loading, but the source
// had made it permanent before: PERSIST comes with the stream and has to find the key.
static void a_key_made_permanent_during_the_snapshot_survives(struct world *w)
{
	struct server *source = slow_source(w, 10000);
	struct server *target = server_start(w, "target", NULL);

	run(source, "SET saved 1 PX 2000");
	run(source, "RPUSH saved-list a b");
	run(source, "PEXPIRE saved-list 2000");
	run(source, "SET prolonged 1 PX 2000");
	run(source, "SET gone 1 PX 2000");
	struct job *j = sync_start(w, source->url, target->url, "--until=caught-up", NULL);
	wait_until(snapshot_is_written, source, "the snapshot to be written");
	assert_int_equal(ask_number(source, "PERSIST saved"), 1);
	assert_int_equal(ask_number(source, "PERSIST saved-list"), 1);
	assert_int_equal(ask_number(source, "EXPIRE prolonged 5000"), 1);
	assert_true(info_number(source, "persistence", "rdb_bgsave_in_progress") == 1);
	assert_int_equal(job_wait(j), 0);
	assert_int_equal(ask_number(target, "EXISTS saved saved-list prolonged"), 3);
	assert_int_equal(ask_number(target, "EXISTS gone"), 0);
	assert_same_data(source, target);
}

static void what_was_written_during_the_snapshot_is_there_when_caught_up(struct world *w)
{
	struct server *source = slow_source(w, 4000);
	struct server *target = server_start(w, "target", NULL);
	unsigned n = 0;

	struct job *j = sync_start(w, source->url, target->url, "--until=caught-up", NULL);
	wait_until(snapshot_is_written, source, "the snapshot to be written");
	while (snapshot_is_written(source)) {
		run(source, "SET during:%u x", n++);
		run(source, "INCR key-count");
		run(source, "APPEND key:7 %u,", n);
	}
	assert_true(n > 10);
	assert_int_equal(job_wait(j), 0);
	// The last turn of the loop may have been after the snapshot's end.
	assert_int_equal(ask_number(target, "EXISTS during:%u", n - 2), 1);
	assert_true(ask_number(target, "GET key-count") >= n - 1);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(every_type_arrives_by_a_diskless_snapshot),
		E2E_TEST(every_type_arrives_by_a_snapshot_on_disk),
		E2E_TEST(every_type_arrives_over_four_lanes),
		E2E_TEST(every_type_arrives_uncompressed_and_without_checksum),
		E2E_TEST(every_type_arrives_in_unusual_encodings),
		E2E_TEST(big_values_arrive_through_a_small_window),
		E2E_TEST(big_values_arrive_by_a_snapshot_on_disk),
		E2E_TEST(an_empty_source_is_synced_at_once),
		E2E_TEST(keys_of_the_target_are_replaced_whatever_their_type),
		E2E_TEST(extra_keys_of_the_target_are_kept_unless_told_otherwise),
		E2E_TEST(expired_keys_are_not_created),
		E2E_TEST(a_key_made_permanent_during_the_snapshot_survives),
		E2E_TEST(what_was_written_during_the_snapshot_is_there_when_caught_up),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
