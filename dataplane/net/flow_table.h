// SPDX-License-Identifier: BSD-3-Clause
// From addresses and ports to a flow's number. Open addressing; the hash is keyed, so that peers
// cannot choose ports that collide. All memory is taken at the start.
#pragma once

#include "dataplane/net/address.h"
#include "dataplane/tcp/tcp.h"

#define FLOW_NONE UINT32_MAX

// A tuple in words: ports and family, then the addresses.
struct flow_key {
	uint64_t w[5];
};

struct flow_slot {
	uint32_t tag;   // of the hash; 0: empty
	uint32_t index; // of the flow
};

struct flow_table {
	uint32_t n, max, mask;
	uint64_t secret[4];
	struct flow_slot *slots;
	struct flow_key *keys; // by flow
};

// @param max  flows that must fit, numbered from 0
// @return 0, or -ENOMEM
int flow_table_init(struct flow_table *t, uint32_t max, const uint8_t secret[16]);
void flow_table_fini(struct flow_table *t);

struct flow_key flow_key_of(const struct tcp_tuple *tuple);

// The same of a received segment: the target is local. Word by word: what gcc makes of a struct
// that is cleared or copied whole costs more than the look-up.
//
// @param source, target  addresses as they stand in the packet
static inline void flow_key_received(struct flow_key *k, uint8_t family, const uint8_t *source,
				     const uint8_t *target, uint16_t source_port,
				     uint16_t target_port)
{
	k->w[0] = target_port | (uint64_t)source_port << 16 | (uint64_t)family << 32;
	if (family == 4) {
		uint32_t local, remote;
		memcpy(&local, target, 4);
		memcpy(&remote, source, 4);
		k->w[1] = local | (uint64_t)remote << 32;
		k->w[2] = k->w[3] = k->w[4] = 0;
	} else {
		memcpy(&k->w[1], target, 8);
		memcpy(&k->w[2], target + 8, 8);
		memcpy(&k->w[3], source, 8);
		memcpy(&k->w[4], source + 8, 8);
	}
}

uint64_t flow_table_hash(const struct flow_table *t, const struct flow_key *k);

// @return FLOW_NONE: it is not there
uint32_t flow_table_find(const struct flow_table *t, const struct flow_key *k);

// The key must not be there, the index not in use.
void flow_table_put(struct flow_table *t, const struct flow_key *k, uint32_t index);
void flow_table_remove(struct flow_table *t, uint32_t index);
