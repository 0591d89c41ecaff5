// SPDX-License-Identifier: BSD-3-Clause
// Round trips: SRTT, RTTVAR and RTO (RFC 6298; many samples a round trip, RFC 7323, appendix G),
// and the minimum of the last minutes.
//
// The floor is put under 4 * RTTVAR and not under the sum: on a long and steady path a floor under
// the sum would leave no time for a delayed acknowledgement.
#include "dataplane/tcp/recovery_priv.h"

#define FINE_BITS 16

static void rto_update(struct recovery *r)
{
	uint64_t slack = 4 * r->rttvar_ns;

	if (slack < r->set->rto_min_ns)
		slack = r->set->rto_min_ns;
	r->rto_ns = r->srtt_ns + slack;
	if (r->rto_ns > r->set->rto_max_ns)
		r->rto_ns = r->set->rto_max_ns;
}

uint64_t rto_backed_off(const struct recovery *r)
{
	uint64_t most = r->set->rto_max_ns;

	if (r->backoff >= 32 || r->rto_ns > most >> r->backoff)
		return most;
	return r->rto_ns << r->backoff;
}

static void min_update(struct recovery *r, uint64_t rtt_ns, uint64_t now_ns)
{
	struct recovery_state *st = r->state;
	uint64_t *min = st->min_rtt_ns;

	if (now_ns >= st->min_rtt_until_ns) {
		bool is_next = now_ns - st->min_rtt_until_ns < MIN_RTT_SPAN;

		min[1] = is_next ? min[0] : 0;
		min[0] = rtt_ns;
		st->min_rtt_until_ns = now_ns + MIN_RTT_SPAN;
	} else if (rtt_ns < min[0]) {
		min[0] = rtt_ns;
	}
	r->min_rtt_ns = min[1] && min[1] < min[0] ? min[1] : min[0];
}

void rtt_first(struct recovery *r, uint64_t rtt_ns, uint64_t now_ns)
{
	struct recovery_state *st = r->state;

	st->srtt_fine = rtt_ns << FINE_BITS;
	st->rttvar_fine = st->srtt_fine / 2;
	r->srtt_ns = rtt_ns;
	r->rttvar_ns = rtt_ns / 2;
	min_update(r, rtt_ns, now_ns);
	rto_update(r);
}

// log2 of the samples expected in a round trip: one for every two segments in flight.
static unsigned samples_bits(const struct recovery *r, uint64_t in_flight)
{
	uint32_t samples = (uint32_t)in_flight / (2 * r->mss);

	return samples > 1 ? 32 - (unsigned)__builtin_clz(samples - 1) : 0;
}

static uint64_t approach(uint64_t from, uint64_t to, unsigned bits)
{
	return to > from ? from + ((to - from) >> bits) : from - ((from - to) >> bits);
}

static void smooth(struct recovery *r, uint64_t rtt_ns, unsigned bits)
{
	struct recovery_state *st = r->state;
	uint64_t rtt = rtt_ns << FINE_BITS;
	uint64_t off = rtt > st->srtt_fine ? rtt - st->srtt_fine : st->srtt_fine - rtt;

	st->rttvar_fine = approach(st->rttvar_fine, off, 2 + bits); // beta 1/4
	st->srtt_fine = approach(st->srtt_fine, rtt, 3 + bits);     // alpha 1/8
	r->srtt_ns = st->srtt_fine >> FINE_BITS;
	r->rttvar_ns = st->rttvar_fine >> FINE_BITS;
}

// Karn: what went out twice gives no sample, but its timestamp does when SND.UNA moved (RFC 7323,
// 4.1).
uint64_t rtt_update(struct recovery *r, const struct delivery *d)
{
	uint64_t rtt_ns = 0;

	if (d->once && d->now_ns > d->once->sent_ns)
		rtt_ns = d->now_ns - d->once->sent_ns;
	else if (d->acked && d->in->has_ts)
		rtt_ns = d->in->ts_rtt_ns;
	if (rtt_ns == 0)
		return 0;
	if (rtt_ns > r->set->rto_max_ns)
		rtt_ns = r->set->rto_max_ns;
	r->backoff = 0;
	if (r->srtt_ns == 0) {
		rtt_first(r, rtt_ns, d->now_ns);
		return rtt_ns;
	}
	smooth(r, rtt_ns, samples_bits(r, d->in_flight));
	if (d->once) // a timestamp's is too coarse
		min_update(r, rtt_ns, d->now_ns);
	rto_update(r);
	return rtt_ns;
}
