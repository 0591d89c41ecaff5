// SPDX-License-Identifier: BSD-3-Clause
// Connections without a stack: their segments go over the wires in frames with an Ethernet and an
// IPv4 header, so that captures can be read, but without sums, neighbours or routes.
//
//   step(): receive() -> tcp_input() -> expire -> the application -> send() -> check
#include "tests/sim/lab_priv.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define CLIENT_PORT 40000
#define IP4_LEN     20
#define HEAD_MAX    (ETHER_LEN + IP4_LEN + TCP_HEADER_MAX)
#define FLAGS_FIRST TCP_CWR
#define FLAGS_LAST  (TCP_FIN | TCP_PSH)

static int bare_new(struct lab *l, unsigned end)
{
	uint8_t secret[16] = {(uint8_t)end};

	memcpy(secret + 8, &l->set.seed, sizeof(l->set.seed));
	l->host[end] = tcp_host_new(&l->set.tcp[end], secret, l->set.seed + end);
	return l->host[end] ? 0 : -ENOMEM;
}

static void bare_free(struct lab *l, unsigned end)
{
	for (unsigned i = 0; i < l->n_flows; i++)
		if (l->flows[i].sides[end].tcp)
			tcp_free(l->flows[i].sides[end].tcp);
	if (l->host[end])
		tcp_host_free(l->host[end]);
}

// End 0 is 10.0.0.1, end 1 10.0.0.2.
static struct tcp_tuple tuple_of(const struct side *s)
{
	struct tcp_tuple t = {
		.family = 4,
		.local = {10, 0, 0, (uint8_t)(1 + s->end)},
		.remote = {10, 0, 0, (uint8_t)(2 - s->end)},
		.local_port = (uint16_t)(s->end ? LAB_PORT + s->flow : CLIENT_PORT + s->flow),
		.remote_port = (uint16_t)(s->end ? CLIENT_PORT + s->flow : LAB_PORT + s->flow),
	};

	return t;
}

static int bare_open(struct lab *l, struct side *s)
{
	struct tcp_tuple t = tuple_of(s);

	return tcp_connect(l->host[s->end], &t, l->now_ns, &s->tcp);
}

static unsigned head_write(unsigned end, const struct tcp_segment *s, uint32_t len, uint8_t *head)
{
	static const uint8_t ip[] = {0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6};
	uint8_t *p = head;

	memcpy(p, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)(2 - end)}, 6);
	memcpy(p + 6, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)(1 + end)}, 6);
	p[12] = 8;
	p[13] = 0;
	p += ETHER_LEN;
	unsigned tcp_len = tcp_segment_write(s, p + IP4_LEN);
	uint16_t total = htobe16((uint16_t)(IP4_LEN + tcp_len + len));
	memcpy(p, ip, sizeof(ip));
	memcpy(p + 2, &total, sizeof(total));
	memcpy(p + 10,
	       (uint8_t[]){0, 0, 10, 0, 0, (uint8_t)(1 + end), 10, 0, 0, (uint8_t)(2 - end)}, 10);
	return ETHER_LEN + IP4_LEN + tcp_len;
}

static void put_piece(struct lab *l, unsigned end, const struct tcp_segment *s, uint32_t from,
		      uint32_t len)
{
	struct tcp_segment piece = *s;
	uint8_t head[HEAD_MAX];
	struct iovec pieces[3] = {{head, 0}};
	int n = 1;

	piece.seq = seq_add(s->seq, from);
	if (s->flags & TCP_SYN)
		piece.options.has &= (uint8_t)~l->set.strip;
	if (from)
		piece.flags &= (uint8_t)~FLAGS_FIRST;
	if (from + len < s->len)
		piece.flags &= (uint8_t)~FLAGS_LAST;
	pieces[0].iov_len = head_write(end, &piece, len, head);
	for (unsigned i = 0; i < 2 && len; i++) {
		const struct iovec *b = &s->body[i];
		if (from >= b->iov_len) {
			from -= (uint32_t)b->iov_len;
			continue;
		}
		size_t part = b->iov_len - from < len ? b->iov_len - from : len;
		pieces[n++] = (struct iovec){(uint8_t *)b->iov_base + from, part};
		len -= (uint32_t)part;
		from = 0;
	}
	if (len)
		lab_fail(l, "end %u: a segment has fewer bytes than it says", end);
	l->n_segments[end]++;
	wire_putv(l->wire[end], pieces, n, l->now_ns);
}

static void put_segment(struct lab *l, unsigned end, const struct tcp_segment *s)
{
	uint32_t mss = s->mss ? s->mss : s->len;

	if (!s->len)
		put_piece(l, end, s, 0, 0);
	for (uint32_t from = 0; from < s->len; from += mss)
		put_piece(l, end, s, from, s->len - from < mss ? s->len - from : mss);
}

