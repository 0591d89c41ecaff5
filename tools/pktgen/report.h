// SPDX-License-Identifier: BSD-3-Clause
// What pktgen prints: rates of the last interval, and the sum at the end.
#pragma once

#include "tools/pktgen/pktgen.h"

// One row each: name in JSON, label in lines. All of them only grow.
//
//   sent, stream_bytes     commands and bytes that sources have said
//   applied, transactions  what targets have taken
//   frames, bytes          of the device, both ways
// clang-format off
#define FIGURES(X)                      \
	X(sent, "sent")                 \
	X(applied, "applied")           \
	X(transactions, "transactions") \
	X(stream_bytes, "stream bytes") \
	X(frames_in, "frames in")       \
	X(frames_out, "frames out")     \
	X(bytes_in, "bytes in")         \
	X(bytes_out, "bytes out")
// clang-format on

#define X(name, label) uint64_t name;
struct figures {
	FIGURES(X)
	uint64_t ns, busy_ns;
};
#undef X

struct report {
	struct figures last;
	uint64_t next_ns;
};

void report_begin(struct report *r, const struct world *w);

// Print what the last interval was, when it is over.
void report_turn(struct report *r, struct world *w);

// The sum. @return whether all that was asked to be checked holds
bool report_end(struct world *w);
