// SPDX-License-Identifier: BSD-3-Clause
// frame_input() -> arp_input()
//               -> packet_input() -> icmp_input()
//                                 -> tcp_segment_input() -> tcp_input(), wait_input(), or
//                                                           segment_stray()
#include <errno.h>

#include "dataplane/net/bytes.h"
#include "dataplane/net/stack_priv.h"
#include "dataplane/net/steer.h"

#define TCP_SUM_AT 16 // RFC 9293, 3.1

// Payload that its connection waits for is copied to its place while it is summed.
//
// @param f  its connection, NULL: none
static bool tcp_sum_is_good(const struct received *r, struct tcp_segment *seg, const struct flow *f)
{
	const struct ip_packet *ip = &r->ip;
	uint8_t state = r->frame->l4_sum;
	if (state == NIC_SUM_GOOD || state == NIC_SUM_NONE)
		return true;
	// Bad ones are looked at as well: devices that merge segments are known to err.
	sum_t sum = sum_pseudo(ip->family, ip->source, ip->target, IP_TCP, ip->len);
	void *place = f ? tcp_place(f->tcp, seg) : NULL;
	if (!place)
		return sum_is_good(sum_bytes(sum, ip->p, ip->len));
	sum = sum_bytes(sum, ip->p, ip->len - seg->len);
	sum = sum_copy(sum, place, seg->body[0].iov_base, seg->len);
	seg->body[0].iov_base = place;
	return sum_is_good(sum);
}

// A kernel leaves the field to the NIC, with the sum of the pseudo-header in it; a veth has none.
static void bad_sum_note(struct stack *s, const struct received *r)
{
	const struct ip_packet *ip = &r->ip;
	sum_t sum = sum_pseudo(ip->family, ip->source, ip->target, IP_TCP, ip->len);
	uint16_t left = sum_fold(sum);
	s->c.bad_tcp_sum++;
	if (memcmp(ip->p + TCP_SUM_AT, &left, sizeof(left)) != 0)
		return;
	s->unsummed.by = address_of(ip->family, ip->source);
	s->unsummed.seen_ns = r->now_ns;
	s->unsummed.n++;
}

static void refuse(struct stack *s, const struct received *r, const struct tcp_segment *seg)
{
	struct tcp_segment rst;
	s->c.no_connection++;
	if (!tcp_refusal(seg, &rst))
		return;
	if (!limit_take(&s->rst_limit, r->now_ns)) {
		s->c.rst_limited++;
		return;
	}
	struct tcp_tuple tuple = {r->ip.family};
	memcpy(tuple.local, r->ip.target, address_len(tuple.family));
	memcpy(tuple.remote, r->ip.source, address_len(tuple.family));
	rst.source_port = seg->target_port;
	rst.target_port = seg->source_port;
	s->c.rst_out++;
	segment_send(s, &tuple, &rst, r->now_ns);
}

// A segment without a connection here: a new one, another core's, or refused.
static void segment_stray(struct stack *s, struct received *r, const struct tcp_segment *seg,
			  const struct flow_key *key)
{
	struct net_address source = address_of(r->ip.family, r->ip.source);
	struct net_address target = address_of(r->ip.family, r->ip.target);
	if (!own_is_usable(s, &target)) {
		s->c.not_ours++;
		return;
	}
	if (!address_is_unicast(&source) || own_find(s, &source)) {
		s->c.bad_ip++;
		return;
	}
	if (steer_away(s, r, seg, key))
		return;
	struct listener *l = listener_find(s, seg->target_port);
	bool opens = (seg->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
	if (!l || !opens) {
		refuse(s, r, seg);
		return;
	}
	struct tcp_tuple tuple = {
		.family = r->ip.family,
		.local_port = seg->target_port,
		.remote_port = seg->source_port,
	};
	memcpy(tuple.local, target.bytes, sizeof(tuple.local));
	memcpy(tuple.remote, source.bytes, sizeof(tuple.remote));
	listener_input(s, l, &tuple, seg, r->now_ns);
}

static void tcp_segment_input(struct stack *s, struct received *r)
{
	const struct ip_packet *ip = &r->ip;
	struct tcp_segment seg;
	if (r->is_group) { // RFC 9293, 3.9.2.3
		s->c.not_ours++;
		return;
	}
	if (ip->len < TCP_HEADER_MIN || tcp_segment_read(&seg, ip->p, ip->len)) {
		s->c.bad_tcp++;
		return;
	}
	struct flow_key key;
	flow_key_received(&key, ip->family, ip->source, ip->target, seg.source_port,
			  seg.target_port);
	uint32_t index = flow_table_find(&s->table, &key);
	struct flow *f = index == FLOW_NONE ? NULL : &s->flows[index];
	if (!tcp_sum_is_good(r, &seg, f)) {
		bad_sum_note(s, r);
		return;
	}
	seg.n_merged = r->frame->n_merged;
	if (!f) {
		if (!wait_input(s, r, &seg, &key))
			segment_stray(s, r, &seg, &key);
		return;
	}
	// Of its last connection only TIME-WAIT is left, and the peer opens anew (RFC 6191).
	if (f->is_closed && seg.flags & TCP_SYN && tcp_is_reusable(f->tcp, &seg)) {
		flow_free(f);
		segment_stray(s, r, &seg, &key);
		return;
	}
	tcp_input(f->tcp, &seg, r->now_ns);
	flow_ready(f);
}

static void packet_input(struct stack *s, struct received *r)
{
	const struct ether *e = &r->ether;
	bool is_sum_known = r->frame->ip_sum == NIC_SUM_GOOD || r->frame->ip_sum == NIC_SUM_NONE;
	enum ip_verdict v = e->type == ETHER_IP4
				    ? ip4_read(&r->ip, e->body, e->body_len, is_sum_known)
				    : ip6_read(&r->ip, e->body, e->body_len);
	switch (v) {
	case IP_OK:
		break;
	case IP_BAD:
		s->c.bad_ip++;
		return;
	case IP_BAD_SUM:
		s->c.bad_ip_sum++;
		return;
	case IP_FRAGMENT:
		s->c.fragments++;
		return;
	}
	if (r->ip.protocol == IP_TCP)
		tcp_segment_input(s, r);
	else if (r->ip.protocol == (r->ip.family == 6 ? IP_ICMP6 : IP_ICMP))
		icmp_input(s, r);
	else
		s->c.other_protocol++;
}

void frame_input(struct stack *s, const struct nic_frame *f, const struct steer_frame *handed,
		 uint64_t now_ns)
{
	struct received r; // not cleared: each field is written before it is read
	r.frame = f;
	r.handed = handed;
	r.is_copy = handed && handed->why == STEER_COPY;
	r.now_ns = now_ns;
	if (ether_read(&r.ether, f)) {
		s->c.bad_ether++;
		return;
	}
	if (!memcmp(r.ether.source, s->mac, MAC_LEN)) { // a device that loops back what we send
		s->c.own_mac++;
		return;
	}
	if (r.ether.vlan != s->vlan) {
		s->c.bad_vlan++;
		return;
	}
	r.is_group = mac_is_group(r.ether.target);
	if (!r.is_group && memcmp(r.ether.target, s->mac, MAC_LEN) != 0) {
		s->c.not_ours++;
		return;
	}
	switch (r.ether.type) {
	case ETHER_IP4:
	case ETHER_IP6:
		packet_input(s, &r);
		break;
	case ETHER_ARP:
		arp_input(s, &r);
		break;
	default:
		s->c.other_protocol++;
	}
}
