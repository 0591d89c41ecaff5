// SPDX-License-Identifier: BSD-3-Clause
// nd_input() -> solicited() or advertised() -> neighbour_learn() -> held_send()
#include "dataplane/net/nd.h"
#include "dataplane/net/stack_priv.h"

static const struct net_address nobody = {6, {0}};
static const struct net_address all_nodes = {6, {0xff, 0x02, [15] = 1}};

static void nd_send(struct stack *s, struct nd *n, const struct net_address *from,
		    const struct net_address *to, const uint8_t *mac, uint64_t now_ns)
{
	uint8_t message[ND_LEN_MAX];
	memcpy(n->mac, s->mac, MAC_LEN);
	unsigned len = nd_write(n, message);
	icmp_sum_set(message, len, from, to);
	struct packet p = {from, to, mac, IP_ICMP6, IP_NO_TWO_HOP, message, len, NULL, 0};
	s->c.nd_out++;
	packet_send(s, &p, now_ns);
}

void nd_ask(struct stack *s, const struct neighbour *n, bool is_unicast, uint64_t now_ns)
{
	const struct route *route = route_find(&s->routes, &n->address);
	struct own_address *own = route ? own_find(s, &route->source) : NULL;
	if (!own || own->is_tentative || own->is_duplicate)
		return; // asked again in a second
	struct nd ask = {.target = n->address, .has_mac = true};
	struct net_address to = is_unicast ? n->address : address_solicited(&n->address);
	nd_send(s, &ask, &own->at.address, &to, is_unicast ? n->mac : NULL, now_ns);
}

// Does anybody have our address? (RFC 4862, 5.4.2)
void nd_probe(struct stack *s, const struct own_address *own, uint64_t now_ns)
{
	struct nd ask = {.target = own->at.address};
	struct net_address group = address_solicited(&own->at.address);
	nd_send(s, &ask, &nobody, &group, NULL, now_ns);
}

static void nd_answer(struct stack *s, const struct own_address *own, const struct net_address *to,
		      const uint8_t *mac, uint64_t now_ns)
{
	struct nd answer = {
		.is_advertisement = true,
		.is_answer = !address_is_multicast(to),
		.overrides = true,
		.has_mac = true,
		.target = own->at.address,
	};
	nd_send(s, &answer, &own->at.address, to, mac, now_ns);
}

// RFC 4861, 7.2.6: whoever knows us updates what he knows.
void nd_announce(struct stack *s, const struct own_address *own, uint64_t now_ns)
{
	nd_answer(s, own, &all_nodes, NULL, now_ns);
}

static void solicited(struct stack *s, const struct received *r, const struct nd *n)
{
	struct net_address source = address_of(6, r->ip.source);
	struct own_address *own = own_find(s, &n->target);
	bool is_probe = address_is_any(&source);
	if (own && own->is_tentative) {
		if (is_probe)
			own_contested(s, own, r->ether.source, r->now_ns);
		return; // RFC 4862, 5.4.3
	}
	struct neighbour *known = neighbour_find(&s->neighbours, &source);
	if (known && n->has_mac && !mac_is_group(n->mac)) {
		neighbour_learn(&s->neighbours, known, n->mac, false, r->now_ns);
		held_send(s, known);
	}
	if (!own || own->is_duplicate || r->is_copy)
		return;
	if (is_probe)
		nd_answer(s, own, &all_nodes, NULL, r->now_ns);
	else
		nd_answer(s, own, &source, n->has_mac ? n->mac : r->ether.source, r->now_ns);
}

// RFC 4861, 7.2.5.
static void advertised(struct stack *s, const struct received *r, const struct nd *n)
{
	struct own_address *own = own_find(s, &n->target);
	if (own) {
		own_contested(s, own, n->has_mac ? n->mac : r->ether.source, r->now_ns);
		return;
	}
	struct neighbour *known = neighbour_find(&s->neighbours, &n->target);
	if (!known || (n->has_mac && mac_is_group(n->mac)))
		return;
	bool is_usable = neighbour_is_usable(known);
	if (!is_usable && !n->has_mac)
		return;
	const uint8_t *mac = n->has_mac ? n->mac : known->mac;
	if (is_usable && !n->overrides && memcmp(mac, known->mac, MAC_LEN) != 0) {
		if (known->state == NEIGHBOUR_REACHABLE)
			neighbour_doubt(&s->neighbours, known, r->now_ns);
		return;
	}
	neighbour_learn(&s->neighbours, known, mac, n->is_answer, r->now_ns);
	held_send(s, known);
}

void nd_input(struct stack *s, const struct received *r)
{
	struct nd n;
	s->c.nd_in++;
	if (nd_read(&n, &r->ip)) {
		s->c.bad_nd++;
		return;
	}
	if (!r->is_copy)
		steer_copies(s, r);
	if (n.is_advertisement)
		advertised(s, r, &n);
	else
		solicited(s, r, &n);
}
