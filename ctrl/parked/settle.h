// SPDX-License-Identifier: BSD-3-Clause
// Settling parked commands: saying for good what became of one. Only one process at a time settles
// those of a link; the dataplane may park more meanwhile.
#pragma once

#include "ctrl/parked/journal.h"

// Settled lines take no more than this before they are left out of the file, and no more than half
// of it.
#define SETTLED_BYTES_MAX (1u << 20)

struct settler {
	int fd; // parked-settled.jsonl, locked
	char folder[4096];
};

// Begin. @return 0, or -1: LINK_STATE (somebody else is at it), STATE_DIR
int settler_open(struct settler *s, const char *folder, struct failure *f);
void settler_close(struct settler *s);

// Say it, durably.
//
// @param fate    PARKED_APPLIED or PARKED_DROPPED
// @param now_ms  wall clock
// @return 0, or -1: DISK
int settler_put(struct settler *s, uint64_t id, enum parked_fate fate, uint64_t now_ms,
		struct failure *f);

// Leave out of parked.jsonl what is settled, when it has become much. A crash at any point leaves
// either file whole.
//
// @return 0, or -1: DISK, MEMORY
int settler_compact(struct settler *s, struct failure *f);
