// SPDX-License-Identifier: BSD-3-Clause
// Members whose shard is no more, and their numbers.
#include <stdlib.h>

#include "dataplane/group/handoff_priv.h"

bool handoff_holds(const struct handoff *h, unsigned member)
{
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
		if (h->home[slot] == member || (h->parties[slot] >> member & 1))
			return true;
	return false;
}

static void tasks_drop(struct handoff *h, unsigned member)
{
	for (unsigned i = 0; i < HANDOFF_TASKS; i++) {
		struct handoff_task *t = &h->tasks[i];
		if (t->member == member)
			t->state = TASK_NONE;
		if (t->from == member)
			t->from = HANDOFF_NOBODY;
	}
	h->members[member].n_active = 0;
}

void handoff_forget(struct handoff *h, unsigned member)
{
	handoff_leave(h, member);
	tasks_drop(h, member);
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
		slot_litter_gone(h, slot, member);
		if (h->home[slot] == member || (h->parties[slot] >> member & 1))
			slot_spoil(h, slot);
	}
	h->version++;
}

unsigned handoff_reuse(struct handoff *h)
{
	unsigned i = 0;
	while (i < h->n_members && (h->members[i].here || handoff_holds(h, i)))
		i++;
	if (i == h->n_members)
		return MEMBERS_MAX;
	tasks_drop(h, i);
	free(h->members[i].touched);
	free(h->members[i].losses);
	h->members[i] = (struct handoff_member){.here = false};
	return i;
}
