// SPDX-License-Identifier: BSD-3-Clause
// Moves of whole slots, as the new owner's stream shows them from their begin to their end:
//
//   task_begin() -> task_ends() -> task_done(): slot_unsure(), slot_behind(), slots_make_even(),
//                                               slots_take()
//
// What the streams say of them is read in handoff_control.c.
#include <stdio.h>
#include <string.h>

#include "dataplane/group/handoff_priv.h"

static bool task_holds(const struct handoff_task *t, const struct handoff_at *at, unsigned slot)
{
	return t->state != TASK_NONE && t->member == at->member && at->begin >= t->begin &&
	       (t->state == TASK_ACTIVE || at->begin < t->end) && bit_has(t->slots, slot);
}

bool task_covers(const struct handoff *h, const struct handoff_at *at, unsigned slot)
{
	for (unsigned i = 0; i < HANDOFF_TASKS; i++) {
		const struct handoff_task *t = &h->tasks[i];
		if (!t->by_keys && task_holds(t, at, slot))
			return true;
	}
	return false;
}

uint64_t task_carries(const struct handoff *h, const struct handoff_at *at, unsigned slot)
{
	for (unsigned i = 0; i < HANDOFF_TASKS; i++)
		if (h->tasks[i].by_keys && task_holds(&h->tasks[i], at, slot))
			return h->tasks[i].begin + 1;
	return 0;
}

bool task_takes(const struct handoff *h, unsigned member, unsigned slot)
{
	for (unsigned i = 0; h->members[member].n_active && i < HANDOFF_TASKS; i++)
		if (h->tasks[i].state == TASK_ACTIVE && h->tasks[i].member == member &&
		    bit_has(h->tasks[i].slots, slot))
			return true;
	return false;
}

bool task_is_active(const struct handoff *h, unsigned slot)
{
	for (unsigned i = 0; i < h->n_members; i++)
		if (task_takes(h, i, slot))
			return true;
	return false;
}

static struct handoff_task *task_find(struct handoff *h, unsigned member, struct span name)
{
	for (unsigned i = 0; i < HANDOFF_TASKS; i++) {
		struct handoff_task *t = &h->tasks[i];
		if (t->state != TASK_NONE && t->member == member && span_eq(name, span_of(t->name)))
			return t;
	}
	return NULL;
}

// A free one, or the one that ended first. @return NULL: all are active
static struct handoff_task *task_room(struct handoff *h)
{
	struct handoff_task *oldest = NULL;
	for (unsigned i = 0; i < HANDOFF_TASKS; i++) {
		struct handoff_task *t = &h->tasks[i];
		if (t->state == TASK_NONE)
			return t;
		if (t->state != TASK_ACTIVE && (!oldest || t->end < oldest->end))
			oldest = t;
	}
	return oldest;
}

// ---- Begin and end

// The last moment before this word at which its member is known to have owned a slot. What a view
// of later says may be of another time that it had it.
static uint64_t owned_before_ns(const struct handoff *h, const struct handoff_at *at, unsigned slot)
{
	const struct handoff_member *m = &h->members[at->member];
	uint64_t sure_ns = handoff_sure_ns(m, at->begin), last_ns = slot_home_ns(h, slot);
	uint64_t told_ns = slot_owned_ns(h, slot, at->member);
	if (told_ns > sure_ns)
		told_ns = h->owned_ns[slot];
	return told_ns <= sure_ns && told_ns > last_ns ? told_ns : last_ns;
}

// Nothing is left of what a member had, and the target has it still.
static void slot_copies_gone(struct handoff *h, unsigned slot, unsigned member)
{
	for (uint32_t i = h->first_key[slot]; i; i = key_at(h, i)->next)
		key_at(h, i)->spoilt |= key_at(h, i)->holder == member;
}

