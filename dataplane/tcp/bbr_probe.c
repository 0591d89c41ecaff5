// SPDX-License-Identifier: BSD-3-Clause
// BBR, 5.3.3: ProbeBW. DOWN drains what the last probe queued, CRUISE waits, REFILL fills the pipe
// for a round, UP sends more than is known to fit and looks what comes of it.
#include "dataplane/tcp/bbr.h"

#define RENO_ROUNDS_MAX 63
#define UP_ROUNDS_MAX   30
#define WAIT_MIN_NS     (2 * BBR_NS_PER_S)

static uint64_t draw(struct congestion *c)
{
	uint64_t z = c->random += 0x9e3779b97f4a7c15; // splitmix64

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

// 5.3.3.8: two to three seconds, or as many rounds as Reno needs to grow back.
static void pick_probe_wait(struct congestion *c, struct bbr *b)
{
	b->rounds_since_up = draw(c) % 2;
	b->probe_wait_ns = WAIT_MIN_NS + draw(c) % BBR_NS_PER_S;
}

static bool is_time_to_probe(const struct congestion *c, const struct bbr *b)
{
	uint64_t reno_rounds = bbr_target_inflight(c, b) / c->mss;

	return b->rs.now_ns > b->cycle_stamp_ns + b->probe_wait_ns ||
	       b->rounds_since_up >= bbr_min(reno_rounds, RENO_ROUNDS_MAX);
}

void bbr_enter_probe_bw(struct congestion *c, struct bbr *b)
{
	bbr_start_down(c, b);
}

void bbr_start_down(struct congestion *c, struct bbr *b)
{
	bbr_reset_signals(b);
	b->up_acked_per_segment = BBR_INFINITE;
	pick_probe_wait(c, b);
	b->cycle_stamp_ns = b->rs.now_ns;
	b->acks = BBR_ACKS_PROBE_STOPPING;
	bbr_start_round(b);
	b->state = BBR_DOWN;
}

void bbr_start_cruise(struct bbr *b)
{
	b->state = BBR_CRUISE;
}

void bbr_start_refill(struct bbr *b)
{
	bbr_reset_short_term(b);
	b->n_up_rounds = 0;
	b->up_acked = 0;
	b->was_precautionary = false;
	b->acks = BBR_ACKS_REFILLING;
	bbr_start_round(b);
	b->state = BBR_REFILL;
}

// The bound grows by 1, 2, 4 ... segments a round.
static void raise_slope(const struct congestion *c, struct bbr *b)
{
	uint64_t growth = 1ull << b->n_up_rounds;

	if (b->n_up_rounds < UP_ROUNDS_MAX)
		b->n_up_rounds++;
	b->up_acked_per_segment = bbr_max(c->cwnd / growth, c->mss);
}

static void start_up(struct congestion *c, struct bbr *b)
{
	b->acks = BBR_ACKS_PROBE_STARTING;
	bbr_start_round(b);
	bbr_reset_full_bw(b);
	b->full_bw = b->rs.rate;
	b->state = BBR_UP;
	raise_slope(c, b);
}

// Only a bound that is made use of is known to be too low.
static void raise_longterm(const struct congestion *c, struct bbr *b)
{
	uint64_t n;

	if (!b->is_cwnd_limited || c->cwnd < b->inflight_longterm)
		return;
	b->up_acked += b->rs.acked;
	n = b->up_acked / b->up_acked_per_segment;
	b->up_acked -= n * b->up_acked_per_segment;
	b->inflight_longterm += n * c->mss;
	if (b->is_round_start)
		raise_slope(c, b);
}

// @return whether it has gone to another state
static bool adapt_long_term(struct congestion *c, struct bbr *b)
{
	if (b->acks == BBR_ACKS_PROBE_STARTING && b->is_round_start)
		b->acks = BBR_ACKS_PROBE_FEEDBACK;
	if (b->acks == BBR_ACKS_PROBE_STOPPING && b->is_round_start) {
		b->is_probe_sample = false;
		b->acks = BBR_ACKS_INIT;
		if (bbr_is_probe_bw(b) && !b->rs.is_app_limited)
			bbr_advance_max_bw(b);
		// 5.3.3.6: the bound was reached carefully and nothing was lost: once more, in
		// full.
		if (bbr_is_probe_bw(b) && b->was_precautionary && !b->was_too_high) {
			bbr_start_refill(b);
			return true;
		}
	}
	if (bbr_is_inflight_too_high(c, b) || b->inflight_longterm == BBR_INFINITE)
		return false;
	b->inflight_longterm = bbr_max(b->inflight_longterm, b->rs.in_flight);
	if (b->state == BBR_UP)
		raise_longterm(c, b);
	return false;
}

static bool is_time_to_cruise(const struct congestion *c, const struct bbr *b)
{
	return b->in_flight <= bbr_headroom(c, b) &&
	       b->in_flight <= bbr_inflight(c, b, b->max_bw, 100);
}

static bool is_time_to_go_down(const struct congestion *c, struct bbr *b)
{
	if (b->was_too_high && b->in_flight >= b->inflight_longterm) {
		b->was_precautionary = true;
		return true;
	}
	if (b->is_cwnd_limited && c->cwnd >= b->inflight_longterm) {
		bbr_reset_full_bw(b); // the bound limits, not the path
		b->full_bw = b->rs.rate;
		return false;
	}
	return b->is_full_now;
}

void bbr_update_cycle(struct congestion *c, struct bbr *b)
{
	if (!b->is_full_reached || adapt_long_term(c, b))
		return;
	switch (b->state) {
	case BBR_DOWN:
		if (is_time_to_probe(c, b))
			bbr_start_refill(b);
		else if (is_time_to_cruise(c, b))
			bbr_start_cruise(b);
		break;
	case BBR_CRUISE:
		if (is_time_to_probe(c, b))
			bbr_start_refill(b);
		break;
	case BBR_REFILL:
		if (b->is_round_start) {
			b->is_probe_sample = true;
			start_up(c, b);
		}
		break;
	case BBR_UP:
		if (is_time_to_go_down(c, b)) {
			b->was_too_high = false;
			bbr_start_down(c, b);
		}
		break;
	default:
		break;
	}
}
