// SPDX-License-Identifier: BSD-3-Clause
// What is known of the MTU of paths, for connections to come (RFC 1191, 6.3; RFC 8201, 5.2).
#pragma once

#include "dataplane/net/address.h"

#define PMTU_MAX    64
#define PMTU_AGE_NS 600000000000ull // then the path may have grown: try again

struct pmtu {
	struct net_address to;
	uint32_t mtu;
	uint64_t until_ns;
};

struct pmtus {
	struct pmtu rows[PMTU_MAX];
};

// @return 0: nothing is known
static inline uint32_t pmtu_find(const struct pmtus *t, const struct net_address *to,
				 uint64_t now_ns)
{
	for (unsigned i = 0; i < PMTU_MAX; i++) {
		const struct pmtu *row = &t->rows[i];
		if (now_ns < row->until_ns && address_eq(&row->to, to))
			return row->mtu;
	}
	return 0;
}

// The row of the same path, else the one that ends first, gives way.
static inline void pmtu_put(struct pmtus *t, const struct net_address *to, uint32_t mtu,
			    uint64_t now_ns)
{
	struct pmtu *row = &t->rows[0];
	for (unsigned i = 0; i < PMTU_MAX; i++) {
		if (address_eq(&t->rows[i].to, to)) {
			row = &t->rows[i];
			break;
		}
		if (t->rows[i].until_ns < row->until_ns)
			row = &t->rows[i];
	}
	*row = (struct pmtu){*to, mtu, now_ns + PMTU_AGE_NS};
}
