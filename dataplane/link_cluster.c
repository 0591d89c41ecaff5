// SPDX-License-Identifier: BSD-3-Clause
// What a link has more when its target is a cluster: the map of its nodes, and who reads the keys
// of commands over several slots.
#include "dataplane/link_priv.h"

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
	return 0;
}

void link_cluster_fini(struct link *link)
{
	gather_fini(&link->gather);
	cluster_topology_free(link->target_map);
	link->target_map = NULL;
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
