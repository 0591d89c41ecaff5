// SPDX-License-Identifier: BSD-3-Clause
// One acknowledgement:
//
//   take_una() -> sack_take() or reno_take()   what has arrived: records go, or are marked
//     -> rate_fill(), rtt_update()             what that says of the path
//     -> undo_take()                           what was not lost after all
//     -> rack_detect() or reno_detect()        what is lost now
//     -> change_phase() -> prr_take()          congestion control hears of it
//
//                 something lost                  all up to `high` acknowledged, or undone
//   RECOVERY_OPEN ---------------> RECOVERY_FAST ------------------------------> RECOVERY_OPEN
//         |                              |                                            ^
//         +------- retransmission timeout (recovery_timer.c) ----> RECOVERY_LOSS -----+
#include "dataplane/tcp/recovery_priv.h"

#include <errno.h>
#include <stdlib.h>

int recovery_init(struct recovery *r, const struct recovery_settings *set,
		  struct congestion *congestion, struct seq iss)
{
	struct recovery_state *st = calloc(1, sizeof(*st));

	if (!st || record_init(st)) {
		free(st);
		return -ENOMEM;
	}
	st->rack.to = st->rack.fack = st->high = st->reno.recover = iss;
	st->rate.full = iss;
	st->rack.reo_wnd_mult = 1;
	st->rate.app_limited = 1; // until the first acknowledgement
	*r = (struct recovery){
		.set = set,
		.congestion = congestion,
		.mss = congestion->mss,
		.una = iss,
		.nxt = iss,
		.rto_ns = set->rto_first_ns,
		.state = st,
	};
	return 0;
}

void recovery_fini(struct recovery *r)
{
	if (r->state)
		free(r->state->records);
	free(r->state);
	r->state = NULL;
}

void recovery_open(struct recovery *r, bool has_sack, bool has_time, uint32_t mss, uint64_t rtt_ns,
		   uint64_t now_ns)
{
	struct recovery_state *st = r->state;

	r->has_sack = has_sack;
	r->has_time = has_time;
	r->congestion->has_sack = has_sack;
	r->mss = mss;
	r->backoff = 0;
	r->n_timeouts = 0;
	st->phase = RECOVERY_OPEN;
	st->is_open = true;
	st->undo.is_on = false;
	if (rtt_ns)
		rtt_first(r, rtt_ns, now_ns);
	else if (r->n_rto && r->rto_ns < 3 * NS_PER_S)
		r->rto_ns = 3 * NS_PER_S; // RFC 6298, 5.7
}

void recovery_mss(struct recovery *r, uint32_t mss)
{
	r->mss = mss;
	r->state->full_size_losses = 0;
}

bool recovery_is_on(const struct recovery *r)
{
	return r->state->phase != RECOVERY_OPEN;
}

unsigned recovery_full_size_losses(const struct recovery *r)
{
	return r->state->full_size_losses;
}

// --- sending

static void note_sent(struct recovery *r, uint32_t len, uint64_t in_flight, uint64_t now_ns)
{
	struct recovery_state *st = r->state;
	struct congestion *c = r->congestion;

	if (in_flight + r->mss > c->cwnd)
		st->rate.full = r->nxt;
	prr_sent(r, len);
	if (st->is_open && c->ops->sent)
		c->ops->sent(c, in_flight, len, now_ns);
}

int recovery_sent(struct recovery *r, uint32_t len, bool is_app_limited, uint64_t now_ns)
{
	struct recovery_state *st = r->state;
	struct record *rec = record_push(r, len);
	uint64_t in_flight;

	if (!rec)
		return -ENOBUFS;
	assert(len > 0 && len <= UINT16_MAX);
	if (seq_eq(r->una, r->nxt))
		st->timer_ns = now_ns;
	r->nxt = rec->to;
	in_flight = recovery_in_flight(r);
	rate_sent(r, rec, len, in_flight, now_ns);
	if (is_app_limited && in_flight < r->congestion->cwnd)
		st->rate.app_limited = st->rate.delivered + in_flight;
	tlp_arm(r, now_ns);
	note_sent(r, len, in_flight, now_ns);
	return 0;
}

