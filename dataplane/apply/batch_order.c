// SPDX-License-Identifier: BSD-3-Clause
// Items of one batch in another order: what a transaction did to each slot of a cluster goes
// together.
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/apply/batch.h"

// Items and segments as they lay before, and where each item begins among these.
struct order_room {
	struct batch_item *items;
	struct span *segments;
	struct order_place {
		unsigned segment;
		size_t at;
	} * places;
	size_t len; // of all items
};

static void room_fini(struct order_room *room)
{
	free(room->items);
	free(room->segments);
	free(room->places);
}

// @param from     first item that moves
// @param segment  the one that it begins in
static int room_init(struct order_room *room, const struct batch *b, unsigned from,
		     unsigned segment)
{
	unsigned n = b->n_items - from, n_segments = b->n_segments - segment;
	*room = (struct order_room){
		.items = malloc(n * sizeof(*room->items)),
		.segments = malloc(n_segments * sizeof(*room->segments)),
		.places = malloc(n * sizeof(*room->places)),
		.len = b->len,
	};
	if (!room->items || !room->segments || !room->places) {
		room_fini(room);
		return -ENOMEM;
	}
	memcpy(room->items, b->items + from, n * sizeof(*room->items));
	memcpy(room->segments, b->segments + segment, n_segments * sizeof(*room->segments));
	return 0;
}

// @param begin  offset in the batch of the first of the room's segments
static void places_find(struct order_room *room, unsigned n, size_t begin)
{
	unsigned segment = 0;
	for (unsigned i = 0; i < n; i++) {
		while (room->items[i].at - begin >= room->segments[segment].len)
			begin += room->segments[segment++].len;
		room->places[i] = (struct order_place){segment, room->items[i].at - begin};
	}
}

static int item_move(struct batch *b, const struct order_room *room, unsigned i, unsigned n)
{
	size_t end = i + 1 < n ? room->items[i + 1].at : room->len;
	size_t left = end - room->items[i].at, at = room->places[i].at;
	b->items[b->n_items] = room->items[i];
	b->items[b->n_items++].at = b->len;
	for (unsigned s = room->places[i].segment; left; s++, at = 0) {
		struct span seg = room->segments[s];
		size_t len = seg.len - at < left ? seg.len - at : left;
		int rc = batch_refer(b, seg.p + at, len);
		if (rc)
			return rc;
		left -= len;
	}
	return 0;
}

int batch_reorder(struct batch *b, unsigned from, const uint32_t *order)
{
	struct order_room room;
	unsigned n = b->n_items - from, segment = 0;
	size_t begin = 0;
	assert(n);
	while (b->items[from].at - begin >= b->segments[segment].len)
		begin += b->segments[segment++].len;
	int rc = room_init(&room, b, from, segment);
	if (rc)
		return rc;
	places_find(&room, n, begin);
	b->n_items = from;
	b->n_segments = segment;
	b->len = begin;
	// What stands before the first item, in the segment that it begins in.
	rc = batch_refer(b, room.segments[0].p, room.items[0].at - begin);
	for (unsigned i = 0; i < n && !rc; i++)
		rc = item_move(b, &room, order[i], n);
	room_fini(&room);
	return rc;
}
