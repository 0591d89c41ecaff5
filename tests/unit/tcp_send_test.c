// SPDX-License-Identifier: BSD-3-Clause
// What goes out: sizes, windows, probes, patience.
#include "dataplane/tcp/tcp_priv.h"
#include "tests/unit/tcp_script.h"

static void begin_with(struct script *s, const struct tcp_settings *set)
{
	script_init(s, set, 0x12345678);
	script_connect(s, HAS_ALL);
}

static void begin(struct script *s)
{
	struct tcp_settings set = rig_settings();

	begin_with(s, &set);
}

static void writes_are_cut_into_segments(void **state)
{
	struct script s;

	begin(&s);
	assert_int_equal(script_write(&s, 3000), 3000);
	expect_out(&s, TCP_ACK, 1, 1448, 1);
	assert_false(s.out.flags & TCP_PSH);
	expect_out(&s, TCP_ACK, 1449, 1448, 1);
	expect_out(&s, TCP_ACK, 2897, 104, 1); // no Nagle
	assert_true(s.out.flags & TCP_PSH);
	assert_int_equal(s.out.mss, 0);
	assert_memory_equal(s.out.body[0].iov_base, s.payload + 2896, 104);
	expect_nothing(&s);
	script_write(&s, 10);
	expect_out(&s, TCP_ACK, 3001, 10, 1);
	script_fini(&s);
}

static void a_device_that_cuts_gets_long_segments(void **state)
{
	struct tcp_settings set = rig_settings();
	struct script s;

	set.segment_max = 5 * 1448 + 7;
	begin_with(&s, &set);
	script_write(&s, 10000);
	expect_out(&s, TCP_ACK, 1, 5 * 1448, 1);
	assert_int_equal(s.out.mss, 1448);
	expect_out(&s, TCP_ACK, 7241, 2760, 1);
	assert_int_equal(s.out.mss, 1448);
	expect_nothing(&s);
	script_fini(&s);
}

static void the_window_of_the_peer_is_kept(void **state)
{
	struct script s;

	begin(&s);
	SAY(&s, .seq = 1, .ack = 1, .window = 4000);
	script_write(&s, 10000);
	expect_out(&s, TCP_ACK, 1, 1448, 1);
	expect_out(&s, TCP_ACK, 1449, 1448, 1);
	expect_nothing(&s); // 1104 would fit: a crumb
	SAY(&s, .seq = 1, .ack = 2897, .window = 4000);
	expect_out(&s, TCP_ACK, 2897, 1448, 1);
	expect_out(&s, TCP_ACK, 4345, 1448, 1);
	expect_nothing(&s);
	script_fini(&s);
}

// A window that is taken back (RFC 9293, 3.8.6): nothing new goes out, nothing breaks.
static void a_shrinking_window_holds_back_what_is_new(void **state)
{
	struct script s;

	begin(&s);
	SAY(&s, .seq = 1, .ack = 1, .window = 10000);
	script_write(&s, 5000);
	while (script_output(&s))
		;
	SAY(&s, .seq = 1, .ack = 1449, .window = 1000);
	script_write(&s, 5000);
	expect_nothing(&s);
	SAY(&s, .seq = 1, .ack = 5001, .window = 6000);
	expect_out(&s, TCP_ACK, 5001, 1448, 1);
	script_fini(&s);
}

// RFC 9293, 3.8.6.1: first after an RTO, then with doubling gaps.
static void a_shut_window_is_probed(void **state)
{
	struct tcp_info info;
	struct script s;
	uint64_t gap;

	begin(&s);
	SAY(&s, .seq = 1, .ack = 1, .window = NO_WINDOW);
	tcp_info(s.t, &info);
	script_write(&s, 5000);
	expect_nothing(&s);
	gap = info.rto_ns;
	for (int i = 0; i < 8; i++) {
		assert_int_equal(script_wait_deadline(&s), gap);
		expect_out(&s, TCP_ACK, 1, 1, 1); // an octet, the same again
		expect_nothing(&s);
		SAY(&s, .seq = 1, .ack = 1, .window = NO_WINDOW);
		expect_nothing(&s);
		gap = gap * 2 < 7500 * MS ? gap * 2 : 7500 * MS; // a quarter of the patience
	}
	tcp_info(s.t, &info);
	assert_int_equal(info.n_persist, 8);
	assert_int_equal(info.n_rto, 0);
	SAY(&s, .seq = 1, .ack = 1, .window = 60000);
	expect_out(&s, TCP_ACK, 1, 1, 1); // the probe was not taken
	expect_out(&s, TCP_ACK, 2, 1448, 1);
	script_fini(&s);
}

