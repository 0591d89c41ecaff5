// SPDX-License-Identifier: BSD-3-Clause
// Packets of IPv4 (RFC 791) and IPv6 (RFC 8200). We send none that may be fragmented, and take no
// fragments.
#pragma once

#include <stddef.h>

#include "dataplane/net/address.h"

#define IP4_LEN       20
#define IP6_LEN       40
#define IP6_MTU_MIN   1280 // RFC 8200, 5
#define IP4_MTU_MIN   576  // what every host takes (RFC 1122, 3.3.3)
#define IP_HOP_LIMIT  64
#define IP_NO_TWO_HOP 255 // hop limit of what no router may have passed on (RFC 4861, 3.1)

enum ip_protocol {
	IP_HOP_OPTIONS = 0,
	IP_ICMP = 1,
	IP_TCP = 6,
	IP_ROUTING = 43,
	IP_FRAGMENT_HEADER = 44,
	IP_ICMP6 = 58,
	IP_NOTHING = 59,
	IP_TARGET_OPTIONS = 60,
};

enum ip_verdict {
	IP_OK,
	IP_BAD,      // version, lengths, options
	IP_BAD_SUM,  // of IPv4's header
	IP_FRAGMENT, // one of several
};

struct ip_packet {
	uint8_t family, protocol, hop_limit;
	const uint8_t *source, *target; // 4 or 16 bytes
	uint8_t *p;                     // what it carries
	uint32_t len;
};

// @param is_sum_known  the device has verified the header's checksum
enum ip_verdict ip4_read(struct ip_packet *ip, uint8_t *p, size_t len, bool is_sum_known);

// Extension headers are walked through: options are skipped, a routing header must be used up.
enum ip_verdict ip6_read(struct ip_packet *ip, uint8_t *p, size_t len);

// Write the header of a packet that carries `len` bytes; DF is set, the checksum is filled in.
//
// @return bytes written
unsigned ip_write(uint8_t *p, const struct net_address *source, const struct net_address *target,
		  uint8_t protocol, uint8_t hop_limit, uint32_t len);

// The length of what a header carries has changed. The checksum of IPv4 is 0 afterwards.
void ip_len_set(uint8_t *p, uint8_t family, uint32_t len);

// Fill in the checksum of an IPv4 header without options.
void ip4_sum_set(uint8_t *p);

static inline unsigned ip_header_len(uint8_t family)
{
	return family == 4 ? IP4_LEN : IP6_LEN;
}
