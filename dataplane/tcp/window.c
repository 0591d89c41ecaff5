// SPDX-License-Identifier: BSD-3-Clause
// What we say to the peer of its bytes: how far it may send, and what has arrived.
#include "dataplane/tcp/tcp_priv.h"

#define QUICK_ACKS      16
#define DRAIN_RTT_FIRST (100 * NS_PER_MS) // before anything is known of the path

// The right edge that the buffer has room for.
static uint64_t room_edge(const struct tcp *t)
{
	return t->receive.read + t->rcv.limit;
}

// RFC 9293, 3.8.6.2.2: an edge that creeps makes the peer send crumbs.
static bool is_worth_telling(const struct tcp *t, uint64_t edge)
{
	return edge >= t->rcv.edge + min_u64(t->rcv.limit / 2, t->rcv.mss);
}

// In units of 2^scale. Rounded up as long as the room is there but for a part of a unit, so that
// the edge does not go back; else the peer sees it go back by less than a unit, and what it was
// once offered is still taken (RFC 7323, 2.4).
static uint64_t window_units(const struct tcp *t, uint64_t next, uint64_t edge, unsigned scale)
{
	uint64_t unit = 1ull << scale, units = (edge - next) >> scale;
	uint64_t up = (edge - next + unit - 1) >> scale;

	if (next + (units << scale) < t->rcv.edge && next + (up << scale) <= room_edge(t) + unit)
		units = up;
	return min_u64(units, UINT16_MAX);
}

uint16_t window_offer(struct tcp *t, bool is_syn)
{
	uint64_t next = t->receive.next, edge = t->rcv.edge, units;
	unsigned scale = is_syn ? 0 : t->rcv.scale; // RFC 7323, 2.2

	if (is_worth_telling(t, room_edge(t)))
		edge = room_edge(t);
	if (edge <= next)
		return 0;
	units = window_units(t, next, edge, scale);
	t->rcv.edge = max_u64(t->rcv.edge, next + (units << scale));
	return (uint16_t)units;
}

// It was shut and is not, or the other way round.
void window_tell(struct tcp *t, uint16_t units, uint64_t now_ns)
{
	t->rcv.is_shut = !units;
	trace_put(t->trace, now_ns, units ? TRACE_OUR_WINDOW_OPEN : TRACE_OUR_WINDOW_SHUT,
		  (uint32_t)t->rcv.edge, 0, 0, 0);
}

// Dynamic right-sizing: room for twice of what the application takes in a round trip; while that
// still grows for twice as much, since the peer's window doubles before we see it.
static void limit_grow(struct tcp *t, uint64_t drained)
{
	const struct tcp_host *h = t->host;
	uint64_t want = 2 * drained, most = h->set.receive_max;

	if (drained > t->drain.drained + t->drain.drained / 4)
		want *= 2;
	if (!t->has_scale)
		most = min_u64(most, UINT16_MAX);
	want = min_u64(want, most);
	if (want > t->rcv.limit)
		t->rcv.limit = host_promise(t->host, t->rcv.limit, want);
}

static uint64_t drain_rtt_ns(const struct tcp *t)
{
	if (t->drain.rtt_ns)
		return t->drain.rtt_ns;
	return t->recovery.srtt_ns ? t->recovery.srtt_ns : DRAIN_RTT_FIRST;
}

// A segment of its own tells of new room when little was left, or much has become free; else the
// acknowledgements that go out anyway do.
static bool is_update_due(const struct tcp *t)
{
	uint64_t edge = room_edge(t), left = t->rcv.edge - min_u64(t->rcv.edge, t->receive.next);

	return is_worth_telling(t, edge) &&
	       (left < 2 * t->rcv.mss || edge - t->rcv.edge >= t->rcv.limit / 4);
}

void window_drained(struct tcp *t, uint64_t now_ns)
{
	if (now_ns - t->drain.since_ns >= drain_rtt_ns(t)) {
		uint64_t drained = t->receive.read - t->drain.read;

		limit_grow(t, drained);
		t->drain.since_ns = now_ns;
		t->drain.read = t->receive.read;
		t->drain.drained = drained;
	}
	if (!receive_ended(&t->receive) && is_update_due(t))
		t->ack.now = true;
}

// The round trip as a receiver sees it: by the first segment that echoes a timestamp of ours.
void window_rtt(struct tcp *t, const struct arrived *a)
{
	uint32_t echo = a->s->options.ts_ecr, age = ts_now(t, a->now_ns) - echo;
	uint64_t rtt_ns = max_u64(age, 1) * NS_PER_MS;

	if (!t->has_time || echo == t->drain.ts_ecr || age > INT32_MAX)
		return;
	t->drain.ts_ecr = echo;
	if (t->drain.rtt_ns == 0 || rtt_ns < t->drain.rtt_ns)
		t->drain.rtt_ns = rtt_ns;
	else
		t->drain.rtt_ns += (rtt_ns - t->drain.rtt_ns) / 8;
}

// RFC 5681, 4.2; RFC 9293, 3.8.6.3. Of a burst one acknowledgement becomes, in tcp_output().
void ack_owe(struct tcp *t, const struct arrived *a, enum arrival how)
{
	uint32_t piece = a->len / a->s->n_merged;

	if (piece > t->rcv.mss)
		t->rcv.mss = min_u64(piece, t->host->set.mss_max);
	t->ack.len += a->len;
	if (how != ARRIVED_IN_ORDER) {
		t->ack.now = true;
		t->ack.quick = QUICK_ACKS;
		if (how == ARRIVED_BEHIND && !t->has_sack && t->ack.n_dup < UINT8_MAX)
			t->ack.n_dup++;
	} else if (t->ack.quick || a->s->n_merged > 1 || t->ack.len >= 2 * t->rcv.mss) {
		t->ack.now = true;
		t->ack.quick -= t->ack.quick > 0;
	} else if (t->ack.at_ns == TCP_NO_DEADLINE) {
		t->ack.at_ns = a->now_ns + t->host->set.ack_delay_ns;
	}
}

// One in half a second, so that two ends that contradict each other do not answer for ever.
static bool may_answer(struct tcp *t, uint64_t now_ns)
{
	if (now_ns < t->ack.answer_ns)
		return false;
	t->ack.answer_ns = now_ns + ANSWER_GAP_NS;
	return true;
}

// A repetition is answered each time: the peer missed an acknowledgement, or wants to learn that
// it sent in vain.
void ack_answer(struct tcp *t, const struct arrived *a)
{
	bool is_repeat = a->len && a->seq < t->receive.next;

	if (is_repeat || a->flags & TCP_FIN || may_answer(t, a->now_ns))
		t->ack.now = true;
}

void ack_challenge(struct tcp *t, const struct arrived *a)
{
	if (!may_answer(t, a->now_ns) || !host_may_challenge(t->host, a->now_ns))
		return;
	trace_put(t->trace, a->now_ns, TRACE_CHALLENGE, (uint32_t)a->seq, (uint32_t)a->ack, 0, 0);
	t->n.n_challenge++;
	t->ack.now = true;
}

void ack_sent(struct tcp *t)
{
	t->ack.n_dup -= t->ack.n_dup > 0;
	t->ack.now = t->ack.n_dup > 0;
	t->ack.len = 0;
	t->ack.at_ns = TCP_NO_DEADLINE;
	t->rcv.acked = t->receive.next;
}
