// SPDX-License-Identifier: BSD-3-Clause
// The clock seam: a core reads it once a turn and passes the reading on.
#pragma once

#include <stdint.h>

struct clock_reading {
	uint64_t mono_ns; // monotonic, for deadlines and latencies
	uint64_t wall_ms; // since 1970-01-01 UTC, for expiries and for people
};

struct clock_ops {
	struct clock_reading (*read)(void);
};

// The kernel's clocks.
extern const struct clock_ops clock_kernel;
