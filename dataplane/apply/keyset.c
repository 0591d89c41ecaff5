// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/apply/keyset.h"

#include <errno.h>
#include <xxhash.h>

#include "drivers/memory.h"

#define SLOTS_FIRST 65536

static uint64_t key_hash(int32_t db, struct span key)
{
	// The database behind the hash, not as its seed: with short keys XXH3 adds a seed to their
	// bytes before it mixes, and "s:2" of one database would be "s:3" of another.
	uint64_t h = XXH3_64bits(key.p, key.len) ^ ((uint64_t)db + 1) * 0x9e3779b97f4a7c15u;
	return h ? h : 1;
}

static int slots_map(struct keyset *k, size_t n)
{
	uint64_t *slots = memory_file_map(k->folder, n * sizeof(*slots));
	if (!slots)
		return -errno;
	k->slots = slots;
	k->n_slots = n;
	return 0;
}

int keyset_init(struct keyset *k, const char *folder)
{
	*k = (struct keyset){.folder = folder};
	return slots_map(k, SLOTS_FIRST);
}

void keyset_fini(struct keyset *k)
{
	memory_file_unmap(k->slots, k->n_slots * sizeof(*k->slots));
	k->slots = NULL;
}

// The slot of a hash, or the free one where it would go.
static uint64_t *slot_of(const struct keyset *k, uint64_t hash)
{
	size_t at = hash & (k->n_slots - 1);
	while (k->slots[at] && k->slots[at] != hash)
		at = (at + 1) & (k->n_slots - 1);
	return &k->slots[at];
}

static int keyset_grow(struct keyset *k)
{
	struct keyset old = *k;
	int rc = slots_map(k, 2 * old.n_slots);
	if (rc) {
		*k = old;
		return rc;
	}
	for (size_t i = 0; i < old.n_slots; i++)
		if (old.slots[i])
			*slot_of(k, old.slots[i]) = old.slots[i];
	keyset_fini(&old);
	return 0;
}

int keyset_add(struct keyset *k, int32_t db, struct span key)
{
	if (2 * k->n_keys >= k->n_slots) {
		int rc = keyset_grow(k);
		if (rc)
			return rc;
	}
	uint64_t hash = key_hash(db, key), *slot = slot_of(k, hash);
	k->n_keys += !*slot;
	*slot = hash;
	return 0;
}

bool keyset_has(const struct keyset *k, int32_t db, struct span key)
{
	return *slot_of(k, key_hash(db, key)) != 0;
}
