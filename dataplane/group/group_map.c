// SPDX-License-Identifier: BSD-3-Clause
// What the map of the cluster means for a group: which shards there are, and where the stream of
// each is read.
//
//   group_map_turn() -> told_take()      what each node says: shards that it does not know
//                    -> members_match()  what is agreed: new shards, new nodes, other masters
//                    -> coverage_check() slots that nobody owns
#include <stdio.h>
#include <string.h>

#include "dataplane/group/group_handoff.h"
#include "dataplane/group/group_priv.h"

struct member *member_of_master(const struct group *g, const struct cluster_map *map,
				uint16_t master)
{
	struct member *found = NULL;
	enum shard_match best = SHARD_OTHER;
	for (unsigned i = 0; i < g->n_members; i++) {
		enum shard_match match = shard_match(&g->members[i]->shard, map, master);
		if (match > best)
			found = g->members[i];
		best = match > best ? match : best;
	}
	return found;
}

uint16_t member_master(const struct group *g, const struct member *m, const struct cluster_map *map)
{
	for (uint16_t i = 0; map && i < map->n_nodes; i++)
		if (map->nodes[i].n_slots && member_of_master(g, map, i) == m)
			return i;
	return CLUSTER_NONE;
}

// ---- Where the stream of a shard is read

static bool node_is_well(const struct cluster_node *node)
{
	unsigned bad =
		CLUSTER_FAIL | CLUSTER_PFAIL | CLUSTER_NOADDR | CLUSTER_HANDSHAKE | CLUSTER_LOADING;
	return node->host[0] && node->port && !(node->flags & bad);
}

// The member's source runs on this core, and looks here when it connects.
static void source_place(struct member *m, const struct cluster_node *node)
{
	struct endpoint *e = &m->slot->config.source;
	memcpy(m->node, node->id, sizeof(m->node));
	e->kind = URL_STANDALONE;
	e->n_nodes = 1;
	memcpy(e->host, node->host, sizeof(e->host));
	memcpy(e->nodes[0].host, node->host, sizeof(e->nodes[0].host));
	e->port = e->nodes[0].port = node->port;
	if (m->link && whereabouts_locate(&m->link->source_where, node->host, node->port))
		source_moved(&m->link->source);
}

// What the stream has reached is asked of the master, wherever it is read.
static void probe_place(struct member *m, const struct cluster_node *master)
{
	if (m->link && whereabouts_locate(&m->link->master_where, master->host, master->port))
		probe_turn_away(&m->link->probe);
}

// @return a replica that is well, CLUSTER_NONE: there is none
static uint16_t replica_of(const struct cluster_map *map, uint16_t master)
{
	for (uint16_t i = 0; i < map->n_nodes; i++)
		if (i != master && map->nodes[i].master == master && node_is_well(&map->nodes[i]))
			return i;
	return CLUSTER_NONE;
}

// The map is another one. A replica that is read stays so as long as it is of this shard.
static void member_locate(struct member *m, const struct cluster_map *map, uint16_t master)
{
	const struct cluster_node *node = &map->nodes[master];
	uint16_t at = cluster_node_find(map, span_of(m->node));
	bool stays = m->at_replica && at != CLUSTER_NONE && at != master &&
		     map->nodes[at].master == master && node_is_well(&map->nodes[at]);
	bool is_known = node->host[0] && node->port;
	m->at_replica = stays;
	if (stays || is_known)
		source_place(m, stays ? &map->nodes[at] : node);
	if (is_known)
		probe_place(m, node);
}

void member_turn_to_master(struct group *g, struct member *m)
{
	const struct cluster_map *map = cluster_topology_map(g->topology);
	uint16_t master = member_master(g, m, map);
	m->at_replica = false;
	if (master != CLUSTER_NONE)
		member_locate(m, map, master);
}

void group_choose_node(struct group *g, const struct link *link, bool full_sync)
{
	const struct cluster_map *map = cluster_topology_map(g->topology);
	struct member *m = member_of_link(g, link);
	uint16_t master = m ? member_master(g, m, map) : CLUSTER_NONE;
	if (master == CLUSTER_NONE)
		return;
	bool wants = full_sync && g->config->settings.prefer_replica != PREFER_REPLICA_NO;
	uint16_t replica = wants ? replica_of(map, master) : CLUSTER_NONE;
	m->at_replica = false;
	member_locate(m, map, master);
	if (replica == CLUSTER_NONE)
		return;
	m->at_replica = true;
	memset(&m->floor, 0, sizeof(m->floor));
	m->floor.chosen_ns = g->now.mono_ns;
	source_place(m, &map->nodes[replica]);
	probe_hurry(&m->link->probe);
}

