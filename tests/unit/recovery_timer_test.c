// SPDX-License-Identifier: BSD-3-Clause
// Retransmission timeouts (RFC 6298; RFC 8985, 6.3; RFC 2018, 8) and tail loss probes (RFC 8985,
// 7).
#include "tests/unit/recovery_rig.h"

#include <errno.h>

static void lost_syn_waits_longer_each_time(void **state)
{
	struct rig g = {0};
	struct tcp_range range;

	g.set = (struct recovery_settings){.rto_min_ns = 200 * MS,
					   .rto_max_ns = 60000 * MS,
					   .rto_first_ns = 1000 * MS,
					   .records_max = 16};
	g.c = (struct congestion){.ops = &fake_ops, .cwnd = SEG, .mss = SEG};
	g.first = seq_of(0);
	assert_int_equal(recovery_init(&g.r, &g.set, &g.c, seq_sub(g.first, 1)), 0);
	assert_int_equal(recovery_sent(&g.r, 1, false, 0), 0);
	assert_int_equal(recovery_deadline(&g.r), 1000 * MS);
	for (uint64_t wait_ns = 2000 * MS; wait_ns <= 16000 * MS; wait_ns *= 2) {
		assert_int_equal(rig_expire(&g), RECOVERY_TIMEOUT);
		assert_true(recovery_next(&g.r, g.now_ns, &range));
		assert_int_equal(range.from.v, UINT32_MAX);
		assert_int_equal(range.to.v, 0);
		recovery_resent(&g.r, &range, g.now_ns);
		assert_int_equal(recovery_deadline(&g.r), g.now_ns + wait_ns);
	}
	rig_ack(&g, 0);
	recovery_open(&g.r, true, true, SEG, 0, g.now_ns);
	// RFC 6298, 5.7: the path is slow, so begin with 3 s
	rig_send(&g, 1);
	assert_int_equal(g.r.rto_ns, 3000 * MS);
	assert_int_equal(g.calls.n_rto, 0);
	rig_end(&g);
}

static void round_trips_are_smoothed(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 100 * MS);
	assert_int_equal(g.r.srtt_ns, 100 * MS);
	assert_int_equal(g.r.rttvar_ns, 50 * MS);
	assert_int_equal(g.r.rto_ns, 300 * MS);
	rig_send(&g, 2);
	rig_wait(&g, 180 * MS);
	rig_ack(&g, 2);
	assert_int_equal(g.news.sample.rtt_ns, 180 * MS);
	assert_int_equal(g.r.srtt_ns, 110 * MS);
	assert_int_equal(g.r.rttvar_ns, 57500 * MS / 1000); // 3/4 of 50 and 1/4 of 80
	assert_int_equal(g.r.rto_ns, 110 * MS + 230 * MS);
	rig_end(&g);
}

// RFC 7323, appendix G: with 16 segments in flight 8 samples are expected, so each weighs an
// eighth.
static void many_samples_weigh_less(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 100 * MS);
	rig_send(&g, 16);
	rig_wait(&g, 180 * MS);
	rig_ack(&g, 2);
	assert_int_equal(g.r.srtt_ns, 101250 * MS / 1000);
	rig_end(&g);
}

// A long path that never varies: the floor of the variance leaves time for a delayed ACK.
static void floor_leaves_time_for_a_delayed_acknowledgement(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 300 * MS);
	for (uint32_t i = 0; i < 100; i++) {
		rig_send(&g, 1);
		rig_wait(&g, 300 * MS);
		rig_ack(&g, i + 1);
	}
	assert_in_range(g.r.rttvar_ns, 0, 1000);
	assert_int_equal(g.r.rto_ns, 500 * MS);
	rig_end(&g);
}

static void timeout_backs_off_until_there_is_a_sample(void **state)
{
	struct rig g;

	rig_open(&g, false, false, 100 * MS);
	rig_send(&g, 1);
	assert_int_equal(recovery_deadline(&g.r), g.now_ns + 300 * MS);
	assert_int_equal(rig_expire(&g), RECOVERY_TIMEOUT);
	assert_int_equal(rig_resend(&g), 0);
	assert_int_equal(rig_expire(&g), RECOVERY_TIMEOUT);
	assert_int_equal(rig_resend(&g), 0);
	assert_int_equal(recovery_deadline(&g.r), g.now_ns + 1200 * MS);
	assert_int_equal(g.r.n_timeouts, 2);
	// Karn: which of the three it answers is not known, so the timer stays backed off ...
	rig_wait(&g, 100 * MS);
	rig_ack(&g, 1);
	assert_int_equal(g.r.n_timeouts, 0);
	rig_send(&g, 1);
	assert_int_equal(recovery_deadline(&g.r), g.now_ns + 1200 * MS);
	// ... until something is acknowledged that went out once.
	rig_wait(&g, 100 * MS);
	rig_ack(&g, 2);
	rig_send(&g, 1);
	assert_true(recovery_deadline(&g.r) < g.now_ns + 400 * MS);
	rig_end(&g);
}

