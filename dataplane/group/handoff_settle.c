// SPDX-License-Identifier: BSD-3-Clause
// Which moves are over:
//
//   handoff_settle() -> slot_settle() -> slot_make_even() -> key_make_even()   a slot in flux
//                    -> slot_follow()                              one that moved without a key
#include <string.h>

#include "dataplane/group/handoff_priv.h"

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
//
// @return 0: not yet; else the last of the answers
static uint64_t past_views_ns(const struct handoff *h, uint64_t members, uint64_t moment_ns)
{
	uint64_t last_ns = moment_ns;
	for (unsigned i = 0; i < h->n_members; i++) {
		const struct handoff_member *m = &h->members[i];
		if (!(members >> i & 1) || !m->here)
			continue;
		if (m->view_ns <= moment_ns || m->loading)
			return 0;
		last_ns = m->view_ns > last_ns ? m->view_ns : last_ns;
	}
	for (unsigned i = 0; i < h->n_members; i++) {
		const struct handoff_member *m = &h->members[i];
		if (members >> i & 1 && m->here && m->past_ns <= last_ns)
			return 0;
	}
	return last_ns;
}

// The move is not over. Who takes in what its owner does not give says nothing: clients are sent
// there by nobody.
static bool is_moving(const struct handoff *h, unsigned slot, unsigned owner)
{
	return bit_has(h->members[owner].gives, slot);
}

// ---- Keys

// The owner has none of it, and the target may.
static int key_clear(struct handoff *h, struct handoff_key *k, unsigned owner)
{
	struct handoff_party *p = party_of(h, k, owner);
	if (!p)
		return 0;
	uint64_t at = h->clear(h->owner, owner, k->db, (struct span){k->name, k->name_len});
	if (!at)
		return -1;
	slot_moves(h, k->slot);
	p->gone = true;
	k->holder = (uint8_t)owner;
	k->spoilt = false;
	h->clear_at[k->slot] = h->members[owner].touched[k->slot].sent = at;
	h->members[owner].clears = true;
	return 1;
}

// @return as slot_make_even()
static int key_make_even(struct handoff *h, struct handoff_key *k, unsigned owner, uint64_t read_ns)
{
	const struct handoff_party *own = party_find(k, owner), *held = party_find(k, k->holder);
	if (k->holder == owner && !k->spoilt)
		return 1;
	if (own ? !own->gone && !copy_has_left(h, k->slot, own, read_ns)
		: h->home[k->slot] == owner)
		return 0;
	if (held && held->gone && !k->spoilt)
		return 1;
	return key_clear(h, k, owner);
}

// A full sync has passed over a part of another member's stream, in which he may have owned the
// slot: what the home lost, and he took in whole, no stream tells of.
bool slot_is_suspect(const struct handoff *h, unsigned slot, uint64_t owned_ns)
{
	for (unsigned i = 0; i < h->n_members; i++)
		if (i != h->home[slot] && h->members[i].here && h->members[i].loads_ns > owned_ns)
			return true;
	return false;
}

int slot_make_even(struct handoff *h, unsigned slot, unsigned owner, uint64_t owned_ns,
		   uint64_t read_ns)
{
	bool doubt = h->dirty[slot] || slot_has_litter(h, slot, owner) ||
		     (h->home[slot] != owner && slot_is_suspect(h, slot, owned_ns));
	int rc = !doubt;
	for (uint32_t i = h->first_key[slot]; i && rc > 0; i = key_at(h, i)->next)
		rc = key_make_even(h, key_at(h, i), owner, read_ns);
	if (rc > 0 && !handoff_is_answered(h, owner, h->clear_at[slot]))
		return -1;
	return rc;
}

// ---- Slots

static uint64_t later(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns > b_ns ? a_ns : b_ns;
}

uint64_t slot_home_ns(const struct handoff *h, unsigned slot)
{
	return later(h->since_ns[slot], h->settled_ns[slot]);
}

// The home has lost it whole and has it again, and nobody's stream showed him taking it in.
static bool is_back(const struct handoff *h, unsigned slot, unsigned owner)
{
	return h->home[slot] == owner && h->lost_at[slot];
}

static void slot_settle(struct handoff *h, unsigned slot)
{
	unsigned owner = claimant(h, slot);
	if (owner == HANDOFF_NOBODY || task_is_active(h, slot) || is_moving(h, slot, owner))
		return;
	uint64_t parties = is_back(h, slot, owner) ? UINT64_MAX : h->parties[slot] | 1ull << owner;
	uint64_t last_ns =
		past_views_ns(h, parties, later(h->event_ns[slot], slot_home_ns(h, slot)));
	if (!last_ns)
		return;
	int rc = 0;
	if (!is_back(h, slot, owner))
		rc = slot_make_even(h, slot, owner, slot_owned_ns(h, slot, h->home[slot]),
				    h->members[owner].past_ns);
	if (rc > 0) {
		unsigned former = h->home[slot];
		slot_rehome(h, slot, owner);
		slot_flux_end(h, slot, former);
		h->settled_ns[slot] = h->owned_ns[slot] = last_ns;
	} else if (!rc) {
		slot_spoil(h, slot);
		handoff_resync(h, owner, "slot %u has moved, and not all of its keys came along",
			       slot);
	}
}

// Moved without any key: no stream tells. Or nobody's: no snapshot has brought it.
static void slot_follow(struct handoff *h, unsigned slot)
{
	unsigned owner = claimant(h, slot), home = h->home[slot];
	if (owner == HANDOFF_NOBODY || owner == home || task_is_active(h, slot))
		return;
	uint64_t both = 1ull << owner | (home == HANDOFF_NOBODY ? 0 : 1ull << home);
	uint64_t last_ns = past_views_ns(h, both, slot_home_ns(h, slot));
	if (!last_ns)
		return;
	if (home == HANDOFF_NOBODY) {
		handoff_resync(h, owner, "slot %u moved while the first snapshots were taken",
			       slot);
		return;
	}
	bool doubt = slot_has_litter(h, slot, owner) ||
		     slot_is_suspect(h, slot, slot_owned_ns(h, slot, h->home[slot]));
	slot_rehome(h, slot, owner);
	h->settled_ns[slot] = h->owned_ns[slot] = last_ns;
	if (doubt)
		slot_spoil(h, slot);
}

static void slots_in_flux_settle(struct handoff *h)
{
	uint64_t eight;
	for (unsigned first = 0; first < SLOT_COUNT; first += sizeof(eight)) {
		memcpy(&eight, h->flux + first, sizeof(eight));
		for (unsigned slot = first; eight && slot < first + sizeof(eight); slot++)
			if (h->flux[slot])
				slot_settle(h, slot);
	}
}

static void slots_astray_follow(struct handoff *h)
{
	bool astray = false;
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
		unsigned home = h->home[slot];
		if (h->flux[slot] ||
		    (home != HANDOFF_NOBODY && bit_has(h->members[home].owns, slot)))
			continue;
		slot_follow(h, slot);
		astray = true;
	}
	h->astray = astray;
}

void handoff_settle(struct handoff *h)
{
	if (h->n_flux)
		slots_in_flux_settle(h);
	if (h->astray)
		slots_astray_follow(h);
}

void handoff_discard(struct handoff *h, unsigned member)
{
	struct handoff_member *m = &h->members[member];
	for (unsigned slot = 0; m->clears && slot < SLOT_COUNT; slot++) {
		if (!h->clear_at[slot])
			continue;
		for (uint32_t i = h->first_key[slot]; i; i = key_at(h, i)->next)
			key_at(h, i)->spoilt |= key_at(h, i)->holder == member;
	}
	m->clears = false;
}
