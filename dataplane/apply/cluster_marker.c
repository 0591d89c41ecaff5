// SPDX-License-Identifier: BSD-3-Clause
// low_set() -> claims_turn() -> UNIT_CLAIM -> claim_take() -> lane.low
//
// LOW moves as batches are handed back. Each node is told of it now and then, by one plain SET into
// a slot of its own; what every node was told bounds the frontier, so the log keeps what a crash
// would make us read again.
#include "dataplane/apply/cluster_priv.h"

#define CLAIM_EVERY_NS      100000000ull
#define CLAIM_EVERY_IDLE_NS 10000000ull

void low_set(struct cluster_lane *c, const struct batch *b)
{
	const struct marker *m = &b->marker;
	bool same = c->low_claim && !b->marker_all && c->low.offset == m->offset &&
		    c->low.phase == m->phase && !strcmp(c->low.replid, m->replid);
	c->low_seq = b->seq;
	if (same)
		return;
	c->low = *m;
	c->low_claim++;
}

// ---- What is written

static void marker_fill(const struct outlet *o, struct slot_marker *m)
{
	const struct cluster_lane *c = o->cluster;
	bool claims = c->low_claim && c->low.phase == MARKER_STREAM;
	m->marker.run = c->lane->run;
	m->marker.db = c->low.db;
	m->low = claims ? c->low.offset : 0;
	m->first_slot = c->claim_all ? 0 : c->first_slot;
	m->last_slot = c->claim_all ? SLOT_COUNT - 1 : c->last_slot;
	memcpy(m->node, o->id, sizeof(m->node));
	m->owned = o->owned;
}

size_t claim_compose(struct outlet *o, char *at, unsigned slot)
{
	const struct cluster_lane *c = o->cluster;
	struct slot_marker m = {.marker = c->low};
	char key[MARKER_KEY_LEN];
	struct span name = {key, slot_claim_key(key, c->lane->config->name, (uint16_t)slot)};
	m.marker.seq = c->low_seq;
	marker_fill(o, &m);
	return slot_marker_set(at, name, &m);
}

size_t fence_compose(struct outlet *o, const struct unit *last, char *at)
{
	const struct cluster_lane *c = o->cluster;
	const struct batch *b = unit_batch(c, last);
	struct slot_marker m = {.marker = b->marker};
	char key[MARKER_KEY_LEN];
	struct span name = {key, slot_marker_key(key, c->lane->config->name, last->slot)};
	m.marker.offset = b->items[last->item + last->n_items - 1].offset + 1;
	m.marker.seq = c->waits[last->slot].fence_seq;
	marker_fill(o, &m);
	return slot_marker_set(at, name, &m);
}

// ---- When

// Whether a node has to be told.
static bool is_told(const struct cluster_lane *c, const struct outlet *o)
{
	return map_is_master(c, o) && (c->claim_all || o->n_in_range);
}

bool claims_stand(const struct cluster_lane *c, uint64_t claim)
{
	for (unsigned i = 0; i < c->n_outlets; i++)
		if (is_told(c, c->outlets[i]) && c->outlets[i]->claim_stands < claim)
			return false;
	return true;
}

bool claim_slot_find(struct outlet *o)
{
	struct cluster_lane *c = o->cluster;
	unsigned first = c->first_slot, n = c->last_slot - first + 1u;
	unsigned epoch = epoch_slot(c);
	// With FLUSHALL it goes in one transaction with the epoch, where that is.
	if (c->gate == GATE_EVERY && c->slots[epoch].outlet == o->index) {
		o->claim_slot = (uint16_t)epoch;
		return true;
	}
	if (!o->n_in_range) {
		first = 0;
		n = SLOT_COUNT;
	}
	// From above, since operators who move slots begin with the lowest ones of a node.
	unsigned from =
		o->claim_slot >= first && o->claim_slot < first + n ? o->claim_slot - first : n - 1;
	for (unsigned i = 0; i < n; i++) {
		unsigned s = first + (from + n - i) % n;
		if (c->slots[s].outlet != o->index || c->waits[s].asked)
			continue;
		o->claim_slot = (uint16_t)s;
		return true;
	}
	return false;
}

