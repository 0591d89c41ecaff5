// SPDX-License-Identifier: BSD-3-Clause
// That the lab sees what TCP may never do: segments of a liar, put on the wire by hand.
#include "tests/sim/lab_priv.h"
#include "tests/unit/test.h"

#define CLIENT 40000
#define FIRST  0xfffffff0u // of end 0, so that all of it wraps
#define OTHER  5000u       // of end 1

static int set_up(void **state)
{
	static const struct lab_app apps[2] = {{.send = 1000}, {.send = 1000}};
	const struct lab_settings set = {
		.tcp = {{.mss_max = 1460,
			 .mss_min = 1024,
			 .receive_max = 65536,
			 .receive_first = 65536,
			 .send_max = 65536},
			{.mss_max = 1460,
			 .mss_min = 1024,
			 .receive_max = 65536,
			 .receive_first = 65536,
			 .send_max = 65536}},
	};
	struct lab *l = lab_new(&set);

	assert_non_null(l);
	lab_connect(l, apps, 0);
	l->flows[0].sides[0].sent = l->flows[0].sides[1].sent = 1000;
	*state = l;
	return 0;
}

static int tear_down(void **state)
{
	lab_free(*state);
	return 0;
}

static struct tcp_segment segment(unsigned end, uint32_t at, uint8_t flags, uint32_t ack)
{
	return (struct tcp_segment){
		.source_port = end ? LAB_PORT : CLIENT,
		.target_port = end ? CLIENT : LAB_PORT,
		.seq = seq_of((end ? OTHER : FIRST) + at),
		.ack = seq_of((end ? FIRST : OTHER) + ack),
		.flags = flags,
		.window = 10000,
	};
}

static void put(struct lab *l, unsigned end, struct tcp_segment s, const void *body, uint32_t len)
{
	uint8_t frame[2000] = {[12] = 8, [14] = 0x45, [23] = 6};
	unsigned head = tcp_segment_write(&s, frame + 34);
	uint32_t total = 20 + head + len;

	frame[16] = (uint8_t)(total >> 8);
	frame[17] = (uint8_t)total;
	if (len)
		memcpy(frame + 34 + head, body, len);
	watch_tap(&l->owner[end], frame, 14 + total, l->now_ns, false);
}

static void shake_hands(struct lab *l)
{
	struct tcp_segment syn = segment(0, 0, TCP_SYN, 0);

	syn.options = (struct tcp_options){.has = TCP_HAS_MSS | TCP_HAS_SACK_OK, .mss = 500};
	put(l, 0, syn, NULL, 0);
	syn = segment(1, 0, TCP_SYN | TCP_ACK, 1);
	syn.options = (struct tcp_options){.has = TCP_HAS_MSS | TCP_HAS_SACK_OK, .mss = 500};
	put(l, 1, syn, NULL, 0);
	put(l, 0, segment(0, 1, TCP_ACK, 1), NULL, 0);
	assert_string_equal(l->error, "");
}

static void sends(struct lab *l, unsigned end, uint32_t at, uint32_t len)
{
	put(l, end, segment(end, at, TCP_ACK, 1), pattern_at(l, 0, end, at - 1), len);
}

static void says(struct lab *l, const char *what)
{
	if (!strstr(l->error, what))
		fail_msg("'%s' is not in '%s'", what, l->error);
}

static void the_truth_passes(void **state)
{
	struct lab *l = *state;

	shake_hands(l);
	sends(l, 0, 1, 500);
	sends(l, 0, 501, 500);
	sends(l, 0, 1, 500); // again
	put(l, 1, segment(1, 1, TCP_ACK, 1001), NULL, 0);
	put(l, 0, segment(0, 1001, TCP_ACK | TCP_FIN, 1), NULL, 0);
	put(l, 1, segment(1, 1, TCP_ACK, 1002), NULL, 0);
	assert_string_equal(l->error, "");
}

