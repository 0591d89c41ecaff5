// SPDX-License-Identifier: BSD-3-Clause
// Order. A unit goes straight to the owner of its slot while nothing is in its way:
//
//   slot_put() -> outlet_push()            OPEN
//
// Else the slot is shut, and its units queue. What is on its way is waited for; the last of it that
// comes back decides what goes next:
//
//   slot_back() -> slot_settle() -> slot_next() -> outlet_push()...
//
//   MOVED      the slot has another owner: all goes there
//   ASK        one unit at a time, first to the owner; what it does not have, to the other one
//   refusal    a pause, then one unit alone; when it is taken, all of them
//   fenced     a transaction with all that has gathered behind it
#include <assert.h>

#include "dataplane/apply/cluster_priv.h"

#define PAUSE_FIRST_NS  10000000ull
#define PAUSE_MAX_NS    1000000000ull
#define MOVING_MAX_NS   100000000ull // a slot on its way between two nodes is tried so often
#define STRAIGHT_ENOUGH 16           // taken by the owner in a row: the slot stays with it
#define GROUP_UNITS     64
#define GROUP_LEN       (256 * 1024)

// ---- Queues

static uint32_t queued_new(struct cluster_lane *c, struct unit u)
{
	uint32_t i = c->pool_free;
	assert(i != NOBODY); // the window is no larger than the pool
	c->pool_free = c->pool[i].next;
	c->pool[i] = (struct queued){u, NOBODY};
	return i;
}

static void queue_append(struct cluster_lane *c, uint32_t *first, uint32_t *last, struct unit u)
{
	uint32_t i = queued_new(c, u);
	if (*first == NOBODY)
		*first = i;
	else
		c->pool[*last].next = i;
	*last = i;
}

static void queue_prepend(struct cluster_lane *c, struct slot_wait *w, struct unit u)
{
	uint32_t i = queued_new(c, u);
	c->pool[i].next = w->first;
	if (w->first == NOBODY)
		w->last = i;
	w->first = i;
}

static struct unit queue_pop(struct cluster_lane *c, struct slot_wait *w)
{
	uint32_t i = w->first;
	w->first = c->pool[i].next;
	c->pool[i].next = c->pool_free;
	c->pool_free = i;
	return c->pool[i].unit;
}

// What came back goes before what waits.
static void back_join(struct cluster_lane *c, struct slot_wait *w)
{
	if (w->back_first == NOBODY)
		return;
	c->pool[w->back_last].next = w->first;
	if (w->first == NOBODY)
		w->last = w->back_last;
	w->first = w->back_first;
	w->back_first = NOBODY;
}

void slots_reset(struct cluster_lane *c)
{
	for (uint32_t i = 0; i < UNITS_MAX; i++)
		c->pool[i].next = i + 1 < UNITS_MAX ? i + 1 : NOBODY;
	c->pool_free = 0;
	for (unsigned s = 0; s < SLOTS_ALL; s++) {
		c->slots[s] = (struct slot){.outlet = c->slots[s].outlet, .state = SLOT_SHUT};
		c->waits[s] = (struct slot_wait){.first = NOBODY, .back_first = NOBODY};
	}
	c->n_paused = 0;
	c->next_retry_ns = NO_DEADLINE;
}

// ---- Sending

static bool is_of_batch(const struct unit *u)
{
	return u->kind == UNIT_PLAIN || u->kind == UNIT_TRANSACTION;
}

static void unit_fly(struct cluster_lane *c, uint8_t outlet, struct unit u)
{
	c->slots[u.slot].flying++;
	outlet_push(c->outlets[outlet], u);
}

static void fence_fly(struct cluster_lane *c, uint8_t outlet, struct unit u)
{
	c->waits[u.slot].fence_seq = ++c->fence_seq;
	c->slots[u.slot].state = SLOT_SHUT;
	u.flags |= UNIT_MARKED;
	unit_fly(c, outlet, u);
}

