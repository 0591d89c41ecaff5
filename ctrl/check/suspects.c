// SPDX-License-Identifier: BSD-3-Clause
// suspects_again() -> doubles_drop() -> portion_compare() -> portion_is_still() |
// subjects_compare(), then only what still differs stays
#include "ctrl/check/suspects.h"

#include <errno.h>
#include <stdlib.h>

// @return 0 or -ENOMEM
static int room_make(struct suspects *s, size_t key_len)
{
	if (s->n == s->room) {
		unsigned room = s->room ? s->room * 2 : 256;
		struct suspect *list = realloc(s->list, room * sizeof(*list));
		if (!list)
			return -ENOMEM;
		s->list = list;
		s->room = room;
	}
	if (s->keys_len + key_len <= s->keys_room)
		return 0;
	size_t room = (s->keys_len + key_len) * 2;
	char *keys = realloc(s->keys, room);
	if (!keys)
		return -ENOMEM;
	s->keys = keys;
	s->keys_room = room;
	return 0;
}

int suspects_add(struct suspects *s, const int db[2], struct span key, enum difference d)
{
	if (room_make(s, key.len))
		return -ENOMEM;
	if (key.len)
		memcpy(s->keys + s->keys_len, key.p, key.len);
	s->list[s->n++] =
		(struct suspect){{db[0], db[1]}, d, (uint32_t)key.len, (uint64_t)s->keys_len};
	s->keys_len += key.len;
	return 0;
}

bool suspects_full(const struct suspects *s)
{
	return s->n * sizeof(*s->list) + s->keys_len >= SUSPECTS_BYTES_MAX;
}

struct span suspect_key(const struct suspects *s, const struct suspect *one)
{
	return (struct span){s->keys ? s->keys + one->key_at : "", one->key_len};
}

// By database, then by name.
static int suspect_order(const void *pa, const void *pb, void *arg)
{
	const struct suspect *a = pa, *b = pb;
	if (a->db[SOURCE] != b->db[SOURCE])
		return a->db[SOURCE] < b->db[SOURCE] ? -1 : 1;
	struct span x = suspect_key(arg, a), y = suspect_key(arg, b);
	int order = memcmp(x.p, y.p, x.len < y.len ? x.len : y.len);
	return order ? order : (x.len > y.len) - (x.len < y.len);
}

// A scan may name a key twice.
static void doubles_drop(struct suspects *s)
{
	unsigned kept = 0;
	if (s->n)
		qsort_r(s->list, s->n, sizeof(*s->list), suspect_order, s);
	for (unsigned i = 0; i < s->n; i++)
		if (!kept || suspect_order(&s->list[kept - 1], &s->list[i], s))
			s->list[kept++] = s->list[i];
	s->n = kept;
}

// Whether keys that were all missing on one side are so still: one command a side counts them.
//
// @return 1 they are, 0 look at each, -1 failed
static int portion_is_still(const struct suspect *first, unsigned n, struct compare *c,
			    const struct subject *work)
{
	enum difference d = first->difference;
	for (unsigned i = 0; i < n; i++)
		if (first[i].difference != d || (d != DIFF_MISSING && d != DIFF_EXTRA))
			return 0;
	int64_t count[2];
	if (keys_count_in(c, work, n, count))
		return -1;
	enum side has = d == DIFF_MISSING ? SOURCE : TARGET;
	return count[has] == n && count[!has] == 0;
}

// As many as lie in one database, from one on. @return how many, 0 with a failure
static unsigned portion_compare(struct suspects *s, unsigned from, struct compare *c,
				struct subject *work)
{
	struct suspect *first = &s->list[from];
	unsigned n = 0;
	while (n < BATCH_KEYS && from + n < s->n && first[n].db[SOURCE] == first->db[SOURCE]) {
		work[n].key = suspect_key(s, &first[n]);
		n++;
	}
	if (pair_select(c->pair, first->db, c->failure))
		return 0;
	int still = portion_is_still(first, n, c, work);
	if (still > 0)
		return n;
	if (still < 0 || subjects_compare(c, work, n))
		return 0;
	for (unsigned i = 0; i < n; i++)
		first[i].difference = work[i].difference;
	return n;
}

int suspects_again(struct suspects *s, struct compare *c)
{
	struct subject *work = calloc(BATCH_KEYS, sizeof(*work));
	if (!work)
		return failure_set(c->failure, ERROR_MEMORY, "no memory to compare again");
	doubles_drop(s);
	unsigned n = 1;
	for (unsigned from = 0; from < s->n && n; from += n)
		n = portion_compare(s, from, c, work);
	free(work);
	if (n == 0)
		return -1;
	unsigned kept = 0;
	for (unsigned i = 0; i < s->n; i++)
		if (s->list[i].difference != DIFF_NONE)
			s->list[kept++] = s->list[i];
	s->n = kept;
	return 0;
}

void suspects_clear(struct suspects *s)
{
	s->n = 0;
	s->keys_len = 0;
}

void suspects_free(struct suspects *s)
{
	free(s->list);
	free(s->keys);
	*s = (struct suspects){0};
}
