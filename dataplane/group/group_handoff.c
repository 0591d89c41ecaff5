// SPDX-License-Identifier: BSD-3-Clause
// group_handoff_turn() -> members_tell(), view_take(), state_save(), settle, members_ask()
#include "dataplane/group/group_handoff.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "dataplane/group/group_priv.h"

#define SETTLE_EVERY_NS 20000000ull
#define POKE_EVERY_NS   100000000ull // while slots move
#define THIRD_NS_MAX    200000000ull
#define GATE_NS_MAX     5000000000ull
#define FLOOR_TRIES     5

static struct member *member_at(const struct group *g, unsigned number)
{
	for (unsigned i = 0; i < g->n_members; i++)
		if (g->members[i]->number == number)
			return g->members[i];
	return NULL;
}

// ---- What hand-offs ask of us

static uint8_t node_member(void *owner, struct span node)
{
	const struct group *g = owner;
	char id[CLUSTER_ID_LEN + 1];
	snprintf(id, sizeof(id), "%.*s", (int)node.len, node.p);
	for (unsigned i = 0; i < g->n_members; i++)
		if (shard_has(&g->members[i]->shard, id))
			return (uint8_t)g->members[i]->number;
	return HANDOFF_NOBODY;
}

static uint64_t key_clear(void *owner, unsigned number, int32_t db, struct span key)
{
	struct member *m = member_at(owner, number);
	if (!m || !m->link || m->link->stage != LINK_STREAMING ||
	    !route_clear(&m->link->route, db, key))
		return 0;
	return m->link->route.routed + 1;
}

static bool is_idle(void *owner, unsigned number)
{
	const struct member *m = member_at(owner, number);
	if (!m || !m->link)
		return true;
	bool streams = m->link->stage == LINK_STREAMING || m->link->stage == LINK_DRAINING;
	return streams && place_is_idle(&m->link->place);
}

// ---- On disk

static int state_read(struct group *g)
{
	char *text = NULL;
	size_t len;
	int rc = file_load(g->config->state_dir, HANDOFF_FILE, HANDOFF_FILE_LEN_MAX, &text, &len);
	if (rc == -ENOENT)
		return 0;
	rc = rc ? rc : handoff_parse(g->handoff, (struct span){text, len});
	free(text);
	if (rc && rc != -ENOMEM)
		core_log(g->core, EVENT_WARN, g->index,
			 "the file %.150s/" HANDOFF_FILE " is left out: %s; slots that moved while "
			 "we were away may differ until a full sync",
			 g->config->state_dir, rc == -EBADMSG ? "it is damaged" : strerror(-rc));
	if (rc == -EBADMSG) {
		handoff_free(g->handoff);
		g->handoff = handoff_new();
	}
	return g->handoff ? 0 : -ENOMEM;
}

static void files_wake(void *core)
{
	core_wake(core);
}

int group_handoff_open(struct group *g)
{
	g->handoff = handoff_new();
	int rc = g->handoff ? 0 : -ENOMEM;
	if (!rc && g->config->state_dir[0]) {
		rc = state_read(g);
		rc = rc ? rc : replacer_open(&g->files, g->config->state_dir, files_wake, g->core);
	}
	if (rc)
		return rc;
	struct handoff *h = g->handoff;
	h->member_of = node_member;
	h->clear = key_clear;
	h->is_idle = is_idle;
	h->owner = g;
	h->wait_ns_max = g->config->settings.wait_timeout * 1000000;
	h->third_ns_max = THIRD_NS_MAX;
	h->saved = h->version;
	g->handoff_put = h->version;
	return 0;
}

void group_handoff_close(struct group *g)
{
	replacer_close(g->files);
	handoff_free(g->handoff);
	g->files = NULL;
	g->handoff = NULL;
}

