// SPDX-License-Identifier: BSD-3-Clause
// gather_place() -> is_lost()
//                 | destination_turn() -> lanes_settle(), fences_put(), keys_read(),
//                                         destination_put()
//                 | others_put() -> other_put()
//
// The steps and why they may be repeated: gather.h.
#include <stdio.h>
#include <string.h>

#include "dataplane/route/route_priv.h"
#include "parsers/cluster.h"

// The command at hand.
struct gathering {
	const struct slots_plan *plan;
	const struct command *c;
	const struct span *argv;
	int argc;
	int destination; // number of that key
	unsigned slot;   // where it lies
};

static struct span key_of(const struct gathering *at, int i)
{
	return at->argv[key_run_at(&at->plan->run, i)];
}

static struct span temporary_name(char out[GATHER_NAME_LEN], unsigned slot, unsigned number)
{
	int n = snprintf(out, GATHER_NAME_LEN, MARKER_PREFIX "{%s}:gather:%u",
			 cluster_tag((uint16_t)slot), number);
	return (struct span){out, (size_t)n};
}

// ---- Units

// @param offset  that it is said to be at
static int own_add(struct route *r, struct batch *b, const struct span *words, int n,
		   uint64_t offset, enum item_kind kind)
{
	struct older_form f;
	form_of_ours(r, words, n, &f);
	size_t need = FORM_TEXT_MAX;
	for (int i = 0; i < f.n_runs; i++)
		for (int k = 0; k < f.runs[i].n; k++)
			need += batch_arg_len(f.runs[i].words[k], true);
	if (!batch_has_text(b, need) && !batch_text_grow(b, need))
		return route_no_memory(r);
	return form_of_ours_add(b, &f, offset, 0, kind, true) ? route_no_memory(r) : 0;
}

static int delete_add(struct route *r, struct batch *b, struct span name)
{
	const struct span words[2] = {SPAN_LIT("DEL"), name};
	return own_add(r, b, words, 2, r->frame.begin, ITEM_INTERNAL);
}

static struct span first_key_in(const struct gathering *at, unsigned slot)
{
	int i = 0;
	while (key_slot(key_of(at, i)) != slot)
		i++;
	return key_of(at, i);
}

// A unit of which only the marker counts.
static int nothing_add(struct route *r, const struct gathering *at, struct batch *b, unsigned slot,
		       uint64_t offset)
{
	const struct span words[2] = {SPAN_LIT("EXISTS"), first_key_in(at, slot)};
	return own_add(r, b, words, 2, offset, ITEM_INTERNAL);
}

// A value that was read, under its temporary name. One that the target refuses is parked: what
// comes of the command is wrong then.
static int value_add(struct route *r, struct batch *b, const struct gather_key *key,
		     struct span name)
{
	char at_ms[24] = "0";
	struct span value = {key->value, key->value_len};
	size_t n = key->expire_at_ms > 0 ? decimal_write(at_ms, (uint64_t)key->expire_at_ms) : 1;
	if (!key->exists)
		return 0;
	if (key->how != GATHER_VALUE) {
		const struct span words[3] = {SPAN_LIT("RPUSH"), name, value};
		return own_add(r, b, words, 3, r->frame.begin, ITEM_COMMAND);
	}
	const struct span words[6] = {SPAN_LIT("RESTORE"), name,
				      {at_ms, n},          value,
				      SPAN_LIT("REPLACE"), SPAN_LIT("ABSTTL")};
	return own_add(r, b, words, 6, r->frame.begin, ITEM_COMMAND);
}

