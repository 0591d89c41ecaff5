// SPDX-License-Identifier: BSD-3-Clause
// A shard of a cluster whose slots may move: what handoff.h says of each command is done here.
//
//   route_handoff() -> handoff_command() -> clears_put() | parts_place() | command_filter()
#include "dataplane/route/route_priv.h"

#include <stdio.h>

#define STAY_NS 2000000000ull // that a command waits at the end of a life

static struct handoff_at at_hand(const struct route *r)
{
	return (struct handoff_at){
		.member = r->member, .db = r->db, .begin = r->frame.begin, .end = r->frame.end};
}

static int handoff_filter(struct route *r)
{
	counter_add(&r->counters->handed_off, 1);
	return command_filter(r);
}

static int handoff_resync_want(struct route *r)
{
	snprintf(r->text, sizeof(r->text), "%s", r->handoff->members[r->member].why);
	return resync_want(r, r->text);
}

// A command of ours, in front of the one at hand. @return 1, 0 no free batch, -1 error
static int delete_put(struct route *r, int32_t db, struct span key)
{
	const struct span words[] = {SPAN_LIT("DEL"), key};
	struct older_form f;
	size_t need = form_of_ours(r, words, 2, &f);
	unsigned lane = place_lane_of(r->place, key);
	if (r->in_frame && r->frame_lane >= 0 && !r->slots)
		lane = (unsigned)r->frame_lane;
	struct batch *b = route_batch(r, lane, need);
	if (!b)
		return 0;
	if (!batch_has_text(b, need) && !batch_text_grow(b, need))
		return route_no_memory(r);
	if (r->in_frame)
		route_frame_touch(r, lane);
	unsigned from = b->n_items;
	if (form_of_ours_add(b, &f, r->frame.begin, db, ITEM_INTERNAL, false))
		return route_no_memory(r);
	if (r->slots)
		batch_unit(b, from, key_slot(key), 0);
	return 1;
}

bool route_clear(struct route *r, int32_t db, struct span key)
{
	if (r->in_frame || r->pending)
		return false;
	r->frame.begin = r->frame.end = r->routed;
	return delete_put(r, db, key) > 0;
}

bool route_stays(struct route *r)
{
	const struct handoff *h = r->handoff;
	if (!h || !r->pending || h->members[r->member].wait.reason == HANDOFF_READY ||
	    h->now_ns < h->members[r->member].wait.since_ns + STAY_NS)
		return false;
	r->pending = false;
	route_read_from(r, r->in_frame ? r->frame_begin : r->frame.begin);
	return true;
}

static bool keys_of(const struct route *r, const struct command *c, struct key_run *run)
{
	*run = (struct key_run){.n = r->frame.argc > 1, .first = 1, .step = 1};
	return !c || !command_key_run(c, r->argv, (int)r->frame.argc, run);
}

// @return -2 send it now, 0 no free batch, -1 error
static int clears_put(struct route *r, const struct command *c)
{
	const struct handoff_at at = at_hand(r);
	struct key_run run;
	int rc = 1;
	if (!keys_of(r, c, &run))
		return -2;
	for (int i = 0; i < run.n && rc > 0; i++) {
		struct span key = r->argv[key_run_at(&run, i)];
		if (handoff_clears(r->handoff, &at, key))
			rc = delete_put(r, route_target_db(r), key);
	}
	return rc > 0 ? -2 : rc;
}

// A deletion of those of its keys that are this shard's.
static int parts_place(struct route *r, const struct command *c)
{
	const struct handoff_at at = at_hand(r);
	struct key_run run;
	struct form f;
	int argc = 1;
	if (!keys_of(r, c, &run))
		return -2;
	r->argv_new[0] = SPAN_LIT("DEL");
	for (int i = 0; i < run.n; i++) {
		struct span key = r->argv[key_run_at(&run, i)];
		if (handoff_has(r->handoff, &at, key))
			r->argv_new[argc++] = key;
	}
	if (argc == 1)
		return handoff_filter(r);
	form_of_words(&f, r->argv_new, argc);
	return command_place(r, f.command, f.argv, f.argc, &f);
}

int route_handoff(struct route *r, const struct command *c)
{
	const struct handoff_at at = at_hand(r);
	switch (handoff_command(r->handoff, &at, c, r->argv, (int)r->frame.argc)) {
	case HANDOFF_SEND:
		return -2;
	case HANDOFF_SKIP:
		return handoff_filter(r);
	case HANDOFF_CLEAR:
		return clears_put(r, c);
	case HANDOFF_PARTS:
		return parts_place(r, c);
	case HANDOFF_WAIT:
		return 0;
	case HANDOFF_RESYNC:
		r->empties = c && c->class == CLASS_GLOBAL;
		break;
	}
	return handoff_resync_want(r);
}

int route_handoff_control(struct route *r)
{
	const struct handoff_at at = at_hand(r);
	switch (handoff_control(r->handoff, &at, r->argv, (int)r->frame.argc)) {
	case HANDOFF_WAIT:
		return 0;
	case HANDOFF_RESYNC:
		return handoff_resync_want(r);
	default:
		return command_filter(r);
	}
}
