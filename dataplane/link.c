// SPDX-License-Identifier: BSD-3-Clause
// link_turn() -> place_collect(), source_turn(), link_news(), stage_turn(), frontier_publish()
#include "dataplane/link_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define TOUCH_EVERY_NS     1000000000ull
#define CATCH_UP_WAIT_NS   3000000000ull
#define SNAPSHOTS_LOST_MAX 10

struct source_counters *link_counters(struct link *link)
{
	return &link->slot->state.counters;
}

static uint64_t random_run(void)
{
	uint64_t run = 0;
	ssize_t n = getrandom(&run, sizeof(run), 0);
	(void)n; // 8 bytes never come short
	return run >> 1 | 1;
}

static int parts_init(struct link *link, struct core *const *lane_cores)
{
	const struct link_config *config = link->config;
	const struct link_settings *set = &config->settings;
	if (log_init(&link->log, set->memory_window) ||
	    log_init(&link->snapshot_log, set->snapshot_window))
		return -1;
	link->log_cursor = log_cursor_add(&link->log);
	link->snapshot_cursor = log_cursor_add(&link->snapshot_log);
	uint64_t run = random_run();
	for (unsigned i = 0; i < link->n_lanes; i++)
		if (lane_init(&link->lanes[i], i, link->n_lanes, link->lanes, config,
			      &link->slot->lanes[i], lane_cores[i], link->core, &link->park, run))
			return -1;
	place_init(&link->place, set, link->lanes, link->n_lanes);
	snprintf(link->place.marker.site, sizeof(link->place.marker.site), "%s",
		 config->site[0] ? config->site : "-");
	source_init(&link->source, link->core, config, link_counters(link), &link->log,
		    &link->snapshot_log);
	probe_init(&link->probe, link->core, &config->source);
	sweep_init(&link->sweep, link->core, &config->target, link_counters(link));
	link->sweep.only_db = config->target.db >= 0 ? config->target.db : config->source.db;
	link->snapshot.only_db = config->source.db >= 0 ? config->source.db : config->target.db;
	link->snapshot.to_db = config->target.db >= 0 ? config->target.db : config->source.db;
	snapshot_init(&link->snapshot, &link->snapshot_log, &link->place, link_counters(link),
		      &link->sweep.keys, &link->route.holds);
	park_init(&link->park, &disk_kernel, config->state_dir);
	return route_init(&link->route, &link->log, &link->place, link_counters(link), config);
}

struct link *link_new(struct core *core, uint32_t index, struct link_slot *slot,
		      struct core *const *lane_cores, unsigned n_lanes)
{
	struct link *link = calloc(1, sizeof(*link));
	if (!link)
		return NULL;
	link->core = core;
	link->index = index;
	link->slot = slot;
	link->config = &slot->config;
	link->n_lanes = n_lanes;
	link->last_phase = PHASE_DONE;
	link->now = core->now;
	size_t lanes_len = n_lanes * sizeof(*link->lanes);
	link->lanes = aligned_alloc(64, lanes_len);
	if (!link->lanes) {
		free(link);
		return NULL;
	}
	memset(link->lanes, 0, lanes_len);
	if (parts_init(link, lane_cores)) {
		link_free(link);
		return NULL;
	}
	for (unsigned i = 0; i < n_lanes; i++)
		lane_wish(&link->lanes[i], true);
	return link;
}

void link_free(struct link *link)
{
	source_fini(&link->source);
	probe_fini(&link->probe);
	sweep_fini(&link->sweep);
	snapshot_fini(&link->snapshot);
	route_fini(&link->route);
	for (unsigned i = 0; i < link->n_lanes; i++)
		lane_fini(&link->lanes[i]);
	park_fini(&link->park);
	log_fini(&link->log);
	log_fini(&link->snapshot_log);
	free(link->lanes);
	free(link);
}

// ---- Ends

static void link_close(struct link *link, enum link_phase last)
{
	link->last_phase = last;
	link->stage = LINK_CLOSING;
	source_close(&link->source);
	probe_fini(&link->probe);
	sweep_fini(&link->sweep);
	for (unsigned i = 0; i < link->n_lanes; i++)
		lane_wish(&link->lanes[i], false);
}

void link_fail(struct link *link, enum error_id error, const char *text)
{
	struct link_state *state = &link->slot->state;
	if (link->stage >= LINK_CLOSING)
		return;
	shared_text_set(&state->failure, text);
	atomic_store(&state->error, error);
	core_log(link->core, EVENT_ERROR, link->index, "%s", text);
	link_close(link, PHASE_FAILED);
}

