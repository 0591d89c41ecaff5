// SPDX-License-Identifier: BSD-3-Clause
// Numbers that a seed decides, the same on every machine.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct random {
	uint64_t state;
};

// The generator splitmix64.
static inline uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

// Independent numbers for each pair.
static inline struct random random_of(uint64_t seed, uint64_t number)
{
	struct random r = {seed * 0xd1342543de82ef95u + number};

	r.state = random_next(&r);
	return r;
}

// 0 .. n - 1; n > 0
static inline unsigned random_below(struct random *r, unsigned n)
{
	return (unsigned)(random_next(r) % n);
}

static inline unsigned random_between(struct random *r, unsigned least, unsigned most)
{
	return least + random_below(r, most - least + 1);
}

static inline bool random_percent(struct random *r, unsigned percent)
{
	return random_below(r, 100) < percent;
}
