// SPDX-License-Identifier: BSD-3-Clause
// `flyover restore`: what the file holds is in the target, of every kind of file, and nothing of
// ours stays there. What goes wrong is said in one sentence.
#include <signal.h>
#include <sys/stat.h>

#include "tests/e2e/restore_rig.h"
#include "tests/e2e/rights_rig.h"

static void assert_restored(struct world *w, const char *file, struct server *source,
			    struct server *target, const char *option, const char *value)
{
	if (restore_run(w, file, target->url, option, value))
		fail_msg("%s is not restored", file);
	assert_string_equal(job_text(w->jobs, "result"), "done");
	assert_books_balance(w->jobs);
	assert_int_equal(job_number(w->jobs, "parked"), 0);
	assert_no_traces(target);
	assert_same_data(source, target);
}

// ---- RDB

static void every_type_is_restored_from_an_rdb(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);

	dataset_load(source);
	assert_restored(w, rdb_of(source), source, target, NULL, NULL);
	assert_same_data_with(source, target, true);
}

static void big_values_are_restored_over_four_lanes(struct world *w)
{
	struct server *source = server_start(w, "source", "--rdbchecksum", "no", NULL);
	struct server *target = server_start(w, "target", NULL);

	run(source, "SETRANGE string 3000000 x");
	run(source, "EVAL %s 0",
	    "for i = 1, 20000 do redis.call('RPUSH', 'list', i) "
	    "redis.call('HSET', 'hash', i, 'value of ' .. i) "
	    "redis.call('ZADD', 'zset', i, 'member ' .. i) end");
	assert_restored(w, rdb_of(source), source, target, "--lanes", "4");
}

// Every key at its slot's owner, functions at each, and no marker in any slot.
static void a_cluster_is_restored_to(struct world *w)
{
	struct server *source = server_start(w, "source", "--appendonly", "yes",
					     "--aof-use-rdb-preamble", "no", NULL);
	struct cluster *c = cluster_start(w, "target", 3, 0, NULL);
	struct rights r = rights_of(w, "restore", "target, each node of a cluster");
	const char *url = text("redis+cluster://flyover:pw@%s", strstr(c->url, "://") + 3);
	const char *aof = text("%s/appendonlydir", source->dir);
	struct servers one = just(source), masters = cluster_masters(c);

	dataset_load_strings(source, "key", 500, 40);
	run(source, "SETRANGE big 3000000 x");
	run(source, "RPUSH list 1 2 3");
	run(source, "INCR counter");
	run(source, "RENAME key:1 elsewhere");
	run(source, "SUNIONSTORE none list2 list3");
	run(source, "FUNCTION LOAD %s", function_library);
	for (unsigned i = 0; i < c->nodes.n; i++)
		rights_grant(c->nodes.list[i], &r, NULL);
	const char *files[] = {rdb_of(source), aof};
	for (unsigned i = 0; i < 2; i++) {
		if (restore_run(w, files[i], url, "--extra-keys", "delete"))
			fail_msg("%s is not restored", files[i]);
		assert_int_equal(job_number(w->jobs, "parked"), 0);
		for (unsigned k = 0; k < masters.n; k++) {
			assert_no_traces(masters.list[k]);
			assert_string_equal(rights_denied(masters.list[k]), "");
		}
		assert_same_data_of(&one, &masters, false);
		run(masters.list[i], "FLUSHALL");
		run(cluster_owner_of(c, "extra"), "SET extra 1");
	}
}

static void keys_of_the_target_are_replaced_and_others_stay(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);

	run(source, "SET both source");
	run(source, "RPUSH list a b");
	run(target, "SADD both target");
	run(target, "SET mine 1");
	const char *file = rdb_of(source);
	assert_int_equal(restore_run(w, file, target->url, NULL, NULL), 0);
	assert_string_equal(ask_text(target, "GET both"), "source");
	assert_int_equal(ask_number(target, "EXISTS mine list"), 2);
	assert_restored(w, file, source, target, "--extra-keys", "delete");
}

