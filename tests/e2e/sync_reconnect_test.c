// SPDX-License-Identifier: BSD-3-Clause
// Connections that break and servers that go away and come back: nothing is lost, nothing is done
// twice, nothing stays that should be gone. Writers run meanwhile; the data at the end decides.
#include "tests/e2e/harness.h"

#include <signal.h>

struct scene {
	struct server *source, *target;
	struct proxy *near_source, *near_target;
	struct job *job;
	struct process *writer;
};

// A link through two proxies. @param lanes  text of a number
static void scene_link(struct world *w, struct scene *s, const char *lanes)
{
	s->near_source = proxy_start(w, s->source->port);
	s->near_target = proxy_start(w, s->target->port);
	s->job = sync_start(w, s->near_source->url, s->near_target->url, "--lanes", lanes,
			    "--fail-fast=no", NULL);
}

// Two servers of the usual kind and a link between them that streams while a writer writes.
static struct scene scene_start(struct world *w, const char *lanes)
{
	struct scene s = {.source = server_start(w, "source", NULL),
			  .target = server_start(w, "target", NULL)};

	scene_link(w, &s, lanes);
	job_wait_phase(s.job, "stream");
	s.writer = writer_start(s.source);
	return s;
}

// Everything has to be in the target, and the link has to end well.
static void scene_end(struct scene *s)
{
	if (s->writer)
		writer_stop(s->writer);
	job_wait_applied(s->job, s->source);
	assert_same_data(s->source, s->target);
	assert_int_equal(job_drain(s->job), 0);
	assert_int_equal(job_number(s->job, "in_flight"), 0);
	assert_int_equal(job_number(s->job, "parked"), 0);
	assert_same_data(s->source, s->target);
}

struct passing {
	struct proxy *proxy;
	enum proxy_direction direction;
	uint64_t goal;
};

static bool has_passed(void *arg)
{
	struct passing *passing = arg;
	return proxy_bytes(passing->proxy, passing->direction) >= passing->goal;
}

// Let the link carry some more before the next thing breaks.
static void carry(struct proxy *p, enum proxy_direction direction, uint64_t n_bytes)
{
	struct passing passing = {p, direction, proxy_bytes(p, direction) + n_bytes};

	wait_until(has_passed, &passing, "the link to carry bytes");
}

// How full syncs and resumes stand at a source.
static void assert_syncs(struct server *source, long long full, long long resumed_at_least)
{
	assert_int_equal(info_number(source, "stats", "sync_full"), full);
	assert_true(info_number(source, "stats", "sync_partial_ok") >= resumed_at_least);
}

static void source_lost_in_the_snapshot(struct world *w, enum proxy_end how)
{
	struct scene s = {.source = server_start(w, "source", NULL),
			  .target = server_start(w, "target", NULL)};

	dataset_load(s.source);
	dataset_load_big(s.source);
	select_db(s.source, 0);
	dataset_load_strings(s.source, "key", 60000, 30);
	s.near_source = proxy_start(w, s.source->port);
	s.near_target = proxy_start(w, s.target->port);
	proxy_cut_after(s.near_source, FROM_SERVER, 100000, how);
	s.job = sync_start(w, s.near_source->url, s.near_target->url, "--fail-fast=no", NULL);
	s.writer = writer_start(s.source);
	for (unsigned n = 1; n <= 2; n++) {
		proxy_wait_cut(s.near_source);
		proxy_cut_after(s.near_source, FROM_SERVER, n * 2000000, how);
	}
	proxy_wait_cut(s.near_source);
	scene_end(&s);
	assert_true(info_number(s.source, "stats", "sync_full") >= 3);
}

// A sync ends when a server refuses its connection, unless the command line or the file says no.
static void the_file_may_forbid_to_fail_fast(struct world *w)
{
	static const char yaml[] = "fail-fast: no\n";
	const char *path = text("%s/link.yaml", w->dir);
	struct server *source = server_start(w, "source", NULL);
	struct server *target = server_start(w, "target", NULL);

	run(source, "SET a 1");
	server_stop(target);
	assert_int_equal(sync_run(w, source->url, target->url, NULL), 4);
	file_write(path, yaml, strlen(yaml));
	struct job *j = sync_start(w, source->url, target->url, "--config", path, NULL);
	job_wait_phase(j, "connecting");
	server_start_again(target);
	job_wait_applied(j, source);
	assert_int_equal(job_drain(j), 0);
	assert_string_equal(ask_text(target, "GET a"), "1");
}

