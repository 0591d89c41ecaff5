// SPDX-License-Identifier: BSD-3-Clause
// Between the readers of a cluster's replies.
#pragma once

#include "parsers/cluster.h"

// A number in decimal and nothing else. @return false when it is none, or above max
bool cluster_number(struct span s, unsigned max, unsigned *v);

// The node of an id, added when the map has none. @return 0, -EINVAL or -ENOBUFS
int cluster_node_take(struct cluster_map *map, struct span id, struct cluster_node **node);

// Where a node is. @param host  "" the host that was asked, "?" not known; port 0 not known
int cluster_address_set(struct cluster_node *node, struct span host, unsigned port,
			const struct cluster_asked *asked);

// The node owns first to last.
void cluster_range_set(struct cluster_map *map, unsigned first, unsigned last, uint16_t node);

static inline uint16_t cluster_index(const struct cluster_map *map, const struct cluster_node *node)
{
	return (uint16_t)(node - map->nodes);
}
