// SPDX-License-Identifier: BSD-3-Clause
// key_look(): what a key says to a command on it. key_take(): what the command makes known of it.
//
// A member's copies of a key come one after the other: an era begins where the key comes to it.
#include <string.h>

#include "dataplane/group/handoff_priv.h"

#define ERA_MAX 65000 // who moves a key so often without a rest is synced anew in the end

struct call call_of(const struct handoff *h, const struct handoff_at *at, const struct command *c,
		    unsigned slot)
{
	bool arrives = is_import(c);
	return (struct call){
		.at = at,
		.c = c,
		.slot = slot,
		.carried = task_carries(h, at, slot),
		.states = arrives || (c && !strcmp(c->name, "RESTORE")),
		.arrives = arrives,
		.deletes = is_deletion(c),
		.again = at->begin < h->members[at->member].judged,
	};
}

// ---- Looking

// Whether it is certain that the member has no copy of the key where the command stands.
static bool has_no_copy(const struct handoff *h, const struct call *call, struct handoff_key *k)
{
	unsigned member = call->at->member;
	const struct handoff_party *p = k ? party_find(k, member) : NULL;
	if (p)
		return p->gone ||
		       copy_has_left(h, call->slot, p,
				     handoff_sure_ns(&h->members[member], call->at->begin));
	return h->home[call->slot] != member && !slot_has_litter(h, call->slot, member);
}

// Whether the key comes to the member there, as its stream says.
static bool is_arrival(const struct handoff *h, const struct call *call, struct handoff_key *k)
{
	const struct handoff_party *p = k ? party_find(k, call->at->member) : NULL;
	if (call->deletes)
		return false;
	return call->arrives || (call->carried && (!p || p->at < call->carried)) ||
	       (!p && h->home[call->slot] != call->at->member);
}

// Eras of a member have every second number, see handoff.h.
static uint16_t era_next(const struct handoff_key *k, const struct handoff_party *p)
{
	if (k->n_parties > 2 || (k->n_parties == 2 && !p))
		return (uint16_t)(k->gen + 1);
	return p ? (uint16_t)(p->era + 2) : 1;
}

// Of three members eras tell little. The copy that came last to the one who owns the slot by now is
// the one that counts in the end, whichever others had it before.
static bool is_third_past(const struct handoff *h, const struct call *call,
			  const struct handoff_key *k, const struct handoff_party *own,
			  const struct handoff_party *held)
{
	bool several = k->n_parties > 2 || (k->n_parties == 2 && !own);
	return several && held->at && bit_has(h->members[held->member].owns, call->slot) &&
	       !bit_has(h->members[call->at->member].owns, call->slot);
}

// Whether a member that has the whole state of a key has it from later than the holder. A guess
// where time does not tell; nothing is lost by a wrong one, see handoff.h.
static bool is_newer(const struct handoff *h, const struct call *call, struct handoff_key *k)
{
	const struct handoff_member *m = &h->members[call->at->member];
	const struct handoff_party *held = party_find(k, k->holder);
	const struct handoff_party *own = party_find(k, call->at->member);
	if (!held || held->gone || handoff_sure_ns(m, call->at->begin) >= k->before_ns)
		return true;
	if (handoff_before_ns(m, call->at->begin) <= k->after_ns ||
	    is_third_past(h, call, k, own, held))
		return false;
	return is_arrival(h, call, k) && era_next(k, own) > k->gen;
}

static enum look stranger_look(const struct handoff *h, const struct call *call,
			       struct handoff_key *k)
{
	enum since since = slot_since(h, call->at, call->slot);
	if (since == SINCE_ASK)
		return LOOK_ASK;
	if (since != SINCE_AFTER || !(call->states || has_no_copy(h, call, k)))
		return LOOK_SKIP;
	if (handoff_before_ns(&h->members[call->at->member], call->at->begin) <=
	    h->settled_ns[call->slot])
		return LOOK_SKIP;
	return !k || is_newer(h, call, k) ? LOOK_ENTER : LOOK_SKIP;
}

