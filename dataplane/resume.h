// SPDX-License-Identifier: BSD-3-Clause
// Resume: from the two witnesses, the markers in the target and our checkpoint, to the place in the
// stream where a life goes on, or to the reason why only a full sync can help.
//
// Each marker covers slots, whatever number of lanes wrote it. A slot is held up to the highest
// offset that a marker of the right history gives it; the stream is asked for from the lowest of
// all slots on, and what a slot holds already is not sent again. The markers decide, since they lie
// in one transaction with the data; the checkpoint proves old ids of the history, and tells what
// should be there.
#pragma once

#include "dataplane/apply/lane.h"
#include "dataplane/checkpoint.h"

enum resume_case {
	RESUME_NEW,  // no life of this link was ever here: a full sync, which needs no excuse
	RESUME_AT,   // go on at resume_point.offset, if the source agrees
	RESUME_FULL, // only a full sync can help
};

struct resume_point {
	enum resume_case kind;
	bool older;        // the target has lost what it held before
	char replid[41];   // to ask the source for
	uint64_t offset;   // where to go on
	uint64_t held_end; // from here on nothing is held
	int32_t db;        // selected in the stream at offset
	char text[TEXT_LEN]; // a sentence for people; of RESUME_FULL, the reason
};

// What is known.
//
// In a cluster the place to go on is told by claims alone, each for the slots of its own node:
// where the marker of a slot ends no command need begin.
struct resume_facts {
	const struct lane_found *found; // the markers in the target
	unsigned n_found;
	const uint16_t *owner;          // of a cluster: which node owns each slot; else NULL
	uint64_t n_keys;                // of the target, our own too
	const struct checkpoint *saved; // NULL: there is none to be trusted
	const struct chain *chain;      // of the stream's ids, empty when none are known
	const char *target;             // as checkpoint_target() names it
};

// @param held  out: for each of SLOT_COUNT slots, the offset up to which the target holds it
void resume_find(const struct resume_facts *facts, uint64_t *held, struct resume_point *at);

// Whether what a marker says counts in the history that is known as `replid` now.
bool resume_counts(const struct marker *m, const char *replid, const struct chain *chain);
