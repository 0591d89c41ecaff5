// SPDX-License-Identifier: BSD-3-Clause
// handoff_command()                                         nearly always
//                   -> key_look() of each key -> keys_take() what becomes of the command
//                                             -> key_take()  and what it makes known
//
// The first looks change nothing, so that a command that has to wait is looked at again.
#include <string.h>

#include "dataplane/group/handoff_priv.h"

#define SLOTS_AHEAD 64 // of one that moves

// Two streams may wait for one another here: after a while the order in which they are read has to
// do, also for what was written before that moment, and handoff_settle() looks whether it was
// right.
static bool has_waited(struct handoff *h, const struct handoff_at *at, uint64_t moment_ns)
{
	struct handoff_member *m = &h->members[at->member];
	const struct handoff_wait *w = &m->wait;
	if (w->reason != HANDOFF_READY && w->begin == at->begin &&
	    h->now_ns > w->since_ns + h->third_ns_max && moment_ns > m->in_vain_ns)
		m->in_vain_ns = moment_ns;
	return moment_ns <= m->in_vain_ns;
}

// The slots after one that moves are likely to move soon, by the same way: they are in flux from
// now on, which is one write to the disk instead of one for each.
static void slots_ahead(struct handoff *h, const struct call *call)
{
	unsigned home = h->home[call->slot], last = call->slot + SLOTS_AHEAD;
	if (h->flux[call->slot] || home == call->at->member)
		return;
	for (unsigned slot = call->slot + 1; slot <= last && slot < SLOT_COUNT; slot++)
		if (h->home[slot] == home && !h->flux[slot])
			slot_flux_begin(h, slot, call->at->member);
}

// Before a key is tracked: the disk knows that the slot is in flux.
static enum handoff_verdict track_wait(struct handoff *h, const struct call *call, int n_keys)
{
	const struct handoff_at *at = call->at;
	if (call->arrives)
		slots_ahead(h, call);
	slot_flux_begin(h, call->slot, at->member);
	if (!is_saved(h))
		return handoff_waits(h, at, HANDOFF_DISK, call->slot, HANDOFF_NOBODY);
	if (!keys_have_room(h, (unsigned)n_keys))
		return handoff_waits(h, at, HANDOFF_ROOM, call->slot, HANDOFF_NOBODY);
	return HANDOFF_SEND;
}

// Of two streams that wait for one another the one goes on whose command is the older one, as far
// as the certificates tell.
static bool is_after(const struct handoff *h, unsigned member, const struct handoff_at *at,
		     uint64_t moment_ns)
{
	const struct handoff_wait *w = &h->members[member].wait;
	bool later = w->moment_ns > moment_ns || (w->moment_ns == moment_ns && member > at->member);
	return w->reason == HANDOFF_PASSING && later;
}

// A full sync that may touch the slot.
static bool is_loading(const struct handoff_member *m, unsigned member, const struct handoff *h,
		       unsigned slot)
{
	return m->loading && (bit_has(m->claimed, slot) || bit_has(m->takes, slot) ||
			      h->parties[slot] >> member & 1);
}

// Before a member's copy gets to the target: all of what others have sent to the slot is answered.
static enum handoff_verdict enter_wait(struct handoff *h, const struct call *call)
{
	const struct handoff_at *at = call->at;
	uint64_t others = h->parties[call->slot] & ~(1ull << at->member);
	bool several = __builtin_popcountll(others) > 1;
	uint64_t moment_ns = handoff_moment_ns(h, at);
	for (unsigned i = 0; i < h->n_members; i++) {
		const struct handoff_member *m = &h->members[i];
		if (i == at->member || !m->here)
			continue;
		if (!handoff_is_answered(h, i, m->touched[call->slot].sent) ||
		    is_loading(m, i, h, call->slot))
			return handoff_waits(h, at, HANDOFF_ANSWERS, call->slot, i);
		if (several && others >> i & 1 && m->past_ns <= moment_ns &&
		    !is_after(h, i, at, moment_ns) && !has_waited(h, at, moment_ns))
			return handoff_waits(h, at, HANDOFF_PASSING, call->slot, i);
	}
	return HANDOFF_SEND;
}

