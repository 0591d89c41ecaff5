// SPDX-License-Identifier: BSD-3-Clause
// How often we let strangers make us answer: so many a second, and a burst of them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct limit {
	uint32_t per_second, burst;
	uint64_t paid_ns; // answers are paid for up to this time
};

// @return false: not now
static inline bool limit_take(struct limit *l, uint64_t now_ns)
{
	uint64_t price = 1000000000ull / l->per_second;
	uint64_t from = l->paid_ns > now_ns ? l->paid_ns : now_ns;
	if (from - now_ns > price * (l->burst - 1))
		return false;
	l->paid_ns = from + price;
	return true;
}
