// SPDX-License-Identifier: BSD-3-Clause
// The front of the log, in memory.
#include "dataplane/log/log.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/log/log_disk.h"

// The small ring fits into a second-level cache; a window that is hardly larger needs none.
#define SMALL_RING_LEN   (1024 * 1024)
#define SMALL_RING_BELOW (8 * SMALL_RING_LEN)

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

int log_init(struct log *l, const struct log_config *config, char *text)
{
	memset(l, 0, sizeof(*l));
	text[0] = 0;
	l->keep_from = UINT64_MAX;
	int rc = memory_ring_init(&l->rings[LOG_RING_LARGE], config->window_len);
	size_t small = config->small_len;
	if (!small && config->window_len >= SMALL_RING_BELOW)
		small = SMALL_RING_LEN;
	assert(small <= config->window_len / 4);
	if (!rc && small) {
		rc = memory_ring_init(&l->rings[LOG_RING_SMALL], small);
		l->active = LOG_RING_SMALL;
	}
	if (rc)
		snprintf(text, LOG_TEXT_LEN, "no memory for a window of %zu bytes: %s",
			 config->window_len, strerror(-rc));
	else if (config->folder && config->disk_limit)
		rc = log_disk_new(l, config, text);
	if (rc)
		log_fini(l);
	return rc;
}

void log_fini(struct log *l)
{
	if (l->disk)
		log_disk_free(l->disk);
	l->disk = NULL;
	memory_ring_fini(&l->rings[LOG_RING_LARGE]);
	memory_ring_fini(&l->rings[LOG_RING_SMALL]);
}

// ---- Where bytes lie

static char *place_of(const struct log *l, enum log_ring ring, uint64_t offset)
{
	const struct memory_ring *r = &l->rings[ring];
	bool is_power = !(r->size & (r->size - 1)); // of two, as usual: no division then
	return r->base + (is_power ? offset & (r->size - 1) : offset % r->size);
}

// What the front holds must fit the large ring even while the small one takes it: it may go there.
static size_t front_room(const struct log *l)
{
	size_t small =
		l->rings[l->active].size - (size_t)(l->end - max_u64(l->head, l->moved_at));
	size_t whole = l->rings[LOG_RING_LARGE].size - (size_t)(l->end - l->head);
	return small < whole ? small : whole;
}

size_t log_front_room(const struct log *l)
{
	return front_room(l);
}

void log_front_begin(struct log *l, uint64_t offset)
{
	l->active = l->rings[LOG_RING_SMALL].size ? LOG_RING_SMALL : LOG_RING_LARGE;
	l->head = l->end = l->moved_at = l->since[0] = l->since[1] = l->left_at = offset;
	l->lent_until = offset;
	l->stamp_first = l->n_stamps = 0;
}

static void cursors_put(struct log *l, uint64_t offset)
{
	for (unsigned i = 0; i < l->n_cursors; i++)
		l->cursors[i] = offset;
	l->slowest = l->released = offset;
}

void log_reset(struct log *l, const char *replid, uint64_t offset)
{
	log_front_begin(l, offset);
	l->tail = offset;
	cursors_put(l, offset);
	if (l->disk)
		log_disk_reset(l->disk, replid);
}

void log_release_memory(struct log *l)
{
	log_front_begin(l, l->tail);
	cursors_put(l, l->tail);
	if (l->disk)
		log_disk_reset(l->disk, NULL);
	memory_ring_clear(&l->rings[LOG_RING_LARGE]);
	if (l->rings[LOG_RING_SMALL].size)
		memory_ring_clear(&l->rings[LOG_RING_SMALL]);
}

// The small ring is full: what it holds is copied, and stays where it is as well, for those who
// look at it there.
static void move_to_large(struct log *l)
{
	uint64_t from = max_u64(l->head, l->moved_at);
	memcpy(place_of(l, LOG_RING_LARGE, from), place_of(l, LOG_RING_SMALL, from),
	       l->end - from);
	if (from > l->left_at)
		l->since[LOG_RING_LARGE] = from;
	l->moved_at = l->since[LOG_RING_LARGE];
	l->lent_until = l->end;
	l->active = LOG_RING_LARGE;
}

void log_front_widen(struct log *l)
{
	if (l->active == LOG_RING_SMALL)
		move_to_large(l);
}

void log_settle(struct log *l, uint64_t whole)
{
	size_t small = l->rings[LOG_RING_SMALL].size;
	if (l->active != LOG_RING_LARGE || !small)
		return;
	if (l->end - l->head >= small / 4 || log_disk_is_seeking(l->disk) ||
	    l->head < l->lent_until || whole < l->head)
		return;
	memcpy(place_of(l, LOG_RING_SMALL, whole), place_of(l, LOG_RING_LARGE, whole),
	       l->end - whole);
	l->active = LOG_RING_SMALL;
	l->moved_at = l->since[LOG_RING_SMALL] = whole;
	l->left_at = l->end;
}

const char *log_front_raw(const struct log *l, uint64_t offset, size_t *len)
{
	bool here = offset >= l->moved_at;
	*len = (size_t)((here ? l->tail : l->moved_at) - offset);
	return place_of(l, here ? l->active : LOG_RING_LARGE, offset);
}

const char *log_view(const struct log *l, uint64_t offset, size_t *len)
{
	assert(offset >= l->head && offset <= l->end);
	bool here = offset >= l->moved_at;
	uint64_t end = here || l->moved_at > l->end ? l->end : l->moved_at;
	*len = (size_t)(end - offset);
	return place_of(l, here ? l->active : LOG_RING_LARGE, offset);
}

