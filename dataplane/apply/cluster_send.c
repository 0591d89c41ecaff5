// SPDX-License-Identifier: BSD-3-Clause
// units_turn() -> batch_begin(), unit_take() -> slot_put()
// outlet_stage() -> unit_stage()
#include <stdio.h>
#include <string.h>

#include "dataplane/apply/cluster_priv.h"
#include "parsers/resp_write.h"

#define COPY_MAX          2048 // longer pieces are sent from where they lie
#define REFER_MAX         (1024 * 1024)
#define COMMAND_MAX       (SLOT_MARKER_SET_LEN * 2 + 256) // of ours, and what stands around others
#define MULTI             "*1\r\n$5\r\nMULTI\r\n"
#define EXEC              "*1\r\n$4\r\nEXEC\r\n"
#define ASKING            "*1\r\n$6\r\nASKING\r\n"
#define PUT_LIT(at, text) (memcpy(at, text, sizeof(text) - 1), sizeof(text) - 1)

// ---- Batches to units

static bool batch_begin(struct cluster_lane *c, struct batch *b)
{
	struct lane *l = c->lane;
	if (c->place && c->n_bytes >= l->config->settings.inflight_bytes)
		return false;
	if (b->after_mask && !lane_dependencies_met(l, b))
		return false;
	if (b->n_withheld && !lane_park_withheld(l, b))
		return false;
	c->begun[b - l->pool] = (struct begun){0};
	c->n_bytes += b->len;
	c->item = 0;
	c->in_batch = true;
	if (!c->low_claim && b->marker.phase == MARKER_STREAM && is_exactly_once(c))
		atomic_store_explicit(&l->low, b->begin, memory_order_release);
	if (b->marker_all && b->marker.phase == MARKER_SNAPSHOT && is_exactly_once(c)) {
		atomic_store_explicit(&l->low, UINT64_MAX, memory_order_release);
		c->low_claim = 0;
		c->gate = GATE_DRAIN;
		c->gate_clears = true;
	}
	return true;
}

static void unit_take(struct cluster_lane *c, const struct batch *b)
{
	const struct batch_item *item = &b->items[c->item];
	uint8_t handle = (uint8_t)(b - c->lane->pool);
	struct unit u = {.item = c->item, .n_items = 1, .handle = handle, .slot = item->slot};
	while (c->item + u.n_items < b->n_items &&
	       b->items[c->item + u.n_items].flags & ITEM_JOINED)
		u.n_items++;
	c->item += u.n_items;
	c->begun[handle].n_left++;
	c->n_units++;
	u.kind = u.n_items > 1 || item->flags & ITEM_ATOMIC ? UNIT_TRANSACTION : UNIT_PLAIN;
	if (item->slot == SLOT_EVERY) {
		u.kind = UNIT_EVERY;
		u.slot = SLOTS_ALL;
		c->gate_unit = u;
		c->gate = GATE_DRAIN;
		c->gate_clears = false;
		return;
	}
	if (item->slot == SLOT_ANY)
		u.slot = SLOT_KEYLESS;
	else if (item->flags & ITEM_FENCED && is_exactly_once(c))
		u.flags = UNIT_FENCED;
	slot_put(c, u);
}

void units_turn(struct cluster_lane *c)
{
	struct lane *l = c->lane;
	while (c->gate == GATE_NONE && c->n_units < UNITS_WINDOW && c->place < l->n_queued) {
		struct batch *b = lane_batch(l, c->place);
		if (!c->in_batch && !batch_begin(c, b))
			return;
		while (c->gate == GATE_NONE && c->item < b->n_items && c->n_units < UNITS_WINDOW)
			unit_take(c, b);
		if (c->gate != GATE_NONE || c->item < b->n_items)
			return;
		c->begun[b - l->pool].whole = true;
		c->in_batch = false;
		c->place++;
		if (b->marker_all && is_exactly_once(c))
			c->gate = GATE_CLAIM; // until it was handed back
	}
}

// ---- Batches that are over

