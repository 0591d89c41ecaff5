// SPDX-License-Identifier: BSD-3-Clause
// BBR, 5.6: from the model to the pacing rate and the window.
#include "dataplane/tcp/bbr.h"

#define HEADROOM_PERCENT 15
#define QUANTUM_MAX      65536
#define OFFLOAD_QUANTA   3 // 5.5.8.1: one queued, one being cut, one being put together

// 5.6.1: pacing gain and window gain, in per cent.
static const struct {
	unsigned pacing, cwnd;
} gains[] = {
	[BBR_STARTUP] = {277, 200},  [BBR_DRAIN] = {50, 200},   [BBR_DOWN] = {90, 200},
	[BBR_CRUISE] = {100, 200},   [BBR_REFILL] = {100, 200}, [BBR_UP] = {125, 225},
	[BBR_PROBE_RTT] = {100, 50},
};

static uint64_t pipe_min(const struct congestion *c)
{
	return (uint64_t)BBR_PIPE_SEGMENTS * c->mss;
}

static uint64_t bdp_multiple(const struct congestion *c, const struct bbr *b, uint64_t bw,
			     unsigned percent)
{
	if (b->min_rtt_ns == BBR_INFINITE)
		return congestion_first_window(c);
	return (uint64_t)((bbr_wide)bw * b->min_rtt_ns * percent / 100 / BBR_NS_PER_S);
}

static uint64_t quantization_budget(const struct congestion *c, const struct bbr *b, uint64_t cap)
{
	uint64_t budget =
		OFFLOAD_QUANTA * (uint64_t)pacer_burst(c->pacing_rate, c->mss, QUANTUM_MAX);

	cap = bbr_max(cap, bbr_max(budget, pipe_min(c)));
	return b->state == BBR_UP ? cap + 2ull * c->mss : cap;
}

uint64_t bbr_inflight(const struct congestion *c, const struct bbr *b, uint64_t bw,
		      unsigned percent)
{
	return quantization_budget(c, b, bdp_multiple(c, b, bw, percent));
}

uint64_t bbr_target_inflight(const struct congestion *c, const struct bbr *b)
{
	return bbr_min(bdp_multiple(c, b, b->bw, 100), c->cwnd);
}

uint64_t bbr_headroom(const struct congestion *c, const struct bbr *b)
{
	uint64_t most = b->inflight_longterm, room;

	if (most == BBR_INFINITE)
		return BBR_INFINITE;
	room = bbr_max(c->mss, most * HEADROOM_PERCENT / 100);
	return bbr_max(most > room ? most - room : 0, pipe_min(c));
}

uint64_t bbr_probe_rtt_cwnd(const struct congestion *c, const struct bbr *b)
{
	return bbr_max(bdp_multiple(c, b, b->bw, gains[BBR_PROBE_RTT].cwnd), pipe_min(c));
}

// 5.6.2: below the bandwidth by a hair, so that queues shrink. Before the pipe was full the rate
// only rises.
void bbr_pace(struct congestion *c, const struct bbr *b, unsigned percent)
{
	uint64_t rate =
		(uint64_t)((bbr_wide)b->bw * percent * (100 - BBR_MARGIN_PERCENT) / 100 / 100);

	if (b->is_full_reached || rate > c->pacing_rate)
		c->pacing_rate = rate;
}

// 5.6.4.7
static uint64_t cwnd_bound(const struct congestion *c, const struct bbr *b)
{
	uint64_t cap = BBR_INFINITE;

	if (b->state == BBR_PROBE_RTT || b->state == BBR_CRUISE)
		cap = bbr_headroom(c, b);
	else if (bbr_is_probe_bw(b))
		cap = b->inflight_longterm;
	return bbr_max(bbr_min(cap, b->inflight_shortterm), pipe_min(c));
}

// 5.6.4.6
static void set_cwnd(struct congestion *c, const struct bbr *b)
{
	uint64_t most = quantization_budget(
		c, b, bdp_multiple(c, b, b->bw, gains[b->state].cwnd) + b->extra_acked);

	if (b->is_full_reached)
		c->cwnd = bbr_min(c->cwnd + b->rs.acked, most);
	else if (c->cwnd < most || b->delivered < congestion_first_window(c))
		c->cwnd += b->rs.acked;
	c->cwnd = bbr_max(c->cwnd, pipe_min(c));
	if (b->state == BBR_PROBE_RTT)
		c->cwnd = bbr_min(c->cwnd, bbr_probe_rtt_cwnd(c, b));
	c->cwnd = bbr_min(c->cwnd, cwnd_bound(c, b));
}

void bbr_set_control(struct congestion *c, struct bbr *b)
{
	bbr_pace(c, b, gains[b->state].pacing);
	set_cwnd(c, b);
}

// 5.6.4.4: the last window that neither recovery nor ProbeRTT had made small.
void bbr_save_cwnd(const struct congestion *c, struct bbr *b)
{
	if (b->is_recovering || b->state == BBR_PROBE_RTT)
		b->prior_cwnd = bbr_max(b->prior_cwnd, c->cwnd);
	else
		b->prior_cwnd = c->cwnd;
}

void bbr_restore_cwnd(struct congestion *c, const struct bbr *b)
{
	c->cwnd = bbr_max(c->cwnd, b->prior_cwnd);
}
