// SPDX-License-Identifier: BSD-3-Clause
// group_turn() -> topology -> members_match() -> member_begin() ; members_watch() ; group_sum()
#include "dataplane/group/group.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dataplane/group/group_handoff.h"
#include "dataplane/group/group_sum.h"

#define SUM_EVERY_NS  20000000ull
#define SHARDS_FOLDER "shards"

bool group_may_begin(struct group *g, bool *is_ours)
{
	if (!g->gathered) {
		bool all = g->stage != GROUP_LOOKING;
		for (unsigned i = 0; i < g->n_members; i++)
			all &= g->members[i]->link && g->members[i]->link->looked;
		if (!all)
			return false;
		g->ours = true;
		for (unsigned i = 0; i < g->n_members; i++)
			g->ours &= g->members[i]->link->finds_ours;
		g->gathered = true;
	}
	*is_ours = g->ours;
	return true;
}

// ---- Ends

// One that has ended since the last turn is no more, and is found so in this one.
static void members_stop(struct group *g)
{
	for (unsigned i = 0; i < g->n_members; i++) {
		struct member *m = g->members[i];
		if (m->link && !jobs_member_gone(g->jobs, m->place))
			link_stop(m->link);
	}
}

static void group_close(struct group *g, enum link_phase last)
{
	g->last_phase = last;
	g->stage = GROUP_CLOSING;
	members_stop(g);
}

