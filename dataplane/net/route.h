// SPDX-License-Identifier: BSD-3-Clause
// Where a packet goes next, and from which address of ours: connected prefixes and static routes,
// the longest prefix first. Read only once it is made.
#pragma once

#include "dataplane/net/address.h"

#define ROUTES_MAX 40 // connected and static ones, and the link's own

struct route {
	struct net_prefix to;
	struct net_address gateway; // family 0: the target itself is the neighbour
	struct net_address source;  // the address of ours that goes with it
};

struct routes {
	unsigned n;
	struct route rows[ROUTES_MAX]; // the longest prefix first
};

// @return 0; -EINVAL: no address, one twice, one that no host can have, a prefix too long, or a
// gateway that none of the addresses reaches; `why` says which
int routes_init(struct routes *r, const struct net_prefix *addresses, unsigned n_addresses,
		const struct net_route *statics, unsigned n_statics, const char **why);

// @return NULL: nothing leads there
const struct route *route_find(const struct routes *r, const struct net_address *to);

// The neighbour that a packet to `to` is handed to.
static inline const struct net_address *route_hop(const struct route *r,
						  const struct net_address *to)
{
	return r->gateway.family ? &r->gateway : to;
}
