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
	r->only_db = config->source.db >= 0 ? config->source.db : config->target.db;
	r->to_db = config->target.db >= 0 ? config->target.db : config->source.db;
	r->giant.folder = config->state_dir;
	r->reader = resp_stream_new(0);
	r->held = calloc(SLOT_COUNT, sizeof(*r->held));
	if (r->reader && r->held && !route_argv_reserve(r, 1))
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
	holds_fini(&r->holds);
	r->held = NULL;
	r->reader = NULL;
}

void route_reset(struct route *r, uint64_t offset, int32_t db)
{
	r->db = db;
	r->routed = offset;
	r->pending = r->in_frame = r->frame_held = false;
	holds_back(&r->holds);
	r->held_end = 0;
	r->resync = NULL;
	giant_drop(&r->giant);
	route_target_take(r);
	route_read_from(r, offset);
}

// ---- Lanes

// The lanes that a command touches, and the one that runs it: that of its first key.
static uint32_t lanes_of(const struct route *r, const struct command *c, const struct span *argv,
			 int argc, unsigned *lane)
{
	const struct place *p = r->place;
	struct key_run run;
	*lane = 0;
	if (p->n_lanes == 1)
		return 1;
	if (!c || command_key_run(c, argv, argc, &run))
		return place_all(p);
	if (run.n)
		*lane = place_lane_of(p, argv[key_run_at(&run, 0)]);
	enum command_scope reach = command_reach(c, argv, argc, &run);
	if (reach == SCOPE_DB || reach == SCOPE_GLOBAL || c->class == CLASS_SCRIPT)
		return place_all(p);
	uint32_t mask = 1u << *lane;
	for (int i = 1; i < run.n; i++)
		mask |= 1u << place_lane_of(p, argv[key_run_at(&run, i)]);
	return mask;
}

// ---- Commands

static uint64_t received_ns(const struct route *r, uint64_t offset)
{
	return log_stamp_at(r->log, offset).mono_ns;
}

// Where the command at hand goes.
static int32_t target_db(const struct route *r)
{
	return r->only_db < 0 ? r->db : r->to_db;
}

static bool batch_is_full(const struct route *r, const struct batch *b)
{
	const struct link_settings *set = &r->config->settings;
	return b->n_items >= set->batch_commands || b->len >= set->batch_bytes;
}

static int32_t database_of(struct span s)
{
	return (int32_t)span_digits(s);
}

// Markers moved by SWAPDB would lie in the other database for good.
static int swapped_markers_remove(struct route *r, struct batch *b)
{
	int a = database_of(r->argv[1]), other = database_of(r->argv[2]);
	if (a)
		other = other ? -1 : a;
	if (other <= 0)
		return 0;
	char epoch[MARKER_KEY_LEN];
	size_t epoch_len = marker_epoch_key(epoch, r->config->name);
	int rc = batch_item_begin(b, r->frame.begin, other, ITEM_INTERNAL);
	if (!rc)
		rc = batch_head(b, r->place->n_lanes + 2);
	if (!rc)
		rc = batch_arg(b, SPAN_LIT("DEL"), false);
	if (!rc)
		rc = batch_arg(b, (struct span){epoch, epoch_len}, false);
	for (unsigned i = 0; i < r->place->n_lanes && !rc; i++)
		rc = batch_arg(b, r->place->feeds[i].lane->marker_key_span, false);
	return rc;
}

static bool touches_markers(const struct command *c)
{
	return c && c->class == CLASS_GLOBAL;
}

// Join the lanes, hand the batch over when it is full or a barrier.
static void batch_settle(struct route *r, unsigned lane, uint32_t mask, bool global, uint64_t begin,
			 int32_t db_begin)
{
	struct batch *b = r->place->feeds[lane].open;
	bool barrier = mask & ~(1u << lane);
	if (barrier) {
		place_join(r->place, lane, mask, begin, db_begin);
		counter_add(&r->counters->barriers, 1);
	}
	if (global)
		b->marker_all = true;
	if (barrier || global || b->file || batch_is_full(r, b))
		place_close(r->place, lane, r->frame.end, r->db);
}

static bool is_repeatable(const struct command *c, const struct span *argv, int argc)
{
	if (!c)
		return false;
	if (!(c->flags & COMMAND_BY_ARGS))
		return c->flags & COMMAND_IDEMPOTENT;
	return command_is_idempotent(c, argv, argc);
}

