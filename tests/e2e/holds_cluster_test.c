// SPDX-License-Identifier: BSD-3-Clause
// Expiries that are held, see sync_reprieve_test.c, where the target is a cluster.
#include "tests/e2e/harness.h"

#include <glob.h>
#include <signal.h>

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
	struct server *source = server_start(w, "source", NULL);
	struct cluster *target = cluster_start(w, "target", 3, 0, NULL);
	struct proxy *proxy = proxy_start(w, source->port);
	struct servers from = just(source);

	for (unsigned i = 0; i < 100; i++)
		run(source, "SET brief:%d v PX 300000", (int)i);
	proxy_delay(proxy, 300); // so the source is not heard of at once
	struct job *job = sync_start(w, proxy->url, target->url, "--fail-fast=no", NULL);
	wait_until(holds_are_saved, w, "held expiries to be saved");
	kill(job_dataplane(job), SIGKILL);
	job_wait_phase(job, "connecting");
	proxy_delay(proxy, 0);
	job_wait_phase(job, "stream");
	run(source, "SET last v");
	job_wait_applied(job, source);
	job_wait_caught_up(job);
	assert_int_equal(job_drain(job), 0);
	assert_asked_for_holds(w);
	struct servers to = cluster_masters(target);
	assert_same_data_of(&from, &to, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(expiries_are_held_over_our_death),
	};

	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