// The command, with temporary keys for those of other slots.
static int command_add(struct route *r, const struct gathering *at, unsigned slot)
{
	struct span *room = at->argv == r->argv ? r->argv_new : r->argv;
	char(*names)[GATHER_NAME_LEN] = malloc((size_t)at->plan->run.n * GATHER_NAME_LEN);
	struct form f;
	if (!names)
		return route_no_memory(r);
	memcpy(room, at->argv, (size_t)at->argc * sizeof(*room));
	for (int i = 0; i < at->plan->run.n; i++)
		if (key_slot(key_of(at, i)) != slot)
			room[key_run_at(&at->plan->run, i)] =
				temporary_name(names[i], slot, (unsigned)i);
	form_of_part(r, &f, at->c, room, at->argc);
	int rc = route_add(r, slots_lane(r, slot), &f);
	free(names);
	return rc;
}

// ---- The destination

// A barrier of another lane (FLUSHALL) that this one has to come after, and that is answered.
static bool is_behind_barriers(const struct place *p, const struct feed *f)
{
	for (unsigned i = 0; i < p->n_lanes; i++)
		if (f->after_mask & 1u << i &&
		    atomic_load(&p->feeds[i].lane->done_seq) < f->after[i])
			return false;
	return true;
}

// Whether the lanes of all its slots have answered everything; what is open there is handed over.
static bool lanes_settle(struct route *r, const struct slot_groups *g)
{
	bool idle = true;
	for (unsigned i = 0; i < g->n_found; i++) {
		unsigned lane = slots_lane(r, g->found[i]);
		struct feed *f = &r->place->feeds[lane];
		if (f->open && f->open->n_items)
			place_close(r->place, lane, r->frame.begin, r->db);
		idle &= !f->n_out && is_behind_barriers(r->place, f);
	}
	return idle;
}

static bool has_markers(const struct route *r)
{
	return r->config->settings.delivery == DELIVERY_EXACTLY_ONCE;
}

// Room in the lanes of all other slots, before anything is added. @return false: not now
static bool others_have_room(struct route *r, const struct gathering *at)
{
	const struct slot_groups *g = &r->slots->groups;
	for (unsigned i = 0; i < g->n_found; i++)
		if (g->found[i] != at->slot && !slots_is_held(r, g->found[i]) &&
		    !route_batch(r, slots_lane(r, g->found[i]), FORM_TEXT_MAX))
			return false;
	return true;
}

// The markers of the other slots: they hold what is before the command.
//
// @return 1 they are on their way, or there are none; 0 not yet, -1 error
static int fences_put(struct route *r, const struct gathering *at)
{
	const struct slot_groups *g = &r->slots->groups;
	if (!has_markers(r))
		return 1;
	if (!others_have_room(r, at))
		return 0;
	for (unsigned i = 0; i < g->n_found; i++) {
		struct batch *b = r->place->feeds[slots_lane(r, g->found[i])].open;
		if (g->found[i] == at->slot)
			continue;
		unsigned from = b->n_items;
		if (nothing_add(r, at, b, g->found[i], r->frame.begin - 1))
			return -1;
		batch_unit(b, from, g->found[i], ITEM_FENCED);
		b->idempotent = false;
	}
	lanes_settle(r, g);
	return 1;
}

// A list move takes one element. @return how a key of the command is to be read
static enum gather_how how_of(const struct gathering *at)
{
	if (!strcmp(at->c->name, "RPOPLPUSH"))
		return GATHER_LAST;
	if (!strcmp(at->c->name, "LMOVE"))
		return span_caseeq(at->argv[3], "LEFT") ? GATHER_FIRST : GATHER_LAST;
	return GATHER_VALUE;
}

static int keys_ask(struct route *r, const struct gathering *at)
{
	const struct lane *lane = r->place->feeds[0].lane;
	const struct gather_fence fence = {lane->run, has_markers(r) ? r->frame.begin : 0};
	struct server_version target = lane_release(lane);
	for (int i = 0; i < at->plan->run.n; i++) {
		struct span key = key_of(at, i);
		if (key_slot(key) == at->slot)
			continue;
		if (gather_add(r->gather, key, (unsigned)i, how_of(at)))
			return route_no_memory(r);
	}
	gather_ask(r->gather, target.at >= 0x700, &fence);
	return 0;
}

