// SPDX-License-Identifier: BSD-3-Clause
// group_sum() -> lanes_sum(), source_sum(), texts_show(), phase_show()
#include "dataplane/group/group_sum.h"

#include <stdio.h>

#include "dataplane/group/group.h"

// ---- Counters

// Fates before what was received: who reads them in that order never sees more fates than commands.
static void lanes_sum(struct group *g)
{
	unsigned n_lanes = (unsigned)g->config->settings.lanes;
	for (unsigned j = 0; j < n_lanes; j++) {
		struct lane_counters *sum = &g->slot->lanes[j];
		struct lane_counters all = g->gone.lanes[j];
		for (unsigned i = 0; i < g->n_members; i++) {
			const struct lane_counters *of = &g->members[i]->slot->lanes[j];
#define X(name, type, help) counter_add(&all.name, counter_get(&of->name));
			LANE_COUNTERS(X)
#undef X
			for (unsigned b = 0; b < LATENCY_BUCKETS; b++)
				counter_add(&all.latency_us[b], counter_get(&of->latency_us[b]));
		}
#define X(name, type, help) counter_set(&sum->name, counter_get(&all.name));
		LANE_COUNTERS(X)
#undef X
		for (unsigned b = 0; b < LATENCY_BUCKETS; b++)
			counter_set(&sum->latency_us[b], counter_get(&all.latency_us[b]));
	}
	atomic_store(&g->slot->state.lanes, n_lanes);
}

static void source_sum(struct group *g)
{
	struct source_counters *sum = &g->slot->state.counters;
	struct source_counters all = g->gone.source;
	uint64_t oldest = 0;
	for (unsigned i = 0; i < g->n_members; i++) {
		const struct source_counters *of = &g->members[i]->slot->state.counters;
		uint64_t ms = counter_get(&of->oldest_unapplied_ms);
#define X(name, type, help) counter_add(&all.name, counter_get(&of->name));
		SOURCE_COUNTERS(X)
#undef X
		if (ms && (!oldest || ms < oldest))
			oldest = ms;
	}
	counter_set(&all.oldest_unapplied_ms, oldest);
#define X(name, type, help) counter_set(&sum->name, counter_get(&all.name));
	SOURCE_COUNTERS(X)
#undef X
}

// ---- Words

// The first member that has something to say, with its name before it.
static void text_show(struct group *g, size_t offset)
{
	char text[TEXT_LEN], out[TEXT_LEN] = "";
	for (unsigned i = 0; i < g->n_members && !*out; i++) {
		const struct member *m = g->members[i];
		shared_text_get(
			(const struct shared_text *)((const char *)&m->slot->state + offset), text);
		if (*text)
			snprintf(out, sizeof(out), "shard %s: %.*s", m->shard.name, TEXT_LEN - 20,
				 text);
	}
	shared_text_set((struct shared_text *)((char *)&g->slot->state + offset), out);
}

// What is the same for all.
static void text_copy(struct group *g, size_t offset)
{
	char text[TEXT_LEN] = "";
	for (unsigned i = 0; i < g->n_members && !*text; i++)
		shared_text_get(
			(const struct shared_text *)((const char *)&g->members[i]->slot->state +
						     offset),
			text);
	shared_text_set((struct shared_text *)((char *)&g->slot->state + offset), text);
}

static void texts_show(struct group *g)
{
	struct link_state *state = &g->slot->state;
	uint64_t deadline_ms = 0;
	text_show(g, offsetof(struct link_state, waiting));
	for (unsigned i = 0; i < g->n_members && !deadline_ms; i++)
		deadline_ms = counter_get(&g->members[i]->slot->state.wait_deadline_ms);
	if (*g->waiting) {
		shared_text_set(&state->waiting, g->waiting);
		deadline_ms = g->deadline_ms;
	}
	atomic_store(&state->wait_deadline_ms, deadline_ms);
	text_show(g, offsetof(struct link_state, note));
	text_show(g, offsetof(struct link_state, resumed));
	text_show(g, offsetof(struct link_state, full_sync));
	text_copy(g, offsetof(struct link_state, delivery));
	text_copy(g, offsetof(struct link_state, source_version));
	text_copy(g, offsetof(struct link_state, target_version));
	text_copy(g, offsetof(struct link_state, io));
	text_copy(g, offsetof(struct link_state, disk));
}

// ---- Phase

// A snapshot that some member loads is what people wait for, then a connection.
static enum link_phase phase_of_members(const struct group *g)
{
	bool loads = false, connects = false;
	for (unsigned i = 0; i < g->n_members; i++) {
		uint32_t phase = atomic_load(&g->members[i]->slot->state.phase);
		loads |= phase == PHASE_SNAPSHOT;
		connects |= phase == PHASE_CONNECTING || phase == PHASE_IDLE;
	}
	return loads ? PHASE_SNAPSHOT : connects ? PHASE_CONNECTING : PHASE_STREAM;
}

static enum link_phase phase_now(const struct group *g)
{
	switch (g->stage) {
	case GROUP_LOOKING:
		return g->paused ? PHASE_PAUSED : PHASE_CONNECTING;
	case GROUP_RUNNING:
		return g->paused ? PHASE_PAUSED : phase_of_members(g);
	case GROUP_DRAINING:
	case GROUP_CLOSING:
		return PHASE_DRAINING;
	case GROUP_OVER:
		break;
	}
	return g->last_phase;
}

static bool all_caught_up(const struct group *g)
{
	for (unsigned i = 0; i < g->n_members; i++)
		if (!atomic_load(&g->members[i]->slot->state.caught_up))
			return false;
	return g->n_members > 0;
}

static void phase_show(struct group *g)
{
	struct link_state *state = &g->slot->state;
	uint64_t catch_up = 0;
	for (unsigned i = 0; i < g->n_members; i++)
		catch_up += atomic_load(&g->members[i]->slot->state.catch_up_offset);
	atomic_store(&state->catch_up_offset, catch_up);
	atomic_store(&state->caught_up, all_caught_up(g));
	atomic_store_explicit(&state->phase, phase_now(g), memory_order_release);
}

void group_sum(struct group *g)
{
	lanes_sum(g);
	source_sum(g);
	texts_show(g);
	phase_show(g);
}
