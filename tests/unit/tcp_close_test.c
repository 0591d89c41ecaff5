// SPDX-License-Identifier: BSD-3-Clause
// Ends of connections, by hand.
#include "tests/unit/tcp_script.h"

static void begin(struct script *s)
{
	struct tcp_settings set = rig_settings();

	script_init(s, &set, 0xfffffffe);
	script_connect(s, HAS_ALL);
}

static void in_fin_wait_2(struct script *s)
{
	begin(s);
	tcp_shutdown(s->t, s->now_ns);
	expect_out(s, TCP_FIN | TCP_ACK, 1, 0, 1);
	SAY(s, .seq = 1, .ack = 2);
	assert_int_equal(tcp_state(s->t), TCP_FIN_WAIT_2);
}

static void in_time_wait(struct script *s)
{
	in_fin_wait_2(s);
	SAY(s, .seq = 1, .ack = 2, .flags = TCP_FIN | TCP_ACK);
	expect_ack(s, 2, 2);
	assert_int_equal(tcp_state(s->t), TCP_TIME_WAIT);
	assert_true(tcp_events(s->t) & TCP_GONE);
}

static void a_fin_rides_with_the_last_bytes(void **state)
{
	struct script s;

	begin(&s);
	script_write(&s, 100);
	tcp_shutdown(s.t, s.now_ns);
	expect_out(&s, TCP_FIN | TCP_ACK, 1, 100, 1);
	expect_nothing(&s);
	assert_int_equal(tcp_state(s.t), TCP_FIN_WAIT_1);
	SAY(&s, .seq = 1, .ack = 101); // the bytes, not the FIN
	assert_int_equal(tcp_state(s.t), TCP_FIN_WAIT_1);
	SAY(&s, .seq = 1, .ack = 102);
	assert_int_equal(tcp_state(s.t), TCP_FIN_WAIT_2);
	script_fini(&s);
}

static void a_lost_fin_is_sent_again(void **state)
{
	struct script s;

	begin(&s);
	tcp_shutdown(s.t, s.now_ns);
	expect_out(&s, TCP_FIN | TCP_ACK, 1, 0, 1);
	for (int i = 0; i < 3; i++) {
		script_wait_deadline(&s);
		expect_out(&s, TCP_FIN | TCP_ACK, 1, 0, 1);
		expect_nothing(&s);
	}
	script_fini(&s);
}

static void the_other_direction_goes_on(void **state)
{
	struct script s;

	in_fin_wait_2(&s);
	SAY(&s, .seq = 1, .ack = 2, .len = 500);
	expect_ack(&s, 2, 501);
	assert_int_equal(script_read(&s, 1), 500);
	SAY(&s, .seq = 501, .ack = 2, .len = 10, .flags = TCP_FIN | TCP_ACK);
	expect_ack(&s, 2, 512);
	assert_int_equal(tcp_state(s.t), TCP_TIME_WAIT);
	assert_int_equal(script_read(&s, 501), 10); // what came before the end can still be read
	script_fini(&s);
}

static void a_passive_close_ends_with_the_last_ack(void **state)
{
	struct script s;

	begin(&s);
	SAY(&s, .seq = 1, .ack = 1, .flags = TCP_FIN | TCP_ACK);
	expect_ack(&s, 1, 2);
	assert_int_equal(tcp_state(s.t), TCP_CLOSE_WAIT);
	script_write(&s, 50);
	expect_out(&s, TCP_ACK, 1, 50, 2);
	tcp_shutdown(s.t, s.now_ns);
	expect_out(&s, TCP_FIN | TCP_ACK, 51, 0, 2);
	assert_int_equal(tcp_state(s.t), TCP_LAST_ACK);
	SAY(&s, .seq = 2, .ack = 52);
	assert_int_equal(tcp_state(s.t), TCP_CLOSED);
	assert_int_equal(tcp_error(s.t), 0);
	assert_true(tcp_events(s.t) & TCP_GONE);
	script_fini(&s);
}

static void fins_that_cross(void **state)
{
	struct script s;

	begin(&s);
	tcp_shutdown(s.t, s.now_ns);
	expect_out(&s, TCP_FIN | TCP_ACK, 1, 0, 1);
	SAY(&s, .seq = 1, .ack = 1, .flags = TCP_FIN | TCP_ACK);
	assert_int_equal(tcp_state(s.t), TCP_CLOSING);
	expect_ack(&s, 2, 2);
	SAY(&s, .seq = 2, .ack = 2);
	assert_int_equal(tcp_state(s.t), TCP_TIME_WAIT);
	script_fini(&s);
}

