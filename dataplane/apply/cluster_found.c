// SPDX-License-Identifier: BSD-3-Clause
// What the markers of a cluster tell, once all of them are read:
//
//   found_take() of each -> claim_note()              the latest claim of each writer at each node
//   founds_end()         -> claim_settle() of each    what the node holds by them
//
// A node holds what the latest claim says that was written to it, or to the node that it has taken
// over from. Claims that came to it with slots say nothing of it, and who wrote them is not always
// known any more. So where the latest one is neither its own nor speaks of the very slots that it
// owns now, the least of all writers' is believed.
#include <stdlib.h>
#include <string.h>

#include "dataplane/apply/cluster_priv.h"

static bool claims_have_room(struct cluster_lane *c)
{
	if (c->n_claims < c->claims_max)
		return true;
	unsigned max = c->claims_max ? 2 * c->claims_max : 64;
	void *more = realloc(c->claims, max * sizeof(*c->claims));
	if (!more)
		return false;
	c->claims = more;
	c->claims_max = max;
	return true;
}

// In the order in which they were written.
static bool is_later(const struct marker *a, const struct marker *b)
{
	if (a->epoch != b->epoch)
		return a->epoch > b->epoch;
	return a->looks != b->looks ? a->looks > b->looks : a->offset > b->offset;
}

static bool is_about_same(const struct lane_found *a, const struct lane_found *b)
{
	return a->node == b->node && a->first_slot == b->first_slot &&
	       a->last_slot == b->last_slot && a->marker.phase == b->marker.phase &&
	       !strcmp(a->marker.replid, b->marker.replid);
}

static void claim_note(struct cluster_lane *c, const struct lane_found *f, const char *writer)
{
	for (unsigned i = 0; i < c->n_claims; i++) {
		struct claim *known = &c->claims[i];
		if (!is_about_same(&known->found, f) || strcmp(known->writer, writer) != 0)
			continue;
		if (is_later(&f->marker, &known->found.marker))
			known->found = *f;
		return;
	}
	if (!claims_have_room(c)) {
		lane_fail(c->lane, ERROR_MEMORY, "no memory for the markers of the target");
		return;
	}
	struct claim *new = &c->claims[c->n_claims++];
	new->found = *f;
	memcpy(new->writer, writer, sizeof(new->writer));
}

// Whether it came here with its slot, while the node that it was written to, or the one that has
// taken over from that, lives on. A node that has lost its last slot may have stepped down, though
// nobody calls it a replica yet.
static bool is_a_visitor(const struct cluster_lane *c, const struct slot_marker *m,
			 const struct outlet *at)
{
	uint16_t n = cluster_node_find(c->map, span_of(m->node));
	if (n != CLUSTER_NONE && c->map->nodes[n].flags & CLUSTER_REPLICA)
		n = c->map->nodes[n].master;
	if (n == CLUSTER_NONE || !strcmp(m->node, at->id))
		return false;
	const struct cluster_node *heir = &c->map->nodes[n];
	return strcmp(heir->id, at->id) != 0 && heir->n_slots && !(heir->flags & CLUSTER_FAIL);
}

void found_take(struct cluster_lane *c, struct outlet *o, const struct unit *u,
		const struct slot_marker *m)
{
	struct lane *l = c->lane;
	if (u->kind == UNIT_READ_MARKER)
		l->found[l->n_found++] = (struct lane_found){.marker = m->marker,
							     .first_slot = u->slot,
							     .last_slot = u->slot,
							     .of_slot = true,
							     .node = c->slots[u->slot].outlet};
	bool claims = m->low || u->kind == UNIT_READ_CLAIM;
	if (!claims || u->flags & UNIT_ASKING || is_a_visitor(c, m, o))
		return;
	struct lane_found f = {.marker = m->marker,
			       .first_slot = m->first_slot,
			       .last_slot = m->last_slot,
			       .node = o->index,
			       .owned = m->owned};
	f.marker.offset = m->low;
	claim_note(c, &f, m->node);
}

// ---- All of them are read

static void owned_count(const struct lane *l, uint64_t owned[OUTLET_NONE + 1])
{
	for (unsigned s = 0; s < SLOT_COUNT; s++)
		owned[l->found_owner[s]] ^= slot_digest((uint16_t)s);
}

// What all claims at a node that speak of the same slots come to, when this is the latest one.
//
// @return false: it is not
static bool claim_settle(const struct cluster_lane *c, struct claim *latest, uint64_t owned)
{
	struct lane_found *f = &latest->found;
	uint64_t least = f->marker.offset;
	for (unsigned i = 0; i < c->n_claims; i++) {
		const struct lane_found *other = &c->claims[i].found;
		if (!is_about_same(other, f))
			continue;
		if (is_later(&other->marker, &f->marker))
			return false;
		least = other->marker.offset < least ? other->marker.offset : least;
	}
	f->astray = f->owned != owned;
	if (f->astray && strcmp(latest->writer, c->outlets[f->node]->id) != 0)
		f->marker.offset = least;
	return true;
}

bool founds_end(struct cluster_lane *c)
{
	struct lane *l = c->lane;
	uint64_t owned[OUTLET_NONE + 1] = {0};
	unsigned n = l->n_found + c->n_claims;
	void *more = realloc(l->found, (n ? n : 1) * sizeof(*l->found));
	if (!more) {
		lane_fail(l, ERROR_MEMORY, "no memory for the markers of the target");
		return false;
	}
	l->found = more;
	owned_count(l, owned);
	for (unsigned i = 0; i < c->n_claims; i++) {
		struct claim latest = c->claims[i];
		if (claim_settle(c, &latest, owned[latest.found.node]))
			l->found[l->n_found++] = latest.found;
	}
	return true;
}