static void one_database_is_restored_into_another(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);

	run(source, "SET zero 1");
	select_db(source, 3);
	run(source, "SET three 1");
	run(source, "RPUSH list a");
	assert_int_equal(restore_run(w, rdb_of(source), text("%s/5", target->url), "--db", "3"), 0);
	assert_int_equal(keys_count(target, 5), 2);
	assert_int_equal(keys_count(target, 0) + keys_count(target, 3), 0);
}

static bool time_is_over(void *arg)
{
	return ask_number(arg, "PTTL soon") == -2;
}

static void expired_keys_are_not_made_and_are_told(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);

	for (unsigned i = 0; i < 50; i++) {
		queue(source, "SET string:%u x PX 1500", i);
		queue(source, "RPUSH list:%u x", i);
		queue(source, "PEXPIRE list:%u 1500", i);
	}
	queue_flush(source);
	run(source, "SET stays x PX 1000000");
	run(source, "SET soon x PX 1500");
	const char *file = rdb_of(source); // when it is taken, all are alive
	wait_until(time_is_over, source, "the keys to expire");
	struct job *j = job_start(w, "restore", file, target->url, "--state-dir",
				  text("%s/state", w->dir), NULL);
	assert_int_equal(process_wait(j->process), 0);
	char *said = process_stdout(j->process);
	assert_non_null(strstr(said, "101 keys had expired and were not made"));
	free(said);
	assert_int_equal(keys_count(target, 0), 1);
	assert_int_equal(info_number(target, "stats", "expired_keys"), 0);
}

static void the_state_folder_of_its_own_goes_with_it(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);
	struct stat st;

	run(source, "SET key value");
	// Longer than the address of a socket may be.
	const char *home = text("%s/%0100d", w->dir, 1);
	const char *environment[] = {text("XDG_STATE_HOME=%s", home), NULL};
	const char *arguments[] = {"restore", rdb_of(source), target->url, "--json", NULL};
	struct job *j = job_start_argv(w, "flyover", arguments, environment);

	assert_int_equal(job_wait(j), 0);
	assert_same_data(source, target);
	assert_int_equal(stat(text("%s/flyover", home), &st), 0);
	assert_int_equal(st.st_nlink, 2); // no folder is left in it
}

// ---- AOF

// A server that writes an append-only folder, with a dataset in base or increment.
static struct server *aof_server(struct world *w, const char *preamble, const char *timestamps)
{
	struct server *s =
		server_start(w, "source", "--appendonly", "yes", "--aof-use-rdb-preamble", preamble,
			     "--aof-timestamp-enabled", timestamps, "--appendfsync", "no",
			     "--auto-aof-rewrite-percentage", "0", NULL);

	run(s, "DEBUG SET-ACTIVE-EXPIRE 0");
	return s;
}

static bool is_rewritten(void *arg)
{
	return info_number(arg, "persistence", "aof_rewrite_in_progress") == 0 &&
	       info_number(arg, "persistence", "aof_rewrite_scheduled") == 0;
}

static void rewrite(struct server *s)
{
	wait_until(is_rewritten, s, "the append-only file to be begun");
	run(s, "BGREWRITEAOF");
	wait_until(is_rewritten, s, "the append-only file to be rewritten");
}

// Commands whose repetition or loss would show.
static void deltas_write(struct server *s)
{
	for (int i = 0; i < 300; i++) {
		queue(s, "INCR count");
		queue(s, "APPEND text %d,", i);
		queue(s, "RPUSH list %d", i);
		queue(s, "MULTI");
		queue(s, "HINCRBY hash field %d", i);
		queue(s, "LPOP list");
		queue(s, "EXEC");
	}
	queue_flush(s);
	run(s, "SET kept 1 PX 1");
	run(s, "PERSIST kept");
	run(s, "SET lives 1 EX 100000");
	run(s, "XADD stream * a b");
}

static const char *part(struct server *s, unsigned number, const char *kind)
{
	return text("%s/appendonlydir/appendonly.aof.%u.%s", s->dir, number, kind);
}

static void a_plain_append_only_file_is_restored(struct world *w)
{
	struct server *source = aof_server(w, "no", "yes");
	struct server *target = server_start(w, "target", NULL);

	dataset_load(source);
	deltas_write(source);
	assert_restored(w, part(source, 1, "incr.aof"), source, target, NULL, NULL);
}

