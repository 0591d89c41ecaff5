// SPDX-License-Identifier: BSD-3-Clause
#include <assert.h>
#include <stdlib.h>

#include "tests/unit/bottleneck.h"

#define MSS       1448
#define NS_PER_S  1000000000ull
#define DUPTHRESH 3

static double draw(struct bottleneck *p)
{
	uint64_t z = p->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

void bottleneck_init(struct bottleneck *p, const struct congestion_ops *ops, uint64_t rate,
		     uint64_t delay_ns, uint64_t buffer, double loss, uint64_t seed)
{
	*p = (struct bottleneck){
		.rate = rate,
		.delay_ns = delay_ns,
		.buffer = buffer,
		.loss = loss,
		.random = seed,
		.now_ns = 1000 * NS_PER_S,
		.min_rtt_ns = UINT64_MAX,
	};
	p->ring = calloc(BOTTLENECK_RING, sizeof(*p->ring));
	assert(p->ring);
	congestion_init(&p->c, ops, MSS, 10, seed, p->now_ns);
}

void bottleneck_fini(struct bottleneck *p)
{
	free(p->ring);
}

static struct bottleneck_segment *segment_at(struct bottleneck *p, uint64_t i)
{
	return &p->ring[i % BOTTLENECK_RING];
}

// The queue that a segment finds; it is served after that.
static void traverse(struct bottleneck *p, struct bottleneck_segment *g)
{
	uint64_t waits = p->busy_until_ns > p->now_ns ? p->busy_until_ns - p->now_ns : 0;
	uint64_t queue = (uint64_t)((double)waits * p->rate / NS_PER_S);

	g->is_lost = draw(p) < p->loss;
	if (queue + MSS > p->buffer) {
		g->is_lost = true;
		p->n_overflowed++;
	} else {
		waits += MSS * NS_PER_S / p->rate;
		p->busy_until_ns = p->now_ns + waits;
		if (queue > p->queue_max)
			p->queue_max = queue;
		p->queue_sum += queue;
		p->n_queued++;
	}
	g->arrives_ns = p->now_ns + waits + p->delay_ns;
}

static void send(struct bottleneck *p)
{
	struct bottleneck_segment *g = segment_at(p, p->head);

	assert(p->head - p->tail < BOTTLENECK_RING);
	if (p->in_flight == 0) {
		if (p->head)
			p->c.ops->restart(&p->c, p->now_ns - segment_at(p, p->head - 1)->sent_ns,
					  NS_PER_S, p->now_ns);
		p->first_sent_ns = p->delivered_ns = p->now_ns;
	}
	p->head++;
	p->in_flight += MSS;
	*g = (struct bottleneck_segment){
		.sent_ns = p->now_ns,
		.delivered = p->delivered,
		.delivered_ns = p->delivered_ns,
		.first_sent_ns = p->first_sent_ns,
		.in_flight = p->in_flight,
		.lost = p->lost,
		.is_app_limited = p->app_limited_until > p->delivered,
	};
	traverse(p, g);
	p->c.ops->sent(&p->c, p->in_flight, MSS, p->now_ns);
	pacer_sent(&p->pacer, p->c.pacing_rate, MSS, 0, p->now_ns);
}

// What lies far enough before the segment that was acknowledged is lost.
static uint64_t find_losses(struct bottleneck *p, uint64_t acked)
{
	uint64_t lost = 0;

	for (; p->tail + DUPTHRESH <= acked; p->tail++) {
		struct bottleneck_segment *g = segment_at(p, p->tail);

		if (!g->is_lost)
			continue;
		lost += MSS;
		p->lost += MSS;
		p->in_flight -= MSS;
		p->n_lost++;
		if (p->c.ops->lost)
			p->c.ops->lost(&p->c, &(struct loss_sample){
						      .now_ns = p->now_ns,
						      .len = MSS,
						      .delivered = p->delivered,
						      .lost_total = p->lost,
						      .sent_in_flight = g->in_flight,
						      .sent_lost = g->lost,
						      .is_app_limited = g->is_app_limited,
					      });
	}
	return lost;
}

static void take_rtt(struct bottleneck *p, uint64_t rtt)
{
	p->srtt_ns = p->srtt_ns ? p->srtt_ns - p->srtt_ns / 8 + rtt / 8 : rtt;
	if (rtt < p->min_rtt_ns)
		p->min_rtt_ns = rtt;
}

static void take_rate(struct bottleneck *p, const struct bottleneck_segment *g,
		      struct ack_sample *s)
{
	uint64_t sending = g->sent_ns - g->first_sent_ns, acking = p->now_ns - g->delivered_ns;

	s->rate_interval_ns = sending > acking ? sending : acking;
	s->rate_delivered = p->delivered - g->delivered;
	if (s->rate_interval_ns < p->min_rtt_ns)
		s->rate_interval_ns = 0;
	p->first_sent_ns = g->sent_ns;
}

static void acknowledge(struct bottleneck *p, uint64_t i)
{
	struct bottleneck_segment *g = segment_at(p, i);
	struct ack_sample s = {
		.now_ns = p->now_ns,
		.acked = MSS,
		.in_flight = p->in_flight,
		.rtt_ns = p->now_ns - g->sent_ns,
		.is_app_limited = g->is_app_limited,
		.is_cwnd_limited = p->in_flight + MSS > p->c.cwnd,
		.is_round = g->delivered >= p->round_delivered,
		.sent_delivered = g->delivered,
		.sent_in_flight = g->in_flight,
		.sent_lost = g->lost,
	};

	p->delivered += MSS;
	p->delivered_ns = p->now_ns;
	p->in_flight -= MSS;
	if (s.is_round)
		p->round_delivered = p->delivered;
	take_rtt(p, s.rtt_ns);
	take_rate(p, g, &s);
	s.lost = find_losses(p, i);
	if (p->is_recovering && i >= p->recovery_end) {
		p->is_recovering = false;
		p->c.ops->leave_recovery(&p->c, p->now_ns);
	}
	if (s.lost && !p->is_recovering) {
		p->is_recovering = true;
		p->recovery_end = p->head;
		p->c.ops->enter_recovery(&p->c, p->in_flight, p->now_ns);
	}
	s.srtt_ns = p->srtt_ns;
	s.min_rtt_ns = p->min_rtt_ns;
	s.in_flight_after = p->in_flight;
	s.delivered = p->delivered;
	s.lost_total = p->lost;
	s.in_recovery = p->is_recovering;
	p->c.ops->acked(&p->c, &s);
	if (p->watch)
		p->watch(p);
}

// When the application has the next segment.
static uint64_t supplied_at(const struct bottleneck *p)
{
	return p->supply ? p->supplied_ns + MSS * NS_PER_S / p->supply : 0;
}

// When the next segment may go; UINT64_MAX: not before an acknowledgement.
static uint64_t sends_at(struct bottleneck *p)
{
	uint64_t window = p->c.cwnd, at = p->pacer.next_ns, has = supplied_at(p);

	// PRR's place is taken by its bound.
	if (p->is_recovering && !p->c.ops->owns_recovery && p->c.ssthresh < window)
		window = p->c.ssthresh;
	if (p->in_flight + MSS > window)
		return UINT64_MAX;
	if (has > p->now_ns && at <= p->now_ns)
		p->app_limited_until = p->delivered + p->in_flight;
	if (has > at)
		at = has;
	return at > p->now_ns ? at : p->now_ns;
}

void bottleneck_run(struct bottleneck *p, uint64_t ns)
{
	uint64_t end = p->now_ns + ns;

	for (;;) {
		uint64_t send_ns = sends_at(p), ack_ns;

		while (p->next < p->head && segment_at(p, p->next)->is_lost)
			p->next++;
		ack_ns = p->next < p->head ? segment_at(p, p->next)->arrives_ns : UINT64_MAX;
		if (send_ns > end && ack_ns > end)
			break;
		p->now_ns = send_ns < ack_ns ? send_ns : ack_ns;
		if (send_ns < ack_ns) {
			if (p->supply)
				p->supplied_ns =
					supplied_at(p) > p->now_ns ? p->now_ns : supplied_at(p);
			send(p);
		} else {
			acknowledge(p, p->next++);
		}
	}
	p->now_ns = end;
}
