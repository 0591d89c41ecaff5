// SPDX-License-Identifier: BSD-3-Clause
// The connections of our own TCP, in memory that outlives the dataplane: after a crash the next
// life pokes each of them, so that their peers learn at once that nobody is there any more
// (stack_poke()).
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#define FLOW_ROWS_MAX 4096

// One connection. Writer: the core that owns it.
struct flow_row {
	_Atomic uint32_t in_use; // 1: the rest stands
	uint8_t family;          // 4, 6
	uint8_t core;
	uint16_t local_port, remote_port; // host byte order
	uint8_t local[16], remote[16];    // network byte order; IPv4 in the first four
} __attribute__((aligned(64)));

struct flow_rows {
	struct flow_row rows[FLOW_ROWS_MAX];
};

_Static_assert(sizeof(struct flow_row) == 64, "one line, one writer");

// The rows of one core. @return how many
static inline unsigned flow_rows_of(struct flow_rows *f, unsigned core, unsigned n_cores,
				    struct flow_row **first)
{
	unsigned n = FLOW_ROWS_MAX / n_cores;
	*first = &f->rows[core * n];
	return n;
}
