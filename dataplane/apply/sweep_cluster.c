// SPDX-License-Identifier: BSD-3-Clause
// Which nodes of a cluster a sweep walks. Slots may move and masters be replaced meanwhile: a slot
// is swept when the node that was walked for it owned it at the end and was not giving it away, or
// when also the node that takes it in was walked, afterwards.
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/apply/sweep.h"

static bool bit_get(const uint64_t *bits, unsigned slot)
{
	return bits[slot / 64] >> slot % 64 & 1;
}

static void bit_set(uint64_t *bits, unsigned slot, bool on)
{
	uint64_t bit = 1ull << slot % 64;
	bits[slot / 64] = on ? bits[slot / 64] | bit : bits[slot / 64] & ~bit;
}

static bool is_wanted(const struct sweep_slots *s, unsigned slot)
{
	return !s->wanted || bit_get(s->wanted, slot);
}

void sweep_slots_begin(struct sweep_slots *s)
{
	memset(s->swept, 0, sizeof(s->swept));
	memset(s->half, 0, sizeof(s->half));
	s->taker[0] = 0;
}

// @return the first slot that is left, SLOT_COUNT: none
static unsigned slot_left(const struct sweep_slots *s)
{
	unsigned slot = 0;
	while (slot < SLOT_COUNT && (!is_wanted(s, slot) || bit_get(s->swept, slot)))
		slot++;
	return slot;
}

// The node that takes slots in, when it is known where that is.
static const struct cluster_node *taker_find(struct sweep_slots *s, const struct cluster_map *map)
{
	uint16_t at = s->taker[0] ? cluster_node_find(map, span_of(s->taker)) : CLUSTER_NONE;
	const struct cluster_node *node = at == CLUSTER_NONE ? NULL : &map->nodes[at];
	if (node && node->host[0] && node->port && !(node->flags & CLUSTER_FAIL))
		return node;
	memset(s->half, 0, sizeof(s->half)); // their owner again
	s->taker[0] = 0;
	return NULL;
}

static void walked_note(struct sweep_slots *s, const struct cluster_map *map, uint16_t owner)
{
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
		bit_set(s->walked, slot,
			map->owner[slot] == owner && is_wanted(s, slot) &&
				!bit_get(s->swept, slot));
}

bool sweep_slots_next(struct sweep_slots *s, const struct endpoint *endpoint,
		      struct stream_peer *peer, char *why)
{
	const struct cluster_map *map = cluster_topology_map(s->topology);
	unsigned slot = slot_left(s);
	if (!map) {
		snprintf(why, TEXT_LEN, "the target cluster has not told its map yet");
		return false;
	}
	const struct cluster_node *node = taker_find(s, map);
	s->at_taker = node != NULL;
	if (s->at_taker) {
		memcpy(s->walked, s->half, sizeof(s->walked));
	} else {
		uint16_t owner = slot < SLOT_COUNT ? map->owner[slot] : map->owner[0];
		node = owner == CLUSTER_NONE ? NULL : &map->nodes[owner];
		walked_note(s, map, owner);
	}
	if (!node || !node->host[0] || (node->flags & CLUSTER_FAIL)) {
		cluster_topology_poke(s->topology);
		snprintf(why, TEXT_LEN, "slot %u of the target cluster has no master", slot);
		return false;
	}
	*peer = endpoint_peer_at(endpoint, node->host, node->host, node->port);
	memcpy(s->node, node->id, sizeof(s->node));
	s->map_version = cluster_topology_version(s->topology);
	return true;
}

void sweep_slots_watch(struct sweep_slots *s)
{
	const struct cluster_map *map = cluster_topology_map(s->topology);
	uint64_t version = cluster_topology_version(s->topology);
	if (!map || version == s->map_version || s->at_taker)
		return;
	s->map_version = version;
	uint16_t node = cluster_node_find(map, span_of(s->node));
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
		if (map->owner[slot] != node)
			bit_set(s->walked, slot, false);
}

// One slot that a walk was for, by what its node says at the end. @return whether it is nearer its
// end now
static bool slot_judge(struct sweep_slots *s, unsigned slot, const struct cluster_map *map,
		       uint16_t myself)
{
	bool owned = map->owner[slot] == myself;
	uint16_t to = map->migrating[slot];
	if (s->at_taker) {
		bit_set(s->half, slot, false);
		bit_set(s->swept, slot, owned || map->importing[slot] != CLUSTER_NONE);
	} else if (owned && to == CLUSTER_NONE) {
		bit_set(s->swept, slot, true);
	} else if (owned && (!s->taker[0] || !strcmp(s->taker, map->nodes[to].id))) {
		memcpy(s->taker, map->nodes[to].id, sizeof(s->taker));
		bit_set(s->half, slot, true);
	} else {
		return false;
	}
	return true;
}

int sweep_slots_walked(struct sweep_slots *s, struct span nodes)
{
	const struct cluster_asked asked = {"", false};
	struct cluster_map *map = malloc(sizeof(*map));
	uint16_t myself = 0;
	bool nearer = false;
	if (!map)
		return -1;
	cluster_map_reset(map);
	int rc = cluster_nodes_read(map, nodes, &asked);
	while (!rc && myself < map->n_nodes && !(map->nodes[myself].flags & CLUSTER_MYSELF))
		myself++;
	if (!rc && s->at_taker)
		s->taker[0] = 0;
	for (unsigned slot = 0; !rc && slot < SLOT_COUNT; slot++)
		if (bit_get(s->walked, slot))
			nearer |= slot_judge(s, slot, map, myself);
	free(map);
	cluster_topology_poke(s->topology);
	return slot_left(s) == SLOT_COUNT ? 1 : nearer ? 0 : -1;
}
