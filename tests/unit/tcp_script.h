// SPDX-License-Identifier: BSD-3-Clause
// One connection of ours against segments written by hand, in virtual time. Numbers are relative:
// both SYNs are 0, the first byte of either side is 1.
#pragma once

#include "tests/unit/tcp_rig.h"

#define PEER_TS 5000u // the peer's first timestamp

struct script {
	struct tcp_settings set;
	struct tcp_host *host;
	struct tcp *t;
	struct tcp_segment out; // the last that came out
	struct seq iss, irs;    // ours, the peer's
	uint64_t now_ns;
	bool has_time;
	uint8_t scale;              // of the peer's windows
	uint32_t ts;                // of the peer's next segment
	uint8_t payload[2 * 65536]; // of the byte at a place, twice, so that it may go round
};

// A segment of the peer. What is 0 is the usual: an ACK.
struct say {
	uint32_t seq, ack, len;
	uint8_t flags;
	uint32_t window; // bytes; NO_WINDOW: 0
	uint32_t ts;     // 0: the next one
	bool no_time;
	uint16_t n_merged;
	unsigned n_sack;
	struct {
		uint32_t from, to;
	} sack[TCP_SACK_MAX];
};

#define NO_WINDOW UINT32_MAX

static inline void script_init(struct script *s, const struct tcp_settings *set, uint32_t irs)
{
	memset(s, 0, sizeof(*s));
	s->set = *set;
	s->host = rig_host(set, 7);
	s->now_ns = SECOND;
	s->irs = seq_of(irs);
	s->ts = PEER_TS;
	for (size_t i = 0; i < sizeof(s->payload); i++)
		s->payload[i] = rig_byte(1, i % 65536);
}

static inline void script_fini(struct script *s)
{
	rig_check(s->t);
	tcp_free(s->t);
	tcp_host_free(s->host);
}

static inline struct tcp_segment script_segment(struct script *s, const struct say *say)
{
	uint32_t window = say->window == NO_WINDOW ? 0 : say->window ? say->window : 65535;
	struct tcp_segment in = {
		.source_port = 6379,
		.target_port = 40000,
		.seq = seq_add(s->irs, say->seq),
		.ack = seq_add(s->iss, say->ack),
		.flags = say->flags ? say->flags : TCP_ACK,
		.window = (uint16_t)(window >> s->scale),
		.n_merged = say->n_merged ? say->n_merged : 1,
		.body = {{s->payload + (uint16_t)say->seq, say->len}},
		.len = say->len,
	};

	if (s->has_time && !say->no_time) {
		in.options.has = TCP_HAS_TIME;
		in.options.ts_val = say->ts ? say->ts : s->ts;
		in.options.ts_ecr = s->out.options.ts_val;
	}
	in.options.n_sack = (uint8_t)say->n_sack;
	for (unsigned i = 0; i < say->n_sack; i++)
		in.options.sack[i] = (struct tcp_range){seq_add(s->iss, say->sack[i].from),
							seq_add(s->iss, say->sack[i].to)};
	return in;
}

// The peer sends a segment.
static inline void script_say(struct script *s, struct say say)
{
	struct tcp_segment in = script_segment(s, &say);

	tcp_input(s->t, &in, s->now_ns);
	rig_check(s->t);
}

#define SAY(s, ...) script_say((s), (struct say){__VA_ARGS__})

// @return whether a segment came out; it is s->out
static inline bool script_output(struct script *s)
{
	bool any = tcp_output(s->t, s->now_ns, &s->out);

	rig_check(s->t);
	return any;
}

static inline void expect_nothing(struct script *s)
{
	struct tcp_segment out;

	if (tcp_output(s->t, s->now_ns, &out))
		fail_msg("a segment came out: flags %x seq %u len %u ack %u", out.flags,
			 seq_diff(out.seq, s->iss), out.len, seq_diff(out.ack, s->irs));
	rig_check(s->t);
}