void link_stop(struct link *link)
{
	if (link->stage < LINK_CLOSING)
		link_close(link, PHASE_DONE);
}

void link_pause(struct link *link, bool on)
{
	link->paused = on;
}

void link_drain(struct link *link)
{
	if (link->stage >= LINK_DRAINING)
		return;
	// Until a snapshot is loaded there is nothing that a marker could vouch for.
	bool streaming = link->stage == LINK_STREAMING;
	source_close(&link->source);
	if (streaming)
		link->stage = LINK_DRAINING;
	else
		link_close(link, PHASE_DONE);
	link->paused = false;
}

// The target is not what it was: everything on its way goes back, and a full sync makes it right.
static void link_reset(struct link *link, const char *why)
{
	link_note(link, EVENT_WARN, "full sync: %s", why);
	link->stage = LINK_RESETTING;
	source_close(&link->source);
	sweep_fini(&link->sweep);
	for (unsigned i = 0; i < link->n_lanes; i++)
		lane_wish(&link->lanes[i], true);
}

static void lanes_check(struct link *link)
{
	for (unsigned i = 0; i < link->n_lanes && link->stage < LINK_CLOSING; i++) {
		struct lane *l = &link->lanes[i];
		uint32_t verdict = atomic_load_explicit(&l->verdict, memory_order_acquire);
		if (verdict == LANE_FAIL)
			link_fail(link, l->error, l->text);
		else if (verdict == LANE_RESYNC && link->stage == LINK_DRAINING)
			link_fail(link, ERROR_TARGET_REFUSES, l->text);
		else if (verdict == LANE_RESYNC && link->stage != LINK_RESETTING)
			link_reset(link, l->text);
	}
}

static bool lanes_settled(const struct link *link)
{
	for (unsigned i = 0; i < link->n_lanes; i++)
		if (!lane_settled(&link->lanes[i]))
			return false;
	return true;
}

static bool lanes_ready(const struct link *link)
{
	for (unsigned i = 0; i < link->n_lanes; i++)
		if (atomic_load_explicit(&link->lanes[i].state, memory_order_acquire) != LANE_READY)
			return false;
	return lanes_settled(link);
}

// Commands that were on their way when everything went back: the full sync brings what they did.
static void fates_settle(struct link *link)
{
	struct source_counters *c = link_counters(link);
	uint64_t fates = counter_get(&c->filtered_commands);
	for (unsigned i = 0; i < link->n_lanes; i++)
		fates += counter_get(&link->slot->lanes[i].applied_commands) +
			 counter_get(&link->slot->lanes[i].parked_commands);
	uint64_t received = counter_get(&c->received_commands);
	if (received > fates)
		counter_add(&c->filtered_commands, received - fates);
}

// ---- Stream

// The offset to reach is the one that the source has now.
void link_streaming_begins(struct link *link)
{
	link->place.marker.phase = MARKER_STREAM;
	link->stage = LINK_STREAMING;
	link->touch_at_ns = 0;
	link->catch_up_answers = link->probe.answers + (link->probe.asked ? 2 : 1);
	link->catch_up_since_ns = link->now.mono_ns;
	link->catch_up_known = false;
	atomic_store(&link->slot->state.caught_up, 0);
	probe_hurry(&link->probe);
}

static bool streaming_turn(struct link *link)
{
	int rc = link->paused ? 0 : route_turn(&link->route, link->now.wall_ms);
	if (rc < 0 && link->route.resync) {
		link_reset(link, link->route.resync);
		return false;
	}
	if (rc < 0) {
		link_fail(link, link->route.error, link->route.text);
		return false;
	}
	route_flush(&link->route, false);
	if (link->now.mono_ns >= link->touch_at_ns && !link->route.in_frame) {
		place_touch(&link->place, link->route.routed, link->route.db);
		link->touch_at_ns = link->now.mono_ns + TOUCH_EVERY_NS;
	}
	return rc > 0;
}

// The offset to reach: what the source said after the snapshot was loaded, or what we have received
// when it does not let us ask. @return false while it is not known
static bool catch_up_find(struct link *link)
{
	struct link_state *state = &link->slot->state;
	bool answered = link->probe.answers >= link->catch_up_answers;
	bool late = link->now.mono_ns > link->catch_up_since_ns + CATCH_UP_WAIT_NS;
	if (!link->catch_up_known && (answered || late)) {
		atomic_store(&state->catch_up_offset,
			     answered ? link->probe.offset : link->log.tail);
		link->catch_up_known = true;
	}
	return link->catch_up_known;
}

