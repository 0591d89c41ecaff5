// SPDX-License-Identifier: BSD-3-Clause
#include "drivers/clock.h"

#include <time.h>

static struct clock_reading kernel_read(void)
{
	struct timespec mono, wall;
	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &wall);
	return (struct clock_reading){
		.mono_ns = (uint64_t)mono.tv_sec * 1000000000ull + (uint64_t)mono.tv_nsec,
		.wall_ms = (uint64_t)wall.tv_sec * 1000ull + (uint64_t)wall.tv_nsec / 1000000ull,
	};
}

const struct clock_ops clock_kernel = {.read = kernel_read};
