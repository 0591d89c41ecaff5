// SPDX-License-Identifier: BSD-3-Clause
// link_turn() -> place_collect(), source_turn(), link_news(), stage_turn(), frontier_publish()
#include "dataplane/link_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "dataplane/group/group.h"

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

// A log that cannot have its folder is said at the first turn; only memory ends the start.
static int logs_init(struct link *link)
{
	const struct link_settings *set = &link->config->settings;
	char folder[sizeof(link->config->state_dir) + 16], text[LOG_TEXT_LEN];
	snprintf(folder, sizeof(folder), "%s/log", link->config->state_dir);
	struct log_config config = {
		.window_len = set->memory_window,
		.folder = link->config->state_dir[0] ? folder : NULL,
		.disk_limit = set->disk_limit,
		.keep_len = set->log_keep,
		.keep_ms = set->log_keep_time,
		.sync = (enum setting_log_sync)set->log_sync,
		.sync_interval_ms = set->log_sync_interval,
		.owner = link->config->name,
		.wake_fd = stream_loop_wake_fd(link->core->loop),
	};
	int rc = log_init(&link->log, &config, text);
	memcpy(link->log_text, text, sizeof(link->log_text));
	link->log_rc = rc;
	// Kept on disk it serves a target that comes back empty; else it only passes through, and
	// is never read by a later life.
	snprintf(folder, sizeof(folder), "%s/snapshot", link->config->state_dir);
	config.window_len = set->snapshot_window;
	config.keep_len = config.keep_ms = UINT64_MAX / 2;
	if (!set->keep_snapshot) {
		config.keep_len = config.keep_ms = 0;
		config.passing = true;
		config.sync = LOG_SYNC_NEVER;
	}
	int snapshot_rc = log_init(&link->snapshot_log, &config, text);
	if (!rc && snapshot_rc) {
		memcpy(link->log_text, text, sizeof(link->log_text));
		link->log_rc = snapshot_rc;
	}
	return rc == -ENOMEM || snapshot_rc == -ENOMEM ? -1 : 0;
}

// Keys of a shard's slots may be another's already.
static bool key_sweeps(void *task, int32_t db, struct span key)
{
	const struct link *link = task;
	return handoff_sweeps(link->route.handoff, link->route.member, db, key);
}

static int parts_init(struct link *link, struct core *const *lane_cores)
{
	const struct link_config *config = link->config;
	const struct link_settings *set = &config->settings;
	park_init(&link->own_park, &disk_kernel, config->state_dir);
	link->park = link->group ? &link->group->park : &link->own_park;
	if (logs_init(link))
		return -1;
	link->log_cursor = log_cursor_add(&link->log);
	link->snapshot_cursor = log_cursor_add(&link->snapshot_log);
	uint64_t run = random_run();
	if (whereabouts_init(&link->source_where, link->core, link->index, "source",
			     &config->source, set,
			     set->prefer_replica == PREFER_REPLICA_YES) ||
	    (link->group && whereabouts_init(&link->master_where, link->core, link->index,
					     "source", &config->source, set, false)) ||
	    whereabouts_init(&link->target_where, link->core, link->index, "target",
			     &config->target, set, false))
		return -1;
	for (unsigned i = 0; i < link->n_lanes; i++) {
		if (lane_init(&link->lanes[i], i, link->n_lanes, link->lanes, config,
			      &link->slot->lanes[i], lane_cores[i], link->core, link->park, run))
			return -1;
		seek_init(&link->lanes[i].seek, &link->target_where);
	}
	place_init(&link->place, set, link->lanes, link->n_lanes);
	snprintf(link->place.marker.site, sizeof(link->place.marker.site), "%s",
		 config->site[0] ? config->site : "-");
	source_init(&link->source, link->core, config, link_counters(link), &link->log,
		    &link->snapshot_log, &link->source_where);
	probe_init(&link->probe, link->core,
		   link->group ? &link->master_where : &link->source_where);
	lifetimes_init(&link->lifetimes, link->core, &link->target_where);
	sweep_init(&link->sweep, link->core, &link->target_where, link_counters(link));
	link_databases(config, &link->sweep.dbs_synced);
	link->sweep.slots.wanted = link->group ? link->slots : NULL;
	link->sweep.slots.wants = link->group ? key_sweeps : NULL;
	link->sweep.slots.owner = link;
	link_databases(config, &link->snapshot.dbs);
	link->snapshot.is_cluster = config->target.kind == URL_CLUSTER;
	link->snapshot.link = config->name;
	snapshot_init(&link->snapshot, &link->snapshot_log, &link->place, link_counters(link),
		      &link->sweep.keys, &link->route.holds, link->park);
	if (link_point_open(link))
		return -1;
	if (route_init(&link->route, &link->log, &link->place, link_counters(link), config))
		return -1;
	return link_cluster_init(link);
}

