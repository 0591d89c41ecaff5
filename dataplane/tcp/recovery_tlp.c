// SPDX-License-Identifier: BSD-3-Clause
// Tail loss probes (RFC 8985, 7): when the tail of a flight is lost, nothing comes back that would
// tell of it. So after two round trips of silence one segment goes out, whose acknowledgement does.
#include "dataplane/tcp/recovery_priv.h"

#define PROBE_SLACK (2 * NS_PER_MS) // for peers that are slow to be scheduled, on short paths

void tlp_arm(struct recovery *r, uint64_t now_ns)
{
	r->state->tlp.is_armed = true;
	r->state->tlp.start_ns = now_ns;
}

// 7.2
uint64_t tlp_deadline(const struct recovery *r, uint64_t rto_at_ns)
{
	const struct recovery_state *st = r->state;
	uint64_t pto_ns = NS_PER_S;

	if (!st->tlp.is_armed || st->tlp.is_on || !r->has_sack || st->phase != RECOVERY_OPEN ||
	    r->sacked)
		return TCP_NO_DEADLINE;
	if (r->srtt_ns)
		pto_ns = 2 * r->srtt_ns +
			 (st->tail - st->head == 1 ? r->set->ack_delay_ns : PROBE_SLACK);
	return st->tlp.start_ns + pto_ns < rto_at_ns ? st->tlp.start_ns + pto_ns : rto_at_ns;
}

bool recovery_probe(struct recovery *r, struct tcp_range *out)
{
	const struct recovery_state *st = r->state;
	const struct record *rec;

	if (st->head == st->tail)
		return false;
	rec = record_of(st, st->tail - 1);
	if (rec->where == RECORD_SACKED)
		return false;
	out->from = rec->from;
	out->to = record_len(rec) > r->mss ? seq_add(rec->from, r->mss) : rec->to;
	return true;
}

// 7.3
void recovery_probed(struct recovery *r, bool is_new, uint64_t now_ns)
{
	struct recovery_state *st = r->state;

	st->tlp.is_on = true;
	st->tlp.is_again = !is_new;
	st->tlp.to = r->nxt;
	st->tlp.is_armed = false;
	st->timer_ns = now_ns;
	r->n_tlp++;
}

// 7.4.2. A probe that was sent again and acknowledged with no sign of a duplicate has filled a
// hole: one loss, unseen by anything else.
bool tlp_take(struct recovery *r, const struct delivery *d, bool is_dup)
{
	struct recovery_state *st = r->state;

	if (!st->tlp.is_on || seq_lt(d->in->ack, st->tlp.to))
		return false;
	if (!st->tlp.is_again || (d->has_dsack && d->dsack_is_probe)) {
		st->tlp.is_on = false;
		return false;
	}
	if (seq_gt(d->in->ack, st->tlp.to)) {
		st->tlp.is_on = false;
		return true;
	}
	if (is_dup && d->in->n_sack == 0)
		st->tlp.is_on = false;
	return false;
}
