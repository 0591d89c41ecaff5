// SPDX-License-Identifier: BSD-3-Clause
// Peers that lie, and others that pretend to be the peer.
#include "tests/unit/tcp_script.h"

static void begin(struct script *s)
{
	struct tcp_settings set = rig_settings();

	script_init(s, &set, 0x7ffffff0);
	script_connect(s, HAS_ALL);
}

static struct tcp_info info_of(const struct script *s)
{
	struct tcp_info info;

	tcp_info(s->t, &info);
	return info;
}

// RFC 5961, 3.2.
static void a_blind_reset_is_challenged(void **state)
{
	struct script s;

	begin(&s);
	SAY(&s, .seq = 2, .flags = TCP_RST);
	expect_ack(&s, 1, 1);
	assert_int_equal(info_of(&s).n_challenge, 1);
	script_wait(&s, SECOND);
	SAY(&s, .seq = 60000, .flags = TCP_RST, .len = 10);
	expect_ack(&s, 1, 1);
	SAY(&s, .seq = 0x40000000, .flags = TCP_RST); // outside: not a word
	SAY(&s, .seq = 0, .flags = TCP_RST);
	expect_nothing(&s);
	assert_int_equal(info_of(&s).n_challenge, 2);
	assert_int_equal(tcp_state(s.t), TCP_ESTABLISHED);
	SAY(&s, .seq = 1, .flags = TCP_RST);
	assert_int_equal(tcp_state(s.t), TCP_CLOSED);
	script_fini(&s);
}

// RFC 5961, 4.2: wherever it stands.
static void a_blind_syn_is_challenged(void **state)
{
	static const uint32_t at[] = {1, 2, 60000, 0, 0x40000000};
	struct script s;

	begin(&s);
	for (unsigned i = 0; i < 5; i++) {
		SAY(&s, .seq = at[i], .ack = 1, .flags = i % 2 ? TCP_SYN : TCP_SYN | TCP_ACK);
		expect_ack(&s, 1, 1);
		assert_int_equal(tcp_state(s.t), TCP_ESTABLISHED);
		script_wait(&s, SECOND);
	}
	script_fini(&s);
}

// RFC 5961, 5.2.
static void an_ack_out_of_range_brings_no_bytes_in(void **state)
{
	struct script s;

	begin(&s);
	script_write(&s, 1000);
	expect_out(&s, TCP_ACK, 1, 1000, 1);
	SAY(&s, .seq = 1, .ack = 1002, .len = 100); // not sent yet
	expect_ack(&s, 1001, 1);
	assert_int_equal(tcp_readable(s.t), 0);
	script_wait(&s, SECOND);
	SAY(&s, .seq = 1, .ack = 1 - 70000u, .len = 100); // older than any window
	assert_int_equal(tcp_readable(s.t), 0);
	assert_int_equal(info_of(&s).n_challenge, 2);
	SAY(&s, .seq = 1, .ack = 1 - 60000u, .len = 100); // old, but it may be
	assert_int_equal(tcp_readable(s.t), 100);
	assert_int_equal(info_of(&s).unacked, 1000);
	script_fini(&s);
}

static void a_segment_without_an_ack_brings_nothing(void **state)
{
	struct script s;

	begin(&s);
	SAY(&s, .seq = 1, .len = 10, .flags = TCP_PSH);
	SAY(&s, .seq = 1, .flags = TCP_FIN);
	expect_nothing(&s);
	assert_int_equal(tcp_readable(s.t), 0);
	assert_int_equal(tcp_state(s.t), TCP_ESTABLISHED);
	script_fini(&s);
}

static void challenges_of_a_connection_are_rare(void **state)
{
	struct script s;
	unsigned n = 0;

	begin(&s);
	for (int i = 0; i < 1000; i++) {
		SAY(&s, .seq = 2, .flags = TCP_RST);
		n += script_output(&s);
		script_wait(&s, 10 * MS);
	}
	assert_int_equal(n, 20); // ten seconds
	script_fini(&s);
}

// CVE-2016-5696: the limit of all connections cannot be counted on.
static void challenges_of_a_host_are_limited_at_random(void **state)
{
	struct tcp_settings set = rig_settings();
	uint64_t least = UINT64_MAX, most = 0;
	struct tcp *list[300];
	struct script s;

	script_init(&s, &set, 100);
	for (int i = 0; i < 300; i++) {
		script_connect(&s, HAS_ALL);
		list[i] = s.t;
	}
	for (int second = 0; second < 20; second++) {
		uint64_t n = 0;

		script_wait(&s, 2 * SECOND);
		for (int i = 0; i < 300; i++) {
			s.t = list[i];
			s.has_time = true;
			SAY(&s, .seq = 2, .flags = TCP_RST);
			n += script_output(&s);
		}
		least = n < least ? n : least;
		most = n > most ? n : most;
	}
	assert_in_range(least, 50, 80);
	assert_in_range(most, 120, 150);
	for (int i = 1; i < 300; i++)
		tcp_free(list[i]);
	s.t = list[0];
	script_fini(&s);
}

// Two ends that contradict each other would answer answers for ever.
static void answers_to_what_is_outside_are_rare(void **state)
{
	struct script s;
	unsigned n = 0;

	begin(&s);
	for (int i = 0; i < 1000; i++) {
		SAY(&s, .seq = 0x40000000, .ack = 1);
		n += script_output(&s);
		script_wait(&s, 10 * MS);
	}
	assert_int_equal(n, 20);
	// But who sends again what has arrived hears of it each time.
	SAY(&s, .seq = 1, .ack = 1, .len = 10);
	assert_true(script_output(&s));
	for (int i = 0; i < 5; i++) {
		SAY(&s, .seq = 1, .ack = 1, .len = 10);
		expect_ack(&s, 1, 11);
	}
	script_fini(&s);
}