// RFC 5682, 2.1, step 2: new data goes out to see whether the timeout was spurious.
static bool is_held(const struct recovery *r)
{
	return r->state->undo.frto == FRTO_SECOND_ACK && r->has_new;
}

static bool may_resend(const struct recovery *r, uint32_t len)
{
	const struct recovery_state *st = r->state;
	uint64_t in_flight = recovery_in_flight(r);

	if (in_flight == 0 || !st->is_open)
		return true;
	if (st->phase == RECOVERY_FAST && !r->congestion->ops->owns_recovery)
		return len <= st->prr.room;
	return in_flight + len <= r->congestion->cwnd;
}

bool recovery_next(struct recovery *r, uint64_t now_ns, struct tcp_range *out)
{
	struct recovery_state *st = r->state;
	const struct record *rec, *again;

	if (st->lost.n + st->again.n == 0)
		return false;
	if (is_held(r))
		return false;
	rec = record_of(st, st->lost.n ? st->lost.first : st->again.first);
	again = record_of(st, st->again.n ? st->again.first : st->lost.first);
	if (seq_lt(again->from, rec->from))
		rec = again;
	out->from = seq_add(rec->from, rec->again);
	out->to = rec->to;
	if ((uint32_t)seq_diff(out->to, out->from) > r->mss)
		out->to = seq_add(out->from, r->mss);
	return may_resend(r, (uint32_t)seq_diff(out->to, out->from));
}

void recovery_resent(struct recovery *r, const struct tcp_range *range, uint64_t now_ns)
{
	struct recovery_state *st = r->state;
	uint32_t len = (uint32_t)seq_diff(range->to, range->from);
	uint32_t i = record_find(r, seq_add(range->from, 1)) - 1;
	uint64_t in_flight;

	assert(seq_ge(range->from, r->una) && seq_le(range->to, r->nxt) && len > 0);
	record_resent(r, i, len);
	in_flight = recovery_in_flight(r);
	rate_sent(r, record_of(st, i), len, in_flight, now_ns);
	undo_resent(r, len, now_ns);
	note_sent(r, len, in_flight, now_ns);
}

uint64_t recovery_allow(const struct recovery *r, uint64_t now_ns)
{
	const struct recovery_state *st = r->state;
	uint64_t in_flight = recovery_in_flight(r), cwnd = r->congestion->cwnd;

	if (st->lost.n + st->again.n && !is_held(r))
		return 0; // what is lost goes first
	if (st->phase == RECOVERY_FAST && !r->congestion->ops->owns_recovery)
		return st->prr.room;
	return cwnd > in_flight ? cwnd - in_flight : 0;
}

// --- acknowledgements

static bool is_dup(const struct recovery *r, const struct recovery_ack *in)
{
	return seq_eq(in->ack, r->una) && !seq_eq(r->una, r->nxt) && !in->has_data &&
	       !in->window_changed;
}

static void take_una(struct recovery *r, struct delivery *d)
{
	struct recovery_state *st = r->state;
	struct seq ack = d->in->ack;

	if (seq_le(ack, r->una))
		return;
	assert(seq_le(ack, r->nxt));
	while (st->head != st->tail) {
		struct record *rec = record_of(st, st->head);

		if (seq_gt(rec->to, ack))
			break;
		if (rec->where == RECORD_SACKED) {
			r->sacked -= record_len(rec);
			st->rack.n_sacked--;
		} else {
			record_delivered(r, st->head, d);
		}
		st->head++;
	}
	if (st->head != st->tail && seq_lt(record_of(st, st->head)->from, ack))
		record_cut(r, ack, d);
	d->acked = (uint32_t)seq_diff(ack, r->una);
	r->una = ack;
	r->n_timeouts = 0;
	st->timer_ns = d->now_ns;
	tlp_arm(r, d->now_ns);
}

