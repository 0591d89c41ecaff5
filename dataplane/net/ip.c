// SPDX-License-Identifier: BSD-3-Clause
// ip4_read(), ip6_read() -> extension_walk()
#include "dataplane/net/ip.h"

#include "dataplane/net/bytes.h"
#include "dataplane/net/checksum.h"

#define IP4_DF        0x4000
#define IP4_FRAGMENT  0x3fff // more fragments, or not the first
#define IP6_FRAGMENT  0xfff9 // the same, without the reserved bits
#define EXTENSION_MAX 8      // headers that a packet may bring with it

enum ip_verdict ip4_read(struct ip_packet *ip, uint8_t *p, size_t len, bool is_sum_known)
{
	if (len < IP4_LEN || p[0] >> 4 != 4)
		return IP_BAD;
	unsigned header = (p[0] & 15) * 4u, total = get16(p + 2);
	if (header < IP4_LEN || total < header || total > len)
		return IP_BAD;
	if (!is_sum_known && !sum_is_good(sum_bytes(0, p, header)))
		return IP_BAD_SUM;
	if (get16(p + 6) & IP4_FRAGMENT)
		return IP_FRAGMENT;
	ip->family = 4;
	ip->protocol = p[9];
	ip->hop_limit = p[8];
	ip->source = p + 12;
	ip->target = p + 16;
	ip->p = p + header;
	ip->len = total - header;
	return IP_OK;
}

// Skip one extension header (RFC 8200, 4.2-4.6).
static enum ip_verdict extension_walk(struct ip_packet *ip)
{
	if (ip->len < 8)
		return IP_BAD;
	const uint8_t *p = ip->p;
	unsigned len = 8 + p[1] * 8u;
	if (ip->protocol == IP_FRAGMENT_HEADER) {
		len = 8;
		if (get16(p + 2) & IP6_FRAGMENT) // else a packet of its own (RFC 6946)
			return IP_FRAGMENT;
	}
	if (ip->protocol == IP_ROUTING && p[3])
		return IP_BAD; // wants us to pass it on (RFC 5095)
	if (len > ip->len)
		return IP_BAD;
	ip->protocol = p[0];
	ip->p += len;
	ip->len -= len;
	return IP_OK;
}

enum ip_verdict ip6_read(struct ip_packet *ip, uint8_t *p, size_t len)
{
	if (len < IP6_LEN || p[0] >> 4 != 6 || get16(p + 4) > len - IP6_LEN)
		return IP_BAD;
	ip->family = 6;
	ip->protocol = p[6];
	ip->hop_limit = p[7];
	ip->source = p + 8;
	ip->target = p + 24;
	ip->p = p + IP6_LEN;
	ip->len = get16(p + 4);
	for (unsigned i = 0; i <= EXTENSION_MAX; i++) {
		switch (ip->protocol) {
		case IP_HOP_OPTIONS:
			if (i)
				return IP_BAD; // only the first may be it
					       // fall through
		case IP_ROUTING:
		case IP_FRAGMENT_HEADER:
		case IP_TARGET_OPTIONS: {
			enum ip_verdict v = extension_walk(ip);
			if (v != IP_OK)
				return v;
			break;
		}
		default:
			return IP_OK;
		}
	}
	return IP_BAD;
}

unsigned ip_write(uint8_t *p, const struct net_address *source, const struct net_address *target,
		  uint8_t protocol, uint8_t hop_limit, uint32_t len)
{
	if (source->family == 6) {
		memset(p, 0, 4);
		p[0] = 0x60;
		p[6] = protocol;
		p[7] = hop_limit;
		memcpy(p + 8, source->bytes, 16);
		memcpy(p + 24, target->bytes, 16);
		ip_len_set(p, 6, len);
		return IP6_LEN;
	}
	memset(p, 0, IP4_LEN);
	p[0] = 0x45;
	put16(p + 6, IP4_DF); // so the identification may be any (RFC 6864, 4.1)
	p[8] = hop_limit;
	p[9] = protocol;
	memcpy(p + 12, source->bytes, 4);
	memcpy(p + 16, target->bytes, 4);
	ip_len_set(p, 4, len);
	ip4_sum_set(p);
	return IP4_LEN;
}

void ip_len_set(uint8_t *p, uint8_t family, uint32_t len)
{
	if (family == 6) {
		put16(p + 4, (uint16_t)len);
		return;
	}
	put16(p + 2, (uint16_t)(IP4_LEN + len));
	memset(p + 10, 0, 2);
}

void ip4_sum_set(uint8_t *p)
{
	memset(p + 10, 0, 2);
	uint16_t field = sum_field(sum_bytes(0, p, IP4_LEN));
	memcpy(p + 10, &field, 2);
}
