// SPDX-License-Identifier: BSD-3-Clause
// A cluster into a cluster of another number of shards, while masters change on both sides.
#include "tests/e2e/harness.h"

#include <signal.h>

struct scene {
	struct cluster *source, *target;
	struct job *job;
	struct process *writer;
};

static bool is_same(void *arg)
{
	struct scene *s = arg;
	struct servers from = cluster_masters(s->source), to = cluster_masters(s->target);

	return !data_differences_of(&from, &to);
}

// The first differences are named when it never is.
static void wait_same(struct scene *s)
{
	long long deadline = now_ms() + DEADLINE_MS / 2;

	while (!is_same(s) && now_ms() < deadline)
		nap_ms(20);
	struct servers from = cluster_masters(s->source), to = cluster_masters(s->target);
	assert_same_data_of(&from, &to, false);
}

static struct scene scene_start(struct world *w)
{
	struct scene s = {.source = cluster_start(w, "source", 3, 1, NULL),
			  .target = cluster_start(w, "target", 2, 1, NULL)};

	cluster_fill(s.source, "key", 2000, 40);
	s.job = sync_start(w, s.source->url, s.target->url, "--fail-fast=no", NULL);
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

static void wait_applied(struct scene *s, long long more)
{
	job_poll(s->job);
	job_wait_number(s->job, "applied", job_number(s->job, "applied") + more);
}

static void shards_need_not_be_as_many(struct world *w)
{
	struct scene s = scene_start(w);

	wait_applied(&s, 3000);
	scene_end(&s);
}

static void masters_change_on_both_sides(struct world *w)
{
	struct scene s = scene_start(w);

	wait_applied(&s, 300);
	cluster_failover(s.source, cluster_replica(s.source, s.source->nodes.list[0]));
	wait_applied(&s, 300);
	cluster_failover(s.target, cluster_replica(s.target, s.target->nodes.list[0]));
	wait_applied(&s, 300);
	cluster_kill_master(s.source, s.source->nodes.list[1]);
	wait_applied(&s, 300);
	scene_end(&s);
}

static void slots_of_the_target_move_and_we_are_killed(struct world *w)
{
	struct scene s = scene_start(w);

	for (uint16_t i = 0; i < 3; i++) {
		wait_applied(&s, 200);
		slots_move(s.target, (uint16_t)(i * 200), (uint16_t)(i * 200 + 99),
			   s.target->nodes.list[1]);
		kill(job_dataplane(s.job), SIGKILL);
		job_wait_phase(s.job, "connecting");
		job_wait_phase(s.job, "stream");
	}
	wait_applied(&s, 200);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(shards_need_not_be_as_many),
		E2E_TEST(masters_change_on_both_sides),
		E2E_TEST(slots_of_the_target_move_and_we_are_killed),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
