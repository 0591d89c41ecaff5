// SPDX-License-Identifier: BSD-3-Clause
// A sender without a network: segments of 1000 bytes are numbered from 0, time stands still until a
// test moves it, and congestion control is one that writes down how it is called. The sequence
// numbers wrap within the first segments of every test.
#pragma once

#include "dataplane/tcp/recovery.h"
#include "dataplane/tcp/tcp.h"
#include "tests/unit/test.h"

#define MS  1000000ull
#define SEG 1000u

struct calls {
	unsigned n_enter, n_leave, n_rto, n_undo, n_lost, n_acked;
	struct ack_sample last;
};

struct rig {
	struct recovery_settings set;
	struct congestion c;
	struct recovery r;
	struct seq first; // of segment 0
	uint64_t now_ns;
	uint32_t n_sent; // segments
	struct recovery_news news;
	struct calls calls;
	bool owns_recovery;
};

static struct rig *rig_of(struct congestion *c)
{
	return (struct rig *)((char *)c - offsetof(struct rig, c));
}

static void fake_acked(struct congestion *c, const struct ack_sample *s)
{
	rig_of(c)->calls.n_acked++;
	rig_of(c)->calls.last = *s;
}

static void fake_lost(struct congestion *c, const struct loss_sample *s)
{
	rig_of(c)->calls.n_lost++;
}

static void fake_enter(struct congestion *c, uint64_t in_flight, uint64_t now_ns)
{
	rig_of(c)->calls.n_enter++;
	c->ssthresh = in_flight / 2;
}

static void fake_leave(struct congestion *c, uint64_t now_ns)
{
	rig_of(c)->calls.n_leave++;
	c->cwnd = c->ssthresh;
}

static void fake_rto(struct congestion *c, uint64_t in_flight, uint64_t now_ns)
{
	rig_of(c)->calls.n_rto++;
	c->cwnd = c->mss;
}

static void fake_undo(struct congestion *c, uint64_t now_ns)
{
	rig_of(c)->calls.n_undo++;
	c->cwnd = 100 * SEG;
}

static const struct congestion_ops fake_ops = {
	.name = "fake",
	.acked = fake_acked,
	.lost = fake_lost,
	.enter_recovery = fake_enter,
	.leave_recovery = fake_leave,
	.rto = fake_rto,
	.undo = fake_undo,
};

static inline void rig_check(const struct rig *g)
{
	const char *wrong = recovery_check(&g->r);

	if (wrong)
		fail_msg("%s", wrong);
}

static inline struct seq at(const struct rig *g, uint32_t segment)
{
	return seq_add(g->first, segment * SEG);
}

// A connection whose handshake is over: SYN sent at 0, answered after `rtt_ns`.
static inline void rig_start(struct rig *g, uint32_t first, uint64_t rtt_ns)
{
	*g = (struct rig){
		.set = {.rto_min_ns = 200 * MS,
			.rto_max_ns = 60000 * MS,
			.rto_first_ns = 1000 * MS,
			.ack_delay_ns = 200 * MS,
			.records_max = 4096},
		.c = {.ops = &fake_ops, .cwnd = 100 * SEG, .ssthresh = UINT64_MAX, .mss = SEG},
		.first = seq_of(first),
	};
	assert_int_equal(recovery_init(&g->r, &g->set, &g->c, seq_sub(g->first, 1)), 0);
	assert_int_equal(recovery_sent(&g->r, 1, false, 0), 0);
	g->now_ns = rtt_ns;
	recovery_ack(&g->r,
		     &(struct recovery_ack){
			     .ack = g->first, .now_ns = g->now_ns, .snd_max_window = 1 << 20},
		     &g->news);
	rig_check(g);
}

static inline void rig_open(struct rig *g, bool has_sack, bool has_time, uint64_t rtt_ns)
{
	rig_start(g, UINT32_MAX - 2 * SEG, rtt_ns);
	recovery_open(&g->r, has_sack, has_time, SEG, rtt_ns, g->now_ns);
	rig_check(g);
}

static inline void rig_end(struct rig *g)
{
	rig_check(g);
	recovery_fini(&g->r);
}

static inline void rig_send(struct rig *g, unsigned n)
{
	for (; n; n--, g->n_sent++)
		assert_int_equal(recovery_sent(&g->r, SEG, false, g->now_ns), 0);
	rig_check(g);
}

static inline void rig_wait(struct rig *g, uint64_t ns)
{
	g->now_ns += ns;
}

// The segment that is to be sent again now, which is sent; -1: none.
static inline int rig_resend(struct rig *g)
{
	struct tcp_range range;

	if (!recovery_next(&g->r, g->now_ns, &range))
		return -1;
	recovery_resent(&g->r, &range, g->now_ns);
	rig_check(g);
	return (int)((uint32_t)seq_diff(range.from, g->first) / SEG);
}

static inline unsigned rig_resend_all(struct rig *g)
{
	unsigned n = 0;

	while (rig_resend(g) >= 0)
		n++;
	return n;
}

struct block {
	uint32_t from, to; // segments
};

// All before segment `ack` has arrived, and the blocks.
static inline void rig_ack_with(struct rig *g, uint32_t ack, const struct block *blocks, unsigned n,
				struct recovery_ack in)
{
	in.ack = at(g, ack);
	in.now_ns = g->now_ns;
	in.snd_max_window = 1 << 20;
	in.n_sack = n;
	for (unsigned i = 0; i < n; i++)
		in.sack[i] = (struct tcp_range){at(g, blocks[i].from), at(g, blocks[i].to)};
	recovery_ack(&g->r, &in, &g->news);
	rig_check(g);
}

// rig_sack(g, ack, {from, to}, ...)
#define rig_sack(g, ack, ...)                                                                      \
	rig_ack_with(g, ack, (const struct block[]){__VA_ARGS__},                                  \
		     sizeof((const struct block[]){__VA_ARGS__}) / sizeof(struct block),           \
		     (struct recovery_ack){0})

static inline void rig_ack(struct rig *g, uint32_t ack)
{
	rig_ack_with(g, ack, NULL, 0, (struct recovery_ack){0});
}

static inline uint64_t rig_in_flight(const struct rig *g)
{
	return recovery_in_flight(&g->r) / SEG;
}

// Go on to the deadline and let it run out.
static inline enum recovery_timer rig_expire(struct rig *g)
{
	uint64_t at_ns = recovery_deadline(&g->r);
	enum recovery_timer what;

	assert_true(at_ns != TCP_NO_DEADLINE && at_ns >= g->now_ns);
	assert_int_equal(recovery_expire(&g->r, at_ns - 1), RECOVERY_NONE);
	g->now_ns = at_ns;
	what = recovery_expire(&g->r, at_ns);
	rig_check(g);
	return what;
}