static void a_file_with_preamble_is_restored_over_four_lanes(struct world *w)
{
	struct server *source = aof_server(w, "yes", "yes");
	struct server *target = server_start(w, "target", NULL);

	deltas_write(source);
	rewrite(source);
	deltas_write(source);
	select_db(source, 9);
	deltas_write(source);
	const char *whole = joined(w, "appendonly.aof", part(source, 2, "base.rdb"),
				   part(source, 2, "incr.aof"));
	assert_restored(w, whole, source, target, "--lanes", "4");
}

static void a_folder_of_parts_is_restored(struct world *w)
{
	struct server *source = aof_server(w, "yes", "no");
	struct server *target = server_start(w, "target", NULL);
	const char *folder = text("%s/appendonlydir", source->dir);

	dataset_load(source);
	rewrite(source);
	select_db(source, 9);
	deltas_write(source);
	select_db(source, 0);
	deltas_write(source);
	assert_restored(w, folder, source, target, NULL, NULL);
	run(target, "FLUSHALL");
	run(target, "FUNCTION FLUSH");
	assert_restored(w, text("%s/appendonly.aof.manifest", folder), source, target, NULL, NULL);
	assert_int_equal(unlink(part(source, 2, "base.rdb")), 0);
	assert_int_equal(restore_run(w, folder, target->url, NULL, NULL), 1);
	assert_one_sentence(w->jobs, "which is not there");
}

static void a_file_is_restored_up_to_a_point_in_time(struct world *w)
{
	static const char rows[] = "#TS:1700000000\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n"
				   "#TS:1700000100\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n"
				   "#TS:1700000200\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n";
	struct server *target = server_start(w, "target", NULL);
	const char *file = text("%s/timed.aof", w->dir);

	file_write(file, rows, sizeof(rows) - 1);
	assert_int_equal(restore_run(w, file, target->url, "--until-time", "1700000150"), 0);
	assert_string_equal(ask_text(target, "GET a"), "2");
	run(target, "FLUSHALL");
	assert_int_equal(restore_run(w, file, target->url, "--until-time", "2023-11-14T22:13:20Z"),
			 0);
	assert_string_equal(ask_text(target, "GET a"), "1");
	assert_int_equal(restore_run(w, file, target->url, "--until-time", "yesterday"), 2);
	assert_one_sentence(w->jobs, "until-time");
	assert_int_equal(restore_run(w, rdb_of(target), target->url, "--until-time", "1700000000"),
			 1);
	assert_one_sentence(w->jobs, "after --until-time");
}

// In the file every expiry is a point in time, which may be long past: what came after it decides
// all the same.
static void what_had_expired_and_was_made_permanent_is_there(struct world *w)
{
	static const char rows[] =
		"*5\r\n$3\r\nSET\r\n$4\r\nkept\r\n$1\r\nv\r\n$4\r\nPXAT\r\n$13\r\n1700000000000\r\n"
		"*2\r\n$7\r\nPERSIST\r\n$4\r\nkept\r\n"
		"*5\r\n$3\r\nSET\r\n$4\r\ngone\r\n$1\r\nv\r\n$4\r\nPXAT\r\n$13\r\n1700000000000\r\n"
		"*2\r\n$4\r\nINCR\r\n$1\r\na\r\n"
		"*3\r\n$9\r\nPEXPIREAT\r\n$1\r\na\r\n$13\r\n1700000000000\r\n"
		"*2\r\n$4\r\nINCR\r\n$1\r\na\r\n"
		"*3\r\n$9\r\nPEXPIREAT\r\n$1\r\na\r\n$13\r\n9700000000000\r\n";
	struct server *target = server_start(w, "target", NULL);
	const char *file = text("%s/expired.aof", w->dir);

	file_write(file, rows, sizeof(rows) - 1);
	assert_int_equal(restore_run(w, file, target->url, "--max-keys-per-s", "20"), 0);
	assert_int_equal(ask_number(target, "PTTL kept"), -1);
	assert_int_equal(ask_number(target, "EXISTS gone"), 0);
	assert_string_equal(ask_text(target, "GET a"), "2");
	assert_int_equal(ask_number(target, "PEXPIRETIME a"), 9700000000000);
}