// The flow that a port of this end stands for.
static struct side *side_of(struct lab *l, unsigned end, const struct tcp_segment *s)
{
	unsigned i = s->target_port - (end ? LAB_PORT : CLIENT_PORT);

	return i < l->n_flows ? &l->flows[i].sides[end] : NULL;
}

static void receive_one(struct lab *l, unsigned end, const struct tcp_segment *s)
{
	struct side *side = side_of(l, end, s);
	struct tcp_segment refusal;

	if (side && side->tcp) {
		tcp_input(side->tcp, s, l->now_ns);
		side->is_due = true;
		return;
	}
	bool opens = (s->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
	if (side && end == 1 && !side->is_gone && opens) {
		struct tcp_tuple t = tuple_of(side);
		int rc = tcp_accept(l->host[end], &t, s, l->now_ns, &side->tcp);
		if (rc)
			lab_fail(l, "flow %u: no accept: %s", side->flow, strerror(-rc));
		side->is_due = true;
		return;
	}
	if (tcp_refusal(s, &refusal))
		put_segment(l, end, &refusal);
}

static bool receive(struct lab *l, unsigned end)
{
	struct wire_frame *f;
	bool did = false;

	while ((f = wire_take(l->wire[!end], l->now_ns))) {
		struct tcp_segment s;
		uint32_t packet_len;
		if (watch_read(f->bytes, f->len, &s, &packet_len))
			receive_one(l, end, &s);
		wire_frame_free(f);
		did = true;
	}
	return did;
}

static bool send_all(struct lab *l, struct side *s)
{
	struct tcp_segment out;
	bool did = false;

	for (unsigned n = 0; s->tcp && tcp_output(s->tcp, l->now_ns, &out); n++, did = true) {
		put_segment(l, s->end, &out);
		if (n > 1000000) {
			lab_fail(l, "flow %u end %u: sends without end", s->flow, s->end);
			break;
		}
	}
	return did;
}

static void take_icmp(struct lab *l, struct side *s)
{
	if (s->too_big_ns > l->now_ns)
		return;
	s->too_big_ns = LAB_NEVER;
	tcp_icmp(s->tcp, s->too_big_seq, EMSGSIZE, s->too_big_mtu, l->now_ns);
}

static bool step_side(struct lab *l, struct side *s)
{
	bool did = s->is_due;
	unsigned events;

	if (tcp_deadline(s->tcp) <= l->now_ns)
		tcp_expire(s->tcp, l->now_ns);
	take_icmp(l, s);
	s->is_due = false;
	do {
		events = tcp_events(s->tcp);
		did |= side_step(l, s, events);
		did |= send_all(l, s);
		side_check(l, s, false);
	} while (events && !l->error[0]);
	if (tcp_state(s->tcp) == TCP_CLOSED && s->is_closed) {
		tcp_free(s->tcp);
		side_gone(l, s);
	}
	return did;
}

static bool bare_step(struct lab *l, unsigned end)
{
	bool did = receive(l, end);

	for (unsigned i = 0; i < l->n_flows; i++) {
		struct side *s = &l->flows[i].sides[end];
		if (!s->tcp)
			continue;
		if (s->is_due || tcp_deadline(s->tcp) <= l->now_ns ||
		    side_deadline(l, s) <= l->now_ns || s->too_big_ns <= l->now_ns || !s->n_steps)
			did |= step_side(l, s);
	}
	return did;
}

static uint64_t bare_deadline(struct lab *l, unsigned end)
{
	uint64_t at_ns = LAB_NEVER;

	for (unsigned i = 0; i < l->n_flows; i++) {
		const struct side *s = &l->flows[i].sides[end];
		if (!s->tcp)
			continue;
		uint64_t tcp_ns = tcp_deadline(s->tcp);
		at_ns = tcp_ns < at_ns ? tcp_ns : at_ns;
		at_ns = s->too_big_ns < at_ns ? s->too_big_ns : at_ns;
	}
	return at_ns;
}

// The router is half way: its word takes as long as the delay of the path one way.
static void bare_too_big(struct lab *l, unsigned end, const uint8_t *frame, uint32_t len,
			 uint16_t mtu)
{
	struct wire_owner *o = &l->owner[end];

	if (!o->flow || !o->flow->sides[end].tcp)
		return;
	struct side *s = &o->flow->sides[end];
	s->too_big_seq = o->segment.seq;
	s->too_big_mtu = mtu;
	s->too_big_ns = l->now_ns + l->set.wire[end].path.delay_ns;
}

const struct lab_end_ops lab_bare = {
	.new = bare_new,
	.free = bare_free,
	.open = bare_open,
	.step = bare_step,
	.deadline = bare_deadline,
	.too_big = bare_too_big,
};
