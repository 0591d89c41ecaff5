// SPDX-License-Identifier: BSD-3-Clause
// Members, their certificates and views, and which moves are over:
//
//   handoff_settle() -> slot_settle() -> slot_rehome()   a slot in flux
//                    -> slot_follow()                    a slot that moved without a key
#include "dataplane/group/handoff.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/group/handoff_priv.h"

#define FLUX_CERT_NS 10000000ull // while slots move, certificates are so near to one another

struct handoff *handoff_new(void)
{
	struct handoff *h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	memset(h->home, HANDOFF_NOBODY, sizeof(h->home));
	return h;
}

void handoff_free(struct handoff *h)
{
	if (!h)
		return;
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
		keys_drop(h, slot);
	for (unsigned i = 0; i < h->n_members; i++)
		free(h->members[i].touched);
	free(h->keys);
	free(h->index);
	free(h);
}

// ---- Members

static unsigned member_find(const struct handoff *h, const char *name)
{
	unsigned i = 0;
	while (i < h->n_members && strcmp(h->members[i].name, name))
		i++;
	return i;
}

int handoff_join(struct handoff *h, const char *name)
{
	unsigned i = member_find(h, name);
	if (i == MEMBERS_MAX)
		i = handoff_reuse(h);
	if (i == MEMBERS_MAX)
		return -1;
	struct handoff_member *m = &h->members[i];
	if (!m->touched)
		m->touched = calloc(SLOT_COUNT, sizeof(*m->touched));
	if (!m->touched)
		return -1;
	if (i == h->n_members)
		h->n_members++;
	if (!m->name[0])
		snprintf(m->name, sizeof(m->name), "%s", name);
	m->here = true;
	return (int)i;
}

void handoff_home(struct handoff *h, unsigned slot, unsigned member)
{
	if (h->home[slot] == HANDOFF_NOBODY)
		h->home[slot] = (uint8_t)member;
}

void handoff_leave(struct handoff *h, unsigned member)
{
	h->members[member].here = false;
}

void handoff_resync(struct handoff *h, unsigned member, const char *format, ...)
{
	struct handoff_member *m = &h->members[member];
	va_list args;
	if (m->resync)
		return;
	va_start(args, format);
	vsnprintf(m->why, sizeof(m->why), format, args);
	va_end(args);
	m->resync = true;
}

// ---- Time

uint64_t handoff_sure_ns(const struct handoff_member *m, uint64_t offset)
{
	uint64_t sure_ns = m->past_ns;
	for (unsigned i = 0; i < m->n_certs && m->certs[i].offset <= offset; i++)
		sure_ns = m->certs[i].asked_ns;
	return sure_ns;
}

uint64_t handoff_before_ns(const struct handoff_member *m, uint64_t offset)
{
	for (unsigned i = 0; i < m->n_certs; i++)
		if (m->certs[i].offset > offset)
			return m->certs[i].answered_ns;
	return UINT64_MAX;
}

enum since slot_since(const struct handoff *h, const struct handoff_at *at, unsigned slot)
{
	const struct handoff_member *m = &h->members[at->member];
	uint64_t since_ns = h->since_ns[slot];
	if (handoff_sure_ns(m, at->begin) >= since_ns)
		return SINCE_AFTER;
	if (since_ns == h->claim_ns && at->begin < m->old_until)
		return SINCE_BEFORE;
	uint64_t asked_ns = m->n_certs ? m->certs[m->n_certs - 1].asked_ns : m->past_ns;
	return asked_ns <= since_ns ? SINCE_ASK : SINCE_DOUBT;
}

// The newest one takes the place of the last when there is no more room: those before come first.
void handoff_certify(struct handoff *h, unsigned member, uint64_t asked_ns, uint64_t offset)
{
	struct handoff_member *m = &h->members[member];
	if (m->n_certs && m->certs[m->n_certs - 1].offset > offset)
		return; // of a server that was behind
	m->known = offset;
	unsigned at = m->n_certs < HANDOFF_CERTS ? m->n_certs++ : HANDOFF_CERTS - 1;
	m->certs[at] = (struct handoff_cert){asked_ns, h->now_ns, offset};
	handoff_frontier(h, member, m->frontier);
}

