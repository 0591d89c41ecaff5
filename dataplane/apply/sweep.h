// SPDX-License-Identifier: BSD-3-Clause
// Sweep: after a snapshot is loaded and before its stream goes on, remove from the target the keys
// and functions that the snapshot does not hold. A connection of its own walks every database by
// SCAN.
//
//   INFO keyspace -> SELECT db, SCAN 0 -> DEL keys, SCAN cursor -> ... -> next db
//     -> FUNCTION LIST -> FUNCTION DELETE... -> done
//
// Of a cluster every master is walked, see sweep_cluster.c.
//
// Owner: the core that reads the source.
#pragma once

#include "dataplane/apply/keyset.h"
#include "dataplane/core/core.h"
#include "dataplane/topology/cluster.h"
#include "dataplane/topology/whereabouts.h"
#include "parsers/resp.h"

#define SWEEP_DBS_MAX    256
#define SWEEP_SLOT_WORDS (SLOT_COUNT / 64)

// Slots that are swept: a node says at the end of its walk whether it owns them still, and the map
// shows no other owner meanwhile. Keys of one that it was giving away may have gone before they
// were met: who takes them in is walked next. A slot that leaves and comes back within one walk and
// between two looks at the map (2 s, at once after a redirect) is not seen.
struct sweep_slots {
	struct cluster_topology *topology; // of the target, NULL: no cluster; set by the owner
	const uint64_t *wanted;            // bit by slot, NULL: all; set by the owner
	// Of these, which keys; NULL: all; set by the owner
	bool (*wants)(void *owner, int32_t db, struct span key);
	void *owner;
	uint64_t swept[SWEEP_SLOT_WORDS];
	uint64_t walked[SWEEP_SLOT_WORDS]; // because of which this node is walked
	uint64_t half[SWEEP_SLOT_WORDS];   // walked at their owner, who gives them to `taker`
	char taker[CLUSTER_ID_LEN + 1];    // "" none
	bool at_taker;
	char node[CLUSTER_ID_LEN + 1]; // that is walked
	uint64_t map_version;          // of the map that was looked at last
};

struct sweep {
	struct core *core;
	const struct endpoint *endpoint;
	struct seek seek;         // where it is
	struct source_counters *counters;
	struct db_map dbs_synced; // those of the target are walked; set by the owner
	struct sweep_slots slots; // of a cluster; `wanted` also for a target that is none
	struct keyset keys;       // of the snapshot; open while one is loaded that has to be swept
	struct stream *stream;
	struct resp_replies *replies;
	bool running, done;
	bool denied; // for want of a right; the owner ends it
	bool greeted;
	char *out; // bytes to send
	size_t n_out, out_max, out_at;
	unsigned n_skip; // replies that say nothing, before the next one of interest
	bool scanning;   // the reply of interest is SCAN's
	bool listing;    // it is FUNCTION LIST's
	bool finishing;  // it is that of the last PING
	int32_t dbs[SWEEP_DBS_MAX];
	unsigned n_dbs, db;
	uint64_t retry_at_ns;
	char error[TEXT_LEN]; // last trouble, "" none
};

void sweep_init(struct sweep *s, struct core *core, struct whereabouts *target,
		struct source_counters *counters);
void sweep_fini(struct sweep *s);

// Begin; keys is complete.
void sweep_begin(struct sweep *s);

// @return true once it is done (or nothing was begun)
bool sweep_turn(struct sweep *s, const struct clock_reading *now, uint64_t *deadline_ns);

// ---- Within the sweep: sweep_cluster.c

// Begin with no slot swept.
void sweep_slots_begin(struct sweep_slots *s);

// Who is walked next. @return false: nobody can be, now; why is filled
bool sweep_slots_next(struct sweep_slots *s, const struct endpoint *endpoint,
		      struct stream_peer *peer, char *why);

// In each turn of a walk: slots that have another owner meanwhile are not swept by it.
void sweep_slots_watch(struct sweep_slots *s);

// A walk is over.
//
// @param nodes  what CLUSTER NODES of that node says
// @return       1 all is swept, 0 there is more, -1 the walk was for nothing: the map is old
int sweep_slots_walked(struct sweep_slots *s, struct span nodes);

// Whether keys of this slot are swept here.
static inline bool sweep_slots_want(const struct sweep_slots *s, struct span key)
{
	if (!s->wanted)
		return true;
	uint16_t slot = key_slot(key);
	return s->wanted[slot / 64] >> slot % 64 & 1;
}
