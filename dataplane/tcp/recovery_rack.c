// SPDX-License-Identifier: BSD-3-Clause
// RACK (RFC 8985, 6): a segment is lost when one that was sent later has arrived and a reordering
// window has passed. So lost retransmissions are found too.
//
// Two walks, each in the order of transmission, stop at the first segment that is not yet due: the
// ones sent once, from where the last walk stopped, and the ones sent again.
#include "dataplane/tcp/recovery_priv.h"

// Whether the acknowledgement may be for an earlier transmission (6.2, step 2).
static bool is_ambiguous(const struct recovery *r, const struct record *rec,
			 const struct delivery *d)
{
	uint64_t rtt_ns = d->now_ns - rec->sent_ns;

	if (!(rec->flags & RECORD_WAS_RESENT))
		return false;
	return rtt_ns < r->min_rtt_ns ||
	       (d->in->has_ts && d->in->ts_rtt_ns > rtt_ns + TIMESTAMP_TICK);
}

// Steps 1 to 3. The minimum of step 1 is rtt_update()'s.
void rack_delivered(struct recovery *r, const struct record *rec, struct delivery *d)
{
	struct recovery_state *st = r->state;

	if (seq_gt(rec->to, st->rack.fack))
		st->rack.fack = rec->to;
	else if (seq_lt(rec->to, st->rack.fack) && !(rec->flags & RECORD_WAS_RESENT))
		st->rack.reordering_seen = true;
	if (is_ambiguous(r, rec, d))
		return;
	if (sent_after(rec->sent_ns, rec->to, st->rack.sent_ns, st->rack.to)) {
		st->rack.sent_ns = rec->sent_ns;
		st->rack.to = rec->to;
		st->rack.rtt_ns = d->now_ns - rec->sent_ns;
	}
}

// Step 4: a segment reported twice says that the window was too small.
void rack_dsack(struct recovery *r, const struct delivery *d)
{
	struct recovery_state *st = r->state;

	if (st->rack.dsack_round_on && seq_ge(r->una, st->rack.dsack_round))
		st->rack.dsack_round_on = false;
	if (d->has_dsack && !d->dsack_is_probe && !st->rack.dsack_round_on) {
		st->rack.dsack_round_on = true;
		st->rack.dsack_round = r->nxt;
		st->rack.reo_wnd_mult++;
		st->rack.reo_wnd_persist = 16;
	}
}

// Step 4: sixteen recoveries without one make it small again.
void rack_recovered(struct recovery *r)
{
	struct recovery_state *st = r->state;

	if (st->rack.reo_wnd_persist && --st->rack.reo_wnd_persist == 0)
		st->rack.reo_wnd_mult = 1;
}

static uint64_t reo_wnd_ns(const struct recovery *r)
{
	const struct recovery_state *st = r->state;
	uint64_t wnd;

	if (!st->rack.reordering_seen &&
	    (st->phase != RECOVERY_OPEN || st->rack.n_sacked >= DUP_THRESH))
		return 0;
	wnd = st->rack.reo_wnd_mult * (r->min_rtt_ns / 4);
	return wnd < r->srtt_ns ? wnd : r->srtt_ns;
}

enum verdict { VERDICT_LATER, VERDICT_WAIT, VERDICT_LOST };

// @return LATER: nothing that was sent after it has arrived; WAIT: it is lost at st->reorder_ns
static enum verdict judge(struct recovery_state *st, const struct record *rec, uint64_t wnd_ns,
			  uint64_t now_ns)
{
	uint64_t due_ns = rec->sent_ns + st->rack.rtt_ns + wnd_ns;

	if (!sent_after(st->rack.sent_ns, st->rack.to, rec->sent_ns, rec->to))
		return VERDICT_LATER;
	if (due_ns <= now_ns)
		return VERDICT_LOST;
	if (st->reorder_ns == 0 || due_ns < st->reorder_ns)
		st->reorder_ns = due_ns;
	return VERDICT_WAIT;
}

static void walk_fresh(struct recovery *r, uint64_t wnd_ns, uint64_t now_ns)
{
	struct recovery_state *st = r->state;
	uint32_t i = index_lt(st->fresh, st->head) ? st->head : st->fresh;

	while (i != st->tail) {
		const struct record *rec = record_of(st, i);

		if (rec->where == RECORD_SACKED) {
			i = record_skip_sacked(st, i);
			continue;
		}
		if (rec->where == RECORD_SENT) {
			if (judge(st, rec, wnd_ns, now_ns) != VERDICT_LOST)
				break;
			record_lost(r, i, now_ns);
		}
		i++;
	}
	st->fresh = i;
}

static void walk_resent(struct recovery *r, uint64_t wnd_ns, uint64_t now_ns)
{
	struct recovery_state *st = r->state;

	while (st->resent.n) {
		uint32_t i = st->resent.first;

		if (judge(st, record_of(st, i), wnd_ns, now_ns) != VERDICT_LOST)
			break;
		record_lost(r, i, now_ns);
	}
}

// Step 5
void rack_detect(struct recovery *r, uint64_t now_ns)
{
	uint64_t wnd_ns = reo_wnd_ns(r);

	r->state->reorder_ns = 0;
	walk_fresh(r, wnd_ns, now_ns);
	walk_resent(r, wnd_ns, now_ns);
}

// 6.3: the first segment, and what has been out for so long that it must have been acknowledged.
// Without SACK nothing is known but that.
void rack_timeout(struct recovery *r, uint64_t now_ns)
{
	struct recovery_state *st = r->state;
	uint64_t age_ns = st->rack.rtt_ns + reo_wnd_ns(r);

	for (uint32_t i = st->head; i != st->tail;) {
		struct record *rec = record_of(st, i);

		if (rec->where == RECORD_SACKED) {
			i = record_skip_sacked(st, i);
			continue;
		}
		if (rec->where == RECORD_SENT || rec->where == RECORD_RESENT) {
			if (i == st->head || !r->has_sack || rec->sent_ns + age_ns <= now_ns)
				record_lost(r, i, now_ns);
		} else { // some pieces of it may be out again
			r->resent -= rec->again;
			rec->again = 0;
		}
		i++;
	}
	record_move_first(st, st->head);
	st->fresh = st->head;
	st->reorder_ns = 0;
}