void slot_put(struct cluster_lane *c, struct unit u)
{
	struct slot *s = &c->slots[u.slot];
	struct slot_wait *w = &c->waits[u.slot];
	bool fenced = u.flags & UNIT_FENCED;
	if (s->state == SLOT_OPEN && !fenced) {
		unit_fly(c, s->outlet, u);
	} else if (s->state == SLOT_OPEN && !s->flying) {
		fence_fly(c, s->outlet, u);
	} else {
		s->state = SLOT_SHUT;
		queue_append(c, &w->first, &w->last, u);
		if (!s->flying)
			slot_next(c, u.slot);
	}
}

static size_t unit_len(const struct cluster_lane *c, const struct unit *u)
{
	const struct batch *b = unit_batch(c, u);
	unsigned end = u->item + u->n_items;
	return (end < b->n_items ? b->items[end].at : b->len) - b->items[u->item].at;
}

// One transaction of all that has gathered, as far as is good for one.
static void group_fly(struct cluster_lane *c, unsigned slot, uint8_t outlet)
{
	struct slot_wait *w = &c->waits[slot];
	struct outlet *o = c->outlets[outlet];
	size_t len = 0;
	unsigned n = 0;
	do {
		struct unit u = queue_pop(c, w);
		len += unit_len(c, &u);
		u.flags |= UNIT_MORE;
		fence_fly(c, outlet, u);
		n++;
	} while (w->first != NOBODY && is_of_batch(&c->pool[w->first].unit) && n < GROUP_UNITS &&
		 len < GROUP_LEN);
	o->units[(o->tail - 1) % UNITS_MAX].flags &= (uint8_t)~UNIT_MORE;
}

static void alone_fly(struct cluster_lane *c, unsigned slot, uint8_t outlet, bool asking)
{
	struct unit u = queue_pop(c, &c->waits[slot]);
	u.flags |= asking ? UNIT_ASKING : 0;
	if (u.flags & UNIT_FENCED)
		fence_fly(c, outlet, u);
	else
		unit_fly(c, outlet, u);
}

static void flow(struct cluster_lane *c, unsigned slot, uint8_t outlet)
{
	struct slot_wait *w = &c->waits[slot];
	const struct unit *u = &c->pool[w->first].unit;
	if (u->flags & UNIT_FENCED) {
		group_fly(c, slot, outlet);
		return;
	}
	while (w->first != NOBODY && !(c->pool[w->first].unit.flags & UNIT_FENCED))
		unit_fly(c, outlet, queue_pop(c, w));
	if (w->first == NOBODY)
		c->slots[slot].state = SLOT_OPEN;
}

static void slot_pause(struct cluster_lane *c, unsigned slot, uint64_t most_ns)
{
	struct slot_wait *w = &c->waits[slot];
	uint64_t pause = PAUSE_FIRST_NS << (w->n_tries < 7 ? w->n_tries : 7);
	pause = pause < most_ns ? pause : most_ns;
	w->n_tries += w->n_tries < UINT8_MAX;
	w->retry_at_ns = c->lane->now.mono_ns + pause;
	if (w->retry_at_ns < c->next_retry_ns)
		c->next_retry_ns = w->retry_at_ns;
	if (!w->listed)
		c->paused[c->n_paused++] = (uint16_t)slot;
	w->listed = true;
}

static void owner_refresh(struct cluster_lane *c, unsigned slot)
{
	uint16_t node = slot < SLOT_COUNT ? c->map->owner[slot] : CLUSTER_NONE;
	uint8_t outlet = node == CLUSTER_NONE ? OUTLET_NONE : map_outlet(c, node);
	if (outlet == OUTLET_NONE || c->slots[slot].outlet == outlet)
		return;
	c->slots[slot].outlet = outlet;
	c->owners_changed = true;
}