static void claim_put(struct cluster_lane *c, struct outlet *o)
{
	if (!claim_slot_find(o))
		return;
	o->claim_flies = true;
	o->claim_sent = c->low_claim;
	o->claim_sent_low = c->low.offset;
	o->claim_at_ns = c->lane->now.mono_ns;
	outlet_push(o, (struct unit){.slot = o->claim_slot, .kind = UNIT_CLAIM});
}

void claims_turn(struct cluster_lane *c, uint64_t *deadline_ns)
{
	uint64_t now = c->lane->now.mono_ns;
	uint64_t every = c->n_units ? CLAIM_EVERY_NS : CLAIM_EVERY_IDLE_NS;
	if (!c->low_claim || !is_exactly_once(c) || c->gate == GATE_EVERY)
		return;
	if (c->low.phase == MARKER_SNAPSHOT && !c->claim_now)
		return;
	for (unsigned i = 0; i < c->n_outlets; i++) {
		struct outlet *o = c->outlets[i];
		if (o->claim_flies || o->claim_stands >= c->low_claim || !is_told(c, o) ||
		    !outlet_is_ready(o))
			continue;
		uint64_t due = o->claim_at_ns + every;
		if (o->claim_after_ns > now || (!c->claim_now && due > now)) {
			due = due > o->claim_after_ns ? due : o->claim_after_ns;
			*deadline_ns = due < *deadline_ns ? due : *deadline_ns;
			continue;
		}
		claim_put(c, o);
		c->more = true;
	}
}

// The frontier may follow up to what every node was told.
static void low_publish(struct cluster_lane *c)
{
	struct lane *l = c->lane;
	uint64_t low = UINT64_MAX;
	if (c->low.phase == MARKER_SNAPSHOT)
		return;
	for (unsigned i = 0; i < c->n_outlets; i++) {
		const struct outlet *o = c->outlets[i];
		if (!is_told(c, o))
			continue;
		if (!o->claim_stands)
			return;
		low = o->claim_low < low ? o->claim_low : low;
	}
	if (low != UINT64_MAX && low > atomic_load_explicit(&l->low, memory_order_relaxed)) {
		atomic_store_explicit(&l->low, low, memory_order_release);
		if (l->core != l->home)
			core_wake(l->home);
	}
	if (claims_stand(c, c->low_claim))
		atomic_store_explicit(&l->marked_seq, c->low_seq, memory_order_release);
}

void claim_take(struct cluster_lane *c, struct outlet *o, const struct reply *r)
{
	struct lane *l = c->lane;
	enum error_id error;
	o->claim_flies = false;
	if (r->type != '-') {
		o->claim_stands = o->claim_sent;
		o->claim_low = o->claim_sent_low;
		o->claim_after_ns = 0;
		low_publish(c);
		c->more = true;
		return;
	}
	struct cluster_redirect redirect;
	enum cluster_answer answer = cluster_error_read(r->line, NULL, &redirect);
	if (answer == CLUSTER_OTHER && refusal_of(r->line, &error) == REFUSAL_STOP) {
		lane_refused_for_good(l, NULL, -1, error, r->line);
		return;
	}
	if (answer == CLUSTER_MOVED || answer == CLUSTER_ASK || answer == CLUSTER_TRYAGAIN)
		o->claim_slot =
			(uint16_t)((o->claim_slot + SLOT_COUNT - 1) % SLOT_COUNT); // another one
	else
		wait_show(c, "the target's node %s:%u says: %.*s", o->host, o->port,
			  (int)r->line.len, r->line.p);
	o->claim_after_ns = l->now.mono_ns + CLAIM_EVERY_IDLE_NS;
}