// A segment comes out with these flags and numbers.
static inline void expect_out(struct script *s, uint8_t flags, uint32_t seq, uint32_t len,
			      uint32_t ack)
{
	if (!script_output(s))
		fail_msg("nothing came out");
	assert_int_equal(s->out.flags & ~TCP_PSH, flags);
	assert_int_equal(seq_diff(s->out.seq, s->iss), seq);
	assert_int_equal(s->out.len, len);
	if (flags & TCP_ACK)
		assert_int_equal(seq_diff(s->out.ack, s->irs), ack);
}

// An acknowledgement and nothing else.
static inline void expect_ack(struct script *s, uint32_t seq, uint32_t ack)
{
	expect_out(s, TCP_ACK, seq, 0, ack);
	expect_nothing(s);
}

static inline void expect_sack(const struct script *s, unsigned i, uint32_t from, uint32_t to)
{
	assert_in_range(i, 0, s->out.options.n_sack - 1);
	assert_int_equal(seq_diff(s->out.options.sack[i].from, s->irs), from);
	assert_int_equal(seq_diff(s->out.options.sack[i].to, s->irs), to);
}

// Let a time pass, with what is due in it. What wants to go out stays in the connection.
static inline void script_wait(struct script *s, uint64_t ns)
{
	s->now_ns += ns;
	s->ts += (uint32_t)(ns / MS);
	if (tcp_deadline(s->t) <= s->now_ns)
		tcp_expire(s->t, s->now_ns);
	rig_check(s->t);
}

// Let time pass up to the next deadline. @return ns
static inline uint64_t script_wait_deadline(struct script *s)
{
	uint64_t at = tcp_deadline(s->t), ns = at > s->now_ns ? at - s->now_ns : 0;

	assert_true(at != TCP_NO_DEADLINE);
	script_wait(s, ns);
	return ns;
}

// Read everything and hold it against the payload. @return bytes
static inline size_t script_read(struct script *s, uint32_t at)
{
	size_t done = 0;
	uint8_t p[5000];
	ssize_t n;

	while ((n = tcp_read(s->t, p, sizeof(p), s->now_ns)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(p[i], s->payload[(uint16_t)(at + done + (size_t)i)]);
		done += (size_t)n;
	}
	rig_check(s->t);
	return done;
}

static inline ssize_t script_write(struct script *s, size_t len)
{
	struct iovec iov = {s->payload, len};
	ssize_t n = tcp_write(s->t, &iov, 1, s->now_ns);

	rig_check(s->t);
	return n;
}

#define HAS_ALL (TCP_HAS_MSS | TCP_HAS_SCALE | TCP_HAS_SACK_OK | TCP_HAS_TIME)

// The options of the peer's SYN.
static inline struct tcp_segment script_syn(struct script *s, uint8_t flags, uint8_t has)
{
	struct say say = {.flags = flags, .ack = flags & TCP_ACK ? 1 : 0};
	struct tcp_segment in = script_segment(s, &say);

	in.options.has = has;
	in.options.mss = 1460;
	in.options.scale = 0;
	in.options.ts_val = s->ts;
	in.options.ts_ecr = s->out.options.ts_val;
	s->has_time = has & TCP_HAS_TIME;
	return in;
}

// An active open against a peer with these options.
static inline void script_connect(struct script *s, uint8_t has)
{
	struct tcp_tuple tuple = rig_tuple(false);
	struct tcp_segment in;

	assert_int_equal(tcp_connect(s->host, &tuple, s->now_ns, &s->t), 0);
	assert_true(script_output(s));
	s->iss = s->out.seq;
	script_wait(s, 10 * MS);
	in = script_syn(s, TCP_SYN | TCP_ACK, has);
	tcp_input(s->t, &in, s->now_ns);
	expect_ack(s, 1, 1);
	assert_int_equal(tcp_state(s->t), TCP_ESTABLISHED);
	assert_int_equal(tcp_events(s->t), TCP_OPENED | TCP_WRITABLE);
}

// The first acknowledgements are not delayed: use those up.
static inline uint32_t script_calm(struct script *s)
{
	uint32_t at = 1;

	for (int i = 0; i < 16; i++, at += 1000) {
		SAY(s, .seq = at, .ack = 1, .len = 1000);
		assert_true(script_output(s));
	}
	assert_int_equal(script_read(s, 1), 16000);
	while (script_output(s))
		;
	return at;
}
