// SPDX-License-Identifier: BSD-3-Clause
// A target that comes back empty is filled from our own disk, when the snapshot was kept and the
// log reaches back to it: the source is not asked for another.
//
//   snapshot loaded -> link_refill_keep()
//   markers gone, target empty -> link_refill() -> LOADING from disk -> the log from there on
#include <inttypes.h>
#include <stdio.h>

#include "dataplane/link_priv.h"

// The snapshot has been loaded: remember it, or let it go.
void link_refill_keep(struct link *link)
{
	struct checkpoint *c = &link->point;
	bool keeps = link->config->settings.keep_snapshot && log_oldest(&link->snapshot_log) == 0;
	if (!keeps) {
		log_release_memory(&link->snapshot_log);
		return;
	}
	memcpy(c->kept_replid, link->source.replid, sizeof(c->kept_replid));
	c->kept_offset = link->source.snapshot_offset;
	c->kept_len = link->snapshot.position;
}

static bool is_kept(const struct link *link)
{
	const struct checkpoint *c = &link->point;
	return link->config->settings.keep_snapshot && c->kept_len &&
	       chain_look(&c->chain, c->kept_replid, c->kept_offset, NULL) == CHAIN_PROVEN &&
	       link->snapshot_log.tail >= c->kept_len;
}

// The last snapshot is on disk, and its stream from there on.
static bool disk_reaches(struct link *link)
{
	const struct checkpoint *c = &link->point;
	struct resume_point at = {.offset = c->kept_offset};
	snprintf(at.replid, sizeof(at.replid), "%s", chain_newest(&c->chain));
	return !log_seek(&link->snapshot_log, 0) && link_log_seek(link, &at);
}

// @return false when only the source can help
bool link_refill(struct link *link)
{
	const struct checkpoint *c = &link->point;
	const struct lane *first = &link->lanes[0];
	struct source *s = &link->source;
	char why[TEXT_LEN], text[TEXT_LEN], from[64];
	// Not of a shard. Its snapshot and log would bring back what slots held that have gone to
	// others since, and of those that have come since, hand-offs would skip what brought them:
	// they judge a command that is read again by what they know now. That no slot has moved
	// since the snapshot, nobody has on record.
	if (link->group || first->n_keys || first->n_found || !is_kept(link) || !disk_reaches(link))
		return false;
	bool stays = link->source_stays;
	link->source_stays = false;
	link->refilling = true;
	snprintf(s->replid, sizeof(s->replid), "%s", chain_newest(&c->chain));
	s->snapshot_offset = c->kept_offset;
	snprintf(why, sizeof(why), "%.180s; it is filled from our disk", link->full_reason);
	memcpy(link->full_reason, why, sizeof(link->full_reason));
	link_loading_begins(link, false);
	if (link->stage != LINK_LOADING)
		return true; // it has failed
	link->route.routed = c->kept_offset;
	link_log_text(link, from);
	snprintf(text, sizeof(text), "with the snapshot on disk, of offset %" PRIu64
		 "; the rest comes %s", c->kept_offset, from);
	shared_text_set(&link->slot->state.resumed, text);
	counter_set(&link_counters(link)->snapshot_total_bytes, c->kept_len);
	if (!stays)
		source_open(s, false);
	return true;
}

// The reader has come to the end of the RDB. @return 1, or -1: the link has failed
int link_refill_end(struct link *link)
{
	struct source *s = &link->source;
	if (link->snapshot.position == link->point.kept_len)
		return 1;
	s->error = ERROR_RDB_CORRUPT;
	snprintf(s->text, sizeof(s->text),
		 "the snapshot on disk ends at byte %" PRIu64 ", not at %" PRIu64,
		 link->snapshot.position, link->point.kept_len);
	return -1;
}
