// SPDX-License-Identifier: BSD-3-Clause
// slots_forward() -> slots_plan() -> every_fate(), keys_held()
// slots_place()   -> one_place() | parts_place() | every_place() | withheld_place()
// slots_frame_end() -> frame_order() -> frame_units()
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/route/route_priv.h"

unsigned slots_lane(const struct route *r, unsigned slot)
{
	return r->place->n_lanes == 1 ? 0 : r->place->lane_of_slot[slot];
}

// ---- What the target holds

// Whether a slot of the target holds the command at hand.
bool slots_is_held(struct route *r, unsigned slot)
{
	struct slots *s = r->slots;
	if (!r->in_frame)
		return r->frame.begin < r->held_end && r->frame.begin < r->held[slot];
	if (s->touched[slot] >> 1 != s->frame) {
		bool held = r->frame.begin < r->held_end && r->frame.begin < r->held[slot];
		s->touched[slot] = s->frame << 1 | held;
		s->n_touched++;
	}
	return s->touched[slot] & 1;
}

static bool keys_held(struct route *r, const struct slots_plan *p)
{
	bool all = true;
	for (int i = 0; i < p->run.n; i++)
		all &= slots_is_held(r, key_slot(r->argv[key_run_at(&p->run, i)]));
	return all;
}

// A command for all masters goes to all of them again when one does not hold it. Nothing that
// follows it is sent before all have answered it, so that does no harm, unless a node has gone back
// behind it since (a failover): FLUSHALL would then take what others were given later.
static int every_fate(struct route *r, const struct command *c)
{
	uint64_t least = UINT64_MAX;
	if (r->frame.begin >= r->held_end)
		return -2;
	for (unsigned i = 0; i < SLOT_COUNT; i++)
		least = r->held[i] < least ? r->held[i] : least;
	if (r->frame.begin < least)
		return command_filter(r);
	if (c->class == CLASS_GLOBAL && r->held_end > r->frame.end)
		return resync_want(r, "a node of the target went back behind a command that "
				      "emptied all nodes");
	return -2;
}

// ---- Before its form is found

static int plan_park(struct route *r, const struct command *c, const char *why)
{
	struct form f;
	form_withheld(&f, c, r->argv, (int)r->frame.argc, why);
	return slots_place(r, c, f.argv, f.argc, &f);
}

int slots_forward(struct route *r, const struct command *c)
{
	if (r->in_frame && r->frame_apart)
		return 1; // it comes again
	struct slots_plan p = slots_plan(c, r->argv, (int)r->frame.argc);
	bool is_smove = c && !strcmp(c->name, "SMOVE");
	bool stepwise = p.way == SLOTS_EVERY || (p.way == SLOTS_GATHER && !is_smove);
	if (stepwise && r->in_frame) {
		route_frame_apart(r);
		return 1;
	}
	switch (p.way) {
	case SLOTS_ONE:
		return slots_is_held(r, p.slot) ? command_filter(r) : -2;
	case SLOTS_EVERY:
		return every_fate(r, c);
	case SLOTS_BY_KEY:
		return keys_held(r, &p) ? command_filter(r) : -2;
	case SLOTS_NOTHING:
		return command_filter(r);
	case SLOTS_GATHER:
		if (!r->gather && !is_smove)
			return plan_park(r, c, "its keys lie in several slots of a cluster");
		return keys_held(r, &p) ? command_filter(r) : -2;
	case SLOTS_PARK:
		return plan_park(r, c, p.why);
	}
	return -2;
}

// ---- Items

// @param from  the first item of the command
static void unit_mark(struct batch *b, unsigned from, unsigned slot, bool repeatable)
{
	uint8_t flags = b->n_items - from > 1 ? ITEM_ATOMIC : 0;
	batch_unit(b, from, (uint16_t)slot, repeatable ? flags : ITEM_FENCED);
	b->idempotent &= repeatable;
}

// One part of the command at hand, or all of it. The lane has an open batch.
static int part_add(struct route *r, unsigned slot, const struct form *f, bool repeatable)
{
	unsigned lane = slots_lane(r, slot);
	struct batch *b = r->place->feeds[lane].open;
	unsigned from = b->n_items;
	if (route_add(r, lane, f))
		return -1;
	unit_mark(b, from, slot, repeatable);
	return 0;
}

void slots_follow(struct route *r, const struct command *c, const struct span *argv, int argc)
{
	if (holds_any(&r->holds))
		holds_follow(&r->holds, route_target_db(r), c, argv, argc);
}

