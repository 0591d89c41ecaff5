// SPDX-License-Identifier: BSD-3-Clause
// What stands before the lane is ready, and before what concerns every node:
//
//   open_turn():  CONNECT -> EPOCH -> [DRAW -> FENCE] -> READ -> DONE
//   gate_turn():  DRAIN -> EVERY | CLEAR -> CLAIM
//
// EPOCH to READ are of the first lane: the link's epoch, connections of former lives, and the
// markers of every slot, which are asked of whoever owns it, by units as any others. When it opens
// again, it does not read them before all lanes have closed the connections that they had.
#include <stdlib.h>

#include "dataplane/apply/cluster_priv.h"

#define EVERY_AGAIN_NS 100000000ull
// A key that moves from a node that has not carried out FLUSHALL yet to one that has is left: it is
// sent to all of them once more. Then its slot would have to move on within that round trip, too.
#define FLUSH_ROUNDS 2

uint16_t epoch_slot(const struct cluster_lane *c)
{
	char key[MARKER_KEY_LEN];
	return key_slot((struct span){key, marker_epoch_key(key, c->lane->config->name)});
}

static bool outlets_ready(const struct cluster_lane *c)
{
	for (unsigned i = 0; i < c->n_outlets; i++) {
		const struct outlet *o = c->outlets[i];
		if (o->needed && map_is_master(c, o) && !outlet_is_ready(o))
			return false;
	}
	return c->map->n_owned == SLOT_COUNT;
}

// ---- A walk over all slots

static void walk_begin(struct cluster_lane *c)
{
	c->next_slot = c->n_walk = 0;
	c->walk_claim = false;
}

static void walk_put(struct cluster_lane *c, enum unit_kind kind)
{
	c->n_walk++;
	c->n_units++;
	slot_put(c, (struct unit){.slot = (uint16_t)c->next_slot, .kind = (uint8_t)kind});
}

// Units as the window has room. @return whether all of them are answered
static bool walk_turn(struct cluster_lane *c, bool clears)
{
	while (c->next_slot < SLOT_COUNT && c->n_units < UNITS_WINDOW) {
		bool claim = c->walk_claim;
		walk_put(c, clears ? UNIT_CLEAR : claim ? UNIT_READ_CLAIM : UNIT_READ_MARKER);
		c->walk_claim = !clears && !claim;
		c->next_slot += clears || claim;
	}
	return c->next_slot == SLOT_COUNT && !c->n_walk;
}

// ---- What the target holds

static void read_take(struct cluster_lane *c, struct outlet *o, const struct unit *u,
		      struct span text, bool nil)
{
	struct lane *l = c->lane;
	struct slot_marker m;
	if (u->kind == UNIT_READ_MARKER)
		l->found_owner[u->slot] = c->slots[u->slot].outlet;
	if (nil)
		return;
	if (slot_marker_parse(&m, text))
		lane_fail(l, ERROR_MARKER,
			  "a key %s{...}:%s of the target, in slot %u, is not a marker of ours",
			  MARKER_PREFIX, l->config->name, u->slot);
	else
		found_take(c, o, u, &m);
}

static bool founds_begin(struct cluster_lane *c)
{
	struct lane *l = c->lane;
	free(l->found);
	free(l->found_owner);
	l->n_found = c->n_claims = 0;
	l->found = calloc(SLOT_COUNT, sizeof(*l->found));
	l->found_owner = calloc(SLOT_COUNT, sizeof(*l->found_owner));
	if (!l->found || !l->found_owner)
		lane_fail(l, ERROR_MEMORY, "no memory for the markers of the target");
	walk_begin(c);
	return l->found && l->found_owner;
}

// ---- Former lives

static void fence_kill(void *outlet, uint64_t id)
{
	struct outlet *o = outlet;
	if (o->tail - o->head >= UNITS_MAX - 1)
		return;
	o->n_kills++;
	outlet_push(o, (struct unit){.number = id, .slot = SLOTS_ALL, .kind = UNIT_KILL});
}