static void timestamp_gives_a_sample_of_what_went_out_twice(void **state)
{
	struct rig g;

	rig_open(&g, false, true, 100 * MS);
	rig_send(&g, 1);
	assert_int_equal(rig_expire(&g), RECOVERY_TIMEOUT);
	assert_int_equal(rig_resend(&g), 0);
	rig_wait(&g, 100 * MS);
	rig_ack_with(&g, 1, NULL, 0, (struct recovery_ack){.has_ts = true, .ts_rtt_ns = 100 * MS});
	assert_int_equal(g.news.sample.rtt_ns, 100 * MS);
	assert_int_equal(g.r.backoff, 0);
	rig_end(&g);
}

static void timeout_never_waits_longer_than_its_limit(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 100 * MS);
	rig_send(&g, 1);
	assert_int_equal(rig_expire(&g), RECOVERY_PROBE);
	for (unsigned i = 0; i < 80; i++) {
		assert_int_equal(rig_expire(&g), RECOVERY_TIMEOUT);
		assert_int_equal(rig_resend(&g), 0);
	}
	assert_int_equal(recovery_deadline(&g.r), g.now_ns + 60000 * MS);
	assert_int_equal(g.calls.n_rto, 80);
	rig_end(&g);
}

// RFC 8985, 6.3: what went out less than a round trip ago may yet be acknowledged.
static void timeout_spares_what_is_young(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 100 * MS);
	rig_send(&g, 5);
	rig_wait(&g, 100 * MS);
	rig_sack(&g, 0, {1, 2}, {3, 4}); // no probes with something sacked
	rig_wait(&g, 190 * MS);
	assert_int_equal(recovery_expire(&g.r, g.now_ns), RECOVERY_REORDER);
	assert_int_equal(rig_resend(&g), 0);
	assert_int_equal(rig_resend(&g), -1);
	rig_wait(&g, 290 * MS);
	rig_send(&g, 1);
	assert_int_equal(rig_expire(&g), RECOVERY_TIMEOUT);
	assert_int_equal(g.r.lost, 3 * SEG); // 0, 2 and 4, but neither 5 nor what is sacked
	assert_int_equal(rig_in_flight(&g), 1);
	assert_int_equal(rig_resend(&g), -1); // the window is one segment, and that is out
	g.c.cwnd = 2 * SEG;
	assert_int_equal(rig_resend(&g), 0);
	rig_end(&g);
}

// The peer has dropped what it sacked: SND.UNA moved up to it and stays.
static void reneging_is_mended_by_the_timeout(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 100 * MS);
	rig_send(&g, 6);
	rig_wait(&g, 100 * MS);
	rig_sack(&g, 0, {1, 4});
	assert_int_equal(rig_resend(&g), 0);
	rig_wait(&g, 100 * MS);
	rig_ack(&g, 1);
	assert_int_equal(g.r.sacked, 3 * SEG); // kept as long as nothing speaks against it
	assert_int_equal(rig_resend(&g), 4);
	assert_int_equal(rig_resend(&g), 5);
	rig_wait(&g, 100 * MS);
	rig_sack(&g, 1, {4, 6});
	assert_int_equal(rig_resend(&g), -1);
	assert_int_equal(rig_in_flight(&g), 0);
	assert_int_equal(rig_expire(&g), RECOVERY_TIMEOUT);
	assert_int_equal(g.r.sacked, 0);
	g.c.cwnd = 10 * SEG;
	assert_int_equal(rig_resend_all(&g), 5);
	rig_wait(&g, 100 * MS);
	rig_ack(&g, 6);
	assert_int_equal(rig_in_flight(&g), 0);
	rig_end(&g);
}