struct link *link_new(struct core *core, uint32_t index, struct link_slot *slot,
		      struct core *const *lane_cores, unsigned n_lanes, struct group *group)
{
	struct link *link = calloc(1, sizeof(*link));
	if (!link)
		return NULL;
	link->core = core;
	link->index = index;
	link->slot = slot;
	link->config = &slot->config;
	link->group = group;
	link->n_lanes = n_lanes;
	link->last_phase = PHASE_DONE;
	link->looks = true;
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
	link_point_close(link);
	source_fini(&link->source);
	probe_fini(&link->probe);
	sweep_fini(&link->sweep);
	lifetimes_fini(&link->lifetimes);
	snapshot_fini(&link->snapshot);
	route_fini(&link->route);
	link_cluster_fini(link);
	for (unsigned i = 0; i < link->n_lanes; i++)
		lane_fini(&link->lanes[i]);
	whereabouts_fini(&link->source_where);
	whereabouts_fini(&link->master_where);
	whereabouts_fini(&link->target_where);
	park_fini(&link->own_park);
	log_fini(&link->log);
	log_fini(&link->snapshot_log);
	free(link->lanes);
	free(link);
}

// ---- Ends

static void link_close(struct link *link, enum link_phase last)
{
	link_point_put(link);
	link->last_phase = last;
	link->stage = LINK_CLOSING;
	source_close(&link->source);
	probe_fini(&link->probe);
	sweep_fini(&link->sweep);
	lifetimes_fini(&link->lifetimes);
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
	link_log(link, EVENT_ERROR, text);
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
	link_note(link, EVENT_WARN, "%s: a full sync follows", why);
	snprintf(link->full_reason, sizeof(link->full_reason), "%s", why);
	link->begins = link->looks = link->source_stays = false;
	link->stage = LINK_RESETTING;
	source_close(&link->source);
	sweep_fini(&link->sweep);
	lifetimes_fini(&link->lifetimes);
	for (unsigned i = 0; i < link->n_lanes; i++)
		lane_wish(&link->lanes[i], true);
}

void link_resync(struct link *link, const char *why)
{
	link_reset(link, why);
}

// The lane whose verdict weighs most, NULL when all are fine.
static struct lane *lane_judging(struct link *link, uint32_t *verdict)
{
	static const uint8_t weights[] = {
		[LANE_FINE] = 0, [LANE_LOOK] = 1, [LANE_RESYNC] = 2, [LANE_FAIL] = 3};
	struct lane *judging = NULL;
	*verdict = LANE_FINE;
	for (unsigned i = 0; i < link->n_lanes; i++) {
		struct lane *l = &link->lanes[i];
		uint32_t v = atomic_load_explicit(&l->verdict, memory_order_acquire);
		if (weights[v] <= weights[*verdict])
			continue;
		*verdict = v;
		judging = l;
	}
	return judging;
}

static void lanes_check(struct link *link)
{
	uint32_t verdict;
	struct lane *l = lane_judging(link, &verdict);
	if (!l || link->stage >= LINK_CLOSING)
		return;
	if (verdict == LANE_FAIL) {
		link_fail(link, l->error, l->text);
	} else if (link->stage == LINK_DRAINING) {
		link_fail(link, ERROR_TARGET_REFUSES, l->text);
	} else if (link->stage == LINK_RESETTING) {
		return;
	} else if (verdict == LANE_LOOK) {
		link_look(link, l->text);
	} else {
		link->point.spoilt = true;
		link_reset(link, l->text);
		link_point_put(link);
	}
}

static bool lanes_settled(const struct link *link)
{
	for (unsigned i = 0; i < link->n_lanes; i++)
		if (!lane_settled(&link->lanes[i]))
			return false;
	return true;
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
	link->place.marker.phase = link->point.phase = MARKER_STREAM;
	for (unsigned i = 0; i < link->n_lanes; i++)
		link->stream_seq[i] = link->place.feeds[i].next_seq;
	link->stage = LINK_STREAMING;
	link->touch_at_ns = 0;
	link->catch_up_answers = link->probe.answers + (link->probe.asked ? 2 : 1);
	link->catch_up_since_ns = link->now.mono_ns;
	link->catch_up_asked_ms = link->now.wall_ms;
	link->catch_up_known = false;
	link_behind(link);
	atomic_store(&link->slot->state.caught_up, 0);
	probe_hurry(&link->probe);
}