// Slots that move wait, and full syncs, as long as the disk is full.
static void failure_tell(struct group *g)
{
	int rc = replacer_error(g->files);
	if (rc && !g->files_failed)
		core_log(g->core, EVENT_WARN, g->index,
			 "which slots move cannot be written to %.120s/" HANDOFF_FILE
			 ": %s; they wait until it can, and so do full syncs",
			 g->config->state_dir, strerror(-rc));
	g->files_failed = rc;
}

// What could not be written is tried again by the replacer, which is not idle before it is there.
static void state_save(struct group *g)
{
	struct handoff *h = g->handoff;
	char *text;
	if (!g->files)
		h->saved = h->version;
	if (h->saved == h->version)
		return;
	failure_tell(g);
	if (g->handoff_put != h->version && replacer_is_idle(g->files)) {
		size_t len = handoff_text(h, &text);
		if (!len)
			return; // no memory: at the next turn
		replacer_put(g->files, HANDOFF_FILE, text, len);
		g->handoff_put = h->version;
	}
	if (replacer_is_idle(g->files))
		h->saved = g->handoff_put;
}

// ---- Members

int group_handoff_join(struct group *g, struct member *m)
{
	int number = handoff_join(g->handoff, m->shard.name);
	m->number = (unsigned)number;
	return number < 0 ? number : 0;
}

void group_handoff_link(struct group *g, struct member *m)
{
	const struct handoff_member *known = &g->handoff->members[m->number];
	m->link->route.handoff = g->handoff;
	m->link->route.member = m->number;
	if (!known->resync)
		return;
	m->link->looks = false;
	memcpy(m->link->full_reason, known->why, sizeof(m->link->full_reason));
}

void group_handoff_map(struct group *g, const struct cluster_map *map)
{
	for (uint16_t node = 0; node < map->n_nodes; node++) {
		const struct member *m =
			map->nodes[node].n_slots ? member_of_master(g, map, node) : NULL;
		for (unsigned slot = 0; m && slot < SLOT_COUNT; slot++)
			if (map->owner[slot] == node)
				handoff_home(g->handoff, slot, m->number);
	}
	for (unsigned i = 0; i < g->handoff->n_members; i++) // gone while nobody looked
		if (!g->handoff->members[i].here && handoff_holds(g->handoff, i))
			handoff_forget(g->handoff, i);
	g->handoff->version++;
}

// A replica does not say what its master has reached, and a master not what there is in another
// history: before a failover is heard of, or after a node has gone over to another shard.
static bool speaks_of_stream(const struct link *link)
{
	const struct probe *p = &link->probe;
	return !p->is_replica && (!p->replid[0] || !strcmp(p->replid, link->source.replid));
}

// Certificates, and what the target has answered.
static bool members_tell(struct group *g)
{
	bool news = false;
	for (unsigned i = 0; i < g->n_members; i++) {
		struct member *m = g->members[i];
		struct link *link = m->link;
		if (!link)
			continue;
		bool streams = link->stage == LINK_STREAMING || link->stage == LINK_DRAINING;
		if (streams)
			handoff_frontier(g->handoff, m->number,
					 counter_get(&m->slot->state.counters.frontier_offset));
		if (link->probe.answers != m->n_answers && streams && speaks_of_stream(link)) {
			handoff_certify(g->handoff, m->number, link->probe.offset_ns,
					link->probe.offset);
			news = true;
		}
		m->n_answers = link->probe.answers;
		counter_set(&m->slot->state.counters.slots_taken,
			    g->handoff->members[m->number].n_taken);
		counter_set(&m->slot->state.counters.slots_moving, i ? 0 : g->handoff->n_flux);
	}
	return news;
}

static void view_of(const struct cluster_map *map, uint16_t node, struct handoff_view *view)
{
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
		uint64_t bit = 1ull << slot % 64;
		if (map->owner[slot] == node)
			view->owns[slot / 64] |= bit;
		if (!(map->nodes[node].flags & CLUSTER_MYSELF))
			continue;
		if (map->migrating[slot] != CLUSTER_NONE)
			view->gives[slot / 64] |= bit;
		if (map->importing[slot] != CLUSTER_NONE)
			view->takes[slot / 64] |= bit;
	}
}

