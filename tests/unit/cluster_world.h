// SPDX-License-Identifier: BSD-3-Clause
// A few nodes that obey the rules of a Redis Cluster, without sockets: slots with owners, slots on
// their way between two nodes, redirects, transactions, connections that are lost with or without
// what they carried. The test says what happens, and moves the clock of fake_stream.h.
#pragma once

#include "dataplane/apply/cluster_lane.h"
#include "tests/unit/fake_stream.h"
#include "tests/unit/test.h"

#define WORLD_NODES   8
#define WORLD_CLIENTS 64
#define WORLD_BUFFER  (4 << 20)
#define WORLD_KEYS    65536 // of one node, with markers; a power of two

struct world_key {
	char *name, *value;
};

// What a write replaced, to be taken back: a replica that takes over may not have had it.
struct world_undo {
	char *name, *value; // owned; value NULL: it was not there
	uint64_t command;   // of a transaction: its EXEC
};

struct world_node {
	char id[CLUSTER_ID_LEN + 1];
	char run_id[CLUSTER_ID_LEN + 1];
	bool up;
	bool knows_less;     // it answers as a replica would: MOVED
	const char *refuses; // error line for every write, NULL: none
	struct world_key keys[WORLD_KEYS];
	unsigned n_keys;
	uint64_t next_client;
	uint16_t owner[SLOT_COUNT];                // as it knows
	uint16_t to[SLOT_COUNT], from[SLOT_COUNT]; // slots on their way, CLUSTER_NONE
	unsigned n_moved, n_asked, n_commands;
	bool has_replica;
	unsigned replica;        // its node
	struct world_undo *undo; // oldest first: what the replica has not got yet
	unsigned n_undo, undo_max;
	uint64_t n_taken; // commands that came from clients
};

// One connection, both ends.
struct world_client {
	struct stream stream; // first: it is what the lane holds
	struct world *world;
	bool used;
	bool closed; // by us: what was sent may still run
	bool lost;   // reads say the end
	unsigned node;
	uint64_t id;
	char name[160];
	char *in, *out; // of the node: to be carried out, and answers to be read
	size_t n_in, n_out;
	bool in_multi, dirty, asking;
	char **queued; // bytes of commands
	unsigned n_queued;
};

struct world {
	struct stream_loop base;
	struct world_node nodes[WORLD_NODES];
	struct world_client clients[WORLD_CLIENTS];
	unsigned n_nodes;
	struct cluster_map map;
	uint64_t map_version;
	bool map_holds; // no new version is told
	unsigned n_pokes;
	size_t write_max; // bytes that one write takes, 0: all
	unsigned n_published;
	char published[64][16];
	struct cluster_maps maps;
};

struct world *world_new(unsigned n_nodes);
// Each of the nodes has a replica, which has all keys that move at once, and of what clients write
// as much as world_replicate() says.
struct world *world_new_replicated(unsigned n_masters);
void world_free(struct world *w);

// Tell the lane who owns what now.
void world_map_tell(struct world *w);

// Let a node carry out so many commands of a connection. @return how many it did
unsigned world_run(struct world *w, struct world_client *c, unsigned most);
void world_run_all(struct world *w);

// The connection goes. @param carried_out  what was sent runs all the same
void world_lose(struct world *w, struct world_client *c, bool carried_out);

void world_slot_give(struct world *w, unsigned slot, unsigned to); // owner, at once, with keys
void world_move_begin(struct world *w, unsigned slot, unsigned to);
void world_move_key(struct world *w, const char *key); // of a slot on its way
unsigned world_move_keys(struct world *w, unsigned slot, unsigned most);
void world_move_end(struct world *w, unsigned slot);
unsigned world_owner(const struct world *w, unsigned slot);

// The replica of a master gets what it has not got yet, but the last `behind` commands.
void world_replicate(struct world *w, unsigned node, unsigned behind);
// A master dies, and its replica takes over with what it has. It comes back as a replica, which
// then has all.
void world_failover(struct world *w, unsigned node);
bool world_is_master(const struct world *w, unsigned node);

// Nothing is left of any key.
void world_clear(struct world *w);

// The value of a key at whoever has it, NULL: nobody.
const char *world_value(const struct world *w, const char *key);
const char *node_value(const struct world_node *n, const char *key);
