// SPDX-License-Identifier: BSD-3-Clause
// Without SACK: duplicate acknowledgements and NewReno (RFC 5681, 3.2; 6582; limited transmit, RFC
// 3042). Each duplicate stands for one segment that has left the network; it counts as sacked, so
// that in-flight, PRR and limited transmit are the same sums as with SACK.
#include "dataplane/tcp/recovery_priv.h"

void reno_clear(struct recovery *r)
{
	r->sacked -= r->state->reno.inferred;
	r->state->reno.inferred = 0;
	r->state->reno.n_dup = 0;
}

static void infer(struct recovery *r, uint64_t inferred, struct delivery *d)
{
	struct recovery_state *st = r->state;
	uint64_t most = (uint32_t)seq_diff(r->nxt, r->una) - r->lost;

	if (inferred > most)
		inferred = most;
	if (inferred > st->reno.inferred)
		d->bytes += inferred - st->reno.inferred;
	r->sacked += inferred - st->reno.inferred;
	st->reno.inferred = inferred;
}

// SND.UNA moved. What was inferred has been counted when the duplicates came, but for the segment
// that filled the hole.
static void advance(struct recovery *r, struct delivery *d)
{
	struct recovery_state *st = r->state;
	uint64_t beyond = d->acked > r->mss ? d->acked - r->mss : 0;
	uint64_t counted = st->reno.inferred < beyond ? st->reno.inferred : beyond;

	d->bytes -= counted < d->bytes ? counted : d->bytes;
	r->sacked -= counted;
	st->reno.inferred -= counted;
	st->reno.n_dup = 0;
	if (st->phase != RECOVERY_FAST)
		reno_clear(r);
}

void reno_take(struct recovery *r, struct delivery *d, bool is_dup)
{
	struct recovery_state *st = r->state;

	if (d->acked)
		advance(r, d);
	if (is_dup)
		st->reno.n_dup++;
	infer(r, st->reno.inferred + (is_dup ? r->mss : 0), d);
}

// The third duplicate, unless what it duplicates was sent before the last recovery (RFC 6582, 3.2,
// step 2), or in recovery an acknowledgement that moves to the next hole (step 3).
void reno_detect(struct recovery *r, const struct delivery *d)
{
	struct recovery_state *st = r->state;
	bool is_third = st->phase == RECOVERY_OPEN && st->reno.n_dup >= DUP_THRESH &&
			seq_gt(r->una, st->reno.recover);
	bool is_partial = st->phase == RECOVERY_FAST && d->acked && seq_lt(r->una, st->high);

	if (!is_third && !is_partial)
		return;
	if (st->head != st->tail && record_of(st, st->head)->where == RECORD_SENT)
		record_lost(r, st->head, d->now_ns);
	infer(r, st->reno.inferred, &(struct delivery){0}); // what is lost has not arrived
}