static void lane_settle(struct route *r, unsigned lane)
{
	if (!r->in_frame)
		route_settle(r, lane, 1u << lane, false, r->frame.begin, r->db);
}

static int one_place(struct route *r, unsigned slot, const struct command *c,
		     const struct span *argv, int argc, const struct form *f)
{
	unsigned lane = slots_lane(r, slot);
	if (!route_batch(r, lane, f ? form_text_len(r, f) : FORM_TEXT_MAX))
		return 0;
	if (part_add(r, slot, f, route_is_repeatable(c, argv, argc)))
		return -1;
	slots_follow(r, c, argv, argc);
	route_count(r, lane);
	lane_settle(r, lane);
	return 1;
}

// PING stands for it in the batch.
static int withheld_place(struct route *r, const struct form *f)
{
	unsigned lane = r->in_frame && r->frame_lane >= 0 ? (unsigned)r->frame_lane : 0;
	struct batch *b = route_batch(r, lane, FORM_TEXT_MAX);
	if (!b)
		return 0;
	unsigned from = b->n_items;
	if (route_add(r, lane, f))
		return -1;
	batch_unit(b, from, SLOT_ANY, 0);
	route_count(r, lane);
	lane_settle(r, lane);
	return 1;
}

// A barrier for all lanes. Never in a transaction, see route_frame_apart().
static int every_place(struct route *r, const struct command *c, const struct span *argv, int argc,
		       const struct form *f)
{
	struct batch *b = route_batch(r, 0, f ? form_text_len(r, f) : FORM_TEXT_MAX);
	if (!b)
		return 0;
	unsigned from = b->n_items;
	if (route_add(r, 0, f))
		return -1;
	batch_unit(b, from, SLOT_EVERY, 0);
	b->idempotent &= route_is_repeatable(c, argv, argc);
	slots_follow(r, c, argv, argc);
	route_count(r, 0);
	route_settle(r, 0, place_all(r->place), route_touches_markers(c), r->frame.begin, r->db);
	return 1;
}

// ---- Key by key

// The words of the command that are about one slot's keys: MSETEX 3 a 1 b 2 c 3 PXAT 9 becomes
// MSETEX 2 a 1 c 3 PXAT 9.
//
// @param to      room for argc words
// @param number  room for a count of keys
static int part_words(const struct slot_groups *g, unsigned slot, const struct command *c,
		      const struct slots_plan *p, const struct span *argv, int argc,
		      struct span *to, char number[24])
{
	int n = 0, n_keys = 0, step = p->run.step;
	for (int i = 0; i < p->run.first; i++)
		to[n++] = argv[i];
	for (uint32_t i = g->of[slot].first; i; i = g->next[i - 1], n_keys++)
		for (int k = 0; k < step; k++)
			to[n++] = argv[key_run_at(&p->run, (int)i - 1) + k];
	for (int i = p->run.first + p->run.n * step; i < argc; i++)
		to[n++] = argv[i];
	if (c->keyspec == KEYS_NUMKEYS)
		to[c->count] = (struct span){number, decimal_write(number, (uint64_t)n_keys)};
	return n;
}

int slots_keys_group(struct route *r, const struct slots_plan *p, const struct span *argv)
{
	struct slot_groups *g = &r->slots->groups;
	if (slot_groups_begin(g, (uint32_t)p->run.n, r->giant.folder))
		return route_no_memory(r);
	for (int i = 0; i < p->run.n; i++)
		slot_groups_add(g, key_slot(argv[key_run_at(&p->run, i)]), (uint32_t)i);
	return 0;
}

// Open a batch in each lane that gets a part. @return their mask, 0: one has none free
static uint32_t lanes_open(struct route *r, unsigned *first)
{
	const struct slot_groups *g = &r->slots->groups;
	uint32_t mask = 0;
	for (unsigned i = 0; i < g->n_found; i++) {
		unsigned lane = slots_lane(r, g->found[i]);
		if (mask & 1u << lane || slots_is_held(r, g->found[i]))
			continue;
		if (!route_batch(r, lane, FORM_TEXT_MAX))
			return 0;
		*first = mask ? *first : lane;
		mask |= 1u << lane;
	}
	return mask;
}

