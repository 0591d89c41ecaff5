// SPDX-License-Identifier: BSD-3-Clause
// What goes over the wires, held against what was written and against what TCP may never do; and
// the frames that a rule loses.
//
//   wire_put() -> watch_tap() -> watch_read() -> watch_segment()
//              -> watch_match() -> rule_hits()
#include "tests/sim/lab_priv.h"

#include <string.h>

#define ETHER_TYPE_IP4 0x0800
#define ETHER_TYPE_IP6 0x86dd
#define ETHER_TYPE_TAG 0x8100
#define IP6_LEN        40
#define PROTOCOL_TCP   6
#define MSS_DEFAULT_4  536 // RFC 9293, 3.7.1
#define MSS_DEFAULT_6  1220

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

bool watch_read(const uint8_t *frame, uint32_t len, struct tcp_segment *s, uint32_t *packet_len)
{
	const uint8_t *p = frame + ETHER_LEN;
	uint16_t type = len >= ETHER_LEN ? get16(frame + 12) : 0;

	if (type == ETHER_TYPE_TAG && len >= ETHER_LEN + 4) {
		type = get16(frame + 16);
		p += 4;
	}
	size_t left = len - (size_t)(p - frame), header, total;
	if (type == ETHER_TYPE_IP4 && left >= 20) {
		header = (size_t)(p[0] & 15) * 4;
		total = get16(p + 2);
		if (p[9] != PROTOCOL_TCP || header < 20)
			return false;
	} else if (type == ETHER_TYPE_IP6 && left >= IP6_LEN) {
		header = IP6_LEN;
		total = IP6_LEN + get16(p + 4);
		if (p[6] != PROTOCOL_TCP)
			return false;
	} else {
		return false;
	}
	if (total > left || total < header)
		return false;
	*packet_len = (uint32_t)total;
	return tcp_segment_read(s, (uint8_t *)(uintptr_t)p + header, total - header) == 0;
}

// A position in the stream of `w`, near what it has sent.
static uint64_t unwrap(const struct watched *w, struct seq s)
{
	uint32_t next = w->first.v + (uint32_t)w->next;

	return w->next + (uint64_t)(int64_t)seq_diff(s, seq_of(next));
}

static void watch_syn(struct lab *l, struct watched *w, const struct watched *other,
		      const struct tcp_segment *s, bool is_ip6)
{
	const struct tcp_options *o = &s->options;

	// A listener may forget who does not answer, and begin anew when the SYN comes again.
	bool is_anew = w->has_syn && !seq_eq(w->first, s->seq) && !other->has_ack;

	if (!w->has_syn || is_anew) {
		*w = (struct watched){
			.has_syn = true,
			.first = s->seq,
			.next = 1,
			.first_time = o->has & TCP_HAS_TIME ? o->ts_val : 0,
			.has_time = o->has & TCP_HAS_TIME,
			.has_scale = o->has & TCP_HAS_SCALE,
			.has_sack = o->has & TCP_HAS_SACK_OK,
			.shift = o->has & TCP_HAS_SCALE ? o->scale : 0,
			.mss = is_ip6 ? MSS_DEFAULT_6 : MSS_DEFAULT_4,
		};
		if (o->has & TCP_HAS_MSS)
			w->mss = o->mss;
		return;
	}
	if (!seq_eq(w->first, s->seq))
		lab_fail(l, "a SYN comes again with another sequence number");
}

// What was agreed on holds only if both said so.
static bool both(const struct watched *w, const struct watched *other, bool mine, bool others)
{
	return w->has_syn && other->has_syn && mine && others;
}