void losses_note(struct handoff *h, const struct handoff_at *at, const uint64_t *slots, bool trims)
{
	if (at->begin < h->members[at->member].judged)
		return;
	for (unsigned slot = bit_next(slots, 0); slot < SLOT_COUNT;
	     slot = bit_next(slots, slot + 1)) {
		if (h->home[slot] != at->member) {
			slot_copies_gone(h, slot, at->member);
		} else if (!h->lost_at[slot]) {
			h->lost_at[slot] = at->begin + 1;
			h->lost_ns[slot] = owned_before_ns(h, at, slot);
			h->lost_whole[slot] = trims;
		}
	}
}

static struct handoff_task *task_add(struct handoff *h, const struct handoff_at *at,
				     const struct told *told, uint64_t begin)
{
	struct handoff_task *t = task_room(h);
	if (!t || told->name.len >= sizeof(t->name))
		return NULL;
	*t = (struct handoff_task){.state = TASK_ACTIVE,
				   .member = (uint8_t)at->member,
				   .from = h->member_of(h->owner, told->from),
				   .by_keys = told->by_keys,
				   .begin = begin};
	memcpy(t->name, told->name.p, told->name.len);
	memcpy(t->slots, told->slots, sizeof(t->slots));
	h->members[at->member].n_active++;
	h->version++;
	for (unsigned slot = bit_next(t->slots, 0); !t->by_keys && slot < SLOT_COUNT;
	     slot = bit_next(t->slots, slot + 1)) // no word of it is kept of what comes back by it
		h->members[at->member].losses[slot].seen_ns = 0;
	return t;
}

// Its keys will come by commands: all of its slots are in flux, which is one write to the disk.
// Nothing of them is settled before the stream of who gives them is past that, too.
static void slots_unsettle(struct handoff *h, const struct handoff_at *at, const uint64_t *slots,
			   unsigned giver)
{
	for (unsigned slot = bit_next(slots, 0); slot < SLOT_COUNT;
	     slot = bit_next(slots, slot + 1)) {
		if (h->home[slot] == HANDOFF_NOBODY)
			continue;
		slot_flux_begin(h, slot, at->member);
		if (giver != HANDOFF_NOBODY)
			slot_flux_begin(h, slot, giver);
		if (h->home[slot] == at->member)
			h->base[slot] = (uint16_t)(h->base[slot] + 2);
	}
}

enum handoff_verdict task_begin(struct handoff *h, const struct handoff_at *at,
				const struct told *told)
{
	struct handoff_task *t = task_find(h, at->member, told->name);
	if (!t) {
		t = task_add(h, at, told, at->begin);
		if (!t) {
			handoff_resync(h, at->member, "more than %d slot migrations at once",
				       HANDOFF_TASKS);
			return HANDOFF_RESYNC;
		}
		if (told->by_keys)
			slots_unsettle(h, at, told->slots, t->from);
		else
			losses_note(h, at, told->slots, false);
	}
	if (t->state == TASK_ACTIVE && !is_saved(h))
		return handoff_waits(h, at, HANDOFF_DISK, 0, HANDOFF_NOBODY);
	return HANDOFF_SKIP;
}

// A home has lost a slot, as its own stream shows, and all that it wrote to it has been answered.
// That was this task's doing unless it has had the slot once more since: from somebody whose stream
// is behind, or was passed over in part.
static bool has_lost(const struct handoff *h, const struct handoff_task *t, unsigned slot,
		     uint64_t moment_ns)
{
	unsigned home = h->home[slot];
	if (!h->lost_at[slot] || !h->lost_whole[slot] || h->flux[slot] ||
	    !handoff_is_answered(h, home, h->lost_at[slot] - 1) ||
	    slot_is_suspect(h, slot, h->lost_ns[slot]))
		return false;
	if (task_takes(h, home, slot))
		return false;
	for (unsigned i = 0; i < h->n_members; i++)
		if (i != home && i != t->member && h->members[i].here &&
		    h->members[i].past_ns <= moment_ns)
			return false;
	return true;
}

// Whether everything that a member wrote to the slots before a moment has been answered: it was
// asked for its offset since, or its own stream shows that it has lost them.
static bool is_past(const struct handoff *h, const struct handoff_task *t, unsigned member,
		    uint64_t moment_ns)
{
	const struct handoff_member *m = &h->members[member];
	if (!m->here || m->past_ns > moment_ns)
		return true;
	for (unsigned slot = bit_next(t->slots, 0); slot < SLOT_COUNT;
	     slot = bit_next(t->slots, slot + 1))
		if (h->home[slot] == member && has_lost(h, t, slot, moment_ns))
			return true;
	return false;
}

