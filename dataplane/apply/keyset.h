// SPDX-License-Identifier: BSD-3-Clause
// The keys of a snapshot, as 64-bit hashes: who is not among them when the snapshot is loaded was
// deleted at the source while we were not looking. 16 bytes a key, in a file's pages. Two keys with
// one hash (once in 10^7 snapshots of 10^6 keys) would keep a key too many, never remove one.
#pragma once

#include "parsers/span.h"

struct keyset {
	uint64_t *slots; // open addressing, 0: free
	size_t n_slots, n_keys;
	const char *folder;
};

// @param folder  where the file lies; borrowed
// @return 0, or -errno (-ENOSPC: the disk is full)
int keyset_init(struct keyset *k, const char *folder);
void keyset_fini(struct keyset *k);

static inline bool keyset_is_open(const struct keyset *k)
{
	return k->slots != NULL;
}

// Libraries of functions are remembered by name as if they were keys of this database.
#define KEYSET_LIBRARIES (-1)

// @return 0, or -errno
int keyset_add(struct keyset *k, int32_t db, struct span key);
bool keyset_has(const struct keyset *k, int32_t db, struct span key);