static void watch_payload(struct lab *l, const struct lab_flow *f, unsigned end,
			  const struct tcp_segment *s, uint64_t at)
{
	const struct watched *w = &f->watched[end], *other = &f->watched[!end];
	uint32_t options = s->options.has & TCP_HAS_TIME ? 12 : 0;

	if (s->options.n_sack)
		options += 4 + 8 * s->options.n_sack;
	if (s->len + options > other->mss)
		lab_fail(l, "end %u: %u bytes of payload, %u of options, to an MSS of %u", end,
			 s->len, options, other->mss);
	// A probe of a shut window may hold one byte beyond (RFC 9293, 3.8.6.1).
	if (at + s->len > other->edge + (s->len == 1))
		lab_fail(l, "end %u: sends up to %llu, the window ends at %llu", end,
			 (unsigned long long)(at + s->len), (unsigned long long)other->edge);
	if (at < 1 || at - 1 + s->len > f->sides[end].sent)
		lab_fail(l, "end %u: sends bytes that nobody wrote: %llu", end,
			 (unsigned long long)at);
	else if (memcmp(s->body[0].iov_base, pattern_at(l, (unsigned)(f - l->flows), end, at - 1),
			s->len) != 0)
		lab_fail(l, "end %u: sends wrong bytes at %llu", end, (unsigned long long)at);
	if (w->has_fin && at + s->len > w->fin)
		lab_fail(l, "end %u: sends bytes behind its FIN", end);
}

static void watch_fin(struct lab *l, const struct lab_flow *f, unsigned end, uint64_t at)
{
	struct watched *w = &l->flows[f - l->flows].watched[end];

	if (w->has_fin && w->fin != at)
		lab_fail(l, "end %u: its FIN has moved", end);
	if (at != f->sides[end].sent + 1)
		lab_fail(l, "end %u: its FIN stands at %llu, %llu bytes were written", end,
			 (unsigned long long)at, (unsigned long long)f->sides[end].sent);
	w->has_fin = true;
	w->fin = at;
}

static void watch_sack(struct lab *l, const struct watched *other, unsigned end,
		       const struct tcp_segment *s, uint64_t ack)
{
	for (unsigned i = 0; i < s->options.n_sack; i++) {
		uint64_t from = unwrap(other, s->options.sack[i].from);
		uint64_t to = unwrap(other, s->options.sack[i].to);
		// The first may tell of a duplicate (RFC 2883), and that lies anywhere.
		if (from >= to || to > other->next || (i > 1 && from <= ack))
			lab_fail(l, "end %u: SACK block %u is %llu to %llu, ACK %llu, sent %llu",
				 end, i, (unsigned long long)from, (unsigned long long)to,
				 (unsigned long long)ack, (unsigned long long)other->next);
	}
}

static void watch_ack(struct lab *l, struct lab_flow *f, unsigned end, const struct tcp_segment *s)
{
	struct watched *w = &f->watched[end], *other = &f->watched[!end];
	uint64_t ack = unwrap(other, s->ack);
	bool scales = !(s->flags & TCP_SYN) && both(w, other, w->has_scale, other->has_scale);
	uint64_t edge = ack + ((uint64_t)s->window << (scales ? w->shift : 0));

	if (ack > other->next)
		lab_fail(l, "end %u: acknowledges %llu, sent were %llu", end,
			 (unsigned long long)ack, (unsigned long long)other->next);
	if (w->has_ack && ack < w->ack)
		lab_fail(l, "end %u: its ACK goes back from %llu to %llu", end,
			 (unsigned long long)w->ack, (unsigned long long)ack);
	// By less than a unit of the scale it may seem to go back (RFC 7323, 2.4), and a SYN that
	// comes again cannot say all.
	if (!(s->flags & TCP_SYN) && edge + (scales ? 1ull << w->shift : 1) <= w->edge)
		lab_fail(l, "end %u: its window shrinks from %llu to %llu", end,
			 (unsigned long long)w->edge, (unsigned long long)edge);
	if (s->options.n_sack && !both(w, other, w->has_sack, other->has_sack))
		lab_fail(l, "end %u: SACK that was not agreed on", end);
	watch_sack(l, other, end, s, ack);
	w->has_ack = true;
	w->ack = ack;
	w->edge = edge > w->edge ? edge : w->edge;
}

static void watch_segment(struct lab *l, struct lab_flow *f, unsigned end,
			  const struct tcp_segment *s, bool is_ip6)
{
	struct watched *w = &f->watched[end], *other = &f->watched[!end];

	if (s->flags & TCP_RST)
		return;
	if (s->flags & TCP_SYN)
		watch_syn(l, w, other, s, is_ip6);
	if (!w->has_syn)
		lab_fail(l, "end %u: begins without a SYN", end);
	bool has_time = s->options.has & TCP_HAS_TIME;
	if (!(s->flags & TCP_SYN) && has_time != both(w, other, w->has_time, other->has_time))
		lab_fail(l, "end %u: timestamps are %s", end,
			 has_time ? "not agreed on" : "left out");
	uint64_t at = unwrap(w, s->seq);
	if (s->len)
		watch_payload(l, f, end, s, at);
	if (s->flags & TCP_FIN)
		watch_fin(l, f, end, at + s->len);
	if (at + tcp_segment_span(s) > w->next)
		w->next = at + tcp_segment_span(s);
	if (s->flags & TCP_ACK)
		watch_ack(l, f, end, s);
}

