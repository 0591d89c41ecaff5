// SPDX-License-Identifier: BSD-3-Clause
// Handshakes: options, crossings, refusals, patience.
#include <errno.h>

#include "dataplane/tcp/siphash.h"
#include "tests/unit/tcp_script.h"

static void begin(struct script *s)
{
	struct tcp_settings set = rig_settings();
	struct tcp_tuple tuple = rig_tuple(false);

	script_init(s, &set, 0xfffffff0);
	assert_int_equal(tcp_connect(s->host, &tuple, s->now_ns, &s->t), 0);
	assert_true(script_output(s));
	s->iss = s->out.seq;
}

static void listen_to(struct script *s, const struct tcp_segment *syn)
{
	struct tcp_tuple tuple = rig_tuple(false);

	assert_int_equal(tcp_accept(s->host, &tuple, syn, s->now_ns, &s->t), 0);
	assert_true(script_output(s));
	s->iss = s->out.seq;
}

static void begin_passive(struct script *s, uint8_t has)
{
	struct tcp_settings set = rig_settings();
	struct tcp_segment syn;

	script_init(s, &set, 0xffffff00);
	syn = script_syn(s, TCP_SYN, has);
	listen_to(s, &syn);
}

static void a_syn_offers_what_we_can(void **state)
{
	struct script s;

	begin(&s);
	assert_int_equal(s.out.flags, TCP_SYN);
	assert_int_equal(s.out.options.has, HAS_ALL);
	assert_int_equal(s.out.options.mss, 1460);
	assert_int_equal(s.out.options.scale, 9); // 16 MB
	assert_int_equal(s.out.options.ts_ecr, 0);
	assert_int_equal(s.out.window, 65535); // of 128 KB, and not scaled
	expect_nothing(&s);
	script_fini(&s);
}

// RFC 7323, 2.2 and 3.2; RFC 2018, 2: nothing that the SYN did not offer.
static void a_syn_ack_says_only_what_the_syn_said(void **state)
{
	for (uint8_t has = 0; has <= HAS_ALL; has++) {
		struct script s;

		begin_passive(&s, has);
		assert_int_equal(s.out.flags, TCP_SYN | TCP_ACK);
		assert_int_equal(s.out.options.has, has | TCP_HAS_MSS);
		assert_int_equal(s.out.window, 65535);
		if (has & TCP_HAS_TIME)
			assert_int_equal(s.out.options.ts_ecr, PEER_TS);
		SAY(&s, .seq = 1, .ack = 1);
		assert_int_equal(tcp_state(s.t), TCP_ESTABLISHED);
		// Without a scale 64 KB is all that the field can say.
		SAY(&s, .seq = 1, .ack = 1, .len = 1);
		assert_true(script_output(&s));
		assert_int_equal(s.out.window,
				 has & TCP_HAS_SCALE ? ((128 << 10) >> 9) - 1 : 65535);
		assert_int_equal(!!(s.out.options.has & TCP_HAS_TIME), !!(has & TCP_HAS_TIME));
		script_fini(&s);
	}
}

static void a_peer_without_an_mss_gets_the_default(void **state)
{
	struct script s;
	struct tcp_info info;
	struct tcp_segment syn;
	struct tcp_settings set = rig_settings();
	struct tcp_tuple six = {.family = 6, .local_port = 1, .remote_port = 2};

	begin_passive(&s, 0);
	tcp_info(s.t, &info);
	assert_int_equal(info.mss, 536);
	script_fini(&s);
	begin_passive(&s, TCP_HAS_TIME);
	tcp_info(s.t, &info);
	assert_int_equal(info.mss, 524);
	script_fini(&s);
	script_init(&s, &set, 0);
	syn = script_syn(&s, TCP_SYN, 0);
	assert_int_equal(tcp_accept(s.host, &six, &syn, s.now_ns, &s.t), 0);
	tcp_info(s.t, &info);
	assert_int_equal(info.mss, 1220);
	script_fini(&s);
}

