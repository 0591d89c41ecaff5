// SPDX-License-Identifier: BSD-3-Clause
// The keys that a scan has named, by their hashes of 128 bits: SCAN may name a key twice while the
// source's table shrinks, and no server loads a file that holds one twice. 16 bytes a key, in a
// table that is at most three quarters full.
#pragma once

#include <xxhash.h>

#include "parsers/span.h"

struct seen {
	XXH128_hash_t *table; // zero: free
	size_t n, room;       // room: a power of two
};

// @return 1 it is new, and seen from now on; 0 it was seen before; -ENOMEM
int seen_add(struct seen *s, struct span key);

void seen_clear(struct seen *s);
