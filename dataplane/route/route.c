// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/route/route_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int route_init(struct route *r, struct log *log, struct place *place,
	       struct source_counters *counters, const struct link_config *config)
{
	memset(r, 0, sizeof(*r));
	r->log = log;
	r->place = place;
	r->counters = counters;
	r->config = config;
	link_databases(config, &r->dbs);
	r->giant.folder = config->state_dir;
	r->reader = resp_stream_new(0);
	r->held = calloc(SLOT_COUNT, sizeof(*r->held));
	bool is_cluster = config->target.kind == URL_CLUSTER;
	r->slots = is_cluster ? slots_new() : NULL;
	if (r->reader && r->held && (r->slots || !is_cluster) && !route_argv_reserve(r, 1))
		return 0;
	route_fini(r);
	return -ENOMEM;
}

void route_fini(struct route *r)
{
	resp_stream_free(r->reader);
	giant_drop(&r->giant);
	route_argv_free(r);
	free(r->held);
	slots_free(r->slots);
	holds_fini(&r->holds);
	r->slots = NULL;
	r->held = NULL;
	r->reader = NULL;
}

void route_reset(struct route *r, uint64_t offset, int32_t db)
{
	r->db = db;
	r->routed = offset;
	r->pending = r->in_frame = r->frame_held = false;
	holds_back(&r->holds);
	r->held_end = r->apart_until = 0;
	r->gather_step = GATHER_FENCES;
	if (r->gather)
		gather_drop(r->gather);
	r->resync = NULL;
	r->empties = false;
	giant_drop(&r->giant);
	route_target_take(r);
	route_read_from(r, offset);
}

// The slot whose marker tells of a command: that of its first key, 0 without one. place_lane_of()
// runs it on the lane that covers this slot, however many lanes there are.
static unsigned slot_of(const struct command *c, const struct span *argv, int argc)
{
	struct key_run run;
	if (!c || command_key_run(c, argv, argc, &run) || !run.n)
		return 0;
	return key_slot(argv[key_run_at(&run, 0)]);
}

// Whether the target holds what this command did, from a life before this one.
static bool is_held(struct route *r, const struct command *c)
{
	unsigned slot = slot_of(c, r->argv, (int)r->frame.argc);
	if (!r->in_frame)
		return r->frame.begin < r->held[slot];
	// A transaction stands or falls with its first command.
	if (r->frame_lane < 0 && !r->frame_held)
		r->frame_held = r->frame_begin < r->held[slot];
	return r->frame_held;
}

int command_filter(struct route *r)
{
	if (r->in_frame)
		r->frame_filtered++;
	else
		counter_add(&r->counters->filtered_commands, 1);
	return 1;
}

int resync_want(struct route *r, const char *why)
{
	r->resync = why;
	return -1;
}

// ---- State of the stream

static int state_take(struct route *r, const struct command *c)
{
	switch (c->name[0]) {
	case 'S': // SELECT
		if (r->frame.argc != 2)
			return route_bad(r, ERROR_STREAM_GARBAGE, "SELECT without a database",
					 r->frame.begin);
		r->db = (int32_t)span_digits(r->argv[1]);
		return command_filter(r);
	case 'M': // MULTI; the count of it was taken as of a command outside
		if (r->frame.begin < r->apart_until)
			return command_filter(r);
		frame_open(r);
		r->frame_commands = 1;
		return 1;
	default: // EXEC, DISCARD
		if (!r->in_frame)
			return command_filter(r);
		return frame_close(r);
	}
}

static bool is_reserved(const struct span *argv, int argc)
{
	return argc > 1 && argv[1].len > 2 && argv[1].p[0] == '_' && marker_is_reserved(argv[1]);
}

// ---- One command