// @return 1 they are here, 0 not yet, -1 error
static int keys_read(struct route *r, const struct gathering *at)
{
	struct gather *g = r->gather;
	switch (g->state) {
	case GATHER_IDLE:
		return keys_ask(r, at) ? -1 : g->state == GATHER_READY;
	case GATHER_ASKING:
		return 0;
	case GATHER_READY:
		return 1;
	case GATHER_FAILED:
		break;
	}
	return route_stop(r, g->error, "%.*s", TEXT_LEN - 1, g->text);
}

static int destination_put(struct route *r, const struct gathering *at)
{
	const struct gather *g = r->gather;
	unsigned lane = slots_lane(r, at->slot);
	struct batch *b = route_batch(r, lane, FORM_TEXT_MAX);
	char name[GATHER_NAME_LEN];
	int rc = 0;
	if (!b)
		return 0;
	unsigned from = b->n_items;
	for (unsigned i = 0; i < g->n_keys && !rc; i++)
		rc = value_add(r, b, &g->keys[i],
			       temporary_name(name, at->slot, g->keys[i].number));
	rc = rc ? rc : command_add(r, at, at->slot);
	for (unsigned i = 0; i < g->n_keys && !rc; i++)
		if (g->keys[i].exists)
			rc = delete_add(r, b, temporary_name(name, at->slot, g->keys[i].number));
	if (rc)
		return -1;
	batch_unit(b, from, (uint16_t)at->slot, ITEM_FENCED);
	b->idempotent = false;
	route_count(r, lane);
	slots_follow(r, at->c, at->argv, at->argc);
	counter_add(&r->counters->gathered_commands, 1);
	place_close(r->place, lane, r->frame.begin, r->db);
	return 1;
}

// Steps 1 to 3. @return 1 the destination's unit is answered, 0 not yet, -1 error
static int destination_turn(struct route *r, const struct gathering *at)
{
	int rc = 0;
	if (!lanes_settle(r, &r->slots->groups))
		return 0;
	switch (r->gather_step) {
	case GATHER_FENCES:
		rc = fences_put(r, at);
		break;
	case GATHER_READ:
		rc = keys_read(r, at);
		rc = rc > 0 ? destination_put(r, at) : rc;
		break;
	case GATHER_OTHERS:
		return 1;
	}
	r->gather_step += rc > 0;
	return rc < 0 ? rc : 0;
}

// ---- The others

static bool slot_is_written(const struct gathering *at, unsigned slot)
{
	for (int i = 0; i < at->plan->run.n; i++)
		if (key_slot(key_of(at, i)) == slot &&
		    command_writes_key(at->c, i, at->plan->run.n))
			return true;
	return false;
}

static int other_put(struct route *r, const struct gathering *at, unsigned slot)
{
	struct batch *b = r->place->feeds[slots_lane(r, slot)].open;
	unsigned from = b->n_items;
	char name[GATHER_NAME_LEN];
	int rc;
	if (slot_is_written(at, slot)) {
		rc = command_add(r, at, slot);
		rc = rc ? rc
			: delete_add(r, b, temporary_name(name, slot, (unsigned)at->destination));
	} else {
		rc = nothing_add(r, at, b, slot, r->frame.begin);
	}
	batch_unit(b, from, (uint16_t)slot, ITEM_FENCED);
	b->idempotent = false;
	return rc;
}

// Step 4. @param counts  the destination's unit is of a former life: the command counts here
static int others_put(struct route *r, const struct gathering *at, bool counts)
{
	const struct slot_groups *g = &r->slots->groups;
	if (!others_have_room(r, at))
		return 0;
	for (unsigned i = 0; i < g->n_found; i++) {
		unsigned lane = slots_lane(r, g->found[i]);
		if (g->found[i] == at->slot || slots_is_held(r, g->found[i]))
			continue;
		if (other_put(r, at, g->found[i]))
			return -1;
		if (counts)
			route_count(r, lane);
		counts = false;
	}
	for (unsigned i = 0; i < r->place->n_lanes; i++) {
		struct batch *b = r->place->feeds[i].open;
		if (b && b->n_items)
			route_settle(r, i, 1u << i, false, r->frame.begin, r->db);
	}
	return 1;
}

