// SPDX-License-Identifier: BSD-3-Clause
// What people see of a link: its phase, what it waits for, notes.
#include <stdarg.h>
#include <stdio.h>

#include "dataplane/link_priv.h"

static void phase_set(struct link *link, enum link_phase phase)
{
	atomic_store_explicit(&link->slot->state.phase, phase, memory_order_release);
}

static enum link_phase phase_now(const struct link *link)
{
	static const enum link_phase phases[] = {
		[LINK_OPENING] = PHASE_CONNECTING,   [LINK_JOINING] = PHASE_CONNECTING,
		[LINK_ASKING] = PHASE_CONNECTING,
		[LINK_LOADING] = PHASE_SNAPSHOT,     [LINK_SWEEPING] = PHASE_SNAPSHOT,
		[LINK_STREAMING] = PHASE_STREAM,     [LINK_RESETTING] = PHASE_CONNECTING,
		[LINK_DRAINING] = PHASE_DRAINING,    [LINK_CLOSING] = PHASE_DRAINING,
		[LINK_OVER] = PHASE_DONE,
	};
	if (link->paused && link->stage < LINK_DRAINING)
		return PHASE_PAUSED;
	return link->stage == LINK_OVER ? link->last_phase : phases[link->stage];
}

// One line for the log; of a member with the name of its shard.
void link_log(struct link *link, enum event_level level, const char *text)
{
	const char *shard = link->group ? strrchr(link->config->name, '.') : NULL;
	if (shard)
		core_log(link->core, level, link->index, "shard %s: %.200s", shard + 1, text);
	else
		core_log(link->core, level, link->index, "%s", text);
}

void link_note(struct link *link, enum event_level level, const char *format, ...)
{
	char text[TEXT_LEN];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	shared_text_set(&link->slot->state.note, text);
	link_log(link, level, text);
}

static const char *delivery_text(const struct link *link)
{
	return link->config->settings.delivery == DELIVERY_EXACTLY_ONCE
		       ? "exactly-once: every batch carries its marker"
		       : "at-least-once: asked for by the setting";
}

// A new id of the stream that cannot be recorded. @return "" when that is not so
static const char *naming_text(const struct link *link, char *out, uint64_t *deadline)
{
	int rc = link->naming && link->files ? replacer_error(link->files) : 0;
	uint64_t at_ns = link->source.deadline_ns, now_ns = link->now.mono_ns;
	if (!rc)
		return "";
	snprintf(out, TEXT_LEN,
		 "the stream has a new id, and the checkpoint in %.100s that has to tell of it "
		 "cannot be written: %s",
		 link->config->state_dir, strerror(-rc));
	*deadline = link->now.wall_ms + (at_ns > now_ns ? (at_ns - now_ns) / 1000000 : 0);
	return out;
}

static void waiting_publish(struct link *link)
{
	struct link_state *state = &link->slot->state;
	char text[TEXT_LEN];
	uint64_t deadline = link->source.wait_deadline_ms;
	const char *waiting = naming_text(link, text, &deadline);
	if (!*waiting)
		waiting = link->source.waiting;
	for (unsigned i = 0; i < link->n_lanes && !*waiting; i++) {
		uint64_t at_ms = atomic_load_explicit(&link->lanes[i].wait_deadline_ms,
						      memory_order_relaxed);
		if (!at_ms)
			continue;
		shared_text_get(&link->lanes[i].waiting, text);
		waiting = text;
		deadline = at_ms;
	}
	const struct giant *giant = &link->route.giant;
	if (!*waiting && *giant->waiting) {
		waiting = giant->waiting;
		deadline = giant->waiting_since_ms + link->config->settings.wait_timeout;
	}
	if (!*waiting)
		waiting = link_cluster_waiting(link);
	if (!*waiting && link->route.handoff) {
		handoff_wait_text(link->route.handoff, link->route.member, text);
		waiting = text;
	}
	if (!*waiting && link->stage == LINK_SWEEPING)
		waiting = link->sweep.error;
	if (!*waiting && link->stage == LINK_ASKING)
		waiting = link->lifetimes.error;
	if (!*waiting) {
		waiting = log_trouble(&link->log);
		if (!*waiting && link->stage == LINK_LOADING)
			waiting = log_trouble(&link->snapshot_log);
		deadline = link->now.wall_ms + 1000; // when it is tried again
	}
	shared_text_set(&state->waiting, waiting);
	atomic_store_explicit(&state->wait_deadline_ms, *waiting ? deadline : 0,
			      memory_order_relaxed);
}

static void disk_publish(struct link *link)
{
	struct source_counters *c = link_counters(link);
	struct log_figures f = log_figures(&link->log);
	counter_set(&c->log_disk_bytes, f.disk_bytes);
	counter_set(&c->log_written_bytes, f.written_bytes);
	counter_set(&c->log_read_bytes, f.read_bytes);
	counter_set(&c->log_syncs, f.n_syncs);
	counter_set(&c->log_behind_bytes, link->log.tail - log_end(&link->log));
	f = log_figures(&link->snapshot_log);
	counter_set(&c->snapshot_disk_bytes, f.disk_bytes);
	counter_set(&c->snapshot_written_bytes, f.written_bytes);
	shared_text_set(&link->slot->state.disk, log_disk_text(&link->log));
}

void link_publish(struct link *link)
{
	struct link_state *state = &link->slot->state;
	waiting_publish(link);
	if (state->phase != phase_now(link))
		phase_set(link, phase_now(link));
	shared_text_set(&state->delivery, delivery_text(link));
	shared_text_set(&state->replid, link->source.replid);
	shared_text_set(&state->source_version, link->probe.version.text);
	char at[TEXT_LEN];
	shared_text_set(&state->source_at, whereabouts_told(&link->source_where, at));
	shared_text_set(&state->target_at, whereabouts_told(&link->target_where, at));
	if (atomic_load_explicit(&link->lanes[0].state, memory_order_acquire) == LANE_READY)
		shared_text_set(&state->target_version, link->lanes[0].version.text);
	uint64_t offset = link->probe.offset > link->log.tail ? link->probe.offset : link->log.tail;
	counter_set(&state->counters.source_offset, offset);
	counter_set(&state->counters.received_offset, link->log.tail);
	counter_set(&state->counters.window_bytes, log_end(&link->log) - link->log.head);
	disk_publish(link);
}
