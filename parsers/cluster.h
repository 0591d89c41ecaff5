// SPDX-License-Identifier: BSD-3-Clause
// What a Redis Cluster says of itself: the map of its nodes and slots, and the errors by which it
// redirects. Source: cluster.c of Redis 3.0 to 8.x and Valkey 7.2 to 9.x,
// clusterGenNodesDescription(), clusterCommand(), clusterRedirectClient().
//
// The three replies that tell the map say different things. Ask CLUSTER NODES and CLUSTER SLOTS of
// one node, in this order, and read both into one map: NODES has flags, masters without slots and
// the slots that move; SLOTS has the addresses that clients are meant to use. CLUSTER SHARDS (7.0)
// can stand for SLOTS where that is not allowed, and adds what is being loaded.
#pragma once

#include "parsers/resp.h"
#include "parsers/slot.h"
#include "parsers/span.h"

#define CLUSTER_NODES_MAX 512
#define CLUSTER_ID_LEN    40
#define CLUSTER_HOST_LEN  256
#define CLUSTER_NONE      UINT16_MAX // no node

enum cluster_node_flags {
	CLUSTER_MASTER = 1 << 0,
	CLUSTER_REPLICA = 1 << 1,
	CLUSTER_MYSELF = 1 << 2,    // the node that was asked
	CLUSTER_FAIL = 1 << 3,      // the masters agreed that it is away
	CLUSTER_PFAIL = 1 << 4,     // the node that was asked does not reach it
	CLUSTER_NOADDR = 1 << 5,    // nobody knows where it is
	CLUSTER_HANDSHAKE = 1 << 6, // not a member yet; its id is not the last one
	CLUSTER_LOADING = 1 << 7,   // CLUSTER SHARDS: it does not serve yet
};

// A node is who its id says; its address changes.
struct cluster_node {
	char id[CLUSTER_ID_LEN + 1];    // "" when nothing told it: Redis 3.0's SLOTS, a redirect
	char shard[CLUSTER_ID_LEN + 1]; // id of its shard, "" where the server does not tell it
	char host[CLUSTER_HOST_LEN];    // where clients go, name or address; "" not known
	uint16_t port;                  // for connections like the one that asked; 0 not known
	uint16_t master;                // its master; itself for a master; CLUSTER_NONE not known
	uint16_t flags;                 // enum cluster_node_flags
	uint16_t n_slots;               // that it owns
};

struct cluster_map {
	unsigned n_nodes;
	unsigned n_owned;               // slots that have an owner
	unsigned n_moving;              // slots that the asked node gives away or takes in
	uint16_t owner[SLOT_COUNT];     // index into nodes, or CLUSTER_NONE
	uint16_t migrating[SLOT_COUNT]; // where the asked node is sending it, or CLUSTER_NONE
	uint16_t importing[SLOT_COUNT]; // where the asked node is taking it from, or CLUSTER_NONE
	struct cluster_node nodes[CLUSTER_NODES_MAX];
};

// How the server was asked; it leaves out what the asker must know.
struct cluster_asked {
	const char *host; // stands in for an address that is left empty ("the one you used")
	bool tls;         // chooses among the ports of CLUSTER SHARDS
};

// No nodes, no owners.
void cluster_map_reset(struct cluster_map *map);

// Add what a reply says to a map. What is told twice stands as the last reply has it, except that
// an address that is not known ("?") takes nothing away.
//
// @param text  CLUSTER NODES, the string
// @param v, n  CLUSTER SLOTS or CLUSTER SHARDS, as of resp_replies_next()
// @return 0; -EINVAL: no such reply; -ENOBUFS: more than CLUSTER_NODES_MAX nodes. On errors the
//         map may hold a part of it
int cluster_nodes_read(struct cluster_map *map, struct span text,
		       const struct cluster_asked *asked);
int cluster_slots_read(struct cluster_map *map, const struct resp_value *v, unsigned n,
		       const struct cluster_asked *asked);
int cluster_shards_read(struct cluster_map *map, const struct resp_value *v, unsigned n,
			const struct cluster_asked *asked);

// @return index of the node, or CLUSTER_NONE
uint16_t cluster_node_find(const struct cluster_map *map, struct span id);

// The node at an address, added without an id when the map has none there (a redirect can be ahead
// of the map). @return its index, or CLUSTER_NONE when the map is full
uint16_t cluster_node_at(struct cluster_map *map, const char *host, uint16_t port);

// Give a slot to a node, or to nobody (CLUSTER_NONE).
void cluster_owner_set(struct cluster_map *map, uint16_t slot, uint16_t node);

// A master that owns slots and can be talked to.
static inline bool cluster_node_serves(const struct cluster_node *node)
{
	return node->n_slots && node->host[0] && node->port && !(node->flags & CLUSTER_FAIL);
}

// ---- Redirects ------------------------------------------------------------------------------

enum cluster_answer {
	CLUSTER_OTHER,       // an error that is not of a cluster
	CLUSTER_MOVED,       // the slot has another owner
	CLUSTER_ASK,         // the slot is on its way; this once, ask the other node, after ASKING
	CLUSTER_TRYAGAIN,    // several keys, and some have moved: later
	CLUSTER_DOWN,        // the cluster does not serve the slot: later
	CLUSTER_CROSSSLOT,   // keys of several slots in one command or transaction
	CLUSTER_UNSUPPORTED, // the server is no cluster
};

struct cluster_redirect {
	uint16_t slot;
	uint16_t port;
	char host[CLUSTER_HOST_LEN]; // "" when the server does not know ("?")
};

// What an error says.
//
// @param error     with or without its '-'
// @param asked     as above, NULL: an empty address stays empty
// @param redirect  out, for MOVED and ASK
enum cluster_answer cluster_error_read(struct span error, const struct cluster_asked *asked,
				       struct cluster_redirect *redirect);

// ---- Tags -----------------------------------------------------------------------------------

#define CLUSTER_TAG_LEN 3 // at most

// A hash tag for a slot: key_slot("{TAG}...") is the slot. One to three of [A-Za-z0-9]; markers lie
// under it, so it is the same for ever: the shortest, and of those the first in ASCII order.
const char *cluster_tag(uint16_t slot);
