// SPDX-License-Identifier: BSD-3-Clause
// Proportional rate reduction (RFC 9937, 6.2): how much may go out on each acknowledgement of a
// fast recovery, so that in its course the flight shrinks, or grows, to ssthresh. Congestion
// control has chosen that; algorithms that own their recovery are left alone.
//
// What may go out is kept as bytes of room and not as a window: the window would open by itself
// each time that more is found lost.
#include "dataplane/tcp/recovery_priv.h"

static void show(struct recovery *r)
{
	r->congestion->cwnd = recovery_in_flight(r) + r->state->prr.room;
}

void prr_begin(struct recovery *r, const struct delivery *d)
{
	struct recovery_state *st = r->state;
	uint64_t flight = (uint32_t)seq_diff(r->nxt, r->una);

	if (r->congestion->ops->owns_recovery)
		return;
	// With what this acknowledgement delivers, but not what was sacked before.
	st->prr.first_flight = flight - r->sacked + d->bytes;
	if (st->prr.first_flight == 0)
		st->prr.first_flight = 1;
	st->prr.delivered = st->prr.out = 0;
	st->prr.room = r->mss; // the fast retransmission
	show(r);
}

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

// The flight is larger than ssthresh: send in proportion to what arrives. Begun segments count as
// whole ones; the next share has the rest taken off.
static uint64_t reduce(const struct recovery *r)
{
	const struct recovery_state *st = r->state;
	unsigned __int128 share = (unsigned __int128)st->prr.delivered * r->congestion->ssthresh;
	uint64_t due;

	share = (share + st->prr.first_flight - 1) / st->prr.first_flight;
	due = share > st->prr.out ? (uint64_t)share - st->prr.out : 0;
	return due && due < r->mss ? r->mss : due;
}

// It is smaller, as more was lost: send what arrives, and a segment more while the hole moves and
// nothing further is lost (PRR-CRB, PRR-SSRB).
static uint64_t refill(const struct recovery *r, const struct delivery *d, uint64_t missing)
{
	const struct recovery_state *st = r->state;
	uint64_t due = st->prr.delivered > st->prr.out ? st->prr.delivered - st->prr.out : 0;

	if (due < d->bytes)
		due = d->bytes;
	if (d->acked && st->rate.lost == d->lost)
		due += r->mss;
	return min64(due, missing);
}

void prr_take(struct recovery *r, const struct delivery *d)
{
	struct recovery_state *st = r->state;
	uint64_t ssthresh = r->congestion->ssthresh, in_flight = recovery_in_flight(r), due;

	if (r->congestion->ops->owns_recovery || d->bytes == 0)
		return;
	st->prr.delivered += d->bytes;
	due = in_flight > ssthresh ? reduce(r) : refill(r, d, ssthresh - in_flight);
	// The first retransmission goes out at once, and without SACK each one for a partial
	// acknowledgement (RFC 6582, 3.2, step 3): nothing else would ask for it.
	if (due < r->mss && (st->prr.out == 0 || (!r->has_sack && d->acked)))
		due = r->mss;
	st->prr.room = due;
	show(r);
}

void prr_sent(struct recovery *r, uint32_t len)
{
	struct recovery_state *st = r->state;

	if (st->phase != RECOVERY_FAST || r->congestion->ops->owns_recovery)
		return;
	st->prr.out += len;
	st->prr.room -= min64(st->prr.room, len);
}