static struct lab_flow *flow_of(struct lab *l, unsigned end, const struct tcp_segment *s)
{
	unsigned i = (unsigned)(end ? s->source_port : s->target_port) - LAB_PORT;

	return i < l->n_flows ? &l->flows[i] : NULL;
}

void watch_tap(void *owner, const uint8_t *frame, uint32_t len, uint64_t now_ns, bool is_taken)
{
	struct wire_owner *o = owner;
	struct lab *l = o->lab;
	unsigned sees = is_taken ? !o->end : o->end;

	if (l->pcap[sees])
		pcap_put(l->pcap[sees], frame, len, now_ns);
	if (is_taken || l->set.is_blind)
		return;
	o->is_tcp = watch_read(frame, len, &o->segment, &o->packet_len);
	o->flow = o->is_tcp ? flow_of(l, o->end, &o->segment) : NULL;
	if (o->flow)
		watch_segment(l, o->flow, o->end, &o->segment, o->packet_len && frame[12] == 0x86);
}

static bool rule_hits(struct wire_owner *o, unsigned i)
{
	const struct lab_rule *r = &o->lab->set.rules[o->end][i];
	const struct tcp_segment *s = &o->segment;
	struct watched *w = &o->flow->watched[o->end];
	uint64_t gone_ns = o->lab->now_ns - o->lab->set.begin_ns;
	bool is_time = gone_ns >= r->from_ns && gone_ns < r->to_ns;
	uint64_t at = unwrap(w, s->seq) - 1;

	switch (r->kind) {
	case LAB_LOSE_SYN:
		return s->flags & TCP_SYN && w->n_at[i]++ < r->n;
	case LAB_LOSE_FIN:
		return s->flags & TCP_FIN && w->n_at[i]++ < r->n;
	case LAB_LOSE_AT:
		return at <= r->at && r->at < at + s->len && w->n_at[i]++ < r->n;
	case LAB_LOSE_ACK:
		return is_time && !s->len && !(s->flags & (TCP_SYN | TCP_FIN | TCP_RST));
	case LAB_LOSE_LONG:
		return is_time && o->packet_len > r->at;
	}
	return false;
}

enum wire_verdict watch_match(void *owner, const uint8_t *frame, uint32_t len, uint64_t now_ns)
{
	struct wire_owner *o = owner;

	if (!o->is_tcp)
		return WIRE_SPARE; // ARP has no sum
	for (unsigned i = 0; o->flow && i < LAB_RULES_MAX; i++)
		if (o->lab->set.rules[o->end][i].kind && rule_hits(o, i))
			return WIRE_DROP;
	return WIRE_PASS;
}

void side_check(struct lab *l, struct side *s, bool is_waited_for)
{
	struct tcp_info info;

	s->n_steps++;
	if (!l->set.check_every || s->n_steps % l->set.check_every)
		return;
	const char *why = tcp_check(s->tcp);
	if (why)
		lab_fail(l, "flow %u end %u: %s", s->flow, s->end, why);
	tcp_info(s->tcp, &info);
	// What was sent again counts twice until the first is found lost; SYN and FIN count one.
	if (info.in_flight > 2 * (info.unacked + 2))
		lab_fail(l, "flow %u end %u: %llu in flight, %llu not acknowledged", s->flow,
			 s->end, (unsigned long long)info.in_flight,
			 (unsigned long long)info.unacked);
	bool waits = info.unacked || info.unsent;
	if (waits && !is_waited_for && info.state != TCP_CLOSED &&
	    tcp_deadline(s->tcp) == TCP_NO_DEADLINE)
		lab_fail(l, "flow %u end %u: data is outstanding and no timer runs", s->flow,
			 s->end);
}
