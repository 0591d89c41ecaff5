// SPDX-License-Identifier: BSD-3-Clause
// handoff_command()                                         nearly always
//                   -> key_look() of each key -> keys_take() what becomes of the command
//                                             -> key_take()  and of the eras
//
// The first looks change nothing, so that a command that has to wait is looked at again.
#include <string.h>

#include "dataplane/group/handoff_priv.h"

#define ERA_MAX 250 // who moves a key so often without a rest is synced anew

// What a key says to a command on it.
enum look {
	LOOK_SEND,
	LOOK_SKIP,
	LOOK_ENTER, // an era of this member begins
	LOOK_OURS,  // an era of this member begins that is not the newest
	LOOK_ASK,   // whether it was written before the last full sync of the slot is not known yet
	LOOK_DOUBT, // nobody can know that
};

struct call {
	const struct handoff_at *at;
	const struct command *c;
	unsigned slot;
	uint64_t carried; // see task_carries()
	bool states;      // it carries the whole state of its key
	bool deletes;     // it does nothing but delete its keys
	bool again;       // it was judged before, and is read again
};

static bool is_restore(const struct command *c)
{
	return c && (!strcmp(c->name, "RESTORE-ASKING") || !strcmp(c->name, "RESTORE"));
}

static bool is_deletion(const struct command *c)
{
	return c && c->class == CLASS_DELKEY && c->scope != SCOPE_CROSS_DB && c->rewrite == 0;
}

// ---- Looking

// Eras of a member have every second number, see handoff.h.
static uint8_t era_next(const struct handoff_key *k, const struct handoff_party *p)
{
	unsigned n = k ? k->n_parties : 1;
	if (n > 2 || (n == 2 && !p))
		return (uint8_t)(k->gen + 1);
	return p ? (uint8_t)(p->era + 2) : 1;
}

// An era of a member begins: whether it is the newest one of the key.
static enum look era_look(const struct handoff *h, const struct call *call,
			  const struct handoff_key *k, const struct handoff_party *p)
{
	const struct handoff_member *m = &h->members[call->at->member];
	if (handoff_sure_ns(m, call->at->begin) > k->in_ns)
		return LOOK_ENTER;
	if (handoff_before_ns(m, call->at->begin) < k->after_ns)
		return LOOK_OURS;
	return era_next(k, p) > k->gen ? LOOK_ENTER : LOOK_OURS;
}

static enum look stale_look(const struct handoff *h, const struct call *call,
			    const struct handoff_key *k, const struct handoff_party *p)
{
	const struct handoff_member *m = &h->members[call->at->member];
	if (call->deletes || !p->gone || handoff_sure_ns(m, call->at->begin) <= k->in_ns)
		return LOOK_SKIP;
	// It has none of the key, and this was written after the newest era had begun elsewhere: so
	// the key was made anew.
	return LOOK_ENTER;
}

static enum look entry_look(const struct handoff *h, const struct call *call, struct handoff_key *k)
{
	const struct handoff_party *p = party_find(k, call->at->member);
	bool holds = k->holder == call->at->member;
	if (call->again) // what is older than the newest era is in its state
		return holds && p && call->at->begin >= p->at ? LOOK_SEND : LOOK_SKIP;
	bool carried = call->carried && (!p || p->at < call->carried);
	if (call->states || carried || !p) {
		if (call->deletes) // nothing of it has come
			return LOOK_SKIP;
		return era_look(h, call, k, p);
	}
	if (p->era == k->gen && holds)
		return LOOK_SEND;
	return stale_look(h, call, k, p);
}

static enum look key_look(const struct handoff *h, const struct call *call, struct span key)
{
	struct handoff_key *k = key_find(h, key_hash_of(call->at->db, key));
	bool at_home = h->home[call->slot] == call->at->member;
	if (k)
		return entry_look(h, call, k);
	if (at_home)
		return LOOK_SEND;
	if (call->deletes || call->again) // nothing of it is ours
		return LOOK_SKIP;
	static const enum look looks[] = {[SINCE_AFTER] = LOOK_ENTER,
					  [SINCE_BEFORE] = LOOK_SKIP,
					  [SINCE_ASK] = LOOK_ASK,
					  [SINCE_DOUBT] = LOOK_DOUBT};
	return looks[slot_since(h, call->at, call->slot)];
}

// ---- Taking

