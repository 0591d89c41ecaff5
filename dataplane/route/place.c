// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/route/place.h"

#include <assert.h>
#include <string.h>

// Batches on their way up to which a part-filled one is handed over at once: enough to keep the
// target busy, few enough that batches grow when it falls behind.
#define EAGER_BATCHES 3

void place_init(struct place *p, const struct link_settings *settings, struct lane *lanes,
		unsigned n_lanes)
{
	memset(p, 0, sizeof(*p));
	p->settings = settings;
	p->n_lanes = n_lanes;
	for (unsigned i = 0; i < n_lanes; i++) {
		struct feed *f = &p->feeds[i];
		f->lane = &lanes[i];
		f->next_seq = 1;
		f->n_free = LANE_BATCHES;
		for (unsigned j = 0; j < LANE_BATCHES; j++)
			f->free[j] = LANE_BATCHES - 1 - j;
		unsigned first = slots_first(i, n_lanes), end = slots_first(i + 1, n_lanes);
		for (unsigned slot = first; slot < end; slot++)
			p->lane_of_slot[slot] = (uint8_t)i;
	}
}

// A batch is back, or was never handed over.
static void feed_take_back(struct place *p, struct feed *f, uint32_t handle)
{
	struct batch *b = &f->lane->pool[handle];
	p->files_len -= b->file ? b->file->len : 0;
	batch_release(b);
	f->free[f->n_free++] = handle;
}

void place_begin(struct place *p)
{
	for (unsigned i = 0; i < p->n_lanes; i++)
		p->feeds[i].held = 0;
}

static unsigned feed_collect(struct place *p, struct feed *f)
{
	unsigned n = 0;
	uint32_t handle;
	while (ring_pop(&f->lane->from_lane, &handle)) {
		assert(f->n_out && f->out[f->out_head % LANE_BATCHES] == handle);
		f->out_head++;
		f->n_out--;
		feed_take_back(p, f, handle);
		n++;
	}
	return n;
}

unsigned place_collect(struct place *p)
{
	unsigned n = 0;
	for (unsigned i = 0; i < p->n_lanes; i++)
		n += feed_collect(p, &p->feeds[i]);
	return n;
}

struct batch *place_open(struct place *p, unsigned lane, uint64_t offset, uint64_t received_ns,
			 bool framed)
{
	struct feed *f = &p->feeds[lane];
	if (f->open && (f->open->framed == framed || f->open->n_items == 0)) {
		f->open->framed = framed;
		return f->open;
	}
	if (f->open)
		place_close(p, lane, offset, 0);
	if (!f->n_free)
		return NULL;
	f->open_handle = f->free[--f->n_free];
	f->open = &f->lane->pool[f->open_handle];
	batch_reset(f->open, f->next_seq++, offset, framed);
	f->open->received_ns = received_ns;
	return f->open;
}

void place_give_file(struct place *p, unsigned lane, struct memory_file *file)
{
	struct batch *b = p->feeds[lane].open;
	if (b->file == file)
		return;
	assert(!b->file);
	b->file = file;
	file->n_holders++;
	p->files_len += file->len;
}

void place_close(struct place *p, unsigned lane, uint64_t end, int32_t db)
{
	struct feed *f = &p->feeds[lane];
	struct batch *b = f->open;
	b->end = end;
	b->marker = p->marker;
	b->marker.offset = end > f->held ? end : f->held;
	b->marker.db = end > f->held ? db : f->held_db;
	b->after_mask |= f->after_mask;
	for (unsigned i = 0; i < p->n_lanes; i++)
		if (f->after_mask & 1u << i && f->after[i] > b->after[i])
			b->after[i] = f->after[i];
	f->after_mask = 0;
	f->closed_seq = b->seq;
	if (b->framed) {
		f->marked_offset = end;
		f->marked = true;
	}
	f->out[(f->out_head + f->n_out++) % LANE_BATCHES] = f->open_handle;
	f->open = NULL;
	lane_push(f->lane, f->open_handle);
}