// Whose copy of a slot the new owner had as the task ended.
static unsigned giver_of(const struct handoff *h, const struct handoff_task *t, unsigned slot)
{
	return t->from != HANDOFF_NOBODY && t->from != t->member ? t->from : h->home[slot];
}

// The first slot of which some member that had a part in it is not past the hand-over, SLOT_COUNT:
// none.
static unsigned slot_behind(const struct handoff *h, const struct handoff_at *at,
			    const struct handoff_task *t, uint64_t moment_ns, unsigned *who)
{
	uint64_t past = 1ull << at->member;
	for (unsigned slot = bit_next(t->slots, 0); slot < SLOT_COUNT;
	     slot = bit_next(t->slots, slot + 1)) {
		if (h->home[slot] == HANDOFF_NOBODY || slot_since(h, at, slot) != SINCE_AFTER)
			continue; // of nobody's slots handoff_settle() thinks
		unsigned giver = giver_of(h, t, slot);
		uint64_t parties = h->parties[slot] | 1ull << h->home[slot] | 1ull << giver;
		if (giver == at->member) { // it had to lose it first
			*who = HANDOFF_NOBODY;
			return slot;
		}
		for (*who = 0; *who < h->n_members; ++*who) {
			if (!((parties & ~past) >> *who & 1))
				continue;
			if (!is_past(h, t, *who, moment_ns))
				return slot;
			past |= 1ull << *who;
		}
	}
	return SLOT_COUNT;
}

// The copies that are left of keys in flux go. @return false: not now
static bool slots_make_even(struct handoff *h, const struct handoff_at *at,
			    const struct handoff_task *t)
{
	for (unsigned slot = bit_next(t->slots, 0); slot < SLOT_COUNT;
	     slot = bit_next(t->slots, slot + 1)) {
		if (h->home[slot] == HANDOFF_NOBODY || slot_since(h, at, slot) != SINCE_AFTER)
			continue;
		int rc = slot_make_even(h, slot, giver_of(h, t, slot), slot_home_ns(h, slot), 0);
		if (rc < 0)
			return false;
		if (!rc)
			slot_spoil(h, slot);
	}
	return true;
}

static void task_ended(struct handoff *h, const struct handoff_at *at, struct handoff_task *t,
		       enum handoff_task_state state)
{
	struct handoff_member *m = &h->members[at->member];
	if (t->state != TASK_ACTIVE)
		return;
	m->n_active--;
	t->state = state;
	t->end = at->end;
	if (!t->by_keys && at->end > m->task_end)
		m->task_end = at->end;
	h->version++;
}

// What the target did not have before is not there now either. A task that ended before the last
// full sync of a slot says nothing of it, unless it is of who was synced: his snapshot is older
// than what his master said, so that it may lack what the task brought.
static void slots_take(struct handoff *h, const struct handoff_at *at, const struct handoff_task *t,
		       uint64_t moment_ns)
{
	for (unsigned slot = bit_next(t->slots, 0); slot < SLOT_COUNT;
	     slot = bit_next(t->slots, slot + 1)) {
		// What it had of the slot already, the task's keys came on top of. What the giver
		// says of keys may be of another time, when it had got them back; of a home that
		// was waited for, see is_early().
		unsigned giver = giver_of(h, t, slot);
		bool dirty = h->dirty[slot] || slot_has_copies(h, slot, at->member) ||
			     (giver != h->home[slot] && h->first_key[slot]);
		if (h->home[slot] == HANDOFF_NOBODY)
			continue;
		enum since since = slot_since(h, at, slot);
		if (since == SINCE_AFTER) {
			unsigned former = giver == h->home[slot] ? giver : HANDOFF_NOBODY;
			slot_rehome(h, slot, at->member);
			slot_flux_end(h, slot, former);
			h->settled_ns[slot] = h->owned_ns[slot] = moment_ns;
		}
		bool is_told = since == SINCE_BEFORE && h->home[slot] != at->member;
		if (!is_told && (dirty || since != SINCE_AFTER))
			slot_spoil(h, slot);
	}
}

