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

// The same of a received segment: the target is local.
//
// @param source, target  addresses as they stand in the packet
static inline struct flow_key flow_key_received(uint8_t family, const uint8_t *source,
						const uint8_t *target, uint16_t source_port,
						uint16_t target_port)
{
	struct flow_key k = {{target_port | (uint64_t)source_port << 16 | (uint64_t)family << 32}};
	if (family == 4) {
		memcpy(&k.w[1], target, 4);
		memcpy((uint8_t *)&k.w[1] + 4, source, 4);
	} else {
		memcpy(&k.w[1], target, 16);
		memcpy(&k.w[3], source, 16);
	}
	return k;
}

uint64_t flow_table_hash(const struct flow_table *t, const struct flow_key *k);

// @return FLOW_NONE: it is not there
uint32_t flow_table_find(const struct flow_table *t, const struct flow_key *k);

// The key must not be there, the index not in use.
void flow_table_put(struct flow_table *t, const struct flow_key *k, uint32_t index);
void flow_table_remove(struct flow_table *t, uint32_t index);