uint64_t log_front_oldest(const struct log *l)
{
	const struct memory_ring *large = &l->rings[LOG_RING_LARGE];
	if (log_disk_is_seeking(l->disk))
		return l->end;
	uint64_t size = l->rings[l->active].size;
	uint64_t here = max_u64(l->since[l->active], l->end > size ? l->end - size : 0);
	if (l->active == LOG_RING_LARGE || here > l->moved_at)
		return here;
	return max_u64(l->since[LOG_RING_LARGE],
		       l->left_at > large->size ? l->left_at - large->size : 0);
}

bool log_is_stuffed(const struct log *l)
{
	return l->active == LOG_RING_LARGE && !front_room(l);
}

// ---- Cursors

unsigned log_cursor_add(struct log *l)
{
	assert(l->n_cursors < LOG_CURSORS_MAX);
	l->cursors[l->n_cursors] = l->head;
	if (!l->n_cursors)
		l->slowest = l->head;
	return l->n_cursors++;
}

static struct log_stamp *stamp(const struct log *l, unsigned i)
{
	return (struct log_stamp *)&l->stamps[(l->stamp_first + i) % LOG_STAMPS];
}

// Keep the newest stamp at or before the slowest cursor: it tells the age of the oldest byte that
// is needed, wherever that is kept.
static void stamps_trim(struct log *l)
{
	while (l->n_stamps > 1 && stamp(l, 1)->offset <= l->slowest) {
		l->stamp_first = (l->stamp_first + 1) % LOG_STAMPS;
		l->n_stamps--;
	}
}

void log_head_update(struct log *l)
{
	uint64_t head = max_u64(l->slowest, l->released);
	if (head > l->keep_from)
		head = l->keep_from;
	if (head > l->head)
		l->head = head;
	stamps_trim(l);
}

void log_cursor_set(struct log *l, unsigned cursor, uint64_t offset)
{
	assert(offset >= l->cursors[cursor] && offset <= l->end);
	l->cursors[cursor] = offset;
	uint64_t slowest = l->end;
	for (unsigned i = 0; i < l->n_cursors; i++)
		if (l->cursors[i] < slowest)
			slowest = l->cursors[i];
	l->slowest = slowest;
	log_head_update(l);
}

void log_release(struct log *l, uint64_t offset)
{
	assert(offset <= l->end);
	l->released = max_u64(l->released, offset);
	log_head_update(l);
}

// ---- Bytes

char *log_space(struct log *l, size_t *len)
{
	if (l->end == l->tail && !l->shut) {
		*len = front_room(l);
		if (!*len && l->active == LOG_RING_SMALL) {
			move_to_large(l);
			*len = front_room(l);
		}
		if (*len || !log_disk_may_write(l->disk))
			return place_of(l, l->active, l->end);
	}
	*len = 0;
	return l->shut ? NULL : spill_space(l->disk, len);
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

void log_stamp_push(struct log *l, uint64_t offset, uint64_t mono_ns, uint64_t wall_ms)
{
	if (l->n_stamps == LOG_STAMPS)
		stamps_thin(l);
	*stamp(l, l->n_stamps++) = (struct log_stamp){offset, mono_ns, wall_ms};
}

void log_received(struct log *l, size_t len, uint64_t mono_ns, uint64_t wall_ms)
{
	size_t room = front_room(l);
	if (l->end < l->tail || (!room && l->disk)) {
		spill_received(l->disk, len, wall_ms);
		return;
	}
	assert(len <= room);
	log_stamp_push(l, l->tail, mono_ns, wall_ms);
	l->end = l->tail += len;
}

size_t log_append(struct log *l, const char *p, size_t len, uint64_t mono_ns, uint64_t wall_ms)
{
	size_t done = 0, space;
	while (done < len) {
		char *to = log_space(l, &space);
		if (!space)
			break;
		size_t n = len - done < space ? len - done : space;
		memcpy(to, p + done, n);
		log_received(l, n, mono_ns, wall_ms);
		done += n;
	}
	return done;
}

void log_front_put(struct log *l, const char *p, size_t len)
{
	memcpy(place_of(l, l->active, l->end), p, len);
	l->end += len;
}

// ---- Times

// The newest stamp at or before an offset, or the first one.
static unsigned stamp_find(const struct log *l, uint64_t offset)
{
	unsigned low = 0, high = l->n_stamps;
	while (high - low > 1) {
		unsigned middle = (low + high) / 2;
		if (stamp(l, middle)->offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

struct log_stamp log_stamp_at(const struct log *l, uint64_t offset)
{
	return l->n_stamps ? *stamp(l, stamp_find(l, offset))
			   : (struct log_stamp){.offset = offset};
}

void log_stamps_copy(const struct log *l, struct record_header *h, uint64_t from, uint64_t to)
{
	for (unsigned i = stamp_find(l, from); i < l->n_stamps && stamp(l, i)->offset < to; i++) {
		uint64_t at = max_u64(stamp(l, i)->offset, from);
		record_stamp_add(h, (uint32_t)(at - h->first), stamp(l, i)->wall_ms);
	}
}

// ---- Places

int log_seek(struct log *l, uint64_t offset)
{
	if (offset >= log_front_oldest(l) && offset <= l->end) {
		l->head = offset < l->keep_from ? offset : l->keep_from;
		cursors_put(l, offset);
		if (l->disk)
			log_disk_sought(l->disk);
		return 0;
	}
	if (!l->disk || offset > l->tail || log_disk_seek(l->disk, offset))
		return -ENOENT;
	cursors_put(l, offset);
	return 0;
}

uint64_t log_oldest(const struct log *l)
{
	uint64_t front = log_front_oldest(l), disk = l->disk ? log_disk_oldest(l->disk) : front;
	return disk < front ? disk : front;
}