// Up to when keys that the command at hand lets expire are held instead: the link lags when the
// command, or what comes before it and is not answered, is older than HOLD_LAG_MS.
//
// @return Unix time, ms; 0: none is held
static int64_t hold_until(struct route *r, uint64_t received_ms)
{
	uint64_t since = received_ms, near = HOLD_HORIZON_MS;
	if (r->oldest_ms && r->oldest_ms < since)
		since = r->oldest_ms;
	uint64_t lag = r->now_ms > since ? r->now_ms - since : 0;
	if (!r->behind && lag <= HOLD_LAG_MS)
		return 0;
	if (!holds_have_room(&r->holds, r->frame.argc, (size_t)(r->frame.end - r->frame.begin)))
		return 0;
	if (!r->behind && HOLD_NEAR_MS + 2 * lag < near)
		near = HOLD_NEAR_MS + 2 * lag;
	return (int64_t)(r->now_ms + near);
}

static void keys_hold(struct route *r, const struct rewrite *w, int64_t set_at_ms)
{
	struct key_run run;
	if (!w->held_ms || command_key_run(w->command, w->argv, w->argc, &run))
		return;
	for (int i = 0; i < run.n; i++)
		hold_keep(&r->holds, route_target_db(r), w->argv[key_run_at(&run, i)], w->held_ms,
			  set_at_ms);
}

// A command that the target is to get in another form, or perhaps not at all.
static int form_place(struct route *r, const struct form *f, int64_t set_at_ms)
{
	int rc;
	if (f->fate == FORM_RESYNC) {
		snprintf(r->text, sizeof(r->text),
			 "%s came, which the target's release does not have", f->command->name);
		return resync_want(r, r->text);
	}
	if (f->fate == FORM_FILTERED)
		rc = command_filter(r);
	else
		rc = command_place(r, f->command, f->argv, f->argc,
				   f->fate == FORM_BYTES ? NULL : f);
	if (rc <= 0)
		return rc;
	counter_add(&r->counters->rewritten_commands, f->fate == FORM_WORDS);
	counter_add(&r->counters->degraded, f->words.degraded);
	if (f->rewritten && f->fate == FORM_WORDS)
		keys_hold(r, &f->rewrite, set_at_ms);
	return rc;
}

int command_adapt(struct route *r, const struct command *c)
{
	uint64_t received_ms = log_stamp_at(r->log, r->frame.begin).wall_ms;
	bool restores = r->restores.rdb_version_max != 0;
	struct rewrite_rules rules = {
		.received_ms = (int64_t)received_ms,
		.now_ms = (int64_t)r->now_ms,
		.hold_until_ms = hold_until(r, received_ms),
		.hold_at_ms = (int64_t)(r->now_ms + HOLD_EXTEND_MS),
		.footer = restores ? rewrite_footer : NULL,
		.footer_arg = &r->restores,
	};
	struct form f;
	form_find(r, c, &rules, &f);
	return form_place(r, &f, rules.hold_at_ms);
}

static int command_forward(struct route *r, const struct command *c)
{
	int argc = (int)r->frame.argc;
	int rc = r->handoff ? route_handoff(r, c) : -2;
	if (rc != -2)
		return rc;
	if (!r->slots && r->routed < r->held_end && is_held(r, c))
		return command_filter(r);
	if (r->dbs.n || r->slots)
		rc = route_db_filter(r, c);
	if (rc == -2 && r->slots)
		rc = slots_forward(r, c);
	if (rc != -2)
		return rc;
	if (!c)
		counter_add(&r->counters->unknown_commands, 1);
	bool plain_set = c && c->rewrite == REWRITE_SET && argc == 3; // most of most streams
	if (plain_set || !form_is_asked(r, c))
		return command_place(r, c, r->argv, argc, NULL);
	return command_adapt(r, c);
}

