// SPDX-License-Identifier: BSD-3-Clause
// icmp_error_read() -> meaning4() or meaning6() -> quote_read()
#include "dataplane/net/icmp.h"

#include <errno.h>

#include "dataplane/net/bytes.h"
#include "dataplane/net/checksum.h"

bool icmp_sum_is_good(const struct ip_packet *ip)
{
	sum_t sum = ip->family == 6 ? sum_pseudo(6, ip->source, ip->target, IP_ICMP6, ip->len) : 0;
	return sum_is_good(sum_bytes(sum, ip->p, ip->len));
}

void icmp_sum_set(uint8_t *p, uint32_t len, const struct net_address *source,
		  const struct net_address *target)
{
	memset(p + 2, 0, 2);
	sum_t sum = source->family == 6 ? sum_pseudo(6, source->bytes, target->bytes, IP_ICMP6, len)
					: 0;
	uint16_t field = sum_field(sum_bytes(sum, p, len));
	memcpy(p + 2, &field, 2);
}

// Routers that do not tell their MTU (RFC 1191, 5): the next of the plateaus of its table 7.1 below
// the packet that was too long.
static uint32_t plateau_below(uint32_t len)
{
	static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 576};
	for (unsigned i = 0; i < sizeof(plateaus) / sizeof(plateaus[0]); i++) {
		if (plateaus[i] < len)
			return plateaus[i];
	}
	return IP4_MTU_MIN;
}

// RFC 792; RFC 1122, 3.2.2.1. @return errno, 0: nothing for a connection
static int meaning4(const uint8_t *p, const uint8_t *quote, uint32_t *mtu)
{
	if (p[0] != ICMP_UNREACHABLE)
		return 0;
	switch (p[1]) {
	case 2: // protocol
	case 3: // port
		return ECONNREFUSED;
	case 4: // fragmentation needed (RFC 1191, 4)
		*mtu = get16(p + 6);
		if (*mtu < IP4_MTU_MIN)
			*mtu = *mtu ? IP4_MTU_MIN : plateau_below(get16(quote + 2));
		return EMSGSIZE;
	case 0:
	case 6:
	case 11:
		return ENETUNREACH;
	default:
		return EHOSTUNREACH;
	}
}

// RFC 4443, 3.1 and 3.2; an MTU below the least of IPv6 is a lie (RFC 8201, 4).
static int meaning6(const uint8_t *p, uint32_t *mtu)
{
	if (p[0] == ICMP6_TOO_BIG) {
		*mtu = get32(p + 4);
		return *mtu < IP6_MTU_MIN ? 0 : EMSGSIZE;
	}
	if (p[0] != ICMP6_UNREACHABLE)
		return 0;
	switch (p[1]) {
	case 0:
		return ENETUNREACH;
	case 1:
	case 4:
		return ECONNREFUSED;
	default:
		return EHOSTUNREACH;
	}
}

// The head of our own packet: its addresses, ports and sequence number.
static int quote_read(struct icmp_error *e, uint8_t family, const uint8_t *q, uint32_t len)
{
	unsigned header = family == 4 ? (q[0] & 15) * 4u : IP6_LEN;
	if (q[0] >> 4 != family || header < ip_header_len(family) || len < header + 8)
		return -EBADMSG;
	if (q[family == 4 ? 9 : 6] != IP_TCP)
		return -ENOMSG;
	unsigned n = address_len(family);
	const uint8_t *addresses = q + (family == 4 ? 12 : 8), *tcp = q + header;
	e->tuple = (struct tcp_tuple){
		.family = family,
		.local_port = get16(tcp),
		.remote_port = get16(tcp + 2),
	};
	memcpy(e->tuple.local, addresses, n);
	memcpy(e->tuple.remote, addresses + n, n);
	e->seq = seq_of(get32(tcp + 4));
	return 0;
}

int icmp_error_read(struct icmp_error *e, const struct ip_packet *ip)
{
	if (ip->len < ICMP_LEN + ip_header_len(ip->family))
		return -ENOMSG;
	const uint8_t *quote = ip->p + ICMP_LEN;
	e->mtu = 0;
	e->error = ip->family == 4 ? meaning4(ip->p, quote, &e->mtu) : meaning6(ip->p, &e->mtu);
	if (!e->error)
		return -ENOMSG;
	return quote_read(e, ip->family, quote, ip->len - ICMP_LEN);
}
