// SPDX-License-Identifier: BSD-3-Clause
// One deadline each of many flows: a binary heap, all memory taken at the start.
//
// Deadlines of TCP move away with nearly every segment. So they are only ever brought nearer here;
// whoever comes up too early is asked for its deadline then, and put back.
#pragma once

#include <stdint.h>

#define TIMER_NONE UINT32_MAX

struct timer {
	uint64_t due_ns;
	uint32_t index; // of the flow
};

struct timers {
	uint32_t n, max;
	struct timer *heap;
	uint32_t *place; // by flow; TIMER_NONE: has no timer
};

// @return 0, or -ENOMEM
int timers_init(struct timers *t, uint32_t max);
void timers_fini(struct timers *t);

// Have `index` come up at `due_ns` or before. UINT64_MAX changes nothing.
void timers_bring(struct timers *t, uint32_t index, uint64_t due_ns);
void timers_remove(struct timers *t, uint32_t index);

// Take one that is due. @return TIMER_NONE: none is
uint32_t timers_take(struct timers *t, uint64_t now_ns);

static inline uint64_t timers_deadline(const struct timers *t)
{
	return t->n ? t->heap[0].due_ns : UINT64_MAX;
}
