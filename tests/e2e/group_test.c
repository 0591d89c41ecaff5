// SPDX-License-Identifier: BSD-3-Clause
// A cluster as the source: one stream a shard, one link for people. What befalls it while it is
// read is in matrix_test.c.
#include "tests/e2e/harness.h"

#include <signal.h>

struct scene {
	struct cluster *source;
	struct server *target;
	struct job *job;
	struct process *writer;
	const char *state_dir;
};

struct both {
	struct cluster *source;
	struct server *target;
};

static bool is_same(void *arg)
{
	struct both *both = arg;
	struct servers masters = cluster_masters(both->source), one = just(both->target);

	return !data_differences_of(&masters, &one);
}

static void wait_same(struct scene *s)
{
	struct both both = {s->source, s->target};

	wait_until(is_same, &both, "the target to hold what the masters hold");
}

static void job_begin(struct world *w, struct scene *s, const char *lanes)
{
	const char *arguments[] = {"sync",        s->source->url, s->target->url,   "--json",
				   "--state-dir", s->state_dir,   "--interval",     "50ms",
				   "--lanes",     lanes,          "--fail-fast=no", NULL};

	s->job = job_start_argv(w, "flyover", arguments, NULL);
}

// Three shards with two nodes each and keys in all of them, a link that streams, a writer.
static struct scene scene_start(struct world *w, const char *lanes)
{
	struct scene s = {.source = cluster_start(w, "source", 3, 1, NULL),
			  .target = server_start(w, "target", NULL),
			  .state_dir = text("%s/state", w->dir)};

	cluster_fill(s.source, "key", 3000, 40);
	cluster_fill(s.source, "big", 9, 600000); // in pieces, by all shards at once
	job_begin(w, &s, lanes);
	job_wait_phase(s.job, "stream");
	s.writer = cluster_writer_start(s.source, 1, 200);
	return s;
}

static void scene_end(struct scene *s)
{
	writer_stop(s->writer);
	wait_same(s);
	assert_int_equal(job_drain(s->job), 0);
	assert_books_balance(s->job);
	assert_int_equal(job_number(s->job, "parked"), 0);
	wait_same(s);
}

// How many full syncs the link has told of.
static unsigned full_syncs(const struct scene *s)
{
	char *log = file_read(text("%s/flyoverd.log", s->state_dir), NULL);
	unsigned n = 0;

	assert_non_null(log);
	for (const char *at = log; (at = strstr(at, "full sync: ")); at++)
		n++;
	free(log);
	return n;
}

static void wait_applied(struct scene *s, long long more)
{
	job_wait_number(s->job, "applied", job_number(s->job, "applied") + more);
}

static void three_shards_become_one_server(struct world *w)
{
	struct scene s = scene_start(w, "1");

	wait_applied(&s, 3000);
	scene_end(&s);
	assert_int_equal(full_syncs(&s), 3);
	assert_int_equal(job_number(s.job, "keys"), 3009);
}

static void replicas_are_read_and_their_masters_when_they_are_lost(struct world *w)
{
	struct scene s = scene_start(w, "1");
	struct server *replica = cluster_replica(s.source, s.source->nodes.list[0]);

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(info_number(s.source->nodes.list[3 + i], "stats", "sync_full"), 1);
	wait_applied(&s, 500);
	server_kill(replica);
	wait_applied(&s, 500);
	scene_end(&s);
	assert_int_equal(full_syncs(&s), 3);
}

static void a_link_that_was_drained_goes_on_though_masters_changed(struct world *w)
{
	struct scene s = scene_start(w, "1");

	wait_applied(&s, 500);
	assert_int_equal(job_drain(s.job), 0);
	cluster_failover(s.source, cluster_replica(s.source, s.source->nodes.list[2]));
	job_begin(w, &s, "2");
	job_wait_phase(s.job, "stream");
	wait_applied(&s, 500);
	scene_end(&s);
	assert_int_equal(full_syncs(&s), 3);
}

static void keys_that_are_gone_meanwhile_go_from_the_target(struct world *w)
{
	struct scene s = scene_start(w, "1");

	wait_applied(&s, 300);
	assert_int_equal(job_drain(s.job), 0);
	for (unsigned i = 0; i < 3000; i += 3)
		run(cluster_owner_of(s.source, text("key:%u", i)), "DEL key:%u", i);
	// Without its markers only a full sync helps; one of its keys is no longer a key of the
	// source.
	run(s.target, "FLUSHALL");
	run(s.target, "SET key:0 old");
	job_begin(w, &s, "1");
	job_wait_phase(s.job, "stream");
	scene_end(&s);
	assert_int_equal(full_syncs(&s), 6);
}

static void slots_without_a_master_are_named(struct world *w)
{
	struct scene s = {.source = cluster_start(w, "source", 2, 0,
						  "--cluster-require-full-coverage", "no", NULL),
			  .target = server_start(w, "target", NULL),
			  .state_dir = text("%s/state", w->dir)};

	run(s.source->nodes.list[0], "CLUSTER DELSLOTS 77");
	run(s.source->nodes.list[1], "CLUSTER DELSLOTS 77");
	job_begin(w, &s, "1");
	job_wait_phase(s.job, "stream");
	s.writer = cluster_writer_start(s.source, 1, 50);
	wait_applied(&s, 100);
	assert_non_null(strstr(job_text(s.job, "waiting"), "1 slot"));
	process_signal(s.writer, SIGKILL);
	assert_int_equal(job_drain(s.job), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(three_shards_become_one_server),
		E2E_TEST(replicas_are_read_and_their_masters_when_they_are_lost),
		E2E_TEST(a_link_that_was_drained_goes_on_though_masters_changed),
		E2E_TEST(keys_that_are_gone_meanwhile_go_from_the_target),
		E2E_TEST(slots_without_a_master_are_named),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
