// SPDX-License-Identifier: BSD-3-Clause
// How long the target has held a snapshot back: the time during which bytes of the source found the
// window full, summed up.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct patience {
	uint64_t held_ns;  // in all, before since_ns
	uint64_t since_ns; // the window has been full since then; 0: it is not
};

static inline void patience_eased(struct patience *p, uint64_t now_ns)
{
	p->held_ns += p->since_ns ? now_ns - p->since_ns : 0;
	p->since_ns = 0;
}

// @return whether it is at an end
static inline bool patience_tried(struct patience *p, uint64_t now_ns, uint64_t limit_ns)
{
	patience_eased(p, now_ns);
	p->since_ns = now_ns;
	return p->held_ns >= limit_ns;
}

// When it will be at an end, unless it is eased before. @return UINT64_MAX: it is not being tried,
// or is at an end already
static inline uint64_t patience_end_ns(const struct patience *p, uint64_t limit_ns)
{
	bool lasts = p->since_ns && p->held_ns < limit_ns;
	return lasts ? p->since_ns + limit_ns - p->held_ns : UINT64_MAX;
}
