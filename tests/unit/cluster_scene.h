// SPDX-License-Identifier: BSD-3-Clause
// A lane that writes to a cluster of cluster_world.h: a stream of commands that the test makes up,
// batches of it, lives of the lane that end and go on where the markers say.
#pragma once

#include "dataplane/resume.h"
#include "dataplane/route/place.h"
#include "parsers/resp_write.h"
#include "tests/unit/cluster_world.h"

#define STREAM_MAX 20000
#define STEP       10 // bytes of the stream for each command
#define MS_NS      1000000ull

struct stream_command {
	char *bytes;
	uint64_t offset;
	uint16_t slot;   // or SLOT_ANY, SLOT_EVERY
	uint8_t flags;   // enum item_flags
	bool ends_batch; // a batch ended behind it: LOW may stand there
};

struct scene {
	struct link_config config;
	struct lane_counters counters;
	struct core core;
	struct lane *lane;
	struct park park;
	struct world *world;
	unsigned n_parked;
	struct stream_command commands[STREAM_MAX];
	unsigned n_commands, next; // made up; given to the lane in this life
	uint64_t seq;
	bool used[LANE_BATCHES]; // handles that are away
	bool begun;              // a stream began in the target
	uint64_t held[SLOT_COUNT], held_least;
	uint64_t routed;
	uint64_t run;
	unsigned n_lives, n_looks, n_full;
	bool may_be_full; // a life may find that only a full sync helps
};

static struct scene *scene_at_hand; // for the disk, which has no place for it

static int scene_append_line(const char *path, const void *line, size_t len)
{
	scene_at_hand->n_parked++;
	return 0;
}

static const struct disk_ops scene_disk = {.append_line = scene_append_line};

static inline void lane_begin(struct scene *s)
{
	s->lane = aligned_alloc(64, sizeof(*s->lane));
	memset(s->lane, 0, sizeof(*s->lane));
	assert_int_equal(lane_init(s->lane, 0, 1, s->lane, &s->config, &s->counters, &s->core,
				   &s->core, &s->park, ++s->run),
			 0);
	s->lane->cluster = cluster_lane_new(s->lane, &s->world->maps);
	assert_non_null(s->lane->cluster);
	memset(s->used, 0, sizeof(s->used));
	lane_wish(s->lane, true);
}

static inline void lane_end(struct scene *s)
{
	lane_fini(s->lane);
	free(s->lane);
	s->lane = NULL;
}

static inline struct scene *scene_of(struct world *world)
{
	struct scene *s = calloc(1, sizeof(*s));
	settings_default(&s->config.settings);
	strcpy(s->config.name, "scene");
	s->config.target.kind = URL_CLUSTER;
	s->world = world;
	s->core.clock = &fake_clock;
	s->core.loop = &s->world->base;
	s->run = 100;
	park_init(&s->park, &scene_disk, "/state");
	scene_at_hand = s;
	lane_begin(s);
	return s;
}

static inline struct scene *scene_new(unsigned n_nodes)
{
	return scene_of(world_new(n_nodes));
}

static inline void scene_free(struct scene *s)
{
	lane_end(s);
	park_fini(&s->park);
	world_free(s->world);
	for (unsigned i = 0; i < s->n_commands; i++)
		free(s->commands[i].bytes);
	free(s);
}

// ---- Turns

static inline void lane_step(struct scene *s)
{
	uint64_t deadline = NO_DEADLINE;
	uint32_t handle;
	fake_now.mono_ns += MS_NS;
	fake_now.wall_ms++;
	lane_turn(s->lane, &fake_now, &deadline);
	while (ring_pop(&s->lane->from_lane, &handle)) {
		assert_true(s->used[handle]);
		s->used[handle] = false;
		batch_release(&s->lane->pool[handle]);
	}
}

static inline void turns(struct scene *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		lane_step(s);
		world_run_all(s->world);
	}
}

static inline bool is_fine(const struct scene *s)
{
	return atomic_load(&s->lane->verdict) == LANE_FINE;
}

