// SPDX-License-Identifier: BSD-3-Clause
// Ethernet's header, with an 802.1Q tag or without.
#pragma once

#include "dataplane/net/address.h"
#include "drivers/nic.h"

#define ETHER_LEN      14
#define ETHER_VLAN_LEN 4

enum ether_type {
	ETHER_IP4 = 0x0800,
	ETHER_ARP = 0x0806,
	ETHER_VLAN = 0x8100,
	ETHER_IP6 = 0x86dd,
};

struct ether {
	const uint8_t *target, *source;
	uint16_t type;
	uint16_t vlan; // id; 0: not tagged, or tagged for its priority only
	uint8_t *body;
	uint32_t body_len; // Ethernet's padding included
};

static inline bool mac_is_group(const uint8_t mac[MAC_LEN])
{
	return mac[0] & 1;
}

// @return 0, or -EBADMSG: too short
int ether_read(struct ether *e, const struct nic_frame *f);

// @param vlan  tag to be put in; 0: none
// @return bytes written, 14 or 18
unsigned ether_write(uint8_t *p, const uint8_t target[MAC_LEN], const uint8_t source[MAC_LEN],
		     uint16_t vlan, uint16_t type);