// The batch of a lane, with room for this text. @return NULL: the lane is full
static struct batch *batch_for(struct route *r, unsigned lane, size_t text_len)
{
	uint64_t begin = r->in_frame ? r->frame_begin : r->frame.begin;
	struct batch *b = r->place->feeds[lane].open;
	bool first = !r->in_frame || r->frame_lane < 0;
	if (b && !batch_has_text(b, text_len) && !r->in_frame)
		place_close(r->place, lane, r->frame.begin, r->db);
	else if (b && b->n_items && r->giant.state != GIANT_NONE && first) // it gets one of its own
		place_close(r->place, lane, begin, r->in_frame ? r->frame_db : r->db);
	return place_open(r->place, lane, begin, b ? 0 : received_ns(r, begin), true);
}

static int no_memory(struct route *r)
{
	return route_bad(r, ERROR_MEMORY, "no memory for a batch", r->frame.begin);
}

// The command at hand as it came.
static int bytes_add(const struct route *r, struct batch *b)
{
	int rc = batch_item_begin(b, r->frame.begin, target_db(r), ITEM_COMMAND);
	return rc ? rc : batch_refer(b, r->bytes, (size_t)(r->frame.end - r->frame.begin));
}

// Give the command at hand to its lane.
//
// @param c, argv, argc  what it does
// @param f              how it is sent, NULL: as it came
//
// @return 1 done, 0 no free batch, -1 error
static int command_place(struct route *r, const struct command *c, const struct span *argv,
			 int argc, const struct form *f)
{
	unsigned lane;
	uint32_t mask = lanes_of(r, c, argv, argc, &lane);
	if (r->in_frame && r->frame_lane >= 0)
		lane = (unsigned)r->frame_lane;
	size_t text_len = f ? form_text_len(r, f) : FORM_TEXT_MAX;
	struct batch *b = batch_for(r, lane, text_len);
	if (!b)
		return 0;
	if (f && !batch_has_text(b, text_len) && !batch_text_grow(b, text_len))
		return no_memory(r);
	if (r->giant.state != GIANT_NONE && !r->giant.given) {
		place_give_file(r->place, lane, r->giant.file);
		r->giant.given = true;
	}
	if (r->in_frame && r->frame_lane < 0) {
		r->frame_lane = (int)lane;
		r->frame_mark = batch_mark(b);
	}
	if ((f ? form_add(r, b, f, target_db(r)) : bytes_add(r, b)) ||
	    (touches_markers(c) && !strcmp(c->name, "SWAPDB") && swapped_markers_remove(r, b)))
		return no_memory(r);
	bool withheld = f && f->fate == FORM_WITHHELD;
	b->idempotent &= withheld || is_repeatable(c, argv, argc);
	if (holds_any(&r->holds) && !withheld)
		holds_follow(&r->holds, target_db(r), c, argv, argc);
	if (r->in_frame) {
		r->frame_mask |= mask;
		r->frame_global |= touches_markers(c);
		return 1;
	}
	b->n_commands++;
	batch_settle(r, lane, mask, touches_markers(c), r->frame.begin, r->db);
	return 1;
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

static int command_filter(struct route *r)
{
	if (r->in_frame)
		r->frame_filtered++;
	else
		counter_add(&r->counters->filtered_commands, 1);
	return 1;
}

// ---- State of the stream

static void frame_open(struct route *r)
{
	r->in_frame = true;
	r->frame_begin = r->frame.begin;
	r->frame_db = r->db;
	r->frame_lane = -1;
	r->frame_mask = 0;
	r->frame_global = r->frame_held = false;
	r->frame_commands = r->frame_filtered = 0;
	holds_begin(&r->holds);
}

// EXEC: MULTI and EXEC share the fate of what they wrap.
static void frame_close(struct route *r)
{
	struct source_counters *c = r->counters;
	uint64_t commands = r->frame_commands + 1, filtered = r->frame_filtered;
	r->in_frame = false;
	holds_commit(&r->holds);
	counter_add(&c->received_commands, commands);
	if (r->frame_lane < 0) {
		counter_add(&c->filtered_commands, commands);
		return;
	}
	counter_add(&c->filtered_commands, filtered);
	unsigned lane = (unsigned)r->frame_lane;
	r->place->feeds[lane].open->n_commands += (uint32_t)(commands - filtered);
	batch_settle(r, lane, r->frame_mask, r->frame_global, r->frame_begin, r->frame_db);
}

static int state_take(struct route *r, const struct command *c)
{
	switch (c->name[0]) {
	case 'S': // SELECT
		if (r->frame.argc != 2)
			return route_bad(r, ERROR_STREAM_GARBAGE, "SELECT without a database",
					 r->frame.begin);
		r->db = database_of(r->argv[1]);
		return command_filter(r);
	case 'M': // MULTI; the count of it was taken as of a command outside
		frame_open(r);
		r->frame_commands = 1;
		return 1;
	default: // EXEC, DISCARD
		if (!r->in_frame)
			return command_filter(r);
		frame_close(r);
		return 1;
	}
}

static bool is_reserved(const struct span *argv, int argc)
{
	return argc > 1 && argv[1].len > 2 && argv[1].p[0] == '_' && marker_is_reserved(argv[1]);
}

// ---- One database of several

static int words_place(struct route *r, const char *name, int argc)
{
	struct form f;
	r->argv_new[0] = span_of(name);
	if (argc > 1)
		r->argv_new[1] = r->argv[1];
	form_of_words(&f, r->argv_new, argc);
	return command_place(r, f.command, f.argv, f.argc, &f);
}

static int resync_want(struct route *r, const char *why)
{
	r->resync = why;
	return -1;
}

// Only one database is forwarded: what of a command that reaches beyond the one selected?
//
// @return 1 done, 0 no free batch, -1 error or resync, -2 forward it as usual
static int database_filter(struct route *r, const struct command *c)
{
	bool here = r->db == r->only_db;
	int argc = (int)r->frame.argc;
	if (c && c->scope == SCOPE_GLOBAL && c->class == CLASS_GLOBAL) {
		if (!strcmp(c->name, "FLUSHALL"))
			return words_place(r, "FLUSHDB", 1);
		if (argc == 3 && (database_of(r->argv[1]) == r->only_db ||
				  database_of(r->argv[2]) == r->only_db))
			return resync_want(r, "SWAPDB exchanged the database that is synced");
		return command_filter(r);
	}
	if (c && c->scope == SCOPE_CROSS_DB) {
		int other = command_other_db(c, r->argv, argc);
		if (here == (other == r->only_db) || other < 0)
			return here ? -2 : command_filter(r);
		if (!here)
			return resync_want(
				r, "a key came into the database that is synced from another");
		return strcmp(c->name, "MOVE") ? command_filter(r) : words_place(r, "DEL", 2);
	}
	bool anywhere = c && (c->scope == SCOPE_GLOBAL || c->scope == SCOPE_NONE);
	return here || anywhere ? -2 : command_filter(r);
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
		hold_keep(&r->holds, target_db(r), w->argv[key_run_at(&run, i)], w->held_ms,
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

static int command_adapt(struct route *r, const struct command *c)
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
	if (r->routed < r->held_end && is_held(r, c))
		return command_filter(r);
	int filtered = r->only_db < 0 ? -2 : database_filter(r, c);
	if (filtered != -2)
		return filtered;
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
	else if ((c && c->flags & COMMAND_NEVER) || is_reserved(r->argv, argc))
		rc = command_filter(r);
	else
		rc = command_forward(r, c);
	return rc;
}

// A frame of which the end has not come holds up what stands before it in its batch: put that on
// its way and read the frame again when there is more of it.
static int frame_wait(struct route *r)
{
	if (!r->in_frame || r->frame_lane < 0 || !r->frame_mark.n_items)
		return 0;
	unsigned lane = (unsigned)r->frame_lane;
	batch_back(r->place->feeds[lane].open, &r->frame_mark);
	r->in_frame = false;
	holds_back(&r->holds);
	r->db = r->frame_db;
	r->routed = r->frame_begin;
	place_close(r->place, lane, r->frame_begin, r->db);
	route_read_from(r, r->frame_begin);
	return 0;
}

int route_abandon(struct route *r)
{
	giant_drop(&r->giant);
	if (!r->in_frame)
		return 0;
	r->in_frame = false;
	holds_back(&r->holds);
	r->db = r->frame_db;
	if (r->frame_lane >= 0) {
		unsigned lane = (unsigned)r->frame_lane;
		batch_back(r->place->feeds[lane].open, &r->frame_mark);
		place_close(r->place, lane, r->frame_begin, r->db);
	}
	route_read_from(r, r->frame_begin);
	return 0;
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
	if (!batch_has_text(b, need) && !batch_text_grow(b, need))
		return no_memory(r);
	if (form_of_ours_add(b, &f, r->routed, hold->db))
		return no_memory(r);
	if (batch_is_full(r, b))
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
		    r->in_frame ? r->frame_lane : -1);
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
			return frame_wait(r);
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
