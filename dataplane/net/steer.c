// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/net/steer.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

// One direction between two cores. `full` goes to the receiver, `empty` comes back.
struct way {
	struct ring full, empty;
	uint8_t *slots; // STEER_FRAMES of slot_len bytes
};

struct listened {
	_Atomic uint32_t port; // 0: unused
	_Atomic uint32_t cores;
};

struct waker {
	void (*wake)(void *arg);
	void *arg;
};

// Of one core; nobody else touches it while the cores run.
struct side {
	uint32_t put_to;        // bit k: core k was given something
	unsigned next;          // sender whose turn it is
	struct way *taken_from; // of the frame that is being read, NULL: none
	uint32_t taken;
} __attribute__((aligned(64)));

// Connections of a core and those on their way to it. Changed as they begin and end, by the core
// and by those who hand it some.
struct load {
	_Atomic uint32_t n;
} __attribute__((aligned(64)));

struct steer {
	unsigned n_cores;
	uint32_t frame_max;
	size_t slot_len;
	struct waker wakers[STEER_CORES_MAX];
	struct listened listened[STEER_LISTEN_MAX];
	struct side sides[STEER_CORES_MAX];
	struct load loads[STEER_CORES_MAX];
	struct way ways[]; // from * n_cores + to
};

static struct way *way_of(const struct steer *s, unsigned from, unsigned to)
{
	return (struct way *)&s->ways[from * s->n_cores + to];
}

static int way_init(struct way *w, size_t slot_len)
{
	w->slots = aligned_alloc(64, STEER_FRAMES * slot_len);
	if (!w->slots || ring_init(&w->full, STEER_FRAMES) || ring_init(&w->empty, STEER_FRAMES))
		return -ENOMEM;
	for (uint32_t i = 0; i < STEER_FRAMES; i++)
		ring_push(&w->empty, i);
	return 0;
}

struct steer *steer_new(unsigned n_cores, uint32_t frame_max)
{
	if (!n_cores || n_cores > STEER_CORES_MAX)
		return NULL;
	size_t len = sizeof(struct steer) + n_cores * n_cores * sizeof(struct way);
	struct steer *s = aligned_alloc(64, (len + 63) & ~(size_t)63);
	if (!s)
		return NULL;
	memset(s, 0, len);
	s->n_cores = n_cores;
	s->frame_max = frame_max;
	s->slot_len = (sizeof(struct steer_frame) + frame_max + 63) & ~(size_t)63;
	for (unsigned from = 0; from < n_cores; from++) {
		for (unsigned to = 0; to < n_cores; to++) {
			if (from != to && way_init(way_of(s, from, to), s->slot_len)) {
				steer_free(s);
				return NULL;
			}
		}
	}
	return s;
}

void steer_free(struct steer *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->n_cores * s->n_cores; i++) {
		ring_fini(&s->ways[i].full);
		ring_fini(&s->ways[i].empty);
		free(s->ways[i].slots);
	}
	free(s);
}

void steer_on_wake(struct steer *s, unsigned core, void (*wake)(void *arg), void *arg)
{
	s->wakers[core] = (struct waker){wake, arg};
}

bool steer_put(struct steer *s, unsigned from, unsigned to, const struct nic_frame *f,
	       enum steer_why why, unsigned origin)
{
	struct way *w = way_of(s, from, to);
	uint32_t handle;
	if (f->len > s->frame_max || !ring_pop(&w->empty, &handle))
		return false;
	struct steer_frame *copy = (struct steer_frame *)(w->slots + handle * s->slot_len);
	copy->frame = *f;
	copy->frame.p = (uint8_t *)(copy + 1);
	copy->why = why;
	copy->origin = origin;
	memcpy(copy->frame.p, f->p, f->len);
	bool is_pushed = ring_push(&w->full, handle);
	assert(is_pushed);
	s->sides[from].put_to |= 1u << to;
	return is_pushed;
}

void steer_wake(struct steer *s, unsigned from)
{
	uint32_t put_to = s->sides[from].put_to;
	s->sides[from].put_to = 0;
	for (; put_to; put_to &= put_to - 1) {
		const struct waker *k = &s->wakers[__builtin_ctz(put_to)];
		if (k->wake)
			k->wake(k->arg);
	}
}

struct steer_frame *steer_take(struct steer *s, unsigned core)
{
	struct side *side = &s->sides[core];
	if (side->taken_from) {
		ring_push(&side->taken_from->empty, side->taken);
		side->taken_from = NULL;
	}
	for (unsigned i = 0; i < s->n_cores; i++) {
		unsigned from = (side->next + i) % s->n_cores;
		struct way *w = way_of(s, from, core);
		if (from == core || !ring_pop(&w->full, &side->taken))
			continue;
		side->taken_from = w;
		side->next = from + 1;
		return (struct steer_frame *)(w->slots + side->taken * s->slot_len);
	}
	return NULL;
}

bool steer_is_empty(const struct steer *s, unsigned core)
{
	for (unsigned from = 0; from < s->n_cores; from++) {
		if (from != core && !ring_empty(&way_of(s, from, core)->full))
			return false;
	}
	return true;
}

int steer_listen(struct steer *s, unsigned core, uint16_t port)
{
	for (unsigned i = 0; i < STEER_LISTEN_MAX; i++) {
		struct listened *l = &s->listened[i];
		uint32_t unused = 0;
		if (atomic_compare_exchange_strong(&l->port, &unused, port) || unused == port) {
			atomic_fetch_or(&l->cores, 1u << core);
			return 0;
		}
	}
	return -ENOBUFS;
}

void steer_count(struct steer *s, unsigned core, int by)
{
	uint32_t before =
		atomic_fetch_add_explicit(&s->loads[core].n, (uint32_t)by, memory_order_relaxed);
	assert(by > 0 || before > 0);
}

// Bits of the cores that listen.
static uint32_t listeners_of(const struct steer *s, uint16_t port)
{
	for (unsigned i = 0; i < STEER_LISTEN_MAX; i++) {
		uint32_t there = atomic_load(&s->listened[i].port);
		if (!there)
			break;
		if (there == port)
			return atomic_load(&s->listened[i].cores);
	}
	return 0;
}

int steer_listener(const struct steer *s, unsigned self, uint16_t port, uint64_t hash)
{
	uint32_t cores = listeners_of(s, port), fewest = 0, least = UINT32_MAX;
	for (uint32_t left = cores; left; left &= left - 1) {
		unsigned core = (unsigned)__builtin_ctz(left);
		uint32_t n = atomic_load_explicit(&s->loads[core].n, memory_order_relaxed);
		if (n < least)
			fewest = 0;
		if (n <= least)
			fewest |= 1u << core;
		least = n < least ? n : least;
	}
	if (!fewest)
		return -1;
	if (fewest >> self & 1)
		return (int)self;
	for (unsigned k = (unsigned)(hash % (unsigned)__builtin_popcount(fewest)); k; k--)
		fewest &= fewest - 1;
	return __builtin_ctz(fewest);
}

int steer_next(const struct steer *s, unsigned self, uint16_t port, unsigned origin)
{
	uint32_t cores = listeners_of(s, port);
	for (unsigned i = 1; i < s->n_cores; i++) {
		unsigned core = (self + i) % s->n_cores;
		if (core == origin)
			break;
		if (cores >> core & 1)
			return (int)core;
	}
	return -1;
}