// A master speaks of itself. Of one without slots any node may say so, unless its shard has another
// that has some: after a failover the former one is there without any.
static void master_view(struct group *g, const struct cluster_map *map, uint16_t master,
			uint64_t asked_ns)
{
	const struct cluster_node *node = &map->nodes[master];
	const struct member *m = member_of_master(g, map, master);
	struct handoff_view view = {.asked_ns = asked_ns};
	if (!m || (!node->n_slots && member_master(g, m, map) != CLUSTER_NONE))
		return;
	view_of(map, master, &view);
	if (node->flags & CLUSTER_MYSELF)
		view.node = XXH3_64bits(node->id, strlen(node->id));
	handoff_view(g->handoff, m->number, &view);
}

static bool view_take(struct group *g)
{
	uint64_t n_told, asked_ns;
	const struct cluster_map *map = cluster_topology_told(g->topology, &n_told, &asked_ns);
	if (n_told == g->n_seen)
		return false;
	g->n_seen = n_told;
	for (uint16_t i = 0; i < map->n_nodes; i++)
		if (map->nodes[i].flags & CLUSTER_MASTER &&
		    (!map->nodes[i].n_slots || map->nodes[i].flags & CLUSTER_MYSELF))
			master_view(g, map, i, asked_ns);
	for (unsigned i = 0; i < g->n_members; i++) // those that are gone have none
		if (member_is_orphan(g, g->members[i]))
			handoff_view(g->handoff, g->members[i]->number,
				     &(struct handoff_view){.asked_ns = asked_ns});
	return true;
}

// Ask for what helps on; sync anew what has to be.
static void members_ask(struct group *g)
{
	bool moves = g->handoff->n_flux;
	for (unsigned i = 0; i < g->n_members; i++) {
		struct member *m = g->members[i];
		const struct handoff_member *known = &g->handoff->members[m->number];
		if (!m->link) {
			if (m->begun)
				handoff_leave(g->handoff, m->number);
			continue;
		}
		if (handoff_wants_ns(g->handoff, m->number))
			probe_hurry(&m->link->probe);
		if (known->resync && m->link->stage == LINK_STREAMING && g->stage == GROUP_RUNNING)
			link_resync(m->link, known->why);
		// A full sync waits for what its master says, or what it was begun with is to be
		// borne out: a slot that moves before costs another one.
		moves |= m->gate_ns || known->claim_ns || m->link->source.holding;
	}
	if (moves && g->now.mono_ns >= g->poke_at_ns) {
		cluster_topology_poke(g->topology);
		g->poke_at_ns = g->now.mono_ns + POKE_EVERY_NS;
	}
}

// What was answered until now is not judged a second time as it was the first time.
static void moves_note(struct group *g)
{
	struct handoff *h = g->handoff;
	if (!handoff_moves(h))
		return;
	for (unsigned i = 0; i < g->n_members; i++) {
		const struct member *m = g->members[i];
		struct handoff_member *known = &h->members[m->number];
		if (m->link && m->link->stage == LINK_STREAMING)
			known->moved_until = known->frontier;
	}
}

void group_handoff_turn(struct group *g)
{
	struct handoff *h = g->handoff;
	h->now_ns = g->now.mono_ns;
	bool news = members_tell(g);
	news |= view_take(g);
	if (g->stage == GROUP_RUNNING && (news || h->n_flux) && g->now.mono_ns >= g->settle_at_ns) {
		handoff_settle(h);
		g->settle_at_ns = g->now.mono_ns + SETTLE_EVERY_NS;
	}
	moves_note(g);
	state_save(g);
	members_ask(g);
}

// ---- For a member

