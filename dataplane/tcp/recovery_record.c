// SPDX-License-Identifier: BSD-3-Clause
// The records: a ring in the order of sequence numbers, with lists through it of what is to be sent
// again and of what was, the latter in the order of transmission.
//
// No peer can make an acknowledgement cost more than what it newly says (CVE-2019-11477..79):
// records are found by guess and bisection, sacked runs are jumped over by paths that get shorter
// each time they are walked, and nothing else is walked but lists of what changes.
#include "dataplane/tcp/recovery_priv.h"

#include <errno.h>
#include <stdlib.h>

int record_init(struct recovery_state *st)
{
	st->records = malloc(RECORDS_FIRST * sizeof(*st->records));
	if (!st->records)
		return -ENOMEM;
	st->mask = RECORDS_FIRST - 1;
	return 0;
}

static bool grow(struct recovery_state *st)
{
	uint32_t mask = st->mask * 2 + 1;
	struct record *records = malloc(((size_t)mask + 1) * sizeof(*records));

	if (!records)
		return false;
	for (uint32_t i = st->head; i != st->tail; i++)
		records[i & mask] = *record_of(st, i);
	free(st->records);
	st->records = records;
	st->mask = mask;
	return true;
}

struct record *record_push(struct recovery *r, uint32_t len)
{
	struct recovery_state *st = r->state;
	uint32_t n = st->tail - st->head;
	struct record *rec;

	if (n >= r->set->records_max || (n > st->mask && !grow(st)))
		return NULL;
	rec = record_of(st, st->tail++);
	rec->from = r->nxt;
	rec->to = seq_add(r->nxt, len);
	rec->where = RECORD_SENT;
	rec->flags = 0;
	rec->again = 0;
	return rec;
}

