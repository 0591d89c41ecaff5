// SPDX-License-Identifier: BSD-3-Clause
// What is left of a connection in TIME-WAIT answers as the connection itself does: both get the
// same segments, drawn at random around their numbers, and say the same.
#include "dataplane/tcp/time_wait.h"

#include <string.h>

#include "dataplane/tcp/tcp_priv.h"
#include "tests/tcp_settings.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"

#define MS     1000000ull
#define SECOND (1000 * MS)
#define LIVES  300
#define DRAWN  60
#define WINDOW 5000 // of the peer

static const struct tcp_tuple tuple = {.family = 4,
				       .local = {10, 0, 0, 2},
				       .remote = {10, 0, 0, 9},
				       .local_port = 40000,
				       .remote_port = 6379};

// One end of ours, and the numbers that its peer has.
struct end {
	struct tcp_host *host;
	struct tcp *tcp; // NULL: `left` is there instead
	struct time_wait left;
	struct seq iss, snd, rcv; // ours; the peer's next; ours that it expects
	uint8_t options;          // that the peer offers
};

static struct tcp_segment peers(const struct end *e, uint8_t flags, uint64_t now_ns)
{
	struct tcp_segment s = {
		.source_port = tuple.remote_port,
		.target_port = tuple.local_port,
		.seq = e->snd,
		.ack = e->rcv,
		.flags = flags,
		.window = WINDOW,
		.n_merged = 1,
	};
	if (e->options & TCP_HAS_TIME) {
		s.options.has = TCP_HAS_TIME;
		s.options.ts_val = (uint32_t)(now_ns / MS);
	}
	return s;
}

static void give(struct end *e, const struct tcp_segment *s, uint64_t now_ns)
{
	struct tcp_segment out;
	tcp_input(e->tcp, s, now_ns);
	while (tcp_output(e->tcp, now_ns, &out))
		;
}

// Opened by us, closed by us, then by the peer.
static void live(struct end *e, const struct tcp_settings *set, uint8_t options, uint32_t irs)
{
	uint8_t secret[16] = {1};
	struct tcp_segment syn, s;
	uint64_t now_ns = SECOND;
	*e = (struct end){.host = tcp_host_new(set, secret, 7), .options = options};
	assert_int_equal(tcp_connect(e->host, &tuple, now_ns, &e->tcp), 0);
	assert_true(tcp_output(e->tcp, now_ns, &syn));
	e->snd = seq_of(irs);
	e->rcv = seq_add(syn.seq, 1);
	s = peers(e, TCP_SYN | TCP_ACK, now_ns);
	s.options.has = options;
	s.options.scale = 7;
	give(e, &s, now_ns);
	e->snd = seq_add(e->snd, 1);
	tcp_close(e->tcp, now_ns);
	s = peers(e, TCP_ACK, now_ns += MS);
	while (tcp_output(e->tcp, now_ns, &syn))
		;
	e->rcv = seq_add(e->rcv, 1);
	s = peers(e, TCP_FIN | TCP_ACK, now_ns += MS);
	give(e, &s, now_ns);
	e->snd = seq_add(e->snd, 1);
	assert_int_equal(tcp_state(e->tcp), TCP_TIME_WAIT);
}

static void end_free(struct end *e)
{
	tcp_free(e->tcp);
	tcp_host_free(e->host);
}

static uint32_t near(struct random *r)
{
	static const int32_t steps[] = {0, 0, 0, 0, 1, -1, -2, 5, -5, 1000, -1000, 70000, -70000};
	uint32_t step = (uint32_t)steps[random_below(r, sizeof(steps) / sizeof(*steps))];
	return random_below(r, 20) ? step : (uint32_t)random_next(r);
}

static struct tcp_segment draw(struct random *r, const struct end *e, uint64_t now_ns)
{
	static char payload[100];
	static const uint8_t flags[] = {
		TCP_ACK,           TCP_ACK,           TCP_FIN | TCP_ACK, TCP_RST,
		TCP_RST | TCP_ACK, TCP_SYN | TCP_ACK, TCP_SYN,           0,
		TCP_FIN,           TCP_ACK | TCP_PSH};
	struct tcp_segment s = peers(e, flags[random_below(r, sizeof(flags))], now_ns);
	s.seq = seq_add(s.seq, near(r));
	s.ack = seq_add(s.ack, near(r));
	s.window = (uint16_t)random_below(r, WINDOW + 1); // a larger one is not followed
	s.len = random_below(r, 3) ? 0 : (uint32_t)random_below(r, sizeof(payload));
	s.body[0] = (struct iovec){payload, s.len};
	if (random_below(r, 4) == 0)
		s.options.ts_val += near(r);
	if (random_below(r, 10) == 0)
		s.options.has ^= TCP_HAS_TIME;
	return s;
}