enum look key_look(const struct handoff *h, const struct call *call, struct span key)
{
	struct handoff_key *k = key_find(h, key_hash_of(call->at->db, key));
	unsigned member = call->at->member;
	if (k && k->holder == member) {
		const struct handoff_party *p = party_find(k, member);
		return call->again && p && call->at->begin < p->at ? LOOK_SKIP : LOOK_SEND;
	}
	if (!k && h->home[call->slot] == member)
		return LOOK_SEND;
	if (call->again || call->deletes)
		return LOOK_SKIP;
	return stranger_look(h, call, k);
}

// ---- Taking

// A key that was not in flux yet: the target has the copy of its home.
static struct handoff_key *entry_new(struct handoff *h, const struct call *call, struct span key)
{
	struct handoff_key *k = key_add(h, call->slot, call->at->db, key);
	if (!k)
		return NULL;
	k->holder = h->home[call->slot];
	k->before_ns = UINT64_MAX; // when the home wrote to it last nobody knows
	k->spoilt = h->dirty[call->slot];
	k->gen = party_of(h, k, k->holder)->era = h->base[call->slot];
	return k;
}

static void era_begin(struct handoff *h, const struct call *call, struct handoff_party *p,
		      uint16_t era)
{
	slot_moves(h, call->slot);
	p->era = era < ERA_MAX ? era : ERA_MAX;
	p->at = call->at->begin;
	p->cleared = !call->states;
}

// From here on the target gets the copy of this member.
static void key_enter(struct handoff *h, const struct call *call, struct handoff_key *k,
		      struct handoff_party *p, uint16_t era)
{
	while (era <= k->gen && era < ERA_MAX)
		era = (uint16_t)(era + 2);
	era_begin(h, call, p, era);
	k->gen = p->era;
	k->holder = p->member;
	k->spoilt = false;
}

static uint64_t said_before_ns(const struct handoff *h, const struct handoff_at *at)
{
	uint64_t before_ns = handoff_before_ns(&h->members[at->member], at->begin);
	return before_ns < h->now_ns ? before_ns : h->now_ns;
}

// The holder has written to it.
static void key_held(const struct handoff *h, const struct call *call, struct handoff_key *k,
		     bool sent)
{
	const struct handoff_member *m = &h->members[call->at->member];
	if (!call->deletes) {
		k->after_ns = handoff_sure_ns(m, call->at->begin);
		k->before_ns = said_before_ns(h, call->at);
	}
	if (!sent)
		k->spoilt = true;
	else if (call->states || call->deletes)
		k->spoilt = false;
}

static bool is_tracked(const struct handoff *h, const struct call *call,
		       const struct handoff_key *k, enum look look)
{
	if (call->again)
		return false;
	return k || look == LOOK_ENTER || (look == LOOK_SKIP && !call->deletes) ||
	       (look == LOOK_SEND && h->flux[call->slot]); // should another stream have it, too
}

bool key_take(struct handoff *h, const struct call *call, struct span key, enum look look,
	      bool sent)
{
	struct handoff_key *k = key_find(h, key_hash_of(call->at->db, key));
	if (!is_tracked(h, call, k, look))
		return true;
	bool arrives = is_arrival(h, call, k);
	k = k ? k : entry_new(h, call, key);
	struct handoff_party *own = k ? party_find(k, call->at->member) : NULL;
	if (!k)
		return false;
	uint16_t era = era_next(k, own);
	bool news = !own;
	own = own ? own : party_of(h, k, call->at->member);
	if (!own) {
		slot_litter(h, call->slot, call->at->member);
		k->spoilt |= look == LOOK_ENTER && sent;
		return true;
	}
	if (look == LOOK_ENTER && sent)
		key_enter(h, call, k, own, era);
	else if (arrives)
		era_begin(h, call, own, era);
	if (arrives && k->holder == own->member && own->era > k->gen)
		k->gen = own->era;
	own->gone = call->deletes;
	own->told = true;
	if (!call->deletes) {
		own->spoke_ns = said_before_ns(h, call->at);
		own->spoke_at = call->at->end;
	}
	if (k->holder == own->member)
		key_held(h, call, k, sent);
	bool alien = !call->deletes && !bit_has(h->members[own->member].owns, call->slot);
	if (news || arrives || look == LOOK_ENTER || alien)
		h->event_ns[call->slot] = h->now_ns;
	return true;
}
