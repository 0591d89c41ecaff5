// SPDX-License-Identifier: BSD-3-Clause
// cluster_lane_turn() -> map_turn(), outlet_turn()..., open_turn(), slots_turn(), units_turn(),
//                        batches_turn(), gate_turn(), claims_turn()
#include "dataplane/apply/cluster_lane.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/apply/cluster_priv.h"

#define MS_NS 1000000ull

struct cluster_lane *cluster_lane_new(struct lane *l, const struct cluster_maps *maps)
{
	struct cluster_lane *c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->lane = l;
	c->maps = *maps;
	c->map = malloc(sizeof(*c->map));
	c->map_next = malloc(sizeof(*c->map_next));
	if (!c->map || !c->map_next) {
		cluster_lane_free(c);
		return NULL;
	}
	cluster_map_reset(c->map);
	c->first_slot = (uint16_t)slots_first(l->index, l->n_lanes);
	c->last_slot = (uint16_t)(slots_first(l->index + 1, l->n_lanes) - 1);
	for (unsigned s = 0; s < SLOTS_ALL; s++)
		c->slots[s].outlet = OUTLET_NONE;
	slots_reset(c);
	atomic_store(&l->low, UINT64_MAX);
	return c;
}

void cluster_lane_free(struct cluster_lane *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->n_outlets; i++)
		outlet_free(c->outlets[i]);
	free(c->claims);
	free(c->map);
	free(c->map_next);
	free(c);
}

void cluster_lane_drop(struct cluster_lane *c)
{
	for (unsigned i = 0; i < c->n_outlets; i++)
		outlet_close(c->outlets[i]);
}

static void outlet_forget(struct outlet *o)
{
	o->head = o->staged = o->tail = 0;
	o->claim_flies = o->every_flies = o->every_done = false;
	o->claim_sent = o->claim_stands = 0;
	o->claim_after_ns = o->every_at_ns = 0;
	o->retry_at_ns = o->backoff_ns = o->since_ns = 0;
	o->check_sent_ns = o->check_stands_ns = 0;
	o->fenced = false;
	o->n_kills = 0;
	o->open_run_id[0] = 0;
}

void cluster_lane_forget(struct cluster_lane *c)
{
	for (unsigned i = 0; i < c->n_outlets; i++)
		outlet_forget(c->outlets[i]);
	slots_reset(c);
	memset(c->begun, 0, sizeof(c->begun));
	c->place = c->item = c->n_units = 0;
	c->n_bytes = 0;
	c->in_batch = c->claim_all = c->claim_now = false;
	c->low_claim = c->low_seq = 0;
	c->open = OPEN_CONNECT;
	c->gate = GATE_NONE;
	c->n_walk = 0;
	c->map_since_ns = 0;
	c->map_version = 0; // who owns what is taken from it anew
	c->is_waiting = false;
	atomic_store(&c->lane->low, UINT64_MAX);
	atomic_store(&c->lane->wait_deadline_ms, 0);
}

// ---- Waiting

bool wait_is_over(struct cluster_lane *c, uint64_t since_ns, const char *why)
{
	struct lane *l = c->lane;
	if (l->now.mono_ns - since_ns <= l->config->settings.wait_timeout * MS_NS)
		return false;
	char text[TEXT_LEN];
	shared_text_get(&l->waiting, text);
	lane_fail(l, ERROR_DEADLINE, "%.180s, for longer than wait-timeout", text[0] ? text : why);
	return true;
}

void wait_show(struct cluster_lane *c, const char *format, ...)
{
	struct lane *l = c->lane;
	char why[TEXT_LEN];
	va_list args;
	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	shared_text_set(&l->waiting, why);
	if (!c->is_waiting)
		atomic_store(&l->wait_deadline_ms,
			     l->now.wall_ms + l->config->settings.wait_timeout);
	c->is_waiting = true;
}