bool group_may_replay(struct group *g, const struct link *link, uint64_t offset)
{
	const struct member *m = member_of_link(g, link);
	return !m || offset >= g->handoff->members[m->number].moved_until;
}

// Where the connection goes, which may be another place than the map has by now.
static bool is_connected_to(const struct link *link, const struct cluster_node *node)
{
	const struct where *at = &link->source.seek.at;
	return at->port == node->port && !strcmp(at->name, node->host);
}

bool group_believes_offer(struct group *g, struct link *link)
{
	struct member *m = member_of_link(g, link);
	const struct source *s = &link->source;
	if (!m || m->at_replica || !s->replid[0])
		return true;
	uint64_t view_ns = g->handoff->members[m->number].view_ns;
	if (view_ns <= s->asked_ns && g->now.mono_ns < s->asked_ns + GATE_NS_MAX)
		return false;
	const struct cluster_map *map = cluster_topology_map(g->topology);
	uint16_t master = member_master(g, m, map);
	if (master == CLUSTER_NONE || is_connected_to(link, &map->nodes[master]))
		return true;
	source_reconnect(&link->source);
	return false;
}

// Let it be offered anew.
static void sync_again(struct member *m)
{
	m->gate_ns = 0;
	source_reconnect(&m->link->source);
}

// A snapshot that is older than what was read before would take the stream back behind hand-overs
// that are settled. That of a replica has to have all that the master had when it was chosen.
static bool floor_holds(struct group *g, struct member *m)
{
	struct source *s = &m->link->source;
	const struct probe *p = &m->link->probe;
	if (!m->floor.known && p->answers && p->offset_ns > m->floor.chosen_ns && !p->is_replica) {
		m->floor.offset = p->offset;
		m->floor.known = true;
	}
	bool same = !p->replid[0] || !strcmp(p->replid, s->handshake.replid);
	if (m->floor.known && same && s->handshake.offset >= m->floor.offset)
		return true;
	bool late = p->refused || g->now.mono_ns > m->floor.chosen_ns + GATE_NS_MAX;
	if (!m->floor.known && !late) {
		probe_hurry(&m->link->probe);
		return false;
	}
	if (!m->floor.known || !same || ++m->floor.n_tries == FLOOR_TRIES)
		member_turn_to_master(g, m);
	sync_again(m);
	return false;
}

// A master that has lost its last slot may be a replica of another shard's by now, whose stream is
// none of this one.
static bool master_is_one(struct group *g, struct member *m)
{
	const struct probe *p = &m->link->probe;
	bool late = p->refused || g->now.mono_ns > m->gate_ns + GATE_NS_MAX;
	bool told = p->answers && p->offset_ns > m->gate_ns;
	if (!told && !late) {
		probe_hurry(&m->link->probe);
		return false;
	}
	if (!told || !p->is_replica)
		return true;
	cluster_topology_poke(g->topology);
	sync_again(m);
	return false;
}

bool group_may_sync(struct group *g, const struct link *link)
{
	struct member *m = member_of_link(g, link);
	if (!m)
		return true;
	if (!m->gate_ns)
		m->gate_ns = g->now.mono_ns;
	if (m->n_orphan || !master_is_one(g, m) || (m->at_replica && !floor_holds(g, m)))
		return false;
	uint64_t view_ns = g->handoff->members[m->number].view_ns;
	if (view_ns <= m->gate_ns && g->now.mono_ns < m->gate_ns + GATE_NS_MAX)
		return false;
	m->gate_ns = 0;
	return true;
}

void group_claim(struct group *g, const struct link *link, uint64_t slots[SLOT_COUNT / 64])
{
	const struct member *m = member_of_link(g, link);
	if (!m)
		return;
	g->handoff->now_ns = g->now.mono_ns;
	handoff_claim(g->handoff, m->number);
	memcpy(slots, g->handoff->members[m->number].claimed, SLOT_COUNT / 8);
}
