// SPDX-License-Identifier: BSD-3-Clause
// From one server to a Redis Cluster, under writes that show any loss, repeat or reorder: slots
// move, masters step down or die, we die.
#include "tests/e2e/harness.h"

#include <glob.h>
#include <signal.h>

struct scene {
	struct server *source;
	struct cluster *target;
	struct job *job;
	struct process *writer;
};

static struct scene scene_start(struct world *w, const char *lanes)
{
	struct scene s = {.source = server_start(w, "source", NULL),
			  .target = cluster_start(w, "target", 3, 1, NULL)};

	run(s.source, "DEBUG POPULATE 2000 early 30");
	s.job = sync_start(w, s.source->url, s.target->url, "--lanes", lanes, "--fail-fast=no",
			   "--preflight=no", NULL);
	job_wait_phase(s.job, "stream");
	s.writer = writer_start(s.source);
	job_wait_number(s.job, "applied", job_number(s.job, "applied") + 2000);
	return s;
}

static void carry(struct scene *s, long long commands)
{
	job_poll(s->job);
	job_wait_number(s->job, "applied", job_number(s->job, "applied") + commands);
}

// Everything has to be in the target, and the link has to end well.
static void scene_end(struct scene *s)
{
	struct servers source = just(s->source);

	carry(s, 2000);
	writer_stop(s->writer);
	job_wait_applied(s->job, s->source);
	cluster_settle(s->target);
	struct servers target = cluster_masters(s->target);
	assert_same_data_of(&source, &target, true);
	assert_int_equal(job_drain(s->job), 0);
	assert_int_equal(job_number(s->job, "parked"), 0);
	assert_int_equal(info_number(s->source, "stats", "sync_full"), 1);
}

static void slots_move_under_load(struct world *w)
{
	struct scene s = scene_start(w, "1");
	struct servers masters = cluster_masters(s.target);

	for (unsigned i = 0; i < 3; i++) {
		slots_move(s.target, (uint16_t)(5461 * i), (uint16_t)(5461 * i + 40),
			   masters.list[(i + 1) % 3]);
		carry(&s, 500);
	}
	scene_end(&s);
}

// For seconds a slot is half here and half there.
static void slot_that_is_torn_for_long(struct world *w)
{
	struct scene s = scene_start(w, "1");
	uint16_t slot = key_slot(span_of("w:count:3"));
	struct server *owner = cluster_owner(s.target, slot);
	struct servers masters = cluster_masters(s.target);
	struct server *to = masters.list[masters.list[0] == owner];

	slot_move_begin(s.target, slot, to);
	slot_move_keys(s.target, slot, to, 1);
	job_wait_number(s.job, "lag_ms", 1500);
	slot_move_keys(s.target, slot, to, UINT32_MAX);
	slot_move_end(s.target, slot, to);
	scene_end(&s);
}

static void master_steps_down(struct world *w)
{
	struct scene s = scene_start(w, "2");
	struct servers masters = cluster_masters(s.target);

	cluster_failover(s.target, cluster_replica(s.target, masters.list[1]));
	scene_end(&s);
}

// kill -9 of a master: its replica may lack what had been answered, and says so by its markers.
static void master_dies(struct world *w)
{
	struct scene s = scene_start(w, "1");
	struct servers masters = cluster_masters(s.target);

	cluster_kill_master(s.target, masters.list[2]);
	scene_end(&s);
}

// kill -9 of the fast path: it is started again, and goes on at the markers.
static void we_die(struct world *w)
{
	struct scene s = scene_start(w, "1");

	for (unsigned i = 0; i < 3; i++) {
		kill(job_dataplane(s.job), SIGKILL);
		carry(&s, 1000);
	}
	scene_end(&s);
}

// A file of the link's state. @return its path, NULL while there is none
static const char *state_file(const struct world *w, const char *name)
{
	glob_t found = {0};
	const char *path = NULL;

	if (!glob(text("%s/state-*/%s", w->dir, name), 0, NULL, &found))
		path = text("%s", found.gl_pathv[0]);
	globfree(&found);
	return path;
}

static bool holds_are_saved(void *world)
{
	return state_file(world, "links/*/holds") != NULL;
}

static void assert_asked_for_holds(const struct world *w)
{
	char *log = file_read(state_file(w, "flyoverd.log"), NULL);

	assert_non_null(log);
	assert_non_null(strstr(log, "100 keys still have the expiry that they were held with"));
	free(log);
}

// Expiries near at hand are held while a snapshot loads. When we die before they were given back,
// the masters that have the keys are asked what became of them.
static void expiries_are_held_over_our_death(struct world *w)
{
	struct scene s = {.source = server_start(w, "source", NULL),
			  .target = cluster_start(w, "target", 3, 0, NULL)};
	struct proxy *proxy = proxy_start(w, s.source->port);
	struct servers source = just(s.source);

	for (unsigned i = 0; i < 100; i++)
		run(s.source, "SET brief:%d v PX 300000", (int)i);
	proxy_delay(proxy, 300); // so the source is not heard of at once
	s.job = sync_start(w, proxy->url, s.target->url, "--fail-fast=no", NULL);
	wait_until(holds_are_saved, w, "held expiries to be saved");
	kill(job_dataplane(s.job), SIGKILL);
	job_wait_phase(s.job, "connecting");
	proxy_delay(proxy, 0);
	job_wait_phase(s.job, "stream");
	run(s.source, "SET last v");
	job_wait_applied(s.job, s.source);
	job_wait_caught_up(s.job);
	assert_int_equal(job_drain(s.job), 0);
	assert_asked_for_holds(w);
	struct servers target = cluster_masters(s.target);
	assert_same_data_of(&source, &target, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(slots_move_under_load),
		E2E_TEST(slot_that_is_torn_for_long),
		E2E_TEST(master_steps_down),
		E2E_TEST(master_dies),
		E2E_TEST(we_die),
		E2E_TEST(expiries_are_held_over_our_death),
	};

	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
