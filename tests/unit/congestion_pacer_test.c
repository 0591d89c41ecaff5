// SPDX-License-Identifier: BSD-3-Clause
// Pacing: the rate is kept on average, whatever the timers do.
#include "tests/unit/random.h"
#include "tests/unit/test.h"
#include "dataplane/tcp/congestion.h"

#define MS 1000000ull
#define S  1000000000ull

static void first_segment_leaves_at_once_at_any_time(void **state)
{
	const uint64_t times[] = {0, 1, 10 * MS, UINT64_MAX / 2};

	for (unsigned i = 0; i < 4; i++) {
		struct pacer p = {0};

		assert_int_equal(pacer_ask(&p, times[i]), 0);
		pacer_sent(&p, 1000 * 1000, 1000, 0, times[i]);
		assert_int_equal(p.next_ns, times[i] + 1 * MS);
	}
}

// The clock of a core may begin at 0: a quantum longer than its age is no credit from before.
static void young_clock_gives_no_credit_from_before_it(void **state)
{
	struct pacer p = {0};

	pacer_sent(&p, 1000 * 1000, 5000, 10 * MS, 1 * MS);
	assert_int_equal(p.next_ns, 5 * MS);
	assert_int_equal(pacer_ask(&p, 2 * MS), 5 * MS);
	assert_int_equal(pacer_ask(&p, 5 * MS), 0);
}

static void late_timer_costs_no_rate_but_idleness_saves_no_burst(void **state)
{
	struct pacer p = {0};

	pacer_sent(&p, 1000 * 1000, 1000, 2 * MS, 100 * MS);
	// Credit of 2 ms is spent: 98 ms + 1 ms.
	assert_int_equal(p.next_ns, 99 * MS);
	pacer_sent(&p, 1000 * 1000, 1000, 2 * MS, 100 * MS);
	assert_int_equal(p.next_ns, 100 * MS);
	pacer_sent(&p, 1000 * 1000, 1000, 2 * MS, 100 * MS);
	assert_int_equal(pacer_ask(&p, 100 * MS), 101 * MS);
	// A second of silence later there are 2 ms of credit again, not a second's.
	pacer_sent(&p, 1000 * 1000, 1000, 2 * MS, 1100 * MS);
	assert_int_equal(p.next_ns, 1099 * MS);
}

static void no_rate_is_no_limit(void **state)
{
	struct pacer p = {0};

	for (int i = 0; i < 100; i++)
		pacer_sent(&p, 0, 65535, 0, 5 * MS);
	assert_int_equal(pacer_ask(&p, 5 * MS), 0);
}

static void slowest_rate_and_longest_segment_do_not_overflow(void **state)
{
	struct pacer p = {0};

	pacer_sent(&p, 1, UINT32_MAX, 0, S);
	assert_int_equal(p.next_ns, S + UINT32_MAX * S);
}

// A sender that is woken up to 1 ms late keeps its rate within one segment, if its credit allows.
static void rate_is_kept_by_a_late_sender(void **state)
{
	struct random r = random_seeded("pacer");

	for (int i = 0; i < 100; i++) {
		uint64_t rate = 1000 * 1000 + random_below(&r, 3000ull * 1000 * 1000);
		uint64_t start = random_below(&r, 1000 * S), now = start, sent = 0;
		struct pacer p = {0};

		while (now < start + S) {
			while (pacer_ask(&p, now) == 0) {
				pacer_sent(&p, rate, 1448, 2 * MS, now);
				sent += 1448;
			}
			now = pacer_ask(&p, now) + random_below(&r, MS);
		}
		// 2 ms of credit at the beginning, and one segment.
		assert_true(sent >= rate - rate / 500 - 1448);
		assert_true(sent <=
			    (now - start + 2 * MS) * (rate / 1000) / MS + rate / 500 + 2 * 1448);
	}
}

static void burst_is_a_millisecond_in_whole_segments(void **state)
{
	assert_int_equal(pacer_burst(0, 1448, 65535), 2 * 1448);
	assert_int_equal(pacer_burst(10 * 1000 * 1000, 1448, 65535), 6 * 1448);
	assert_int_equal(pacer_burst(1250 * 1000 * 1000, 1448, 65535), 45 * 1448);
	assert_int_equal(pacer_burst(1250 * 1000 * 1000, 1448, 1000), 1000);
	assert_int_equal(pacer_burst(UINT64_MAX, 1448, 1448), 1448);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_segment_leaves_at_once_at_any_time),
		cmocka_unit_test(young_clock_gives_no_credit_from_before_it),
		cmocka_unit_test(late_timer_costs_no_rate_but_idleness_saves_no_burst),
		cmocka_unit_test(no_rate_is_no_limit),
		cmocka_unit_test(slowest_rate_and_longest_segment_do_not_overflow),
		cmocka_unit_test(rate_is_kept_by_a_late_sender),
		cmocka_unit_test(burst_is_a_millisecond_in_whole_segments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