// People are told until nothing waits any more.
static void wait_end(struct cluster_lane *c)
{
	struct lane *l = c->lane;
	if (!c->is_waiting || c->n_paused || c->map_since_ns)
		return;
	for (unsigned i = 0; i < c->n_outlets; i++) {
		const struct outlet *o = c->outlets[i];
		if (o->since_ns || o->claim_after_ns || o->every_at_ns)
			return;
	}
	c->is_waiting = false;
	atomic_store(&l->wait_deadline_ms, 0);
	shared_text_set(&l->waiting, "");
}

// ---- Turn

// Which nodes somebody has business with.
static void owners_count(struct cluster_lane *c)
{
	if (!c->owners_changed)
		return;
	c->owners_changed = false;
	for (unsigned i = 0; i < c->n_outlets; i++)
		c->outlets[i]->n_in_range = c->outlets[i]->owned = 0;
	for (unsigned s = 0; s < SLOT_COUNT; s++) {
		if (c->slots[s].outlet == OUTLET_NONE)
			continue;
		struct outlet *o = c->outlets[c->slots[s].outlet];
		o->n_in_range += s >= c->first_slot && s <= c->last_slot;
		o->owned ^= slot_digest((uint16_t)s);
	}
	for (unsigned i = 0; i < c->n_outlets; i++) {
		struct outlet *o = c->outlets[i];
		// Its claim has gone with its slot.
		if (o->claim_stands && c->slots[o->claim_slot].outlet != o->index)
			o->claim_stands = o->claim_at_ns = 0;
		o->needed |= o->n_in_range || (!c->lane->index && map_is_master(c, o));
	}
	uint8_t keyless = c->slots[SLOT_KEYLESS].outlet;
	if (keyless != OUTLET_NONE)
		c->outlets[keyless]->needed = true;
	uint8_t epoch = c->slots[epoch_slot(c)].outlet;
	if (epoch != OUTLET_NONE)
		c->outlets[epoch]->needed = true;
}

// A node that is no master any more, and from which nothing is awaited.
static void outlet_retire(struct cluster_lane *c, struct outlet *o)
{
	if (!o->needed || o->head != o->tail || o->n_in_range ||
	    c->slots[SLOT_KEYLESS].outlet == o->index || map_is_member(c, o))
		return;
	outlet_close(o);
	o->needed = false;
	o->since_ns = 0;
	o->open_run_id[0] = 0;
}

static void outlets_turn(struct cluster_lane *c, uint64_t *deadline_ns)
{
	const struct lane *l = c->lane;
	for (unsigned i = 0; i < c->n_outlets; i++) {
		struct outlet *o = c->outlets[i];
		outlet_retire(c, o);
		if (o->needed &&
		    atomic_load_explicit(&l->verdict, memory_order_relaxed) == LANE_FINE)
			outlet_turn(o, deadline_ns);
	}
}

static void outlets_send(struct cluster_lane *c)
{
	for (unsigned i = 0; i < c->n_outlets; i++) {
		struct outlet *o = c->outlets[i];
		if (o->staged != o->tail)
			outlet_send(o);
	}
}

bool cluster_lane_turn(struct cluster_lane *c, uint64_t *deadline_ns)
{
	struct lane *l = c->lane;
	c->more = false;
	if (atomic_load_explicit(&l->state, memory_order_relaxed) == LANE_CLOSED) {
		atomic_store_explicit(&l->state, LANE_CONNECTING, memory_order_relaxed);
		c->owners_changed = true;
	}
	map_turn(c, deadline_ns);
	owners_count(c);
	outlets_turn(c, deadline_ns);
	slots_turn(c, deadline_ns);
	if (atomic_load_explicit(&l->verdict, memory_order_relaxed) != LANE_FINE)
		return false;
	if (c->open != OPEN_DONE) {
		open_turn(c);
	} else {
		batches_turn(c);
		gate_turn(c);
		units_turn(c);
		batches_turn(c);
		claims_turn(c, deadline_ns);
	}
	outlets_send(c);
	wait_end(c);
	return c->more;
}