static struct handoff_party *party_add(struct handoff *h, struct handoff_key *k, unsigned member)
{
	if (k->n_parties == HANDOFF_PARTIES) {
		k->spoilt = true;
		return NULL;
	}
	struct handoff_party *p = &k->parties[k->n_parties++];
	*p = (struct handoff_party){.member = (uint8_t)member};
	h->parties[k->slot] |= 1ull << member;
	return p;
}

// A key that was not in flux yet. @param made  it is new: its home has none of it
static struct handoff_key *entry_new(struct handoff *h, const struct call *call, struct span key,
				     bool made)
{
	struct handoff_key *k = key_add(h, call->slot, call->at->db, key);
	unsigned home = h->home[call->slot];
	if (!k)
		return NULL;
	k->holder = (uint8_t)home;
	k->in_ns = UINT64_MAX; // nobody can know
	if (home == HANDOFF_NOBODY)
		return k;
	struct handoff_party *p = party_add(h, k, home);
	p->gone = made;
	return k;
}

static void era_begin(struct handoff *h, const struct call *call, struct handoff_key *k,
		      bool newest)
{
	unsigned member = call->at->member;
	struct handoff_party *p = party_find(k, member);
	uint8_t era = era_next(k, p);
	for (; newest && era <= k->gen; era = (uint8_t)(era + 2))
		if (era >= ERA_MAX)
			break;
	if (!p)
		p = party_add(h, k, member);
	if (era >= ERA_MAX)
		k->spoilt = true;
	if (!p || era >= ERA_MAX)
		return;
	p->era = era;
	p->at = call->at->begin;
	p->cleared = !call->states;
	p->gone = false;
	if (!newest)
		return;
	k->gen = era;
	k->holder = (uint8_t)member;
	k->in_ns = h->now_ns;
	k->spoilt = false;
	h->event_ns[call->slot] = h->now_ns;
}

// The key of a command goes the way that it looked like.
static bool key_take(struct handoff *h, const struct call *call, struct span key, enum look look)
{
	struct handoff_key *k = key_find(h, key_hash_of(call->at->db, key));
	if (call->again)
		return true;
	if (look == LOOK_ENTER && !k)
		k = entry_new(h, call, key, !call->states && !call->carried);
	if (look == LOOK_ENTER && !k)
		return false;
	if (look == LOOK_SEND && !k && h->flux[call->slot]) // should another stream have it, too
		k = entry_new(h, call, key, false);
	if (look == LOOK_ENTER || look == LOOK_OURS)
		era_begin(h, call, k, look == LOOK_ENTER);
	struct handoff_party *p = k ? party_find(k, call->at->member) : NULL;
	if (p)
		p->gone = call->deletes;
	if (p && k->holder == call->at->member)
		k->after_ns = handoff_sure_ns(&h->members[call->at->member], call->at->begin);
	if (k && call->deletes && look == LOOK_SEND)
		k->spoilt = false;
	return true;
}

// A command on keys of several eras is skipped: those that it should have changed are not what they
// should be, until another state of them comes.
static bool key_spoil(struct handoff *h, const struct call *call, struct span key)
{
	struct handoff_key *k = key_find(h, key_hash_of(call->at->db, key));
	k = k ? k : entry_new(h, call, key, false);
	if (k)
		k->spoilt = true;
	return k != NULL;
}

// ---- A command

// Two streams may wait for one another here: after a while the order in which they are read has to
// do, and handoff_settle() looks whether that was right.
static bool has_waited(const struct handoff *h, const struct handoff_at *at)
{
	const struct handoff_wait *w = &h->members[at->member].wait;
	return w->reason != HANDOFF_READY && w->begin == at->begin &&
	       h->now_ns > w->since_ns + h->third_ns_max;
}

// Before an era begins: all of what others have sent to the slot is answered, and the disk knows.
static enum handoff_verdict enter_wait(struct handoff *h, const struct call *call, int n_keys)
{
	const struct handoff_at *at = call->at;
	uint64_t others = h->parties[call->slot] & ~(1ull << at->member);
	unsigned home = h->home[call->slot];
	if (home != HANDOFF_NOBODY && home != at->member)
		others |= 1ull << home;
	bool several = __builtin_popcountll(others) > 1;
	uint64_t moment_ns = handoff_moment_ns(h, at);
	slot_flux_begin(h, call->slot, at->member);
	if (!is_saved(h))
		return handoff_waits(h, at, HANDOFF_DISK, call->slot, HANDOFF_NOBODY);
	if (!keys_have_room(h, (unsigned)n_keys))
		return handoff_waits(h, at, HANDOFF_ROOM, call->slot, HANDOFF_NOBODY);
	for (unsigned i = 0; i < h->n_members; i++) {
		const struct handoff_member *m = &h->members[i];
		if (i == at->member || !m->here)
			continue;
		if (m->touched[call->slot] > m->frontier || m->loading)
			return handoff_waits(h, at, HANDOFF_ANSWERS, call->slot, i);
		if (several && others >> i & 1 && m->past_ns <= moment_ns &&
		    !has_waited(h, at))
			return handoff_waits(h, at, HANDOFF_PASSING, call->slot, i);
	}
	return HANDOFF_SEND;
}