// How the keys of a command look together.
struct looks {
	int n, n_skip, n_enter;
	bool asks;
};

static struct looks keys_look(const struct handoff *h, const struct call *call,
			      const struct span *argv, const struct key_run *run)
{
	struct looks l = {.n = run->n};
	for (int i = 0; i < run->n; i++) {
		enum look look = key_look(h, call, argv[key_run_at(run, i)]);
		l.n_enter += look == LOOK_ENTER;
		l.n_skip += look == LOOK_SKIP;
		l.asks |= look == LOOK_ASK;
	}
	return l;
}

static enum handoff_verdict no_room(struct handoff *h, const struct handoff_at *at)
{
	handoff_resync(h, at->member, "no memory for the keys of slots that move");
	return HANDOFF_RESYNC;
}

// It was sent and answered, the target is asked for less than that, and now it is not sent: what it
// brought may be missing.
static void again_spoil(struct handoff *h, const struct call *call, const struct looks *l)
{
	bool mixed = l->n_skip < l->n && !call->deletes;
	if (l->n_skip && (mixed || !h->flux[call->slot]) &&
	    call->at->begin < h->members[call->at->member].touched[call->slot].sent)
		slot_spoil(h, call->slot);
}

// The home has lost the slot whole, and has it again already: the stream of who took it in shows
// that later, and what the target has must be what he got.
static bool is_early(const struct handoff *h, const struct call *call)
{
	return h->home[call->slot] == call->at->member && h->lost_at[call->slot] &&
	       call->at->begin >= h->lost_at[call->slot] - 1;
}

static enum handoff_verdict early_wait(struct handoff *h, const struct call *call)
{
	unsigned taker = 0;
	if (slot_is_suspect(h, call->slot, h->lost_ns[call->slot])) {
		h->lost_at[call->slot] = 0; // a full sync has passed over that
		slot_spoil(h, call->slot);
		return HANDOFF_SEND;
	}
	while (taker == call->at->member || !h->members[taker].here)
		if (++taker == h->n_members)
			break;
	return handoff_waits(h, call->at, HANDOFF_PASSING, call->slot, taker);
}

static enum handoff_verdict keys_wait(struct handoff *h, const struct call *call,
				      const struct looks *l)
{
	enum handoff_verdict verdict = HANDOFF_SEND;
	bool comes_back = call->arrives || call->carried; // .. to the home: it was elsewhere
	bool tracks = l->n_enter || (l->n_skip && !call->deletes) || comes_back;
	if (l->asks)
		return handoff_waits(h, call->at, HANDOFF_PASSING, call->slot, call->at->member);
	if (call->again)
		return HANDOFF_SEND;
	if (is_early(h, call))
		return early_wait(h, call);
	if (tracks)
		verdict = track_wait(h, call, l->n);
	if (comes_back && h->home[call->slot] == call->at->member && !h->base[call->slot])
		h->base[call->slot] = 2;
	if (verdict == HANDOFF_SEND && l->n_enter)
		verdict = enter_wait(h, call);
	return verdict;
}

static enum handoff_verdict keys_take(struct handoff *h, const struct call *call,
				      const struct span *argv, const struct key_run *run)
{
	struct looks l = keys_look(h, call, argv, run);
	enum handoff_verdict verdict = keys_wait(h, call, &l);
	if (verdict != HANDOFF_SEND)
		return verdict;
	if (call->again)
		again_spoil(h, call, &l);
	for (int i = 0; i < run->n; i++) {
		struct span key = argv[key_run_at(run, i)];
		enum look look = key_look(h, call, key);
		if (!key_take(h, call, key, look, call->deletes || !l.n_skip))
			return no_room(h, call->at);
	}
	if (l.n_skip)
		return l.n_skip < l.n && call->deletes ? HANDOFF_PARTS : HANDOFF_SKIP;
	// Of those of which the era begins there, perhaps of none.
	return l.n_enter || call->again ? HANDOFF_CLEAR : HANDOFF_SEND;
}

