// SPDX-License-Identifier: BSD-3-Clause
// client_walk_next() -> gained_find() -> importing_find()
#include <stdlib.h>

#include "ctrl/check/client_cluster_priv.h"

#define WALKS_MAX 8 // of slots that keep moving

// Every node that owns slots is due.
int client_walk_begin(struct client *c, struct failure *f)
{
	struct client_cluster *k = c->cluster;
	if (!k)
		return 1;
	if (k->n_nodes && client_map_refresh(c, c->seeds, f))
		return -1;
	k->n_walks = 0;
	for (unsigned i = 0; i < k->n_nodes; i++)
		k->nodes[i]->due = false;
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
		int at = client_owner_take(k, (uint16_t)slot);
		if (at < 0)
			return failure_set(f, ERROR_SOURCE_REFUSES,
					   "%s %s: slot %u has no master that can be reached",
					   c->who, c->url, slot);
		k->walked[slot] = (uint16_t)at;
		k->nodes[at]->due = true;
	}
	return client_walk_next(c, f);
}

// Masters that take slots in are due again: keys may have come that were not met where they were.
static void importing_find(struct client *c, struct cluster_map *map)
{
	struct failure ignored; // of one that is away: its slots are somebody else's soon
	struct client_cluster *k = c->cluster;
	for (unsigned i = 0; i < k->map.n_nodes; i++) {
		const struct cluster_node *told = &k->map.nodes[i];
		bool up = (told->flags & CLUSTER_MASTER) && !(told->flags & CLUSTER_FAIL);
		int at = up && told->host[0] ? client_node_take(k, told->host, told->port) : -1;
		if (at < 0)
			continue;
		struct node *node = k->nodes[at];
		if ((node->client.fd < 0 && client_node_connect(c, node, &ignored)) ||
		    client_map_ask(c, node, map, &ignored))
			continue;
		for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
			node->due |= map->importing[slot] != CLUSTER_NONE;
	}
}

// Nodes that own slots which they did not own before are due again.
static int gained_find(struct client *c, struct failure *f)
{
	struct client_cluster *k = c->cluster;
	if (client_map_refresh(c, c->seeds, f))
		return -1;
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
		int at = client_owner_take(k, (uint16_t)slot);
		if (at < 0 || at == k->walked[slot])
			continue;
		k->walked[slot] = (uint16_t)at;
		k->nodes[at]->due = true;
	}
	if (k->n_walks > 1)
		return 0;
	struct cluster_map *map = malloc(sizeof(*map));
	if (!map)
		return failure_set(f, ERROR_MEMORY, "no memory for a map");
	importing_find(c, map);
	free(map);
	return 0;
}

int client_walk_next(struct client *c, struct failure *f)
{
	struct client_cluster *k = c->cluster;
	if (!k)
		return 0;
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < k->n_nodes; i++) {
			if (!k->nodes[i]->due)
				continue;
			k->nodes[i]->due = false;
			k->at_hand = i;
			return 1;
		}
		if (round == 0 && ++k->n_walks > WALKS_MAX)
			return failure_set(f, ERROR_SOURCE_REFUSES,
					   "%s %s: slots keep moving; start again when the cluster "
					   "is at rest",
					   c->who, c->url);
		if (round == 0 && gained_find(c, f))
			return -1;
	}
	return 0;
}
