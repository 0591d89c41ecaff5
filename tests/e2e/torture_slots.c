// SPDX-License-Identifier: BSD-3-Clause
// Slots of a cluster that move, to and fro or half way. In a source the nodes may fail meanwhile:
// what the cluster makes of it is right, and the target has to follow. In a target they do not: a
// replica that takes over forgets which slots had been moving, and answers for keys that it does
// not have as if there were none.
#include "tests/e2e/torture.h"

#include <signal.h>

#define LATE_MOST_MS 500 // behind slots that have moved

static struct server *taker_drawn(struct side *s, uint16_t slot, const struct fault_plan *f)
{
	struct servers masters = cluster_masters(s->cluster);
	unsigned at = f->amount % masters.n;

	if (masters.list[at] == cluster_owner(s->cluster, slot))
		at = (at + 1) % masters.n;
	return masters.list[at];
}

// Half of the time, what one of the masters says of it comes late.
bool slots_wander(struct torture *t, const struct fault_plan *f)
{
	struct side *s = fault_side(t, f);

	side_mend(s);
	struct proxy *late = line_drawn(s, f);
	proxy_delay(late, f->amount % 2 ? (int)f->amount % LATE_MOST_MS : 0);
	for (unsigned i = 0; i < 1 + f->amount % 12; i++) {
		uint16_t slot = slot_drawn(t, f->amount + i * 7);
		slots_move(s->cluster, slot, slot, taker_drawn(s, slot, f));
	}
	bytes_wait(t, f->bytes, LATE_MOST_MS);
	proxy_delay(late, 0);
	return true;
}

// Some of their keys are here, others there.
bool slots_are_torn(struct torture *t, const struct fault_plan *f)
{
	struct side *s = fault_side(t, f);

	side_mend(s);
	s->n_torn = 0;
	s->torn_to = taker_drawn(s, slot_drawn(t, f->amount), f);
	for (unsigned i = 0; i < TORN_MAX; i++) {
		uint16_t slot = slot_drawn(t, f->amount + i);
		if (cluster_owner(s->cluster, slot) == s->torn_to)
			continue;
		slot_move_begin(s->cluster, slot, s->torn_to);
		slot_move_keys(s->cluster, slot, s->torn_to, f->amount / 10 % 3);
		s->torn[s->n_torn++] = slot;
	}
	return true;
}

static void slots_given_up(struct torture *t, struct side *s, struct server *to)
{
	process_signal(t->writer, SIGSTOP);
	for (unsigned i = 0; i < s->n_torn; i++)
		slot_move_give_up(s->cluster, s->torn[i], to);
	process_signal(t->writer, SIGCONT);
}

// Masters of today know nothing of a move that their predecessors had begun.
static void moves_begin_again(struct side *s, struct server *to)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_torn; i++) {
		if (cluster_owner(s->cluster, s->torn[i]) == to)
			continue;
		slot_move_begin(s->cluster, s->torn[i], to);
		s->torn[n++] = s->torn[i];
	}
	s->n_torn = n;
}

// The other keys follow; then the slots may move back, all at once. Or the operator gives up, and
// what has moved is lost: the target has to lose it, too.
void slots_are_whole(struct torture *t, const struct fault_plan *f)
{
	struct side *s = fault_side(t, f);

	side_mend(s);
	struct server *to = cluster_master_of(s->cluster, s->torn_to);
	moves_begin_again(s, to);
	if (f->amount % 3 == 0 && f->source_side) {
		slots_given_up(t, s, to);
		return;
	}
	for (unsigned i = 0; i < s->n_torn; i++) {
		uint16_t slot = s->torn[i];
		struct server *from = cluster_owner(s->cluster, slot);
		slot_move_rest(s->cluster, slot, to);
		slot_move_end(s->cluster, slot, to);
		if (f->amount % 3 == 1)
			slots_move(s->cluster, slot, slot, from);
	}
}
