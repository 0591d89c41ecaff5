// SPDX-License-Identifier: BSD-3-Clause
// Connections of which only TIME-WAIT is left. They all wait equally long, so they end in the order
// in which they came; one that its owner closed late ends with the one before it.
//
//   flow_settle() -> wait_begin();  tcp_segment_input() -> wait_input();  waits_run() ends them
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "dataplane/net/stack_priv.h"

#define NOBODY UINT32_MAX

int waits_init(struct stack *s, const uint8_t secret[16])
{
	struct waits *w = &s->waits;
	uint32_t max = WAITS_PER_FLOW * s->set.connections_max;
	w->rows = aligned_alloc(64, max * sizeof(*w->rows));
	if (!w->rows || flow_table_init(&w->table, max, secret))
		return -ENOMEM;
	w->first = w->last = NOBODY;
	for (uint32_t i = 0; i < max; i++)
		w->rows[i].behind = i + 1 < max ? i + 1 : NOBODY;
	return 0;
}

void waits_fini(struct stack *s)
{
	flow_table_fini(&s->waits.table);
	free(s->waits.rows);
}

static void row_unlink(struct waits *w, uint32_t index)
{
	const struct time_wait *row = &w->rows[index];
	if (row->before == NOBODY)
		w->first = row->behind;
	else
		w->rows[row->before].behind = row->behind;
	if (row->behind == NOBODY)
		w->last = row->before;
	else
		w->rows[row->behind].before = row->before;
}

static void row_append(struct waits *w, uint32_t index)
{
	struct time_wait *row = &w->rows[index];
	row->before = w->last;
	row->behind = NOBODY;
	if (w->last == NOBODY)
		w->first = index;
	else
		w->rows[w->last].behind = index;
	w->last = index;
}

static void wait_end(struct waits *w, uint32_t index)
{
	row_unlink(w, index);
	flow_table_remove(&w->table, index);
	w->rows[index].behind = w->unused;
	w->unused = index;
}

bool wait_begin(struct flow *f)
{
	struct waits *w = &f->stack->waits;
	struct time_wait left;
	if (!time_wait_take(f->tcp, &left))
		return false;
	struct flow_key key = flow_key_of(tcp_tuple(f->tcp));
	flow_free(f);
	if (w->unused == NOBODY) // the one that has waited longest gives way
		wait_end(w, w->first);
	uint32_t index = w->unused;
	w->unused = w->rows[index].behind;
	w->rows[index] = left;
	row_append(w, index);
	flow_table_put(&w->table, &key, index);
	return true;
}

bool wait_input(struct stack *s, const struct received *r, const struct tcp_segment *seg,
		const struct flow_key *key)
{
	struct waits *w = &s->waits;
	uint32_t index = w->table.n ? flow_table_find(&w->table, key) : FLOW_NONE;
	if (index == FLOW_NONE)
		return false;
	struct time_wait *row = &w->rows[index];
	struct tcp_tuple tuple = {r->ip.family};
	struct tcp_segment answer;
	if (time_wait_is_reusable(row, seg)) { // the peer opens anew (RFC 6191)
		wait_end(w, index);
		return false;
	}
	uint64_t before_ns = row->end_ns;
	memcpy(tuple.local, r->ip.target, address_len(tuple.family));
	memcpy(tuple.remote, r->ip.source, address_len(tuple.family));
	if (time_wait_input(row, s->host, seg, r->now_ns, &answer))
		segment_send(s, &tuple, &answer, r->now_ns);
	if (row->end_ns != before_ns) {
		row_unlink(w, index);
		row_append(w, index);
	}
	return true;
}

void waits_run(struct stack *s, uint64_t now_ns)
{
	while (waits_deadline(s) <= now_ns)
		wait_end(&s->waits, s->waits.first);
}

uint64_t waits_deadline(const struct stack *s)
{
	const struct waits *w = &s->waits;
	return w->first == NOBODY ? UINT64_MAX : w->rows[w->first].end_ns;
}
