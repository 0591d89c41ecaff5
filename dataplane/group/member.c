// SPDX-License-Identifier: BSD-3-Clause
// A member of a group, from its first turn to its last:
//
//   member_add() -> member_begin() -> ... -> member_leave() -> member_forget()
//                                            member_ended(): by itself
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dataplane/group/group_handoff.h"
#include "dataplane/group/group_priv.h"

// A shard that has nothing may be away for so long before its member ends.
#define IDLE_AWAY_NS 3000000000ull
#define STEP_NS      2000000000ull // so old may what the master said of its offset be

struct member *member_of_link(const struct group *g, const struct link *link)
{
	for (unsigned i = 0; i < g->n_members; i++)
		if (g->members[i]->link == link)
			return g->members[i];
	return NULL;
}

// ---- Begin

static int folder_ensure(const char *path)
{
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

// A shard that a former life has followed goes on in its folder.
static int shard_find(struct group *g, struct shard *s, const struct cluster_map *map,
		      uint16_t master)
{
	char path[STATE_DIR_LEN];
	snprintf(path, sizeof(path), "%.*s/" SHARDS_FOLDER, (int)SHARD_FOLDER_LEN_MAX,
		 g->config->state_dir);
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
	snprintf(c->name, sizeof(c->name), "%.*s.%s", SHARD_LINK_LEN_MAX, g->config->name,
		 m->shard.name);
	snprintf(c->state_dir, sizeof(c->state_dir), "%.*s/" SHARDS_FOLDER "/%s",
		 (int)SHARD_FOLDER_LEN_MAX, g->config->state_dir, m->shard.name);
}

void member_save(struct group *g, struct member *m)
{
	int rc = shard_save(&m->shard, m->slot->config.state_dir);
	if (rc && !m->unsaved)
		core_log(g->core, EVENT_WARN, g->index,
			 "the nodes of shard %s cannot be written down in %.120s: %s",
			 m->shard.name, m->slot->config.state_dir, strerror(-rc));
	m->unsaved = rc != 0;
}

static struct member *no_memory(struct group *g)
{
	group_fail(g, ERROR_MEMORY, "no memory for another shard of the cluster");
	return NULL;
}

static struct member *too_many(struct group *g)
{
	group_fail(g, ERROR_CONFIG, "the clusters that are read have more than %d shards",
		   MEMBERS_MAX);
	return NULL;
}

struct member *member_add(struct group *g, const struct cluster_map *map, uint16_t master)
{
	int place = jobs_member_find(g->jobs);
	if (place < 0)
		return too_many(g);
	struct member *m = calloc(1, sizeof(*m));
	if (!m)
		return no_memory(g);
	m->place = (unsigned)place;
	m->slot = &g->jobs->contract->members[place];
	int rc = shard_find(g, &m->shard, map, master);
	memset(m->slot, 0, sizeof(*m->slot));
	member_config(g, m, &m->slot->config);
	rc = rc ? rc : folder_ensure(m->slot->config.state_dir);
	g->members[g->n_members++] = m;
	if (rc) {
		group_fail(g, ERROR_DISK, "the folder %.150s of a shard cannot be made: %s",
			   m->slot->config.state_dir, strerror(-rc));
		return NULL;
	}
	rc = group_handoff_join(g, m);
	return !rc ? m : rc == -ENOSPC ? too_many(g) : no_memory(g);
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

// ---- End

// It has ended by itself: it failed, or it has caught up and was told to leave then.
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

// What was sent once stays counted.
static void counters_keep(struct group *g, const struct link_slot *slot)
{
#define KEEP_counter(name) counter_add(&to->name, counter_get(&from->name));
#define KEEP_gauge(name)
#define X(name, type, help) KEEP_##type(name)
	{
		struct source_counters *to = &g->gone.source;
		const struct source_counters *from = &slot->state.counters;
		SOURCE_COUNTERS(X)
	}
	for (unsigned i = 0; i < LANES_MAX; i++) {
		struct lane_counters *to = &g->gone.lanes[i];
		const struct lane_counters *from = &slot->lanes[i];
		LANE_COUNTERS(X)
		for (unsigned b = 0; b < LATENCY_BUCKETS; b++)
			counter_add(&to->latency_us[b], counter_get(&from->latency_us[b]));
	}
#undef X
#undef KEEP_gauge
#undef KEEP_counter
}

// Its folder stays, and says which nodes it was of: should they come back as they were, so does the
// place in their stream.
static void member_forget(struct group *g, unsigned i)
{
	struct member *m = g->members[i];
	counters_keep(g, m->slot);
	handoff_forget(g->handoff, m->number);
	explicit_bzero(&m->slot->config, sizeof(m->slot->config));
	memmove(&g->members[i], &g->members[i + 1], (--g->n_members - i) * sizeof(g->members[0]));
	free(m);
	g->map_version = 0; // its nodes may have come back meanwhile
}

static bool has_no_slots(const struct group *g, const struct member *m)
{
	const struct cluster_map *map = cluster_topology_map(g->topology);
	return map && member_master(g, m, map) == CLUSTER_NONE;
}

// Whether nothing is to be expected of a shard any more. Of one that is there and has slots, or has
// had some that are not known to have gone elsewhere, there always is, however long it is away.
static bool has_left(const struct group *g, const struct member *m)
{
	const struct source *s = &m->link->source;
	bool away = s->waiting_since_ns && g->now.mono_ns > s->waiting_since_ns + IDLE_AWAY_NS;
	bool orphan = m->n_orphan && member_is_orphan(g, m);
	if (orphan && s->state != SOURCE_STREAM)
		return true;
	return (orphan || (away && has_no_slots(g, m))) && !handoff_holds(g->handoff, m->number);
}

static void member_leave(struct group *g, struct member *m)
{
	core_log(g->core, EVENT_INFO, g->index, "shard %s has left the cluster", m->shard.name);
	m->leaving = true;
	link_drain(m->link);
}

// ---- Turn

// All that its master had when it was asked lately has come: the rest is in its backlog.
static bool is_in_step(const struct group *g, const struct member *m)
{
	const struct probe *p = &m->link->probe;
	if (p->refused)
		return true; // nobody can know
	return p->answers && p->offset_ns + STEP_NS > g->now.mono_ns &&
	       !strcmp(p->replid, m->link->source.replid) && m->link->log.tail >= p->offset;
}

// Its source has trouble to reach it: perhaps it is somewhere else by now. A replica that has given
// its snapshot has done its part.
static void member_seek(struct group *g, struct member *m)
{
	bool stays = g->config->settings.prefer_replica == PREFER_REPLICA_YES;
	if (m->link->source.waiting_since_ns) {
		cluster_topology_poke(g->topology);
		if (m->at_replica)
			member_turn_to_master(g, m);
	} else if (m->at_replica && !stays && m->link->stage == LINK_STREAMING &&
		   m->link->source.state == SOURCE_STREAM && is_in_step(g, m)) {
		member_turn_to_master(g, m);
		source_reconnect(&m->link->source);
	}
}

void members_look(struct group *g)
{
	for (unsigned i = 0; i < g->n_members; i++)
		if (g->members[i]->link && jobs_member_gone(g->jobs, g->members[i]->place))
			member_ended(g, g->members[i]);
}

bool members_turn(struct group *g)
{
	bool over = true;
	for (unsigned i = 0; i < g->n_members; i++) {
		struct member *m = g->members[i];
		if (m->leaving && !m->link) {
			member_forget(g, i--);
			continue;
		}
		if (!m->begun && g->stage <= GROUP_RUNNING)
			member_begin(g, m);
		over &= !m->link && (m->begun || g->stage > GROUP_RUNNING);
		if (!m->link)
			continue;
		member_seek(g, m);
		if (!m->leaving && g->stage == GROUP_RUNNING && !g->paused && has_left(g, m))
			member_leave(g, m);
	}
	return over;
}