static void a_fin_that_acks_ours_skips_fin_wait_2(void **state)
{
	struct script s;

	begin(&s);
	tcp_shutdown(s.t, s.now_ns);
	expect_out(&s, TCP_FIN | TCP_ACK, 1, 0, 1);
	SAY(&s, .seq = 1, .ack = 2, .flags = TCP_FIN | TCP_ACK);
	assert_int_equal(tcp_state(s.t), TCP_TIME_WAIT);
	expect_ack(&s, 2, 2);
	script_fini(&s);
}

static void time_wait_answers_a_fin_and_starts_anew(void **state)
{
	struct script s;

	in_time_wait(&s);
	script_wait(&s, 59 * SECOND);
	SAY(&s, .seq = 1, .ack = 2, .flags = TCP_FIN | TCP_ACK);
	expect_ack(&s, 2, 2);
	script_wait(&s, 59 * SECOND);
	assert_int_equal(tcp_state(s.t), TCP_TIME_WAIT);
	script_wait(&s, 2 * SECOND);
	assert_int_equal(tcp_state(s.t), TCP_CLOSED);
	script_fini(&s);
}

// RFC 1337.
static void time_wait_ignores_resets(void **state)
{
	struct script s;

	in_time_wait(&s);
	SAY(&s, .seq = 2, .ack = 2, .flags = TCP_RST);
	assert_int_equal(tcp_state(s.t), TCP_TIME_WAIT);
	expect_nothing(&s);
	script_fini(&s);
}

// RFC 6191.
static void time_wait_gives_way_to_what_is_newer(void **state)
{
	struct tcp_segment syn;
	struct script s;

	in_fin_wait_2(&s);
	syn = script_syn(&s, TCP_SYN, HAS_ALL);
	syn.options.ts_val = s.ts + 1;
	assert_false(tcp_is_reusable(s.t, &syn)); // not over yet
	script_fini(&s);
	in_time_wait(&s);
	syn = script_syn(&s, TCP_SYN, HAS_ALL);
	syn.options.ts_val = s.ts + 1;
	assert_true(tcp_is_reusable(s.t, &syn));
	syn.options.ts_val = s.ts - 1;
	assert_false(tcp_is_reusable(s.t, &syn));
	syn.options.ts_val = s.ts;
	syn.seq = seq_add(s.irs, 2);
	assert_false(tcp_is_reusable(s.t, &syn));
	syn.seq = seq_add(s.irs, 3);
	assert_true(tcp_is_reusable(s.t, &syn));
	syn.options.has = 0;
	assert_true(tcp_is_reusable(s.t, &syn));
	syn.flags |= TCP_ACK;
	assert_false(tcp_is_reusable(s.t, &syn));
	script_fini(&s);
}

// RFC 9293, 3.6.1: nobody is there to read it.
static void bytes_after_a_close_are_answered_with_a_reset(void **state)
{
	struct script s;

	begin(&s);
	tcp_close(s.t, s.now_ns);
	expect_out(&s, TCP_FIN | TCP_ACK, 1, 0, 1);
	SAY(&s, .seq = 1, .ack = 2);
	SAY(&s, .seq = 1, .ack = 2, .len = 10);
	expect_out(&s, TCP_RST | TCP_ACK, 2, 0, 1);
	assert_int_equal(tcp_state(s.t), TCP_CLOSED);
	assert_true(tcp_events(s.t) & TCP_GONE);
	script_fini(&s);
}

static void nobody_waits_for_ever_in_fin_wait_2(void **state)
{
	struct script s;

	begin(&s);
	tcp_close(s.t, s.now_ns);
	expect_out(&s, TCP_FIN | TCP_ACK, 1, 0, 1);
	SAY(&s, .seq = 1, .ack = 2);
	assert_int_equal(tcp_state(s.t), TCP_FIN_WAIT_2);
	script_wait(&s, 60 * SECOND);
	assert_int_equal(tcp_state(s.t), TCP_CLOSED);
	script_fini(&s);
	in_fin_wait_2(&s);
	tcp_close(s.t, s.now_ns); // later
	script_wait(&s, 60 * SECOND);
	assert_int_equal(tcp_state(s.t), TCP_CLOSED);
	script_fini(&s);
}

