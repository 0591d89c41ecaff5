// SPDX-License-Identifier: BSD-3-Clause
// Where a link goes on, at its start and whenever the target turns out to hold less than it had
// answered:
//
//   link_look() -> RESETTING -> link_opening_turn() -> resume_find() -> link_join()
//     +CONTINUE          -> the stream is taken up there
//     +CONTINUE another  -> link_renamed() -> checkpoint on disk -> link_rename_turn()
//     +FULLRESYNC        -> link_full_reason(), link_snapshot_starts()
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "dataplane/group/group.h"
#include "dataplane/link_priv.h"

static bool is_exactly_once(const struct link *link)
{
	return link->config->settings.delivery == DELIVERY_EXACTLY_ONCE;
}

// The target may hold less than it had answered: read its markers, and go on where they say.
void link_look(struct link *link, const char *why)
{
	link_note(link, EVENT_WARN, "%s: its markers are read again", why);
	link_point_put(link); // its frontier is what the target had answered
	snprintf(link->full_reason, sizeof(link->full_reason), "%s", why);
	link->looks = true;
	link->place.marker.looks++;
	// A source that streams is not let go: the log may well hold what the target lacks.
	link->source_stays |= link->stage == LINK_STREAMING || link->refilling;
	link->stage = LINK_RESETTING;
	if (!link->source_stays)
		source_close(&link->source);
	sweep_fini(&link->sweep);
	lifetimes_fini(&link->lifetimes);
	for (unsigned i = 0; i < link->n_lanes; i++)
		lane_wish(&link->lanes[i], true);
}

// ---- Opening

static bool lanes_ready(const struct link *link)
{
	for (unsigned i = 0; i < link->n_lanes; i++)
		if (atomic_load_explicit(&link->lanes[i].state, memory_order_acquire) !=
			    LANE_READY ||
		    !lane_settled(&link->lanes[i]))
			return false;
	return true;
}

// The markers count for the process in which they were read, so all lanes have to be there.
static bool lanes_agree(const struct link *link)
{
	uint64_t server = atomic_load(&link->lanes[0].found_server);
	for (unsigned i = 0; i < link->n_lanes; i++)
		if (atomic_load(&link->lanes[i].server) != server)
			return false;
	return true;
}

// A batch was refused and a later one taken: no marker can say what is missing.
static bool lanes_spoilt(const struct link *link)
{
	for (unsigned i = 0; i < link->n_lanes; i++)
		if (atomic_load(&link->lanes[i].spoilt))
			return true;
	return link->point.spoilt;
}

// What the first look at the target tells for the whole life.
static void life_begins(struct link *link)
{
	struct checkpoint *c = &link->point;
	struct lane *first = &link->lanes[0];
	char target[CHECKPOINT_TARGET_LEN];
	uint64_t epoch = first->epoch;
	checkpoint_target(target, &link->config->target);
	bool same = link->point_known && !strcmp(c->target, target);
	c->ours = same ? c->ours : link->finds_ours;
	// A target that lost its epoch would have us take that of a former life again.
	if (epoch && link->point_known && c->epoch >= epoch)
		epoch = c->epoch + 1;
	first->epoch = epoch;
	link->place.marker.epoch = epoch;
}

// From here on the checkpoint speaks of this life.
static void point_adopt(struct link *link)
{
	struct checkpoint *c = &link->point;
	snprintf(c->link, sizeof(c->link), "%s", link->config->name);
	checkpoint_target(c->target, &link->config->target);
	c->epoch = link->place.marker.epoch;
	c->run = link->lanes[0].run;
	c->exactly_once = is_exactly_once(link);
	link->point_known = true;
}

// What the marker that lane i will overwrite says now.
static void feed_hold(struct link *link, unsigned i, const struct resume_point *at)
{
	const struct lane *first = &link->lanes[0];
	const struct chain *chain = &link->point.chain;
	struct feed *feed = &link->place.feeds[i];
	if (first->cluster)
		return; // its markers never say more than was answered
	for (unsigned k = 0; k < first->n_found; k++) {
		const struct lane_found *f = &first->found[k];
		if (f->first_slot != slots_first(i, link->n_lanes) ||
		    f->last_slot + 1 != slots_first(i + 1, link->n_lanes) ||
		    !resume_counts(&f->marker, at->replid, chain))
			continue;
		feed->held = f->marker.offset;
		feed->held_db = f->marker.db;
	}
}