// A transaction without its end, at the end of a file.
static const char *cut_file(struct world *w, struct server *source)
{
	static const char half[] =
		"*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$5\r\ncount\r\n*2\r\n$4";
	const char *path = text("%s/half", w->dir);

	file_write(path, half, sizeof(half) - 1);
	return joined(w, "cut.aof", part(source, 1, "incr.aof"), path);
}

static void a_file_that_ends_early_is_restored_to_its_last_good_point(struct world *w)
{
	struct server *source = aof_server(w, "no", "no");
	struct server *target = server_start(w, "target", NULL);

	deltas_write(source);
	const char *file = cut_file(w, source);
	assert_int_equal(restore_run(w, file, target->url, "--strict", NULL), 1);
	assert_one_sentence(w->jobs, "has no EXEC");
	assert_int_equal(ask_number(target, "DBSIZE"), 0);
	assert_restored(w, file, source, target, NULL, NULL);
}

static void commands_go_into_an_empty_target(struct world *w)
{
	struct server *source = aof_server(w, "no", "no");
	struct server *target = server_start(w, "target", NULL);
	const char *file = part(source, 1, "incr.aof");

	run(source, "SET other 1");
	run(source, "INCRBY count 5");
	run(target, "SET count 2");
	assert_int_equal(restore_run(w, file, target->url, NULL, NULL), 1);
	assert_one_sentence(w->jobs, "the target holds 1 keys");
	assert_int_equal(ask_number(target, "DBSIZE"), 1);
	assert_int_equal(restore_run(w, file, target->url, "--extra-keys", "keep"), 0);
	assert_string_equal(ask_text(target, "GET count"), "7");
	assert_restored(w, file, source, target, "--extra-keys", "delete");
}

// ---- What goes wrong

static void a_flipped_byte_is_found_before_anything_is_written(struct world *w)
{
	struct server *source = server_start(w, "source", "--rdbcompression", "no", NULL);
	struct server *target = server_start(w, "target", NULL);
	const char inside[] = "00000000000000000000"; // of a value: what is written stays readable
	size_t len;

	dataset_load_strings(source, "key", 1000, 100);
	const char *file = rdb_of(source);
	char *bytes = file_read(file, &len);
	char *flipped = memmem(bytes + len / 2, len - len / 2, inside, sizeof(inside) - 1);
	assert_non_null(flipped);
	*flipped ^= 1;
	file_write(file, bytes, len);
	assert_int_equal(restore_run(w, file, target->url, NULL, NULL), 1);
	assert_one_sentence(w->jobs, "nothing was written");
	file_write(file, bytes, len / 3);
	assert_int_equal(restore_run(w, file, target->url, NULL, NULL), 1);
	assert_one_sentence(w->jobs, "at byte");
	free(bytes);
	assert_int_equal(ask_number(target, "DBSIZE"), 0);
}

static void assert_refused(struct world *w, const char *file, const char *target, int code,
			   const char *word)
{
	int got = restore_run(w, file, target, NULL, NULL);

	if (got != code)
		fail_msg("%s: exit code %d, not %d", file, got, code);
	assert_one_sentence(w->jobs, word);
}

static void what_cannot_be_restored_is_said_in_a_sentence(struct world *w)
{
	struct server *target = server_start(w, "target", NULL);
	const char *text_file = text("%s/notes.txt", w->dir), *empty = text("%s/empty.rdb", w->dir);
	const char *future = text("%s/future.rdb", w->dir), *good = text("%s/good.rdb", w->dir);

	file_write(text_file, "Buy milk\n", 9);
	file_write(empty, "", 0);
	file_write(future, "REDIS0099\xff\0\0\0\0\0\0\0\0", 18);
	file_write(good, "REDIS0009\xff\0\0\0\0\0\0\0\0", 18);
	assert_refused(w, text_file, target->url, 1, "neither");
	assert_refused(w, empty, target->url, 1, "empty");
	assert_refused(w, future, target->url, 1, "newer");
	assert_refused(w, text("%s/none.rdb", w->dir), target->url, 3, "No such file");
	assert_refused(w, w->dir, target->url, 3, "appendonlydir");
	assert_refused(w, "-", target->url, 2, "standard input");
	assert_refused(w, good, "redis://127.0.0.1:1", 4, "cannot connect");
	assert_refused(w, good, "http://127.0.0.1", 3, "URL");
	assert_int_equal(restore_run(w, good, target->url, NULL, NULL), 0);
}

