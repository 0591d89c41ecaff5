// SPDX-License-Identifier: BSD-3-Clause
// The snapshot of a link:
//
//   link_snapshot_starts() -> link_loading_turn()... -> sweep -> link_stream_starts()
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "dataplane/group/group.h"
#include "dataplane/link_priv.h"

#define DEL_MARKER_LEN     (MARKER_KEY_LEN + 4 * BATCH_HEAD_LEN)

static bool sweep_is_due(const struct link *link)
{
	uint64_t policy = link->config->settings.extra_keys;
	if (link->point.emptied)
		return true;
	if (policy == EXTRA_KEYS_KEEP)
		return false;
	// What a former life had on its way may have come in after the keys were counted, but not
	// after its markers were looked for.
	const struct lane *first = &link->lanes[0];
	bool was_empty = !first->n_keys && !first->n_found;
	bool first_into_empty = !link->n_loaded && !link->n_snapshots_lost && was_empty;
	return !first_into_empty && (policy == EXTRA_KEYS_DELETE || link->point.ours);
}

// Before the first key: from here on the target is neither what its markers say nor yet anything
// else. Markers of other lives go, ours say that a snapshot is being loaded.
static int markers_reset(struct link *link)
{
	const struct lane *first = &link->lanes[0];
	char key[MARKER_KEY_LEN];
	struct batch *b = place_open(&link->place, 0, 0, 0, true);
	int rc = b ? 0 : -ENOMEM;
	// A cluster's are too many to be named here: the lane removes what may be there.
	unsigned n_found = first->cluster ? 0 : first->n_found;
	for (unsigned i = 0; i < n_found && !rc; i++) {
		size_t len = marker_key(key, link->config->name, first->found[i].first_slot,
					first->found[i].last_slot);
		if (!batch_has_text(b, DEL_MARKER_LEN) && !batch_text_grow(b, 64 * KB))
			return -ENOMEM;
		rc = batch_item_begin(b, 0, 0, ITEM_INTERNAL);
		rc = rc ? rc : batch_head(b, 2);
		rc = rc ? rc : batch_arg(b, SPAN_LIT("DEL"), false);
		rc = rc ? rc : batch_arg(b, (struct span){key, len}, false);
	}
	if (rc)
		return rc;
	b->marker_all = true;
	place_join(&link->place, 0, place_all(&link->place), 0, 0);
	place_close(&link->place, 0, 0, 0);
	return 0;
}

// Say why, and let the checkpoint know.
void link_full_sync_tell(struct link *link)
{
	struct checkpoint *c = &link->point;
	link_note(link, link->begins ? EVENT_INFO : EVENT_WARN, "full sync: %s", link->full_reason);
	shared_text_set(&link->slot->state.full_sync, link->full_reason);
	shared_text_set(&link->slot->state.resumed, "");
	memcpy(c->full_sync, link->full_reason, sizeof(c->full_sync));
	c->full_sync_ms = link->now.wall_ms;
	c->phase = MARKER_SNAPSHOT;
	c->marked = c->spoilt = false;
	c->frontier = c->released = 0;
	link_point_put(link);
	link->full_reason[0] = 0;
	link->begins = false;
}

// @param sweeps  what the snapshot does not hold has to go
void link_loading_begins(struct link *link, bool sweeps)
{
	int rc = snapshot_begin(&link->snapshot, &link->config->settings, &link->target);
	sweep_fini(&link->sweep);
	if (!rc && sweeps)
		rc = keyset_init(&link->sweep.keys, link->config->state_dir);
	if (rc) {
		char text[TEXT_LEN];
		snprintf(text, sizeof(text), "cannot begin a snapshot: %s", strerror(-rc));
		link_fail(link, rc == -ENOSPC ? ERROR_DISK : ERROR_MEMORY, text);
		return;
	}
	link->snapshot.handoff = link->route.handoff;
	link->snapshot.member = link->route.member;
	link->snapshot.offset = link->source.snapshot_offset;
	memcpy(link->place.marker.replid, link->source.replid, sizeof(link->place.marker.replid));
	link->place.marker.phase = MARKER_SNAPSHOT;
	link_full_sync_tell(link);
	place_begin(&link->place);
	if (markers_reset(link)) {
		link_fail(link, ERROR_MEMORY, "no memory for the markers");
		return;
	}
	for (unsigned i = 0; i < link->n_lanes; i++) {
		atomic_store_explicit(&link->lanes[i].phase_snapshot, 1, memory_order_relaxed);
		atomic_store_explicit(&link->lanes[i].spoilt, 0, memory_order_relaxed);
	}
	holds_fini(&link->route.holds);
	link->snapshot_read = link->holds_put = false;
	link->release_at = 0;
	link->stage = LINK_LOADING;
}

