// SPDX-License-Identifier: BSD-3-Clause
// Two connections of ours joined by a pipe, in virtual time.
#include <errno.h>

#include "tests/unit/tcp_rig.h"

static void pair_with(struct rig *r, uint64_t delay_ns, uint32_t before_wrap)
{
	struct tcp_settings set = rig_settings();

	rig_init(r, &set, &set, delay_ns, before_wrap);
	rig_open(r);
}

static void handshake_opens_both_ends(void **state)
{
	struct rig r;

	pair_with(&r, 10 * MS, 0);
	assert_true(r.events[0] & TCP_OPENED);
	assert_true(r.events[1] & TCP_OPENED);
	assert_int_equal(rig_info(&r, 0).mss, 1448);
	assert_int_equal(rig_info(&r, 0).srtt_ns, 20 * MS);
	rig_fini(&r);
}

static void bytes_arrive_in_both_directions(void **state)
{
	struct rig r;

	for (int wrap = 0; wrap < 2; wrap++) {
		pair_with(&r, 10 * MS, wrap ? 100000 : 0);
		rig_carry(&r, 0, 0, 3000000);
		rig_carry(&r, 1, 0, 3000000);
		rig_carry(&r, 0, 3000000, 100);
		assert_int_equal(rig_info(&r, 0).bytes_resent, 0);
		assert_int_equal(rig_info(&r, 1).n_dropped, 0);
		rig_fini(&r);
	}
}

static void segments_to_be_cut_carry_the_same_bytes(void **state)
{
	struct tcp_settings set = rig_settings();
	struct rig r;

	set.segment_max = 65000;
	rig_init(&r, &set, &set, 5 * MS, 70000);
	rig_open(&r);
	rig_carry(&r, 0, 0, 10000000);
	assert_int_equal(rig_info(&r, 0).bytes_resent, 0);
	rig_fini(&r);
}

static void pacing_carries_the_same_bytes(void **state)
{
	struct tcp_settings set = rig_settings();
	struct rig r;

	set.pacing = true;
	set.segment_max = 65000;
	rig_init(&r, &set, &set, 20 * MS, 0);
	rig_open(&r);
	rig_carry(&r, 0, 0, 10000000);
	assert_int_equal(rig_info(&r, 0).bytes_resent, 0);
	rig_fini(&r);
}

// Windows grow as the path wants it: 20 MB over 100 ms of round trip, from a first buffer of 128
// KB.
static void windows_grow_with_the_path(void **state)
{
	struct rig r;

	pair_with(&r, 50 * MS, 0);
	uint64_t ns = rig_carry(&r, 0, 0, 20000000);
	assert_in_range(ns, 0, 16 * 100 * MS);
	assert_true(rig_info(&r, 1).receive_buffer > 4 << 20);
	rig_fini(&r);
}

struct loss {
	struct random random;
	unsigned per_mille;
};

static bool lose_some(void *arg, const struct tcp_segment *s, uint64_t index)
{
	struct loss *loss = arg;

	return random_below(&loss->random, 1000) < loss->per_mille;
}

static void losses_are_repaired(void **state)
{
	struct loss loss = {random_seeded(__func__), 20};

	for (int variant = 0; variant < 8; variant++) {
		struct tcp_settings set = rig_settings();
		struct rig r;

		set.pacing = variant & 1;
		set.segment_max = variant & 2 ? 65000 : 0;
		rig_init(&r, &set, &set, 10 * MS, variant & 4 ? 30000 : 0);
		rig_open(&r);
		for (int i = 0; i < 2; i++) {
			r.pipe[i].loses = lose_some;
			r.pipe[i].arg = &loss;
		}
		for (int i = 0; i == 0 || (i < 50 && !rig_info(&r, 0).bytes_resent); i++) {
			rig_carry(&r, 0, 0, 500000);
			rig_carry(&r, 1, 0, 500000);
		}
		assert_true(rig_info(&r, 0).bytes_resent > 0);
		rig_fini(&r);
	}
}

static void close_by_the_client_ends_in_time_wait(void **state)
{
	struct rig r;
	char byte;

	pair_with(&r, 10 * MS, 0);
	rig_carry(&r, 0, 0, 1000);
	tcp_shutdown(r.tcp[0], r.now_ns);
	rig_run(&r, 100 * MS);
	assert_int_equal(tcp_state(r.tcp[0]), TCP_FIN_WAIT_2);
	assert_int_equal(tcp_state(r.tcp[1]), TCP_CLOSE_WAIT);
	assert_int_equal(tcp_read(r.tcp[1], &byte, 1, r.now_ns), 0);
	rig_carry(&r, 1, 0, 5000); // half-closed: the other direction goes on
	tcp_close(r.tcp[1], r.now_ns);
	rig_run(&r, 100 * MS);
	assert_int_equal(tcp_state(r.tcp[0]), TCP_TIME_WAIT);
	assert_int_equal(tcp_state(r.tcp[1]), TCP_CLOSED);
	assert_int_equal(tcp_read(r.tcp[0], &byte, 1, r.now_ns), 0);
	assert_int_equal(tcp_error(r.tcp[0]), 0);
	assert_int_equal(tcp_error(r.tcp[1]), 0);
	assert_true(r.events[0] & r.events[1] & TCP_GONE);
	rig_run(&r, 61 * SECOND);
	assert_int_equal(tcp_state(r.tcp[0]), TCP_CLOSED);
	rig_fini(&r);
}