static void list_take(struct cluster_lane *c, struct outlet *o, struct span list)
{
	const struct lane *l = c->lane;
	hello_strangers(list, l->config->name, l->run, fence_kill, o);
	o->fenced = !o->n_kills;
}

// @return whether nothing of a former life runs anywhere
static bool fence_turn(struct cluster_lane *c)
{
	bool fenced = true;
	for (unsigned i = 0; i < c->n_outlets; i++) {
		struct outlet *o = c->outlets[i];
		if (!map_is_master(c, o) || o->fenced)
			continue;
		fenced = false;
		if (outlet_is_ready(o) && o->head == o->tail)
			outlet_push(o, (struct unit){.slot = SLOTS_ALL, .kind = UNIT_LIST});
	}
	return fenced;
}

// ---- Replies

static void epoch_take(struct cluster_lane *c, const struct unit *u, const struct reply *r)
{
	struct lane *l = c->lane;
	if (u->kind == UNIT_EPOCH_DRAW) {
		atomic_store(&l->epoch, r->type == ':' ? (uint64_t)r->integer : 0);
		c->open = OPEN_FENCE;
		return;
	}
	l->was_marked = r->type == '$' && r->integer >= 0;
	c->open = OPEN_DRAW;
	for (unsigned i = 0; i < c->n_outlets; i++)
		l->was_marked |= c->outlets[i]->n_strangers > 0;
	if (l->was_marked)
		return;
	atomic_store(&l->epoch, 1); // stands in the target with the first markers
	c->open = founds_begin(c) ? OPEN_READ : OPEN_CONNECT;
}

void open_take(struct cluster_lane *c, struct outlet *o, const struct unit *u,
	       const struct reply *r)
{
	bool nil = r->type != '$' || r->integer < 0;
	struct span text = {r->line.p + r->line.len + 2, nil ? 0 : (size_t)r->integer};
	struct slot_marker m;
	bool held;
	c->more = true;
	switch (u->kind) {
	case UNIT_READ_MARKER:
	case UNIT_READ_CLAIM:
		read_take(c, o, u, text, nil);
		// fall through
	case UNIT_CLEAR:
		c->n_walk--;
		c->n_units--;
		break;
	case UNIT_EPOCH_GET:
	case UNIT_EPOCH_DRAW:
		c->n_units--;
		epoch_take(c, u, r);
		break;
	case UNIT_LOOK:
		held = !nil && !slot_marker_parse(&m, text) && m.marker.run == c->lane->run &&
		       m.marker.seq == c->waits[u->slot].fence_seq;
		if (held)
			slot_look_held(c, u->slot);
		c->waits[u->slot].n_look = 0;
		break;
	case UNIT_EVERY:
		gate_take(c, o, r->type != '-');
		break;
	case UNIT_LIST:
		list_take(c, o, text);
		break;
	default: // UNIT_KILL
		o->fenced = !--o->n_kills;
		break;
	}
}

// ---- Opening

static void lane_is_open(struct cluster_lane *c)
{
	struct lane *l = c->lane;
	l->n_keys = 0;
	memset(&l->version, 0, sizeof(l->version));
	for (unsigned i = 0; i < c->n_outlets; i++) {
		const struct outlet *o = c->outlets[i];
		if (!outlet_is_ready(o))
			continue;
		l->n_keys += o->n_keys;
		if (!l->version.at || o->version.at < l->version.at) // all take what it takes
			l->version = o->version;
	}
	atomic_store_explicit(&l->release, l->version.at | (uint32_t)l->version.valkey << 16,
			      memory_order_relaxed);
	// A process that restarts is seen by the outlet that had been there.
	atomic_store_explicit(&l->server, 1, memory_order_relaxed);
	atomic_store_explicit(&l->found_server, 1, memory_order_relaxed);
	l->was_ready = l->opened = true;
	c->open = OPEN_DONE;
	atomic_store_explicit(&l->state, LANE_READY, memory_order_release);
	core_wake(l->home);
	if (l->index)
		core_wake(l->all[0].core);
}

