// SPDX-License-Identifier: BSD-3-Clause
// Real Redis Clusters on the loopback: started within seconds, and everything that operators and
// faults do to them. A function that changes a cluster returns when every living node agrees.
#pragma once

#include "parsers/cluster.h"
#include "tests/e2e/server.h"

// How nodes are reached by clients and by each other.
struct cluster_way {
	const char *address; // that they announce; NULL: that of net.h
	const char *name;    // that clients are to call them by; NULL: none
	const char *tls;     // they speak TLS alone and want certificates: a folder with ca.crt,
			     // server.crt and server.key; NULL: plain text
	bool behind_proxies; // each is known by the address of a proxy of its own, to the link and
			     // to the other nodes; not with TLS
};

struct cluster {
	struct cluster *next;
	struct world *world;
	char name[32];
	struct servers nodes; // masters as they were at the start, then their replicas in turn
	unsigned n_masters, n_started;
	struct cluster_map map; // as of the last cluster_look()
	struct cluster_way way;
	char url[600];          // redis+cluster://HOST:PORT,... of all nodes
};

// Start a cluster whose masters have equal shares of the slots.
//
// @param name      for the names of its servers: NAME-0, NAME-1, ...
// @param replicas  of each master
// @param ...       options of each server, see server_start(); NULL
struct cluster *cluster_start(struct world *w, const char *name, unsigned masters,
			      unsigned replicas, ...) __attribute__((sentinel));

// The same with the options in a list that ends with NULL, NULL for none.
//
// @param way  what it points at outlives the cluster
struct cluster *cluster_start_with(struct world *w, const char *name, unsigned masters,
				   unsigned replicas, const struct cluster_way *way,
				   const char *const *options);

// Read the map from a living node, and again until it tells of no trouble: every node that runs is
// known to all, nobody else owns slots, and all say that the cluster is well.
void cluster_settle(struct cluster *c);

// Read the map from a living node, whatever it says.
const struct cluster_map *cluster_look(struct cluster *c);

// The server that owns a slot, or the slot of a key, as of the last look; NULL: none.
struct server *cluster_owner(const struct cluster *c, uint16_t slot);
struct server *cluster_owner_of(const struct cluster *c, const char *key);

// The servers that own slots.
struct servers cluster_masters(struct cluster *c);

// A replica of a master, NULL: it has none that runs.
struct server *cluster_replica(struct cluster *c, const struct server *master);

// The master of the shard that a node is of.
struct server *cluster_master_of(struct cluster *c, struct server *node);

// The id of a node.
const char *cluster_id(struct server *s);

// SET PREFIX:0 .. PREFIX:n-1, wherever they belong.
void cluster_fill(struct cluster *c, const char *prefix, unsigned n, unsigned len);

// A master without slots comes in. @return it
struct server *cluster_join(struct cluster *c);

// One goes: all others forget it, and it forgets them and lives on by itself.
void cluster_leave(struct cluster *c, struct server *master);

// Let a replica take over from its living master (CLUSTER FAILOVER).
void cluster_failover(struct cluster *c, struct server *replica);

// Let a replica take over from a master that is dead, without a vote (CLUSTER FAILOVER TAKEOVER).
void cluster_takeover(struct cluster *c, struct server *replica);

// Kill a master and wait until one of its replicas has taken over. @return it
struct server *cluster_kill_master(struct cluster *c, struct server *master);

// Freeze a master until one of its replicas has taken over; then it goes on as if nothing had been,
// and finds out. @return its successor
struct server *cluster_oust_master(struct cluster *c, struct server *master);

// Wait until a server holds what the masters hold, no less and no more.
void wait_same_as_masters(struct cluster *c, struct server *target);

// By which the other nodes reach one: of TLS where they speak that.
int cluster_port(const struct server *s);

// ---- Slots that move (cluster_move.c) -------------------------------------------------------

// Begin: the owner gives away, `to` takes in. Nothing has moved yet.
void slot_move_begin(struct cluster *c, uint16_t slot, struct server *to);

// Send up to `most` keys of the slot on. @return how many went
unsigned slot_move_keys(struct cluster *c, uint16_t slot, struct server *to, unsigned most);

// Send on all that are left, over what `to` has of them by a failure meanwhile.
void slot_move_rest(struct cluster *c, uint16_t slot, struct server *to);

// End: `to` is the owner, and everybody hears it.
void slot_move_end(struct cluster *c, uint16_t slot, struct server *to);

// End it the other way: the owner keeps the slot. Keys that went stay where they went.
void slot_move_undo(struct cluster *c, uint16_t slot, struct server *to);

// The same, and these keys are deleted, by one that nobody writes beside.
void slot_move_give_up(struct cluster *c, uint16_t slot, struct server *to);

// Move slots first..last with all their keys.
void slots_move(struct cluster *c, uint16_t first, uint16_t last, struct server *to);

void clusters_free(struct world *w);