static void a_probe_that_was_taken_is_not_sent_again(void **state)
{
	struct script s;

	begin(&s);
	SAY(&s, .seq = 1, .ack = 1, .window = NO_WINDOW);
	script_write(&s, 2000);
	expect_nothing(&s);
	script_wait_deadline(&s);
	expect_out(&s, TCP_ACK, 1, 1, 1);
	SAY(&s, .seq = 1, .ack = 2, .window = 60000);
	expect_out(&s, TCP_ACK, 2, 1448, 1);
	expect_out(&s, TCP_ACK, 1450, 551, 1);
	script_fini(&s);
}

static void probes_without_an_answer_end_the_connection(void **state)
{
	struct script s;
	uint64_t since;

	begin(&s);
	SAY(&s, .seq = 1, .ack = 1, .window = NO_WINDOW);
	script_write(&s, 2000);
	expect_nothing(&s);
	script_wait_deadline(&s);
	expect_out(&s, TCP_ACK, 1, 1, 1);
	since = s.now_ns; // of the first question
	while (tcp_state(s.t) != TCP_CLOSED) {
		script_wait_deadline(&s);
		script_output(&s);
	}
	assert_int_equal(s.now_ns - since, 30 * SECOND);
	assert_int_equal(tcp_error(s.t), ETIMEDOUT);
	script_fini(&s);
}

// RFC 9293, 3.8.6.2.1: with nothing in flight a small window is used after all, in the end.
static void a_small_window_is_used_in_the_end(void **state)
{
	struct script s;

	begin(&s);
	SAY(&s, .seq = 1, .ack = 1, .window = 500);
	script_write(&s, 5000);
	expect_nothing(&s);
	script_wait_deadline(&s);
	expect_out(&s, TCP_ACK, 1, 500, 1);
	script_fini(&s);
}

static void a_fin_waits_for_the_window_too(void **state)
{
	struct script s;

	begin(&s);
	SAY(&s, .seq = 1, .ack = 1, .window = NO_WINDOW);
	tcp_shutdown(s.t, s.now_ns);
	expect_nothing(&s);
	script_wait_deadline(&s);
	expect_out(&s, TCP_FIN | TCP_ACK, 1, 0, 1);
	SAY(&s, .seq = 1, .ack = 2, .window = NO_WINDOW);
	assert_int_equal(tcp_state(s.t), TCP_FIN_WAIT_2);
	script_fini(&s);
}

static void what_the_device_refused_comes_again(void **state)
{
	struct script s;

	begin(&s);
	script_write(&s, 2000);
	expect_out(&s, TCP_ACK, 1, 1448, 1);
	for (int i = 0; i < 3; i++) {
		tcp_output_refused(s.t, s.now_ns);
		expect_out(&s, TCP_ACK, 1, 1448, 1);
	}
	expect_out(&s, TCP_ACK, 1449, 552, 1);
	expect_nothing(&s);
	SAY(&s, .seq = 2, .ack = 1, .len = 10); // an acknowledgement, a reset
	expect_out(&s, TCP_ACK, 2001, 0, 1);
	tcp_output_refused(s.t, s.now_ns);
	expect_ack(&s, 2001, 1);
	tcp_abort(s.t, s.now_ns);
	expect_out(&s, TCP_RST | TCP_ACK, 2001, 0, 1);
	tcp_output_refused(s.t, s.now_ns);
	expect_out(&s, TCP_RST | TCP_ACK, 2001, 0, 1);
	expect_nothing(&s);
	script_fini(&s);
}

static void what_was_acknowledged_meanwhile_does_not_come_again(void **state)
{
	struct script s;

	begin(&s);
	script_write(&s, 100);
	expect_out(&s, TCP_ACK, 1, 100, 1);
	script_wait_deadline(&s); // the tail's probe
	expect_out(&s, TCP_ACK, 1, 100, 1);
	tcp_output_refused(s.t, s.now_ns);
	SAY(&s, .seq = 1, .ack = 101);
	expect_nothing(&s);
	script_fini(&s);
}

