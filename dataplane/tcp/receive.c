// SPDX-License-Identifier: BSD-3-Clause
// receive_put() -> in_order_put() -> runs_reached()
//               -> behind_put() -> runs_join()
#include "dataplane/tcp/receive.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 16

void receive_init(struct receive *r, struct block_pool *pool)
{
	*r = (struct receive){
		.read = POSITION_DATA,
		.next = POSITION_DATA,
		.fin = POSITION_NONE,
	};
	buffer_init(&r->buffer, pool, POSITION_DATA);
}

void receive_fini(struct receive *r)
{
	buffer_fini(&r->buffer);
	free(r->runs);
	r->runs = NULL;
	r->n = r->n_slots = 0;
}

static struct run *run_at(const struct receive *r, uint32_t i)
{
	return &r->runs[(r->head + i) & (r->n_slots - 1)];
}

// The first run that ends at a position or behind it; n: none.
static uint32_t run_find(const struct receive *r, uint64_t at)
{
	uint32_t low = 0, high = r->n;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (run_at(r, middle)->to < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int runs_grow(struct receive *r)
{
	uint32_t n = r->n_slots ? r->n_slots * 2 : SLOTS_FIRST;
	struct run *runs = malloc(n * sizeof(*runs));

	if (runs == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->n; i++)
		runs[i] = *run_at(r, i);
	free(r->runs);
	r->runs = runs;
	r->n_slots = n;
	r->head = 0;
	return 0;
}

// Take `n` runs out, moving the shorter side.
static void runs_remove(struct receive *r, uint32_t at, uint32_t n)
{
	if (at < r->n - at - n) {
		for (uint32_t i = at; i-- > 0;)
			*run_at(r, i + n) = *run_at(r, i);
		r->head += n;
	} else {
		for (uint32_t i = at; i + n < r->n; i++)
			*run_at(r, i) = *run_at(r, i + n);
	}
	r->n -= n;
}

// Make room for one run, moving the shorter side.
static void runs_insert(struct receive *r, uint32_t at, struct run run)
{
	r->n++;
	if (at < r->n / 2) {
		r->head--;
		for (uint32_t i = 0; i < at; i++)
			*run_at(r, i) = *run_at(r, i + 1);
	} else {
		for (uint32_t i = r->n - 1; i > at; i--)
			*run_at(r, i) = *run_at(r, i - 1);
	}
	*run_at(r, at) = run;
}

// Room for one run more at place `at`, if need be for the farthest one's.
static bool runs_have_room(struct receive *r, uint32_t at)
{
	if (r->n < r->n_slots)
		return true;
	if (r->n < RUNS_MAX && runs_grow(r) == 0)
		return true;
	if (at == r->n)
		return false;
	r->n--;
	r->n_forgotten++;
	return true;
}

// Note a run as the one to be reported first.
static void recent_put(struct receive *r, uint64_t at)
{
	memmove(r->recent + 1, r->recent, sizeof(r->recent) - sizeof(r->recent[0]));
	r->recent[0] = at;
}

// RCV.NXT has moved up: take in what it has reached. @return whether there was a hole at all
static bool runs_reached(struct receive *r)
{
	uint32_t n = 0;

	if (r->n == 0)
		return false;
	while (n < r->n && run_at(r, n)->from <= r->next) {
		uint64_t to = run_at(r, n++)->to;

		r->next = to > r->next ? to : r->next;
	}
	runs_remove(r, 0, n);
	return true;
}

static void fin_reach(struct receive *r)
{
	if (r->next == r->fin)
		r->next++;
}

// Bytes that found no room. Blocks that were taken for them are not held for nothing.
static enum arrival forget(struct receive *r)
{
	r->n_forgotten++;
	if (r->n == 0 && receive_readable(r) == 0)
		buffer_drop(&r->buffer, r->read, true);
	return ARRIVED_FORGOTTEN;
}

static enum arrival in_order_put(struct receive *r, const char *p, size_t len)
{
	uint64_t from = r->next, to = from + len;

	if (buffer_put(&r->buffer, from, p, len))
		return forget(r);
	r->next = to;
	if (r->n && run_at(r, 0)->from < to)
		receive_repeat(r, run_at(r, 0)->from,
			       run_at(r, 0)->to < to ? run_at(r, 0)->to : to);
	bool filled = runs_reached(r);
	fin_reach(r);
	return filled ? ARRIVED_FILLING : ARRIVED_IN_ORDER;
}

// Join [from, to) with the runs from `first` on that it touches. They are `n`.
static void runs_join(struct receive *r, uint32_t first, uint32_t n, struct run new)
{
	struct run *run = run_at(r, first), *last = run_at(r, first + n - 1);

	new.from = run->from < new.from ? run->from : new.from;
	new.to = last->to > new.to ? last->to : new.to;
	*run = new;
	runs_remove(r, first + 1, n - 1);
}

// Report the first part of [from, to) that is there already. @return whether all of it is
static bool overlap_note(struct receive *r, uint32_t first, struct run new)
{
	for (uint32_t i = first; i < r->n && run_at(r, i)->from < new.to; i++) {
		const struct run *run = run_at(r, i);
		uint64_t from = run->from > new.from ? run->from : new.from;
		uint64_t to = run->to < new.to ? run->to : new.to;

		if (from >= to) // they only touch
			continue;
		receive_repeat(r, from, to);
		return from == new.from &&to == new.to;
	}
	return false;
}

static enum arrival behind_put(struct receive *r, struct run new, const char *p)
{
	uint32_t first = run_find(r, new.from), n = 0;

	if (overlap_note(r, first, new))
		return ARRIVED_TWICE;
	while (first + n < r->n && run_at(r, first + n)->from <= new.to)
		n++;
	if ((n == 0 && !runs_have_room(r, first)) ||
	    buffer_put(&r->buffer, new.from, p, new.to - new.from))
		return forget(r);
	if (n)
		runs_join(r, first, n, new);
	else
		runs_insert(r, first, new);
	recent_put(r, new.from);
	return ARRIVED_BEHIND;
}

enum arrival receive_put(struct receive *r, uint64_t at, const void *p, size_t len)
{
	const char *from = p;
	uint64_t to = at + len;

	if (to > r->fin) { // behind its own FIN the peer has nothing to say
		if (at >= r->fin)
			return ARRIVED_FORGOTTEN;
		to = r->fin;
	}
	if (at < r->next) {
		receive_repeat(r, at, to < r->next ? to : r->next);
		if (to <= r->next)
			return ARRIVED_TWICE;
		from += r->next - at;
		at = r->next;
	}
	if (at == r->next)
		return in_order_put(r, from, to - at);
	return behind_put(r, (struct run){at, to}, from);
}

void receive_fin(struct receive *r, uint64_t at)
{
	if (r->fin != POSITION_NONE || at < r->next || (r->n && run_at(r, r->n - 1)->to > at))
		return;
	r->fin = at;
	fin_reach(r);
}

void receive_repeat(struct receive *r, uint64_t from, uint64_t to)
{
	if (r->repeat.to == from && r->repeat.from < from) // goes on where the last one ended
		r->repeat.to = to;
	else
		r->repeat = (struct run){from, to};
}

size_t receive_read(struct receive *r, void *p, size_t len)
{
	uint64_t n = receive_readable(r);

	n = n < len ? n : len;
	if (n == 0)
		return 0;
	buffer_get(&r->buffer, r->read, p, n);
	r->read += n;
	buffer_drop(&r->buffer, r->read, r->n == 0 && receive_readable(r) == 0);
	return n;
}

// The run that a position lies in. @return NULL: it is in order by now, or forgotten
static const struct run *run_of(const struct receive *r, uint64_t at)
{
	uint32_t i = run_find(r, at + 1);

	return i < r->n && run_at(r, i)->from <= at ? run_at(r, i) : NULL;
}

static bool is_among(const struct run *list, unsigned n, const struct run *run)
{
	for (unsigned i = 0; i < n; i++)
		if (list[i].from == run->from && list[i].to == run->to)
			return true;
	return false;
}

unsigned receive_sack(const struct receive *r, struct run out[], unsigned max)
{
	unsigned n = 0, first = 0;

	if (r->repeat.from < r->repeat.to && max) {
		out[n++] = r->repeat;
		first = 1; // the run that holds a repetition follows it as well (RFC 2883, 4.1)
		const struct run *run = run_of(r, r->repeat.from);
		if (run && n < max)
			out[n++] = *run;
	}
	for (unsigned i = 0; i < TCP_SACK_MAX && n < max && r->n; i++) {
		const struct run *run = run_of(r, r->recent[i]);

		if (run && !is_among(out + first, n - first, run))
			out[n++] = *run;
	}
	return n;
}

void receive_reported(struct receive *r)
{
	r->repeat = (struct run){0, 0};
}

const char *receive_check(const struct receive *r)
{
	uint64_t before = r->next;

	if (r->read < POSITION_DATA || r->read > r->next)
		return "more was read than is there";
	if (r->n > r->n_slots || r->n > RUNS_MAX)
		return "more runs than the ring has room for";
	for (uint32_t i = 0; i < r->n; i++) {
		const struct run *run = run_at(r, i);

		if (run->from <= before || run->from >= run->to)
			return "runs out of order, or without a hole before them";
		before = run->to;
	}
	if (r->n && r->fin < before)
		return "bytes behind the peer's FIN";
	if (r->next > r->fin && r->next != r->fin + 1)
		return "RCV.NXT lies behind the peer's FIN";
	if (r->n == 0 && receive_readable(r) == 0 && r->buffer.n_blocks)
		return "blocks are held for nothing";
	return NULL;
}
