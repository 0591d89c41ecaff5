// SPDX-License-Identifier: BSD-3-Clause
// Recoveries that were for nothing: Eifel (RFC 3522), DSACK (RFC 2883), F-RTO (RFC 5682).
#include "tests/unit/recovery_rig.h"

static const struct recovery_ack of_the_original = {
	.has_ts = true, .ts_rtt_ns = 500 * MS, .ts_is_of_first = true};
static const struct recovery_ack of_the_second = {.has_ts = true, .ts_rtt_ns = 50 * MS};

// Ten segments are out, the path falls silent, the timer runs out.
static void time_out(struct rig *g, bool has_sack, bool has_time)
{
	rig_open(g, has_sack, has_time, 50 * MS);
	rig_send(g, 10);
	if (has_sack)
		assert_int_equal(rig_expire(g), RECOVERY_PROBE);
	assert_int_equal(rig_expire(g), RECOVERY_TIMEOUT);
	assert_int_equal(g->c.cwnd, SEG);
	assert_int_equal(rig_resend(g), 0);
	assert_int_equal(rig_resend(g), -1);
	rig_wait(g, 20 * MS);
}

static void late_original_undoes_a_timeout(void **state)
{
	struct rig g;

	time_out(&g, true, true);
	assert_int_equal(recovery_first_resent_ns(&g.r), g.now_ns - 20 * MS);
	rig_ack_with(&g, 1, NULL, 0, of_the_original);
	assert_int_equal(g.r.n_undone, 1);
	assert_int_equal(g.calls.n_undo, 1);
	assert_false(recovery_is_on(&g.r));
	assert_int_equal(g.c.cwnd, 100 * SEG);
	assert_int_equal(rig_resend(&g), -1);
	assert_int_equal(rig_in_flight(&g), 9);
	rig_end(&g);
}

static void answer_to_the_retransmission_undoes_nothing(void **state)
{
	struct rig g;

	time_out(&g, true, true);
	rig_wait(&g, 30 * MS);
	rig_ack_with(&g, 1, NULL, 0, of_the_second);
	// The first acknowledgement has decided.
	rig_ack_with(&g, 2, NULL, 0, of_the_original);
	assert_int_equal(g.r.n_undone, 0);
	assert_true(recovery_is_on(&g.r));
	assert_int_equal(g.calls.n_leave, 0);
	g.c.cwnd = 20 * SEG;
	assert_int_equal(rig_resend_all(&g), 8);
	rig_wait(&g, 50 * MS);
	rig_ack(&g, 10);
	assert_int_equal(g.calls.n_leave, 1);
	rig_end(&g);
}

// Eifel compares with the first retransmission, however many there were.
static void later_timeouts_keep_the_first_retransmission(void **state)
{
	struct rig g;
	uint64_t first_ns;

	time_out(&g, true, true);
	first_ns = recovery_first_resent_ns(&g.r);
	assert_int_equal(rig_expire(&g), RECOVERY_TIMEOUT);
	assert_int_equal(rig_resend(&g), 0);
	assert_true(first_ns && recovery_first_resent_ns(&g.r) == first_ns);
	rig_ack_with(&g, 1, NULL, 0, of_the_original);
	assert_int_equal(g.calls.n_undo, 1);
	rig_end(&g);
}

static void late_original_undoes_fast_recovery(void **state)
{
	struct rig g;

	rig_open(&g, true, true, 50 * MS);
	rig_send(&g, 10);
	rig_wait(&g, 50 * MS);
	rig_sack(&g, 0, {1, 4});
	assert_int_equal(rig_resend(&g), 0);
	rig_wait(&g, 1 * MS);
	rig_ack_with(&g, 4, NULL, 0, of_the_original);
	assert_int_equal(g.r.n_undone, 1);
	assert_false(recovery_is_on(&g.r));
	// It was reordering: three sacked segments do not begin another one.
	rig_sack(&g, 4, {5, 8});
	assert_false(recovery_is_on(&g.r));
	rig_end(&g);
}