static void same(const struct tcp_segment *a, const struct tcp_segment *b)
{
	assert_int_equal(seq_diff(a->seq, b->seq), 0);
	assert_int_equal(seq_diff(a->ack, b->ack), 0);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->window, b->window);
	assert_int_equal(a->len, b->len);
	assert_int_equal(a->source_port, b->source_port);
	assert_int_equal(a->target_port, b->target_port);
	assert_int_equal(a->options.has, b->options.has);
	if (a->options.has & TCP_HAS_TIME) {
		assert_int_equal(a->options.ts_val, b->options.ts_val);
		assert_int_equal(a->options.ts_ecr, b->options.ts_ecr);
	}
	assert_int_equal(a->options.n_sack, b->options.n_sack);
	for (unsigned i = 0; i < a->options.n_sack; i++) {
		assert_int_equal(seq_diff(a->options.sack[i].from, b->options.sack[i].from), 0);
		assert_int_equal(seq_diff(a->options.sack[i].to, b->options.sack[i].to), 0);
	}
}

// @return how many segments were answered
static unsigned held_together(struct random *r, const struct tcp_settings *set)
{
	static const uint8_t options[] = {0, TCP_HAS_TIME, TCP_HAS_TIME | TCP_HAS_SACK_OK,
					  TCP_HAS_SACK_OK | TCP_HAS_SCALE,
					  TCP_HAS_TIME | TCP_HAS_SACK_OK | TCP_HAS_SCALE};
	uint8_t offered = options[random_below(r, sizeof(options))];
	uint32_t irs = (uint32_t)random_next(r);
	uint64_t now_ns = 2 * SECOND;
	unsigned n = 0;
	struct end whole, rest;
	live(&whole, set, offered, irs);
	live(&rest, set, offered, irs);
	assert_true(time_wait_take(rest.tcp, &rest.left));
	tcp_free(rest.tcp);
	rest.tcp = NULL;
	for (unsigned i = 0; i < DRAWN; i++) {
		struct tcp_segment s = draw(r, &whole, now_ns), a, b;
		assert_int_equal(tcp_is_reusable(whole.tcp, &s),
				 time_wait_is_reusable(&rest.left, &s));
		tcp_input(whole.tcp, &s, now_ns);
		bool is_answered = tcp_output(whole.tcp, now_ns, &a);
		assert_int_equal(time_wait_input(&rest.left, rest.host, &s, now_ns, &b),
				 is_answered);
		if (is_answered)
			same(&a, &b);
		n += is_answered;
		assert_int_equal(tcp_state(whole.tcp), TCP_TIME_WAIT);
		assert_int_equal(tcp_deadline(whole.tcp), rest.left.end_ns);
		assert_false(tcp_output(whole.tcp, now_ns, &a));
		now_ns += random_below(r, 600) * MS;
	}
	end_free(&whole);
	end_free(&rest);
	return n;
}

static void what_is_left_answers_as_the_connection_did(void **state)
{
	struct random r = random_seeded("time_wait");
	unsigned n = 0;
	for (unsigned i = 0; i < LIVES; i++) {
		struct tcp_settings set = tcp_settings_usual();
		set.receive_max = set.receive_first = random_below(&r, 2) ? 4000 : 200000;
		n += held_together(&r, &set);
	}
	assert_true(n > LIVES * DRAWN / 10);
}

static void one_that_is_still_somebodys_stays_whole(void **state)
{
	struct tcp_settings set = tcp_settings_usual();
	struct time_wait left;
	struct end e;
	live(&e, &set, 0, 1000);
	e.tcp->is_released = false;
	assert_false(time_wait_take(e.tcp, &left));
	e.tcp->is_released = true;
	e.tcp->ack.now = true; // the answer to the FIN has yet to go out
	assert_false(time_wait_take(e.tcp, &left));
	e.tcp->ack.now = false;
	assert_true(time_wait_take(e.tcp, &left));
	assert_int_equal(left.end_ns, tcp_deadline(e.tcp));
	end_free(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_left_answers_as_the_connection_did),
		cmocka_unit_test(one_that_is_still_somebodys_stays_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
