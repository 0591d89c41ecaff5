// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/log/log.h"

#include <assert.h>
#include <string.h>

// The small ring fits into a second-level cache; a window that is hardly larger needs none.
#define SMALL_RING_LEN   (1024 * 1024)
#define SMALL_RING_BELOW (8 * SMALL_RING_LEN)
#define NEARLY_EMPTY_LEN (SMALL_RING_LEN / 4)

int log_init(struct log *l, size_t window_len)
{
	memset(l, 0, sizeof(*l));
	int rc = memory_ring_init(&l->rings[LOG_RING_LARGE], window_len);
	if (!rc && window_len >= SMALL_RING_BELOW) {
		rc = memory_ring_init(&l->rings[LOG_RING_SMALL], SMALL_RING_LEN);
		l->active = LOG_RING_SMALL;
	}
	return rc;
}

void log_fini(struct log *l)
{
	memory_ring_fini(&l->rings[LOG_RING_LARGE]);
	memory_ring_fini(&l->rings[LOG_RING_SMALL]);
}

void log_reset(struct log *l, uint64_t offset)
{
	l->head = l->tail = l->moved_at = l->released = offset;
	for (unsigned i = 0; i < l->n_cursors; i++)
		l->cursors[i] = offset;
	l->stamp_first = l->n_stamps = 0;
}

void log_release_memory(struct log *l)
{
	log_reset(l, l->tail);
	memory_ring_clear(&l->rings[LOG_RING_LARGE]);
	if (l->rings[LOG_RING_SMALL].size)
		memory_ring_clear(&l->rings[LOG_RING_SMALL]);
}

unsigned log_cursor_add(struct log *l)
{
	assert(l->n_cursors < LOG_CURSORS_MAX);
	l->cursors[l->n_cursors] = l->head;
	return l->n_cursors++;
}

static struct log_stamp *stamp(const struct log *l, unsigned i)
{
	return (struct log_stamp *)&l->stamps[(l->stamp_first + i) % LOG_STAMPS];
}

// Keep the newest stamp at or before the slowest cursor: it tells the age of what waits longest.
static void stamps_trim(struct log *l, uint64_t slowest)
{
	while (l->n_stamps > 1 && stamp(l, 1)->offset <= slowest) {
		l->stamp_first = (l->stamp_first + 1) % LOG_STAMPS;
		l->n_stamps--;
	}
}

void log_cursor_set(struct log *l, unsigned cursor, uint64_t offset)
{
	assert(offset >= l->cursors[cursor] && offset <= l->tail);
	l->cursors[cursor] = offset;
	uint64_t slowest = l->tail;
	for (unsigned i = 0; i < l->n_cursors; i++)
		if (l->cursors[i] < slowest)
			slowest = l->cursors[i];
	l->head = slowest > l->released ? slowest : l->released;
	stamps_trim(l, slowest);
}

void log_release(struct log *l, uint64_t offset)
{
	assert(offset <= l->tail);
	if (offset > l->released)
		l->released = offset;
	if (offset > l->head)
		l->head = offset;
}

static char *place_of(const struct log *l, enum log_ring ring, uint64_t offset)
{
	const struct memory_ring *r = &l->rings[ring];
	bool is_power = !(r->size & (r->size - 1)); // of two, as usual: no division then
	return r->base + (is_power ? offset & (r->size - 1) : offset % r->size);
}

char *log_space(struct log *l, size_t *len)
{
	uint64_t oldest = l->head > l->moved_at ? l->head : l->moved_at;
	*len = l->rings[l->active].size - (size_t)(l->tail - oldest);
	return place_of(l, l->active, l->tail);
}

static void log_move(struct log *l, enum log_ring to, uint64_t whole)
{
	memcpy(place_of(l, to, whole), place_of(l, l->active, whole), l->tail - whole);
	l->active = to;
	l->moved_at = whole;
}

void log_settle(struct log *l, uint64_t whole)
{
	size_t space;
	// The other ring must be free of older bytes, and so must this one's part be what moves.
	if (!l->rings[LOG_RING_SMALL].size || l->head < l->moved_at || whole < l->moved_at)
		return;
	log_space(l, &space);
	if (l->active == LOG_RING_SMALL && !space)
		log_move(l, LOG_RING_LARGE, whole);
	else if (l->active == LOG_RING_LARGE && l->tail - l->head < NEARLY_EMPTY_LEN)
		log_move(l, LOG_RING_SMALL, whole);
}

// When the ring of stamps is full, every other one goes: times become coarser, never wrong by more
// than the distance to the stamp before.
static void stamps_thin(struct log *l)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < l->n_stamps; i += 2)
		*stamp(l, kept++) = *stamp(l, i);
	l->n_stamps = kept;
}

void log_received(struct log *l, size_t len, uint64_t mono_ns, uint64_t wall_ms)
{
	assert(len <= l->rings[l->active].size);
	if (l->n_stamps == LOG_STAMPS)
		stamps_thin(l);
	*stamp(l, l->n_stamps++) = (struct log_stamp){l->tail, mono_ns, wall_ms};
	l->tail += len;
}

const char *log_view(const struct log *l, uint64_t offset, size_t *len)
{
	assert(offset >= l->head && offset <= l->tail);
	bool here = offset >= l->moved_at;
	*len = (size_t)((here ? l->tail : l->moved_at) - offset);
	return place_of(l, here ? l->active : !l->active, offset);
}

struct log_stamp log_stamp_at(const struct log *l, uint64_t offset)
{
	unsigned low = 0, high = l->n_stamps;
	while (high - low > 1) {
		unsigned middle = (low + high) / 2;
		if (stamp(l, middle)->offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return l->n_stamps ? *stamp(l, low) : (struct log_stamp){.offset = offset};
}