static void a_tiny_mss_does_not_make_crumbs(void **state)
{
	struct tcp_settings set = rig_settings();
	struct tcp_segment syn;
	struct tcp_info info;
	struct script s;

	script_init(&s, &set, 0);
	syn = script_syn(&s, TCP_SYN, TCP_HAS_MSS | TCP_HAS_TIME);
	syn.options.mss = 0;
	listen_to(&s, &syn);
	tcp_info(s.t, &info);
	assert_int_equal(info.mss, 52);
	script_fini(&s);
}

static void a_scale_above_14_counts_as_14(void **state)
{
	struct tcp_settings set = rig_settings();
	struct tcp_segment syn;
	struct tcp_info info;
	struct script s;

	script_init(&s, &set, 77);
	syn = script_syn(&s, TCP_SYN, HAS_ALL);
	syn.options.scale = 200;
	syn.window = 1000;
	listen_to(&s, &syn);
	SAY(&s, .seq = 1, .ack = 1, .window = 1000);
	tcp_info(s.t, &info);
	assert_int_equal(info.send_window, 1000 << 14);
	script_fini(&s);
}

static void the_window_of_a_syn_is_not_scaled(void **state)
{
	struct tcp_segment in;
	struct tcp_info info;
	struct script s;

	begin(&s);
	in = script_syn(&s, TCP_SYN | TCP_ACK, HAS_ALL);
	in.options.scale = 7;
	in.window = 5000;
	tcp_input(s.t, &in, s.now_ns);
	tcp_info(s.t, &info);
	assert_int_equal(info.send_window, 5000);
	script_fini(&s);
}

static void accept_wants_a_plain_syn(void **state)
{
	static const uint8_t flags[] = {
		TCP_ACK, TCP_SYN | TCP_ACK, TCP_SYN | TCP_RST, TCP_SYN | TCP_FIN, 0, TCP_FIN};
	struct tcp_settings set = rig_settings();
	struct tcp_tuple tuple = rig_tuple(false);
	struct script s;

	script_init(&s, &set, 0);
	for (unsigned i = 0; i < sizeof(flags); i++) {
		struct tcp_segment in = script_syn(&s, flags[i], HAS_ALL);

		assert_int_equal(tcp_accept(s.host, &tuple, &in, s.now_ns, &s.t), -EINVAL);
		assert_null(s.t);
	}
	tcp_host_free(s.host);
}

// RFC 9293, 3.10.7.3.
static void syn_sent_answers_a_wrong_ack_with_a_reset(void **state)
{
	struct script s;

	begin(&s);
	SAY(&s, .seq = 0, .ack = 2);
	expect_out(&s, TCP_RST, 2, 0, 0);
	SAY(&s, .seq = 0, .ack = 0, .flags = TCP_SYN | TCP_ACK);
	expect_out(&s, TCP_RST, 0, 0, 0);
	SAY(&s, .seq = 0, .ack = 5, .flags = TCP_RST | TCP_ACK);
	expect_nothing(&s);
	SAY(&s, .seq = 0, .ack = 1); // a good ACK without a SYN
	SAY(&s, .seq = 0, .flags = TCP_FIN);
	expect_nothing(&s);
	assert_int_equal(tcp_state(s.t), TCP_SYN_SENT);
	script_fini(&s);
}

static void syn_sent_believes_only_a_reset_that_acks_the_syn(void **state)
{
	struct script s;

	begin(&s);
	SAY(&s, .seq = 0, .flags = TCP_RST);
	assert_int_equal(tcp_state(s.t), TCP_SYN_SENT);
	SAY(&s, .seq = 0, .ack = 1, .flags = TCP_RST | TCP_ACK);
	assert_int_equal(tcp_state(s.t), TCP_CLOSED);
	assert_int_equal(tcp_error(s.t), ECONNREFUSED);
	assert_true(tcp_events(s.t) & TCP_FAILED);
	expect_nothing(&s);
	script_fini(&s);
}

