// SPDX-License-Identifier: BSD-3-Clause
#include "drivers/wire_queue.h"

#define NS_PER_S 1000000000u

// RED (Floyd and Jacobson, 1993): weight of a new length, and the most that is dropped at random
// between the thresholds, a quarter and three quarters of the queue.
#define RED_WEIGHT 0.002
#define RED_DROP   0.1
#define RED_PACKET 1000 // bytes of a typical one, for the time that the queue was empty

// RFC 8289, 4.3 and 4.4
#define CODEL_TARGET_NS   5000000u
#define CODEL_INTERVAL_NS 100000000u

const struct wire_path *wire_path_at(const struct wire_settings *set, uint64_t now_ns,
				     uint64_t *until_ns)
{
	const struct wire_path *path = &set->path;
	unsigned i = 0;

	for (; i < set->n_steps && set->steps[i].at_ns <= now_ns; i++)
		path = &set->steps[i].path;
	if (until_ns)
		*until_ns = i < set->n_steps ? set->steps[i].at_ns : UINT64_MAX;
	return path;
}

// a * b / c, rounded, without overflow in between.
static uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
	return (uint64_t)(((unsigned __int128)a * b + c / 2) / c);
}

// When so many bits have left that begin to leave at `from_ns`.
static uint64_t serve(const struct wire_settings *set, uint64_t from_ns, uint64_t bits)
{
	for (;;) {
		uint64_t until_ns;
		const struct wire_path *path = wire_path_at(set, from_ns, &until_ns);
		if (!path->rate)
			return from_ns;
		uint64_t need_ns = scale(bits, NS_PER_S, path->rate);
		if (need_ns <= until_ns - from_ns)
			return from_ns + need_ns;
		uint64_t done = scale(until_ns - from_ns, path->rate, NS_PER_S);
		bits = bits > done ? bits - done : 0;
		from_ns = until_ns;
	}
}

// What the server will send between now and the time it is free. A frame in service counts with
// what is left of it.
uint64_t wire_queue_backlog(const struct wire_queue_state *q, const struct wire_settings *set,
			    uint64_t now_ns)
{
	uint64_t bits = 0;

	while (now_ns < q->free_ns) {
		uint64_t until_ns;
		const struct wire_path *path = wire_path_at(set, now_ns, &until_ns);
		if (until_ns > q->free_ns)
			until_ns = q->free_ns;
		bits += scale(until_ns - now_ns, path->rate, NS_PER_S);
		now_ns = until_ns;
	}
	return (bits + 7) / 8;
}

static double power(double x, uint64_t n)
{
	double y = 1;

	for (; n && y > 1e-9; n >>= 1, x *= x)
		if (n & 1)
			y *= x;
	return y;
}

static double draw(struct wire_queue_state *q)
{
	uint64_t z = q->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static bool red_drops(struct wire_queue_state *q, const struct wire_settings *set, uint64_t backlog,
		      uint64_t now_ns)
{
	double least = (double)set->queue_max / 4, most = least * 3;

	if (backlog) {
		q->average += RED_WEIGHT * ((double)backlog - q->average);
	} else if (now_ns > q->free_ns) {
		uint64_t rate = wire_path_at(set, now_ns, NULL)->rate;
		uint64_t n = scale(now_ns - q->free_ns, rate, (uint64_t)RED_PACKET * 8 * NS_PER_S);
		q->average *= power(1 - RED_WEIGHT, n);
	}
	if (q->average < least)
		return false;
	return q->average >= most || draw(q) < RED_DROP * (q->average - least) / (most - least);
}

static uint64_t square_root(uint64_t n)
{
	uint64_t root = 0;

	for (uint64_t bit = 1ull << 31; bit; bit >>= 1)
		if ((root | bit) * (root | bit) <= n)
			root |= bit;
	return root;
}

static uint64_t codel_next(const struct wire_queue_state *q, uint64_t at_ns)
{
	uint64_t interval = CODEL_INTERVAL_NS;

	return at_ns + square_root(interval * interval / q->count);
}

// Whether the frame at the head has waited too long for an interval on end.
static bool codel_may_drop(struct wire_queue_state *q, uint64_t waited_ns, uint64_t at_ns)
{
	if (waited_ns < CODEL_TARGET_NS) {
		q->first_above_ns = 0;
		return false;
	}
	if (!q->first_above_ns) {
		q->first_above_ns = at_ns + CODEL_INTERVAL_NS;
		return false;
	}
	return at_ns >= q->first_above_ns;
}

// RFC 8289, 5.5, one frame a call: it reaches the head of the queue at `at_ns`.
static bool codel_drops(struct wire_queue_state *q, uint64_t waited_ns, uint64_t at_ns)
{
	bool may_drop = codel_may_drop(q, waited_ns, at_ns);

	if (q->dropping) {
		if (!may_drop)
			q->dropping = false;
		if (!q->dropping || at_ns < q->drop_next_ns)
			return false;
		q->count++;
		q->drop_next_ns = codel_next(q, q->drop_next_ns);
		return true;
	}
	if (!may_drop)
		return false;
	uint64_t delta = q->count - q->last_count;
	bool is_soon = at_ns < q->drop_next_ns + 16ull * CODEL_INTERVAL_NS;
	q->dropping = true;
	q->count = delta > 1 && is_soon ? delta : 1;
	q->last_count = q->count;
	q->drop_next_ns = codel_next(q, at_ns);
	return true;
}

enum wire_fate wire_queue_pass(struct wire_queue_state *q, const struct wire_settings *set,
			       uint32_t wire_len, uint64_t now_ns, uint64_t *left_ns)
{
	uint64_t backlog = wire_queue_backlog(q, set, now_ns);
	uint64_t from_ns = q->free_ns > now_ns ? q->free_ns : now_ns;

	if (set->queue_max && backlog + wire_len > set->queue_max)
		return WIRE_TAIL;
	if (set->queue == WIRE_RED && red_drops(q, set, backlog, now_ns))
		return WIRE_EARLY;
	if (set->queue == WIRE_CODEL && codel_drops(q, from_ns - now_ns, from_ns))
		return WIRE_EARLY;
	q->free_ns = *left_ns = serve(set, from_ns, (uint64_t)wire_len * 8);
	if (backlog + wire_len > q->peak)
		q->peak = backlog + wire_len;
	return WIRE_N_FATES;
}
