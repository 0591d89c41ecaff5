// SPDX-License-Identifier: BSD-3-Clause
// What is known of a slot: its home, whether it is in flux, whether it is dirty, and who may have
// copies of its keys that nobody counts.
#include <string.h>

#include "dataplane/group/handoff_priv.h"

void handoff_home(struct handoff *h, unsigned slot, unsigned member)
{
	if (h->home[slot] == HANDOFF_NOBODY)
		h->home[slot] = (uint8_t)member;
}

void slot_litter(struct handoff *h, unsigned slot, unsigned member)
{
	h->version += !slot_has_litter(h, slot, member);
	h->litter[slot] |= 1ull << member;
}

void slot_litter_gone(struct handoff *h, unsigned slot, unsigned member)
{
	h->version += slot_has_litter(h, slot, member);
	h->litter[slot] &= ~(1ull << member);
}

bool slot_has_copies(const struct handoff *h, unsigned slot, unsigned member)
{
	bool has = slot_has_litter(h, slot, member);
	for (uint32_t i = h->first_key[slot]; i && !has; i = key_at(h, i)->next) {
		const struct handoff_party *p = party_find(key_at(h, i), member);
		has = p && p->told && !p->gone &&
		      !copy_has_left(h, slot, p, h->members[member].past_ns);
	}
	return has;
}

uint64_t slot_owned_ns(const struct handoff *h, unsigned slot, unsigned home)
{
	const struct handoff_member *m = &h->members[home];
	return bit_has(m->owns, slot) ? m->view_ns : h->owned_ns[slot];
}

void slot_moves(struct handoff *h, unsigned slot)
{
	h->n_moved += !h->moved[slot];
	h->moved[slot] = true;
	h->moves++;
}

bool copy_has_left(const struct handoff *h, unsigned slot, const struct handoff_party *p,
		   uint64_t read_ns)
{
	const struct handoff_loss *loss = &h->members[p->member].losses[slot];
	if (!loss->seen_ns || loss->seen_ns >= read_ns || p->unseen)
		return false;
	if (p->told)
		return p->spoke_ns <= loss->owned_ns || p->spoke_at <= loss->owned_at;
	return p->member == h->home[slot] && h->quiet_at[slot] <= loss->owned_at;
}

void slot_flux_begin(struct handoff *h, unsigned slot, unsigned member)
{
	unsigned home = h->home[slot];
	if (!h->flux[slot])
		h->quiet_at[slot] =
			home == HANDOFF_NOBODY ? UINT64_MAX : h->members[home].touched[slot].wrote;
	h->version += !h->flux[slot] || !(h->parties[slot] >> member & 1);
	h->n_flux += !h->flux[slot];
	h->flux[slot] = true;
	h->parties[slot] |= 1ull << member;
	if (h->home[slot] != HANDOFF_NOBODY)
		h->parties[slot] |= 1ull << h->home[slot];
	h->flux_ns = h->event_ns[slot] = h->now_ns;
}

static void key_litter(struct handoff *h, const struct handoff_key *k, unsigned former)
{
	for (unsigned i = 0; i < k->n_parties; i++) {
		const struct handoff_party *p = &k->parties[i];
		bool lost = p->member == former &&
			    (!p->told || p->spoke_ns <= slot_owned_ns(h, k->slot, former));
		lost |= copy_has_left(h, k->slot, p, h->members[p->member].past_ns);
		if (p->member != h->home[k->slot] && !lost && !p->gone)
			slot_litter(h, k->slot, p->member);
	}
}

void slot_flux_end(struct handoff *h, unsigned slot, unsigned former)
{
	for (uint32_t i = h->first_key[slot]; i; i = key_at(h, i)->next)
		key_litter(h, key_at(h, i), former);
	keys_drop(h, slot);
	h->version += h->flux[slot];
	h->n_flux -= h->flux[slot];
	h->n_dirty -= h->dirty[slot];
	h->moves += h->moved[slot];
	h->n_moved -= h->moved[slot];
	h->flux[slot] = h->dirty[slot] = h->moved[slot] = false;
	h->base[slot] = 0;
	h->parties[slot] = h->lost_at[slot] = h->clear_at[slot] = 0;
	h->astray = true;
}

void slot_rehome(struct handoff *h, unsigned slot, unsigned member)
{
	h->version += h->home[slot] != member;
	h->moves += h->home[slot] != member;
	if (h->home[slot] != member && h->home[slot] != HANDOFF_NOBODY)
		h->members[member].n_taken++;
	h->home[slot] = (uint8_t)member;
	h->astray = true;
}

void slot_spoil(struct handoff *h, unsigned slot)
{
	h->n_dirty += !h->dirty[slot];
	h->dirty[slot] = true;
	for (uint32_t i = h->first_key[slot]; i; i = key_at(h, i)->next)
		key_at(h, i)->spoilt |= key_at(h, i)->holder == h->home[slot];
	if (!h->flux[slot] && h->home[slot] != HANDOFF_NOBODY)
		slot_flux_begin(h, slot, h->home[slot]);
}

enum since slot_since(const struct handoff *h, const struct handoff_at *at, unsigned slot)
{
	const struct handoff_member *m = &h->members[at->member];
	uint64_t since_ns = h->since_ns[slot];
	if (handoff_sure_ns(m, at->begin) >= since_ns)
		return SINCE_AFTER;
	if ((since_ns >= h->claim_ns && at->begin < m->old_until) ||
	    handoff_before_ns(m, at->begin) <= since_ns)
		return SINCE_BEFORE;
	uint64_t asked_ns = m->n_certs ? m->certs[m->n_certs - 1].asked_ns : m->past_ns;
	return asked_ns <= since_ns ? SINCE_ASK : SINCE_DOUBT;
}