static void both_close_at_once(void **state)
{
	struct rig r;

	pair_with(&r, 10 * MS, 0);
	rig_write(&r, 0, 0, 10);
	rig_write(&r, 1, 0, 10);
	tcp_shutdown(r.tcp[0], r.now_ns);
	tcp_shutdown(r.tcp[1], r.now_ns);
	rig_run(&r, 15 * MS);
	assert_int_equal(tcp_state(r.tcp[0]), TCP_CLOSING);
	assert_int_equal(tcp_state(r.tcp[1]), TCP_CLOSING);
	rig_run(&r, 100 * MS);
	assert_int_equal(tcp_state(r.tcp[0]), TCP_TIME_WAIT);
	assert_int_equal(tcp_state(r.tcp[1]), TCP_TIME_WAIT);
	assert_int_equal(rig_read(&r, 0, 0, 100), 10);
	assert_int_equal(rig_read(&r, 1, 0, 100), 10);
	rig_fini(&r);
}

static void close_with_unread_bytes_resets(void **state)
{
	struct rig r;
	char byte;

	pair_with(&r, 10 * MS, 0);
	rig_write(&r, 0, 0, 10);
	rig_run(&r, 50 * MS);
	tcp_close(r.tcp[1], r.now_ns);
	rig_run(&r, 50 * MS);
	assert_int_equal(tcp_state(r.tcp[0]), TCP_CLOSED);
	assert_int_equal(tcp_error(r.tcp[0]), ECONNRESET);
	assert_int_equal(tcp_read(r.tcp[0], &byte, 1, r.now_ns), -ECONNRESET);
	rig_fini(&r);
}

static void a_reader_that_stops_shuts_the_window_and_opens_it(void **state)
{
	struct rig r;
	uint64_t sent = 0, got = 0;

	pair_with(&r, 10 * MS, 0);
	for (int i = 0; i < 40; i++) {
		sent += rig_write(&r, 0, sent, 100000);
		rig_run(&r, 100 * MS);
	}
	assert_in_range(tcp_readable(r.tcp[1]), 120 << 10, 132 << 10);
	assert_true(rig_info(&r, 0).n_persist > 0);
	assert_int_equal(rig_info(&r, 0).n_rto, 0);
	rig_run(&r, 120 * SECOND); // longer than the user timeout: answered probes are life
	assert_int_equal(tcp_state(r.tcp[0]), TCP_ESTABLISHED);
	while (got < sent) {
		got += rig_read(&r, 1, got, sent);
		rig_run(&r, 100 * MS);
	}
	assert_int_equal(rig_info(&r, 0).unacked, 0);
	rig_fini(&r);
}

static bool lose_all(void *arg, const struct tcp_segment *s, uint64_t index)
{
	return true;
}

static void a_peer_that_is_gone_is_noticed(void **state)
{
	struct rig r;

	pair_with(&r, 10 * MS, 0);
	r.pipe[0].loses = lose_all;
	rig_write(&r, 0, 0, 1000);
	rig_run(&r, 29 * SECOND);
	assert_int_equal(tcp_state(r.tcp[0]), TCP_ESTABLISHED);
	rig_run(&r, 2 * SECOND);
	assert_int_equal(tcp_state(r.tcp[0]), TCP_CLOSED);
	assert_int_equal(tcp_error(r.tcp[0]), ETIMEDOUT);
	// The other one had nothing to send: keepalive finds out.
	rig_run(&r, 60 * SECOND);
	assert_int_equal(tcp_error(r.tcp[1]), ETIMEDOUT);
	rig_fini(&r);
}

static void nobody_at_home_is_a_timeout(void **state)
{
	struct tcp_settings set = rig_settings();
	struct rig r;

	rig_init(&r, &set, &set, 10 * MS, 0);
	r.pipe[0].loses = lose_all;
	rig_run(&r, 11 * SECOND);
	assert_int_equal(tcp_error(r.tcp[0]), ETIMEDOUT);
	assert_in_range(rig_info(&r, 0).segments_out, 3,
			6); // RFC 9293, 3.8.3: R1 is three at least
	assert_true(r.events[0] & TCP_FAILED);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshake_opens_both_ends),
		cmocka_unit_test(bytes_arrive_in_both_directions),
		cmocka_unit_test(segments_to_be_cut_carry_the_same_bytes),
		cmocka_unit_test(pacing_carries_the_same_bytes),
		cmocka_unit_test(windows_grow_with_the_path),
		cmocka_unit_test(losses_are_repaired),
		cmocka_unit_test(close_by_the_client_ends_in_time_wait),
		cmocka_unit_test(both_close_at_once),
		cmocka_unit_test(close_with_unread_bytes_resets),
		cmocka_unit_test(a_reader_that_stops_shuts_the_window_and_opens_it),
		cmocka_unit_test(a_peer_that_is_gone_is_noticed),
		cmocka_unit_test(nobody_at_home_is_a_timeout),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
