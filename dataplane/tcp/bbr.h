// SPDX-License-Identifier: BSD-3-Clause
// BBR, version 3, as draft-ietf-ccwg-bbr-06 has it; section numbers are the draft's, and so are the
// names (C.x is struct congestion, RS.x is struct bbr_sample).
//
//   bbr.c          5.2 what happens on what, 5.3.1 Startup, 5.3.2 Drain, 5.4 idle
//   bbr_probe.c    5.3.3 ProbeBW
//   bbr_rtt.c      5.3.4 ProbeRTT
//   bbr_model.c    5.5 the path: rounds, bandwidth, aggregation
//   bbr_loss.c     5.5.10 what loss does to the model, 5.5.11 undo
//   bbr_control.c  5.6 pacing rate and window
//
//           Startup -> Drain -> DOWN -> CRUISE -> REFILL -> UP -+
//                                ^                              |
//                                +------------------------------+
//           from each to ProbeRTT when the round trip was not low for 5 s; from there to CRUISE, or
//           to Startup if the pipe was never full
//
// Integers only: rates in bytes/s, volumes in bytes, gains in per cent.
#pragma once

#include "dataplane/tcp/congestion.h"

#define BBR_INFINITE       UINT64_MAX
#define BBR_NS_PER_S       1000000000ull
#define BBR_LOSS_PERCENT   2  // LossThresh
#define BBR_BETA_PERCENT   70 // Beta
#define BBR_PIPE_SEGMENTS  4  // MinPipeCwnd
#define BBR_EXTRA_ROUNDS   10 // ExtraAckedFilterLen
#define BBR_MARGIN_PERCENT 1  // PacingMarginPercent

typedef unsigned __int128 bbr_wide;

enum bbr_state {
	BBR_STARTUP,
	BBR_DRAIN,
	BBR_DOWN,
	BBR_CRUISE,
	BBR_REFILL,
	BBR_UP,
	BBR_PROBE_RTT,
	BBR_NO_STATE, // of undo_state
};

enum bbr_acks { // ack_phase: what the acknowledgements tell of
	BBR_ACKS_INIT,
	BBR_ACKS_REFILLING,
	BBR_ACKS_PROBE_STARTING,
	BBR_ACKS_PROBE_FEEDBACK,
	BBR_ACKS_PROBE_STOPPING,
};

struct bbr_sample { // RS, 4.1
	uint64_t now_ns;
	uint64_t rate; // delivery_rate; 0: none
	uint64_t delivered, prior_delivered;
	uint64_t acked;     // newly_acked
	uint64_t lost;      // since the segment was sent
	uint64_t in_flight; // tx_in_flight: as it was sent
	uint64_t rtt_ns;    // 0: none
	bool is_app_limited;
};

struct bbr {
	enum bbr_state state;
	enum bbr_acks acks;
	struct bbr_sample rs;

	// C.x: the connection, as the last acknowledgement left it
	uint64_t delivered, in_flight;
	bool is_cwnd_limited;
	bool is_recovering; // InLossRecovery()
	bool has_rtt;

	// 5.5.1 rounds
	uint64_t next_round_delivered, round_count;
	bool is_round_start;

	// 5.5.2-5.5.9 the model
	uint64_t bw, max_bw;
	uint64_t cycle_bw[2]; // max_bw_filter: of the last cycle, of this one
	uint64_t min_rtt_ns, min_rtt_stamp_ns;
	uint64_t extra_acked, extra_since_ns, extra_delivered;
	uint64_t extra_of_round[BBR_EXTRA_ROUNDS]; // extra_acked_filter

	// 5.5.10 bounds: over cycles, and since the last probe
	uint64_t inflight_longterm, inflight_shortterm, bw_shortterm;
	uint64_t bw_latest, inflight_latest, loss_round_delivered;
	bool is_loss_round_start, is_loss_in_round;
	unsigned n_losses_in_round;