static void catch_up_check(struct link *link)
{
	struct link_state *state = &link->slot->state;
	if (state->caught_up || link->stage != LINK_STREAMING || !catch_up_find(link) ||
	    counter_get(&link_counters(link)->frontier_offset) < state->catch_up_offset)
		return;
	int released = route_release(&link->route);
	if (released < 0)
		link_fail(link, link->route.error, link->route.text);
	if (released <= 0)
		return;
	atomic_store(&state->caught_up, 1);
	if (link->config->settings.until == UNTIL_CAUGHT_UP)
		link_drain(link);
}

static void frontier_publish(struct link *link)
{
	if (link->stage != LINK_STREAMING && link->stage != LINK_DRAINING)
		return;
	uint64_t routed = link->route.routed, frontier = place_frontier(&link->place, routed);
	struct source_counters *c = link_counters(link);
	log_cursor_set(&link->log, link->log_cursor, frontier);
	log_settle(&link->log, route_whole(&link->route));
	counter_set(&c->routed_offset, routed);
	counter_set(&c->frontier_offset, frontier);
	counter_set(&c->oldest_unapplied_ms,
		    frontier < link->log.tail ? log_stamp_at(&link->log, frontier).wall_ms : 0);
	catch_up_check(link);
}

static bool draining_turn(struct link *link)
{
	struct route *r = &link->route;
	bool more = !link->drained && streaming_turn(link);
	if (link->stage != LINK_DRAINING)
		return false;
	if (more || (!link->drained && r->pending))
		return more;
	int rc = link->drained ? 0 : route_abandon(r);
	link->drained = true;
	// Who drains before the stream has caught up gets the expiries as they came.
	rc = rc ? rc : route_release(r);
	if (rc < 0)
		link_fail(link, r->error, r->text);
	if (rc <= 0)
		return false;
	route_flush(r, true);
	if (!place_is_idle(&link->place))
		return false;
	if (!link->final_markers) {
		place_touch(&link->place, r->routed, r->db);
		link->final_markers = true;
		return true;
	}
	link_close(link, PHASE_DONE);
	return true;
}

// ---- News of the source

// A new history begins: what is left of the old one is applied first, so that every command keeps
// its fate.
static void fullresync_consider(struct link *link)
{
	if (!link->source.holding)
		return;
	if (link->stage == LINK_STREAMING) {
		route_flush(&link->route, true);
		if (link->route.pending || link->paused)
			return;
		bool in_frame = link->route.in_frame && link->route.frame_lane >= 0;
		if (!in_frame && !place_is_idle(&link->place))
			return;
		if (place_frontier(&link->place, link->route.routed) < link->route.routed)
			return;
		link_note(link, EVENT_WARN,
		     "full sync: the source does not go on with our stream at offset %" PRIu64,
		     link->log.tail);
		place_discard(&link->place);
		link->route.in_frame = false;
		link->stage = LINK_JOINING;
		fates_settle(link);
	} else if (link->stage != LINK_JOINING) {
		return;
	}
	source_accept(&link->source);
}

// +CONTINUE: the same stream, perhaps under the id of a new master.
static void stream_continues(struct link *link)
{
	memcpy(link->place.marker.replid, link->source.replid, sizeof(link->source.replid));
	if (link->stage == LINK_JOINING)
		link_streaming_begins(link);
}

static void link_news(struct link *link)
{
	struct source *s = &link->source;
	unsigned news = s->news;
	s->news = 0;
	if (news & SOURCE_NEWS_FAILED) {
		link_fail(link, s->error, s->text);
		return;
	}
	// It may begin and be lost in one turn.
	if (news & SOURCE_NEWS_SNAPSHOT)
		link_snapshot_starts(link);
	if (news & SOURCE_NEWS_LOST && link->stage == LINK_LOADING && !link->snapshot_read &&
	    s->snapshot_left) {
		if (++link->n_snapshots_lost >= SNAPSHOTS_LOST_MAX) {
			link_fail(link, ERROR_CONNECT,
				  "the source has closed the connection during ten snapshots in a "
				  "row");
			return;
		}
		link_reset(link, "the connection to the source was lost during the snapshot");
	}
	if (news & SOURCE_NEWS_CONTINUE)
		stream_continues(link);
	fullresync_consider(link);
}