void handoff_forget_offsets(struct handoff *h, unsigned member)
{
	struct handoff_member *m = &h->members[member];
	m->n_certs = 0;
	m->moved_until = m->frontier = m->judged = m->task_end = m->known = m->old_until = 0;
	m->wait.reason = HANDOFF_READY;
	memset(m->touched, 0, SLOT_COUNT * sizeof(*m->touched));
	for (unsigned i = 0; i < HANDOFF_TASKS; i++)
		if (h->tasks[i].member == member)
			h->tasks[i].state = TASK_NONE; // the snapshot tells of those that are on
}

void handoff_frontier(struct handoff *h, unsigned member, uint64_t frontier)
{
	struct handoff_member *m = &h->members[member];
	unsigned n = 0;
	m->frontier = frontier;
	while (n < m->n_certs && m->certs[n].offset <= frontier)
		m->past_ns = m->certs[n++].asked_ns;
	m->n_certs -= n;
	memmove(m->certs, m->certs + n, m->n_certs * sizeof(*m->certs));
}

void handoff_view(struct handoff *h, unsigned member, const struct handoff_view *view)
{
	struct handoff_member *m = &h->members[member];
	m->view_ns = view->asked_ns;
	memcpy(m->owns, view->owns, sizeof(m->owns));
	memcpy(m->gives, view->gives, sizeof(m->gives));
	memcpy(m->takes, view->takes, sizeof(m->takes));
	if (!m->claim_ns || view->asked_ns <= m->claim_ns)
		return;
	// It may have lost a slot between the view that the claim relied on and the snapshot.
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
		if (h->home[slot] == member && h->since_ns[slot] == m->claim_ns &&
		    !bit_has(m->owns, slot))
			slot_spoil(h, slot);
	m->claim_ns = 0;
}

// ---- Waits

uint64_t handoff_moment_ns(const struct handoff *h, const struct handoff_at *at)
{
	const struct handoff_member *m = &h->members[at->member];
	bool waited = m->wait.reason != HANDOFF_READY && m->wait.begin == at->begin;
	uint64_t since_ns = waited ? m->wait.since_ns : h->now_ns;
	uint64_t before_ns = handoff_before_ns(m, at->begin);
	return before_ns < since_ns ? before_ns : since_ns;
}

enum handoff_verdict handoff_waits(struct handoff *h, const struct handoff_at *at,
				   enum handoff_reason reason, unsigned slot, unsigned other)
{
	struct handoff_member *m = &h->members[at->member];
	struct handoff_wait *w = &m->wait;
	char text[TEXT_LEN];
	if (w->reason != reason || w->begin != at->begin) {
		bool same = w->reason != HANDOFF_READY && w->begin == at->begin;
		w->since_ns = same ? w->since_ns : h->now_ns;
		w->reason = reason;
		w->begin = at->begin;
	}
	w->slot = slot;
	w->other = other;
	if (h->now_ns <= w->since_ns + h->wait_ns_max)
		return HANDOFF_WAIT;
	handoff_wait_text(h, at->member, text);
	handoff_resync(h, at->member, "%.180s, for longer than wait-timeout", text);
	w->reason = HANDOFF_READY;
	return HANDOFF_RESYNC;
}

void handoff_wait_text(const struct handoff *h, unsigned member, char *out)
{
	const struct handoff_wait *w = &h->members[member].wait;
	const char *other = w->other < h->n_members ? h->members[w->other].name : "";
	*out = 0;
	switch (w->reason) {
	case HANDOFF_READY:
		break;
	case HANDOFF_DISK:
		snprintf(out, TEXT_LEN, "which slots move is being written to the disk");
		break;
	case HANDOFF_ANSWERS:
		snprintf(out, TEXT_LEN,
			 "slot %u moves: the target has to answer what shard %s wrote to it",
			 w->slot, other);
		break;
	case HANDOFF_PASSING:
		snprintf(out, TEXT_LEN,
			 "slot %u has moved: what shard %s wrote before has to be applied first",
			 w->slot, other);
		break;
	case HANDOFF_ROOM:
		snprintf(out, TEXT_LEN, "more than %d keys are in slots that move",
			 HANDOFF_KEYS_MAX);
		break;
	}
}

uint64_t handoff_wants_ns(const struct handoff *h, unsigned member)
{
	uint64_t wants_ns = 0;
	for (unsigned i = 0; i < h->n_members; i++) {
		const struct handoff_wait *w = &h->members[i].wait;
		if (i != member && w->reason == HANDOFF_PASSING && w->since_ns > wants_ns)
			wants_ns = w->since_ns;
	}
	if (h->n_flux && h->flux_ns > wants_ns)
		wants_ns = h->flux_ns;
	if (h->n_flux && h->now_ns > FLUX_CERT_NS && h->now_ns - FLUX_CERT_NS > wants_ns)
		wants_ns = h->now_ns - FLUX_CERT_NS;
	if (h->claim_ns > wants_ns)
		wants_ns = h->claim_ns;
	const struct handoff_member *m = &h->members[member];
	uint64_t has_ns = m->n_certs ? m->certs[m->n_certs - 1].asked_ns : m->past_ns;
	return has_ns > wants_ns ? 0 : wants_ns;
}