	// 5.5.11 undo, 5.6.4.4 the window of before recovery
	bool is_saved;
	enum bbr_state undo_state;
	uint64_t undo_bw_shortterm, undo_inflight_shortterm, undo_inflight_longterm;
	uint64_t prior_cwnd;

	// 5.3.1, 5.3.2 is the pipe full?
	uint64_t full_bw;
	unsigned n_full_bw;
	bool is_full_now, is_full_reached;
	uint64_t drain_start_round;

	// 5.3.3 ProbeBW
	uint64_t cycle_stamp_ns, probe_wait_ns;
	uint64_t rounds_since_up, up_acked, up_acked_per_segment;
	unsigned n_up_rounds;
	bool is_probe_sample, was_too_high, was_precautionary;

	// 5.3.4 ProbeRTT
	uint64_t probe_rtt_min_ns, probe_rtt_stamp_ns;
	uint64_t probe_rtt_done_ns; // 0: not yet down at its window
	uint64_t limited_until;     // MarkConnectionAppLimited(): what is sent before so much is
				    // delivered does not count
	bool is_probe_rtt_due, is_probe_rtt_round_done;
	bool is_idle_restart;
};

_Static_assert(sizeof(struct bbr) <= CONGESTION_PRIVATE, "does not fit into struct congestion");

static inline struct bbr *bbr_of(struct congestion *c)
{
	return (struct bbr *)c->private;
}

static inline uint64_t bbr_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t bbr_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline bool bbr_is_probe_bw(const struct bbr *b)
{
	return b->state >= BBR_DOWN && b->state <= BBR_UP;
}

// bbr.c
void bbr_enter_startup(struct bbr *b);
void bbr_reset_full_bw(struct bbr *b);

// bbr_probe.c
void bbr_enter_probe_bw(struct congestion *c, struct bbr *b);
void bbr_start_down(struct congestion *c, struct bbr *b);
void bbr_start_cruise(struct bbr *b);
void bbr_start_refill(struct bbr *b);
void bbr_update_cycle(struct congestion *c, struct bbr *b);

// bbr_rtt.c
void bbr_update_min_rtt(struct bbr *b);
void bbr_check_probe_rtt(struct congestion *c, struct bbr *b);
void bbr_check_probe_rtt_done(struct congestion *c, struct bbr *b, uint64_t now_ns);

// bbr_model.c
void bbr_start_round(struct bbr *b);
void bbr_update_max_bw(struct bbr *b);
void bbr_advance_max_bw(struct bbr *b);
void bbr_update_aggregation(struct congestion *c, struct bbr *b);
void bbr_bound_bw(struct bbr *b);

// bbr_loss.c
void bbr_reset_signals(struct bbr *b);
void bbr_reset_short_term(struct bbr *b);
void bbr_update_latest(struct bbr *b);
void bbr_advance_latest(struct bbr *b);
void bbr_adapt_to_loss(struct congestion *c, struct bbr *b);
void bbr_handle_loss(struct congestion *c, struct bbr *b, const struct loss_sample *s);
bool bbr_is_inflight_too_high(const struct congestion *c, const struct bbr *b);
void bbr_save_state(const struct congestion *c, struct bbr *b);
void bbr_undo_loss(struct congestion *c, struct bbr *b);

// bbr_control.c
uint64_t bbr_inflight(const struct congestion *c, const struct bbr *b, uint64_t bw,
		      unsigned percent);
uint64_t bbr_target_inflight(const struct congestion *c, const struct bbr *b);
uint64_t bbr_headroom(const struct congestion *c, const struct bbr *b);
uint64_t bbr_probe_rtt_cwnd(const struct congestion *c, const struct bbr *b);
void bbr_pace(struct congestion *c, const struct bbr *b, unsigned percent);
void bbr_set_control(struct congestion *c, struct bbr *b);
void bbr_save_cwnd(const struct congestion *c, struct bbr *b);
void bbr_restore_cwnd(struct congestion *c, const struct bbr *b);