void link_snapshot_starts(struct link *link)
{
	struct checkpoint *c = &link->point;
	link->refilling = false;
	if (link->group)
		group_claim(link->group, link, link->slots);
	c->kept_len = 0;
	chain_begin(&c->chain, link->source.replid, link->source.snapshot_offset);
	link_loading_begins(link, sweep_is_due(link));
}

// What the target's version could not hold is no secret.
static void snapshot_note(struct link *link)
{
	const struct source_counters *c = link_counters(link);
	const struct snapshot *s = &link->snapshot;
	link_note(link, EVENT_INFO,
		  "snapshot loaded: %" PRIu64 " keys; the stream goes on at offset %" PRIu64,
		  counter_get(&c->snapshot_keys), link->source.snapshot_offset);
	if (s->n_unfit)
		link_note(link, EVENT_WARN,
			  "%s cannot hold %" PRIu64 " keys or functions of the snapshot: they are "
			  "parked",
			  s->target.text, s->n_unfit);
	if (s->n_degraded)
		link_note(link, EVENT_WARN,
			  "%" PRIu64 " keys of the snapshot went without a part that %s does not "
			  "take",
			  s->n_degraded, s->target.text);
}

// Loaded: the stream goes on where the snapshot was taken.
void link_stream_starts(struct link *link)
{
	int32_t db = link->snapshot.stream_db > 0 ? link->snapshot.stream_db : 0;
	for (unsigned i = 0; i < link->n_lanes; i++) {
		atomic_store_explicit(&link->lanes[i].phase_snapshot, 0, memory_order_relaxed);
		link->place.feeds[i].marked = false;
	}
	sweep_fini(&link->sweep);
	link->point.emptied = false;
	link_refill_keep(link);
	snapshot_fini(&link->snapshot);
	route_reset(&link->route, link->source.snapshot_offset, db);
	if (link->route.handoff)
		handoff_loaded(link->route.handoff, link->route.member);
	link->n_loaded++;
	link->n_snapshots_lost = 0;
	link_cluster_again(link, 0);
	link_streaming_begins(link);
	snapshot_note(link);
}

// The source has sent all of the snapshot and still the reader wants more.
static bool snapshot_is_short(const struct link *link)
{
	return !link->source.snapshot_left &&
	       link->snapshot.position + link->snapshot.reader.need_len > link->snapshot_log.tail &&
	       !link->snapshot.pending;
}

bool link_loading_turn(struct link *link)
{
	struct snapshot *s = &link->snapshot;
	int rc = 0;
	struct handoff *handoff = link->route.handoff;
	bool waits = handoff && !handoff_may_load(handoff, link->route.member);
	if (!link->snapshot_read && !link->paused && !waits) {
		rc = snapshot_turn(s, link->now.wall_ms);
		place_flush(&link->place, s->position, 0, true, 0);
	}
	if (rc < 0) {
		link_fail(link, s->error, s->text);
		return false;
	}
	if (s->done && !link->snapshot_read) {
		int end = link->refilling ? link_refill_end(link)
					  : source_snapshot_end(&link->source, s->position);
		if (end < 0)
			link_fail(link, link->source.error, link->source.text);
		link->snapshot_read = end > 0;
	} else if (!rc && !s->done && !s->pending && snapshot_is_short(link)) {
		link_fail(link, ERROR_RDB_CORRUPT, rdb_truncated(&s->reader, 0));
	}
	if (link->stage != LINK_LOADING)
		return false;
	log_cursor_set(&link->snapshot_log, link->snapshot_cursor,
		       place_frontier(&link->place, s->position));
	if (!link->snapshot_read || !place_is_idle(&link->place))
		return rc > 0;
	link->stage = LINK_SWEEPING;
	if (keyset_is_open(&link->sweep.keys))
		sweep_begin(&link->sweep);
	return true;
}
