// SPDX-License-Identifier: BSD-3-Clause
// The figures of a link, summed up from its counters.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/contract/contract.h"

struct link_numbers {
	uint64_t percent; // of the snapshot; 100 once the stream runs
	uint64_t keys;    // of the snapshot
	uint64_t bytes;   // received, snapshot and stream
	uint64_t received_offset, frontier_offset, lag_bytes;
	uint64_t lag_ms; // how long the oldest byte that is not applied has been here
	// received = applied + filtered + parked + in_flight, always
	uint64_t received, applied, filtered, parked, in_flight;
	uint64_t unfit;    // keys of snapshots that the target cannot hold: parked
	uint64_t degraded; // keys and commands sent without what the target cannot hold
	uint64_t p50_us, p99_us, p999_us;
};

// @param now_ms  wall clock
void link_numbers_read(const struct link_slot *slot, enum link_phase phase, uint64_t now_ms,
		       struct link_numbers *n);