// A slot of which it is not known yet whether the task says anything, SLOT_COUNT: none.
static unsigned slot_unsure(const struct handoff *h, const struct handoff_at *at,
			    const struct handoff_task *t)
{
	for (unsigned slot = bit_next(t->slots, 0); slot < SLOT_COUNT;
	     slot = bit_next(t->slots, slot + 1))
		if (slot_since(h, at, slot) == SINCE_ASK)
			return slot;
	return SLOT_COUNT;
}

static enum handoff_verdict task_done(struct handoff *h, const struct handoff_at *at,
				      struct handoff_task *t)
{
	if (t->state == TASK_ACTIVE) {
		uint64_t moment_ns = handoff_moment_ns(h, at);
		unsigned unsure = slot_unsure(h, at, t), who;
		if (unsure < SLOT_COUNT)
			return handoff_waits(h, at, HANDOFF_PASSING, unsure, at->member);
		unsigned behind = slot_behind(h, at, t, moment_ns, &who);
		if (behind < SLOT_COUNT)
			return handoff_waits(h, at, HANDOFF_PASSING, behind, who);
		if (!slots_make_even(h, at, t))
			return handoff_waits(h, at, HANDOFF_ANSWERS, 0, HANDOFF_NOBODY);
		task_ended(h, at, t, TASK_DONE);
		slots_take(h, at, t, moment_ns);
	}
	if (!is_saved(h))
		return handoff_waits(h, at, HANDOFF_DISK, 0, HANDOFF_NOBODY);
	return HANDOFF_SKIP;
}

// A task of which the beginning was not seen: what it brought is in the snapshot, or was skipped.
static struct handoff_task *task_of(struct handoff *h, const struct handoff_at *at,
				    const struct told *told)
{
	struct handoff_task *t = task_find(h, at->member, told->name);
	return t || !told->has_slots ? t : task_add(h, at, told, 0);
}

enum handoff_verdict task_ends(struct handoff *h, const struct handoff_at *at,
			       const struct told *told, bool success)
{
	struct handoff_task *t = task_of(h, at, told);
	if (!t && success) {
		handoff_resync(h, at->member,
			       "slots came to the shard by a migration whose beginning was not "
			       "seen");
		return HANDOFF_RESYNC;
	}
	if (t && success && !t->by_keys)
		return task_done(h, at, t);
	if (t && success)
		task_ended(h, at, t, TASK_DONE); // handoff_settle() does the rest
	else if (t)
		task_ended(h, at, t, TASK_FAILED);
	if (t && !is_saved(h)) // or a crash would leave it on for ever
		return handoff_waits(h, at, HANDOFF_DISK, 0, HANDOFF_NOBODY);
	return HANDOFF_SKIP;
}

// Whether a task was on as its member's full sync began.
static bool task_was_known(const struct handoff *h, unsigned member, struct span name)
{
	for (unsigned i = 0; i < HANDOFF_TASKS; i++)
		if (h->tasks[i].member == member && name.len &&
		    span_eq(name, span_of(h->tasks[i].name)))
			return true;
	return false;
}

void task_in_snapshot(struct handoff *h, const struct handoff_at *at, const struct told *told)
{
	if (task_find(h, at->member, told->name))
		return;
	// Of one that we know nothing of, it is not known what was there before.
	bool known = task_was_known(h, at->member, told->name);
	for (unsigned slot = bit_next(told->slots, 0); slot < SLOT_COUNT;
	     slot = bit_next(told->slots, slot + 1)) {
		if (!known || bit_has(h->members[at->member].littered, slot))
			slot_litter(h, slot, at->member);
		if (h->home[slot] == at->member) // it ended before the master said who owns what
			slot_spoil(h, slot);
	}
	if (!task_add(h, at, told, 0))
		handoff_resync(h, at->member, "more than %d slot migrations at once",
			       HANDOFF_TASKS);
}