// Nothing comes back that would tell of a lost tail; the probe's acknowledgement does.
static void probe_tells_of_a_lost_tail(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 50 * MS);
	rig_send(&g, 10);
	rig_wait(&g, 50 * MS);
	rig_ack(&g, 6);
	assert_int_equal(recovery_deadline(&g.r), g.now_ns + 102 * MS);
	assert_int_equal(rig_expire(&g), RECOVERY_PROBE);

	struct tcp_range range;

	assert_true(recovery_probe(&g.r, &range));
	assert_int_equal(range.from.v, at(&g, 9).v);
	assert_int_equal(range.to.v, at(&g, 10).v);
	recovery_resent(&g.r, &range, g.now_ns);
	recovery_probed(&g.r, false, g.now_ns);
	rig_check(&g);
	assert_int_equal(rig_in_flight(&g), 5);                           // 6 to 9, and 9 again
	assert_int_equal(recovery_deadline(&g.r), g.now_ns + g.r.rto_ns); // one probe only

	rig_wait(&g, 50 * MS);
	rig_sack(&g, 6, {9, 10});
	assert_int_equal(g.calls.n_enter, 1);
	assert_int_equal(rig_resend(&g), 6);
	rig_wait(&g, 50 * MS);
	rig_ack(&g, 7);
	assert_int_equal(rig_resend(&g), 7);
	assert_int_equal(rig_resend(&g), 8);
	rig_wait(&g, 50 * MS);
	rig_ack(&g, 10);
	assert_false(recovery_is_on(&g.r));
	assert_int_equal(g.r.n_rto, 0);
	assert_int_equal(g.r.n_tlp, 1);
	rig_end(&g);
}

static void send_and_probe_again(struct rig *g)
{
	struct tcp_range range;

	rig_open(g, true, true, 50 * MS);
	rig_send(g, 2);
	assert_int_equal(rig_expire(g), RECOVERY_PROBE);
	assert_true(recovery_probe(&g->r, &range));
	recovery_resent(&g->r, &range, g->now_ns);
	recovery_probed(&g->r, false, g->now_ns);
	rig_wait(g, 50 * MS);
}

// 7.4.2: the tail was one segment, and the probe has filled the hole before anyone saw it.
static void loss_that_a_probe_repaired_is_congestion(void **state)
{
	struct rig g;

	send_and_probe_again(&g);
	rig_ack(&g, 2);
	assert_int_equal(g.calls.n_enter, 0);
	rig_send(&g, 1);
	rig_wait(&g, 50 * MS);
	rig_ack(&g, 3);
	assert_int_equal(g.calls.n_enter, 1);
	assert_int_equal(g.calls.n_leave, 1);
	assert_false(recovery_is_on(&g.r));
	rig_end(&g);
}

static void probe_that_came_twice_is_none(void **state)
{
	struct rig g;

	send_and_probe_again(&g);
	rig_sack(&g, 2, {1, 2});
	rig_send(&g, 1);
	rig_wait(&g, 50 * MS);
	rig_ack(&g, 3);
	assert_int_equal(g.calls.n_enter, 0);
	assert_int_equal(g.r.n_dsack, 1);
	rig_end(&g);
}

static void probe_with_new_data_is_none(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 50 * MS);
	rig_send(&g, 2);
	assert_int_equal(rig_expire(&g), RECOVERY_PROBE);
	rig_send(&g, 1);
	recovery_probed(&g.r, true, g.now_ns);
	rig_wait(&g, 50 * MS);
	rig_ack(&g, 3);
	rig_send(&g, 1);
	rig_wait(&g, 50 * MS);
	rig_ack(&g, 4);
	assert_int_equal(g.calls.n_enter, 0);
	rig_end(&g);
}

// A single segment may be acknowledged late, so it is given the time; but never beyond the RTO.
static void probe_waits_for_a_delayed_acknowledgement(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 10 * MS);
	g.set.ack_delay_ns = 40 * MS;
	rig_send(&g, 1);
	assert_int_equal(recovery_deadline(&g.r), g.now_ns + 60 * MS);
	g.set.ack_delay_ns = 500 * MS;
	assert_int_equal(recovery_deadline(&g.r), g.now_ns + g.r.rto_ns);
	rig_send(&g, 1);
	assert_int_equal(recovery_deadline(&g.r), g.now_ns + 22 * MS);
	rig_end(&g);
}

