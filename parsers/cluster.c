// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/cluster_priv.h"

#include <errno.h>

static const char tags[SLOT_COUNT][CLUSTER_TAG_LEN + 1] = {
#include "parsers/slot_tags.inc"
};

const char *cluster_tag(uint16_t slot)
{
	return tags[slot & (SLOT_COUNT - 1)];
}

void cluster_map_reset(struct cluster_map *map)
{
	map->n_nodes = map->n_owned = map->n_moving = 0;
	memset(map->owner, 0xff, sizeof(map->owner));
	memset(map->migrating, 0xff, sizeof(map->migrating));
	memset(map->importing, 0xff, sizeof(map->importing));
}

bool cluster_number(struct span s, unsigned max, unsigned *v)
{
	uint64_t n = 0;
	if (s.len == 0 || s.len > 9)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(s.p[i] - '0');
	}
	*v = (unsigned)n;
	return n <= max;
}

static struct cluster_node *node_add(struct cluster_map *map)
{
	if (map->n_nodes == CLUSTER_NODES_MAX)
		return NULL;
	struct cluster_node *node = &map->nodes[map->n_nodes++];
	memset(node, 0, sizeof(*node));
	node->master = CLUSTER_NONE;
	return node;
}

uint16_t cluster_node_find(const struct cluster_map *map, struct span id)
{
	for (unsigned i = 0; i < map->n_nodes; i++)
		if (id.len && span_eq(id, span_of(map->nodes[i].id)))
			return (uint16_t)i;
	return CLUSTER_NONE;
}

int cluster_node_take(struct cluster_map *map, struct span id, struct cluster_node **node)
{
	if (id.len == 0 || id.len > CLUSTER_ID_LEN || memchr(id.p, 0, id.len))
		return -EINVAL;
	uint16_t i = cluster_node_find(map, id);
	*node = i == CLUSTER_NONE ? node_add(map) : &map->nodes[i];
	if (!*node)
		return -ENOBUFS;
	memcpy((*node)->id, id.p, id.len);
	return 0;
}

uint16_t cluster_node_at(struct cluster_map *map, const char *host, uint16_t port)
{
	for (unsigned i = 0; i < map->n_nodes; i++)
		if (map->nodes[i].port == port && !strcasecmp(map->nodes[i].host, host))
			return (uint16_t)i;
	size_t len = strlen(host);
	struct cluster_node *node = len < CLUSTER_HOST_LEN ? node_add(map) : NULL;
	if (!node)
		return CLUSTER_NONE;
	memcpy(node->host, host, len + 1);
	node->port = port;
	return cluster_index(map, node);
}

int cluster_address_set(struct cluster_node *node, struct span host, unsigned port,
			const struct cluster_asked *asked)
{
	if (host.len == 0)
		host = span_of(asked->host);
	if (host.len >= CLUSTER_HOST_LEN || memchr(host.p, 0, host.len))
		return -EINVAL;
	if (port)
		node->port = (uint16_t)port;
	if (span_eq(host, SPAN_LIT("?")))
		return 0;
	memcpy(node->host, host.p, host.len);
	node->host[host.len] = 0;
	return 0;
}

void cluster_owner_set(struct cluster_map *map, uint16_t slot, uint16_t node)
{
	uint16_t *owner = &map->owner[slot];
	if (*owner != CLUSTER_NONE) {
		map->nodes[*owner].n_slots--;
		map->n_owned--;
	}
	*owner = node;
	if (node != CLUSTER_NONE) {
		map->nodes[node].n_slots++;
		map->n_owned++;
	}
}

void cluster_range_set(struct cluster_map *map, unsigned first, unsigned last, uint16_t node)
{
	for (unsigned slot = first; slot <= last; slot++)
		cluster_owner_set(map, (uint16_t)slot, node);
}