// `f` shall not send what comes next before batch `seq` of lane `other` is answered.
static void feed_after(struct feed *f, unsigned other, uint64_t seq)
{
	if (!(f->after_mask & 1u << other) || f->after[other] < seq)
		f->after[other] = seq;
	f->after_mask |= 1u << other;
}

// What the next batch of `other` would have to wait for has to come before `f` as well, though no
// batch of `other` stands for it yet.
static void feed_inherit(struct feed *f, unsigned lane, const struct feed *other)
{
	for (unsigned i = 0; i < LANES_MAX; i++)
		if (other->after_mask & 1u << i && i != lane)
			feed_after(f, i, other->after[i]);
}

void place_join(struct place *p, unsigned lane, uint32_t mask, uint64_t begin, int32_t db)
{
	struct feed *f = &p->feeds[lane];
	for (unsigned i = 0; i < p->n_lanes; i++) {
		struct feed *other = &p->feeds[i];
		if (i == lane || !(mask & 1u << i))
			continue;
		if (other->open)
			place_close(p, i, begin, db);
		feed_inherit(f, lane, other);
		feed_after(f, i, other->closed_seq);
		feed_after(other, lane, f->open->seq);
	}
}

// A lane that waits for its target is shown more, while there are batches: a delete among it may be
// what the target waits for.
static bool feed_is_eager(const struct feed *f)
{
	if (f->n_out < EAGER_BATCHES)
		return true;
	const struct lane *l = f->lane;
	return f->n_free > LANE_BATCHES / 2 &&
	       atomic_load_explicit(&l->wait_deadline_ms, memory_order_relaxed) &&
	       atomic_load_explicit(&l->state, memory_order_relaxed) == LANE_READY;
}

void place_flush(struct place *p, uint64_t end, int32_t db, bool all, uint32_t except)
{
	for (unsigned i = 0; i < p->n_lanes; i++) {
		struct feed *f = &p->feeds[i];
		if (f->open && f->open->n_items && (all || feed_is_eager(f)) &&
		    !(except & 1u << i))
			place_close(p, i, end, db);
	}
}

static bool feed_wants_marker(const struct feed *f, uint64_t end)
{
	return !f->open && (!f->marked || f->marked_offset < end);
}

void place_touch(struct place *p, uint64_t end, int32_t db)
{
	if (p->settings->delivery != DELIVERY_EXACTLY_ONCE)
		return;
	for (unsigned i = 0; i < p->n_lanes; i++)
		if (feed_wants_marker(&p->feeds[i], end) && place_open(p, i, end, 0, true))
			place_close(p, i, end, db);
}

uint64_t place_frontier(const struct place *p, uint64_t routed)
{
	uint64_t frontier = routed;
	for (unsigned i = 0; i < p->n_lanes; i++) {
		const struct feed *f = &p->feeds[i];
		const struct batch *oldest =
			f->n_out ? &f->lane->pool[f->out[f->out_head % LANE_BATCHES]] : f->open;
		if (oldest && oldest->begin < frontier)
			frontier = oldest->begin;
		// What no marker of a cluster tells would have to be read again.
		uint64_t low = f->lane->cluster
				       ? atomic_load_explicit(&f->lane->low, memory_order_acquire)
				       : UINT64_MAX;
		frontier = low < frontier ? low : frontier;
	}
	return frontier;
}

bool place_is_idle(const struct place *p)
{
	for (unsigned i = 0; i < p->n_lanes; i++)
		if (p->feeds[i].open || p->feeds[i].n_out)
			return false;
	return true;
}

void place_discard(struct place *p)
{
	for (unsigned i = 0; i < p->n_lanes; i++) {
		struct feed *f = &p->feeds[i];
		uint32_t handle;
		while (ring_pop(&f->lane->from_lane, &handle))
			feed_take_back(p, f, handle);
		if (f->open)
			feed_take_back(p, f, f->open_handle);
		f->open = NULL;
		f->n_out = 0;
		f->after_mask = 0;
		f->closed_seq = f->marked_offset = 0;
		f->marked = false;
		f->held = 0;
		assert(f->n_free == LANE_BATCHES);
	}
}
