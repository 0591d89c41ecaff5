// SPDX-License-Identifier: BSD-3-Clause
// Random numbers for property tests: the seed is printed, and FLYOVER_SEED=n runs the same again.
#pragma once

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

// @return 0 .. n - 1
static inline uint64_t random_below(struct random *r, uint64_t n)
{
	return random_next(r) % n;
}

static inline struct random random_seeded(const char *test)
{
	const char *given = getenv("FLYOVER_SEED");
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)t.tv_nsec;
	printf("%s: FLYOVER_SEED=%" PRIu64 "\n", test, seed);
	return (struct random){seed};
}