static void shut_window_rests_the_timers(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 10 * MS);
	rig_send(&g, 2);
	recovery_persist(&g.r, true, g.now_ns);
	assert_true(recovery_deadline(&g.r) == TCP_NO_DEADLINE);
	rig_wait(&g, 100000 * MS);
	assert_int_equal(recovery_expire(&g.r, g.now_ns), RECOVERY_NONE);
	recovery_persist(&g.r, false, g.now_ns);
	assert_int_equal(recovery_deadline(&g.r), g.now_ns + 22 * MS);
	rig_end(&g);
}

// PMTU has fallen: what was sent as one goes out again in pieces.
static void smaller_segments_resend_in_pieces(void **state)
{
	struct rig g;
	struct tcp_range range;
	uint32_t at_byte = 0;

	rig_open(&g, true, true, 10 * MS);
	rig_send(&g, 2);
	rig_expire(&g);
	assert_int_equal(rig_expire(&g), RECOVERY_TIMEOUT);
	assert_int_equal(recovery_full_size_losses(&g.r), 1);
	recovery_mss(&g.r, 300);
	g.c.cwnd = 100 * SEG;
	for (; recovery_next(&g.r, g.now_ns, &range); at_byte += range.to.v - range.from.v) {
		assert_int_equal(range.from.v, at(&g, 0).v + at_byte);
		assert_true(range.to.v - range.from.v <= 300);
		recovery_resent(&g.r, &range, g.now_ns);
		rig_check(&g);
	}
	assert_int_equal(at_byte, 2 * SEG);
	assert_int_equal(rig_in_flight(&g), 2);
	// An acknowledgement of one piece, and a timeout in the middle of the pieces.
	recovery_ack(&g.r,
		     &(struct recovery_ack){.ack = seq_add(at(&g, 0), 300), .now_ns = g.now_ns},
		     &g.news);
	rig_check(&g);
	assert_int_equal(recovery_in_flight(&g.r), 1700);
	assert_int_equal(rig_expire(&g), RECOVERY_TIMEOUT);
	assert_true(recovery_next(&g.r, g.now_ns, &range));
	assert_int_equal(range.to.v - range.from.v, 300);
	recovery_resent(&g.r, &range, g.now_ns);
	assert_int_equal(rig_expire(&g), RECOVERY_TIMEOUT);
	assert_true(recovery_next(&g.r, g.now_ns, &range));
	assert_int_equal(range.from.v, at(&g, 0).v + 300);
	rig_end(&g);
}

// A path that swallows large segments shows by them alone being lost.
static void full_size_losses_are_counted_until_one_arrives(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 10 * MS);
	rig_send(&g, 2);
	rig_expire(&g);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(rig_expire(&g), RECOVERY_TIMEOUT);
		assert_int_equal(recovery_full_size_losses(&g.r), i);
		assert_int_equal(rig_resend(&g), 0);
	}
	rig_ack(&g, 1);
	assert_int_equal(recovery_full_size_losses(&g.r), 0);
	rig_end(&g);
}

static void too_many_segments_are_refused(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 10 * MS);
	g.set.records_max = 100;
	rig_send(&g, 100);
	assert_int_equal(recovery_sent(&g.r, SEG, false, g.now_ns), -ENOBUFS);
	rig_check(&g);
	rig_ack(&g, 1);
	rig_send(&g, 1);
	rig_end(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lost_syn_waits_longer_each_time),
		cmocka_unit_test(round_trips_are_smoothed),
		cmocka_unit_test(many_samples_weigh_less),
		cmocka_unit_test(floor_leaves_time_for_a_delayed_acknowledgement),
		cmocka_unit_test(timeout_backs_off_until_there_is_a_sample),
		cmocka_unit_test(timestamp_gives_a_sample_of_what_went_out_twice),
		cmocka_unit_test(timeout_never_waits_longer_than_its_limit),
		cmocka_unit_test(timeout_spares_what_is_young),
		cmocka_unit_test(reneging_is_mended_by_the_timeout),
		cmocka_unit_test(probe_tells_of_a_lost_tail),
		cmocka_unit_test(loss_that_a_probe_repaired_is_congestion),
		cmocka_unit_test(probe_that_came_twice_is_none),
		cmocka_unit_test(probe_with_new_data_is_none),
		cmocka_unit_test(probe_waits_for_a_delayed_acknowledgement),
		cmocka_unit_test(shut_window_rests_the_timers),
		cmocka_unit_test(smaller_segments_resend_in_pieces),
		cmocka_unit_test(full_size_losses_are_counted_until_one_arrives),
		cmocka_unit_test(too_many_segments_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
