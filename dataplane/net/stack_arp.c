// SPDX-License-Identifier: BSD-3-Clause
// arp_input() -> own_contested(), neighbour_learn() -> held_send(), answer
#include "dataplane/net/arp.h"
#include "dataplane/net/stack_priv.h"

static const uint8_t everybody[MAC_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void arp_send(struct stack *s, const struct arp *a, const uint8_t to[MAC_LEN])
{
	uint8_t head[ETHER_LEN + ETHER_VLAN_LEN + ARP_LEN];
	uint16_t tag = s->offloads & NIC_TX_VLAN ? 0 : s->vlan;
	unsigned l2 = ether_write(head, to, s->mac, tag, ETHER_ARP);
	arp_write(a, head + l2);
	struct nic_packet p = {
		.head = head,
		.head_len = (uint16_t)(l2 + ARP_LEN),
		.l2_len = (uint8_t)l2,
	};
	s->c.arp_out++;
	frame_send(s, &p);
}

static struct arp arp_ours(const struct stack *s, bool is_request)
{
	struct arp a = {.is_request = is_request};
	memcpy(a.sender_mac, s->mac, MAC_LEN);
	return a;
}

void arp_ask(struct stack *s, const struct neighbour *n, bool is_unicast)
{
	const struct route *route = route_find(&s->routes, &n->address);
	struct arp a = arp_ours(s, true);
	if (!route)
		return;
	a.sender = route->source;
	a.target = n->address;
	arp_send(s, &a, is_unicast ? n->mac : everybody);
}

// A request for our own address, from it (RFC 5227, 2.3): whoever knows us updates what he knows.
void arp_announce(struct stack *s, const struct own_address *own)
{
	struct arp a = arp_ours(s, true);
	a.sender = a.target = own->at.address;
	arp_send(s, &a, everybody);
}

static void arp_answer(struct stack *s, const struct arp *asked)
{
	struct arp a = arp_ours(s, false);
	a.sender = asked->target;
	a.target = asked->sender;
	memcpy(a.target_mac, asked->sender_mac, MAC_LEN);
	arp_send(s, &a, asked->sender_mac);
}

// Only whom we have asked for, or know, is learned from: a table that anybody fills is anybody's.
static void arp_learn(struct stack *s, const struct received *r, const struct arp *a)
{
	struct neighbour *n = neighbour_find(&s->neighbours, &a->sender);
	if (!n)
		return;
	bool is_answer = !a->is_request && !r->is_group;
	neighbour_learn(&s->neighbours, n, a->sender_mac, is_answer, r->now_ns);
	held_send(s, n);
}

void arp_input(struct stack *s, const struct received *r)
{
	struct arp a;
	s->c.arp_in++;
	if (arp_read(&a, r->ether.body, r->ether.body_len) || mac_is_group(a.sender_mac)) {
		s->c.bad_arp++;
		return;
	}
	if (!r->is_copy)
		steer_copies(s, r);
	struct own_address *ours = own_find(s, &a.sender);
	if (ours) {
		if (memcmp(a.sender_mac, s->mac, MAC_LEN) != 0)
			own_contested(s, ours, a.sender_mac, r->now_ns);
		return;
	}
	if (address_is_unicast(&a.sender))
		arp_learn(s, r, &a);
	if (a.is_request && !r->is_copy && own_find(s, &a.target))
		arp_answer(s, &a);
}
