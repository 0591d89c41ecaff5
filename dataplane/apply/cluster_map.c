// SPDX-License-Identifier: BSD-3-Clause
// map_turn() -> map_compare() -> slot_own()
//
// A slot that has another owner was moved when both were masters before and after: its keys went
// with it. Else its owner has failed, or was made to step down, and the new one is a replica that
// may not have had all of it.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/apply/cluster_priv.h"

void map_poke(struct cluster_lane *c)
{
	c->maps.poke(c->maps.of);
}

void map_look(struct cluster_lane *c, const char *format, ...)
{
	struct lane *l = c->lane;
	char why[TEXT_LEN];
	va_list args;
	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	if (atomic_load_explicit(&l->phase_snapshot, memory_order_relaxed))
		lane_resync(l, "%s while the snapshot was loaded", why);
	else
		lane_look(l, "%s", why);
}

uint8_t map_outlet(struct cluster_lane *c, uint16_t node)
{
	const struct cluster_node *n = &c->map->nodes[node];
	for (unsigned i = 0; i < c->n_outlets; i++) {
		struct outlet *o = c->outlets[i];
		if (n->id[0] ? strcmp(o->id, n->id)
			     : strcmp(o->host, n->host) || o->port != n->port)
			continue;
		if (n->host[0] && n->port) { // it may have moved house
			snprintf(o->host, sizeof(o->host), "%s", n->host);
			o->port = n->port;
		}
		return o->index;
	}
	if (c->n_outlets == OUTLETS_MAX || !n->host[0] || !n->port)
		return OUTLET_NONE;
	struct outlet *o = outlet_new(c, (uint8_t)c->n_outlets, n);
	if (!o)
		return OUTLET_NONE;
	c->outlets[c->n_outlets++] = o;
	return o->index;
}

static uint16_t node_of(const struct cluster_map *map, const struct outlet *o)
{
	return cluster_node_find(map, span_of(o->id));
}

static bool is_master(const struct cluster_map *map, const struct outlet *o)
{
	uint16_t n = node_of(map, o);
	return n != CLUSTER_NONE && (map->nodes[n].flags & CLUSTER_MASTER) &&
	       !(map->nodes[n].flags & CLUSTER_FAIL);
}

bool map_is_master(const struct cluster_lane *c, const struct outlet *o)
{
	uint16_t n = node_of(c->map, o);
	return n != CLUSTER_NONE && c->map->nodes[n].n_slots;
}

bool map_is_member(const struct cluster_lane *c, const struct outlet *o)
{
	return is_master(c->map, o);
}

static uint16_t node_at(const struct cluster_map *map, const struct cluster_redirect *r)
{
	for (uint16_t i = 0; i < map->n_nodes; i++)
		if (!strcmp(map->nodes[i].host, r->host) && map->nodes[i].port == r->port)
			return i;
	return CLUSTER_NONE;
}

uint8_t map_moved(struct cluster_lane *c, uint16_t slot, const struct cluster_redirect *r)
{
	uint16_t node = node_at(c->map, r);
	map_poke(c);
	// A node that was a replica, or that nobody knew: the next map tells what has happened.
	if (node == CLUSTER_NONE || !(c->map->nodes[node].flags & CLUSTER_MASTER))
		return OUTLET_NONE;
	cluster_owner_set(c->map, slot, node);
	return map_outlet(c, node);
}

uint8_t map_asked(struct cluster_lane *c, const struct cluster_redirect *r)
{
	uint16_t node = node_at(c->map, r);
	map_poke(c);
	return node == CLUSTER_NONE ? OUTLET_NONE : map_outlet(c, node);
}

// ---- A new map

static bool was_migrated(const struct cluster_lane *c, const struct cluster_map *before,
			 const struct outlet *from, const struct outlet *to)
{
	return is_master(c->map, from) && is_master(before, to) && is_master(c->map, to);
}

// The new map is at hand. What was read from a node counts as much as what was written to it, which
// a former life may have done. @return false: a node may have lost something
static bool map_compare(struct cluster_lane *c, const struct cluster_map *before)
{
	uint8_t outlets[CLUSTER_NODES_MAX];
	bool counts = c->lane->opened || c->open == OPEN_READ;
	memset(outlets, OUTLET_NONE, sizeof(outlets));
	for (uint16_t i = 0; i < c->map->n_nodes; i++)
		if (c->map->nodes[i].n_slots)
			outlets[i] = map_outlet(c, i);
	for (unsigned s = 0; s < SLOT_COUNT; s++) {
		uint16_t node = c->map->owner[s];
		uint8_t now = node == CLUSTER_NONE ? OUTLET_NONE : outlets[node];
		uint8_t was = c->slots[s].outlet;
		if (now == was || now == OUTLET_NONE)
			continue;
		if (was != OUTLET_NONE && counts &&
		    !was_migrated(c, before, c->outlets[was], c->outlets[now])) {
			map_look(c,
				 "slots of the target's node %s:%u are served by %s:%u, which "
				 "may hold less",
				 c->outlets[was]->host, c->outlets[was]->port,
				 c->outlets[now]->host, c->outlets[now]->port);
			return false;
		}
		slot_own(c, s, now);
	}
	return true;
}

// Commands without a key go to one master, so that they keep their order.
static void keyless_own(struct cluster_lane *c)
{
	uint8_t at = c->slots[SLOT_KEYLESS].outlet;
	if (at != OUTLET_NONE && map_is_master(c, c->outlets[at]))
		return;
	for (unsigned i = 0; i < c->n_outlets; i++)
		if (map_is_master(c, c->outlets[i])) {
			slot_own(c, SLOT_KEYLESS, (uint8_t)i);
			return;
		}
}

void map_turn(struct cluster_lane *c, uint64_t *deadline_ns)
{
	struct lane *l = c->lane;
	uint64_t version = c->map_version;
	if (c->maps.copy(c->maps.of, c->map_next, &version)) {
		struct cluster_map *before = c->map;
		c->map = c->map_next;
		c->map_next = before;
		c->map_version = version;
		if (map_compare(c, before))
			keyless_own(c);
	}
	bool whole = c->map->n_owned == SLOT_COUNT;
	if (whole) {
		c->map_since_ns = 0;
		return;
	}
	if (!c->map_since_ns)
		c->map_since_ns = l->now.mono_ns;
	const char *why = c->map_version ? "slots of the target's cluster have no owner"
					 : "the target's cluster does not tell who owns its slots";
	if (!wait_is_over(c, c->map_since_ns, why))
		wait_show(c, "%s", why);
	if (l->now.mono_ns + 100000000ull < *deadline_ns)
		*deadline_ns = l->now.mono_ns + 100000000ull;
}