// ---- Shards that the cluster does not have any more

static bool is_node_of(const struct member *m, const struct cluster_map *map, unsigned flag)
{
	for (uint16_t i = 0; i < map->n_nodes; i++)
		if (map->nodes[i].flags & flag && shard_has(&m->shard, map->nodes[i].id))
			return true;
	return false;
}

// So many maps that do not have it are told by all nodes that can be asked, each of them twice.
static unsigned orphan_maps(const struct group *g, const struct cluster_map *map)
{
	unsigned n = g->config->source.n_nodes;
	for (uint16_t i = 0; i < map->n_nodes; i++)
		n += map->nodes[i].n_slots > 0;
	return 2 * n;
}

bool member_is_orphan(const struct group *g, const struct member *m)
{
	const struct cluster_map *map = cluster_topology_map(g->topology);
	return map && m->n_orphan >= orphan_maps(g, map);
}

// What its own nodes say counts neither way: they may have been forgotten by all others.
static void told_take(struct group *g)
{
	uint64_t n_told, asked_ns;
	const struct cluster_map *map = cluster_topology_told(g->topology, &n_told, &asked_ns);
	if (n_told == g->n_told)
		return;
	g->n_told = n_told;
	for (unsigned i = 0; i < g->n_members; i++) {
		struct member *m = g->members[i];
		if (is_node_of(m, map, CLUSTER_MYSELF))
			continue;
		m->n_orphan = is_node_of(m, map, CLUSTER_MASTER) ? 0 : m->n_orphan + 1;
		if (m->n_orphan && !member_is_orphan(g, m))
			cluster_topology_poke(g->topology);
	}
}

// ---- The map

// A node is of one shard.
static void nodes_take(struct group *g, struct member *m, const struct cluster_map *map,
		       uint16_t master, bool is_new)
{
	for (unsigned i = 0; i < g->n_members; i++) {
		struct member *other = g->members[i];
		if (other != m && shard_yield(&other->shard, map, master))
			member_save(g, other);
	}
	if (shard_learn(&m->shard, map, master) || is_new || m->unsaved)
		member_save(g, m);
}

static void members_match(struct group *g, const struct cluster_map *map)
{
	for (uint16_t i = 0; i < map->n_nodes && g->stage <= GROUP_RUNNING; i++) {
		const struct cluster_node *node = &map->nodes[i];
		if (!(node->flags & CLUSTER_MASTER) || !node->n_slots)
			continue;
		struct member *m = member_of_master(g, map, i);
		bool is_new = !m;
		if (is_new)
			m = member_add(g, map, i);
		if (!m)
			return;
		if (m->leaving)
			continue; // it is looked for again when it is gone
		nodes_take(g, m, map, i, is_new);
		member_locate(m, map, i);
		if (is_new)
			core_log(g->core, EVENT_INFO, g->index, "shard %s at %s:%u, %u slots",
				 m->shard.name, node->host, node->port, node->n_slots);
	}
}

// Slots that nobody owns have no stream.
static void coverage_check(struct group *g, const struct cluster_map *map)
{
	unsigned first = 0, missing = SLOT_COUNT - map->n_owned;
	if (!missing) {
		g->waiting[0] = 0;
		return;
	}
	while (map->owner[first] != CLUSTER_NONE)
		first++;
	snprintf(g->waiting, sizeof(g->waiting),
		 "%u slot%s of the source cluster without a master (the first is %u): what is "
		 "written there cannot be read",
		 missing, missing > 1 ? "s" : "", first);
}

void group_map_turn(struct group *g)
{
	const struct cluster_map *map = cluster_topology_map(g->topology);
	uint64_t version = cluster_topology_version(g->topology);
	if (!map || g->stage > GROUP_RUNNING)
		return;
	told_take(g);
	if (version == g->map_version)
		return;
	bool first = !g->n_members;
	g->map_version = version;
	members_match(g, map);
	if (first)
		group_handoff_map(g, map);
	coverage_check(g, map);
}
