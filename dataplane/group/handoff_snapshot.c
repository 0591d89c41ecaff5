// SPDX-License-Identifier: BSD-3-Clause
// Full syncs of members: a snapshot shows all keys of its server, those too that are of slots which
// the server does not own.
//
//   handoff_claim() -> handoff_loads() of each key -> handoff_sweeps() .. -> handoff_loaded()
#include <string.h>

#include "dataplane/group/handoff_priv.h"

// What was known of the member's copy of a key in flux is void. The target has what it had of it
// before; of keys that go elsewhere that is right, of those that stay the snapshot makes it right.
static void key_claim(struct handoff_key *k, unsigned member, bool owned)
{
	struct handoff_party *p = party_find(k, member);
	const struct handoff_party *held = party_find(k, k->holder);
	if (p) {
		p->unseen = p->told = true;
		p->at = 0;
	}
	if (!owned) {
		k->spoilt |= k->holder == member;
		return;
	}
	if (k->holder != member && held && !held->gone)
		return;
	k->holder = (uint8_t)member;
	k->spoilt = false;
	k->after_ns = 0;
	k->before_ns = UINT64_MAX;
}

// A slot that its member owns now.
static void slot_claim(struct handoff *h, unsigned slot, unsigned member)
{
	bool gives = bit_has(h->members[member].gives, slot);
	h->since_ns[slot] = h->owned_ns[slot] = h->now_ns;
	h->n_dirty -= h->dirty[slot];
	h->dirty[slot] = false;
	h->clear_at[slot] = h->lost_at[slot] = 0;
	h->quiet_at[slot] = UINT64_MAX;
	slot_rehome(h, slot, member);
	for (uint32_t i = h->first_key[slot]; i; i = key_at(h, i)->next) {
		struct handoff_key *k = key_at(h, i);
		if (!gives)
			k->holder = (uint8_t)member;
		if (party_of(h, k, member))
			key_claim(k, member, true);
		else
			slot_spoil(h, slot);
	}
	if (h->flux[slot] && h->first_key[slot])
		slot_flux_begin(h, slot, member);
	else
		slot_flux_end(h, slot, HANDOFF_NOBODY);
}

// One that it does not own; perhaps keys of it are there.
static void slot_pass_over(struct handoff *h, unsigned slot, unsigned member)
{
	// What it wrote to it last is passed over, or how it took in what the home has lost whole.
	if (h->home[slot] == member || h->lost_at[slot]) {
		slot_spoil(h, slot);
		h->lost_at[slot] = 0;
	}
	for (uint32_t i = h->first_key[slot]; i; i = key_at(h, i)->next)
		key_claim(key_at(h, i), member, false);
}

// The snapshot tells which copies there are. What was there before an import that is on, it does
// not tell from what the import has brought: see handoff_snapshot_task().
static void litter_pick_up(struct handoff *h, unsigned member)
{
	struct handoff_member *m = &h->members[member];
	if (!m->loading) // else what the one before had found was not told again
		memset(m->littered, 0, sizeof(m->littered));
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
		if (slot_has_copies(h, slot, member))
			bit_set(m->littered, slot);
		slot_litter_gone(h, slot, member);
	}
}

void handoff_claim(struct handoff *h, unsigned member)
{
	struct handoff_member *m = &h->members[member];
	litter_pick_up(h, member);
	handoff_forget_offsets(h, member);
	m->resync = m->clears = false;
	m->claim_ns = m->loads_ns = h->claim_ns = h->now_ns;
	m->loading = true;
	h->version++;
	memcpy(m->claimed, m->owns, sizeof(m->claimed));
	memset(m->losses, 0, SLOT_COUNT * sizeof(*m->losses));
	for (unsigned i = 0; i < h->n_members; i++)
		h->members[i].old_until = h->members[i].known;
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
		if (bit_has(m->owns, slot))
			slot_claim(h, slot, member);
		else
			slot_pass_over(h, slot, member);
	}
	m->load_version = h->version;
}