static void source_reset_in_the_snapshot(struct world *w)
{
	source_lost_in_the_snapshot(w, END_RST);
}

static void source_closed_in_the_snapshot(struct world *w)
{
	source_lost_in_the_snapshot(w, END_FIN);
}

static void source_lost_in_the_stream(struct world *w)
{
	struct scene s = scene_start(w, "1");

	for (unsigned i = 0; i < 4; i++) {
		carry(s.near_source, FROM_SERVER, 200000);
		proxy_cut(s.near_source, i % 2 ? END_FIN : END_RST);
	}
	carry(s.near_source, FROM_SERVER, 200000);
	scene_end(&s);
	assert_syncs(s.source, 1, 4);
}

// One write whose bytes arrive in two connections, the first part of `cut_at` bytes.
static void frame_cut_at(struct scene *s, unsigned cut_at)
{
	job_wait_applied(s->job, s->source);
	proxy_cut_after(s->near_source, FROM_SERVER, cut_at, END_RST);
	run(s->source, "MULTI");
	run(s->source, "INCR frames");
	run(s->source, "RPUSH frame-list %u", cut_at);
	run(s->source, "APPEND frame-text %s", text("%0100u,", cut_at));
	run(s->source, "EXEC");
	proxy_wait_cut(s->near_source);
}

static void source_lost_in_the_middle_of_a_frame(struct world *w)
{
	static const unsigned places[] = {1, 2, 14, 15, 16, 37, 60, 90, 150, 200, 224, 237};
	struct scene s = {.source = server_start(w, "source", NULL),
			  .target = server_start(w, "target", NULL)};

	scene_link(w, &s, "2");
	job_wait_phase(s.job, "stream");
	run(s.source, "SET first 1");
	for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++)
		frame_cut_at(&s, places[i]);
	scene_end(&s);
	assert_int_equal(ask_number(s.target, "GET frames"), sizeof(places) / sizeof(*places));
	assert_syncs(s.source, 1, 12);
}

static void source_lost_in_the_middle_of_a_large_value(struct world *w)
{
	struct scene s = {.source = server_start(w, "source", NULL),
			  .target = server_start(w, "target", NULL)};
	size_t len = 6u << 20;
	char *bytes = malloc(len);

	assert_non_null(bytes);
	memset(bytes, 'v', len);
	run(s.source, "CONFIG SET repl-backlog-size 64mb");
	scene_link(w, &s, "1");
	job_wait_phase(s.job, "stream");
	for (unsigned i = 1; i <= 3; i++) {
		run(s.source, "INCR n");
		proxy_cut_after(s.near_source, FROM_SERVER, i * 1500000, END_RST);
		run(s.source, "APPEND large %b", bytes, len);
		proxy_wait_cut(s.near_source);
	}
	free(bytes);
	scene_end(&s);
	assert_syncs(s.source, 1, 3);
}

static void target_lost_in_the_snapshot(struct world *w)
{
	struct scene s = {.source = server_start(w, "source", NULL),
			  .target = server_start(w, "target", NULL)};

	dataset_load(s.source);
	dataset_load_big(s.source);
	s.near_source = proxy_start(w, s.source->port);
	s.near_target = proxy_start(w, s.target->port);
	proxy_cut_after(s.near_target, TO_SERVER, 200000, END_RST);
	s.job = sync_start(w, s.near_source->url, s.near_target->url, "--lanes", "2",
			   "--fail-fast=no", NULL);
	s.writer = writer_start(s.source);
	proxy_wait_cut(s.near_target);
	proxy_cut_after(s.near_target, TO_SERVER, 3000000, END_FIN);
	proxy_wait_cut(s.near_target);
	proxy_cut_after(s.near_target, FROM_SERVER, 20000, END_RST);
	proxy_wait_cut(s.near_target);
	scene_end(&s);
}

// Commands that did not arrive, and commands that did but whose answer was lost.
static void target_lost_in_the_stream(struct world *w, const char *lanes)
{
	struct scene s = scene_start(w, lanes);

	for (unsigned i = 0; i < 8; i++) {
		carry(s.near_target, TO_SERVER, 50000);
		proxy_cut_after(s.near_target, i % 2 ? TO_SERVER : FROM_SERVER, 3001 + i * 77,
				i % 3 ? END_RST : END_FIN);
		proxy_wait_cut(s.near_target);
	}
	carry(s.near_target, TO_SERVER, 50000);
	scene_end(&s);
	assert_syncs(s.source, 1, 0);
}

