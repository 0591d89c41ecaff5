// SPDX-License-Identifier: BSD-3-Clause
// group_turn() -> topology, group_map_turn(), members_turn(), group_handoff_turn(), group_sum()
#include "dataplane/group/group.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/group/group_handoff.h"
#include "dataplane/group/group_priv.h"
#include "dataplane/group/group_sum.h"

#define SUM_EVERY_NS 20000000ull

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

void group_fail(struct group *g, enum error_id error, const char *format, ...)
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
	members_look(g);
	g->paused = on;
	members_look(g);
	for (unsigned i = 0; i < g->n_members; i++)
		if (g->members[i]->link)
			link_pause(g->members[i]->link, on);
}

void group_drain(struct group *g)
{
	members_look(g);
	if (g->stage >= GROUP_DRAINING)
		return;
	g->paused = false;
	g->last_phase = PHASE_DONE;
	g->stage = GROUP_DRAINING;
	for (unsigned i = 0; i < g->n_members; i++)
		if (g->members[i]->link)
			link_drain(g->members[i]->link);
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

bool group_turn(void *task, const struct clock_reading *now, uint64_t *deadline_ns)
{
	struct group *g = task;
	if (g->stage == GROUP_OVER)
		return false;
	g->now = *now;
	members_look(g); // before anything turns to a link that is gone
	if (g->stage <= GROUP_RUNNING)
		cluster_topology_turn(g->topology, now, deadline_ns);
	group_map_turn(g);
	if (g->stage == GROUP_LOOKING)
		looking_turn(g);
	bool over = members_turn(g);
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