static void epoch_put(struct cluster_lane *c, enum unit_kind kind)
{
	c->n_units++;
	slot_put(c, (struct unit){.slot = epoch_slot(c), .kind = (uint8_t)kind});
}

void open_turn(struct cluster_lane *c)
{
	struct lane *l = c->lane;
	switch (c->open) {
	case OPEN_CONNECT:
		if (!outlets_ready(c))
			return;
		if (l->index) {
			lane_is_open(c);
		} else if (l->was_ready && !lane_others_opened(l)) {
			return; // the last of them rings
		} else if (l->was_ready) {
			c->open = founds_begin(c) ? OPEN_READ : OPEN_CONNECT;
		} else {
			c->open = OPEN_EPOCH;
			epoch_put(c, UNIT_EPOCH_GET);
		}
		c->more = true;
		break;
	case OPEN_EPOCH:
		break;
	case OPEN_DRAW:
		if (!c->n_units)
			epoch_put(c, UNIT_EPOCH_DRAW);
		break;
	case OPEN_FENCE:
		if (fence_turn(c) && founds_begin(c))
			c->open = OPEN_READ;
		break;
	case OPEN_READ:
		if (walk_turn(c, false) && founds_end(c))
			lane_is_open(c);
		break;
	case OPEN_DONE:
		break;
	}
}

// ---- Gates

void gate_take(struct cluster_lane *c, struct outlet *o, bool done)
{
	o->every_flies = false;
	o->every_done = done;
	o->every_at_ns = done ? 0 : c->lane->now.mono_ns + EVERY_AGAIN_NS;
	c->every_refused |= !done;
	if (done)
		return;
	o->claim_slot = (uint16_t)((o->claim_slot + SLOT_COUNT - 1) % SLOT_COUNT);
	wait_show(c, "the target's node %s:%u does not carry out what goes to every node: %s",
		  o->host, o->port, o->refusal);
	map_poke(c);
}

static bool every_turn(struct cluster_lane *c)
{
	bool all = true;
	c->claim_all = unit_batch(c, &c->gate_unit)->marker_all;
	for (unsigned i = 0; i < c->n_outlets; i++) {
		struct outlet *o = c->outlets[i];
		if (!map_is_master(c, o) || o->every_done)
			continue;
		all = false;
		o->needed = true;
		if (o->every_flies || !outlet_is_ready(o) ||
		    c->lane->now.mono_ns < o->every_at_ns || !claim_slot_find(o))
			continue;
		o->every_flies = true;
		outlet_push(o, c->gate_unit);
		c->more = true;
	}
	return all;
}

static void every_begin(struct cluster_lane *c)
{
	for (unsigned i = 0; i < c->n_outlets; i++)
		c->outlets[i]->every_done = false;
	c->every_refused = false;
	c->more = true;
}

// Every node has carried it out. A round that took longer, since some node refused, does not count.
static bool every_round_next(struct cluster_lane *c)
{
	c->n_rounds += !c->every_refused;
	if (!unit_batch(c, &c->gate_unit)->marker_all || c->n_rounds == FLUSH_ROUNDS)
		return false;
	every_begin(c);
	return true;
}

static bool claims_fly(const struct cluster_lane *c)
{
	for (unsigned i = 0; i < c->n_outlets; i++)
		if (c->outlets[i]->claim_flies)
			return true;
	return false;
}

void gate_turn(struct cluster_lane *c)
{
	unsigned own = c->gate_clears ? 0 : 1;
	switch (c->gate) {
	case GATE_DRAIN:
		if (c->n_units > own || claims_fly(c))
			return;
		every_begin(c);
		c->n_rounds = 0;
		walk_begin(c);
		c->gate = c->gate_clears ? GATE_CLEAR : GATE_EVERY;
		break;
	case GATE_EVERY:
		if (!every_turn(c) || every_round_next(c))
			return;
		unit_done(c, &c->gate_unit);
		c->gate = GATE_NONE;
		break;
	case GATE_CLEAR:
		if (walk_turn(c, true))
			c->gate = GATE_NONE;
		break;
	case GATE_CLAIM:
	case GATE_NONE:
		break;
	}
}