static void group_fail(struct group *g, enum error_id error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void group_fail(struct group *g, enum error_id error, const char *format, ...)
{
	char text[TEXT_LEN];
	va_list args;
	if (g->stage >= GROUP_CLOSING)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	shared_text_set(&g->slot->state.failure, text);
	atomic_store(&g->slot->state.error, error);
	core_log(g->core, EVENT_ERROR, g->index, "%s", text);
	group_close(g, PHASE_FAILED);
}

void group_stop(struct group *g)
{
	if (g->stage < GROUP_CLOSING)
		group_close(g, PHASE_DONE);
}

void group_pause(struct group *g, bool on)
{
	g->paused = on;
	for (unsigned i = 0; i < g->n_members; i++)
		if (g->members[i]->link)
			link_pause(g->members[i]->link, on);
}

void group_drain(struct group *g)
{
	if (g->stage >= GROUP_DRAINING)
		return;
	g->paused = false;
	g->last_phase = PHASE_DONE;
	g->stage = GROUP_DRAINING;
	for (unsigned i = 0; i < g->n_members; i++)
		if (g->members[i]->link)
			link_drain(g->members[i]->link);
}

// ---- Members

static struct member *member_find(struct group *g, const struct cluster_map *map, uint16_t master)
{
	for (unsigned i = 0; i < g->n_members; i++)
		if (shard_is(&g->members[i]->shard, map, master))
			return g->members[i];
	return NULL;
}

static int folder_ensure(const char *path)
{
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

// A shard that a former life has followed goes on in its folder.
static int shard_find(struct group *g, struct shard *s, const struct cluster_map *map,
		      uint16_t master)
{
	char path[sizeof(g->config->state_dir)];
	snprintf(path, sizeof(path), "%.240s/" SHARDS_FOLDER, g->config->state_dir);
	int rc = folder_ensure(path);
	rc = rc ? rc : shard_recall(s, path, map, master);
	if (rc != -ENOENT)
		return rc;
	shard_begin(s, map, master);
	return 0;
}

static void member_config(const struct group *g, const struct member *m, struct link_config *c)
{
	*c = *g->config;
	c->of = g->index + 1;
	snprintf(c->name, sizeof(c->name), "%.50s.%s", g->config->name, m->shard.name);
	snprintf(c->state_dir, sizeof(c->state_dir), "%.220s/" SHARDS_FOLDER "/%s",
		 g->config->state_dir, m->shard.name);
}

static void member_save(struct group *g, struct member *m)
{
	int rc = shard_save(&m->shard, m->slot->config.state_dir);
	if (rc && !m->unsaved)
		core_log(g->core, EVENT_WARN, g->index,
			 "the nodes of shard %s cannot be written down in %.120s: %s",
			 m->shard.name, m->slot->config.state_dir, strerror(-rc));
	m->unsaved = rc != 0;
}

static struct member *member_add(struct group *g, const struct cluster_map *map, uint16_t master)
{
	int place = jobs_member_find(g->jobs);
	struct member *m = place >= 0 ? calloc(1, sizeof(*m)) : NULL;
	if (!m) {
		group_fail(g, ERROR_CONFIG, "the clusters that are read have more than %d shards",
			   MEMBERS_MAX);
		return NULL;
	}
	m->place = (unsigned)place;
	m->slot = &g->jobs->contract->members[place];
	int rc = shard_find(g, &m->shard, map, master);
	memset(m->slot, 0, sizeof(*m->slot));
	member_config(g, m, &m->slot->config);
	rc = rc ? rc : folder_ensure(m->slot->config.state_dir);
	g->members[g->n_members++] = m;
	rc = rc || group_handoff_join(g, m) ? rc : -ENOMEM;
	if (rc)
		group_fail(g, ERROR_DISK, "the folder %.150s of a shard cannot be made: %s",
			   m->slot->config.state_dir, strerror(-rc));
	return rc ? NULL : m;
}

static void member_begin(struct group *g, struct member *m)
{
	m->link = jobs_member_start(g->jobs, m->place, g);
	m->begun = m->link != NULL;
	if (m->begun)
		group_handoff_link(g, m);
	if (m->begun && g->paused)
		link_pause(m->link, true);
}

// ---- Where the stream of a shard is read

static bool node_is_well(const struct cluster_node *node)
{
	unsigned bad =
		CLUSTER_FAIL | CLUSTER_PFAIL | CLUSTER_NOADDR | CLUSTER_HANDSHAKE | CLUSTER_LOADING;
	return node->host[0] && node->port && !(node->flags & bad);
}

// The member's source and probe run on this core, and look here when they connect.
static void member_place(struct member *m, const struct cluster_node *node)
{
	struct endpoint *e = &m->slot->config.source;
	memcpy(m->node, node->id, sizeof(m->node));
	e->kind = URL_STANDALONE;
	e->n_nodes = 1;
	memcpy(e->host, node->host, sizeof(e->host));
	memcpy(e->nodes[0].host, node->host, sizeof(e->nodes[0].host));
	e->port = e->nodes[0].port = node->port;
	if (m->link)
		whereabouts_locate(&m->link->source_where);
}

// @return a replica that is well, CLUSTER_NONE: there is none
static uint16_t replica_of(const struct cluster_map *map, uint16_t master)
{
	for (uint16_t i = 0; i < map->n_nodes; i++)
		if (i != master && map->nodes[i].master == master && node_is_well(&map->nodes[i]))
			return i;
	return CLUSTER_NONE;
}

// The map is another one. A replica that is read stays so as long as it is of this shard.
static void member_locate(struct member *m, const struct cluster_map *map, uint16_t master)
{
	uint16_t at = cluster_node_find(map, span_of(m->node));
	bool stays = m->at_replica && at != CLUSTER_NONE && at != master &&
		     map->nodes[at].master == master && node_is_well(&map->nodes[at]);
	m->at_replica = stays;
	if (stays)
		member_place(m, &map->nodes[at]);
	else if (map->nodes[master].host[0] && map->nodes[master].port)
		member_place(m, &map->nodes[master]);
}

static uint16_t member_master(const struct member *m, const struct cluster_map *map)
{
	for (uint16_t i = 0; map && i < map->n_nodes; i++)
		if (map->nodes[i].n_slots && shard_is(&m->shard, map, i))
			return i;
	return CLUSTER_NONE;
}

static void member_turn_to_master(struct group *g, struct member *m)
{
	const struct cluster_map *map = cluster_topology_map(g->topology);
	uint16_t master = member_master(m, map);
	m->at_replica = false;
	if (master != CLUSTER_NONE)
		member_locate(m, map, master);
}

void group_choose_node(struct group *g, const struct link *link, bool full_sync)
{
	const struct cluster_map *map = cluster_topology_map(g->topology);
	for (unsigned i = 0; i < g->n_members; i++) {
		struct member *m = g->members[i];
		uint16_t master = m->link == link ? member_master(m, map) : CLUSTER_NONE;
		if (master == CLUSTER_NONE)
			continue;
		bool wants = full_sync && g->config->settings.prefer_replica != PREFER_REPLICA_NO;
		uint16_t replica = wants ? replica_of(map, master) : CLUSTER_NONE;
		m->at_replica = replica != CLUSTER_NONE;
		if (m->at_replica)
			member_place(m, &map->nodes[replica]);
		else
			member_locate(m, map, master);
	}
}

// ---- The map

// What the map says now: new shards, new nodes, other masters.
static void members_match(struct group *g, const struct cluster_map *map)
{
	for (uint16_t i = 0; i < map->n_nodes && g->stage <= GROUP_RUNNING; i++) {
		const struct cluster_node *node = &map->nodes[i];
		if (!(node->flags & CLUSTER_MASTER) || !node->n_slots)
			continue;
		struct member *m = member_find(g, map, i);
		bool is_new = !m;
		if (is_new)
			m = member_add(g, map, i);
		if (!m)
			return;
		if (shard_learn(&m->shard, map, i) || is_new || m->unsaved)
			member_save(g, m);
		member_locate(m, map, i);
		if (is_new)
			core_log(g->core, EVENT_INFO, g->index, "shard %s at %s:%u, %u slots",
				 m->shard.name, node->host, node->port, node->n_slots);
	}
}

// Slots that nobody owns have no stream.
static void coverage_check(struct group *g, const struct cluster_map *map)
{
	unsigned first = 0, missing = SLOT_COUNT - map->n_owned;
	if (!missing) {
		g->waiting[0] = 0;
		return;
	}
	while (map->owner[first] != CLUSTER_NONE)
		first++;
	snprintf(g->waiting, sizeof(g->waiting),
		 "%u slot%s of the source cluster without a master (the first is %u): what is "
		 "written "
		 "there cannot be read",
		 missing, missing > 1 ? "s" : "", first);
}

// ---- Turn

static void looking_turn(struct group *g)
{
	const struct link_settings *set = &g->config->settings;
	const char *trouble = cluster_topology_trouble(g->topology);
	enum error_id error = cluster_topology_error(g->topology);
	if (g->n_members) {
		g->stage = GROUP_RUNNING;
		return;
	}
	snprintf(g->waiting, sizeof(g->waiting), "%s", trouble);
	if (!g->deadline_ms)
		g->deadline_ms = g->now.wall_ms + set->wait_timeout;
	if (error || (*trouble && set->fail_fast))
		group_fail(g, error ? error : ERROR_CONNECT, "%s", trouble);
	else if (g->now.wall_ms > g->deadline_ms)
		group_fail(g, ERROR_DEADLINE, "%s, for longer than wait-timeout",
			   *trouble ? trouble : "the source cluster does not tell its slots");
}

static void map_look(struct group *g)
{
	const struct cluster_map *map = cluster_topology_map(g->topology);
	uint64_t version = cluster_topology_version(g->topology);
	if (!map || version == g->map_version || g->stage > GROUP_RUNNING)
		return;
	bool first = !g->map_version;
	g->map_version = version;
	members_match(g, map);
	if (first)
		group_handoff_map(g, map);
	coverage_check(g, map);
}

// A member has ended by itself: it failed, or it has caught up and was told to leave then.
static void member_ended(struct group *g, struct member *m)
{
	struct link_state *state = &m->slot->state;
	char text[TEXT_LEN];
	m->link = NULL;
	if (atomic_load(&state->phase) != PHASE_FAILED)
		return;
	shared_text_get(&state->failure, text);
	group_fail(g, (enum error_id)atomic_load(&state->error), "shard %s: %.*s", m->shard.name,
		   TEXT_LEN - 20, text);
}

// @return whether all of them are over
static bool members_watch(struct group *g)
{
	bool over = true;
	for (unsigned i = 0; i < g->n_members; i++) {
		struct member *m = g->members[i];
		if (m->link && jobs_member_gone(g->jobs, m->place))
			member_ended(g, m);
		if (!m->begun && g->stage <= GROUP_RUNNING)
			member_begin(g, m);
		over &= !m->link && (m->begun || g->stage > GROUP_RUNNING);
		// Its source has trouble to reach it: perhaps it is somewhere else by now.
		if (m->link && m->link->source.waiting[0]) {
			cluster_topology_poke(g->topology);
			if (m->at_replica)
				member_turn_to_master(g, m);
		}
	}
	return over;
}

bool group_turn(void *task, const struct clock_reading *now, uint64_t *deadline_ns)
{
	struct group *g = task;
	if (g->stage == GROUP_OVER)
		return false;
	g->now = *now;
	if (g->stage <= GROUP_RUNNING)
		cluster_topology_turn(g->topology, now, deadline_ns);
	map_look(g);
	if (g->stage == GROUP_LOOKING)
		looking_turn(g);
	bool over = members_watch(g);
	group_handoff_turn(g);
	if (over && (g->stage > GROUP_RUNNING || g->n_members)) {
		if (g->stage == GROUP_RUNNING)
			g->last_phase = PHASE_DONE;
		g->stage = GROUP_OVER;
	}
	if (now->mono_ns >= g->sum_at_ns || g->stage == GROUP_OVER) {
		group_sum(g);
		g->sum_at_ns = now->mono_ns + SUM_EVERY_NS;
	}
	if (g->sum_at_ns < *deadline_ns)
		*deadline_ns = g->sum_at_ns;
	return false;
}

struct group *group_new(struct jobs *jobs, uint32_t index)
{
	struct group *g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	g->jobs = jobs;
	g->core = &jobs->cores[0];
	g->index = index;
	g->slot = &jobs->contract->links[index];
	g->config = &g->slot->config;
	g->now = g->core->now;
	g->topology = cluster_topology_new(g->core, &g->config->source);
	if (!g->topology || group_handoff_open(g)) {
		cluster_topology_free(g->topology);
		group_handoff_close(g);
		free(g);
		return NULL;
	}
	park_init(&g->park, &disk_kernel, g->config->state_dir);
	group_sum(g);
	return g;
}

void group_free(struct group *g)
{
	for (unsigned i = 0; i < g->n_members; i++) {
		explicit_bzero(&g->members[i]->slot->config, sizeof(struct link_config));
		free(g->members[i]);
	}
	cluster_topology_free(g->topology);
	group_handoff_close(g);
	park_fini(&g->park);
	free(g);
}
