// SPDX-License-Identifier: BSD-3-Clause
// Delivery rate (draft-cheng-iccrg-delivery-rate-estimation; draft-ietf-ccwg-bbr, 4.1): how fast
// the path delivered between the transmission of a segment and its acknowledgement. Every record
// carries what was known as it last went out.
#include "dataplane/tcp/recovery_priv.h"

// @param in_flight  with the segment of `len` bytes
void rate_sent(struct recovery *r, struct record *rec, uint32_t len, uint64_t in_flight,
	       uint64_t now_ns)
{
	struct recovery_state *st = r->state;

	if (in_flight == len)
		st->rate.first_sent_ns = st->rate.delivered_ns = now_ns;
	rec->sent_ns = now_ns;
	rec->first_sent_ns = st->rate.first_sent_ns;
	rec->delivered_ns = st->rate.delivered_ns;
	rec->delivered = (uint32_t)st->rate.delivered;
	rec->lost = (uint32_t)st->rate.lost;
	rec->in_flight = (uint32_t)in_flight;
	rec->flags &= ~RECORD_APP_LIMITED;
	if (st->rate.app_limited)
		rec->flags |= RECORD_APP_LIMITED;
}

// `then`, whose low 32 bits are `low` and which lies less than 2^32 before `now`.
static uint64_t widen(uint64_t now, uint32_t low)
{
	return now - (uint32_t)((uint32_t)now - low);
}

static void fill_rate(struct recovery *r, const struct record *p, struct ack_sample *s)
{
	struct recovery_state *st = r->state;
	uint64_t send_ns = p->sent_ns - p->first_sent_ns;
	uint64_t ack_ns = st->rate.delivered_ns - p->delivered_ns;
	uint64_t interval_ns = send_ns > ack_ns ? send_ns : ack_ns;

	s->sent_delivered = widen(st->rate.delivered, p->delivered);
	s->sent_in_flight = p->in_flight;
	s->sent_lost = widen(st->rate.lost, p->lost);
	s->is_app_limited = p->flags & RECORD_APP_LIMITED;
	st->rate.first_sent_ns = p->sent_ns;
	if (s->sent_delivered >= st->rate.round) {
		st->rate.round = st->rate.delivered;
		s->is_round = true;
	}
	// Faster than light: acknowledgements for an earlier transmission.
	if (interval_ns == 0 || interval_ns < r->min_rtt_ns)
		return;
	s->rate_interval_ns = interval_ns;
	s->rate_delivered = st->rate.delivered - s->sent_delivered;
	if (!s->is_app_limited) // what a round trip delivers fits into 32 bits
		r->delivery_rate = s->rate_delivered * NS_PER_S / interval_ns;
}

void rate_fill(struct recovery *r, const struct delivery *d, struct ack_sample *s)
{
	struct recovery_state *st = r->state;

	if (d->bytes) {
		st->rate.delivered += d->bytes;
		st->rate.delivered_ns = d->now_ns;
	}
	if (st->rate.app_limited && st->rate.delivered > st->rate.app_limited)
		st->rate.app_limited = 0;
	s->delivered = st->rate.delivered;
	s->rate_delivered = s->rate_interval_ns = 0;
	s->sent_delivered = s->sent_in_flight = s->sent_lost = 0;
	s->is_round = s->is_app_limited = false;
	if (d->newest)
		fill_rate(r, d->newest, s);
}