// @return 1 it has its fate or its lane, 0 no free batch, -1 error
static int command_route(struct route *r)
{
	int argc = (int)r->frame.argc;
	if (!argc)
		return 1; // a bare newline
	const struct command *c =
		command_find(r->argv[0], argc > 1 ? r->argv[1] : (struct span){"", 0});
	int rc;
	if (c && c->flags & COMMAND_FRAME)
		rc = state_take(r, c);
	else if (r->handoff && c && c->flags & COMMAND_NEVER && c->class == CLASS_CONTROL)
		rc = route_handoff_control(r);
	else if ((c && c->flags & COMMAND_NEVER) || is_reserved(r->argv, argc))
		rc = command_filter(r);
	else
		rc = command_forward(r, c);
	return rc;
}

static int command_done(struct route *r)
{
	r->pending = false;
	if (!r->in_frame)
		r->routed = r->frame.end;
	bool over = r->giant.state == GIANT_WHOLE && r->frame.end == r->giant.end;
	return over ? route_giant_over(r) : 0;
}

static int release_put(struct route *r, const struct hold *hold, struct span key)
{
	unsigned lane = place_lane_of(r->place, key);
	char number[20];
	size_t number_len = decimal_write(number, (uint64_t)hold->expire_at_ms);
	const struct span words[] = {
		SPAN_LIT("PEXPIREAT"), key, {number, number_len}, SPAN_LIT("XX")};
	struct older_form f;
	size_t need = form_of_ours(r, words, 4, &f);
	struct batch *b = r->place->feeds[lane].open;
	if (b && !batch_has_text(b, need))
		place_close(r->place, lane, r->routed, r->db);
	b = place_open(r->place, lane, r->routed, 0, true);
	if (!b)
		return 0;
	unsigned from = b->n_items;
	if (!batch_has_text(b, need) && !batch_text_grow(b, need))
		return route_no_memory(r);
	if (form_of_ours_add(b, &f, r->routed, hold->db, ITEM_INTERNAL, false))
		return route_no_memory(r);
	if (r->slots)
		batch_unit(b, from, key_slot(key), b->n_items - from > 1 ? ITEM_ATOMIC : 0);
	if (route_batch_is_full(r, b))
		place_close(r->place, lane, r->routed, r->db);
	return 1;
}

int route_release(struct route *r, int64_t dead_ms, int64_t near_ms)
{
	struct hold *hold;
	struct span key;
	bool any = false;
	if (r->in_frame)
		return 0;
	while ((hold = hold_next(&r->holds, &key))) {
		if (hold->expire_at_ms > dead_ms && hold->expire_at_ms <= near_ms)
			continue;
		int rc = release_put(r, hold, key);
		if (!rc)
			r->holds.next--;
		if (rc <= 0)
			return rc;
		hold_end(&r->holds, hold);
		any = true;
	}
	if (any)
		route_flush(r, true);
	if (!holds_any(&r->holds))
		holds_fini(&r->holds);
	return 1;
}

uint64_t route_whole(const struct route *r)
{
	if (r->giant.state != GIANT_NONE)
		return r->giant.end;
	return r->pending ? r->frame.begin : resp_stream_position(r->reader);
}

void route_flush(struct route *r, bool all)
{
	place_flush(r->place, r->routed, r->in_frame ? r->frame_db : r->db, all,
		    r->in_frame ? r->frame_lanes : 0);
}

int route_turn(struct route *r, uint64_t now_ms)
{
	uint64_t taken = 0;
	r->now_ms = now_ms;
	while (taken < TURN_BYTES) {
		// The log may have moved since: bytes that wait are those of its present ring.
		int rc = r->pending ? route_frame_again(r) : route_frame_next(r);
		if (rc < 0)
			return rc;
		if (rc == 2)
			return 1;
		if (!rc)
			{
			frame_wait(r);
			return 0;
		}
		bool framed = r->in_frame;
		r->pending = true;
		rc = command_route(r);
		if (rc <= 0)
			return rc;
		if (framed && r->in_frame)
			r->frame_commands += r->frame.argc > 0; // a bare newline is none
		else if (!framed && !r->in_frame && r->frame.argc)
			counter_add(&r->counters->received_commands, 1);
		taken += r->frame.end - r->frame.begin;
		if (command_done(r))
			return -1;
	}
	return 1;
}