// ---- Turn

// What the marker that lane i will overwrite says now.
static void feed_hold(struct link *link, unsigned i)
{
	const struct lane *first = &link->lanes[0];
	struct feed *feed = &link->place.feeds[i];
	for (unsigned k = 0; k < first->n_found; k++) {
		const struct lane_found *f = &first->found[k];
		if (f->first_slot != slots_first(i, link->n_lanes) ||
		    f->last_slot + 1 != slots_first(i + 1, link->n_lanes) ||
		    strcmp(f->marker.replid, link->source.replid))
			continue;
		feed->held = f->marker.offset;
		feed->held_db = f->marker.db;
	}
}

// Go on where a former life of this link ended: the markers say where that was.
static bool link_resume(struct link *link)
{
	const struct lane *first = &link->lanes[0];
	struct resume_point at;
	if (!resume_find(first->found, first->n_found, link->route.held, &at))
		return false;
	memcpy(link->source.replid, at.replid, sizeof(link->source.replid));
	memcpy(link->place.marker.replid, at.replid, sizeof(link->place.marker.replid));
	log_reset(&link->log, at.offset);
	if (route_reset(&link->route, at.offset, at.db))
		return false;
	link->route.held_end = at.held_end;
	for (unsigned i = 0; i < link->n_lanes; i++)
		feed_hold(link, i);
	counter_set(&link_counters(link)->frontier_offset, at.offset);
	link_note(link, EVENT_INFO, "the target holds the stream up to offset %" PRIu64, at.offset);
	return true;
}

static void opening_turn(struct link *link)
{
	if (!lanes_ready(link))
		return;
	bool resumes = false;
	if (!link->joined) {
		link->target_was_ours = !link->lanes[0].n_keys || link->lanes[0].n_found;
		link->place.marker.epoch = link->lanes[0].epoch;
		resumes = link->config->settings.delivery == DELIVERY_EXACTLY_ONCE &&
			  link_resume(link);
	}
	link->joined = true;
	link->stage = LINK_JOINING;
	source_open(&link->source, !resumes);
}

static void resetting_turn(struct link *link)
{
	if (!lanes_settled(link))
		return;
	place_discard(&link->place);
	fates_settle(link);
	link->stage = LINK_OPENING;
}

static void closing_turn(struct link *link)
{
	if (!lanes_settled(link))
		return;
	place_discard(&link->place);
	link->stage = LINK_OVER;
}

static bool stage_turn(struct link *link, uint64_t *deadline_ns)
{
	switch (link->stage) {
	case LINK_OPENING:
		opening_turn(link);
		return link->stage != LINK_OPENING;
	case LINK_JOINING:
		return false;
	case LINK_LOADING:
		return link_loading_turn(link);
	case LINK_SWEEPING:
		if (sweep_turn(&link->sweep, &link->now, deadline_ns))
			link_stream_starts(link);
		return link->stage != LINK_SWEEPING;
	case LINK_STREAMING:
		return streaming_turn(link);
	case LINK_RESETTING:
		resetting_turn(link);
		return link->stage != LINK_RESETTING;
	case LINK_DRAINING:
		return draining_turn(link);
	case LINK_CLOSING:
		closing_turn(link);
		return link->stage != LINK_CLOSING;
	case LINK_OVER:
		break;
	}
	return false;
}

bool link_turn(void *task, const struct clock_reading *now, uint64_t *deadline_ns)
{
	struct link *link = task;
	if (link->stage == LINK_OVER)
		return false;
	link->now = *now;
	bool more = false;
	if (link->stage < LINK_CLOSING && link->stage != LINK_RESETTING) {
		place_collect(&link->place);
		more = source_turn(&link->source, now,
				   counter_get(&link_counters(link)->frontier_offset), deadline_ns);
		probe_turn(&link->probe, now, deadline_ns);
		bool held = link->source.holding;
		link_news(link);
		more |= held && !link->source.holding;
	}
	more |= stage_turn(link, deadline_ns);
	if (link->stage == LINK_LOADING || link->stage == LINK_SWEEPING)
		log_settle(&link->log, link->log.head);
	frontier_publish(link);
	// Nobody tells again of bytes that found a window full.
	more |= source_may_receive(&link->source);
	lanes_check(link);
	link_publish(link);
	return more;
}