static void syn_received_ends_by_a_reset(void **state)
{
	struct script s;

	begin_passive(&s, HAS_ALL);
	SAY(&s, .seq = 2, .flags = TCP_RST); // in the window: a challenge, RFC 5961
	expect_ack(&s, 1, 1);
	assert_int_equal(s.out.window, (128 << 10) >> 9); // no SYN: scaled
	assert_int_equal(tcp_state(s.t), TCP_SYN_RECEIVED);
	SAY(&s, .seq = 1, .flags = TCP_RST);
	assert_int_equal(tcp_state(s.t), TCP_CLOSED);
	assert_true(tcp_events(s.t) & TCP_GONE);
	script_fini(&s);
}

static void syn_received_answers_a_wrong_ack_with_a_reset(void **state)
{
	struct script s;

	begin_passive(&s, HAS_ALL);
	SAY(&s, .seq = 1, .ack = 2);
	expect_out(&s, TCP_RST, 2, 0, 0);
	SAY(&s, .seq = 1, .ack = 0);
	expect_out(&s, TCP_RST, 0, 0, 0);
	assert_int_equal(tcp_state(s.t), TCP_SYN_RECEIVED);
	SAY(&s, .seq = 1, .ack = 1);
	assert_int_equal(tcp_state(s.t), TCP_ESTABLISHED);
	script_fini(&s);
}

static void a_repeated_syn_gets_the_syn_ack_again(void **state)
{
	struct tcp_segment syn;
	struct script s;

	begin_passive(&s, HAS_ALL);
	syn = script_syn(&s, TCP_SYN, HAS_ALL);
	tcp_input(s.t, &syn, s.now_ns);
	expect_out(&s, TCP_SYN | TCP_ACK, 0, 0, 1);
	expect_nothing(&s);
	script_fini(&s);
}

static void a_syn_is_sent_again_with_growing_gaps(void **state)
{
	struct script s;

	begin(&s);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(script_wait_deadline(&s), SECOND << i);
		expect_out(&s, TCP_SYN, 0, 0, 0);
		expect_nothing(&s);
	}
	while (tcp_state(s.t) == TCP_SYN_SENT) {
		script_wait_deadline(&s);
		script_output(&s);
	}
	assert_int_equal(s.now_ns, 11 * SECOND);
	assert_int_equal(tcp_error(s.t), ETIMEDOUT);
	script_fini(&s);
}

// RFC 5681, 3.1; RFC 6298, 5.7.
static void after_a_lost_syn_one_segment_goes_out_first(void **state)
{
	struct tcp_segment in;
	struct tcp_info info;
	struct script s;

	begin(&s);
	script_wait_deadline(&s);
	expect_out(&s, TCP_SYN, 0, 0, 0);
	in = script_syn(&s, TCP_SYN | TCP_ACK, HAS_ALL);
	tcp_input(s.t, &in, s.now_ns);
	tcp_info(s.t, &info);
	assert_int_equal(info.cwnd, 1448);
	assert_int_equal(info.rto_ns, 3 * SECOND);
	assert_int_equal(info.srtt_ns, 0);
	script_fini(&s);
}

static void ten_segments_go_out_first(void **state)
{
	struct tcp_settings set = rig_settings();
	struct script s;
	unsigned n = 0;

	script_init(&s, &set, 0);
	script_connect(&s, HAS_ALL);
	script_write(&s, 60000);
	while (script_output(&s))
		n++;
	assert_int_equal(n, 10);
	script_fini(&s);
}

static void an_icmp_error_ends_only_what_is_opening(void **state)
{
	struct script s;

	begin(&s);
	tcp_icmp(s.t, seq_add(s.iss, 1), EHOSTUNREACH, 0, s.now_ns); // not of ours: RFC 5927
	tcp_icmp(s.t, seq_sub(s.iss, 1), EHOSTUNREACH, 0, s.now_ns);
	assert_int_equal(tcp_state(s.t), TCP_SYN_SENT);
	tcp_icmp(s.t, s.iss, EHOSTUNREACH, 0, s.now_ns);
	assert_int_equal(tcp_state(s.t), TCP_CLOSED);
	assert_int_equal(tcp_error(s.t), EHOSTUNREACH);
	script_fini(&s);
}

