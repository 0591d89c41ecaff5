// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>

#include "ctrl/doctor/facts.h"

static bool has_replica(const struct cluster_map *map, unsigned master)
{
	for (unsigned i = 0; i < map->n_nodes; i++)
		if (i != master && map->nodes[i].master == master &&
		    !(map->nodes[i].flags & CLUSTER_FAIL))
			return true;
	return false;
}

static void node_take(struct cluster_facts *c, const struct cluster_map *map, unsigned i)
{
	const struct cluster_node *node = &map->nodes[i];
	c->n_masters += node->n_slots > 0;
	c->n_replicas += (node->flags & CLUSTER_REPLICA) != 0;
	c->n_lonely += node->n_slots && !has_replica(map, i);
	if (!(node->flags & (CLUSTER_FAIL | CLUSTER_PFAIL)))
		return;
	c->n_failing++;
	snprintf(c->failing, sizeof(c->failing), "%s:%u", node->host[0] ? node->host : "?",
		 node->port);
}

void facts_cluster(struct server_facts *s, const struct cluster_map *map)
{
	struct cluster_facts *c = &s->cluster;
	*c = (struct cluster_facts){.present = true};
	for (unsigned i = 0; i < map->n_nodes; i++) {
		node_take(c, map, i);
		if (map->nodes[i].flags & CLUSTER_MYSELF)
			c->moving_port = map->nodes[i].port;
	}
	for (unsigned slot = SLOT_COUNT; slot--;) {
		uint16_t owner = map->owner[slot];
		if (owner != CLUSTER_NONE && !(map->nodes[owner].flags & CLUSTER_FAIL))
			continue;
		c->n_uncovered++;
		c->first_uncovered = slot;
	}
	c->n_moving = map->n_moving;
}

// @return UNKNOWN when one of them is
static int64_t sum(int64_t a, int64_t b)
{
	return a == UNKNOWN || b == UNKNOWN ? UNKNOWN : a + b;
}

void facts_add(struct server_facts *all, const struct server_facts *one)
{
	all->keys += one->keys;
	all->top_db = one->top_db > all->top_db ? one->top_db : all->top_db;
	all->field_expiry |= one->field_expiry;
	all->used_memory = sum(all->used_memory, one->used_memory);
	all->used_memory_startup = sum(all->used_memory_startup, one->used_memory_startup);
	all->used_memory_dataset = sum(all->used_memory_dataset, one->used_memory_dataset);
	if (all->maxmemory > 0) // 0: one of them has no limit
		all->maxmemory = one->maxmemory > 0 ? all->maxmemory + one->maxmemory : 0;
	if (one->loading == 1)
		all->loading = 1;
	for (unsigned i = 0; i < sizeof(all->used) / sizeof(all->used.bits[0]); i++)
		all->used.bits[i] |= one->used.bits[i];
}