static void target_lost_in_the_stream_over_one_lane(struct world *w)
{
	target_lost_in_the_stream(w, "1");
}

static void target_lost_in_the_stream_over_four_lanes(struct world *w)
{
	target_lost_in_the_stream(w, "4");
}

static void both_lost_at_once(struct world *w)
{
	struct scene s = scene_start(w, "3");

	for (unsigned i = 0; i < 4; i++) {
		carry(s.near_target, TO_SERVER, 50000);
		proxy_cut(s.near_target, END_RST);
		proxy_cut(s.near_source, END_RST);
	}
	scene_end(&s);
}

static void a_target_that_stalls_does_not_hold_the_source_back(struct world *w)
{
	struct scene s = scene_start(w, "2");

	carry(s.near_target, TO_SERVER, 50000);
	proxy_stall(s.near_target, true);
	carry(s.near_source, FROM_SERVER, 3000000);
	proxy_stall(s.near_target, false);
	scene_end(&s);
	assert_syncs(s.source, 1, 0);
}

// A link over slow lines that streams.
static struct scene slow_start(struct world *w, const char *lanes)
{
	struct scene s = {.source = server_start(w, "source", NULL),
			  .target = server_start(w, "target", NULL)};

	dataset_load(s.source);
	select_db(s.source, 0);
	scene_link(w, &s, lanes);
	proxy_delay(s.near_source, 20);
	proxy_delay(s.near_target, 30);
	job_wait_phase(s.job, "stream");
	return s;
}

static void slow_lines_carry_everything_over_one_lane(struct world *w)
{
	struct scene s = slow_start(w, "1");

	s.writer = writer_start(s.source);
	carry(s.near_target, TO_SERVER, 3000000);
	scene_end(&s);
}

// Every command over two lanes may cost a round trip, so there are but a few of them.
static void slow_lines_carry_everything_over_two_lanes(struct world *w)
{
	struct scene s = slow_start(w, "2");

	for (unsigned i = 0; i < 2000; i++) {
		queue(s.source, "RPUSH l:%u %u", i % 20, i);
		queue(s.source, "INCR n:%u", i % 9);
		if (i % 50 == 0)
			queue(s.source, "RPOPLPUSH l:%u l:%u", i % 20, (i + 7) % 20);
	}
	scene_end(&s);
}

static void source_restarts_and_keeps_its_history(struct world *w)
{
	struct scene s = {.source = server_start(w, "source", "--save", "3600 1", NULL),
			  .target = server_start(w, "target", NULL)};

	scene_link(w, &s, "2");
	job_wait_phase(s.job, "stream");
	s.writer = writer_start(s.source);
	carry(s.near_source, FROM_SERVER, 200000);
	server_stop(s.source);
	server_start_again(s.source);
	carry(s.near_source, FROM_SERVER, 200000);
	scene_end(&s);
	assert_syncs(s.source, 0, 1);
}

static void source_restarts_and_has_lost_everything(struct world *w)
{
	struct scene s = {.source = server_start(w, "source", NULL),
			  .target = server_start(w, "target", NULL)};

	dataset_load(s.source);
	scene_link(w, &s, "2");
	job_wait_applied(s.job, s.source);
	server_kill(s.source);
	server_start_again(s.source);
	dataset_load_strings(s.source, "new", 100, 10);
	run(s.source, "INCR number:1");
	scene_end(&s);
	assert_int_equal(keys_count(s.target, 0), 101);
}

static void target_restarts(struct world *w, bool clean)
{
	struct scene s = {.source = server_start(w, "source", NULL),
			  .target = server_start(w, "target", "--appendonly", "yes",
						 "--appendfsync", "always", NULL)};

	scene_link(w, &s, "2");
	job_wait_phase(s.job, "stream");
	s.writer = writer_start(s.source);
	for (unsigned i = 0; i < 2; i++) {
		carry(s.near_target, TO_SERVER, 100000);
		if (clean)
			server_stop(s.target);
		else
			server_kill(s.target);
		server_start_again(s.target);
	}
	carry(s.near_target, TO_SERVER, 100000);
	scene_end(&s);
	assert_syncs(s.source, 1, 0);
}