// RFC 9293, figure 7: SYNs that cross. The second SYN is known, its ACK opens.
static void syns_that_cross_open(void **state)
{
	struct tcp_segment in;
	struct script s;

	begin(&s);
	in = script_syn(&s, TCP_SYN, HAS_ALL);
	tcp_input(s.t, &in, s.now_ns);
	assert_int_equal(tcp_state(s.t), TCP_SYN_RECEIVED);
	expect_out(&s, TCP_SYN | TCP_ACK, 0, 0, 1);
	expect_nothing(&s);
	in = script_syn(&s, TCP_SYN | TCP_ACK, HAS_ALL);
	tcp_input(s.t, &in, s.now_ns);
	assert_int_equal(tcp_state(s.t), TCP_ESTABLISHED);
	SAY(&s, .seq = 1, .ack = 1, .len = 10);
	expect_out(&s, TCP_ACK, 1, 0, 11);
	script_fini(&s);
}

static void two_of_ours_open_each_other(void **state)
{
	struct tcp_settings set = rig_settings();
	struct tcp_tuple tuple = rig_tuple(true);
	struct rig r;

	rig_init(&r, &set, &set, 10 * MS, 0);
	assert_int_equal(tcp_connect(r.host[1], &tuple, r.now_ns, &r.tcp[1]), 0);
	rig_open(&r);
	rig_carry(&r, 0, 0, 50000);
	rig_carry(&r, 1, 0, 50000);
	rig_fini(&r);
}

static void bytes_and_fin_in_a_syn_ack_count(void **state)
{
	struct tcp_segment in;
	struct script s;
	char p[16];

	begin(&s);
	in = script_syn(&s, TCP_SYN | TCP_ACK | TCP_FIN, HAS_ALL);
	in.len = 10;
	in.body[0] = (struct iovec){s.payload + 1, 10};
	tcp_input(s.t, &in, s.now_ns);
	assert_int_equal(tcp_state(s.t), TCP_CLOSE_WAIT);
	expect_ack(&s, 1, 12);
	assert_int_equal(tcp_read(s.t, p, sizeof(p), s.now_ns), 10);
	assert_memory_equal(p, s.payload + 1, 10);
	assert_int_equal(tcp_read(s.t, p, sizeof(p), s.now_ns), 0);
	script_fini(&s);
}

static void a_shutdown_before_the_opening_waits_for_it(void **state)
{
	struct tcp_segment in;
	struct script s;

	begin(&s);
	tcp_shutdown(s.t, s.now_ns);
	expect_nothing(&s);
	in = script_syn(&s, TCP_SYN | TCP_ACK, HAS_ALL);
	tcp_input(s.t, &in, s.now_ns);
	expect_out(&s, TCP_FIN | TCP_ACK, 1, 0, 1);
	assert_int_equal(tcp_state(s.t), TCP_FIN_WAIT_1);
	script_fini(&s);
}

// RFC 9293, 3.5.2.
static void what_belongs_to_nobody_is_refused(void **state)
{
	struct tcp_segment in = {.flags = TCP_RST | TCP_ACK, .seq = {10}, .ack = {20}, .len = 5},
			   out;

	assert_false(tcp_refusal(&in, &out));
	in.flags = TCP_ACK | TCP_FIN;
	assert_true(tcp_refusal(&in, &out));
	assert_int_equal(out.flags, TCP_RST);
	assert_int_equal(out.seq.v, 20);
	in.flags = TCP_SYN | TCP_FIN;
	in.seq = seq_of(0xfffffffe);
	in.source_port = 5;
	assert_true(tcp_refusal(&in, &out));
	assert_int_equal(out.flags, TCP_RST | TCP_ACK);
	assert_int_equal(out.seq.v, 0);
	assert_int_equal(out.ack.v, 5);
	assert_int_equal(out.target_port, 5);
}