void slot_next(struct cluster_lane *c, unsigned slot)
{
	struct slot *s = &c->slots[slot];
	struct slot_wait *w = &c->waits[slot];
	if (w->retry_at_ns || s->flying || s->state == SLOT_OPEN)
		return;
	uint8_t to = w->mode == MODE_ASK ? w->to : s->outlet;
	if (to == OUTLET_NONE || !outlet_is_ready(c->outlets[to])) {
		if (w->mode == MODE_ASK) {
			w->mode = MODE_ALONE;
			slot_pause(c, slot, MOVING_MAX_NS);
		}
		return;
	}
	if (w->n_look) {
		struct unit look = {.slot = (uint16_t)slot, .kind = UNIT_LOOK};
		look.flags = w->mode == MODE_ASK ? UNIT_ASKING : 0;
		unit_fly(c, to, look);
	} else if (w->first == NOBODY) {
		w->mode = MODE_FLOW;
		s->state = SLOT_OPEN;
	} else if (w->mode == MODE_FLOW) {
		flow(c, slot, to);
	} else {
		alone_fly(c, slot, to, w->mode == MODE_ASK);
	}
}

// ---- Coming back

void slot_refuse(struct cluster_lane *c, unsigned slot, enum slot_why why, uint8_t to)
{
	struct slot_wait *w = &c->waits[slot];
	c->slots[slot].state = SLOT_SHUT;
	w->asked |= why == WHY_ASK;
	if (w->why != WHY_NONE && why != WHY_MOVED)
		return; // the first one goes first, and its answer tells where
	w->why = (uint8_t)why;
	w->to = to;
}

// It was refused: how does it go on?
static void refused_settle(struct cluster_lane *c, unsigned slot)
{
	struct slot_wait *w = &c->waits[slot];
	enum slot_why why = w->why;
	bool was_asked = w->mode == MODE_ASK;
	w->why = WHY_NONE;
	w->n_straight = 0;
	w->mode = MODE_ALONE;
	switch (why) {
	case WHY_MOVED:
		w->asked = false;
		w->mode = w->to == OUTLET_NONE ? MODE_ALONE : MODE_FLOW;
		if (w->to != OUTLET_NONE)
			c->slots[slot].outlet = w->to;
		c->owners_changed = true;
		// A slot that two nodes send to each other is not tried without a pause.
		if (w->to == OUTLET_NONE || was_asked || ++w->n_tries > 2)
			slot_pause(c, slot, MOVING_MAX_NS);
		break;
	case WHY_ASK:
		w->asked = true;
		w->mode = MODE_ASK;
		if (w->to == OUTLET_NONE || was_asked) {
			w->mode = MODE_ALONE;
			slot_pause(c, slot, MOVING_MAX_NS);
		}
		break;
	default:
		slot_pause(c, slot, w->asked ? MOVING_MAX_NS : PAUSE_MAX_NS);
	}
	if (!w->since_ns)
		w->since_ns = c->lane->now.mono_ns;
}

// All that was on its way is back.
static void slot_settle(struct cluster_lane *c, unsigned slot)
{
	struct slot_wait *w = &c->waits[slot];
	bool refused = w->why != WHY_NONE;
	back_join(c, w);
	if (refused) {
		refused_settle(c, slot);
	} else {
		bool straight = w->mode == MODE_ALONE;
		w->since_ns = 0;
		w->n_tries = 0;
		w->n_straight = straight ? w->n_straight + 1 : 0;
		if (w->mode == MODE_ASK)
			w->mode = MODE_ALONE;
		else if (!w->asked || w->n_straight >= STRAIGHT_ENOUGH)
			w->mode = MODE_FLOW;
		w->asked &= w->mode == MODE_ALONE;
	}
	slot_next(c, slot);
}

void slot_back(struct cluster_lane *c, struct unit u, bool taken)
{
	struct slot *s = &c->slots[u.slot];
	struct slot_wait *w = &c->waits[u.slot];
	s->flying--;
	if (taken && w->why == WHY_NONE) {
		if (is_of_batch(&u))
			unit_done(c, &u);
	} else if (u.kind != UNIT_LOOK) { // that is asked anew while n_look stands
		u.flags = (u.flags & UNIT_FENCED) | UNIT_AGAIN;
		queue_append(c, &w->back_first, &w->back_last, u);
	}
	if (!s->flying && s->state == SLOT_SHUT)
		slot_settle(c, u.slot);
}

// ---- Transactions of which nobody knows

void slot_look_held(struct cluster_lane *c, unsigned slot)
{
	struct slot_wait *w = &c->waits[slot];
	for (; w->n_look; w->n_look--) {
		struct unit u = queue_pop(c, w);
		unit_done(c, &u);
	}
	counter_add(&c->lane->counters->skipped_batches, 1);
}