// Commands that belong to no slot of their own.
static enum handoff_verdict keyless(struct handoff *h, const struct handoff_at *at,
				    const struct command *c)
{
	if (!c || c->class != CLASS_GLOBAL)
		return HANDOFF_SEND;
	if (!handoff_holds(h, at->member))
		return HANDOFF_SKIP;
	handoff_resync(h, at->member, "%s in one shard empties that shard alone", c->name);
	return HANDOFF_RESYNC;
}

static void judged(struct handoff *h, const struct handoff_at *at, const struct command *c,
		   unsigned slot, enum handoff_verdict verdict)
{
	struct handoff_member *m = &h->members[at->member];
	struct handoff_touch *touch = &m->touched[slot];
	if (verdict == HANDOFF_WAIT)
		return;
	if (at->end > touch->wrote && !is_deletion(c))
		touch->wrote = at->end;
	m->wait.reason = HANDOFF_READY;
	if (at->end > m->judged)
		m->judged = at->end;
	if (verdict == HANDOFF_SKIP)
		m->n_skipped++;
	else if (at->end > touch->sent)
		touch->sent = at->end;
}

enum handoff_verdict handoff_command(struct handoff *h, const struct handoff_at *at,
				     const struct command *c, const struct span *argv, int argc)
{
	const struct handoff_member *m = &h->members[at->member];
	struct key_run run = {.n = argc > 1, .first = 1, .step = 1};
	if (c && command_key_run(c, argv, argc, &run))
		run.n = 0;
	if (!run.n || (c && c->class == CLASS_MSG))
		return keyless(h, at, c);
	unsigned slot = key_slot(argv[key_run_at(&run, 0)]);
	enum handoff_verdict verdict = HANDOFF_SEND;
	if (h->home[slot] == HANDOFF_NOBODY)
		verdict = HANDOFF_SKIP; // its owner is to be synced
	else if (h->home[slot] != at->member || h->flux[slot] || at->begin < m->task_end ||
		 m->n_active || h->lost_at[slot] || is_import(c)) {
		struct call call = call_of(h, at, c, slot);
		verdict = task_covers(h, at, slot) ? HANDOFF_SKIP : keys_take(h, &call, argv, &run);
	}
	judged(h, at, c, slot, verdict);
	return verdict;
}

bool handoff_import(struct handoff *h, const struct handoff_at *at, struct span key)
{
	struct call call = {.at = at, .slot = key_slot(key), .states = true, .arrives = true};
	struct handoff_key *k = key_find(h, key_hash_of(at->db, key));
	if (h->home[call.slot] == HANDOFF_NOBODY || !keys_have_room(h, 1))
		return false;
	const struct handoff_party *held = k ? party_find(k, k->holder) : NULL;
	if (held && !held->gone && k->after_ns >= h->members[at->member].loads_ns)
		return false;
	slot_flux_begin(h, call.slot, at->member);
	return key_take(h, &call, key, LOOK_ENTER, true) &&
	       key_find(h, key_hash_of(at->db, key))->holder == at->member;
}

bool handoff_clears(const struct handoff *h, const struct handoff_at *at, struct span key)
{
	struct handoff_key *k = key_find(h, key_hash_of(at->db, key));
	const struct handoff_party *p = k ? party_find(k, at->member) : NULL;
	return p && k->holder == at->member && p->at == at->begin && p->cleared;
}

bool handoff_has(const struct handoff *h, const struct handoff_at *at, struct span key)
{
	struct handoff_key *k = key_find(h, key_hash_of(at->db, key));
	return k ? k->holder == at->member : h->home[key_slot(key)] == at->member;
}
