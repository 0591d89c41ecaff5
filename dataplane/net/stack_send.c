// SPDX-License-Identifier: BSD-3-Clause
// packet_send() -> route_find() -> neighbour_want() -> frame_send(), or neighbour_hold()
// neighbours_run() -> arp_ask() or nd_ask(), icmp_lost()
#include <assert.h>
#include <errno.h>

#include "dataplane/net/stack_priv.h"

int frame_send(struct stack *s, struct nic_packet *p)
{
	if (s->vlan && s->offloads & NIC_TX_VLAN) {
		p->offloads |= NIC_TX_VLAN;
		p->vlan = s->vlan;
	}
	int error = nic_send(s->nic, p);
	if (!error)
		s->c.frames_out++;
	else if (error == -ENOBUFS)
		s->c.tx_full++;
	else
		s->c.tx_too_long++;
	return error;
}

static void counted_hold(struct stack *s, struct neighbour *n, const struct nic_packet *p)
{
	if (!neighbour_hold(&s->neighbours, n, p))
		s->c.pending_dropped++;
}

// Hand a finished frame to whoever is next on the way.
static void frame_route(struct stack *s, const struct net_address *to, uint8_t *head,
			struct nic_packet *p, uint64_t now_ns)
{
	const struct route *route = route_find(&s->routes, to);
	if (!route) {
		s->c.no_neighbour++;
		return;
	}
	struct neighbour *n = neighbour_want(&s->neighbours, route_hop(route, to), now_ns);
	if (!neighbour_is_usable(n)) {
		counted_hold(s, n, p);
		return;
	}
	memcpy(head, n->mac, MAC_LEN);
	frame_send(s, p);
}

void packet_send(struct stack *s, const struct packet *o, uint64_t now_ns)
{
	uint8_t head[NIC_HEAD_MAX], mac[MAC_LEN] = {0};
	bool is_group = address_is_multicast(o->to);
	uint16_t tag = s->offloads & NIC_TX_VLAN ? 0 : s->vlan;
	uint16_t type = o->to->family == 6 ? ETHER_IP6 : ETHER_IP4;
	if (is_group)
		address_group_mac(o->to, mac);
	else if (o->mac)
		memcpy(mac, o->mac, MAC_LEN);

	unsigned l2 = ether_write(head, mac, s->mac, tag, type);
	unsigned l3 = ip_write(head + l2, o->from, o->to, o->protocol, o->hop_limit,
			       (uint32_t)(o->head_len + o->body_len));
	assert(l2 + l3 + o->head_len <= sizeof(head));
	memcpy(head + l2 + l3, o->head, o->head_len);
	struct nic_packet p = {
		.head = head,
		.head_len = (uint16_t)(l2 + l3 + o->head_len),
		.l2_len = (uint8_t)l2,
		.l3_len = (uint8_t)l3,
		.l4_len = (uint8_t)o->head_len,
		.is_ip6 = o->to->family == 6,
		.n_body = o->body_len > 0,
		.body = {{(void *)o->body, o->body_len}},
	};
	if (is_group || o->mac)
		frame_send(s, &p);
	else
		frame_route(s, o->to, head, &p, now_ns);
}

// A segment that belongs to no connection: without payload, the checksum in software.
void segment_send(struct stack *s, const struct tcp_tuple *tuple, const struct tcp_segment *seg,
		  uint64_t now_ns)
{
	struct net_address from = address_of(tuple->family, tuple->local);
	struct net_address to = address_of(tuple->family, tuple->remote);
	uint8_t head[TCP_HEADER_MAX];
	unsigned len = tcp_segment_write(seg, head);
	sum_t sum = sum_pseudo(tuple->family, tuple->local, tuple->remote, IP_TCP, len);
	uint16_t field = sum_field(sum_bytes(sum, head, len));
	memcpy(head + 16, &field, 2);
	struct packet p = {&from, &to, NULL, IP_TCP, IP_HOP_LIMIT, head, len, NULL, 0};
	packet_send(s, &p, now_ns);
}

void held_send(struct stack *s, struct neighbour *n)
{
	const struct nic_packet *held;
	if (!neighbour_is_usable(n))
		return;
	while ((held = neighbour_release(&s->neighbours, n))) {
		struct nic_packet p = *held;
		frame_send(s, &p);
	}
}

static void held_lose(struct stack *s, struct neighbour *n, uint64_t now_ns)
{
	const struct nic_packet *held;
	while ((held = neighbour_release(&s->neighbours, n))) {
		s->c.no_neighbour++;
		icmp_lost(s, held, EHOSTUNREACH, now_ns);
	}
}

void neighbours_run(struct stack *s, uint64_t now_ns)
{
	struct neighbour *n;
	enum neighbour_ask ask;
	while ((ask = neighbour_next(&s->neighbours, now_ns, &n)) != NEIGHBOUR_NONE) {
		if (ask == NEIGHBOUR_LOST)
			held_lose(s, n, now_ns);
		else if (n->address.family == 4)
			arp_ask(s, n, ask == NEIGHBOUR_ITSELF);
		else
			nd_ask(s, n, ask == NEIGHBOUR_ITSELF, now_ns);
	}
}
