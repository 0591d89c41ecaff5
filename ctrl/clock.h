// SPDX-License-Identifier: BSD-3-Clause
// The two clocks of the slow path, in milliseconds.
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_read_ms(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

// For what a person or another process sees.
static inline uint64_t wall_ms(void)
{
	return clock_read_ms(CLOCK_REALTIME);
}

// For deadlines and rates.
static inline uint64_t mono_ms(void)
{
	return clock_read_ms(CLOCK_MONOTONIC);
}
