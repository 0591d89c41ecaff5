// SPDX-License-Identifier: BSD-3-Clause
// Multicast listener discovery (RFC 3810, now RFC 9777; RFC 2710 for its elders): switches that
// snoop it pass neighbour solicitations only to who has asked for their group.
#pragma once

#include "dataplane/net/ip.h"

#define MLD_GROUPS_MAX 32
#define MLD_LEN_MAX    (8 + 20 * MLD_GROUPS_MAX)
#define MLD_OPTION_LEN 8 // hop-by-hop options that stand before each message

struct mld_query {
	bool is_old; // of version 1
	uint32_t delay_ms_max;
	struct net_address group; // any: of all groups
};

// @return 0, or -EBADMSG (RFC 3810, 5.1.14)
int mld_query_read(struct mld_query *q, const struct ip_packet *ip);

// Hop-by-hop options with the router alert (RFC 2711). @param p  MLD_OPTION_LEN bytes
void mld_option_write(uint8_t *p, uint8_t next);

// A report that says: we listen to these groups, whoever sends (RFC 3810, 5.2). Checksum 0.
//
// @param is_new  the groups were joined just now; else an answer to a query
// @param p       MLD_LEN_MAX bytes
// @return bytes written
unsigned mld_report_write(const struct net_address *groups, unsigned n, bool is_new, uint8_t *p);

// The same of version 1, of one group (RFC 2710, 3).
unsigned mld_old_report_write(const struct net_address *group, uint8_t *p);
