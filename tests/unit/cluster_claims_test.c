// SPDX-License-Identifier: BSD-3-Clause
// What nodes of a cluster hold by the claims that are found at them.
#include "dataplane/apply/cluster_priv.h"
#include "tests/unit/cluster_scene.h"

// The farthest that any claim at a node goes.
static uint64_t claimed_at(const struct scene *s, unsigned node)
{
	const struct lane *l = s->lane;
	uint64_t farthest = 0;
	for (unsigned i = 0; i < l->n_found; i++) {
		const struct lane_found *f = &l->found[i];
		const char *id = l->cluster->outlets[f->node]->id;
		if (!f->of_slot && !strcmp(id, s->world->nodes[node].id) &&
		    f->marker.offset > farthest)
			farthest = f->marker.offset;
	}
	return farthest;
}

// A key of a slot that this node owns.
static void key_at_node(const struct scene *s, unsigned node, char out[24])
{
	for (unsigned i = 0;; i++) {
		snprintf(out, 24, "n%u", i);
		if (world_owner(s->world, key_slot(span_of(out))) == node)
			return;
	}
}

// A slot moved to a node that had not been told for a while, with a marker that claims more. Then
// who wrote that marker failed, so it may be taken for the former master of anybody.
static void claims_that_came_with_slots_say_nothing_of_a_node(void **state)
{
	for (int is_known = 0; is_known < 2; is_known++) {
		struct scene *s = scene_of(world_new_replicated(3));
		struct world *w = s->world;
		unsigned epoch = world_owner(w, key_slot(SPAN_LIT("__flyover:{scene}:epoch")));
		unsigned giver = (epoch + 1) % 3, taker = (epoch + 2) % 3;
		char key[24];
		key_at_node(s, giver, key);
		open_lane(s);
		scene_stream_begins(s);
		APPEND(s, key, "a");
		settle(s);
		turns(s, 500); // every node is told
		uint64_t told = stream_end(s, s->next);
		w->nodes[taker].refuses = "-OOM no memory\r\n";
		for (int i = 0; i < 10; i++) {
			APPEND(s, key, "b");
			settle(s);
		}
		turns(s, 500);
		world_slot_give(w, key_slot(span_of(key)), taker);
		world_failover(w, giver);
		if (!is_known) // the cluster has not heard of its return
			w->map.nodes[giver].flags = CLUSTER_MASTER | CLUSTER_FAIL;
		world_map_tell(w);
		lane_end(s);
		lane_begin(s);
		open_lane(s);
		assert_int_equal(claimed_at(s, taker), told);
		assert_true(claimed_at(s, w->nodes[giver].replica) > told);
		w->nodes[taker].refuses = NULL;
		scene_resume(s);
		settle(s);
		assert_value(s, key, "abbbbbbbbbb");
		scene_free(s);
	}
}

// What a node holds now, and again later: a replica that took over had no more.
struct memory {
	struct world_key keys[64];
	unsigned n;
};

static void node_remember(const struct world_node *n, struct memory *m)
{
	m->n = 0;
	for (unsigned i = 0; i < WORLD_KEYS; i++) {
		const struct world_key *key = &n->keys[i];
		if (!key->value)
			continue;
		assert_true(m->n < 64);
		m->keys[m->n++] = (struct world_key){strdup(key->name), strdup(key->value)};
	}
}

static void node_goes_back(struct world_node *n, struct memory *m)
{
	for (unsigned k = 0; k < m->n; k++) {
		unsigned i = 0;
		while (!n->keys[i].name || strcmp(n->keys[i].name, m->keys[k].name) != 0)
			i++;
		free(n->keys[i].value);
		n->keys[i].value = m->keys[k].value;
		free(m->keys[k].name);
	}
}

// While we were away: a replica that lacked writes took over, and gave one of its slots to a node
// that lacks nothing. What that node was told does not speak of this slot.
static void slot_that_comes_from_a_node_that_went_back_is_fed_again(void **state)
{
	static struct memory memory;
	struct scene *s = scene_open();
	unsigned node = owner_of(s, "k");
	COMMAND(s, 0, "SET", "k", "old");
	settle(s);
	turns(s, 500); // every node is told
	node_remember(&s->world->nodes[node], &memory);
	COMMAND(s, 0, "SET", "k", "new");
	settle(s);
	turns(s, 500);
	assert_value(s, "k", "new");
	node_goes_back(&s->world->nodes[node], &memory);
	assert_value(s, "k", "old");
	world_slot_give(s->world, key_slot(span_of("k")), (node + 1) % 4);
	world_map_tell(s->world);
	scene_crash(s);
	settle(s);
	assert_value(s, "k", "new");
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claims_that_came_with_slots_say_nothing_of_a_node),
		cmocka_unit_test(slot_that_comes_from_a_node_that_went_back_is_fed_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