// Take the stream up where the target ends.
static void resume_apply(struct link *link, const struct resume_point *at)
{
	struct checkpoint *c = &link->point;
	link->from_log = link_log_seek(link, at);
	if (!link->from_log) {
		source_close(&link->source);
		link->source_stays = false;
		log_reset(&link->log, at->replid, at->offset);
	}
	memcpy(link->source.replid, at->replid, sizeof(link->source.replid));
	memcpy(link->place.marker.replid, at->replid, sizeof(link->place.marker.replid));
	route_reset(&link->route, at->offset, at->db);
	link_cluster_again(link, UINT64_MAX);
	link->route.held_end = at->held_end;
	for (unsigned i = 0; i < link->n_lanes; i++)
		feed_hold(link, i, at);
	counter_set(&link_counters(link)->frontier_offset, at->offset);
	if (strcmp(chain_newest(&c->chain), at->replid))
		chain_begin(&c->chain, at->replid, at->offset);
	c->phase = MARKER_STREAM;
}

// A shard's stream is not read again from before a full sync or a move of slots.
static void replay_judge(struct link *link, struct resume_point *at)
{
	const struct chain *chain = &link->point.chain;
	bool older_sync = chain->n && at->offset < chain->runs[0].first;
	if (!link->group || at->kind != RESUME_AT ||
	    (!older_sync && group_may_replay(link->group, link, at->offset)))
		return;
	at->kind = RESUME_FULL;
	snprintf(at->text, sizeof(at->text),
		 "the target came back older, with the stream up to offset %" PRIu64
		 ", and slots have moved between the shards since",
		 at->offset);
}

// @return false when only a full sync can help; full_reason says why
static bool link_resume(struct link *link)
{
	const struct lane *first = &link->lanes[0];
	struct resume_point at;
	char target[CHECKPOINT_TARGET_LEN];
	checkpoint_target(target, &link->config->target);
	struct resume_facts facts = {
		.found = first->found,
		.n_found = first->n_found,
		.owner = first->found_owner,
		.n_keys = first->n_keys,
		.saved = link->point_known ? &link->point : NULL,
		.chain = &link->point.chain,
		.target = target,
	};
	resume_find(&facts, link->route.held, &at);
	replay_judge(link, &at);
	if (at.kind == RESUME_AT) {
		resume_apply(link, &at);
		link->full_reason[0] = 0;
		link->held_end = at.held_end;
		memcpy(link->resume_text, at.text, sizeof(link->resume_text));
		link_note(link, at.older ? EVENT_WARN : EVENT_INFO, "%s", at.text);
		return true;
	}
	link->begins = at.kind == RESUME_NEW && !link->joined;
	if (at.kind == RESUME_FULL || link->begins)
		snprintf(link->full_reason, sizeof(link->full_reason), "%s", at.text);
	return false;
}

static bool link_resumes(struct link *link)
{
	if (!is_exactly_once(link)) {
		link->begins = !link->joined && !link->point_known;
		if (!link->full_reason[0])
			snprintf(link->full_reason, sizeof(link->full_reason), "%s",
				 link->begins ? "the link begins"
					      : "without markers (delivery at-least-once) nothing "
						"tells where to go on");
		return false;
	}
	if (!link->looks)
		return false;
	if (!lanes_spoilt(link))
		return link_resume(link);
	snprintf(link->full_reason, sizeof(link->full_reason),
		 "the target had refused a batch and taken a later one");
	return false;
}

// The first look at the target. @return false while other members of the group have not had theirs
static bool target_looked_at(struct link *link)
{
	const struct lane *first = &link->lanes[0];
	if (!link->looked) {
		link->looked = true;
		link->finds_ours = !first->n_keys || first->n_found;
	}
	return link->joined || !link->group || group_may_begin(link->group, &link->finds_ours);
}

