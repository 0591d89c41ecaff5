// SPDX-License-Identifier: BSD-3-Clause
// A peer without SACK: RFC 5681, 6582 and 3042.
#include "tests/unit/recovery_rig.h"

static void three_dups(struct rig *g, uint32_t ack)
{
	for (unsigned i = 0; i < 3; i++)
		rig_ack(g, ack);
}

static void third_duplicate_begins_recovery(void **state)
{
	struct rig g;

	rig_open(&g, false, false, 10 * MS);
	g.c.cwnd = 10 * SEG;
	rig_send(&g, 10);
	rig_wait(&g, 10 * MS);
	assert_int_equal(recovery_allow(&g.r, g.now_ns), 0);
	rig_ack(&g, 0);
	assert_int_equal(recovery_allow(&g.r, g.now_ns), SEG); // limited transmit (RFC 3042)
	rig_send(&g, 1);
	rig_ack(&g, 0);
	rig_send(&g, 1);
	assert_false(recovery_is_on(&g.r));
	rig_ack(&g, 0);
	assert_true(recovery_is_on(&g.r));
	assert_int_equal(rig_resend(&g), 0);
	assert_int_equal(rig_resend(&g), -1);
	assert_int_equal(rig_in_flight(&g), 9); // of 12 one is held for lost and out again
	rig_wait(&g, 10 * MS);
	rig_ack(&g, 12);
	assert_false(recovery_is_on(&g.r));
	assert_int_equal(rig_in_flight(&g), 0);
	assert_int_equal(g.calls.last.delivered, 12 * SEG); // each byte once
	rig_end(&g);
}

// Segments with data and window updates are no duplicates.
static void other_acknowledgements_are_no_duplicates(void **state)
{
	struct rig g;

	rig_open(&g, false, false, 10 * MS);
	rig_send(&g, 10);
	rig_wait(&g, 10 * MS);
	for (unsigned i = 0; i < 5; i++) {
		rig_ack_with(&g, 0, NULL, 0, (struct recovery_ack){.has_data = true});
		rig_ack_with(&g, 0, NULL, 0, (struct recovery_ack){.window_changed = true});
	}
	assert_false(recovery_is_on(&g.r));
	assert_int_equal(rig_in_flight(&g), 10);
	rig_end(&g);
}

static void partial_acknowledgements_walk_from_hole_to_hole(void **state)
{
	struct rig g;
	unsigned n_resent = 0;

	rig_open(&g, false, false, 10 * MS);
	rig_send(&g, 20);
	rig_wait(&g, 10 * MS);
	three_dups(&g, 0);
	for (uint32_t hole = 0; hole < 20; hole += 5) { // 0, 5, 10 and 15 are lost
		assert_int_equal(rig_resend(&g), (int)hole);
		n_resent++;
		rig_wait(&g, 10 * MS);
		assert_true(recovery_is_on(&g.r));
		rig_ack(&g, hole + 5);
	}
	assert_int_equal(n_resent, 4);
	assert_false(recovery_is_on(&g.r));
	assert_int_equal(g.calls.n_enter, 1);
	assert_int_equal(g.r.n_rto, 0);
	rig_end(&g);
}

// RFC 6582, 3.2, step 2: duplicates that the last recovery itself has caused.
static void duplicates_after_recovery_begin_no_other(void **state)
{
	struct rig g;

	rig_open(&g, false, false, 10 * MS);
	rig_send(&g, 10);
	rig_wait(&g, 10 * MS);
	three_dups(&g, 0);
	assert_int_equal(rig_resend(&g), 0);
	rig_wait(&g, 10 * MS);
	rig_ack(&g, 10);
	rig_send(&g, 5);
	three_dups(&g, 10);
	assert_false(recovery_is_on(&g.r));
	rig_ack(&g, 11);
	three_dups(&g, 11);
	assert_true(recovery_is_on(&g.r));
	assert_int_equal(g.calls.n_enter, 2);
	rig_end(&g);
}

// After a timeout everything goes out again, as fast as the window grows.
static void timeout_goes_back_to_the_beginning(void **state)
{
	struct rig g;

	rig_open(&g, false, true, 10 * MS);
	rig_send(&g, 10);
	assert_int_equal(rig_expire(&g), RECOVERY_TIMEOUT);
	assert_int_equal(rig_in_flight(&g), 0);
	assert_int_equal(rig_resend(&g), 0);
	assert_int_equal(rig_resend(&g), -1);
	rig_wait(&g, 10 * MS);
	g.c.cwnd = 2 * SEG;
	rig_ack(&g, 1);
	assert_int_equal(rig_resend(&g), 1);
	assert_int_equal(rig_resend(&g), 2);
	assert_int_equal(rig_resend(&g), -1);
	three_dups(&g, 1); // no fast recovery within
	assert_int_equal(g.calls.n_enter, 0);
	rig_wait(&g, 10 * MS);
	rig_ack(&g, 10);
	assert_false(recovery_is_on(&g.r));
	assert_int_equal(rig_in_flight(&g), 0);
	rig_end(&g);
}

// More duplicates than segments: a peer that wants to be sent too much.
static void duplicates_never_exceed_what_is_out(void **state)
{
	struct rig g;

	rig_open(&g, false, false, 10 * MS);
	rig_send(&g, 4);
	for (unsigned i = 0; i < 100; i++)
		rig_ack(&g, 0);
	assert_int_equal(rig_in_flight(&g), 0);
	assert_int_equal(g.calls.last.delivered, 3 * SEG);
	assert_int_equal(rig_resend(&g), 0);
	rig_end(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(third_duplicate_begins_recovery),
		cmocka_unit_test(other_acknowledgements_are_no_duplicates),
		cmocka_unit_test(partial_acknowledgements_walk_from_hole_to_hole),
		cmocka_unit_test(duplicates_after_recovery_begin_no_other),
		cmocka_unit_test(timeout_goes_back_to_the_beginning),
		cmocka_unit_test(duplicates_never_exceed_what_is_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
