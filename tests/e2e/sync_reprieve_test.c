// SPDX-License-Identifier: BSD-3-Clause
// Keys that get their expiry while the link lags, and are kept or changed before the time comes:
// the target must still have them when it hears of that, however late.
#include "tests/e2e/resume_scene.h"

#define LIFE_MS 600

// A key of each way to give an expiry, brief enough to be over before the target catches up.
static void expiries_given(struct server *s)
{
	run(s, "SET set v PX %d", LIFE_MS);
	run(s, "PSETEX psetex %d v", LIFE_MS);
	run(s, "SET getex v");
	run(s, "GETEX getex PX %d", LIFE_MS);
	run(s, "RPUSH list a b");
	run(s, "PEXPIRE list %d", LIFE_MS);
	run(s, "SET wrapped v");
	run(s, "MULTI");
	run(s, "PEXPIRE wrapped %d", LIFE_MS);
	run(s, "INCR other");
	run(s, "EXEC");
	run(s, "SET renamed v PX %d", LIFE_MS);
	run(s, "SET copied v PX %d", LIFE_MS);
	run(s, "SET gone v PX %d", LIFE_MS);
	run(s, "SET longer v PX %d", LIFE_MS);
	run(s, "SET again v PX %d", LIFE_MS);
	select_db(s, 3);
	run(s, "SET elsewhere v PX %d", LIFE_MS);
	select_db(s, 0);
}

static void keys_kept(struct server *s)
{
	static const char *const names[] = {"set", "psetex", "getex", "wrapped"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_int_equal(ask_number(s, "PERSIST %s", names[i]), 1);
	assert_int_equal(ask_number(s, "RPUSH list c"), 3);
	assert_int_equal(ask_number(s, "PERSIST list"), 1);
	run(s, "RENAME renamed name");
	assert_int_equal(ask_number(s, "PERSIST name"), 1);
	assert_int_equal(ask_number(s, "COPY copied copy"), 1);
	assert_int_equal(ask_number(s, "PERSIST copy"), 1);
	assert_int_equal(ask_number(s, "PEXPIRE longer 900000"), 1);
	assert_int_equal(ask_number(s, "PEXPIRE again %d", LIFE_MS), 1);
	select_db(s, 3);
	assert_int_equal(ask_number(s, "PERSIST elsewhere"), 1);
	select_db(s, 0);
}

static bool keys_are_over(void *source)
{
	return !ask_number(source, "EXISTS gone copied again");
}

// What the target shows: nothing of what is over, and no expiry but the source's own.
static void assert_kept(struct scene *s)
{
	scene_end(s);
	assert_int_equal(ask_number(s->target, "EXISTS gone copied again"), 0);
	assert_int_equal(ask_number(s->target, "LLEN list"), 3);
	assert_in_range(ask_number(s->target, "PTTL longer"), 800000, 900000);
	assert_int_equal(ask_number(s->target, "PTTL set"), -1);
}

static bool link_lags(const json_t *progress, const void *arg)
{
	return json_integer_value(json_object_get(progress, "lag_ms")) > 200;
}

static void reprieves_behind(struct world *w, const char *lanes)
{
	struct scene s = scene_servers(w, lanes);

	scene_link(&s);
	job_wait_phase(s.job, "stream");
	run(s.source, "SET first 1");
	job_wait_applied(s.job, s.source);
	job_wait_caught_up(s.job);
	server_freeze(s.target);
	run(s.source, "INCR waits");
	job_wait_for(s.job, link_lags, NULL, "the link to lag");
	expiries_given(s.source);
	keys_kept(s.source);
	wait_until(keys_are_over, s.source, "the rest to expire");
	server_thaw(s.target);
	assert_kept(&s);
	assert_full_syncs(s.source, 1);
}

static void reprieves_reach_a_target_that_was_frozen(struct world *w)
{
	reprieves_behind(w, "1");
}

static void reprieves_reach_it_over_several_lanes(struct world *w)
{
	reprieves_behind(w, "3");
}

// A link that had caught up, and died.
static struct scene scene_crashed(struct world *w)
{
	struct scene s = scene_servers(w, "2");

	scene_link(&s);
	job_wait_phase(s.job, "stream");
	run(s.source, "SET first 1");
	job_wait_applied(s.job, s.source);
	job_wait_caught_up(s.job);
	job_crash(s.job);
	return s;
}

// Nothing tells how long ago the source wrote what its backlog gives us.
static void reprieves_outlast_a_crash_of_ours(struct world *w)
{
	struct scene s = scene_crashed(w);

	expiries_given(s.source);
	keys_kept(s.source);
	wait_until(keys_are_over, s.source, "the rest to expire");
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	assert_kept(&s);
	assert_full_syncs(s.source, 1);
}

// What is held loses its far expiry by itself once the link has caught up.
static void held_keys_get_their_own_expiry_back(struct world *w)
{
	struct scene s = scene_crashed(w);

	run(s.source, "SET minutes v PX 400000");
	scene_link(&s);
	job_wait_applied(s.job, s.source);
	job_wait_caught_up(s.job);
	run(s.source, "INCR afterwards");
	job_wait_applied(s.job, s.source);
	assert_in_range(ask_number(s.target, "PTTL minutes"), 300000, 400000);
	scene_end(&s);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(reprieves_reach_a_target_that_was_frozen),
		E2E_TEST(reprieves_reach_it_over_several_lanes),
		E2E_TEST(reprieves_outlast_a_crash_of_ours),
		E2E_TEST(held_keys_get_their_own_expiry_back),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