// ---- Slots

void slot_flux_begin(struct handoff *h, unsigned slot, unsigned member)
{
	h->version += !h->flux[slot] || !(h->parties[slot] >> member & 1);
	h->n_flux += !h->flux[slot];
	h->flux[slot] = true;
	h->parties[slot] |= 1ull << member;
	if (h->home[slot] != HANDOFF_NOBODY)
		h->parties[slot] |= 1ull << h->home[slot];
	h->flux_ns = h->event_ns[slot] = h->now_ns;
}

void slot_spoil(struct handoff *h, unsigned slot)
{
	h->n_dirty += !h->dirty[slot];
	h->dirty[slot] = true;
	if (!h->flux[slot] && h->home[slot] != HANDOFF_NOBODY)
		slot_flux_begin(h, slot, h->home[slot]);
}

void slot_rehome(struct handoff *h, unsigned slot, unsigned member)
{
	keys_drop(h, slot);
	h->n_flux -= h->flux[slot];
	h->n_dirty -= h->dirty[slot];
	h->version += h->flux[slot] || h->home[slot] != member;
	if (h->home[slot] != member && member != HANDOFF_NOBODY && h->home[slot] != HANDOFF_NOBODY)
		h->members[member].n_taken++;
	h->flux[slot] = h->dirty[slot] = false;
	h->parties[slot] = h->lost_at[slot] = 0;
	h->home[slot] = (uint8_t)member;
}

// Who says of himself that he owns it. @return HANDOFF_NOBODY: nobody, or two do
static unsigned claimant(const struct handoff *h, unsigned slot)
{
	unsigned found = HANDOFF_NOBODY;
	for (unsigned i = 0; i < h->n_members; i++) {
		if (!h->members[i].here || !bit_has(h->members[i].owns, slot))
			continue;
		if (found != HANDOFF_NOBODY)
			return HANDOFF_NOBODY;
		found = i;
	}
	return found;
}

// Whether all of these members were asked after a moment, and all their streams are past those
// answers: what they wrote before, the target has.
static bool are_past(const struct handoff *h, uint64_t members, uint64_t moment_ns)
{
	uint64_t last_ns = moment_ns;
	for (unsigned i = 0; i < h->n_members; i++) {
		const struct handoff_member *m = &h->members[i];
		if (!(members >> i & 1) || !m->here)
			continue;
		if (m->view_ns <= moment_ns)
			return false;
		last_ns = m->view_ns > last_ns ? m->view_ns : last_ns;
	}
	for (unsigned i = 0; i < h->n_members; i++) {
		const struct handoff_member *m = &h->members[i];
		if (members >> i & 1 && m->here && m->past_ns <= last_ns)
			return false;
	}
	return true;
}

// The move is not over: the home gives it away, somebody else takes it in.
static bool is_moving(const struct handoff *h, unsigned slot, unsigned owner)
{
	bool moving = h->home[slot] == owner && bit_has(h->members[owner].gives, slot);
	for (unsigned i = 0; i < h->n_members; i++)
		moving |= i != owner && h->members[i].here && bit_has(h->members[i].takes, slot);
	return moving;
}

// Whether what the target has of a key is what its owner has. What is left of it elsewhere goes.
//
// @return 1, 0: only a full sync helps, -1: not now
static int key_settle(struct handoff *h, struct handoff_key *k, unsigned owner)
{
	const struct handoff_party *p = party_find(k, owner), *held = party_find(k, k->holder);
	if (k->spoilt)
		return 0;
	if (k->holder == owner)
		return 1;
	if (p && !p->gone)
		return 0;
	if (held && held->gone)
		return 1;
	if (!h->clear(h->owner, owner, k->db, (struct span){k->name, k->name_len}))
		return -1;
	if (p) // it is done once
		k->holder = (uint8_t)owner;
	return 1;
}

// @return as key_settle()
static int keys_settle(struct handoff *h, unsigned slot, unsigned owner)
{
	int all = 1;
	for (uint32_t i = h->first_key[slot]; i && all > 0; i = key_at(h, i)->next)
		all = key_settle(h, key_at(h, i), owner);
	return all;
}