// Whether others have sent something to a slot that has not been answered.
static bool is_touched(const struct handoff *h, unsigned member, unsigned slot)
{
	for (unsigned i = 0; i < h->n_members; i++) {
		const struct handoff_member *m = &h->members[i];
		if (i != member && m->here && m->touched[slot].sent > m->frontier &&
		    !handoff_is_answered(h, i, m->touched[slot].sent))
			return true;
	}
	return false;
}

// Whether an earlier full sync, of a member that owned some of these slots then, has something on
// its way.
static bool is_crossed(const struct handoff *h, unsigned member)
{
	const struct handoff_member *own = &h->members[member];
	uint64_t both = 0;
	for (unsigned i = 0; i < h->n_members; i++) {
		const struct handoff_member *m = &h->members[i];
		if (!m->here || !m->loading || m->load_version >= own->load_version)
			continue;
		for (unsigned word = 0; word < HANDOFF_SLOT_WORDS; word++)
			both |= m->claimed[word] & own->claimed[word];
	}
	return both;
}

bool handoff_may_load(const struct handoff *h, unsigned member)
{
	if (h->saved < h->members[member].load_version || is_crossed(h, member))
		return false;
	for (unsigned slot = bit_next(h->members[member].claimed, 0); slot < SLOT_COUNT;
	     slot = bit_next(h->members[member].claimed, slot + 1))
		if (is_touched(h, member, slot))
			return false;
	return true;
}

void handoff_loaded(struct handoff *h, unsigned member)
{
	h->members[member].loading = false;
	h->members[member].floor_ns = h->now_ns;
	h->version++;
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
		for (uint32_t i = h->first_key[slot]; i; i = key_at(h, i)->next) {
			struct handoff_party *p = party_find(key_at(h, i), member);
			if (!p || !p->unseen)
				continue;
			p->unseen = false;
			p->gone = true;
		}
}

// Whether the slot is what the full sync makes right: perhaps another one has claimed it since.
static bool is_claimed(const struct handoff *h, unsigned member, unsigned slot)
{
	return bit_has(h->members[member].claimed, slot) && h->home[slot] == member;
}

bool handoff_sweeps(const struct handoff *h, unsigned member, int32_t db, struct span key)
{
	const struct handoff_key *k = key_find(h, key_hash_of(db, key));
	return is_claimed(h, member, key_slot(key)) && (!k || k->holder == member);
}

// The home gives the slot to somebody, and this member takes it in: keys of it that it has are
// where clients are sent. One that takes in what nobody gives has copies that nobody sees: a server
// that starts with an old RDB calls slots importing that it has lost since.
static bool is_on_its_way(const struct handoff *h, unsigned slot, unsigned member)
{
	unsigned home = h->home[slot];
	return home != HANDOFF_NOBODY && bit_has(h->members[home].gives, slot) &&
	       bit_has(h->members[member].takes, slot);
}

bool handoff_loads(struct handoff *h, unsigned member, int32_t db, struct span key, uint64_t offset)
{
	const struct handoff_at at = {.member = member, .db = db, .begin = offset, .end = offset};
	unsigned slot = key_slot(key);
	struct handoff_key *k = key_find(h, key_hash_of(db, key));
	struct handoff_party *p = k ? party_find(k, member) : NULL;
	bool claimed = is_claimed(h, member, slot);
	if (p) {
		p->spoke_ns = h->now_ns;
		p->spoke_at = offset;
	}
	if (!claimed &&
	    task_covers(h, &at, slot)) { // the task's; what was there before stays known
		if (p)
			p->unseen = false;
		return false;
	}
	if (p)
		p->unseen = p->gone = false;
	if (k && k->holder == member) {
		k->spoilt = false;
		return true;
	}
	if (!k && claimed)
		return true;
	if ((claimed || is_on_its_way(h, slot, member)) && !is_touched(h, member, slot) &&
	    handoff_import(h, &at, key))
		return true;
	p = k ? party_of(h, k, member) : NULL;
	if (p) {
		p->told = true;
		p->spoke_ns = h->now_ns;
		p->spoke_at = offset;
	} else {
		slot_litter(h, slot, member);
	}
	return false;
}
