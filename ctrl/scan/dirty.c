// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/scan/dirty.h"

#include <errno.h>
#include <stdlib.h>

#include <xxhash.h>

#define BUCKETS_FIRST 1024

static int buckets_grow(struct dirty *d)
{
	unsigned n = d->n_buckets ? d->n_buckets * 2 : BUCKETS_FIRST;
	struct dirty_key **buckets = calloc(n, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	for (struct dirty_key *k = d->first; k; k = k->next) {
		struct dirty_key **at = &buckets[k->hash & (n - 1)];
		k->bucket = *at;
		*at = k;
	}
	free(d->buckets);
	d->buckets = buckets;
	d->n_buckets = n;
	return 0;
}

int dirty_add(struct dirty *d, int db, struct span key)
{
	uint64_t hash = XXH3_64bits_withSeed(key.p, key.len, (uint64_t)db);
	if (d->n >= d->n_buckets && buckets_grow(d))
		return -ENOMEM;
	struct dirty_key **at = &d->buckets[hash & (d->n_buckets - 1)];
	for (struct dirty_key *k = *at; k; k = k->bucket)
		if (k->hash == hash && k->db == db &&
		    span_eq((struct span){k->key, k->len}, key))
			return 0;
	size_t bytes = sizeof(struct dirty_key) + key.len;
	struct dirty_key *k = d->bytes + bytes <= DIRTY_BYTES_MAX ? malloc(bytes) : NULL;
	if (!k)
		return -ENOMEM;
	*k = (struct dirty_key){.bucket = *at, .hash = hash, .db = db, .len = (uint32_t)key.len};
	memcpy(k->key, key.p, key.len);
	*at = k;
	if (d->last)
		d->last->next = k;
	else
		d->first = k;
	d->last = k;
	d->n++;
	d->bytes += bytes;
	return 1;
}

struct dirty_key *dirty_take(struct dirty *d)
{
	struct dirty_key *k = d->first;
	if (!k)
		return NULL;
	struct dirty_key **at = &d->buckets[k->hash & (d->n_buckets - 1)];
	while (*at != k)
		at = &(*at)->bucket;
	*at = k->bucket;
	d->first = k->next;
	if (!d->first)
		d->last = NULL;
	d->n--;
	d->bytes -= sizeof(*k) + k->len;
	return k;
}

void dirty_clear(struct dirty *d)
{
	for (struct dirty_key *k = dirty_take(d); k; k = dirty_take(d))
		free(k);
	free(d->buckets);
	*d = (struct dirty){0};
}
