// SPDX-License-Identifier: BSD-3-Clause
// Keys that have changed and wait to be copied: each once, in the order of their first change,
// bounded in bytes.
#pragma once

#include "parsers/span.h"

#define DIRTY_BYTES_MAX (64u << 20)

struct dirty_key {
	struct dirty_key *next;   // in the order of their coming
	struct dirty_key *bucket; // of the same hash
	uint64_t hash;
	int db;
	uint32_t len;
	char key[];
};

struct dirty {
	struct dirty_key *first, *last;
	struct dirty_key **buckets; // a power of two
	unsigned n, n_buckets;
	size_t bytes;
};

// @return 1 added, 0 it is there already, -ENOMEM: no room
int dirty_add(struct dirty *d, int db, struct span key);

// Take the first one out. @return to be freed, NULL when there is none
struct dirty_key *dirty_take(struct dirty *d);

// Forget all of them.
void dirty_clear(struct dirty *d);
