// SPDX-License-Identifier: BSD-3-Clause
// Whether a recovery was for nothing. Three witnesses: the echo of a timestamp from before the
// retransmission (Eifel, RFC 3522), reports that all that was sent again came twice (RFC 2883), and
// without timestamps after an RTO, acknowledgements of what was never sent again (F-RTO, RFC 5682).
#include "dataplane/tcp/recovery_priv.h"

void undo_begin(struct recovery *r, bool is_rto)
{
	struct recovery_state *st = r->state;

	st->undo.is_on = true;
	st->undo.is_judged = false;
	st->undo.from = r->una;
	st->undo.until = r->nxt;
	st->undo.bytes = r->resent;
	st->undo.first_resent_ns = 0;
	st->undo.frto = is_rto && !r->has_time ? FRTO_FIRST_ACK : FRTO_OFF;
}

void undo_resent(struct recovery *r, uint32_t len, uint64_t now_ns)
{
	struct recovery_state *st = r->state;

	if (st->phase == RECOVERY_OPEN)
		return;
	st->undo.bytes += len;
	if (st->undo.first_resent_ns == 0)
		st->undo.first_resent_ns = now_ns;
}

uint64_t recovery_first_resent_ns(const struct recovery *r)
{
	return r->state->undo.first_resent_ns;
}

// The first acknowledgement that moves SND.UNA tells which transmission it answers.
static bool eifel(struct recovery_state *st, const struct delivery *d)
{
	if (st->undo.is_judged || d->acked == 0 || st->phase == RECOVERY_OPEN)
		return false;
	st->undo.is_judged = true;
	if (st->undo.first_resent_ns == 0)
		return true; // it was not even sent again
	return d->in->has_ts && d->in->ts_is_of_first;
}

static bool all_came_twice(struct recovery *r, const struct delivery *d)
{
	struct recovery_state *st = r->state;
	const struct tcp_range *b = &d->in->sack[0];
	uint64_t len;

	if (!d->has_dsack || d->dsack_is_probe || seq_lt(b->from, st->undo.from) ||
	    st->undo.bytes == 0)
		return false;
	len = (uint32_t)seq_diff(b->to, b->from);
	st->undo.bytes -= len < st->undo.bytes ? len : st->undo.bytes;
	return st->undo.bytes == 0;
}

// RFC 5682, 2.1. Between the two acknowledgements only new data goes out (recovery_next()).
static bool frto(struct recovery *r, const struct delivery *d, bool is_dup)
{
	struct recovery_state *st = r->state;
	enum frto was = st->undo.frto;

	if (was == FRTO_OFF || (d->bytes == 0 && !is_dup))
		return false;
	st->undo.frto = FRTO_OFF;
	if (was == FRTO_SECOND_ACK)
		return d->has_original;
	if (d->acked && seq_lt(r->una, st->high) && r->has_new)
		st->undo.frto = FRTO_SECOND_ACK;
	return false;
}

static void undo(struct recovery *r, uint64_t now_ns)
{
	struct recovery_state *st = r->state;

	// It was no loss but reordering, or a delay.
	if (st->phase == RECOVERY_FAST)
		st->rack.reordering_seen = true;
	st->undo.is_on = false;
	st->undo.frto = FRTO_OFF;
	st->phase = RECOVERY_OPEN;
	records_unlose(r);
	reno_clear(r);
	st->full_size_losses = 0;
	r->backoff = 0;
	r->n_undone++;
	r->congestion->ops->undo(r->congestion, now_ns);
}

bool undo_take(struct recovery *r, const struct delivery *d, bool is_dup)
{
	struct recovery_state *st = r->state;
	bool is_spurious;

	if (!st->undo.is_on)
		return false;
	is_spurious = eifel(st, d);
	is_spurious |= all_came_twice(r, d);
	is_spurious |= frto(r, d, is_dup);
	if (is_spurious)
		undo(r, d->now_ns);
	else if (st->phase == RECOVERY_OPEN && seq_gt(r->una, st->undo.until))
		st->undo.is_on = false;
	return is_spurious;
}
