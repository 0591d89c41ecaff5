// SPDX-License-Identifier: BSD-3-Clause
// Addresses of both families, prefixes and routes.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MAC_LEN          6
#define ADDRESS_TEXT_LEN 46 // of an IPv6 address, with its end

// An address of either family; IPv4 in the first four bytes, the others 0; network byte order.
struct net_address {
	uint8_t family; // 4, 6; 0: none
	uint8_t bytes[16];
};

struct net_prefix {
	struct net_address address; // ours, host bits included
	uint8_t len;                // bits of the prefix
};

struct net_route {
	struct net_prefix to; // len 0: everything
	struct net_address gateway;
};

static inline unsigned address_len(uint8_t family)
{
	return family == 4 ? 4 : 16;
}

static inline bool address_eq(const struct net_address *a, const struct net_address *b)
{
	return a->family == b->family && !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

// @param bytes  as they stand in a packet: 4 of IPv4, 16 of IPv6
struct net_address address_of(uint8_t family, const uint8_t *bytes);

bool address_is_any(const struct net_address *a);
bool address_is_multicast(const struct net_address *a); // IPv4's broadcast as well
bool address_is_link_local(const struct net_address *a);

// Whether a host can have it: not any, not multicast, not loopback, not 0/8 and 240/4.
bool address_is_unicast(const struct net_address *a);

// Leading bits that two addresses of a family share.
unsigned address_common_bits(const struct net_address *a, const struct net_address *b);

bool prefix_has(const struct net_prefix *p, const struct net_address *a);

// The group that an address's neighbour solicitations go to (RFC 4291, 2.7.1).
struct net_address address_solicited(const struct net_address *a);

// The link-local address of a MAC (RFC 4291, appendix A).
struct net_address address_of_mac(const uint8_t mac[MAC_LEN]);

// Where a multicast group is sent to on Ethernet (RFC 1112, 6.4; RFC 2464, 7).
void address_group_mac(const struct net_address *group, uint8_t mac[MAC_LEN]);

// @param out  ADDRESS_TEXT_LEN bytes
// @return out
const char *address_text(const struct net_address *a, char *out);
