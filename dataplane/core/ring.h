// SPDX-License-Identifier: BSD-3-Clause
// A bounded ring of handles between two cores: one producer, one consumer, over ck_ring. A handle
// is an index into a pool that both sides know.
//
// Full: ring_push() says so and the producer keeps the handle; rings are sized to their pool, so
// that this cannot happen unless a handle is pushed twice.
#pragma once

#include <ck_ring.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

// ck's ordering lies in assembly that the thread sanitizer cannot see: it is told what a ring
// passes on. Races inside ck_ring itself are kept quiet by tests/tsan.supp.
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#define RING_PASSES(ring) __tsan_release(ring)
#define RING_TAKES(ring)  __tsan_acquire(ring)
#else
#define RING_PASSES(ring) ((void)0)
#define RING_TAKES(ring)  ((void)0)
#endif

struct ring {
	ck_ring_t ck;
	ck_ring_buffer_t *slots;
};

// @param size  handles that must fit; rounded up to a power of two above it, since ck keeps one
// free
// @return 0, or -ENOMEM
static inline int ring_init(struct ring *r, unsigned size)
{
	unsigned slots = 2;
	while (slots <= size)
		slots *= 2;
	r->slots = calloc(slots, sizeof(*r->slots));
	if (!r->slots)
		return -ENOMEM;
	ck_ring_init(&r->ck, slots);
	return 0;
}

static inline void ring_fini(struct ring *r)
{
	free(r->slots);
	r->slots = NULL;
}

// Producer. @return false when full
static inline bool ring_push(struct ring *r, uint32_t handle)
{
	RING_PASSES(r);
	return ck_ring_enqueue_spsc(&r->ck, r->slots, (void *)((uintptr_t)handle + 1));
}

// Consumer. @return false when empty
static inline bool ring_pop(struct ring *r, uint32_t *handle)
{
	void *slot;
	if (!ck_ring_dequeue_spsc(&r->ck, r->slots, &slot))
		return false;
	RING_TAKES(r);
	*handle = (uint32_t)((uintptr_t)slot - 1);
	return true;
}

// Either side.
static inline bool ring_empty(const struct ring *r)
{
	return ck_ring_size(&r->ck) == 0;
}