// ---- All of it

// A node has gone back behind what others have seen.
static bool is_lost(struct route *r, const struct gathering *at)
{
	const struct slot_groups *g = &r->slots->groups;
	if (slots_is_held(r, at->slot))
		return false;
	for (unsigned i = 0; i < g->n_found; i++)
		if (slots_is_held(r, g->found[i]))
			return true;
	return false;
}

static int gather_steps(struct route *r, const struct gathering *at)
{
	bool held = slots_is_held(r, at->slot);
	if (is_lost(r, at))
		return resync_want(r, "a node of the target went back behind a command whose keys "
				      "lie in several slots");
	int rc = held ? 1 : destination_turn(r, at);
	rc = rc > 0 ? others_put(r, at, held) : rc;
	if (rc > 0) {
		r->gather_step = GATHER_FENCES;
		gather_drop(r->gather);
	}
	return rc;
}

static const char *too_much(const struct gathering *at)
{
	if (at->plan->run.n > GATHER_KEYS_MAX)
		return "it has more keys in several slots of a cluster than can be brought "
		       "together";
	for (int i = 0; i < at->plan->run.n; i++)
		if (key_of(at, i).len > GATHER_KEY_LEN_MAX)
			return "it has a key in another slot of a cluster whose name is too long "
			       "to "
			       "be asked for";
	return NULL;
}

int gather_place(struct route *r, const struct slots_plan *p, const struct command *c,
		 const struct span *argv, int argc)
{
	struct gathering at = {p, c, argv, argc, c->written == WRITTEN_FIRST ? 0 : p->run.n - 1, 0};
	const char *why = too_much(&at);
	if (why) {
		struct form f;
		form_withheld(&f, c, argv, argc, why);
		return slots_place(r, c, argv, argc, &f);
	}
	at.slot = key_slot(key_of(&at, at.destination));
	if (slots_keys_group(r, p, argv))
		return -1;
	int rc = gather_steps(r, &at);
	slot_groups_end(&r->slots->groups);
	return rc;
}

// ---- SMOVE

// One half: VERB key member.
static int half_put(struct route *r, const char *verb, struct span key, struct span member)
{
	struct span *room = r->argv_new;
	unsigned slot = key_slot(key), lane = slots_lane(r, slot);
	struct batch *b = r->place->feeds[lane].open;
	unsigned from = b->n_items;
	struct form f;
	room[0] = span_of(verb);
	room[1] = key;
	room[2] = member;
	form_of_words(&f, room, 3);
	if (route_add(r, lane, &f))
		return -1;
	batch_unit(b, from, (uint16_t)slot, 0);
	return 0;
}

// The source has moved the member, so it is in the one set and not in the other.
int smove_place(struct route *r, const struct command *c, const struct span *argv, int argc)
{
	struct span keys[2] = {argv[2], argv[1]};
	static const char *const verbs[2] = {"SADD", "SREM"};
	bool held[2], counted = false;
	for (int i = 0; i < 2; i++) {
		held[i] = slots_is_held(r, key_slot(keys[i]));
		if (!held[i] && !route_batch(r, slots_lane(r, key_slot(keys[i])), FORM_TEXT_MAX))
			return 0;
	}
	for (int i = 0; i < 2; i++) {
		unsigned lane = slots_lane(r, key_slot(keys[i]));
		if (held[i])
			continue;
		if (half_put(r, verbs[i], keys[i], argv[3]))
			return -1;
		if (!counted)
			route_count(r, lane);
		counted = true;
	}
	for (unsigned i = 0; i < r->place->n_lanes; i++) {
		struct batch *b = r->place->feeds[i].open;
		if (b && b->n_items && !r->in_frame)
			route_settle(r, i, 1u << i, false, r->frame.begin, r->db);
	}
	return 1;
}
