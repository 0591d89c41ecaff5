// SPDX-License-Identifier: BSD-3-Clause
// The rate server of a wire and the queue in front of it, for drivers/wire.c alone. First in, first
// out, so the time at which a frame leaves is known as it comes.
#pragma once

#include "drivers/wire.h"

struct wire_queue_state {
	uint64_t free_ns; // the server has sent all that it took
	uint64_t peak;    // most bytes that waited
	uint64_t random;

	double average; // RED: bytes

	// CoDel (RFC 8289, 5): names of its pseudo code
	uint64_t first_above_ns, drop_next_ns;
	uint64_t count, last_count;
	bool dropping;
};

// The path at a time. @param until_ns  NULL, or out: when the next step comes
const struct wire_path *wire_path_at(const struct wire_settings *set, uint64_t now_ns,
				     uint64_t *until_ns);

// Take a frame of so many bytes on the wire, or drop it.
//
// @param left_ns  out: when its last bit has left
// @return WIRE_TAIL, WIRE_EARLY, or WIRE_N_FATES: it was taken
enum wire_fate wire_queue_pass(struct wire_queue_state *q, const struct wire_settings *set,
			       uint32_t wire_len, uint64_t now_ns, uint64_t *left_ns);

// Bytes that wait now.
uint64_t wire_queue_backlog(const struct wire_queue_state *q, const struct wire_settings *set,
			    uint64_t now_ns);