static void blocks_of_what_was_never_sent_change_nothing(void **state)
{
	struct script s;

	begin(&s);
	script_write(&s, 5000);
	while (script_output(&s))
		;
	SAY(&s, .seq = 1, .ack = 1, .n_sack = 4,
	    .sack = {{5001, 9000}, {4000, 3000}, {0x40000000, 0x40001000}, {1, 0x7fffffff}});
	SAY(&s, .seq = 1, .ack = 1, .n_sack = 1, .sack = {{0x80000000, 0x80000001}});
	assert_int_equal(info_of(&s).in_flight, 5000);
	SAY(&s, .seq = 1, .ack = 5001);
	assert_int_equal(info_of(&s).in_flight, 0);
	script_fini(&s);
}

// Optimistic and divided acknowledgements: the window counts bytes (RFC 3465).
static void divided_acks_open_the_window_no_faster(void **state)
{
	struct tcp_info before, after;
	struct script s;

	begin(&s);
	script_write(&s, 60000);
	while (script_output(&s))
		;
	before = info_of(&s);
	for (uint32_t at = 2; at <= 1449; at++)
		SAY(&s, .seq = 1, .ack = at);
	after = info_of(&s);
	assert_in_range(after.cwnd - before.cwnd, 0, 1448);
	script_fini(&s);
}

static void overlaps_of_all_kinds_leave_one_stream(void **state)
{
	struct random r = random_seeded(__func__);
	struct script s;
	uint32_t at = 1;

	begin(&s);
	for (int i = 0; i < 20000; i++) {
		uint32_t back = (uint32_t)random_below(&r, 3000), len;
		uint32_t from = random_below(&r, 2) ? at + back : at - (back < at ? back : at - 1);

		len = (uint32_t)random_below(&r, 2000);
		SAY(&s, .seq = from, .ack = 1, .len = len);
		at += (uint32_t)script_read(&s, at);
		while (script_output(&s))
			;
		if (random_below(&r, 100) == 0)
			script_wait(&s, MS);
	}
	assert_true(at > 100000);
	script_fini(&s);
}

// Whatever a peer says near our numbers: what must hold holds, and every call ends.
static void any_segment_leaves_the_rules_intact(void **state)
{
	static const uint8_t flags[] = {TCP_ACK,
					TCP_ACK,
					TCP_ACK,
					TCP_ACK | TCP_PSH,
					TCP_FIN | TCP_ACK,
					TCP_SYN,
					TCP_SYN | TCP_ACK,
					TCP_RST,
					TCP_RST | TCP_ACK,
					TCP_URG | TCP_ACK,
					0,
					0xff};
	struct random r = random_seeded(__func__);

	for (int round = 0; round < 300; round++) {
		struct script s;

		begin(&s);
		for (int i = 0; i < 200 && tcp_state(s.t) != TCP_CLOSED; i++) {
			struct tcp_info info = info_of(&s);
			struct say say = {
				.seq = (uint32_t)(s.t ? info.bytes_in : 0) + 1 +
				       (uint32_t)random_below(&r, 4000) - 1000,
				.ack = 1 + (uint32_t)random_below(&r, info.bytes_out + 100),
				.len = (uint32_t)random_below(&r, 3) * 700,
				.flags = flags[random_below(&r, random_below(&r, 8) ? 4 : 12)],
				.window = (uint32_t)random_below(&r, 65536) + 1,
				.ts = s.ts + (random_below(&r, 10) ? 0 : (uint32_t)random_next(&r)),
				.n_sack = (unsigned)random_below(&r, 4),
			};

			if (random_below(&r, 10) == 0)
				say.window = NO_WINDOW;
			for (unsigned k = 0; k < say.n_sack; k++) {
				say.sack[k].from = (uint32_t)random_below(&r, 20000);
				say.sack[k].to =
					say.sack[k].from + (uint32_t)random_below(&r, 3000);
			}
			script_say(&s, say);
			if (random_below(&r, 3) == 0)
				script_write(&s, random_below(&r, 5000));
			if (random_below(&r, 3) == 0) {
				char p[3000];

				tcp_read(s.t, p, random_below(&r, sizeof(p)), s.now_ns);
				rig_check(s.t);
			}
			for (int n = 0; script_output(&s); n++)
				assert_in_range(n, 0, 1000);
			script_wait(&s, random_below(&r, 300) * MS);
		}
		script_fini(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_blind_reset_is_challenged),
		cmocka_unit_test(a_blind_syn_is_challenged),
		cmocka_unit_test(an_ack_out_of_range_brings_no_bytes_in),
		cmocka_unit_test(a_segment_without_an_ack_brings_nothing),
		cmocka_unit_test(challenges_of_a_connection_are_rare),
		cmocka_unit_test(challenges_of_a_host_are_limited_at_random),
		cmocka_unit_test(answers_to_what_is_outside_are_rare),
		cmocka_unit_test(blocks_of_what_was_never_sent_change_nothing),
		cmocka_unit_test(divided_acks_open_the_window_no_faster),
		cmocka_unit_test(overlaps_of_all_kinds_leave_one_stream),
		cmocka_unit_test(any_segment_leaves_the_rules_intact),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