static void a_close_with_unread_bytes_resets(void **state)
{
	struct script s;

	begin(&s);
	SAY(&s, .seq = 1, .ack = 1, .len = 10);
	tcp_close(s.t, s.now_ns);
	expect_out(&s, TCP_RST | TCP_ACK, 1, 0, 11);
	assert_int_equal(tcp_state(s.t), TCP_CLOSED);
	expect_nothing(&s);
	script_fini(&s);
}

static void a_close_while_it_opens_is_quiet(void **state)
{
	struct tcp_settings set = rig_settings();
	struct tcp_tuple tuple = rig_tuple(false);
	struct script s;

	script_init(&s, &set, 0);
	assert_int_equal(tcp_connect(s.host, &tuple, s.now_ns, &s.t), 0);
	assert_true(script_output(&s));
	tcp_close(s.t, s.now_ns);
	assert_int_equal(tcp_state(s.t), TCP_CLOSED);
	expect_nothing(&s);
	script_fini(&s);
}

static void a_reset_ends_each_state(void **state)
{
	struct script s;

	begin(&s);
	SAY(&s, .seq = 1, .flags = TCP_RST);
	assert_int_equal(tcp_error(s.t), ECONNRESET);
	assert_int_equal(tcp_events(s.t), TCP_FAILED | TCP_READABLE | TCP_WRITABLE | TCP_GONE);
	expect_nothing(&s);
	script_fini(&s);
	in_fin_wait_2(&s);
	SAY(&s, .seq = 1, .flags = TCP_RST);
	assert_int_equal(tcp_error(s.t), ECONNRESET);
	script_fini(&s);
	begin(&s); // LAST-ACK: it was over anyway
	SAY(&s, .seq = 1, .ack = 1, .flags = TCP_FIN | TCP_ACK);
	tcp_shutdown(s.t, s.now_ns);
	expect_out(&s, TCP_FIN | TCP_ACK, 1, 0, 2);
	SAY(&s, .seq = 2, .flags = TCP_RST);
	assert_int_equal(tcp_state(s.t), TCP_CLOSED);
	assert_int_equal(tcp_error(s.t), 0);
	script_fini(&s);
}

// What arrived in order before a reset is not taken away.
static void bytes_before_a_reset_can_be_read(void **state)
{
	struct script s;
	char p[10];

	begin(&s);
	SAY(&s, .seq = 1, .ack = 1, .len = 100);
	SAY(&s, .seq = 101, .flags = TCP_RST);
	assert_int_equal(script_read(&s, 1), 100);
	assert_int_equal(tcp_read(s.t, p, 10, s.now_ns), -ECONNRESET);
	assert_int_equal(script_write(&s, 10), -ECONNRESET);
	script_fini(&s);
}

static void a_listener_that_was_left_takes_no_connection(void **state)
{
	struct tcp_settings set = rig_settings();
	struct tcp_tuple tuple = rig_tuple(false);
	struct tcp_segment syn;
	struct script s;

	script_init(&s, &set, 9); // noaccept_close_rst
	syn = script_syn(&s, TCP_SYN, HAS_ALL);
	assert_int_equal(tcp_accept(s.host, &tuple, &syn, s.now_ns, &s.t), 0);
	assert_true(script_output(&s));
	s.iss = s.out.seq;
	SAY(&s, .seq = 1, .ack = 1, .len = 10);
	tcp_close(s.t, s.now_ns);
	expect_out(&s, TCP_RST | TCP_ACK, 1, 0, 11);
	script_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fin_rides_with_the_last_bytes),
		cmocka_unit_test(a_lost_fin_is_sent_again),
		cmocka_unit_test(the_other_direction_goes_on),
		cmocka_unit_test(a_passive_close_ends_with_the_last_ack),
		cmocka_unit_test(fins_that_cross),
		cmocka_unit_test(a_fin_that_acks_ours_skips_fin_wait_2),
		cmocka_unit_test(time_wait_answers_a_fin_and_starts_anew),
		cmocka_unit_test(time_wait_ignores_resets),
		cmocka_unit_test(time_wait_gives_way_to_what_is_newer),
		cmocka_unit_test(bytes_after_a_close_are_answered_with_a_reset),
		cmocka_unit_test(nobody_waits_for_ever_in_fin_wait_2),
		cmocka_unit_test(a_close_with_unread_bytes_resets),
		cmocka_unit_test(a_close_while_it_opens_is_quiet),
		cmocka_unit_test(a_reset_ends_each_state),
		cmocka_unit_test(bytes_before_a_reset_can_be_read),
		cmocka_unit_test(a_listener_that_was_left_takes_no_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
