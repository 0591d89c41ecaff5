// SPDX-License-Identifier: BSD-3-Clause
// Losses found by RACK (RFC 8985, 6) with SACK (RFC 2018, 2883).
#include "tests/unit/recovery_rig.h"

static void in_order_acknowledgements_leave_nothing(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 10 * MS);
	rig_send(&g, 10);
	assert_int_equal(rig_in_flight(&g), 10);
	rig_wait(&g, 10 * MS);
	for (uint32_t i = 2; i <= 10; i += 2)
		rig_ack(&g, i);
	assert_int_equal(rig_in_flight(&g), 0);
	assert_true(recovery_deadline(&g.r) == TCP_NO_DEADLINE);
	assert_int_equal(g.r.srtt_ns, 10 * MS);
	assert_int_equal(g.r.min_rtt_ns, 10 * MS);
	assert_int_equal(g.news.acked, 2 * SEG);
	assert_int_equal(g.calls.last.delivered, 10 * SEG);
	assert_int_equal(rig_resend(&g), -1);
	rig_end(&g);
}

// Without reordering seen before, the third sacked segment is enough.
static void third_sacked_segment_begins_recovery(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 10 * MS);
	rig_send(&g, 10);
	rig_wait(&g, 10 * MS);
	rig_sack(&g, 0, {1, 2});
	rig_sack(&g, 0, {1, 3});
	assert_false(g.news.lost_new);
	assert_int_equal(rig_resend(&g), -1);
	rig_sack(&g, 0, {1, 4});
	assert_true(g.news.lost_new && g.news.is_dup);
	assert_true(recovery_is_on(&g.r));
	assert_int_equal(g.calls.n_enter, 1);
	assert_int_equal(rig_resend(&g), 0);
	assert_int_equal(rig_resend(&g), -1);

	rig_wait(&g, 10 * MS);
	rig_ack(&g, 10);
	assert_false(recovery_is_on(&g.r));
	assert_int_equal(g.calls.n_leave, 1);
	assert_int_equal(g.r.n_undone, 0);
	rig_end(&g);
}

// Two sacked segments are not: the hole gets a quarter of the least round trip to be filled.
static void reordering_timer_finds_the_hole(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 40 * MS);
	rig_send(&g, 3);
	rig_wait(&g, 40 * MS);
	rig_sack(&g, 0, {1, 3});
	assert_int_equal(recovery_deadline(&g.r), g.now_ns + 10 * MS);
	assert_int_equal(rig_expire(&g), RECOVERY_REORDER);
	assert_int_equal(g.calls.n_enter, 1);
	assert_int_equal(rig_resend(&g), 0);
	rig_wait(&g, 40 * MS);
	rig_ack(&g, 3);
	assert_false(recovery_is_on(&g.r));
	rig_end(&g);
}

static void hole_that_fills_in_time_is_no_loss(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 40 * MS);
	rig_send(&g, 3);
	rig_wait(&g, 40 * MS);
	rig_sack(&g, 0, {1, 3});
	rig_wait(&g, 5 * MS);
	rig_ack(&g, 3);
	assert_int_equal(g.calls.n_enter, 0);
	assert_int_equal(g.r.n_recoveries, 0);

	// From now on three sacked segments are not enough either.
	rig_send(&g, 10);
	rig_wait(&g, 40 * MS);
	rig_sack(&g, 3, {4, 13});
	assert_int_equal(g.calls.n_enter, 0);
	assert_int_equal(rig_expire(&g), RECOVERY_REORDER);
	assert_int_equal(g.calls.n_enter, 1);
	rig_end(&g);
}

// What RFC 6675 cannot see: the retransmission is lost too.
static void lost_retransmission_goes_out_again(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 10 * MS);
	rig_send(&g, 10);
	rig_wait(&g, 10 * MS);
	rig_sack(&g, 0, {1, 4});
	assert_int_equal(rig_resend(&g), 0);
	rig_sack(&g, 0, {1, 10});
	rig_wait(&g, 1 * MS);
	rig_send(&g, 3);
	rig_wait(&g, 10 * MS);
	rig_sack(&g, 0, {1, 11});
	assert_true(g.news.lost_new);
	assert_int_equal(rig_resend(&g), 0);
	assert_int_equal(g.calls.n_enter, 1);
	assert_int_equal(g.calls.n_lost, 2);
	rig_wait(&g, 10 * MS);
	rig_ack(&g, 13);
	assert_false(recovery_is_on(&g.r));
	rig_end(&g);
}