static void the_buffer_is_bounded_and_says_when_there_is_room(void **state)
{
	struct tcp_settings set = rig_settings();
	struct script s;

	set.send_max = 20000;
	begin_with(&s, &set);
	assert_int_equal(script_write(&s, 30000), 20000);
	assert_int_equal(script_write(&s, 10), -EAGAIN);
	while (script_output(&s))
		;
	SAY(&s, .seq = 1, .ack = 1449);
	assert_false(tcp_events(s.t) & TCP_WRITABLE); // little
	SAY(&s, .seq = 1, .ack = 8689);
	assert_true(tcp_events(s.t) & TCP_WRITABLE);
	assert_int_equal(script_write(&s, 30000), 8688);
	script_fini(&s);
}

static void a_silent_peer_is_asked(void **state)
{
	struct script s;

	begin(&s);
	assert_int_equal(script_wait_deadline(&s), 60 * SECOND);
	expect_ack(&s, 0, 1); // an octet before what is next
	script_wait(&s, 10 * MS);
	SAY(&s, .seq = 1, .ack = 1);
	assert_int_equal(script_wait_deadline(&s), 60 * SECOND);
	for (int i = 0; i < 3; i++) {
		expect_ack(&s, 0, 1);
		assert_int_equal(tcp_state(s.t), TCP_ESTABLISHED);
		assert_int_equal(script_wait_deadline(&s), 5 * SECOND);
	}
	assert_int_equal(tcp_error(s.t), ETIMEDOUT);
	expect_out(&s, TCP_RST | TCP_ACK, 1, 0, 1);
	script_fini(&s);
}

static void an_icmp_error_names_the_reason_of_a_timeout(void **state)
{
	struct script s;

	begin(&s);
	script_write(&s, 100);
	expect_out(&s, TCP_ACK, 1, 100, 1);
	tcp_icmp(s.t, seq_add(s.iss, 1), EHOSTUNREACH, 0, s.now_ns);
	assert_int_equal(tcp_state(s.t), TCP_ESTABLISHED); // RFC 5461
	while (tcp_state(s.t) != TCP_CLOSED) {
		script_wait_deadline(&s);
		script_output(&s);
	}
	assert_int_equal(tcp_error(s.t), EHOSTUNREACH);
	script_fini(&s);
}

static uint32_t mss_of(const struct script *s)
{
	struct tcp_info info;

	tcp_info(s->t, &info);
	return info.mss;
}

static void icmp_lowers_the_size_of_segments(void **state)
{
	struct script s;

	begin(&s);
	script_write(&s, 20000);
	while (script_output(&s))
		;
	tcp_icmp(s.t, seq_add(s.iss, 40000), EMSGSIZE, 1200, s.now_ns); // RFC 5927: not of ours
	assert_int_equal(mss_of(&s), 1448);
	tcp_icmp(s.t, seq_add(s.iss, 1), EMSGSIZE, 1400, s.now_ns);
	assert_int_equal(mss_of(&s), 1348);
	tcp_icmp(s.t, seq_add(s.iss, 1), EMSGSIZE, 9000, s.now_ns); // it does not rise by it
	assert_int_equal(mss_of(&s), 1348);
	tcp_icmp(s.t, seq_add(s.iss, 1), EMSGSIZE, 100, s.now_ns); // nor fall without end
	assert_int_equal(mss_of(&s), 524);
	SAY(&s, .seq = 1, .ack = 1 + 3 * 1448, .n_sack = 1,
	    .sack = {{1 + 4 * 1448, 1 + 10 * 1448}});
	while (script_output(&s))
		assert_in_range(s.out.len, 0, 524);
	script_fini(&s);
}

// What is lost, and only that, are full segments: the rig's rule plays the tunnel.
struct tunnel {
	uint32_t max;
	unsigned n_lost;
};

static bool too_long(void *arg, const struct tcp_segment *s, uint64_t index)
{
	struct tunnel *tunnel = arg;
	bool loses = s->len > tunnel->max;

	tunnel->n_lost += loses;
	return loses;
}

static void a_black_hole_is_found_and_left_again(void **state)
{
	struct tcp_settings set = rig_settings();
	struct tunnel tunnel = {1300, 0};
	struct rig r;

	rig_init(&r, &set, &set, 10 * MS, 0);
	rig_open(&r);
	r.pipe[0].loses = too_long;
	r.pipe[0].arg = &tunnel;
	rig_carry(&r, 0, 0, 200000);
	assert_int_equal(rig_info(&r, 0).mss, 1012);
	rig_run(&r, 601 * SECOND);
	tunnel.n_lost = 0;
	rig_carry(&r, 0, 200000, 3000000); // it tries: all, half of it ...
	assert_in_range(rig_info(&r, 0).mss, 1260, 1300);
	assert_in_range(tunnel.n_lost, 1, 4);
	tunnel.max = 65535;
	rig_run(&r, 601 * SECOND);
	rig_carry(&r, 0, 3200000, 3000000);
	assert_int_equal(rig_info(&r, 0).mss, 1448);
	rig_fini(&r);
}

