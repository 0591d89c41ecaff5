// SPDX-License-Identifier: BSD-3-Clause
// What the state folder gives back: the log and the snapshot on disk, for targets that come back
// older or empty, and expiries that were held when we died.
#include "tests/e2e/resume_scene.h"

// ---- Our log on disk

// A log that keeps what is behind the frontier, and a source that keeps next to nothing.
static struct scene scene_with_log(struct world *w, const char *lanes)
{
	struct scene s = scene_servers(w, lanes);

	s.window = "1MB";
	s.keep = "256MB";
	scene_begin(&s);
	run(s.source, "CONFIG SET repl-backlog-size 16kb");
	return s;
}

static void an_older_target_is_fed_from_our_log_on_disk(struct world *w)
{
	struct scene s = scene_with_log(w, "3");

	s.writer = writer_start(s.source);
	for (unsigned i = 0; i < 2; i++) {
		carry(&s, 100000);
		run(s.target, "SAVE");
		write_much(&s);
		job_wait_applied(s.job, s.source);
		target_rolls_back(&s);
	}
	wait_told(s.job, "resumed", "from our log");
	scene_end(&s);
	assert_full_syncs(s.source, 1);
	assert_int_equal(info_number(s.source, "stats", "sync_partial_ok"), 0);
}

// What was not applied when we ended, and what the target has lost since, is in no backlog.
static void a_next_life_resumes_from_the_log_on_disk(struct world *w)
{
	struct scene s = scene_with_log(w, "2");

	run(s.target, "SAVE");
	write_much(&s);
	job_wait_applied(s.job, s.source);
	scene_drain(&s);
	target_rolls_back(&s);
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	assert_tells(s.job, "resumed", "from our log on disk");
	assert_tells(s.job, "resumed", "older");
	run(s.source, "INCR afterwards");
	scene_end(&s);
	assert_full_syncs(s.source, 1);
}

static void the_log_outlives_crashes(struct world *w)
{
	struct scene s = scene_with_log(w, "2");

	run(s.source, "CONFIG SET repl-backlog-size 64mb");
	s.writer = writer_start(s.source);
	for (unsigned i = 0; i < 3; i++) {
		run(s.target, "SAVE");
		carry(&s, 1500000);
		job_crash(s.job);
		if (i)
			target_rolls_back(&s);
		scene_link(&s);
		job_wait_phase(s.job, "stream");
		wait_told(s.job, "resumed", i ? "from our log on disk" : "the rest comes from");
		job_wait_caught_up(s.job);
	}
	scene_end(&s);
	assert_full_syncs(s.source, 1);
}

// The source has forgotten what comes after our log: what the log holds is applied all the same.
static void what_the_log_holds_is_applied_before_a_full_sync(struct world *w)
{
	struct scene s = scene_with_log(w, "1");

	run(s.target, "SAVE");
	write_much(&s);
	job_wait_applied(s.job, s.source);
	scene_drain(&s);
	target_rolls_back(&s);
	run(s.source, "INCR unheard");
	write_much(&s);
	queue_flush(s.source);
	scene_link(&s);
	wait_told(s.job, "full_sync", "no longer holds its stream");
	job_wait_applied(s.job, s.source);
	assert_true(job_number(s.job, "applied") >= 60000); // of which the snapshot has none
	scene_end(&s);
	assert_full_syncs(s.source, 2);
}

static struct scene scene_with_snapshot(struct world *w, const char *keep)
{
	struct scene s = scene_servers(w, "2");

	s.window = "1MB";
	s.keep = keep;
	s.keep_snapshot = "yes";
	dataset_load(s.source);
	dataset_load_big(s.source);
	select_db(s.source, 0);
	scene_begin(&s);
	run(s.source, "CONFIG SET repl-backlog-size 16kb");
	write_much(&s);
	job_wait_applied(s.job, s.source);
	return s;
}

static void an_empty_target_is_filled_from_our_disk(struct world *w)
{
	struct scene s = scene_with_snapshot(w, "256MB");

	s.writer = writer_start(s.source);
	for (unsigned i = 0; i < 2; i++) {
		target_rolls_back(&s);
		wait_told(s.job, "full_sync", "filled from our disk");
		job_wait_applied(s.job, s.source);
	}
	assert_tells(s.job, "full_sync", "the target is empty");
	assert_tells(s.job, "resumed", "with the snapshot on disk");
	scene_end(&s);
	assert_full_syncs(s.source, 1);
	assert_int_equal(info_number(s.source, "stats", "sync_partial_ok"), 0);
}