void link_opening_turn(struct link *link)
{
	if (!lanes_ready(link))
		return;
	link->target = link->lanes[0].version;
	if (!target_looked_at(link))
		return;
	if (link->looks && !lanes_agree(link)) {
		link_look(link, "the target was restarted");
		return;
	}
	if (!link->joined) {
		link_log_witness(link);
		life_begins(link);
	}
	bool looks = link->looks, resumes = link_resumes(link);
	point_adopt(link);
	link->joined = true;
	link->looks = false;
	if (!resumes && looks && link_refill(link))
		return;
	if (resumes && link_holds_load(link, link->route.routed))
		link->stage = LINK_ASKING;
	else
		link_join(link, resumes);
}

// Turn to the source, for the rest of the stream or for a full sync. What the log holds does not
// wait for its answer.
void link_join(struct link *link, bool resumes)
{
	bool stays = resumes && link->source_stays;
	link->source_stays = false;
	link->stage = LINK_JOINING;
	if (link->group && !stays)
		group_choose_node(link->group, link, !resumes);
	if (!stays)
		source_open(&link->source, !resumes);
	if (resumes)
		link->source.proof_offset = link->held_end;
	if (resumes && link->from_log)
		link_take_up(link);
}

// The epoch goes before the first marker: a target that came back older may have lost it.
static int epoch_put(struct link *link)
{
	struct batch *b;
	const struct route *r = &link->route;
	char key[MARKER_KEY_LEN];
	if (!is_exactly_once(link) || !link->place.marker.epoch)
		return 0;
	b = place_open(&link->place, 0, r->routed, 0, true);
	if (!b)
		return -ENOMEM;
	struct span name = {key, marker_epoch_key(key, link->config->name)};
	int rc = batch_item_begin(b, r->routed, 0, ITEM_INTERNAL);
	if (!rc)
		b->items[b->n_items - 1].slot = key_slot(name);
	rc = rc ? rc : batch_head(b, 3);
	rc = rc ? rc : batch_arg(b, SPAN_LIT("SET"), false);
	rc = rc ? rc : batch_arg(b, name, false);
	rc = rc ? rc : batch_arg_u64(b, link->place.marker.epoch);
	if (!rc)
		place_close(&link->place, 0, r->routed, r->db);
	return rc;
}

// The stream goes on: where, and where its bytes come from.
void link_take_up(struct link *link)
{
	char text[TEXT_LEN], from[64] = "from the source's backlog";
	if (link->from_log)
		link_log_text(link, from);
	snprintf(text, sizeof(text), "%.170s; the rest comes %s", link->resume_text, from);
	shared_text_set(&link->slot->state.resumed, text);
	link_streaming_begins(link);
	if (epoch_put(link))
		link_fail(link, ERROR_MEMORY, "no memory for the epoch");
}

// ---- What the source says

void link_rename(struct link *link, const char *replid, uint64_t offset)
{
	if (!strcmp(chain_newest(&link->point.chain), replid))
		return;
	chain_rename(&link->point.chain, replid, offset);
	log_rename(&link->log, replid);
}

// The stream has another id from here on. No byte under it is taken before that is on disk, or a
// marker could name a history that nobody proves after a crash.
void link_renamed(struct link *link)
{
	const struct source *s = &link->source;
	link_rename(link, s->handshake.replid, source_proven(s));
	link->naming = true;
	link_point_put(link);
}

void link_rename_turn(struct link *link)
{
	if (!link->naming || (link->files && !replacer_is_idle(link->files)))
		return;
	link->naming = false;
	link_note(link, EVENT_INFO, "the stream goes on under the id %s",
		  link->source.handshake.replid);
	source_rename(&link->source);
}

// A full sync is offered to a link that had asked to go on.
void link_full_reason(struct link *link)
{
	const struct source *s = &link->source;
	char *out = link->full_reason;
	bool same = !strcmp(s->replid, s->handshake.replid);
	if (*out)
		return;
	link->begins = false;
	if (s->proving)
		snprintf(out, TEXT_LEN,
			 "the source's history left ours before offset %" PRIu64
			 ", which the target holds",
			 s->proof_offset);
	else if (same)
		snprintf(out, TEXT_LEN,
			 "the source no longer holds its stream from offset %" PRIu64 " on",
			 link->log.tail);
	else
		snprintf(out, TEXT_LEN,
			 "the source does not go on with the history %.8s... at offset %" PRIu64,
			 s->replid, link->log.tail);
}
