// SPDX-License-Identifier: BSD-3-Clause
// What a link has more when its target is a cluster: the map of its nodes, and who reads the keys
// of commands over several slots.
#include "dataplane/apply/cluster_lane.h"
#include "dataplane/link_priv.h"

static bool map_copy(void *topology, struct cluster_map *map, uint64_t *version)
{
	return cluster_topology_copy(topology, map, version);
}

static void map_poke(void *topology)
{
	cluster_topology_poke(topology);
}

static int lanes_init(struct link *link)
{
	struct cluster_maps maps = {.of = link->target_map, .copy = map_copy, .poke = map_poke};
	for (unsigned i = 0; i < link->n_lanes; i++) {
		struct lane *l = &link->lanes[i];
		l->cluster = cluster_lane_new(l, &maps);
		if (!l->cluster)
			return -1;
	}
	return 0;
}

int link_cluster_init(struct link *link)
{
	const struct link_config *config = link->config;
	if (config->target.kind != URL_CLUSTER)
		return 0;
	link->target_map = cluster_topology_new(link->core, &config->target);
	if (!link->target_map)
		return -1;
	gather_init(&link->gather, link->core, config, link->target_map);
	link->route.gather = &link->gather;
	link->sweep.slots.topology = link->target_map;
	link->lifetimes.topology = link->target_map;
	return lanes_init(link);
}

void link_cluster_fini(struct link *link)
{
	gather_fini(&link->gather);
	cluster_topology_free(link->target_map);
	link->target_map = NULL;
}

void link_cluster_again(struct link *link, uint64_t until)
{
	for (unsigned i = 0; i < link->n_lanes; i++)
		atomic_store_explicit(&link->lanes[i].again_until, until, memory_order_relaxed);
}

void link_cluster_turn(struct link *link, uint64_t *deadline_ns)
{
	if (!link->target_map)
		return;
	cluster_topology_turn(link->target_map, &link->now, deadline_ns);
	gather_turn(&link->gather, &link->now, deadline_ns);
	enum error_id error = cluster_topology_error(link->target_map);
	if (error)
		link_fail(link, error, cluster_topology_trouble(link->target_map));
}

const char *link_cluster_waiting(const struct link *link)
{
	if (!link->target_map || link->gather.waiting[0])
		return link->gather.waiting;
	return cluster_topology_map(link->target_map) ? ""
						      : cluster_topology_trouble(link->target_map);
}