static void target_restarts_cleanly(struct world *w)
{
	target_restarts(w, true);
}

static void target_is_killed_and_restarts(struct world *w)
{
	target_restarts(w, false);
}

static void a_target_that_lost_everything_is_filled_again(struct world *w)
{
	struct scene s = {.source = server_start(w, "source", NULL),
			  .target = server_start(w, "target", NULL)};

	dataset_load(s.source);
	scene_link(w, &s, "2");
	job_wait_applied(s.job, s.source);
	server_kill(s.target);
	run(s.source, "INCR meanwhile");
	server_start_again(s.target);
	run(s.source, "INCR afterwards");
	scene_end(&s);
}

static bool replica_follows(void *arg)
{
	struct server **pair = arg;
	return !strcmp(info_text(pair[1], "replication", "master_link_status"), "up") &&
	       server_offset(pair[0]) == server_offset(pair[1]);
}

static void failover_of_the_source_to_its_replica(struct world *w)
{
	struct server *replica = server_start(w, "replica", NULL);
	struct scene s = scene_start(w, "2");
	struct server *pair[2] = {s.source, replica};

	run(replica, "REPLICAOF 127.0.0.1 %d", s.source->port);
	carry(s.near_source, FROM_SERVER, 200000);
	writer_stop(s.writer);
	wait_until(replica_follows, pair, "the replica to follow");
	job_wait_applied(s.job, s.source);
	proxy_upstream(s.near_source, replica->port);
	run(replica, "REPLICAOF NO ONE");
	server_kill(s.source);
	s.source = replica;
	s.writer = writer_start(replica);
	carry(s.near_source, FROM_SERVER, 200000);
	scene_end(&s);
	assert_syncs(replica, 0, 1);
}

// The old source had written what its replica never got: the target must not keep it.
static void failover_that_lost_writes_leaves_no_ghosts(struct world *w)
{
	struct server *replica = server_start(w, "replica", NULL);
	struct scene s = {.source = server_start(w, "source", NULL),
			  .target = server_start(w, "target", NULL)};
	struct server *pair[2] = {s.source, replica};

	dataset_load_strings(s.source, "key", 500, 20);
	scene_link(w, &s, "2");
	job_wait_phase(s.job, "stream");
	run(replica, "REPLICAOF 127.0.0.1 %d", s.source->port);
	wait_until(replica_follows, pair, "the replica to follow");
	// Led astray, the replica keeps its history and hears no more of it.
	run(replica, "REPLICAOF 127.0.0.1 1");
	for (unsigned i = 0; i < 100; i++)
		queue(s.source, "RPUSH ghost:%u lost", i);
	run(s.source, "INCR lost-count");
	job_wait_applied(s.job, s.source);
	assert_int_equal(ask_number(s.target, "EXISTS ghost:7 lost-count"), 2);
	server_kill(s.source);
	run(replica, "REPLICAOF NO ONE");
	run(replica, "SET survivor 1");
	proxy_upstream(s.near_source, replica->port);
	s.source = replica;
	scene_end(&s);
	assert_int_equal(ask_number(s.target, "EXISTS ghost:7 lost-count"), 0);
}

static void a_refused_resume_becomes_a_full_sync_without_ghosts(struct world *w)
{
	struct scene s = {.source = server_start(w, "source", "--repl-backlog-size", "16kb", NULL),
			  .target = server_start(w, "target", NULL)};

	dataset_load(s.source);
	select_db(s.source, 0);
	dataset_load_strings(s.source, "key", 2000, 100);
	scene_link(w, &s, "2");
	run(s.source, "INCR n");
	job_wait_applied(s.job, s.source);
	proxy_refuse(s.near_source, true);
	proxy_cut(s.near_source, END_RST);
	for (unsigned i = 0; i < 1000; i++) {
		queue(s.source, "DEL key:%u", i);
		queue(s.source, "APPEND key:%u %s", 1000 + i, "more");
		queue(s.source, "INCR n");
		queue(s.source, "SET new:%u %s", i, "value of some length to push the backlog out");
	}
	select_db(s.source, 9);
	run(s.source, "DEL list:nodes set:table");
	select_db(s.source, 15);
	run(s.source, "FLUSHDB");
	proxy_refuse(s.near_source, false);
	scene_end(&s);
	assert_syncs(s.source, 2, 0);
}