void unit_done(struct cluster_lane *c, const struct unit *u)
{
	c->begun[u->handle].n_left--;
	c->n_units--;
}

// What the batch says of the slots is true from now on. A bare one, and one that took the markers
// away, is not over before that is written down.
static void batch_settle(struct cluster_lane *c, const struct batch *b, struct begun *g)
{
	bool snapshot = b->marker.phase == MARKER_SNAPSHOT;
	if (!b->framed || g->claim || !is_exactly_once(c) || (snapshot && !b->marker_all))
		return;
	low_set(c, b);
	g->claim = c->low_claim;
	c->claim_all |= b->marker_all;
	c->claim_now |= !b->n_items || b->marker_all;
}

void batches_turn(struct cluster_lane *c)
{
	struct lane *l = c->lane;
	while (c->place) {
		struct batch *b = lane_batch(l, 0);
		struct begun *g = &c->begun[b - l->pool];
		if (!g->whole || g->n_left)
			return;
		batch_settle(c, b, g);
		bool waits = !b->n_items || b->marker_all;
		if (waits && g->claim && !claims_stand(c, g->claim))
			return;
		if (b->marker_all && c->gate == GATE_CLAIM) {
			c->claim_all = false;
			c->gate = GATE_NONE;
		}
		c->n_bytes -= b->len;
		c->place--;
		c->more = true;
		lane_hand_back(l, g->n_parked, false);
		g->claim = 0;
	}
	c->claim_now = false;
}

// ---- Units to bytes

// The bytes of a batch from one on, as far as they lie in one piece.
static struct span bytes_at(struct outlet *o, const struct batch *b, uint64_t at)
{
	if (o->seen != b || o->seen_seq != b->seq || at < o->seen_begin) {
		o->seen = b;
		o->seen_seq = b->seq;
		o->seen_begin = 0;
		o->seen_segment = 0;
	}
	while (at >= o->seen_begin + b->segments[o->seen_segment].len)
		o->seen_begin += b->segments[o->seen_segment++].len;
	struct span s = b->segments[o->seen_segment];
	size_t skip = (size_t)(at - o->seen_begin);
	return (struct span){s.p + skip, s.len - skip};
}

// @return false: there is no room for all of it
static bool bytes_stage(struct outlet *o, const struct batch *b, uint64_t from, uint64_t end)
{
	while (from + o->at_byte < end) {
		struct span s = bytes_at(o, b, from + o->at_byte);
		size_t left = (size_t)(end - from - o->at_byte);
		s.len = s.len < left ? s.len : left;
		s.len = s.len < REFER_MAX ? s.len : REFER_MAX;
		if (!outlet_has_room(o, s.len <= COPY_MAX ? s.len : 0))
			return false;
		if (s.len <= COPY_MAX)
			outlet_copy(o, s.p, s.len);
		else
			outlet_refer(o, s.p, s.len);
		o->at_byte += s.len;
	}
	return true;
}

static bool item_stage(struct outlet *o, const struct unit *u)
{
	const struct batch *b = unit_batch(o->cluster, u);
	unsigned end = u->item + u->n_items;
	return bytes_stage(o, b, b->items[u->item].at,
			   end < b->n_items ? b->items[end].at : b->len);
}

static bool is_transaction(const struct outlet *o, const struct unit *u)
{
	return u->kind == UNIT_TRANSACTION || u->flags & UNIT_MARKED ||
	       (u->kind == UNIT_EVERY && unit_batch(o->cluster, u)->marker_all);
}

