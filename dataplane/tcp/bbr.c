// SPDX-License-Identifier: BSD-3-Clause
// BBR: what happens on what (5.2), Startup (5.3.1), Drain (5.3.2), idle (5.4).
#include "dataplane/tcp/bbr.h"

#define FULL_BW_PERCENT      125 // growth that says that the pipe is not full yet
#define FULL_BW_ROUNDS       3
#define STARTUP_LOSSES       6 // BBRStartupFullLossCnt
#define STARTUP_GAIN_PERCENT 277
#define DRAIN_ROUNDS         3
#define INITIAL_RTT_NS       1000000ull

// 5.6.2: until there is a bandwidth, the first window per round trip.
static void init_pacing(struct congestion *c, uint64_t rtt_ns)
{
	c->pacing_rate = (uint64_t)((bbr_wide)congestion_first_window(c) * STARTUP_GAIN_PERCENT *
				    BBR_NS_PER_S / 100 / rtt_ns);
}

static void bbr_init(struct congestion *c, uint64_t now_ns)
{
	struct bbr *b = bbr_of(c);

	*b = (struct bbr){
		.min_rtt_ns = BBR_INFINITE,
		.min_rtt_stamp_ns = now_ns,
		.probe_rtt_min_ns = BBR_INFINITE,
		.probe_rtt_stamp_ns = now_ns,
		.extra_since_ns = now_ns,
		.inflight_longterm = BBR_INFINITE,
		.up_acked_per_segment = BBR_INFINITE,
		.undo_state = BBR_NO_STATE,
	};
	bbr_reset_short_term(b);
	init_pacing(c, INITIAL_RTT_NS);
	bbr_enter_startup(b);
}

void bbr_enter_startup(struct bbr *b)
{
	b->state = BBR_STARTUP;
}

void bbr_reset_full_bw(struct bbr *b)
{
	b->full_bw = 0;
	b->n_full_bw = 0;
	b->is_full_now = false;
}

// 5.3.1.2: three rounds in which sending more has brought little.
static void check_full_bw(struct bbr *b)
{
	if (b->is_full_now || !b->is_round_start || b->rs.is_app_limited || b->rs.rate == 0)
		return;
	if (b->rs.rate >= (uint64_t)((bbr_wide)b->full_bw * FULL_BW_PERCENT / 100)) {
		bbr_reset_full_bw(b);
		b->full_bw = b->rs.rate;
		return;
	}
	b->is_full_now = ++b->n_full_bw >= FULL_BW_ROUNDS;
	if (b->is_full_now)
		b->is_full_reached = true;
}

// 5.3.1.3: a round of recovery in which many were lost. An acknowledgement that tells of losses
// stands for one range of them; without SACK there is but one a round trip.
static void check_startup_loss(struct congestion *c, struct bbr *b)
{
	unsigned enough = c->has_sack ? STARTUP_LOSSES : 1;

	if (b->state == BBR_STARTUP && !b->is_full_reached && b->is_recovering &&
	    b->is_loss_round_start && b->n_losses_in_round >= enough &&
	    bbr_is_inflight_too_high(c, b)) {
		b->undo_state = BBR_STARTUP;
		b->is_full_reached = true;
		b->inflight_longterm = bbr_max(bbr_inflight(c, b, b->bw, 100), b->inflight_latest);
	}
	if (b->is_loss_round_start)
		b->n_losses_in_round = 0;
}

static void check_startup_done(struct congestion *c, struct bbr *b)
{
	check_startup_loss(c, b);
	if (b->state == BBR_STARTUP && b->is_full_reached) {
		b->state = BBR_DRAIN;
		b->drain_start_round = b->round_count;
	}
}

static void check_drain_done(struct congestion *c, struct bbr *b)
{
	if (b->state == BBR_DRAIN && (b->in_flight <= bbr_inflight(c, b, b->bw, 100) ||
				      b->round_count > b->drain_start_round + DRAIN_ROUNDS))
		bbr_enter_probe_bw(c, b);
}