static void split_tell(struct link *link)
{
	struct slots *slots = link->route.slots;
	if (!slots || slots->told || !counter_get(&link_counters(link)->split_transactions))
		return;
	slots->told = true;
	link_note(link, EVENT_WARN,
		  "a transaction of the source touches several slots of the cluster: such are "
		  "sent as one transaction for each slot (split_transactions counts them)");
}

static bool streaming_turn(struct link *link)
{
	int rc = link->paused ? 0 : route_turn(&link->route, link->now.wall_ms);
	if (rc < 0 && link->route.resync) {
		link->point.emptied |= link->route.empties;
		link_point_put(link);
		link_reset(link, link->route.resync);
		return false;
	}
	if (rc < 0) {
		link_fail(link, link->route.error, link->route.text);
		return false;
	}
	split_tell(link);
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
		// What the source had then is all that a former life can have sent.
		if (atomic_load(&link->lanes[0].again_until) == UINT64_MAX)
			link_cluster_again(link, state->catch_up_offset);
	}
	return link->catch_up_known;
}

static void catch_up_check(struct link *link)
{
	struct link_state *state = &link->slot->state;
	if (state->caught_up || link->stage != LINK_STREAMING || !catch_up_find(link) ||
	    counter_get(&link_counters(link)->frontier_offset) < state->catch_up_offset)
		return;
	if (link_holds_release(link, link->catch_up_asked_ms) <= 0)
		return;
	link_holds_released(link);
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
	link->route.oldest_ms =
		frontier < link->log.tail ? log_stamp_at(&link->log, frontier).wall_ms : 0;
	counter_set(&c->oldest_unapplied_ms, link->route.oldest_ms);
	catch_up_check(link);
	link_holds_look(link);
}

static bool draining_turn(struct link *link)
{
	struct route *r = &link->route;
	bool more = !link->drained && streaming_turn(link);
	if (link->stage != LINK_DRAINING)
		return false;
	bool waits = (r->pending && !route_stays(r)) || log_end(&link->log) < link->log.tail;
	if (more || (!link->drained && waits))
		return more;
	int rc = link->drained ? 0 : route_abandon(r);
	link->drained = true;
	// Who drains before the stream has caught up gets the expiries as they came.
	rc = rc ? rc : route_release(r, INT64_MAX, 0);
	if (rc < 0)
		link_fail(link, r->error, r->text);
	if (rc <= 0)
		return false;
	if (!link->release_at)
		link_holds_released(link);
	route_flush(r, true);
	if (!place_is_idle(&link->place))
		return false;
	if (!link->final_markers) {
		place_touch(&link->place, r->routed, r->db);
		link->final_markers = true;
		return true;
	}
	frontier_publish(link); // what the last markers have made known
	link_close(link, PHASE_DONE);
	return true;
}

// ---- News of the source

// A new history begins: what is left of the old one is applied first, so that every command keeps
// its fate.
static void fullresync_consider(struct link *link)
{
	if (!link->source.holding ||
	    (link->group && !group_believes_offer(link->group, link)))
		return;
	if (link->stage == LINK_STREAMING) {
		route_flush(&link->route, true);
		if (link->route.pending || link->paused || log_end(&link->log) < link->log.tail)
			return;
		bool in_frame = link->route.in_frame && link->route.frame_lane >= 0;
		if (!in_frame && !place_is_idle(&link->place))
			return;
		if (place_frontier(&link->place, link->route.routed) < link->route.routed)
			return;
		place_discard(&link->place);
		link->route.in_frame = false;
		link->stage = LINK_JOINING;
		fates_settle(link);
	} else if (link->stage != LINK_JOINING) {
		return;
	}
	if (link->group && !group_may_sync(link->group, link))
		return;
	if (link->point.emptied && !link_point_settled(link))
		return; // after a crash it has to be known
	link_full_reason(link);
	source_accept(&link->source);
}

