// SPDX-License-Identifier: BSD-3-Clause
// The map of a cluster, kept up to date: one node after the other is asked, its masters in turn and
// then the seeds of the URL, every few seconds and at once when somebody found the map wrong.
//
//   cluster_topology_turn() -> node_choose() -> CLUSTER INFO, NODES, SLOTS -> map_judge() ->
//   publish
//
// A node that has heard less than another (its cluster_current_epoch is lower: it was cut off, or
// is slow) does not take back what is known, unless all that can be reached say so.
//
// Owner: the core that it was made on, which takes its turns. Lanes on other cores copy the map
// when its version has changed.
#pragma once

#include "dataplane/core/core.h"
#include "parsers/cluster.h"

struct cluster_topology;

// @param endpoint  of kind URL_CLUSTER; borrowed
// @return NULL when out of memory
struct cluster_topology *cluster_topology_new(struct core *core, const struct endpoint *endpoint);
void cluster_topology_free(struct cluster_topology *t);

// What a task of the owner does at each of its turns.
void cluster_topology_turn(struct cluster_topology *t, const struct clock_reading *now,
			   uint64_t *deadline_ns);

// ---- Owner

// The map, which stays as it is until the next turn; NULL: none yet. What it says of moving slots
// is what the node said that was asked for this version.
const struct cluster_map *cluster_topology_map(const struct cluster_topology *t);

// A sentence without a full stop on why the map is not up to date, "" when it is.
const char *cluster_topology_trouble(const struct cluster_topology *t);

// Whether waiting does not mend it: AUTH, NOPERM, URL (no cluster). ERROR_NONE: it may
enum error_id cluster_topology_error(const struct cluster_topology *t);

// What the last node said that was asked, even when it is no news: with what it alone knows, the
// slots that it gives away or takes in. Valid in the turn in which n_told has changed.
//
// @param n_told    out: how often a map was told
// @param asked_ns  out: when this one was asked for
const struct cluster_map *cluster_topology_told(const struct cluster_topology *t, uint64_t *n_told,
						uint64_t *asked_ns);

// ---- Any core

// Counts maps that say something new; 0: none yet.
uint64_t cluster_topology_version(const struct cluster_topology *t);

// Copy the map when it is another version.
//
// @param version  in: of the map at hand, 0: none; out: of the copy
// @return whether there was another one
bool cluster_topology_copy(const struct cluster_topology *t, struct cluster_map *map,
			   uint64_t *version);

// The map is wrong, or may be: a redirect, a lost connection, READONLY. Costs next to nothing when
// it is said often.
void cluster_topology_poke(struct cluster_topology *t);