static void take_sample(struct congestion *c, struct bbr *b, const struct ack_sample *s)
{
	b->delivered = s->delivered;
	b->in_flight = s->in_flight_after;
	b->is_cwnd_limited = s->is_cwnd_limited || s->in_flight + c->mss > c->cwnd;
	b->rs = (struct bbr_sample){
		.now_ns = s->now_ns,
		.delivered = s->delivered - s->sent_delivered,
		.prior_delivered = s->sent_delivered,
		.acked = s->acked,
		.lost = s->lost_total - s->sent_lost,
		.in_flight = s->sent_in_flight,
		.rtt_ns = s->rtt_ns,
		.is_app_limited = s->is_app_limited || s->sent_delivered < b->limited_until,
	};
	if (s->rate_interval_ns)
		b->rs.rate = (uint64_t)((bbr_wide)s->rate_delivered * BBR_NS_PER_S /
					s->rate_interval_ns);
	if (!b->has_rtt && s->srtt_ns) {
		b->has_rtt = true;
		init_pacing(c, s->srtt_ns);
	}
	if (s->lost)
		b->n_losses_in_round++;
}

static void bbr_acked(struct congestion *c, const struct ack_sample *s)
{
	struct bbr *b = bbr_of(c);

	if (s->acked) {
		take_sample(c, b, s);
		bbr_update_latest(b);
		bbr_update_max_bw(b);
		bbr_adapt_to_loss(c, b);
		bbr_update_aggregation(c, b);
		check_full_bw(b);
		check_startup_done(c, b);
		check_drain_done(c, b);
		bbr_update_cycle(c, b);
		bbr_update_min_rtt(b);
		bbr_check_probe_rtt(c, b);
		bbr_advance_latest(b);
		bbr_bound_bw(b);
	} else {
		// Only losses: what they changed in the model holds at once.
		b->in_flight = s->in_flight_after;
		b->rs.acked = 0;
	}
	bbr_set_control(c, b);
}

static void bbr_sent(struct congestion *c, uint64_t in_flight, uint32_t len, uint64_t now_ns)
{
	bbr_of(c)->in_flight = in_flight;
}

static void bbr_lost(struct congestion *c, const struct loss_sample *s)
{
	bbr_handle_loss(c, bbr_of(c), s);
}

// 5.6.4.4. The state was saved as the first loss was told.
static void bbr_enter_recovery(struct congestion *c, uint64_t in_flight, uint64_t now_ns)
{
	struct bbr *b = bbr_of(c);

	bbr_save_state(c, b);
	bbr_save_cwnd(c, b);
	b->is_recovering = true;
}

static void bbr_leave_recovery(struct congestion *c, uint64_t now_ns)
{
	struct bbr *b = bbr_of(c);

	if (b->is_recovering)
		bbr_restore_cwnd(c, b);
	b->is_recovering = false;
	b->is_saved = false;
}

// Everything counts as lost, and so one segment may go out.
static void bbr_rto(struct congestion *c, uint64_t in_flight, uint64_t now_ns)
{
	struct bbr *b = bbr_of(c);

	bbr_save_state(c, b);
	bbr_save_cwnd(c, b);
	b->is_recovering = true;
	c->cwnd = c->mss;
}

static void bbr_undo(struct congestion *c, uint64_t now_ns)
{
	struct bbr *b = bbr_of(c);

	bbr_undo_loss(c, b);
	b->is_recovering = false;
	b->is_saved = false;
}

// 5.4.1: the window stays; the rate is that of the path, not above it.
static void bbr_restart(struct congestion *c, uint64_t idle_ns, uint64_t rto_ns, uint64_t now_ns)
{
	struct bbr *b = bbr_of(c);

	b->is_idle_restart = true;
	b->extra_since_ns = now_ns;
	b->extra_delivered = 0;
	if (bbr_is_probe_bw(b))
		bbr_pace(c, b, 100);
	else if (b->state == BBR_PROBE_RTT)
		bbr_check_probe_rtt_done(c, b, now_ns);
}

const struct congestion_ops congestion_bbr = {
	.name = "bbr",
	.init = bbr_init,
	.sent = bbr_sent,
	.acked = bbr_acked,
	.lost = bbr_lost,
	.enter_recovery = bbr_enter_recovery,
	.leave_recovery = bbr_leave_recovery,
	.rto = bbr_rto,
	.undo = bbr_undo,
	.restart = bbr_restart,
	.owns_recovery = true,
	.must_pace = true,
};
