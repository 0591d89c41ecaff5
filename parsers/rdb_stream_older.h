// SPDX-License-Identifier: BSD-3-Clause
// A stream's body as an older type of it: each type has all that the one before it has, and more.
//
//   15 (5.0) < 19 (7.0) counters < 21 (7.2) active times < 26 (8.6) idempotent producers
//   < 27 (8.8) entries that were given back
#pragma once

#include "parsers/span.h"

// What an older type has no place for, and somebody may miss.
struct rdb_stream_lost {
	uint64_t n_producers; // whose messages would be known again
	uint64_t n_nacked; // entries that are pending, but nobody's; no server takes the copy then,
			   // since its pending lists still name them
};

// Copy a body, leaving out what `to` does not have.
//
// @param from, to  stream types, to <= from
// @param out       body.len bytes; what is written is never longer
// @param len       out: bytes written
// @param lost      out
// @return 0, or -EBADMSG: not a body of that type
int rdb_stream_older(struct span body, uint8_t from, uint8_t to, char *out, size_t *len,
		     struct rdb_stream_lost *lost);