static void enter_fast(struct recovery *r, const struct delivery *d)
{
	struct recovery_state *st = r->state;

	st->phase = RECOVERY_FAST;
	st->high = st->reno.recover = r->nxt;
	r->n_recoveries++;
	undo_begin(r, false);
	r->congestion->ops->enter_recovery(r->congestion, d->in_flight, d->now_ns);
	prr_begin(r, d);
}

static void leave(struct recovery *r, uint64_t now_ns)
{
	struct recovery_state *st = r->state;

	st->phase = RECOVERY_OPEN;
	st->undo.until = r->nxt;
	st->undo.frto = FRTO_OFF;
	if (!r->has_sack)
		reno_clear(r);
	rack_recovered(r);
	r->congestion->ops->leave_recovery(r->congestion, now_ns);
}

// One loss that a probe repaired: congestion all the same (RFC 8985, 7.4.2).
static void probe_repaired(struct recovery *r, const struct delivery *d)
{
	r->congestion->ops->enter_recovery(r->congestion, d->in_flight, d->now_ns);
	r->congestion->ops->leave_recovery(r->congestion, d->now_ns);
}

void recovery_change_phase(struct recovery *r, const struct delivery *d)
{
	struct recovery_state *st = r->state;

	if (st->phase != RECOVERY_OPEN && seq_ge(r->una, st->high))
		leave(r, d->now_ns);
	if (st->phase == RECOVERY_OPEN && r->lost)
		enter_fast(r, d);
	if (st->phase == RECOVERY_FAST)
		prr_take(r, d);
}

static void tell_congestion(struct recovery *r, const struct delivery *d, bool was_full,
			    struct ack_sample *s)
{
	s->now_ns = d->now_ns;
	s->acked = d->bytes;
	s->lost = r->state->rate.lost - d->lost;
	s->lost_total = r->state->rate.lost;
	s->in_flight = d->in_flight;
	s->in_flight_after = recovery_in_flight(r);
	s->min_rtt_ns = r->min_rtt_ns;
	s->srtt_ns = r->srtt_ns;
	s->is_cwnd_limited = was_full;
	s->in_recovery = r->state->phase == RECOVERY_FAST;
	if (s->acked || s->advanced || s->lost)
		r->congestion->ops->acked(r->congestion, s);
}

void recovery_ack(struct recovery *r, const struct recovery_ack *in, struct recovery_news *out)
{
	struct recovery_state *st = r->state;
	struct delivery d = {
		.in = in,
		.now_ns = in->now_ns,
		.in_flight = recovery_in_flight(r),
		.lost = st->rate.lost,
	};
	bool was_full = seq_lt(r->una, st->rate.full), dup = is_dup(r, in), undone, repaired;
	bool was_fast = st->phase == RECOVERY_FAST;

	take_una(r, &d);
	out->acked = d.acked;
	out->is_dup = out->lost_new = false;
	if (!st->is_open) {
		out->sample = (struct ack_sample){0};
		return;
	}
	if (r->has_sack)
		sack_take(r, &d);
	else
		reno_take(r, &d, dup);
	rate_fill(r, &d, &out->sample);
	out->sample.rtt_ns = rtt_update(r, &d);
	out->is_dup = dup && (!r->has_sack || d.sacked || d.has_dsack);
	repaired = tlp_take(r, &d, dup);
	undone = undo_take(r, &d, dup);
	if (repaired && st->phase == RECOVERY_OPEN && !undone)
		probe_repaired(r, &d);
	if (r->has_sack) {
		rack_dsack(r, &d);
		rack_detect(r, d.now_ns);
	} else {
		reno_detect(r, &d);
	}
	recovery_change_phase(r, &d);
	out->lost_new = st->rate.lost != d.lost;
	// What ends a recovery is no growth (RFC 9438, 4.6; RFC 6582, 3.2).
	out->sample.advanced = was_fast ? 0 : d.acked;
	tell_congestion(r, &d, was_full, &out->sample);
}