// +CONTINUE: the same stream, perhaps under the id of a new master, which is on record by now.
static void stream_continues(struct link *link)
{
	link_rename(link, link->source.replid, link->log.tail);
	memcpy(link->place.marker.replid, link->source.replid, sizeof(link->source.replid));
	if (link->stage == LINK_JOINING)
		link_take_up(link);
	else
		link_behind(link);
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
	if (news & SOURCE_NEWS_PATIENCE)
		link_note(link, EVENT_INFO, "the target has held the snapshot back for %" PRIu64
			  " ms in all (snapshot-patience): it goes through the disk",
			  link->source.patience.held_ns / 1000000);
	if (news & SOURCE_NEWS_RENAMED)
		link_renamed(link);
	if (news & SOURCE_NEWS_CONTINUE)
		stream_continues(link);
	fullresync_consider(link);
}

// ---- Turn

static void resetting_turn(struct link *link)
{
	if (!lanes_settled(link))
		return;
	place_discard(&link->place);
	if (link->route.handoff)
		handoff_discard(link->route.handoff, link->route.member);
	fates_settle(link);
	link->stage = LINK_OPENING;
}

static void closing_turn(struct link *link)
{
	if (!lanes_settled(link))
		return;
	place_discard(&link->place);
	if (link_point_settled(link))
		link->stage = LINK_OVER;
}

static bool stage_turn(struct link *link, uint64_t *deadline_ns)
{
	switch (link->stage) {
	case LINK_OPENING:
		link_opening_turn(link);
		return link->stage != LINK_OPENING;
	case LINK_ASKING:
		if (lifetimes_turn(&link->lifetimes, &link->now, deadline_ns)) {
			link_holds_asked(link);
			link_join(link, true);
		}
		return link->stage != LINK_ASKING;
	case LINK_JOINING:
		return false;
	case LINK_LOADING:
		return link_loading_turn(link);
	case LINK_SWEEPING:
		if (sweep_turn(&link->sweep, &link->now, deadline_ns) && link_holds_saved(link))
			link_stream_starts(link);
		else if (link->sweep.denied)
			link_fail(link, ERROR_NOPERM, link->sweep.error);
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

// What the log's disk has to tell.
static void log_listen(struct link *link)
{
	char text[LOG_TEXT_LEN];
	const char *damage;
	if (link->log_rc)
		link_fail(link, link->log_rc == -EINVAL ? ERROR_CONFIG : ERROR_DISK,
			  link->log_text);
	else if (link->log_text[0])
		link_note(link, EVENT_WARN, "%s", link->log_text);
	link->log_text[0] = 0;
	link->log_rc = 0;
	if (log_news(&link->log, text) || log_news(&link->snapshot_log, text))
		link_note(link, EVENT_WARN, "%s", text);
	if (log_damage(&link->snapshot_log, &damage) && link->stage == LINK_LOADING)
		link_reset(link, damage);
	if (log_damage(&link->log, &damage) && link->stage == LINK_STREAMING)
		link_reset(link, damage);
	else if (log_damage(&link->log, &damage) && link->stage == LINK_DRAINING)
		link_fail(link, ERROR_DISK, damage);
}

bool link_turn(void *task, const struct clock_reading *now, uint64_t *deadline_ns)
{
	struct link *link = task;
	if (link->stage == LINK_OVER)
		return false;
	link->now = *now;
	bool more = false;
	log_listen(link);
	if (link->stage < LINK_CLOSING) {
		if (link->stage != LINK_RESETTING)
			place_collect(&link->place);
		// A replica that is behind what we hold could not go on with it.
		link->source_where.need_offset = link->source.replid[0] ? link->log.tail : 0;
		whereabouts_turn(&link->source_where, now, deadline_ns);
		whereabouts_turn(&link->target_where, now, deadline_ns);
		if (link->group)
			whereabouts_turn(&link->master_where, now, deadline_ns);
		link_cluster_turn(link, deadline_ns);
		more = source_turn(&link->source, now,
				   counter_get(&link_counters(link)->frontier_offset), deadline_ns);
		probe_turn(&link->probe, now, deadline_ns);
		bool held = link->source.holding;
		link_news(link);
		link_rename_turn(link);
		more |= held && !link->source.holding;
		more |= log_turn(&link->log, now, deadline_ns);
		more |= log_turn(&link->snapshot_log, now, deadline_ns);
	}
	more |= stage_turn(link, deadline_ns);
	if (link->stage == LINK_LOADING || link->stage == LINK_SWEEPING)
		log_settle(&link->log, link->log.head);
	else if (link->source_stays)
		log_settle(&link->log, route_whole(&link->route));
	frontier_publish(link);
	link_point_turn(link, deadline_ns);
	// Nobody tells again of bytes that found a window full.
	more |= source_may_receive(&link->source);
	lanes_check(link);
	link_publish(link);
	return more;
}
