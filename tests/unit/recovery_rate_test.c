// SPDX-License-Identifier: BSD-3-Clause
// What congestion control is told: delivery rate, rounds, application-limited flights; and how much
// goes out within a recovery (PRR, RFC 9937).
#include "tests/unit/recovery_rig.h"

// Twenty segments, one every millisecond, each acknowledged 50 ms after it went out.
static void delivery_rate_is_that_of_the_path(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 50 * MS);
	for (unsigned i = 0; i < 200; i++) {
		rig_send(&g, 1);
		if (i >= 50)
			rig_ack(&g, i - 49);
		rig_wait(&g, 1 * MS);
	}
	assert_int_equal(g.r.delivery_rate, 1000 * SEG);
	assert_int_equal(g.calls.last.rate_interval_ns, 51 * MS); // from the acknowledgement before
	assert_int_equal(g.calls.last.rate_delivered, 51 * SEG);
	assert_int_equal(g.calls.last.sent_in_flight, 51 * SEG);
	assert_int_equal(g.calls.last.delivered - g.calls.last.sent_delivered, 51 * SEG);
	assert_false(g.calls.last.is_app_limited);
	rig_end(&g);
}

// Acknowledgements that come all at once do not make the path faster than what was sent.
static void compressed_acknowledgements_make_no_rate(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 50 * MS);
	rig_send(&g, 1);
	rig_wait(&g, 50 * MS);
	rig_ack(&g, 1);
	for (unsigned i = 0; i < 10; i++) {
		rig_send(&g, 1);
		rig_wait(&g, 10 * MS);
	}
	for (uint32_t i = 2; i <= 11; i++)
		rig_ack(&g, i);
	assert_true(g.r.delivery_rate <= 110 * SEG);
	rig_end(&g);
}

static void round_begins_when_what_was_sent_after_the_last_one_arrives(void **state)
{
	struct rig g;
	unsigned n_rounds = 0;

	rig_open(&g, true, true, 10 * MS);
	for (uint32_t turn = 0; turn < 5; turn++) {
		rig_send(&g, 10);
		rig_wait(&g, 10 * MS);
		for (uint32_t i = 1; i <= 10; i++) {
			rig_ack(&g, turn * 10 + i);
			n_rounds += g.news.sample.is_round;
		}
	}
	assert_int_equal(n_rounds, 5);
	rig_end(&g);
}

static void application_limited_flights_are_marked(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 10 * MS);
	rig_send(&g, 1);
	assert_int_equal(recovery_sent(&g.r, SEG, true, g.now_ns), 0);
	g.n_sent++;
	rig_wait(&g, 5 * MS);
	rig_send(&g, 1); // after the gap
	rig_wait(&g, 5 * MS);
	rig_ack(&g, 2);
	rig_wait(&g, 5 * MS);
	rig_ack(&g, 3);
	assert_true(g.calls.last.is_app_limited);
	rig_send(&g, 2); // the bubble is out
	rig_wait(&g, 10 * MS);
	rig_ack(&g, 5);
	assert_false(g.calls.last.is_app_limited);
	rig_end(&g);
}

static void full_window_is_told_for_a_round(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 10 * MS);
	g.c.cwnd = 10 * SEG;
	rig_send(&g, 5);
	rig_ack(&g, 1);
	assert_false(g.calls.last.is_cwnd_limited);
	rig_send(&g, 6);
	rig_ack(&g, 3);
	assert_true(g.calls.last.is_cwnd_limited);
	rig_ack(&g, 11);
	rig_send(&g, 1);
	rig_ack(&g, 12);
	assert_false(g.calls.last.is_cwnd_limited);
	rig_end(&g);
}

static void samples_tell_what_was_lost(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 10 * MS);
	rig_send(&g, 10);
	rig_wait(&g, 10 * MS);
	rig_sack(&g, 0, {2, 10});
	assert_int_equal(g.calls.last.acked, 8 * SEG);
	assert_int_equal(g.calls.last.lost, 2 * SEG);
	assert_int_equal(g.calls.last.lost_total, 2 * SEG);
	assert_int_equal(g.calls.last.in_flight, 10 * SEG);
	assert_int_equal(g.calls.last.in_flight_after, 0);
	assert_int_equal(g.calls.last.sent_lost, 0);
	assert_true(g.calls.last.in_recovery);
	assert_int_equal(g.calls.n_lost, 2);
	assert_int_equal(rig_resend(&g), 0);
	rig_wait(&g, 10 * MS);
	rig_ack(&g, 1);
	assert_int_equal(g.calls.last.sent_lost, 2 * SEG);
	assert_int_equal(g.calls.last.delivered, 9 * SEG);
	rig_end(&g);
}

// One lost of twenty, ssthresh is ten: over the round trip every other acknowledgement lets a
// segment out, and the flight ends at ssthresh.
static void recovery_reduces_the_flight_in_proportion(void **state)
{
	struct rig g;
	unsigned n_out = 0;

	rig_open(&g, true, true, 100 * MS);
	g.c.cwnd = 20 * SEG;
	rig_send(&g, 20);
	rig_wait(&g, 100 * MS);
	for (uint32_t i = 1; i < 20; i++) {
		struct tcp_range range;

		rig_sack(&g, 0, {1, i + 1});
		if (!recovery_is_on(&g.r))
			continue;
		if (rig_resend(&g) >= 0)
			n_out++;
		else if (recovery_allow(&g.r, g.now_ns) >= SEG && ++n_out)
			rig_send(&g, 1);
		assert_false(recovery_next(&g.r, g.now_ns, &range));
		rig_wait(&g, 1 * MS);
	}
	assert_int_equal(g.c.ssthresh, 9 * SEG); // of 18, as the third came
	assert_in_range(n_out, 8, 9);
	assert_in_range(rig_in_flight(&g), 8, 9);
	rig_wait(&g, 90 * MS);
	rig_ack(&g, 20);
	assert_int_equal(g.c.cwnd, 9 * SEG);
	rig_end(&g);
}

// Half of the flight is lost at once: what arrives lets as much out, no burst.
static void heavy_loss_makes_no_burst(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 100 * MS);
	g.c.cwnd = 40 * SEG;
	rig_send(&g, 40);
	rig_wait(&g, 100 * MS);
	rig_sack(&g, 0, {30, 33});
	assert_int_equal(g.r.lost, 30 * SEG);
	assert_in_range(rig_resend_all(&g), 1, 3);
	rig_sack(&g, 0, {30, 35});
	assert_in_range(rig_resend_all(&g), 1, 3);
	// What is found lost later opens nothing by itself.
	assert_int_equal(recovery_allow(&g.r, g.now_ns), 0);
	rig_end(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delivery_rate_is_that_of_the_path),
		cmocka_unit_test(compressed_acknowledgements_make_no_rate),
		cmocka_unit_test(round_begins_when_what_was_sent_after_the_last_one_arrives),
		cmocka_unit_test(application_limited_flights_are_marked),
		cmocka_unit_test(full_window_is_told_for_a_round),
		cmocka_unit_test(samples_tell_what_was_lost),
		cmocka_unit_test(recovery_reduces_the_flight_in_proportion),
		cmocka_unit_test(heavy_loss_makes_no_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
