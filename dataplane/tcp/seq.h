// SPDX-License-Identifier: BSD-3-Clause
// Sequence numbers of TCP: 32 bits that wrap (RFC 9293, 3.4). A type of their own, so that a bare
// `<` does not compile.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct seq {
	uint32_t v;
};

static inline struct seq seq_of(uint32_t v)
{
	return (struct seq){v};
}

static inline struct seq seq_add(struct seq a, uint32_t n)
{
	return (struct seq){a.v + n};
}

static inline struct seq seq_sub(struct seq a, uint32_t n)
{
	return (struct seq){a.v - n};
}

// Bytes from b to a; negative when a is before b. They lie less than 2^31 apart.
static inline int32_t seq_diff(struct seq a, struct seq b)
{
	return (int32_t)(a.v - b.v);
}

static inline bool seq_eq(struct seq a, struct seq b)
{
	return a.v == b.v;
}

static inline bool seq_lt(struct seq a, struct seq b)
{
	return seq_diff(a, b) < 0;
}

static inline bool seq_le(struct seq a, struct seq b)
{
	return seq_diff(a, b) <= 0;
}

static inline bool seq_gt(struct seq a, struct seq b)
{
	return seq_diff(a, b) > 0;
}

static inline bool seq_ge(struct seq a, struct seq b)
{
	return seq_diff(a, b) >= 0;
}
