// SPDX-License-Identifier: BSD-3-Clause
// The table of keys in flux: by 64-bit hash of database and name, since names may be long. Two keys
// of one hash (once in 10^8 moves of 10^5 keys) would be taken for one.
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "dataplane/group/handoff_priv.h"

#define KEYS_FIRST 1024

uint64_t key_hash_of(int32_t db, struct span key)
{
	struct {
		uint64_t name, db;
	} both = {XXH3_64bits(key.p, key.len), (uint64_t)(int64_t)db};
	return XXH3_64bits(&both, sizeof(both));
}

static uint32_t *place_of(const struct handoff *h, uint64_t hash)
{
	size_t at = hash & (h->index_len - 1);
	while (h->index[at] && key_at(h, h->index[at])->hash != hash)
		at = (at + 1) & (h->index_len - 1);
	return &h->index[at];
}

struct handoff_key *key_find(const struct handoff *h, uint64_t hash)
{
	return h->index_len ? key_at(h, *place_of(h, hash)) : NULL;
}

bool keys_have_room(const struct handoff *h, unsigned n)
{
	return h->n_keys + n <= HANDOFF_KEYS_MAX;
}

static void index_fill(struct handoff *h)
{
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
		for (uint32_t i = h->first_key[slot]; i; i = key_at(h, i)->next)
			*place_of(h, key_at(h, i)->hash) = i;
}

// Twice as many. @return false when out of memory
static bool keys_grow(struct handoff *h)
{
	unsigned max = h->keys_max ? 2 * h->keys_max : KEYS_FIRST;
	struct handoff_key *keys = realloc(h->keys, max * sizeof(*keys));
	if (!keys)
		return false;
	h->keys = keys;
	uint32_t *index = calloc(2 * max, sizeof(*index));
	if (!index)
		return false;
	free(h->index);
	h->index = index;
	h->index_len = 2 * max;
	h->keys_max = max;
	index_fill(h);
	return true;
}

struct handoff_key *key_add(struct handoff *h, unsigned slot, int32_t db, struct span key)
{
	bool full = !h->free_key && h->n_used == h->keys_max;
	char *name = keys_have_room(h, 1) && (!full || keys_grow(h)) ? malloc(key.len + 1) : NULL;
	uint64_t hash = key_hash_of(db, key);
	if (!name)
		return NULL;
	memcpy(name, key.p, key.len);
	uint32_t number = h->free_key ? h->free_key : ++h->n_used;
	struct handoff_key *k = key_at(h, number);
	if (h->free_key)
		h->free_key = k->next;
	*k = (struct handoff_key){.hash = hash,
				  .name = name,
				  .name_len = (uint32_t)key.len,
				  .db = db,
				  .slot = (uint16_t)slot,
				  .next = h->first_key[slot]};
	h->first_key[slot] = number;
	*place_of(h, hash) = number;
	h->n_keys++;
	return k;
}

// Take a hash out of the index; what stands behind it moves up (Knuth, 6.4, algorithm R).
static void index_remove(struct handoff *h, uint64_t hash)
{
	size_t mask = h->index_len - 1, hole = (size_t)(place_of(h, hash) - h->index);
	for (size_t at = (hole + 1) & mask; h->index[at]; at = (at + 1) & mask) {
		size_t home = key_at(h, h->index[at])->hash & mask;
		if (((at - home) & mask) < ((at - hole) & mask))
			continue;
		h->index[hole] = h->index[at];
		hole = at;
	}
	h->index[hole] = 0;
}

static void key_drop(struct handoff *h, uint32_t number)
{
	struct handoff_key *k = key_at(h, number);
	index_remove(h, k->hash);
	free(k->name);
	k->next = h->free_key;
	h->free_key = number;
	h->n_keys--;
}

void keys_drop(struct handoff *h, unsigned slot)
{
	uint32_t next;
	for (uint32_t i = h->first_key[slot]; i; i = next) {
		next = key_at(h, i)->next;
		key_drop(h, i);
	}
	h->first_key[slot] = 0;
}

// One without a copy that nobody needs to know of. @return NULL: there is none
static struct handoff_party *party_room(const struct handoff *h, struct handoff_key *k)
{
	if (k->n_parties < HANDOFF_PARTIES)
		return &k->parties[k->n_parties++];
	for (unsigned i = 0; i < k->n_parties; i++) {
		struct handoff_party *p = &k->parties[i];
		if (p->gone && p->member != k->holder && p->member != h->home[k->slot] &&
		    !slot_has_litter(h, k->slot, p->member))
			return p;
	}
	return NULL;
}

struct handoff_party *party_of(struct handoff *h, struct handoff_key *k, unsigned member)
{
	struct handoff_party *p = party_find(k, member);
	if (p)
		return p;
	p = party_room(h, k);
	if (!p)
		return NULL;
	*p = (struct handoff_party){.member = (uint8_t)member};
	h->parties[k->slot] |= 1ull << member;
	return p;
}
