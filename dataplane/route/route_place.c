// SPDX-License-Identifier: BSD-3-Clause
// command_place() -> lanes_of() -> route_batch() -> route_add() -> route_settle()
//                 -> slots_place()                                    a cluster: slots.h
#include <string.h>

#include "dataplane/route/route_priv.h"

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

static uint64_t received_ns(const struct route *r, uint64_t offset)
{
	return log_stamp_at(r->log, offset).mono_ns;
}

bool route_batch_is_full(const struct route *r, const struct batch *b)
{
	const struct link_settings *set = &r->config->settings;
	return b->n_items >= set->batch_commands || b->len >= set->batch_bytes;
}

int route_no_memory(struct route *r)
{
	return route_bad(r, ERROR_MEMORY, "no memory for a batch", r->frame.begin);
}

bool route_touches_markers(const struct command *c)
{
	return c && c->class == CLASS_GLOBAL;
}

bool route_is_repeatable(const struct command *c, const struct span *argv, int argc)
{
	if (!c)
		return false;
	if (!(c->flags & COMMAND_BY_ARGS))
		return c->flags & COMMAND_IDEMPOTENT;
	return command_is_idempotent(c, argv, argc);
}

// Markers moved by SWAPDB would lie in the other database for good.
//
// @param argv  as the target gets it
static int swapped_markers_remove(struct route *r, struct batch *b, const struct span *argv)
{
	int a = (int)span_digits(argv[1]), other = (int)span_digits(argv[2]);
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

void route_settle(struct route *r, unsigned lane, uint32_t mask, bool global, uint64_t begin,
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
	if (barrier || global || b->file || route_batch_is_full(r, b))
		place_close(r->place, lane, r->frame.end, r->db);
}

struct batch *route_batch(struct route *r, unsigned lane, size_t text_len)
{
	uint64_t begin = r->in_frame ? r->frame_begin : r->frame.begin;
	struct batch *b = r->place->feeds[lane].open;
	bool first = !r->in_frame || !(r->frame_lanes & 1u << lane);
	if (b && !batch_has_text(b, text_len) && !r->in_frame)
		place_close(r->place, lane, r->frame.begin, r->db);
	else if (b && b->n_items && r->giant.state != GIANT_NONE && first) // it gets one of its own
		place_close(r->place, lane, begin, r->in_frame ? r->frame_db : r->db);
	return place_open(r->place, lane, begin, b ? 0 : received_ns(r, begin), true);
}

// The command at hand as it came.
static int bytes_add(const struct route *r, struct batch *b)
{
	int rc = batch_item_begin(b, r->frame.begin, route_target_db(r), ITEM_COMMAND);
	return rc ? rc : batch_refer(b, r->bytes, (size_t)(r->frame.end - r->frame.begin));
}

int route_add(struct route *r, unsigned lane, const struct form *f)
{
	struct batch *b = r->place->feeds[lane].open;
	size_t text_len = f ? form_text_len(r, f) : FORM_TEXT_MAX;
	if (!batch_has_text(b, text_len) && !batch_text_grow(b, text_len))
		return route_no_memory(r);
	if (r->giant.state != GIANT_NONE)
		place_give_file(r->place, lane, r->giant.file);
	if (r->in_frame)
		route_frame_touch(r, lane);
	return (f ? form_add(r, b, f, route_target_db(r)) : bytes_add(r, b)) ? route_no_memory(r)
									     : 0;
}

void route_count(struct route *r, unsigned lane)
{
	if (r->in_frame)
		r->frame_n[lane]++;
	else
		r->place->feeds[lane].open->n_commands++;
}

int command_place(struct route *r, const struct command *c, const struct span *argv, int argc,
		  const struct form *f)
{
	if (r->slots)
		return slots_place(r, c, argv, argc, f);
	unsigned lane;
	uint32_t mask = lanes_of(r, c, argv, argc, &lane);
	if (r->in_frame && r->frame_lane >= 0)
		lane = (unsigned)r->frame_lane;
	struct batch *b = route_batch(r, lane, f ? form_text_len(r, f) : FORM_TEXT_MAX);
	if (!b)
		return 0;
	if (route_add(r, lane, f))
		return -1;
	if (route_touches_markers(c) && !strcmp(c->name, "SWAPDB") &&
	    swapped_markers_remove(r, b, argv))
		return route_no_memory(r);
	bool withheld = f && f->fate == FORM_WITHHELD;
	b->idempotent &= withheld || route_is_repeatable(c, argv, argc);
	if (holds_any(&r->holds) && !withheld)
		holds_follow(&r->holds, route_target_db(r), c, argv, argc);
	route_count(r, lane);
	if (r->in_frame) {
		r->frame_mask |= mask;
		r->frame_global |= route_touches_markers(c);
	} else {
		route_settle(r, lane, mask, route_touches_markers(c), r->frame.begin, r->db);
	}
	return 1;
}
