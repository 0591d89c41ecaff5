// SPDX-License-Identifier: BSD-3-Clause
// BBR, 5.5.10: what loss does to the model; 5.5.11: undo.
//
// Loss while probing lowers the long-term bound, once a probe and only above 2 % (5.5.10.2). Loss
// at other times lowers the short-term bounds once a round, down to what was delivered (5.5.10.3).
#include "dataplane/tcp/bbr.h"

void bbr_reset_signals(struct bbr *b)
{
	b->is_loss_in_round = false;
	b->bw_latest = 0;
	b->inflight_latest = 0;
}

void bbr_reset_short_term(struct bbr *b)
{
	b->bw_shortterm = BBR_INFINITE;
	b->inflight_shortterm = BBR_INFINITE;
}

void bbr_update_latest(struct bbr *b)
{
	b->bw_latest = bbr_max(b->bw_latest, b->rs.rate);
	b->inflight_latest = bbr_max(b->inflight_latest, b->rs.delivered);
	b->is_loss_round_start = b->rs.prior_delivered >= b->loss_round_delivered;
	if (b->is_loss_round_start)
		b->loss_round_delivered = b->delivered;
}

void bbr_advance_latest(struct bbr *b)
{
	if (b->is_loss_round_start) {
		b->bw_latest = b->rs.rate;
		b->inflight_latest = b->rs.delivered;
	}
}

static bool is_probing(const struct bbr *b)
{
	return b->state == BBR_STARTUP || b->state == BBR_REFILL || b->state == BBR_UP;
}

static uint64_t beta(uint64_t x)
{
	return x / 100 * BBR_BETA_PERCENT;
}

static void lower_bounds(struct congestion *c, struct bbr *b)
{
	if (b->bw_shortterm == BBR_INFINITE)
		b->bw_shortterm = b->max_bw;
	if (b->inflight_shortterm == BBR_INFINITE)
		b->inflight_shortterm = c->cwnd;
	b->bw_shortterm = bbr_max(b->bw_latest, beta(b->bw_shortterm));
	b->inflight_shortterm = bbr_max(b->inflight_latest, beta(b->inflight_shortterm));
}

void bbr_adapt_to_loss(struct congestion *c, struct bbr *b)
{
	if (!b->is_loss_round_start)
		return;
	if (b->is_loss_in_round && !is_probing(b))
		lower_bounds(c, b);
	b->is_loss_in_round = false;
}

bool bbr_is_inflight_too_high(const struct congestion *c, const struct bbr *b)
{
	return b->rs.lost > b->rs.in_flight * BBR_LOSS_PERCENT / 100 ||
	       (b->rs.lost && !c->has_sack);
}

static void handle_inflight_too_high(struct congestion *c, struct bbr *b)
{
	b->was_too_high = true;
	b->is_probe_sample = false;
	if (!b->rs.is_app_limited)
		b->inflight_longterm = bbr_max(b->rs.in_flight, beta(bbr_target_inflight(c, b)));
	if (b->state == BBR_UP) {
		b->undo_state = BBR_UP;
		bbr_start_down(c, b);
	}
}

// How much was in flight as the losses crossed the threshold: that may be within this segment.
static uint64_t inflight_at_loss(const struct bbr *b, uint32_t len)
{
	uint64_t inflight_prev = b->rs.in_flight > len ? b->rs.in_flight - len : 0;
	uint64_t lost_prev = b->rs.lost - len;
	uint64_t allowed = inflight_prev * BBR_LOSS_PERCENT, had = lost_prev * 100;

	return inflight_prev + (allowed > had ? (allowed - had) / (100 - BBR_LOSS_PERCENT) : 0);
}

void bbr_handle_loss(struct congestion *c, struct bbr *b, const struct loss_sample *s)
{
	if (!b->is_loss_in_round)
		b->loss_round_delivered = s->delivered;
	b->is_loss_in_round = true;
	bbr_save_state(c, b);
	if (!b->is_probe_sample)
		return;
	b->rs.now_ns = s->now_ns;
	b->rs.in_flight = s->sent_in_flight;
	b->rs.lost = s->lost_total - s->sent_lost;
	b->rs.is_app_limited = s->is_app_limited;
	b->delivered = s->delivered;
	if (bbr_is_inflight_too_high(c, b)) {
		b->rs.in_flight = inflight_at_loss(b, s->len);
		handle_inflight_too_high(c, b);
	}
}

// Once an episode, before its first loss changes anything: not again in its later rounds, nor as
// the end of the probe that it caused makes a new round.
void bbr_save_state(const struct congestion *c, struct bbr *b)
{
	if (b->is_saved)
		return;
	b->is_saved = true;
	bbr_save_cwnd(c, b);
	b->undo_state = BBR_NO_STATE;
	b->undo_bw_shortterm = b->bw_shortterm;
	b->undo_inflight_shortterm = b->inflight_shortterm;
	b->undo_inflight_longterm = b->inflight_longterm;
}

void bbr_undo_loss(struct congestion *c, struct bbr *b)
{
	bbr_restore_cwnd(c, b);
	b->is_loss_in_round = false;
	bbr_reset_full_bw(b);
	b->bw_shortterm = bbr_max(b->bw_shortterm, b->undo_bw_shortterm);
	b->inflight_shortterm = bbr_max(b->inflight_shortterm, b->undo_inflight_shortterm);
	b->inflight_longterm = bbr_max(b->inflight_longterm, b->undo_inflight_longterm);
	if (b->undo_state == BBR_STARTUP && b->state != BBR_STARTUP) {
		b->is_full_reached = false;
		if (b->state != BBR_PROBE_RTT)
			bbr_enter_startup(b);
	} else if (b->undo_state == BBR_UP && b->state != BBR_UP && b->state != BBR_PROBE_RTT) {
		bbr_start_refill(b);
	}
	b->undo_state = BBR_NO_STATE;
}
