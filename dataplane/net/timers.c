// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/net/timers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int timers_init(struct timers *t, uint32_t max)
{
	*t = (struct timers){.max = max};
	t->heap = calloc(max, sizeof(*t->heap));
	t->place = calloc(max, sizeof(*t->place));
	if (!t->heap || !t->place) {
		timers_fini(t);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < max; i++)
		t->place[i] = TIMER_NONE;
	return 0;
}

void timers_fini(struct timers *t)
{
	free(t->heap);
	free(t->place);
	t->heap = NULL;
	t->place = NULL;
}

static void put(struct timers *t, uint32_t at, struct timer timer)
{
	t->heap[at] = timer;
	t->place[timer.index] = at;
}

static void rise(struct timers *t, uint32_t at, struct timer timer)
{
	for (; at && t->heap[(at - 1) / 2].due_ns > timer.due_ns; at = (at - 1) / 2)
		put(t, at, t->heap[(at - 1) / 2]);
	put(t, at, timer);
}

static void sink(struct timers *t, uint32_t at, struct timer timer)
{
	for (uint32_t child; (child = 2 * at + 1) < t->n; at = child) {
		if (child + 1 < t->n && t->heap[child + 1].due_ns < t->heap[child].due_ns)
			child++;
		if (timer.due_ns <= t->heap[child].due_ns)
			break;
		put(t, at, t->heap[child]);
	}
	put(t, at, timer);
}

void timers_bring(struct timers *t, uint32_t index, uint64_t due_ns)
{
	assert(index < t->max);
	uint32_t at = t->place[index];
	if (due_ns == UINT64_MAX || (at != TIMER_NONE && t->heap[at].due_ns <= due_ns))
		return;
	if (at == TIMER_NONE)
		at = t->n++;
	rise(t, at, (struct timer){due_ns, index});
}

void timers_remove(struct timers *t, uint32_t index)
{
	uint32_t at = t->place[index];
	if (at == TIMER_NONE)
		return;
	t->place[index] = TIMER_NONE;
	struct timer last = t->heap[--t->n];
	if (at == t->n)
		return;
	if (at && t->heap[(at - 1) / 2].due_ns > last.due_ns)
		rise(t, at, last);
	else
		sink(t, at, last);
}

uint32_t timers_take(struct timers *t, uint64_t now_ns)
{
	if (timers_deadline(t) > now_ns || !t->n)
		return TIMER_NONE;
	uint32_t index = t->heap[0].index;
	timers_remove(t, index);
	return index;
}