// How the keys of a command look together.
struct looks {
	int n, n_skip, n_enter;
	bool asks, doubts;
};

static struct looks keys_look(const struct handoff *h, const struct call *call,
			      const struct span *argv, const struct key_run *run)
{
	struct looks l = {.n = run->n};
	for (int i = 0; i < run->n; i++) {
		enum look look = key_look(h, call, argv[key_run_at(run, i)]);
		l.n_enter += look == LOOK_ENTER;
		l.n_skip += look != LOOK_SEND && look != LOOK_ENTER;
		l.asks |= look == LOOK_ASK;
		l.doubts |= look == LOOK_DOUBT;
	}
	return l;
}

static enum handoff_verdict no_room(struct handoff *h, const struct handoff_at *at)
{
	handoff_resync(h, at->member, "no memory for the keys of slots that move");
	return HANDOFF_RESYNC;
}

static enum handoff_verdict keys_take(struct handoff *h, const struct call *call,
				      const struct span *argv, const struct key_run *run)
{
	struct looks l = keys_look(h, call, argv, run);
	bool mixed = l.n_skip && l.n_skip < l.n;
	if (l.asks)
		return handoff_waits(h, call->at, HANDOFF_PASSING, call->slot, call->at->member);
	if (l.doubts)
		slot_spoil(h, call->slot);
	if (l.n_enter || (mixed && !call->deletes)) {
		enum handoff_verdict verdict = enter_wait(h, call, run->n);
		if (verdict != HANDOFF_SEND)
			return verdict;
	}
	bool clears = false;
	for (int i = 0; i < run->n; i++) {
		struct span key = argv[key_run_at(run, i)];
		enum look look = key_look(h, call, key);
		bool spoils = mixed && !call->deletes &&
			      (look == LOOK_SEND || look == LOOK_ENTER) && !call->again;
		if (!(spoils ? key_spoil(h, call, key) : key_take(h, call, key, look)))
			return no_room(h, call->at);
		clears |= look == LOOK_ENTER && !call->states;
	}
	if (mixed && call->deletes)
		return HANDOFF_PARTS;
	if (l.n_skip)
		return HANDOFF_SKIP;
	if (call->again)
		return HANDOFF_CLEAR; // of those of which the era begins there, perhaps of none
	return clears ? HANDOFF_CLEAR : HANDOFF_SEND;
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

static void judged(struct handoff *h, const struct handoff_at *at, unsigned slot,
		   enum handoff_verdict verdict)
{
	struct handoff_member *m = &h->members[at->member];
	if (verdict == HANDOFF_WAIT)
		return;
	m->wait.reason = HANDOFF_READY;
	if (at->end > m->judged)
		m->judged = at->end;
	if (verdict == HANDOFF_SKIP)
		m->n_skipped++;
	else if (at->end > m->touched[slot])
		m->touched[slot] = at->end;
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
	else if (h->home[slot] != at->member || h->flux[slot] || at->begin < m->task_end) {
		struct call call = {.at = at, .c = c, .slot = slot};
		call.carried = task_carries(h, at, slot);
		call.states = is_restore(c);
		call.deletes = is_deletion(c);
		call.again = at->begin < m->judged;
		verdict = task_covers(h, at, slot) ? HANDOFF_SKIP : keys_take(h, &call, argv, &run);
	}
	judged(h, at, slot, verdict);
	return verdict;
}

bool handoff_import(struct handoff *h, const struct handoff_at *at, unsigned slot, struct span key)
{
	struct call call = {.at = at, .slot = slot, .states = true};
	struct handoff_key *k = key_find(h, key_hash_of(at->db, key));
	if (h->home[slot] == HANDOFF_NOBODY || !keys_have_room(h, 1))
		return false;
	slot_flux_begin(h, slot, at->member);
	k = k ? k : entry_new(h, &call, key, false);
	if (!k || era_next(k, party_find(k, at->member)) <= k->gen)
		return false;
	era_begin(h, &call, k, true);
	return true;
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
