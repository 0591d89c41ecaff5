// SPDX-License-Identifier: BSD-3-Clause
// A client of all masters of a cluster: a command goes to the owner of its key's slot, replies come
// in the order of the requests. For commands that may be asked again: a redirect, or a node that
// goes away, sends them once more, to whom they belong.
//
// client_put() and client_next() lead here for a client that was opened by client_open_any().
#pragma once

#include "ctrl/check/client.h"
#include "parsers/cluster.h"

#define CLUSTER_RETRY_MS 30000 // longest wait for a slot to be served

// Connect to a cluster, or to whatever else client_open() does.
//
// @return as client_open(); SOURCE_REFUSES: it is no cluster
int client_open_any(struct client *c, const struct endpoint *e, const char *who, struct failure *f);

// Whether one command may have keys of one slot only.
static inline bool client_is_cluster(const struct client *c)
{
	return c->cluster != NULL;
}

// Walk: the servers that hold the keys, one after the other; commands without a key go to the one
// that is at hand. After the last one come again those that have been given slots meanwhile, whose
// keys the walk may not have met. A single server is walked once.
//
// @return 1 with the next one at hand, 0 when all were, -1 with f
int client_walk_begin(struct client *c, struct failure *f);
int client_walk_next(struct client *c, struct failure *f);

// What the cluster has told of itself.
const struct cluster_map *client_map(const struct client *c);

// Let commands without a key go to the i-th of the masters that can be reached, by id. A single
// server is the only one.
//
// @return false: there are fewer
bool client_master_choose(struct client *c, unsigned i);

// Within ctrl/check/client.c.
void client_cluster_put(struct client *c, unsigned argc, const struct span *argv);
void client_cluster_flush(struct client *c);
const struct resp_value *client_cluster_next(struct client *c, unsigned *n);
void client_cluster_close(struct client *c);
