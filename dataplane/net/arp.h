// SPDX-License-Identifier: BSD-3-Clause
// ARP packets of Ethernet and IPv4 (RFC 826).
#pragma once

#include <stddef.h>

#include "dataplane/net/address.h"

#define ARP_LEN 28

struct arp {
	bool is_request;
	uint8_t sender_mac[MAC_LEN], target_mac[MAC_LEN];
	struct net_address sender, target; // a sender of 0.0.0.0 probes (RFC 5227)
};

// @return 0, or -EBADMSG: too short, not Ethernet and IPv4, or another operation
int arp_read(struct arp *a, const uint8_t *p, size_t len);

// @param p  ARP_LEN bytes
void arp_write(const struct arp *a, uint8_t *p);
