// SPDX-License-Identifier: BSD-3-Clause
// Resume: from the markers in the target to the place in the stream where a new life begins.
//
// Each marker covers slots, whatever number of lanes wrote it. A slot is held up to the highest
// offset that a marker of the right stream gives it; the stream is asked for from the lowest of all
// slots on, and what a slot holds already is not sent again.
#pragma once

#include "dataplane/apply/lane.h"

struct resume_point {
	char replid[41];
	uint64_t offset;   // where to go on
	uint64_t held_end; // from here on nothing is held
	int32_t db;        // selected in the stream at offset
};

// @param held  out: for each of SLOT_COUNT slots, the offset up to which the target holds it
// @return false when there is no such place: no markers, or not for every slot, or only of
// snapshots
bool resume_find(const struct lane_found *found, unsigned n_found, uint64_t *held,
		 struct resume_point *at);
