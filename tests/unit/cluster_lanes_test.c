// SPDX-License-Identifier: BSD-3-Clause
// Two lanes and a cluster: what the first reads is told by what the other still has on its way.
#include "tests/unit/cluster_scene.h"

#define KEY "k0" // of the second lane

struct pair {
	struct scene *s; // its lane is the second one
	struct lane *lanes;
};

static void pair_begin(struct pair *p)
{
	struct scene *s = p->s = scene_new(3);
	lane_end(s);
	p->lanes = aligned_alloc(64, 2 * sizeof(*p->lanes));
	memset(p->lanes, 0, 2 * sizeof(*p->lanes));
	s->run++;
	for (unsigned i = 0; i < 2; i++) {
		struct lane *l = &p->lanes[i];
		assert_int_equal(lane_init(l, i, 2, p->lanes, &s->config, &s->counters, &s->core,
					   &s->core, &s->park, s->run),
				 0);
		l->cluster = cluster_lane_new(l, &s->world->maps);
		assert_non_null(l->cluster);
		lane_wish(l, true);
	}
	s->lane = &p->lanes[1];
}

static void pair_end(struct pair *p)
{
	for (unsigned i = 0; i < 2; i++)
		lane_fini(&p->lanes[i]);
	free(p->lanes);
	lane_begin(p->s);
	scene_free(p->s);
}

static void first_step(struct pair *p)
{
	uint64_t deadline = NO_DEADLINE;
	fake_now.mono_ns += MS_NS;
	lane_turn(&p->lanes[0], &fake_now, &deadline);
}

static bool is_ready(struct pair *p, unsigned lane)
{
	return atomic_load(&p->lanes[lane].state) == LANE_READY && lane_settled(&p->lanes[lane]);
}

static void both_open(struct pair *p)
{
	for (int i = 0; i < 5000 && !(is_ready(p, 0) && is_ready(p, 1)); i++) {
		first_step(p);
		turns(p->s, 1);
	}
	assert_true(is_ready(p, 0));
	assert_true(is_ready(p, 1));
}

// A command that must not run twice is sent. @return the connection that has it
static struct world_client *command_on_its_way(struct pair *p)
{
	struct world *w = p->s->world;
	assert_true(key_slot(span_of(KEY)) >= slots_first(1, 2));
	COMMAND(p->s, ITEM_FENCED, "APPEND", KEY, "once");
	give(p->s, 1);
	lane_step(p->s);
	for (unsigned i = 0; i < WORLD_CLIENTS; i++)
		if (w->clients[i].used && w->clients[i].n_in)
			return &w->clients[i];
	fail();
	return NULL;
}

static void others_run(struct world *w, const struct world_client *but)
{
	for (unsigned i = 0; i < WORLD_CLIENTS; i++)
		if (&w->clients[i] != but)
			world_run(w, &w->clients[i], UINT32_MAX);
}

static const struct lane_found *found_of(const struct lane *l, unsigned slot)
{
	for (unsigned i = 0; i < l->n_found; i++)
		if (l->found[i].of_slot && l->found[i].first_slot == slot)
			return &l->found[i];
	return NULL;
}

// A command that a node carries out after its lane has let go of the connection, and that no marker
// read before tells of: it would be sent a second time.
static void markers_are_read_once_no_lane_has_anything_on_its_way(void **state)
{
	struct pair p;
	pair_begin(&p);
	both_open(&p);
	struct world_client *slow = command_on_its_way(&p);
	unsigned slot = key_slot(span_of(KEY));
	for (unsigned i = 0; i < 2; i++)
		lane_wish(&p.lanes[i], true);
	for (int i = 0; i < 2000; i++) { // the second one's core is busy
		first_step(&p);
		others_run(p.s->world, slow);
		assert_false(is_ready(&p, 0));
	}
	both_open(&p); // the node has come to what it had got before it closed the connection
	assert_string_equal(world_value(p.s->world, KEY), "once");
	const struct lane_found *found = found_of(&p.lanes[0], slot);
	assert_non_null(found);
	assert_true(found->marker.offset > p.s->commands[0].offset);
	pair_end(&p);
}

// The open connection to a node, NULL: none.
static struct world_client *client_to(struct world *w, unsigned node, unsigned lane)
{
	char end[16];
	snprintf(end, sizeof(end), ":%u.", lane);
	for (unsigned i = 0; i < WORLD_CLIENTS; i++) {
		struct world_client *c = &w->clients[i];
		if (c->used && !c->closed && c->node == node && strstr(c->name, end))
			return c;
	}
	return NULL;
}

// A connection that is lost in its greeting has not closed the one before it.
static void greeting_that_is_lost_does_not_hide_the_connection_before(void **state)
{
	struct pair p;
	pair_begin(&p);
	both_open(&p);
	struct world *w = p.s->world;
	struct world_client *slow = command_on_its_way(&p), *young = NULL;
	for (unsigned i = 0; i < 2; i++)
		lane_wish(&p.lanes[i], true);
	for (int i = 0; i < 100 && !young; i++) {
		lane_step(p.s);
		others_run(w, slow);
		young = client_to(w, slow->node, 1);
	}
	assert_non_null(young);
	lane_step(p.s); // knows its number, and asks for the end of the other
	assert_true(young->n_in > 0);
	world_lose(w, young, false);
	for (int i = 0; i < 5000 && !(is_ready(&p, 0) && is_ready(&p, 1)); i++) {
		first_step(&p);
		lane_step(p.s);
		others_run(w, slow);
	}
	assert_true(is_ready(&p, 0) && is_ready(&p, 1));
	world_run_all(w);
	assert_null(world_value(w, KEY));
	pair_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(markers_are_read_once_no_lane_has_anything_on_its_way),
		cmocka_unit_test(greeting_that_is_lost_does_not_hide_the_connection_before),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