static void wrong_bytes(void **state)
{
	struct lab *l = *state;

	shake_hands(l);
	put(l, 0, segment(0, 1, TCP_ACK, 1), pattern_at(l, 0, 0, 1), 100);
	says(l, "wrong bytes");
}

static void bytes_that_nobody_wrote(void **state)
{
	struct lab *l = *state;

	shake_hands(l);
	sends(l, 0, 901, 200);
	says(l, "nobody wrote");
}

static void longer_than_the_mss(void **state)
{
	struct lab *l = *state;

	shake_hands(l);
	sends(l, 0, 1, 501);
	says(l, "to an MSS of 500");
}

static void beyond_the_window(void **state)
{
	struct lab *l = *state;
	struct tcp_segment s;

	shake_hands(l);
	l->flows[0].watched[1].edge = 101; // 100 bytes
	sends(l, 0, 2, 100);
	says(l, "the window ends at 101");
	l->error[0] = 0;
	sends(l, 0, 101, 1); // the probe of a shut window
	assert_string_equal(l->error, "");
	s = segment(0, 1, TCP_ACK, 1);
	s.window = 9998;
	put(l, 0, s, NULL, 0);
	says(l, "window shrinks");
}

static void acknowledges_what_was_not_sent(void **state)
{
	struct lab *l = *state;

	shake_hands(l);
	put(l, 1, segment(1, 1, TCP_ACK, 2), NULL, 0);
	says(l, "acknowledges 2, sent were 1");
}

static void an_ack_goes_back(void **state)
{
	struct lab *l = *state;

	shake_hands(l);
	sends(l, 0, 1, 500);
	put(l, 1, segment(1, 1, TCP_ACK, 501), NULL, 0);
	put(l, 1, segment(1, 1, TCP_ACK, 500), NULL, 0);
	says(l, "its ACK goes back");
}

static void a_fin_moves(void **state)
{
	struct lab *l = *state;

	shake_hands(l);
	put(l, 0, segment(0, 1001, TCP_ACK | TCP_FIN, 1), NULL, 0);
	assert_string_equal(l->error, "");
	put(l, 0, segment(0, 1002, TCP_ACK | TCP_FIN, 1), NULL, 0);
	says(l, "its FIN has moved");
}

static void a_fin_before_the_end(void **state)
{
	struct lab *l = *state;

	shake_hands(l);
	put(l, 0, segment(0, 900, TCP_ACK | TCP_FIN, 1), NULL, 0);
	says(l, "1000 bytes were written");
}

static void sack_of_what_was_not_sent(void **state)
{
	struct lab *l = *state;
	struct tcp_segment s = segment(1, 1, TCP_ACK, 1);

	shake_hands(l);
	s.options.n_sack = 1;
	s.options.sack[0] = (struct tcp_range){seq_of(FIRST + 10), seq_of(FIRST + 20)};
	put(l, 1, s, NULL, 0);
	says(l, "SACK block 0");
}

static void timestamps_that_were_not_agreed_on(void **state)
{
	struct lab *l = *state;
	struct tcp_segment s = segment(1, 1, TCP_ACK, 1);

	shake_hands(l);
	s.options.has = TCP_HAS_TIME;
	put(l, 1, s, NULL, 0);
	says(l, "not agreed on");
}

static void another_syn(void **state)
{
	struct lab *l = *state;

	shake_hands(l);
	put(l, 1, segment(1, 7, TCP_SYN | TCP_ACK, 1), NULL, 0);
	says(l, "another sequence number");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_truth_passes),
		CASE(wrong_bytes),
		CASE(bytes_that_nobody_wrote),
		CASE(longer_than_the_mss),
		CASE(beyond_the_window),
		CASE(acknowledges_what_was_not_sent),
		CASE(an_ack_goes_back),
		CASE(a_fin_moves),
		CASE(a_fin_before_the_end),
		CASE(sack_of_what_was_not_sent),
		CASE(timestamps_that_were_not_agreed_on),
		CASE(another_syn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