static inline void open_lane(struct scene *s)
{
	for (int i = 0; i < 5000 && atomic_load(&s->lane->state) != LANE_READY; i++)
		turns(s, 1);
	if (!is_fine(s))
		print_message("%s\n", s->lane->text);
	assert_int_equal(atomic_load(&s->lane->state), LANE_READY);
}

static inline unsigned n_away(const struct scene *s)
{
	unsigned n = 0;
	for (unsigned i = 0; i < LANE_BATCHES; i++)
		n += s->used[i];
	return n;
}

// ---- The stream

// A command of up to four words; the second one is its key.
static inline struct stream_command *command_add(struct scene *s, uint8_t flags,
						 const char *const *words)
{
	char out[512];
	unsigned n = 0;
	while (words[n])
		n++;
	assert_true(s->n_commands < STREAM_MAX);
	struct stream_command *c = &s->commands[s->n_commands];
	resp_write(out, sizeof(out), n, words);
	*c = (struct stream_command){.bytes = strdup(out),
				     .flags = flags,
				     .offset = 1000 + (uint64_t)s->n_commands * STEP};
	c->slot = n > 1 ? key_slot(span_of(words[1])) : SLOT_EVERY;
	s->n_commands++;
	return c;
}

#define COMMAND(s, flags, ...) command_add(s, flags, (const char *const[]){__VA_ARGS__, NULL})

static inline void batch_marker(struct scene *s, struct batch *b, uint64_t end)
{
	b->end = end;
	b->marker = (struct marker){.epoch = s->lane->epoch,
				    .site = "-",
				    .phase = MARKER_STREAM,
				    .offset = end,
				    .looks = s->n_looks};
	memset(b->marker.replid, 'a', 40);
}

static inline int handle_free(const struct scene *s)
{
	for (unsigned i = 0; i < LANE_BATCHES; i++)
		if (!s->used[i])
			return (int)i;
	return -1;
}

static inline uint64_t stream_end(const struct scene *s, unsigned next)
{
	return 1000 + (uint64_t)next * STEP;
}

// Hand over the next `n` commands as one batch, but what the target holds; none: a bare marker.
// @return false: all batches are away
static inline bool give(struct scene *s, unsigned n)
{
	int handle = handle_free(s);
	if (handle < 0)
		return false;
	struct batch *b = &s->lane->pool[handle];
	batch_reset(b, ++s->seq, stream_end(s, s->next), true);
	for (; s->next<s->n_commands; n -= n> 0, s->next++) {
		struct stream_command *c = &s->commands[s->next];
		if (!n && !(c->flags & ITEM_JOINED))
			break;
		if (c->offset < (c->slot < SLOT_COUNT ? s->held[c->slot] : s->held_least))
			continue;
		batch_item_begin(b, c->offset, 0, ITEM_COMMAND);
		b->items[b->n_items - 1].slot = c->slot;
		b->items[b->n_items - 1].flags = c->flags;
		batch_refer(b, c->bytes, strlen(c->bytes));
		b->n_commands += !(c->flags & ITEM_JOINED);
		b->marker_all |= c->slot == SLOT_EVERY;
		if (c->slot == SLOT_EVERY) {
			s->next++;
			break;
		}
	}
	batch_marker(s, b, stream_end(s, s->next));
	if (s->next)
		s->commands[s->next - 1].ends_batch = true;
	s->used[handle] = true;
	lane_push(s->lane, (uint32_t)handle);
	return true;
}

// All that was made up is given and answered.
static inline void settle(struct scene *s)
{
	for (unsigned i = 0; i < 20000 && is_fine(s); i++) {
		while (s->next < s->n_commands && give(s, 20))
			;
		if (!n_away(s))
			return;
		turns(s, 1);
	}
	char why[TEXT_LEN];
	shared_text_get(&s->lane->waiting, why);
	print_message("verdict %u %s; waiting: %s\n", atomic_load(&s->lane->verdict), s->lane->text,
		      why);
	assert_true(false);
}

