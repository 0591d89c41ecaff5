// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/net/nd.h"

#include <errno.h>

#include "dataplane/net/icmp.h"

#define HEAD_LEN 24 // type to target

enum { OPTION_SOURCE = 1, OPTION_TARGET = 2 };
enum { FLAG_ROUTER = 0x80, FLAG_ANSWER = 0x40, FLAG_OVERRIDE = 0x20 };

// Take the MAC from the options. @return 0, or -EBADMSG: one without length, or beyond the end
static int options_read(struct nd *n, const uint8_t *p, size_t len)
{
	uint8_t wanted = n->is_advertisement ? OPTION_TARGET : OPTION_SOURCE;
	while (len) {
		if (len < 8 || !p[1] || p[1] * 8u > len)
			return -EBADMSG;
		if (p[0] == wanted && p[1] == 1) {
			memcpy(n->mac, p + 2, MAC_LEN);
			n->has_mac = true;
		}
		len -= p[1] * 8u;
		p += p[1] * 8u;
	}
	return 0;
}

// What a solicitation from the unspecified address has to keep to: somebody looks whether the
// address is taken.
static bool probe_is_good(const struct nd *n, const struct ip_packet *ip)
{
	struct net_address group = address_solicited(&n->target);
	return !n->has_mac && !memcmp(ip->target, group.bytes, 16);
}

int nd_read(struct nd *n, const struct ip_packet *ip)
{
	const uint8_t *p = ip->p;
	if (ip->hop_limit != IP_NO_TWO_HOP || ip->len < HEAD_LEN || p[1] != 0)
		return -EBADMSG;
	*n = (struct nd){
		.is_advertisement = p[0] == ICMP6_ADVERTISEMENT,
		.from_router = p[4] & FLAG_ROUTER,
		.is_answer = p[4] & FLAG_ANSWER,
		.overrides = p[4] & FLAG_OVERRIDE,
		.target = address_of(6, p + 8),
	};
	if (address_is_multicast(&n->target) || options_read(n, p + HEAD_LEN, ip->len - HEAD_LEN))
		return -EBADMSG;
	struct net_address source = address_of(6, ip->source);
	struct net_address target = address_of(6, ip->target);
	if (n->is_advertisement)
		return n->is_answer && address_is_multicast(&target) ? -EBADMSG : 0;
	return address_is_any(&source) && !probe_is_good(n, ip) ? -EBADMSG : 0;
}

unsigned nd_write(const struct nd *n, uint8_t *p)
{
	memset(p, 0, ND_LEN_MAX);
	p[0] = n->is_advertisement ? ICMP6_ADVERTISEMENT : ICMP6_SOLICITATION;
	if (n->is_advertisement)
		p[4] = (uint8_t)((n->from_router ? FLAG_ROUTER : 0) |
				 (n->is_answer ? FLAG_ANSWER : 0) |
				 (n->overrides ? FLAG_OVERRIDE : 0));
	memcpy(p + 8, n->target.bytes, 16);
	if (!n->has_mac)
		return HEAD_LEN;
	p[24] = n->is_advertisement ? OPTION_TARGET : OPTION_SOURCE;
	p[25] = 1;
	memcpy(p + 26, n->mac, MAC_LEN);
	return HEAD_LEN + 8;
}
