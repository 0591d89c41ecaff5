// SPDX-License-Identifier: BSD-3-Clause
// Gather: what a command over several slots of a cluster reads (RENAME, SUNIONSTORE, LMOVE) is
// brought to the slot that it writes.
//
//   gather_place() -> lanes are idle -> markers -> answered -> gather_ask() -> READY ->
//   destination's unit -> answered -> units of the other slots
//
// Let the command be at offset O, D the slot of its destination, S any other slot of its keys.
//
//   1. Barrier. All that was routed is answered by the lanes of its slots, and nothing behind O is
//      routed before step 3 is answered: every S is as the source's was just before O. Its marker
//      is made to say so: what begins before O is held, O is not.
//   2. Read. A connection of our own asks the nodes for the keys in S: DUMP and expiry, or the one
//      element that a list move takes; in one transaction with S's marker, which has to be that of
//      step 1. It is not where a replica that had less took over, whether or not the lanes have
//      noticed: what was read does not count then, and is asked for again until they have.
//   3. Destination. One fenced unit in D, so one transaction of one node: the values become
//      temporary keys in D, the command runs on these, the temporary keys go, D's marker says O.
//   4. Others. One fenced unit in each S: the command once more with an absent temporary key as its
//      destination, where it takes something out of S (RENAME, LMOVE: what it takes away does not
//      depend on the destination); where it only reads, nothing. S's marker says O. It goes before
//      all that follows in S.
//
// Why it may be repeated. A crash leaves some prefix of these steps, and markers tell which:
//   - D is not held, no S is: nothing of O was written, nor was anything behind it in any S, for
//     S's marker goes first. What is before O is replayed and leaves each S as it was (a run that
//     is repeated in order ends in the same state), so 1 to 4 are done as if for the first time.
//   - D is held: step 3 is done as a whole. Step 4 is done for each S that is not held; it needs no
//     value that step 3 could have changed.
//   - D is not held, but some S is: a node has gone back behind what it had answered (a failover),
//     and what stood in S at O is gone. Only a full sync helps, and says so.
// No temporary key outlives its transaction.
//
// Without markers (at-least-once) nothing shows a node that went back, here as elsewhere.
//
// SMOVE needs none of it: SADD there and SREM here, each safe to repeat.
//
// Owner: the core that routes.
#pragma once

#include "dataplane/topology/asker.h"
#include "dataplane/topology/cluster.h"
#include "parsers/commands.h"

#define GATHER_KEYS_MAX    1024
#define GATHER_KEY_LEN_MAX 1024
#define GATHER_NAME_LEN    64 // of a temporary key

enum gather_state {
	GATHER_IDLE,
	GATHER_ASKING,
	GATHER_READY,
	GATHER_FAILED, // `error` and `text`
};

enum gather_how {
	GATHER_VALUE, // all of it, with its expiry
	GATHER_FIRST, // of a list
	GATHER_LAST,
};

struct gather_key {
	char name[GATHER_KEY_LEN_MAX];
	size_t name_len;
	unsigned number; // of it among the keys of the command
	uint16_t slot;
	enum gather_how how;
	bool exists;
	bool in_file;         // the value, being large
	int64_t expire_at_ms; // -1: none
	char *value;          // payload of DUMP, or the element
	size_t value_len;
};

// What the marker of each slot has to say while its keys are read.
struct gather_fence {
	uint64_t run;    // of this life
	uint64_t offset; // 0: there are no markers
};

struct gather {
	struct core *core;
	const struct link_config *config;
	struct cluster_topology *topology;
	enum gather_state state;
	struct gather_key *keys;
	unsigned n_keys, keys_max;

	// The key at hand.
	unsigned at;
	struct asker asker;
	char host[CLUSTER_HOST_LEN]; // that the asker is open to
	uint16_t port;
	bool expiretime; // the target has PEXPIRETIME
	struct gather_fence fence;
	struct cluster_redirect redirect; // host "": none
	bool asking;
	unsigned n_redirects;
	uint64_t retry_at_ns, waiting_since_ns;

	char waiting[TEXT_LEN]; // why it takes time, "" when it does not
	enum error_id error;
	char text[TEXT_LEN];
};

void gather_init(struct gather *g, struct core *core, const struct link_config *config,
		 struct cluster_topology *topology);
void gather_fini(struct gather *g);

// Forget what was read.
void gather_drop(struct gather *g);

// Another key to read, before gather_ask(). @return 0, or -ENOMEM
int gather_add(struct gather *g, struct span key, unsigned number, enum gather_how how);

// Begin to read. @param expiretime  the target has PEXPIRETIME (7.0)
void gather_ask(struct gather *g, bool expiretime, const struct gather_fence *fence);

// To be called each turn of the core.
void gather_turn(struct gather *g, const struct clock_reading *now, uint64_t *deadline_ns);
