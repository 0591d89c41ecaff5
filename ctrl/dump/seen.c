// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/dump/seen.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM_MIN 4096

static bool is_free(const XXH128_hash_t *h)
{
	return h->low64 == 0 && h->high64 == 0;
}

// Where the hash is, or would go.
static XXH128_hash_t *place_find(const struct seen *s, XXH128_hash_t h)
{
	size_t at = h.low64 & (s->room - 1);
	while (!is_free(&s->table[at]) && !XXH128_isEqual(s->table[at], h))
		at = (at + 1) & (s->room - 1);
	return &s->table[at];
}

static int room_make(struct seen *s)
{
	struct seen wider = {.n = s->n, .room = s->room ? 2 * s->room : ROOM_MIN};
	if (s->n < s->room / 4 * 3)
		return 0;
	wider.table = calloc(wider.room, sizeof(*wider.table));
	if (!wider.table)
		return -ENOMEM;
	for (size_t i = 0; i < s->room; i++)
		if (!is_free(&s->table[i]))
			*place_find(&wider, s->table[i]) = s->table[i];
	free(s->table);
	*s = wider;
	return 0;
}

int seen_add(struct seen *s, struct span key)
{
	XXH128_hash_t h = XXH3_128bits(key.p, key.len);
	h.high64 |= h.low64 == 0; // zero means free
	if (room_make(s))
		return -ENOMEM;
	XXH128_hash_t *place = place_find(s, h);
	if (!is_free(place))
		return 0;
	*place = h;
	s->n++;
	return 1;
}

void seen_clear(struct seen *s)
{
	free(s->table);
	*s = (struct seen){0};
}