static uint32_t isn_of(struct tcp_host *h, const struct tcp_tuple *tuple, uint64_t now_ns,
		       uint32_t *ts)
{
	struct tcp_segment syn;
	struct tcp *t;

	assert_int_equal(tcp_connect(h, tuple, now_ns, &t), 0);
	assert_true(tcp_output(t, now_ns, &syn));
	*ts = syn.options.ts_val;
	tcp_free(t);
	return syn.seq.v;
}

// RFC 6528: a clock of 4 us for each pair of ends, which tells nothing of another pair's.
static void initial_numbers_follow_a_clock_of_their_own(void **state)
{
	struct tcp_settings set = rig_settings();
	struct tcp_tuple a = rig_tuple(false), b = a;
	struct tcp_host *h = rig_host(&set, 1), *other = rig_host(&set, 2);
	uint32_t ts[4], first = isn_of(h, &a, SECOND, &ts[0]);

	b.local_port++;
	assert_int_equal(isn_of(h, &a, SECOND + 4000, &ts[1]) - first, 1);
	assert_int_equal(isn_of(h, &a, 2 * SECOND, &ts[1]) - first, 250000);
	assert_int_equal(ts[1] - ts[0], 1000);
	assert_int_not_equal(isn_of(h, &b, SECOND, &ts[2]), first);
	assert_int_not_equal(isn_of(other, &a, SECOND, &ts[3]), first);
	assert_int_not_equal(ts[2], ts[0]);
	assert_int_not_equal(ts[3], ts[0]);
	tcp_host_free(h);
	tcp_host_free(other);
}

// The vectors of the paper's appendix: key and message of bytes 0, 1, 2 ...
static void siphash_gives_its_vectors(void **state)
{
	static const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	static const struct {
		size_t len;
		uint64_t hash;
	} vectors[] = {
		{0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd},  {7, 0xab0200f58b01d137},
		{8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5},
	};
	uint8_t p[16];

	for (unsigned i = 0; i < sizeof(p); i++)
		p[i] = (uint8_t)i;
	for (unsigned i = 0; i < sizeof(vectors) / sizeof(*vectors); i++)
		assert_true(siphash(key, p, vectors[i].len) == vectors[i].hash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_syn_offers_what_we_can),
		cmocka_unit_test(a_syn_ack_says_only_what_the_syn_said),
		cmocka_unit_test(a_peer_without_an_mss_gets_the_default),
		cmocka_unit_test(a_tiny_mss_does_not_make_crumbs),
		cmocka_unit_test(a_scale_above_14_counts_as_14),
		cmocka_unit_test(the_window_of_a_syn_is_not_scaled),
		cmocka_unit_test(accept_wants_a_plain_syn),
		cmocka_unit_test(syn_sent_answers_a_wrong_ack_with_a_reset),
		cmocka_unit_test(syn_sent_believes_only_a_reset_that_acks_the_syn),
		cmocka_unit_test(syn_received_ends_by_a_reset),
		cmocka_unit_test(syn_received_answers_a_wrong_ack_with_a_reset),
		cmocka_unit_test(a_repeated_syn_gets_the_syn_ack_again),
		cmocka_unit_test(a_syn_is_sent_again_with_growing_gaps),
		cmocka_unit_test(after_a_lost_syn_one_segment_goes_out_first),
		cmocka_unit_test(ten_segments_go_out_first),
		cmocka_unit_test(an_icmp_error_ends_only_what_is_opening),
		cmocka_unit_test(syns_that_cross_open),
		cmocka_unit_test(two_of_ours_open_each_other),
		cmocka_unit_test(bytes_and_fin_in_a_syn_ack_count),
		cmocka_unit_test(a_shutdown_before_the_opening_waits_for_it),
		cmocka_unit_test(what_belongs_to_nobody_is_refused),
		cmocka_unit_test(initial_numbers_follow_a_clock_of_their_own),
		cmocka_unit_test(siphash_gives_its_vectors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
