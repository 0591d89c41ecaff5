// SPDX-License-Identifier: BSD-3-Clause
// A lane that writes to a Redis Cluster: the same order for each slot as a lane of one connection,
// over a connection to each master that its slots live on.
//
//   queue of batches -> units -> their slots -> outlets -> nodes
//         ^                        |   ^                     |
//         |   waits while the slot +---+ refused, redirected |
//         +---------------- all units answered <-------------+
//
// A batch is only a container here. A unit is one command, or a transaction of one slot; what must
// not run twice is fenced: it goes in a transaction with the marker of its slot (slot_marker.h).
// Everything else may be sent again, all of a slot from some command on and in order, and does.
//
// Order, and what a marker may say. A slot has on its way, to one node,
//
//   either any number of units that may be sent again,
//   or one fenced transaction, before which all units of the slot have been taken.
//
// When one of the former is refused or redirected nothing more of the slot is sent; what was behind
// it and had been taken is sent again, after it. So no marker ever speaks of a command that was not
// taken, however the node answers and whenever one of us dies. What gathers behind a fenced
// transaction goes in the next one together, so a hot key costs a round trip for many commands.
//
// After a lost connection, what may be sent again is; of a fenced transaction the slot's marker is
// asked first, from whoever has it by then. A node that comes back as another process, or whose
// slots are served by its replica, may hold less than it had answered: LANE_LOOK.
#pragma once

#include "dataplane/apply/lane.h"
#include "parsers/cluster.h"

struct cluster_lane;

// Where a lane learns the map; called from its core.
struct cluster_maps {
	void *of;
	// Copy the map when it is another version than *version. @return whether it was
	bool (*copy)(void *of, struct cluster_map *map, uint64_t *version);
	void (*poke)(void *of); // the map may be wrong; cheap
};

// @return NULL: out of memory
struct cluster_lane *cluster_lane_new(struct lane *l, const struct cluster_maps *maps);
void cluster_lane_free(struct cluster_lane *c);

// One turn while the lane is wanted open. @return more to do at once
bool cluster_lane_turn(struct cluster_lane *c, uint64_t *deadline_ns);

// Close all connections; what was on its way stays unanswered.
void cluster_lane_drop(struct cluster_lane *c);

// Forget all units: their batches go back.
void cluster_lane_forget(struct cluster_lane *c);
