// SPDX-License-Identifier: BSD-3-Clause
// Neighbour solicitations and advertisements of IPv6 (RFC 4861, 4.3 and 4.4).
#pragma once

#include <stddef.h>

#include "dataplane/net/ip.h"

#define ND_LEN_MAX 32 // bytes of a message with a MAC

struct nd {
	bool is_advertisement;
	bool from_router, is_answer, overrides; // R, S and O of an advertisement
	bool has_mac;                           // of the source, or the target, link-layer address
	uint8_t mac[MAC_LEN];
	struct net_address target;
};

// Whether a message may be believed (RFC 4861, 7.1.1 and 7.1.2). The checksum was verified before.
//
// @param ip  packet that carries it
// @return 0, or -EBADMSG
int nd_read(struct nd *n, const struct ip_packet *ip);

// Write a message, its checksum as 0.
//
// @param p  ND_LEN_MAX bytes
// @return bytes written
unsigned nd_write(const struct nd *n, uint8_t *p);
