// SPDX-License-Identifier: BSD-3-Clause
// BBR, 5.5: rounds, the highest bandwidth, how much acknowledgements come in heaps.
#include "dataplane/tcp/bbr.h"

// 5.5.1: a round ends with the first acknowledgement of what was sent after it began.
static void update_round(struct bbr *b)
{
	b->is_round_start = b->rs.prior_delivered >= b->next_round_delivered;
	if (!b->is_round_start)
		return;
	bbr_start_round(b);
	b->round_count++;
	b->rounds_since_up++;
	b->extra_of_round[b->round_count % BBR_EXTRA_ROUNDS] = 0;
}

void bbr_start_round(struct bbr *b)
{
	b->next_round_delivered = b->delivered;
}

// 5.5.5: what the application held back says nothing, unless it is even so more than was known.
void bbr_update_max_bw(struct bbr *b)
{
	update_round(b);
	if (b->rs.rate == 0 || (b->rs.is_app_limited && b->rs.rate < b->max_bw))
		return;
	b->cycle_bw[1] = bbr_max(b->cycle_bw[1], b->rs.rate);
	b->max_bw = bbr_max(b->cycle_bw[0], b->cycle_bw[1]);
}

// 5.5.6. A cycle without samples leaves what is known.
void bbr_advance_max_bw(struct bbr *b)
{
	if (b->cycle_bw[1] == 0)
		return;
	b->cycle_bw[0] = b->cycle_bw[1];
	b->cycle_bw[1] = 0;
	b->max_bw = b->cycle_bw[0];
}

// 5.5.9: what was acknowledged beyond what the bandwidth explains, the most of ten rounds (of one
// in Startup, where the bandwidth is not known yet).
void bbr_update_aggregation(struct congestion *c, struct bbr *b)
{
	uint64_t interval_ns = b->rs.now_ns - b->extra_since_ns;
	uint64_t expected = (uint64_t)((bbr_wide)b->bw * interval_ns / BBR_NS_PER_S);
	uint64_t *of_round = &b->extra_of_round[b->round_count % BBR_EXTRA_ROUNDS];

	if (b->extra_delivered <= expected) {
		b->extra_delivered = 0;
		b->extra_since_ns = b->rs.now_ns;
		expected = 0;
	}
	b->extra_delivered += b->rs.acked;
	*of_round = bbr_max(*of_round, bbr_min(b->extra_delivered - expected, c->cwnd));
	b->extra_acked = *of_round;
	for (unsigned i = 0; b->is_full_reached && i < BBR_EXTRA_ROUNDS; i++)
		b->extra_acked = bbr_max(b->extra_acked, b->extra_of_round[i]);
}

void bbr_bound_bw(struct bbr *b)
{
	b->bw = bbr_min(b->max_bw, b->bw_shortterm);
}
