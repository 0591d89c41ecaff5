// SPDX-License-Identifier: BSD-3-Clause
// A restore that is killed or interrupted goes on where it was, by the same command; nothing is
// applied twice, and a file that has changed meanwhile is not taken for the one it was.
#include <signal.h>

#include "tests/e2e/restore_rig.h"

// An append-only file of commands whose repetition or loss would show.
static const char *deltas_file(struct world *w, struct server **source)
{
	*source = server_start(w, "source", "--appendonly", "yes", "--aof-use-rdb-preamble", "no",
			       "--appendfsync", "no", NULL);
	for (int i = 0; i < 1000; i++) {
		queue(*source, "INCR count");
		queue(*source, "APPEND text:%d %d,", i % 7, i);
		queue(*source, "RPUSH list %d", i);
		queue(*source, "MULTI");
		queue(*source, "HINCRBY hash field %d", i);
		queue(*source, "LMOVE list other LEFT RIGHT");
		queue(*source, "EXEC");
	}
	queue_flush(*source);
	return text("%s/appendonlydir/appendonly.aof.1.incr.aof", (*source)->dir);
}

// kill -9 of all three programs.
static void job_kill(struct job *j)
{
	pid_t daemon = job_daemon(j), dataplane = job_dataplane(j);

	process_kill(j->process);
	kill(daemon, SIGKILL);
	kill(dataplane, SIGKILL);
}

static struct job *half_restored(struct world *w, const char *file, struct server *target)
{
	struct job *j = restore_start(w, "state", file, target->url, "--max-bytes-per-s", "100000");

	job_wait_number(j, "applied", 300);
	return j;
}

static void assert_goes_on(struct world *w, const char *file, struct server *source,
			   struct server *target)
{
	struct job *j = restore_start(w, "state", file, target->url, NULL, NULL);

	assert_int_equal(job_wait(j), 0);
	assert_non_null(strstr(job_text(j, "resumed"), "the target holds the stream up to"));
	assert_same_data(source, target);
	assert_no_traces(target);
}

static void commands_are_not_applied_twice_after_a_kill(struct world *w)
{
	struct server *source, *target = server_start(w, "target", NULL);
	const char *file = deltas_file(w, &source);

	job_kill(half_restored(w, file, target));
	assert_true(data_differences(source, target) > 0);
	assert_goes_on(w, file, source, target);
}

static void an_interrupted_restore_goes_on(struct world *w)
{
	struct server *source, *target = server_start(w, "target", NULL);
	const char *file = deltas_file(w, &source);
	struct job *j = half_restored(w, file, target);

	assert_int_equal(job_drain(j), 1);
	assert_one_sentence(j, "interrupted");
	assert_goes_on(w, file, source, target);
}

static void a_file_that_has_changed_is_not_taken_up(struct world *w)
{
	struct server *source, *target = server_start(w, "target", NULL);
	const char *file = deltas_file(w, &source);

	job_kill(half_restored(w, file, target));
	run(source, "INCR count");
	struct job *j = restore_start(w, "state", file, target->url, NULL, NULL);
	assert_int_equal(job_wait(j), 1);
	assert_one_sentence(j, "is not what it was");
	j = restore_start(w, "state", file, target->url, "--extra-keys", "delete");
	assert_int_equal(job_wait(j), 0);
	assert_same_data(source, target);
	assert_no_traces(target);
}

static void a_snapshot_is_loaded_again_after_a_kill(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);

	dataset_load_strings(source, "key", 2000, 1000);
	const char *file = rdb_of(source);
	struct job *j = restore_start(w, "state", file, target->url, "--max-keys-per-s", "1000");
	job_wait_number(j, "keys", 200);
	process_kill(j->process); // what it had started ends by itself
	assert_true(keys_count(target, 0) < 2000);
	j = restore_start(w, "state", file, target->url, NULL, NULL);
	assert_int_equal(job_wait(j), 0);
	assert_same_data(source, target);
	assert_no_traces(target);
}

// The target loses everything while the commands of the file are on their way to it.
static void a_target_that_comes_back_empty_gets_all_of_it(struct world *w)
{
	struct server *source, *target = server_start(w, "target", NULL);
	const char *file = deltas_file(w, &source);
	struct job *j = half_restored(w, file, target);

	server_kill(target);
	server_start_again(target);
	assert_int_equal(job_wait(j), 0);
	assert_same_data(source, target);
	assert_no_traces(target);
}

// Nothing says how many of the commands it holds: it is not given them once more.
static void a_target_without_its_markers_is_left_alone(struct world *w)
{
	struct server *source, *target = server_start(w, "target", NULL);
	const char *file = deltas_file(w, &source);
	struct job *j = half_restored(w, file, target);

	job_kill(j);
	redisReply *keys = ask(target, "KEYS __flyover*");
	for (size_t i = 0; i < keys->elements; i++)
		run(target, "DEL %s", keys->element[i]->str);
	freeReplyObject(keys);
	const char *before = ask_text(target, "GET count");
	assert_int_equal(restore_run(w, file, target->url, NULL, NULL), 1);
	j = restore_start(w, "state", file, target->url, NULL, NULL);
	assert_int_equal(job_wait(j), 1);
	assert_one_sentence(j, "the target holds");
	assert_string_equal(ask_text(target, "GET count"), before);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(commands_are_not_applied_twice_after_a_kill),
		E2E_TEST(an_interrupted_restore_goes_on),
		E2E_TEST(a_file_that_has_changed_is_not_taken_up),
		E2E_TEST(a_snapshot_is_loaded_again_after_a_kill),
		E2E_TEST(a_target_that_comes_back_empty_gets_all_of_it),
		E2E_TEST(a_target_without_its_markers_is_left_alone),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
