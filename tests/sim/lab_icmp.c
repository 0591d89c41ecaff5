// SPDX-License-Identifier: BSD-3-Clause
// The router half way says that a packet is too big (RFC 792 with 1191; RFC 4443, 3.2).
#include "tests/sim/lab_priv.h"

#include <string.h>

#define IP4_LEN  20
#define IP6_LEN  40
#define ICMP_LEN 8
#define QUOTED_4 28 // of an IPv4 packet: the header and 8 bytes
#define QUOTED_6 (1280 - IP6_LEN - ICMP_LEN)
#define ICMP6    58

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint16_t sum(const uint8_t *p, size_t len, uint32_t total)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		total += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (len & 1)
		total += (uint32_t)p[len - 1] << 8;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)~total;
}

static uint32_t write_ip4(uint8_t *p, const uint8_t *packet, uint32_t quoted, uint16_t mtu)
{
	uint8_t *icmp = p + IP4_LEN;

	memcpy(p, (uint8_t[IP4_LEN]){0x45, [8] = 64, [9] = 1}, IP4_LEN);
	put16(p + 2, IP4_LEN + ICMP_LEN + quoted);
	memcpy(p + 12, packet + 16, 4); // from where it was to go
	memcpy(p + 16, packet + 12, 4);
	put16(p + 10, sum(p, IP4_LEN, 0));
	memcpy(icmp, (uint8_t[ICMP_LEN]){3, 4}, ICMP_LEN);
	put16(icmp + 6, mtu);
	memcpy(icmp + ICMP_LEN, packet, quoted);
	put16(icmp + 2, sum(icmp, ICMP_LEN + quoted, 0));
	return IP4_LEN + ICMP_LEN + quoted;
}

static uint32_t write_ip6(uint8_t *p, const uint8_t *packet, uint32_t quoted, uint16_t mtu)
{
	uint8_t *icmp = p + IP6_LEN;

	memcpy(p, (uint8_t[IP6_LEN]){0x60, [6] = ICMP6, [7] = 64}, IP6_LEN);
	put16(p + 4, ICMP_LEN + quoted);
	memcpy(p + 8, packet + 24, 16);
	memcpy(p + 24, packet + 8, 16);
	memcpy(icmp, (uint8_t[ICMP_LEN]){2}, ICMP_LEN);
	put16(icmp + 6, mtu);
	memcpy(icmp + ICMP_LEN, packet, quoted);
	uint32_t pseudo = ICMP_LEN + quoted + ICMP6;
	for (unsigned i = 8; i < IP6_LEN; i += 2)
		pseudo += (uint32_t)(p[i] << 8 | p[i + 1]);
	put16(icmp + 2, sum(icmp, ICMP_LEN + quoted, pseudo));
	return IP6_LEN + ICMP_LEN + quoted;
}

uint32_t icmp_too_big(const uint8_t *frame, uint32_t len, uint16_t mtu, uint8_t *out)
{
	bool is_tagged = frame[12] == 0x81;
	uint32_t l2_len = ETHER_LEN + (is_tagged ? 4 : 0), quoted = len - l2_len;
	const uint8_t *packet = frame + l2_len;

	for (unsigned i = 0; i < l2_len; i++)
		out[i] = frame[i < 6 ? i + 6 : i < 12 ? i - 6 : i];
	if (packet[0] >> 4 == 4)
		return l2_len +
		       write_ip4(out + l2_len, packet, quoted < QUOTED_4 ? quoted : QUOTED_4, mtu);
	return l2_len + write_ip6(out + l2_len, packet, quoted < QUOTED_6 ? quoted : QUOTED_6, mtu);
}