static void lose_first_and_recover(struct rig *g, bool dsack)
{
	uint32_t from = g->n_sent;

	rig_send(g, 8);
	rig_wait(g, 40 * MS);
	rig_sack(g, from, {from + 1, from + 8});
	if (!recovery_is_on(&g->r))
		assert_int_equal(rig_expire(g), RECOVERY_REORDER);
	assert_int_equal(rig_resend(g), (int)from);
	if (dsack) {
		rig_send(g, 1);
		rig_wait(g, 40 * MS);
		rig_sack(g, from + 9, {from, from + 1});
	} else {
		rig_wait(g, 40 * MS);
		rig_ack(g, from + 8);
	}
	assert_false(recovery_is_on(&g->r));
}

static uint64_t reordering_window_ns(struct rig *g)
{
	uint32_t from = g->n_sent;
	uint64_t window;

	rig_send(g, 3);
	rig_wait(g, 40 * MS);
	rig_sack(g, from, {from + 1, from + 3});
	window = recovery_deadline(&g->r) - g->now_ns;
	rig_ack(g, from + 3);
	return window;
}

// 6.2, step 4: it grows by a quarter of the least round trip with each round that reports a
// duplicate, never beyond SRTT, and is small again after 16 recoveries without one.
static void reordering_window_follows_dsack(void **state)
{
	struct rig g;

	rig_open(&g, true, false, 40 * MS);
	assert_int_equal(reordering_window_ns(&g), 10 * MS);
	lose_first_and_recover(&g, true);
	assert_int_equal(reordering_window_ns(&g), 20 * MS);
	lose_first_and_recover(&g, true);
	assert_int_equal(reordering_window_ns(&g), 30 * MS);
	for (unsigned i = 0; i < 6; i++)
		lose_first_and_recover(&g, true);
	assert_in_range(reordering_window_ns(&g), 30 * MS, g.r.srtt_ns);
	assert_int_equal(g.r.n_dsack, 8);
	for (unsigned i = 0; i < 15; i++)
		lose_first_and_recover(&g, false);
	assert_true(reordering_window_ns(&g) > 30 * MS);
	lose_first_and_recover(&g, false);
	assert_int_equal(reordering_window_ns(&g), 10 * MS);
	rig_end(&g);
}

// Blocks that lie, or say half of a segment, change nothing.
static void blocks_are_validated(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 10 * MS);
	rig_send(&g, 6);
	rig_wait(&g, 10 * MS);
	rig_ack(&g, 1);
	rig_sack(&g, 1, {4, 3});
	rig_sack(&g, 1, {3, 3});
	rig_sack(&g, 1, {5, 7});
	rig_sack(&g, 1, {0, 4});
	rig_sack(&g, 1, {2, 2000000});
	recovery_ack(&g.r,
		     &(struct recovery_ack){
			     .ack = at(&g, 1),
			     .now_ns = g.now_ns,
			     .snd_max_window = 1 << 20,
			     .n_sack = 1,
			     .sack = {{seq_add(at(&g, 3), 1), seq_sub(at(&g, 5), 1)}},
		     },
		     &g.news);
	rig_check(&g);
	assert_int_equal(g.r.sacked, 0);
	assert_int_equal(rig_in_flight(&g), 5);
	// An old acknowledgement that comes late still tells what it has.
	rig_sack(&g, 0, {3, 4});
	assert_int_equal(g.r.sacked, SEG);
	rig_end(&g);
}

// Blocks come newest first; that is no reordering.
static void order_of_blocks_is_no_reordering(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 40 * MS);
	rig_send(&g, 20);
	rig_wait(&g, 40 * MS);
	rig_sack(&g, 0, {9, 10}, {5, 6}, {3, 4});
	assert_true(recovery_is_on(&g.r)); // at once
	assert_int_equal(rig_resend(&g), 0);
	rig_sack(&g, 0, {11, 12}, {3, 4}, {5, 6}, {9, 10});
	assert_int_equal(g.r.lost, 8 * SEG); // all below 11 but three
	rig_end(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order_acknowledgements_leave_nothing),
		cmocka_unit_test(third_sacked_segment_begins_recovery),
		cmocka_unit_test(reordering_timer_finds_the_hole),
		cmocka_unit_test(hole_that_fills_in_time_is_no_loss),
		cmocka_unit_test(lost_retransmission_goes_out_again),
		cmocka_unit_test(reordering_window_follows_dsack),
		cmocka_unit_test(blocks_are_validated),
		cmocka_unit_test(order_of_blocks_is_no_reordering),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
