// SPDX-License-Identifier: BSD-3-Clause
// One timer of three (RFC 8985, 8): RACK's, while something waits to be found lost; else the tail
// loss probe; else, and never later than it, the retransmission timeout (RFC 6298, 5).
#include "dataplane/tcp/recovery_priv.h"

// From the last acknowledgement that moved SND.UNA, timeout or probe, or from when SND.UNA last
// went out: a retransmission has a whole RTO to be answered.
static uint64_t rto_at_ns(const struct recovery *r)
{
	const struct recovery_state *st = r->state;
	uint64_t from_ns = record_of(st, st->head)->sent_ns;

	if (from_ns < st->timer_ns)
		from_ns = st->timer_ns;
	return from_ns + rto_backed_off(r);
}

uint64_t recovery_deadline(const struct recovery *r)
{
	const struct recovery_state *st = r->state;
	uint64_t at_ns, pto_ns;

	if (st->head == st->tail || st->is_persisting)
		return TCP_NO_DEADLINE;
	at_ns = rto_at_ns(r);
	pto_ns = tlp_deadline(r, at_ns);
	if (pto_ns < at_ns)
		at_ns = pto_ns;
	if (st->reorder_ns && st->reorder_ns < at_ns)
		at_ns = st->reorder_ns;
	return at_ns;
}

static void reorder(struct recovery *r, uint64_t now_ns)
{
	const struct recovery_ack none = {.ack = r->una, .now_ns = now_ns};
	struct delivery d = {
		.in = &none,
		.now_ns = now_ns,
		.in_flight = recovery_in_flight(r),
		.lost = r->state->rate.lost,
	};

	rack_detect(r, now_ns);
	recovery_change_phase(r, &d);
}

// The peer may drop what it has sacked (RFC 2018, 8). That it did, shows by SND.UNA being sacked
// and not acknowledged.
static void forget_if_reneged(struct recovery *r)
{
	const struct recovery_state *st = r->state;

	if (record_of(st, st->head)->where == RECORD_SACKED)
		records_unsack(r);
}

static void time_out(struct recovery *r, uint64_t now_ns)
{
	struct recovery_state *st = r->state;
	uint64_t in_flight = recovery_in_flight(r);

	r->n_rto++;
	forget_if_reneged(r);
	reno_clear(r);
	rack_timeout(r, now_ns);
	if (st->is_open)
		r->congestion->ops->rto(r->congestion, in_flight, now_ns);
	if (r->n_timeouts++ == 0)
		undo_begin(r, true);
	r->backoff++;
	st->phase = RECOVERY_LOSS;
	st->high = st->reno.recover = r->nxt;
	st->tlp.is_on = false;
	st->timer_ns = now_ns;
}

enum recovery_timer recovery_expire(struct recovery *r, uint64_t now_ns)
{
	struct recovery_state *st = r->state;

	if (recovery_deadline(r) > now_ns)
		return RECOVERY_NONE;
	if (st->reorder_ns && st->reorder_ns <= now_ns) {
		reorder(r, now_ns);
		return RECOVERY_REORDER;
	}
	if (tlp_deadline(r, rto_at_ns(r)) <= now_ns) {
		st->tlp.is_armed = false;
		st->timer_ns = now_ns;
		return RECOVERY_PROBE;
	}
	time_out(r, now_ns);
	return RECOVERY_TIMEOUT;
}

void recovery_persist(struct recovery *r, bool on, uint64_t now_ns)
{
	struct recovery_state *st = r->state;

	if (on == st->is_persisting)
		return;
	st->is_persisting = on;
	st->timer_ns = now_ns;
	tlp_arm(r, now_ns);
}