// ---- Outlets

void slots_of_outlet_ready(struct cluster_lane *c, struct outlet *o)
{
	for (unsigned s = 0; s < SLOTS_ALL; s++)
		if (c->slots[s].outlet == o->index && c->slots[s].state == SLOT_SHUT)
			slot_next(c, s);
}

static bool is_of_slot(const struct unit *u)
{
	return u->kind <= UNIT_EPOCH_DRAW;
}

// Units that were on their way wait again, in front of the others.
static void flying_return(struct cluster_lane *c, struct outlet *o)
{
	for (uint32_t i = o->tail; i != o->head;) {
		struct unit u = o->units[--i % UNITS_MAX];
		if (!is_of_slot(&u))
			continue;
		bool begun = (int32_t)(i - o->staged) < 0;
		struct slot_wait *w = &c->waits[u.slot];
		c->slots[u.slot].state = SLOT_SHUT;
		c->slots[u.slot].flying = 0;
		if (u.kind == UNIT_LOOK)
			continue;
		if (begun && u.flags & UNIT_MARKED)
			w->n_look++;
		u.flags = (u.flags & UNIT_FENCED) | (begun ? UNIT_AGAIN : u.flags & UNIT_AGAIN);
		queue_prepend(c, w, u);
	}
}

void slots_of_outlet_lost(struct cluster_lane *c, struct outlet *o)
{
	flying_return(c, o);
	for (uint32_t i = o->head; i != o->tail; i++) {
		const struct unit *u = &o->units[i % UNITS_MAX];
		if (!is_of_slot(u))
			continue;
		struct slot_wait *w = &c->waits[u->slot];
		back_join(c, w);
		w->why = WHY_NONE;
		w->mode = w->mode == MODE_ASK ? MODE_ALONE : w->mode;
	}
	for (unsigned s = 0; s < SLOTS_ALL; s++)
		if (c->slots[s].outlet == o->index)
			c->slots[s].state = SLOT_SHUT;
	for (uint32_t i = o->head; i != o->tail; i++) {
		const struct unit *u = &o->units[i % UNITS_MAX];
		if (is_of_slot(u) && !c->slots[u->slot].flying) {
			owner_refresh(c, u->slot);
			slot_next(c, u->slot);
		}
	}
	o->head = o->staged = o->tail = 0;
	c->every_refused |= o->every_flies;
	o->claim_flies = o->every_flies = false;
	o->n_kills = 0;
}

// ---- Owners

void slot_own(struct cluster_lane *c, unsigned slot, uint8_t outlet)
{
	struct slot *s = &c->slots[slot];
	if (s->outlet == outlet || s->flying)
		return; // MOVED will tell
	s->outlet = outlet;
	s->state = SLOT_SHUT;
	c->owners_changed = true;
	slot_next(c, slot);
}

// ---- Time

static bool slot_is_late(struct cluster_lane *c, unsigned slot)
{
	struct slot_wait *w = &c->waits[slot];
	return w->since_ns && wait_is_over(c, w->since_ns, "the target's cluster refuses");
}

void slots_turn(struct cluster_lane *c, uint64_t *deadline_ns)
{
	uint64_t now = c->lane->now.mono_ns;
	if (now >= c->next_retry_ns) {
		unsigned n = c->n_paused;
		c->n_paused = 0;
		c->next_retry_ns = NO_DEADLINE;
		for (unsigned i = 0; i < n; i++) {
			unsigned slot = c->paused[i];
			struct slot_wait *w = &c->waits[slot];
			if (w->retry_at_ns > now) {
				c->paused[c->n_paused++] = (uint16_t)slot;
				if (w->retry_at_ns < c->next_retry_ns)
					c->next_retry_ns = w->retry_at_ns;
				continue;
			}
			w->retry_at_ns = 0;
			w->listed = false;
			if (slot_is_late(c, slot))
				return;
			owner_refresh(c, slot);
			slot_next(c, slot);
		}
	}
	if (c->next_retry_ns < *deadline_ns)
		*deadline_ns = c->next_retry_ns;
}
