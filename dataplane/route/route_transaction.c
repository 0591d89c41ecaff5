// SPDX-License-Identifier: BSD-3-Clause
// MULTI .. EXEC of the stream.
//
//   frame_open() -> commands, each to its lane's open batch -> frame_close()
//                                                           -> frame_again()   a cluster
//
// For one server all of it goes into one batch of one lane. For a cluster it goes by slots, a unit
// each; what several nodes have to take part in one after the other (RENAME from slot to slot,
// FLUSHALL) cannot be among them, so such a transaction is read a second time, command by command,
// once all of it is here.
#include "dataplane/route/route_priv.h"

void frame_open(struct route *r)
{
	r->in_frame = true;
	r->frame_begin = r->frame.begin;
	r->frame_db = r->db;
	r->frame_lane = -1;
	r->frame_lanes = r->frame_mask = 0;
	r->frame_global = r->frame_held = r->frame_apart = false;
	r->frame_commands = r->frame_filtered = 0;
	holds_begin(&r->holds);
	if (r->slots)
		slots_frame_begin(r->slots);
}

void route_frame_touch(struct route *r, unsigned lane)
{
	if (r->frame_lanes & 1u << lane)
		return;
	r->frame_lanes |= 1u << lane;
	r->frame_marks[lane] = batch_mark(r->place->feeds[lane].open);
	r->frame_n[lane] = 0;
	if (r->frame_lane < 0)
		r->frame_lane = (int)lane;
}

// What lanes hold of it goes. @param all  close what is empty then, too
static void lanes_back(struct route *r, bool all)
{
	for (unsigned i = 0; i < r->place->n_lanes; i++) {
		if (!(r->frame_lanes & 1u << i))
			continue;
		struct batch *b = r->place->feeds[i].open;
		batch_back(b, &r->frame_marks[i]);
		if (b->n_items || all)
			place_close(r->place, i, r->frame_begin, r->frame_db);
	}
	r->frame_lanes = 0;
	r->frame_lane = -1;
}

void route_frame_back(struct route *r, bool all)
{
	r->in_frame = false;
	r->db = r->frame_db;
	holds_back(&r->holds);
	lanes_back(r, all);
}

void route_frame_apart(struct route *r)
{
	holds_back(&r->holds);
	holds_begin(&r->holds);
	lanes_back(r, true);
	r->frame_apart = true;
}

// It is whole, and is read a second time. What came stands as not read yet.
static void frame_again(struct route *r)
{
	r->apart_until = r->frame.end;
	r->in_frame = false;
	r->db = r->frame_db;
	holds_back(&r->holds);
	counter_add(&r->counters->split_transactions, 1);
	if (r->giant.state == GIANT_NONE)
		route_read_from(r, r->frame_begin);
	else
		giant_rewind(&r->giant);
	r->frame.begin = r->frame.end = r->frame_begin;
}

// Whether a lane holds commands that stand before it.
static bool holds_up(const struct route *r)
{
	for (unsigned i = 0; i < r->place->n_lanes; i++)
		if (r->frame_lanes & 1u << i && r->frame_marks[i].n_items)
			return true;
	return false;
}

void frame_wait(struct route *r)
{
	if (!r->in_frame || !holds_up(r))
		return;
	route_frame_back(r, true);
	r->routed = r->frame_begin;
	route_read_from(r, r->frame_begin);
}

// MULTI and EXEC share the fate of what they wrap.
int frame_close(struct route *r)
{
	struct source_counters *c = r->counters;
	uint64_t commands = r->frame_commands + 1;
	if (r->frame_apart) {
		frame_again(r);
		return 1;
	}
	r->in_frame = false;
	holds_commit(&r->holds);
	counter_add(&c->received_commands, commands);
	if (r->frame_lane < 0) {
		counter_add(&c->filtered_commands, commands);
		return 1;
	}
	counter_add(&c->filtered_commands, r->frame_filtered);
	r->frame_n[r->frame_lane] += 2;
	for (unsigned i = 0; i < r->place->n_lanes; i++)
		if (r->frame_lanes & 1u << i)
			r->place->feeds[i].open->n_commands += r->frame_n[i];
	if (r->slots)
		return slots_frame_end(r);
	route_settle(r, (unsigned)r->frame_lane, r->frame_mask, r->frame_global, r->frame_begin,
		     r->frame_db);
	return 1;
}

int route_abandon(struct route *r)
{
	giant_drop(&r->giant);
	if (!r->in_frame)
		return 0;
	route_frame_back(r, true);
	route_read_from(r, r->frame_begin);
	return 0;
}