static void pacing_spreads_the_segments(void **state)
{
	struct tcp_settings set = rig_settings();
	struct tcp_info info;
	struct script s;
	uint64_t since;
	unsigned n = 0;

	set.pacing = true;
	begin_with(&s, &set);
	script_write(&s, 1448);
	expect_out(&s, TCP_ACK, 1, 1448, 1);
	script_wait(&s, 10 * MS);
	SAY(&s, .seq = 1, .ack = 1449); // from now on there is a rate
	tcp_info(s.t, &info);
	assert_true(info.pacing_rate > 0);
	since = s.now_ns;
	script_write(&s, 10 * 1448);
	while (n < 10) {
		while (script_output(&s))
			n++;
		if (n < 10)
			script_wait_deadline(&s);
	}
	// Ten segments at the rate, less the credit of a flow that was idle.
	assert_in_range(s.now_ns - since, 8 * 1448 * SECOND / info.pacing_rate - MS,
			10 * 1448 * SECOND / info.pacing_rate);
	script_fini(&s);
}

static void a_lost_tail_is_probed_and_then_timed_out(void **state)
{
	struct tcp_info info;
	struct script s;

	begin(&s);
	script_write(&s, 3000);
	while (script_output(&s))
		;
	script_wait_deadline(&s);
	expect_out(&s, TCP_ACK, 2897, 104, 1); // TLP
	expect_nothing(&s);
	script_wait_deadline(&s);
	expect_out(&s, TCP_ACK, 1, 1448, 1); // RTO: the first
	tcp_info(s.t, &info);
	assert_int_equal(info.n_tlp, 1);
	assert_int_equal(info.n_rto, 1);
	assert_int_equal(info.segments_resent, 2);
	SAY(&s, .seq = 1, .ack = 3001);
	expect_nothing(&s);
	script_fini(&s);
}

static void writes_want_an_open_connection(void **state)
{
	struct tcp_tuple tuple = rig_tuple(false);
	struct tcp_settings set = rig_settings();
	struct script s;

	script_init(&s, &set, 5);
	assert_int_equal(tcp_connect(s.host, &tuple, s.now_ns, &s.t), 0);
	assert_int_equal(script_write(&s, 10), -EAGAIN);
	assert_int_equal(script_read(&s, 1), 0);
	tcp_free(s.t);
	script_connect(&s, HAS_ALL);
	assert_int_equal(script_write(&s, 0), 0);
	tcp_shutdown(s.t, s.now_ns);
	assert_int_equal(script_write(&s, 10), -EPIPE);
	script_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_are_cut_into_segments),
		cmocka_unit_test(a_device_that_cuts_gets_long_segments),
		cmocka_unit_test(the_window_of_the_peer_is_kept),
		cmocka_unit_test(a_shrinking_window_holds_back_what_is_new),
		cmocka_unit_test(a_shut_window_is_probed),
		cmocka_unit_test(a_probe_that_was_taken_is_not_sent_again),
		cmocka_unit_test(probes_without_an_answer_end_the_connection),
		cmocka_unit_test(a_small_window_is_used_in_the_end),
		cmocka_unit_test(a_fin_waits_for_the_window_too),
		cmocka_unit_test(what_the_device_refused_comes_again),
		cmocka_unit_test(what_was_acknowledged_meanwhile_does_not_come_again),
		cmocka_unit_test(the_buffer_is_bounded_and_says_when_there_is_room),
		cmocka_unit_test(a_silent_peer_is_asked),
		cmocka_unit_test(an_icmp_error_names_the_reason_of_a_timeout),
		cmocka_unit_test(icmp_lowers_the_size_of_segments),
		cmocka_unit_test(a_black_hole_is_found_and_left_again),
		cmocka_unit_test(pacing_spreads_the_segments),
		cmocka_unit_test(a_lost_tail_is_probed_and_then_timed_out),
		cmocka_unit_test(writes_want_an_open_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