static void a_next_life_fills_an_empty_target_from_disk(struct world *w)
{
	struct scene s = scene_with_snapshot(w, "256MB");

	scene_drain(&s);
	target_rolls_back(&s);
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	assert_tells(s.job, "full_sync", "filled from our disk");
	assert_tells(s.job, "resumed", "from our log on disk");
	run(s.source, "INCR afterwards");
	scene_end(&s);
	assert_full_syncs(s.source, 1);
	// And what was filled so goes on like any other.
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	assert_tells(s.job, "resumed", "agree");
	scene_end(&s);
	assert_full_syncs(s.source, 1);
}

static void a_snapshot_that_the_log_does_not_reach_is_no_help(struct world *w)
{
	struct scene s = scene_with_snapshot(w, "0");

	target_rolls_back(&s);
	run(s.source, "INCR afterwards");
	job_wait_applied(s.job, s.source);
	assert_tells(s.job, "full_sync", "the target is empty");
	assert_null(strstr(job_text(s.job, "full_sync"), "from our disk"));
	scene_end(&s);
	assert_full_syncs(s.source, 2);
}

// ---- Held expiries

static bool stream_marker_stands(void *arg)
{
	struct server *target = arg;
	redisReply *keys = ask(target, "KEYS __flyover:*:0-*");
	bool stands = keys->elements == 1 &&
		      strstr(ask_text(target, "GET %s", keys->element[0]->str), " stream ");

	freeReplyObject(keys);
	return stands;
}

// Volatile keys, and a link that dies between the first marker of the stream and the moment at
// which it would know that it has caught up.
static struct scene scene_with_holds(struct world *w)
{
	struct scene s = scene_servers(w, "2");

	dataset_load_strings(s.source, "key", 60000, 30);
	for (unsigned i = 0; i < 1200; i++)
		queue(s.source, "SET v:%u value PX 500000", i);
	select_db(s.source, 3);
	queue(s.source, "SET v:other-db value PX 500000");
	select_db(s.source, 0);
	scene_link(&s);
	job_wait_number(s.job, "keys", 1);
	proxy_delay(s.near_target, 400);
	run(s.source, "PEXPIRE v:6 900000"); // applied before the end
	run(s.source, "PERSIST v:7");
	wait_until(stream_marker_stands, s.target, "the first marker of the stream");
	job_crash(s.job);
	proxy_delay(s.near_target, 0);
	assert_true(ask_number(s.target, "PTTL v:0") > 80000000);
	return s;
}

static void holds_end(struct scene *s)
{
	job_wait_applied(s->job, s->source);
	job_wait_caught_up(s->job);
	run(s->source, "INCR afterwards");
	scene_end(s);
	assert_full_syncs(s->source, 1);
	assert_true(ask_number(s->target, "PTTL v:0") <= 500000);
	assert_true(ask_number(s->target, "PTTL v:6") > 500000);
	assert_int_equal(ask_number(s->target, "PTTL v:7"), -1);
}

static void held_expiries_are_given_back_after_a_crash(struct world *w)
{
	struct scene s = scene_with_holds(w);

	run(s.source, "PERSIST v:1");
	run(s.source, "PEXPIRE v:2 800000");
	run(s.source, "RENAME v:3 v:three");
	run(s.source, "DEL v:4");
	run(s.source, "APPEND v:5 more");
	run(s.source, "COPY v:8 v:eight");
	scene_link(&s);
	holds_end(&s);
}

// Another life dies as well before it has caught up.
static void held_expiries_survive_two_crashes(struct world *w)
{
	struct scene s = scene_with_holds(w);

	server_freeze(s.target);
	scene_link(&s);
	job_wait_phase(s.job, "connecting");
	job_crash(s.job);
	server_thaw(s.target);
	scene_link(&s);
	holds_end(&s);
}

// The target forgets that they were given back.
static void held_expiries_are_given_back_again_to_an_older_target(struct world *w)
{
	struct scene s = scene_with_holds(w);

	run(s.target, "SAVE");
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	job_wait_caught_up(s.job);
	run(s.source, "INCR afterwards");
	job_wait_applied(s.job, s.source);
	assert_true(ask_number(s.target, "PTTL v:0") <= 500000);
	target_rolls_back(&s);
	assert_true(ask_number(s.target, "PTTL v:0") > 80000000);
	wait_told(s.job, "resumed", "older");
	holds_end(&s);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(an_older_target_is_fed_from_our_log_on_disk),
		E2E_TEST(a_next_life_resumes_from_the_log_on_disk),
		E2E_TEST(the_log_outlives_crashes),
		E2E_TEST(what_the_log_holds_is_applied_before_a_full_sync),
		E2E_TEST(an_empty_target_is_filled_from_our_disk),
		E2E_TEST(a_next_life_fills_an_empty_target_from_disk),
		E2E_TEST(a_snapshot_that_the_log_does_not_reach_is_no_help),
		E2E_TEST(held_expiries_are_given_back_after_a_crash),
		E2E_TEST(held_expiries_survive_two_crashes),
		E2E_TEST(held_expiries_are_given_back_again_to_an_older_target),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
