// SPDX-License-Identifier: BSD-3-Clause
// suspects_again() -> portion_compare(), then only what still differs stays
#include "ctrl/check/suspects.h"

#include <errno.h>
#include <stdlib.h>

int suspects_add(struct suspects *s, const int db[2], struct span key, enum difference d)
{
	if (s->n == s->room) {
		unsigned room = s->room ? s->room * 2 : 256;
		struct suspect *list = realloc(s->list, room * sizeof(*list));
		if (!list)
			return -ENOMEM;
		s->list = list;
		s->room = room;
	}
	char *copy = malloc(key.len + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, key.p, key.len);
	s->list[s->n++] = (struct suspect){{db[0], db[1]}, d, copy, key.len};
	return 0;
}

// By database, then by name.
static int suspect_order(const void *pa, const void *pb)
{
	const struct suspect *a = pa, *b = pb;
	if (a->db[SOURCE] != b->db[SOURCE])
		return a->db[SOURCE] < b->db[SOURCE] ? -1 : 1;
	size_t len = a->key_len < b->key_len ? a->key_len : b->key_len;
	int order = memcmp(a->key, b->key, len);
	return order ? order : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

// A scan may name a key twice.
static void doubles_drop(struct suspects *s)
{
	unsigned kept = 0;
	qsort(s->list, s->n, sizeof(*s->list), suspect_order);
	for (unsigned i = 0; i < s->n; i++) {
		if (kept && suspect_order(&s->list[kept - 1], &s->list[i]) == 0)
			free(s->list[i].key);
		else
			s->list[kept++] = s->list[i];
	}
	s->n = kept;
}

// As many as lie in one database, from one on. @return how many, 0 with a failure
static unsigned portion_compare(struct suspects *s, unsigned from, struct compare *c,
				struct subject *work)
{
	struct suspect *first = &s->list[from];
	unsigned n = 0;
	while (n < BATCH_KEYS && from + n < s->n && first[n].db[SOURCE] == first->db[SOURCE]) {
		work[n].key = (struct span){first[n].key, first[n].key_len};
		n++;
	}
	if (pair_select(c->pair, first->db, c->failure) || subjects_compare(c, work, n))
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
	for (unsigned i = 0; i < s->n; i++) {
		if (s->list[i].difference == DIFF_NONE)
			free(s->list[i].key);
		else
			s->list[kept++] = s->list[i];
	}
	s->n = kept;
	return 0;
}

void suspects_clear(struct suspects *s)
{
	for (unsigned i = 0; i < s->n; i++)
		free(s->list[i].key);
	free(s->list);
	*s = (struct suspects){0};
}
