// SPDX-License-Identifier: BSD-3-Clause
// BBR, 5.3.4: ProbeRTT. All flows of a bottleneck that have not seen a low round trip for 5 s
// shrink together for 200 ms, and what they see then is the path without its queue.
#include "dataplane/tcp/bbr.h"

#define MIN_RTT_WINDOW_NS     (10 * BBR_NS_PER_S) // MinRTTFilterLen
#define PROBE_RTT_INTERVAL_NS (5 * BBR_NS_PER_S)
#define PROBE_RTT_DURATION_NS (BBR_NS_PER_S / 5)

void bbr_update_min_rtt(struct bbr *b)
{
	uint64_t now = b->rs.now_ns, rtt = b->rs.rtt_ns;

	b->is_probe_rtt_due = now > b->probe_rtt_stamp_ns + PROBE_RTT_INTERVAL_NS;
	if (rtt && (rtt < b->probe_rtt_min_ns || b->is_probe_rtt_due)) {
		b->probe_rtt_min_ns = rtt;
		b->probe_rtt_stamp_ns = now;
	}
	if (b->probe_rtt_min_ns < b->min_rtt_ns || now > b->min_rtt_stamp_ns + MIN_RTT_WINDOW_NS) {
		b->min_rtt_ns = b->probe_rtt_min_ns;
		b->min_rtt_stamp_ns = b->probe_rtt_stamp_ns;
	}
}

static void enter_probe_rtt(struct congestion *c, struct bbr *b)
{
	bbr_save_cwnd(c, b);
	b->state = BBR_PROBE_RTT;
	b->probe_rtt_done_ns = 0;
	b->acks = BBR_ACKS_PROBE_STOPPING;
	bbr_start_round(b);
}

// 5.3.4.4: the queue is short now, so that the flow cruises at once.
static void exit_probe_rtt(struct congestion *c, struct bbr *b)
{
	bbr_reset_short_term(b);
	if (b->is_full_reached) {
		bbr_start_down(c, b);
		bbr_start_cruise(b);
	} else {
		bbr_enter_startup(b);
	}
}

void bbr_check_probe_rtt_done(struct congestion *c, struct bbr *b, uint64_t now_ns)
{
	if (b->probe_rtt_done_ns == 0 || now_ns <= b->probe_rtt_done_ns)
		return;
	b->probe_rtt_stamp_ns = now_ns;
	bbr_restore_cwnd(c, b);
	b->rs.now_ns = now_ns;
	exit_probe_rtt(c, b);
}

// Its 200 ms, and at least a round, begin as the window is reached.
static void handle_probe_rtt(struct congestion *c, struct bbr *b)
{
	b->limited_until = b->delivered + b->in_flight;
	if (b->probe_rtt_done_ns == 0 && b->in_flight <= bbr_probe_rtt_cwnd(c, b)) {
		b->probe_rtt_done_ns = b->rs.now_ns + PROBE_RTT_DURATION_NS;
		b->is_probe_rtt_round_done = false;
		bbr_start_round(b);
	} else if (b->probe_rtt_done_ns) {
		if (b->is_round_start)
			b->is_probe_rtt_round_done = true;
		if (b->is_probe_rtt_round_done)
			bbr_check_probe_rtt_done(c, b, b->rs.now_ns);
	}
}

void bbr_check_probe_rtt(struct congestion *c, struct bbr *b)
{
	if (b->state != BBR_PROBE_RTT && b->is_probe_rtt_due && !b->is_idle_restart)
		enter_probe_rtt(c, b);
	if (b->state == BBR_PROBE_RTT)
		handle_probe_rtt(c, b);
	if (b->rs.delivered)
		b->is_idle_restart = false;
}