// A command of ours. @return its length
static size_t own_compose(struct outlet *o, const struct unit *u, char *at)
{
	const struct cluster_lane *c = o->cluster;
	const char *link = c->lane->config->name;
	char key[MARKER_KEY_LEN], claim[MARKER_KEY_LEN], number[24];
	switch (u->kind) {
	case UNIT_CLEAR:
		slot_marker_key(key, link, u->slot);
		slot_claim_key(claim, link, u->slot);
		return RESP_WRITE(at, COMMAND_MAX, "DEL", key, claim);
	case UNIT_READ_MARKER:
	case UNIT_LOOK:
		slot_marker_key(key, link, u->slot);
		return RESP_WRITE(at, COMMAND_MAX, "GET", key);
	case UNIT_READ_CLAIM:
		slot_claim_key(claim, link, u->slot);
		return RESP_WRITE(at, COMMAND_MAX, "GET", claim);
	case UNIT_EPOCH_GET:
	case UNIT_CHECK:
		marker_epoch_key(key, link);
		return RESP_WRITE(at, COMMAND_MAX, "GET", key);
	case UNIT_EPOCH_DRAW:
		marker_epoch_key(key, link);
		return RESP_WRITE(at, COMMAND_MAX, "INCR", key);
	case UNIT_CLAIM:
		return claim_compose(o, at, u->slot);
	case UNIT_LIST:
		return RESP_WRITE(at, COMMAND_MAX, "CLIENT", "LIST");
	default: // UNIT_KILL
		snprintf(number, sizeof(number), "%llu", (unsigned long long)u->number);
		return RESP_WRITE(at, COMMAND_MAX, "CLIENT", "KILL", "ID", number);
	}
}

static void head_stage(struct outlet *o, const struct unit *u)
{
	char text[COMMAND_MAX];
	size_t n = 0;
	if (u->flags & UNIT_ASKING)
		n += PUT_LIT(text + n, ASKING);
	if (is_transaction(o, u) && !o->in_transaction)
		n += PUT_LIT(text + n, MULTI);
	o->in_transaction |= is_transaction(o, u);
	if (u->kind > UNIT_TRANSACTION && u->kind != UNIT_EVERY)
		n += own_compose(o, u, text + n);
	if (n)
		outlet_copy(o, text, n);
}

// What FLUSHALL takes away is put back at once.
static size_t every_tail(struct outlet *o, const struct unit *u, char *at)
{
	const struct cluster_lane *c = o->cluster;
	const struct batch *b = unit_batch(c, u);
	size_t n = 0;
	o->n_every = 1;
	if (!is_exactly_once(c))
		return 0;
	if (c->low_claim) {
		n += claim_compose(o, at, o->claim_slot);
		o->n_every++;
	}
	if (b->marker.epoch && o->claim_slot == epoch_slot(c)) {
		n += marker_epoch_set(at + n, c->lane->config->name, b->marker.epoch);
		o->n_every++;
	}
	return n;
}

static void tail_stage(struct outlet *o, const struct unit *u)
{
	char text[COMMAND_MAX];
	size_t n = 0;
	if (!o->in_transaction || u->flags & UNIT_MORE)
		return;
	if (u->flags & UNIT_MARKED)
		n = fence_compose(o, u, text);
	if (u->kind == UNIT_EVERY)
		n = every_tail(o, u, text);
	n += PUT_LIT(text + n, EXEC);
	outlet_copy(o, text, n);
	o->in_transaction = false;
}

// @return false: there is no room for the rest of it
static bool unit_stage(struct outlet *o, const struct unit *u)
{
	bool of_batch = u->kind <= UNIT_TRANSACTION || u->kind == UNIT_EVERY;
	if (o->at_part == STAGE_HEAD) {
		if (!outlet_has_room(o, COMMAND_MAX))
			return false;
		head_stage(o, u);
		o->at_byte = 0;
		o->at_part = STAGE_BYTES;
	}
	if (o->at_part == STAGE_BYTES) {
		if (of_batch && !item_stage(o, u))
			return false;
		o->at_part = STAGE_TAIL;
	}
	if (!outlet_has_room(o, COMMAND_MAX))
		return false;
	tail_stage(o, u);
	return true;
}

void outlet_stage(struct outlet *o)
{
	while (o->composing || o->staged != o->tail) {
		if (!o->composing) {
			o->staged++;
			o->composing = true;
			o->at_part = STAGE_HEAD;
		}
		if (!unit_stage(o, &o->units[(o->staged - 1) % UNITS_MAX]))
			return;
		o->composing = false;
	}
}