static int parts_add(struct route *r, const struct slots_plan *p, const struct command *c,
		     const struct span *argv, int argc)
{
	struct slot_groups *g = &r->slots->groups;
	struct span *room = argv == r->argv ? r->argv_new : r->argv;
	bool repeatable = route_is_repeatable(c, argv, argc);
	for (unsigned i = 0; i < g->n_found; i++) {
		char number[24];
		struct form part;
		if (slots_is_held(r, g->found[i]))
			continue;
		int n = part_words(g, g->found[i], c, p, argv, argc, room, number);
		form_of_part(r, &part, c, room, n);
		if (part_add(r, g->found[i], &part, repeatable))
			return -1;
	}
	return 0;
}

// One command in several slots: counted in the first lane that gets a part of it.
static int parts_place(struct route *r, const struct slots_plan *p, const struct command *c,
		       const struct span *argv, int argc)
{
	struct slot_groups *g = &r->slots->groups;
	unsigned first = 0;
	if (slots_keys_group(r, p, argv))
		return -1;
	uint32_t mask = lanes_open(r, &first);
	int rc = mask ? parts_add(r, p, c, argv, argc) : 0;
	slot_groups_end(g);
	if (rc || !mask)
		return rc;
	slots_follow(r, c, argv, argc);
	route_count(r, first);
	for (unsigned i = 0; i < r->place->n_lanes; i++)
		if (mask & 1u << i)
			lane_settle(r, i);
	return 1;
}

int slots_place(struct route *r, const struct command *c, const struct span *argv, int argc,
		const struct form *f)
{
	if (f && f->fate == FORM_WITHHELD)
		return withheld_place(r, f);
	struct slots_plan p = slots_plan(c, argv, argc);
	switch (p.way) {
	case SLOTS_ONE:
		return one_place(r, p.slot, c, argv, argc, f);
	case SLOTS_BY_KEY:
		return parts_place(r, &p, c, argv, argc);
	case SLOTS_EVERY:
		return every_place(r, c, argv, argc, f);
	case SLOTS_GATHER:
		return strcmp(c->name, "SMOVE") ? gather_place(r, &p, c, argv, argc)
						: smove_place(r, c, argv, argc);
	default:
		return route_bad(r, ERROR_INTERNAL, "a rewritten command has other keys",
				 r->frame.begin);
	}
}

// ---- Transactions

// What a transaction did in a lane to each slot goes together.
static int frame_order(struct route *r, struct batch *b, unsigned from)
{
	struct slot_groups *g = &r->slots->groups;
	uint32_t n = b->n_items - from, at = 0, *order = malloc(n * sizeof(*order));
	int rc = order ? slot_groups_begin(g, n, r->giant.folder) : -ENOMEM;
	for (uint32_t i = 0; i < n && !rc; i++)
		if (b->items[from + i].slot == SLOT_ANY)
			order[at++] = i;
		else
			slot_groups_add(g, b->items[from + i].slot, i);
	for (unsigned k = 0; k < g->n_found && !rc; k++)
		for (uint32_t i = g->of[g->found[k]].first; i; i = g->next[i - 1])
			order[at++] = i - 1;
	if (!rc)
		slot_groups_end(g);
	rc = rc ? rc : batch_reorder(b, from, order);
	free(order);
	return rc ? route_no_memory(r) : 0;
}

// Whether what a lane holds of it is of several slots.
static bool is_mixed(const struct batch *b, unsigned from)
{
	for (unsigned i = from + 1; i < b->n_items; i++)
		if (b->items[i].slot != b->items[from].slot)
			return true;
	return false;
}

static void frame_units(struct batch *b, unsigned from)
{
	for (unsigned i = from, end; i < b->n_items; i = end) {
		uint16_t slot = b->items[i].slot;
		bool fenced = false;
		for (end = i; end < b->n_items && b->items[end].slot == slot; end++)
			fenced |= b->items[end].flags & ITEM_FENCED;
		if (slot == SLOT_ANY)
			continue;
		for (unsigned k = i; k < end; k++)
			b->items[k].flags = ITEM_JOINED;
		b->items[i].flags = fenced ? ITEM_FENCED : end - i > 1 ? ITEM_ATOMIC : 0;
	}
}

int slots_frame_end(struct route *r)
{
	counter_add(&r->counters->split_transactions, r->slots->n_touched > 1);
	for (unsigned i = 0; i < r->place->n_lanes; i++) {
		if (!(r->frame_lanes & 1u << i))
			continue;
		struct batch *b = r->place->feeds[i].open;
		unsigned from = r->frame_marks[i].n_items;
		if (is_mixed(b, from) && frame_order(r, b, from))
			return -1;
		frame_units(b, from);
		route_settle(r, i, 1u << i, false, r->frame_begin, r->frame_db);
	}
	return 1;
}
