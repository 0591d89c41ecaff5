// SPDX-License-Identifier: BSD-3-Clause
// A lane and a cluster: what every master gets.
#include "tests/unit/cluster_scene.h"

// Everything before is answered, every master gets it, and the markers are there again.
static void flushall_is_a_barrier(void **state)
{
	struct scene *s = scene_open();
	for (int i = 0; i < 50; i++) {
		char key[8];
		snprintf(key, sizeof(key), "k%d", i);
		APPEND(s, key, "x");
	}
	COMMAND(s, 0, "FLUSHALL");
	APPEND(s, "k1", "y");
	settle(s);
	assert_value(s, "k1", "y");
	assert_null(world_value(s->world, "k2"));
	scene_crash(s);
	settle(s);
	assert_value(s, "k1", "y");
	assert_null(world_value(s->world, "k2"));
	scene_free(s);
}

// It moves from a node that has not carried it out to one that has.
static void flushall_takes_a_key_that_moves_meanwhile(void **state)
{
	struct scene *s = scene_open();
	unsigned owner = owner_of(s, "k"), to = (owner + 1) % 3;
	APPEND(s, "k", "x");
	settle(s);
	COMMAND(s, 0, "FLUSHALL");
	SET(s, "other", "y");
	give(s, 1);
	give(s, 1);
	unsigned before = s->world->nodes[to].n_commands;
	while (s->world->nodes[to].n_commands == before) {
		lane_step(s);
		world_run(s->world, client_of(s, to), UINT32_MAX);
	}
	world_slot_give(s->world, key_slot(span_of("k")), to);
	assert_non_null(node_value(&s->world->nodes[to], "k"));
	settle(s);
	assert_null(world_value(s->world, "k"));
	assert_value(s, "other", "y");
	scene_free(s);
}

static void flushall_whose_answer_is_lost(void **state)
{
	for (unsigned node = 0; node < 3; node++) {
		for (int carried_out = 0; carried_out < 2; carried_out++) {
			struct scene *s = scene_open();
			APPEND(s, "k1", "x");
			settle(s);
			COMMAND(s, 0, "FLUSHALL");
			APPEND(s, "k1", "y");
			give(s, 1);
			give(s, 1);
			lane_step(s);
			lane_step(s);
			world_lose(s->world, client_of(s, node), carried_out);
			settle(s);
			assert_value(s, "k1", "y");
			scene_free(s);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flushall_is_a_barrier),
		cmocka_unit_test(flushall_takes_a_key_that_moves_meanwhile),
		cmocka_unit_test(flushall_whose_answer_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