static void a_job_that_was_drained_resumes(struct world *w)
{
	struct scene s = {.source = server_start(w, "source", NULL),
			  .target = server_start(w, "target", NULL)};
	const char *state = text("%s/state", w->dir);

	dataset_load(s.source);
	s.writer = writer_start(s.source);
	for (unsigned i = 0; i < 3; i++) {
		s.job = sync_start(w, s.source->url, s.target->url, "--state-dir", state, "--lanes",
				   text("%u", 1 + i), NULL);
		job_wait_phase(s.job, "stream");
		job_wait_number(s.job, "applied", 1000);
		if (i < 2)
			assert_int_equal(job_drain(s.job), 0);
	}
	scene_end(&s);
	assert_syncs(s.source, 1, 2);
}

static void a_job_that_was_killed_resumes_exactly(struct world *w)
{
	struct scene s = {.source = server_start(w, "source", NULL),
			  .target = server_start(w, "target", NULL)};
	const char *state = text("%s/state", w->dir);

	dataset_load(s.source);
	s.writer = writer_start(s.source);
	for (unsigned i = 0; i < 3; i++) {
		s.job = sync_start(w, s.source->url, s.target->url, "--state-dir", state, "--lanes",
				   "3", NULL);
		job_wait_phase(s.job, "stream");
		job_wait_number(s.job, "applied", 1000);
		job_wait_caught_up(s.job);
		if (i == 2)
			break;
		pid_t daemon = job_daemon(s.job), dataplane = job_dataplane(s.job);
		process_kill(s.job->process);
		kill(daemon, SIGKILL);
		kill(dataplane, SIGKILL);
	}
	scene_end(&s);
	assert_syncs(s.source, 1, 2);
}

// The next life of a link finds markers, but the source has begun anew: far below their offsets.
static void markers_of_another_history_do_not_outlive_a_full_sync(struct world *w)
{
	struct scene s = {.source = server_start(w, "source", NULL),
			  .target = server_start(w, "target", NULL)};
	const char *state = text("%s/state", w->dir);

	for (unsigned i = 0; i < 3; i++) {
		if (i == 1) {
			server_kill(s.source);
			server_start_again(s.source);
		}
		if (!i)
			s.writer = writer_start(s.source);
		s.job = sync_start(w, s.source->url, s.target->url, "--state-dir", state, NULL);
		job_wait_phase(s.job, "stream");
		if (!i) {
			job_wait_number(s.job, "applied", 1000);
			writer_stop(s.writer);
			s.writer = NULL;
		}
		run(s.source, "INCR lives");
		job_wait_applied(s.job, s.source);
		if (i < 2)
			assert_int_equal(job_drain(s.job), 0);
	}
	scene_end(&s);
	assert_syncs(s.source, 1, 1);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(the_file_may_forbid_to_fail_fast),
		E2E_TEST(source_reset_in_the_snapshot),
		E2E_TEST(source_closed_in_the_snapshot),
		E2E_TEST(source_lost_in_the_stream),
		E2E_TEST(source_lost_in_the_middle_of_a_frame),
		E2E_TEST(source_lost_in_the_middle_of_a_large_value),
		E2E_TEST(target_lost_in_the_snapshot),
		E2E_TEST(target_lost_in_the_stream_over_one_lane),
		E2E_TEST(target_lost_in_the_stream_over_four_lanes),
		E2E_TEST(both_lost_at_once),
		E2E_TEST(a_target_that_stalls_does_not_hold_the_source_back),
		E2E_TEST(slow_lines_carry_everything_over_one_lane),
		E2E_TEST(slow_lines_carry_everything_over_two_lanes),
		E2E_TEST(source_restarts_and_keeps_its_history),
		E2E_TEST(source_restarts_and_has_lost_everything),
		E2E_TEST(target_restarts_cleanly),
		E2E_TEST(target_is_killed_and_restarts),
		E2E_TEST(a_target_that_lost_everything_is_filled_again),
		E2E_TEST(failover_of_the_source_to_its_replica),
		E2E_TEST(failover_that_lost_writes_leaves_no_ghosts),
		E2E_TEST(a_refused_resume_becomes_a_full_sync_without_ghosts),
		E2E_TEST(a_job_that_was_drained_resumes),
		E2E_TEST(a_job_that_was_killed_resumes_exactly),
		E2E_TEST(markers_of_another_history_do_not_outlive_a_full_sync),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