// Found lost, but not even sent again when it arrives.
static void hole_that_fills_before_its_retransmission(void **state)
{
	struct rig g;

	rig_open(&g, true, false, 50 * MS);
	rig_send(&g, 10);
	rig_wait(&g, 50 * MS);
	rig_sack(&g, 0, {1, 4});
	assert_true(recovery_is_on(&g.r));
	rig_ack(&g, 4);
	assert_int_equal(g.r.n_undone, 1);
	assert_false(recovery_is_on(&g.r));
	assert_int_equal(rig_in_flight(&g), 6);
	rig_end(&g);
}

// Without timestamps: each of the two that went out again is reported as received twice.
static void all_that_came_twice_undoes(void **state)
{
	struct rig g;

	rig_open(&g, true, false, 50 * MS);
	rig_send(&g, 10);
	rig_wait(&g, 50 * MS);
	rig_sack(&g, 0, {2, 8});
	assert_int_equal(rig_resend(&g), 0);
	rig_sack(&g, 0, {2, 10});
	assert_int_equal(rig_resend(&g), 1);
	rig_wait(&g, 1 * MS);
	rig_ack(&g, 10);
	assert_int_equal(g.r.n_undone, 0);
	rig_send(&g, 2);
	rig_wait(&g, 49 * MS);
	rig_sack(&g, 10, {0, 1});
	assert_int_equal(g.r.n_undone, 0);
	rig_sack(&g, 10, {1, 2});
	assert_int_equal(g.r.n_undone, 1);
	assert_int_equal(g.calls.n_undo, 1);
	rig_end(&g);
}

static void duplicate_of_the_network_undoes_nothing(void **state)
{
	struct rig g;

	rig_open(&g, true, false, 50 * MS);
	rig_send(&g, 10);
	rig_wait(&g, 50 * MS);
	rig_ack(&g, 2);
	rig_sack(&g, 2, {3, 6});
	assert_int_equal(rig_resend(&g), 2);
	rig_sack(&g, 2, {0, 1}, {3, 6}); // from before this recovery
	assert_int_equal(g.r.n_undone, 0);
	assert_true(recovery_is_on(&g.r));
	rig_end(&g);
}

// F-RTO: the second acknowledgement is for what never went out again.
static void new_data_shows_a_timeout_to_be_spurious(void **state)
{
	for (int has_sack = 0; has_sack < 2; has_sack++) {
		struct rig g;

		time_out(&g, has_sack, false);
		g.r.has_new = true;
		rig_ack(&g, 1);
		assert_int_equal(rig_resend(&g), -1);
		assert_true(recovery_allow(&g.r, g.now_ns) >= SEG || g.c.cwnd == SEG);
		rig_send(&g, 2);
		rig_wait(&g, 1 * MS);
		rig_ack(&g, 2);
		assert_int_equal(g.r.n_undone, 1);
		assert_false(recovery_is_on(&g.r));
		assert_int_equal(rig_resend(&g), -1);
		rig_end(&g);
	}
}

static void duplicate_after_new_data_shows_a_loss(void **state)
{
	struct rig g;

	time_out(&g, false, false);
	g.r.has_new = true;
	rig_ack(&g, 1);
	rig_send(&g, 2);
	rig_wait(&g, 50 * MS);
	g.c.cwnd = 20 * SEG;
	rig_ack(&g, 1);
	assert_int_equal(g.r.n_undone, 0);
	assert_true(recovery_is_on(&g.r));
	assert_int_equal(rig_resend(&g), 1);
	rig_end(&g);
}

static void without_new_data_recovery_goes_on(void **state)
{
	struct rig g;

	time_out(&g, true, false);
	rig_ack(&g, 1);
	g.c.cwnd = 20 * SEG;
	assert_int_equal(rig_resend(&g), 1);
	rig_end(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(late_original_undoes_a_timeout),
		cmocka_unit_test(answer_to_the_retransmission_undoes_nothing),
		cmocka_unit_test(later_timeouts_keep_the_first_retransmission),
		cmocka_unit_test(late_original_undoes_fast_recovery),
		cmocka_unit_test(hole_that_fills_before_its_retransmission),
		cmocka_unit_test(all_that_came_twice_undoes),
		cmocka_unit_test(duplicate_of_the_network_undoes_nothing),
		cmocka_unit_test(new_data_shows_a_timeout_to_be_spurious),
		cmocka_unit_test(duplicate_after_new_data_shows_a_loss),
		cmocka_unit_test(without_new_data_recovery_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