// Segments are mostly of one size, so the guess is mostly near: what it takes grows with the
// logarithm of how far off it is.
uint32_t record_find(const struct recovery *r, struct seq from)
{
	const struct recovery_state *st = r->state;
	uint32_t low = st->head, high = st->tail, step = 1, guess;
	int32_t ahead = seq_diff(from, r->una);

	if (ahead <= 0 || low == high)
		return low;
	guess = low + (uint32_t)ahead / r->mss;
	if (!index_lt(guess, high))
		guess = high - 1;
	if (seq_lt(record_of(st, guess)->from, from)) {
		low = guess + 1;
		while (index_lt(low + step, high) &&
		       seq_lt(record_of(st, low + step)->from, from)) {
			low += step + 1;
			step *= 2;
		}
		if (index_lt(low + step, high))
			high = low + step;
	} else {
		high = guess;
		while (index_lt(low, high - step) && high - low > step &&
		       seq_ge(record_of(st, high - step)->from, from)) {
			high -= step;
			step *= 2;
		}
		if (high - low > step)
			low = high - step;
	}
	while (low != high) {
		uint32_t middle = low + (high - low) / 2;

		if (seq_lt(record_of(st, middle)->from, from))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

// A disjoint-set forest whose roots are the last records of runs; each walk halves its path.
uint32_t record_skip_sacked(struct recovery_state *st, uint32_t i)
{
	for (;;) {
		struct record *rec = record_of(st, i);
		struct record *next = record_of(st, rec->next);

		if (rec->next == i)
			return i + 1;
		i = rec->next = next->next;
	}
}

static void join_run(struct recovery_state *st, uint32_t i)
{
	struct record *rec = record_of(st, i);

	rec->next = i;
	if (i + 1 != st->tail && record_of(st, i + 1)->where == RECORD_SACKED)
		rec->next = i + 1;
	if (i != st->head && record_of(st, i - 1)->where == RECORD_SACKED)
		record_of(st, i - 1)->next = i;
}

static struct record_list *list_of(struct recovery_state *st, enum record_where where)
{
	switch (where) {
	case RECORD_LOST:
		return &st->lost;
	case RECORD_AGAIN:
		return &st->again;
	case RECORD_RESENT:
		return &st->resent;
	default:
		return NULL;
	}
}

static void list_remove(struct recovery_state *st, struct record_list *l, uint32_t i)
{
	const struct record *rec = record_of(st, i);

	assert(l->n > 0);
	if (l->first == i)
		l->first = rec->next;
	else
		record_of(st, rec->prev)->next = rec->next;
	if (l->last == i)
		l->last = rec->prev;
	else
		record_of(st, rec->next)->prev = rec->prev;
	l->n--;
}

static void list_append(struct recovery_state *st, struct record_list *l, uint32_t i)
{
	if (l->n++ == 0) {
		l->first = i;
	} else {
		record_of(st, l->last)->next = i;
		record_of(st, i)->prev = l->last;
	}
	l->last = i;
}

static void list_prepend(struct recovery_state *st, struct record_list *l, uint32_t i)
{
	if (l->n++ == 0) {
		l->last = i;
	} else {
		record_of(st, l->first)->prev = i;
		record_of(st, i)->next = l->first;
	}
	l->first = i;
}

static void list_insert_before(struct recovery_state *st, struct record_list *l, uint32_t i,
			       uint32_t before)
{
	struct record *rec = record_of(st, i), *next = record_of(st, before);

	rec->prev = next->prev;
	rec->next = before;
	record_of(st, rec->prev)->next = i;
	next->prev = i;
	l->n++;
}

void record_move(struct recovery_state *st, uint32_t i, enum record_where where)
{
	struct record *rec = record_of(st, i);
	struct record_list *from = list_of(st, rec->where), *to = list_of(st, where);

	if (from)
		list_remove(st, from, i);
	rec->where = where;
	if (to)
		list_append(st, to, i);
}

void record_move_first(struct recovery_state *st, uint32_t i)
{
	struct record_list *l = list_of(st, record_of(st, i)->where);

	if (l) {
		list_remove(st, l, i);
		list_prepend(st, l, i);
	}
}

// Into `resent`, by the time of transmission. Who comes here is mostly older than all that is
// there.
static void put_resent(struct recovery_state *st, uint32_t i)
{
	struct record_list *l = &st->resent;
	struct record *rec = record_of(st, i);
	uint32_t at = l->first, n = l->n;

	record_move(st, i, RECORD_SENT);
	rec->where = RECORD_RESENT;
	for (; n && record_of(st, at)->sent_ns < rec->sent_ns; n--)
		at = record_of(st, at)->next;
	if (n == 0)
		list_append(st, l, i);
	else if (at == l->first)
		list_prepend(st, l, i);
	else
		list_insert_before(st, l, i, at);
}

static void count_out(struct recovery *r, struct record *rec)
{
	r->resent -= rec->again;
	rec->again = 0;
	if (rec->flags & RECORD_IS_LOST) {
		r->lost -= record_len(rec);
		rec->flags &= ~RECORD_IS_LOST;
	}
}

void record_delivered(struct recovery *r, uint32_t i, struct delivery *d)
{
	struct recovery_state *st = r->state;
	struct record *rec = record_of(st, i);

	if (rec->where != RECORD_SENT) {
		count_out(r, rec);
		record_move(st, i, RECORD_SENT);
	}
	d->bytes += record_len(rec);
	if (!(rec->flags & RECORD_WAS_RESENT)) {
		if (!d->once || rec->sent_ns >= d->once->sent_ns)
			d->once = rec;
		if (seq_le(rec->to, st->high))
			d->has_original = true;
	}
	if (!d->newest || sent_after(rec->sent_ns, rec->to, d->newest->sent_ns, d->newest->to))
		d->newest = rec;
	if (record_len(rec) >= r->mss)
		st->full_size_losses = 0;
	rack_delivered(r, rec, d);
}

void record_sacked(struct recovery *r, uint32_t i, struct delivery *d)
{
	struct recovery_state *st = r->state;
	struct record *rec = record_of(st, i);

	record_delivered(r, i, d);
	rec->where = RECORD_SACKED;
	join_run(st, i);
	r->sacked += record_len(rec);
	d->sacked += record_len(rec);
	st->rack.n_sacked++;
}

static void tell_lost(struct recovery *r, const struct record *rec, uint64_t now_ns)
{
	const struct recovery_state *st = r->state;
	struct loss_sample s = {
		.now_ns = now_ns,
		.len = record_len(rec),
		.delivered = st->rate.delivered,
		.lost_total = st->rate.lost,
		.sent_in_flight = rec->in_flight,
		.sent_lost = st->rate.lost - (uint32_t)((uint32_t)st->rate.lost - rec->lost),
		.is_app_limited = rec->flags & RECORD_APP_LIMITED,
	};

	if (st->is_open && r->congestion->ops->lost)
		r->congestion->ops->lost(r->congestion, &s);
}

void record_lost(struct recovery *r, uint32_t i, uint64_t now_ns)
{
	struct recovery_state *st = r->state;
	struct record *rec = record_of(st, i);

	assert(rec->where == RECORD_SENT || rec->where == RECORD_RESENT);
	count_out(r, rec);
	rec->flags |= RECORD_IS_LOST;
	r->lost += record_len(rec);
	st->rate.lost += record_len(rec);
	record_move(st, i, rec->flags & RECORD_WAS_RESENT ? RECORD_AGAIN : RECORD_LOST);
	if (i == st->head && record_len(rec) >= r->mss)
		st->full_size_losses++;
	tell_lost(r, rec, now_ns);
}

void record_resent(struct recovery *r, uint32_t i, uint32_t len)
{
	struct recovery_state *st = r->state;
	struct record *rec = record_of(st, i);
	uint32_t again = rec->again + len;

	assert(rec->where != RECORD_SACKED);
	if (again > record_len(rec))
		again = record_len(rec);
	r->resent += again - rec->again;
	rec->again = (uint16_t)again;
	rec->flags |= RECORD_WAS_RESENT;
	// A probe's is not held for lost; a lost one waits until all its pieces have gone out.
	if (again == record_len(rec) || !(rec->flags & RECORD_IS_LOST))
		record_move(st, i, RECORD_RESENT);
}

void record_cut(struct recovery *r, struct seq una, struct delivery *d)
{
	struct record *rec = record_of(r->state, r->state->head);
	uint32_t len = una.v - rec->from.v;
	uint32_t again = rec->again < len ? rec->again : len;

	if (rec->where == RECORD_SACKED)
		r->sacked -= len;
	else
		d->bytes += len;
	if (rec->flags & RECORD_IS_LOST)
		r->lost -= len;
	r->resent -= again;
	rec->again -= (uint16_t)again;
	rec->from = una;
}

void records_unsack(struct recovery *r)
{
	struct recovery_state *st = r->state;

	for (uint32_t i = st->head; i != st->tail; i++) {
		struct record *rec = record_of(st, i);

		if (rec->where != RECORD_SACKED)
			continue;
		rec->where = RECORD_SENT;
		if (rec->flags & RECORD_WAS_RESENT)
			put_resent(st, i);
		r->sacked -= record_len(rec);
	}
	st->rack.n_sacked = 0;
	st->fresh = st->head;
}

static void unlose(struct recovery *r, uint32_t i)
{
	struct record *rec = record_of(r->state, i);

	if (rec->flags & RECORD_IS_LOST)
		r->lost -= record_len(rec);
	rec->flags &= ~RECORD_IS_LOST;
}

static void unlose_list(struct recovery *r, const struct record_list *l)
{
	struct recovery_state *st = r->state;

	while (l->n) {
		uint32_t i = l->last;

		unlose(r, i);
		if (record_of(st, i)->flags & RECORD_WAS_RESENT)
			put_resent(st, i);
		else
			record_move(st, i, RECORD_SENT);
	}
}

// What was sent again stays in flight twice, until it is acknowledged.
void records_unlose(struct recovery *r)
{
	struct recovery_state *st = r->state;
	uint32_t i = st->resent.first;

	for (uint32_t n = st->resent.n; n; n--, i = record_of(st, i)->next)
		unlose(r, i);
	unlose_list(r, &st->lost);
	unlose_list(r, &st->again);
	st->fresh = st->head;
}