static void slot_settle(struct handoff *h, unsigned slot)
{
	unsigned owner = claimant(h, slot);
	if (owner == HANDOFF_NOBODY || task_is_active(h, slot) || is_moving(h, slot, owner) ||
	    !are_past(h, h->parties[slot] | 1ull << owner, h->event_ns[slot]))
		return;
	int rc = h->dirty[slot] ? 0 : keys_settle(h, slot, owner);
	if (rc < 0)
		return;
	if (rc > 0) {
		slot_rehome(h, slot, owner);
		return;
	}
	h->n_dirty += !h->dirty[slot];
	h->dirty[slot] = true;
	handoff_resync(h, owner, "slot %u has moved, and not all of its keys came along", slot);
}

// Moved without any key: no stream tells. Or nobody's: no snapshot has brought it.
static void slot_follow(struct handoff *h, unsigned slot)
{
	unsigned owner = claimant(h, slot), home = h->home[slot];
	if (owner == HANDOFF_NOBODY || owner == home || task_is_active(h, slot))
		return;
	uint64_t both = 1ull << owner | (home == HANDOFF_NOBODY ? 0 : 1ull << home);
	if (!are_past(h, both, h->since_ns[slot]))
		return;
	if (home == HANDOFF_NOBODY)
		handoff_resync(h, owner, "slot %u moved while the first snapshots were taken",
			       slot);
	else
		slot_rehome(h, slot, owner);
}

void handoff_settle(struct handoff *h)
{
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
		unsigned home = h->home[slot];
		if (h->flux[slot])
			slot_settle(h, slot);
		else if (home == HANDOFF_NOBODY || !bit_has(h->members[home].owns, slot))
			slot_follow(h, slot);
	}
}

// ---- Snapshots

// A slot that its member owns now. Of one that it is giving away, keys are elsewhere already.
static void slot_claim(struct handoff *h, unsigned slot, unsigned member)
{
	h->since_ns[slot] = h->now_ns;
	if (!h->flux[slot] || h->home[slot] != member || !bit_has(h->members[member].gives, slot)) {
		slot_rehome(h, slot, member);
		return;
	}
	keys_drop_of(h, slot, member);
	h->n_dirty -= h->dirty[slot];
	h->dirty[slot] = false;
}

void handoff_claim(struct handoff *h, unsigned member)
{
	struct handoff_member *m = &h->members[member];
	handoff_forget_offsets(h, member);
	m->resync = false;
	m->claim_ns = h->claim_ns = h->now_ns;
	m->loading = true;
	h->version++;
	memcpy(m->claimed, m->owns, sizeof(m->claimed));
	for (unsigned i = 0; i < h->n_members; i++)
		h->members[i].old_until = h->members[i].known;
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
		if (bit_has(m->owns, slot))
			slot_claim(h, slot, member);
		else if (h->home[slot] == member) // what it wrote to it last is passed over
			slot_spoil(h, slot);
	}
}

bool handoff_may_load(const struct handoff *h, unsigned member)
{
	for (unsigned i = 0; i < h->n_members; i++) {
		const struct handoff_member *m = &h->members[i];
		for (unsigned slot = 0; i != member && m->here && slot < SLOT_COUNT; slot++)
			if (m->touched[slot] > m->frontier &&
			    bit_has(h->members[member].claimed, slot))
				return false;
	}
	return true;
}

void handoff_loaded(struct handoff *h, unsigned member)
{
	h->members[member].loading = false;
}

bool handoff_sweeps(const struct handoff *h, unsigned member, int32_t db, struct span key)
{
	const struct handoff_key *k = key_find(h, key_hash_of(db, key));
	return bit_has(h->members[member].claimed, key_slot(key)) && (!k || k->holder == member);
}

bool handoff_loads(struct handoff *h, unsigned member, int32_t db, struct span key, uint64_t offset)
{
	unsigned slot = key_slot(key);
	struct handoff_key *k = key_find(h, key_hash_of(db, key));
	struct handoff_party *p = k ? party_find(k, member) : NULL;
	if (bit_has(h->members[member].claimed, slot)) {
		if (p)
			p->gone = false;
		return !k || k->holder == member;
	}
	if (!bit_has(h->members[member].takes, slot))
		return false;
	const struct handoff_at at = {.member = member, .db = db, .begin = offset, .end = offset};
	return handoff_import(h, &at, slot, key);
}