// The first marker of a stream, so that a life that ends early leaves something to go by.
static inline void scene_stream_begins(struct scene *s)
{
	if (!s->n_commands)
		COMMAND(s, 0, "SET", "__flyover:{scene}:epoch", "1");
	assert_true(give(s, 1));
	assert_true(give(s, 0));
	for (int i = 0; i < 1000 && n_away(s); i++)
		turns(s, 1);
	assert_int_equal(n_away(s), 0);
}

// ---- Going on

// Of an empty source: nothing is left in the target, and all of the stream comes.
static inline void scene_full_sync(struct scene *s)
{
	world_clear(s->world);
	memset(s->held, 0, sizeof(s->held));
	s->held_least = 0;
	atomic_store(&s->lane->again_until, 0);
	s->next = 0;
	s->n_full++;
	scene_stream_begins(s);
}

// Of what is given again, commands for every node that all hold are left out. One that some hold,
// who then were given more, cannot be sent again.
static inline bool scene_can_go_on(struct scene *s, const struct resume_point *at)
{
	s->held_least = UINT64_MAX;
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
		s->held_least = s->held[slot] < s->held_least ? s->held[slot] : s->held_least;
	for (unsigned i = 0; i < s->n_commands; i++) {
		const struct stream_command *c = &s->commands[i];
		if (c->slot == SLOT_EVERY && c->offset >= s->held_least &&
		    c->offset + STEP < at->held_end)
			return false;
	}
	return true;
}

// Where the markers say.
static inline void scene_resume(struct scene *s)
{
	static const struct chain chain;
	struct resume_point at;
	struct resume_facts facts = {.found = s->lane->found,
				     .n_found = s->lane->n_found,
				     .owner = s->lane->found_owner,
				     .chain = &chain,
				     .target = "cluster"};
	resume_find(&facts, s->held, &at);
	bool goes_on = at.kind == RESUME_AT && scene_can_go_on(s, &at);
	if (!goes_on && s->may_be_full) {
		scene_full_sync(s);
		return;
	}
	if (at.kind != RESUME_AT)
		print_message("%s\n", at.text);
	assert_int_equal(at.kind, RESUME_AT);
	assert_int_equal((at.offset - 1000) % STEP, 0);
	s->next = (unsigned)((at.offset - 1000) / STEP);
	assert_true(!s->next || s->commands[s->next - 1].ends_batch);
	atomic_store(&s->lane->again_until, stream_end(s, s->n_commands));
}

// We die, and another life goes on.
static inline void scene_crash(struct scene *s)
{
	lane_end(s);
	s->n_lives++;
	lane_begin(s);
	open_lane(s);
	scene_resume(s);
}

// The lane wants its markers read again.
static inline void scene_look(struct scene *s)
{
	if (atomic_load(&s->lane->verdict) != LANE_LOOK)
		print_message("%s\n", s->lane->text);
	assert_int_equal(atomic_load(&s->lane->verdict), LANE_LOOK);
	s->n_looks++;
	lane_wish(s->lane, true);
	for (int i = 0; i < 10 && !lane_settled(s->lane); i++)
		lane_step(s);
	assert_int_equal(n_away(s), 0);
	open_lane(s);
	scene_resume(s);
}

// ---- What tests say

#define SET(s, key, value)    COMMAND(s, 0, "SET", key, value)
#define APPEND(s, key, value) COMMAND(s, ITEM_FENCED, "APPEND", key, value)

static inline struct scene *scene_open(void)
{
	struct scene *s = scene_new(3);
	open_lane(s);
	scene_stream_begins(s);
	return s;
}

static inline void assert_value(struct scene *s, const char *key, const char *value)
{
	const char *is = world_value(s->world, key);
	assert_non_null(is);
	assert_string_equal(is, value);
}

static inline struct world_client *client_of(struct scene *s, unsigned node)
{
	for (unsigned i = 0; i < WORLD_CLIENTS; i++) {
		struct world_client *c = &s->world->clients[i];
		if (c->used && !c->closed && c->node == node)
			return c;
	}
	return NULL;
}

static inline unsigned owner_of(struct scene *s, const char *key)
{
	return world_owner(s->world, key_slot(span_of(key)));
}