static bool is_out_of_memory(const json_t *progress, const void *arg)
{
	const char *waiting = json_string_value(json_object_get(progress, "waiting"));
	return waiting && strstr(waiting, "out of memory");
}

static void a_full_target_is_waited_for(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", "--maxmemory", "8mb", NULL);

	dataset_load_strings(source, "key", 1000, 20000);
	struct job *j = restore_start(w, "state", rdb_of(source), target->url, NULL, NULL);
	job_wait_for(j, is_out_of_memory, NULL, "the target to be full");
	run(target, "CONFIG SET maxmemory 0");
	assert_int_equal(job_wait(j), 0);
	assert_same_data(source, target);
	assert_no_traces(target);
}

static void what_the_target_refuses_is_told_and_kept(struct world *w)
{
	struct server *source = aof_server(w, "no", "no");
	struct server *target = server_start(w, "target", NULL);
	const char *state = text("%s/state", w->dir);

	run(source, "SET first 1");
	run(source, "RPUSH list a");
	run(source, "SET last 1");
	run(target, "SET list string");
	struct job *j = restore_start(w, "state", part(source, 1, "incr.aof"), target->url,
				      "--extra-keys", "keep");
	assert_int_equal(job_wait(j), 1);
	assert_one_sentence(j, "parked");
	assert_int_equal(ask_number(target, "EXISTS first last"), 2);
	assert_no_traces(target);
	j = job_start(w, "link", "parked", "list", "--state-dir", state, NULL);
	assert_int_equal(process_wait(j->process), 0);
	char *said = process_stdout(j->process);
	assert_non_null(strstr(said, "RPUSH"));
	free(said);
}

static void a_restore_goes_no_faster_than_it_may(struct world *w)
{
	struct server *source = aof_server(w, "yes", "no");
	struct server *target = server_start(w, "target", NULL);

	dataset_load_strings(source, "key", 400, 100);
	rewrite(source);
	deltas_write(source);
	const char *whole =
		joined(w, "whole.aof", part(source, 2, "base.rdb"), part(source, 2, "incr.aof"));
	long long begun = now_ms();
	assert_restored(w, whole, source, target, "--max-keys-per-s", "4000");
	assert_true(now_ms() - begun > (400 + 2100) / 4 - 100);
	run(target, "FLUSHALL");
	struct stat st;
	assert_int_equal(stat(whole, &st), 0);
	begun = now_ms();
	assert_restored(w, whole, source, target, "--max-bytes-per-s", "250000");
	assert_true(now_ms() - begun > st.st_size / 250 - 100);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(every_type_is_restored_from_an_rdb),
		E2E_TEST(big_values_are_restored_over_four_lanes),
		E2E_TEST(a_cluster_is_restored_to),
		E2E_TEST(keys_of_the_target_are_replaced_and_others_stay),
		E2E_TEST(one_database_is_restored_into_another),
		E2E_TEST(expired_keys_are_not_made_and_are_told),
		E2E_TEST(the_state_folder_of_its_own_goes_with_it),
		E2E_TEST(a_plain_append_only_file_is_restored),
		E2E_TEST(a_file_with_preamble_is_restored_over_four_lanes),
		E2E_TEST(a_folder_of_parts_is_restored),
		E2E_TEST(a_file_is_restored_up_to_a_point_in_time),
		E2E_TEST(what_had_expired_and_was_made_permanent_is_there),
		E2E_TEST(a_file_that_ends_early_is_restored_to_its_last_good_point),
		E2E_TEST(commands_go_into_an_empty_target),
		E2E_TEST(a_flipped_byte_is_found_before_anything_is_written),
		E2E_TEST(what_cannot_be_restored_is_said_in_a_sentence),
		E2E_TEST(a_full_target_is_waited_for),
		E2E_TEST(what_the_target_refuses_is_told_and_kept),
		E2E_TEST(a_restore_goes_no_faster_than_it_may),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
