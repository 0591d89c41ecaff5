// SPDX-License-Identifier: BSD-3-Clause
// A sweep of a model cluster whose slots move meanwhile: what the snapshot does not hold is gone at
// the end, wherever it went, and nothing else is.
#include "tests/unit/fake_stream.h"
#include "dataplane/apply/sweep.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"

#define NODES 3
#define SLOTS 16 // that have keys
#define KEYS  400
#define PAGE  7
#define WORDS 4

struct key {
	char name[24];
	uint16_t slot;
	unsigned node;
	bool extra, there;
};

struct model {
	struct key keys[KEYS];
	uint16_t slots[SLOTS];
	unsigned owner[SLOT_COUNT], to[SLOT_COUNT]; // to: NODES: the slot stays
	bool function[NODES];
	unsigned n_deleted;
	bool asking;
};

struct scene {
	struct fake_loop map_loop, loop;
	struct core map_core, core;
	struct endpoint endpoint;
	struct whereabouts where; // not asked: a cluster has its map
	struct cluster_topology *topology;
	struct source_counters counters;
	struct sweep sweep;
	struct model model;
	struct random random;
};

static const char *node_id(unsigned node)
{
	static const char *const ids[NODES] = {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
					       "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
					       "cccccccccccccccccccccccccccccccccccccccc"};
	return ids[node];
}

// ---- The model's answers

static void say(struct fake_loop *l, const char *text)
{
	fake_reply(l, text, strlen(text));
}

static void say_bulk(struct fake_loop *l, const char *text)
{
	char head[32];
	snprintf(head, sizeof(head), "$%zu\r\n", strlen(text));
	say(l, head);
	say(l, text);
	say(l, "\r\n");
}

static void nodes_say(struct model *m, struct fake_loop *l, unsigned me)
{
	static char text[200000];
	size_t n = 0;
	for (unsigned i = 0; i < NODES; i++) {
		n += (size_t)sprintf(text + n, "%s 10.0.0.%u:%u@1 %smaster - 0 0 %u connected",
				     node_id(i), i + 1, 7000 + i, i == me ? "myself," : "", i);
		for (unsigned slot = 0, first = 0; slot < SLOT_COUNT; slot++) {
			bool begins = !slot || m->owner[slot - 1] != i;
			bool ends = slot == SLOT_COUNT - 1 || m->owner[slot + 1] != i;
			first = begins ? slot : first;
			if (m->owner[slot] == i && ends)
				n += (size_t)sprintf(text + n, " %u-%u", first, slot);
		}
		for (unsigned slot = 0; slot < SLOT_COUNT && i == me; slot++) {
			unsigned owner = m->owner[slot], to = m->to[slot];
			if (to != NODES && owner == me)
				n += (size_t)sprintf(text + n, " [%u->-%s]", slot, node_id(to));
			if (to == me)
				n += (size_t)sprintf(text + n, " [%u-<-%s]", slot, node_id(owner));
		}
		n += (size_t)sprintf(text + n, "\n");
	}
	say_bulk(l, text);
}

static void scan_say(struct model *m, struct fake_loop *l, unsigned me, unsigned at)
{
	char out[64 * PAGE] = "";
	unsigned n = 0;
	for (; at < KEYS && n < PAGE; at++) {
		const struct key *k = &m->keys[at];
		if (!k->there || k->node != me)
			continue;
		sprintf(out + strlen(out), "$%zu\r\n%s\r\n", strlen(k->name), k->name);
		n++;
	}
	char head[64], cursor[16];
	snprintf(cursor, sizeof(cursor), "%u", at < KEYS ? at : 0);
	snprintf(head, sizeof(head), "*2\r\n$%zu\r\n%s\r\n*%u\r\n", strlen(cursor), cursor, n);
	say(l, head);
	say(l, out);
}

static void del_say(struct model *m, struct fake_loop *l, unsigned me, const char *name)
{
	uint16_t slot = key_slot(span_of(name));
	struct key *key = NULL;
	char error[64];
	for (unsigned i = 0; i < KEYS; i++)
		if (m->keys[i].there && m->keys[i].node == me && !strcmp(m->keys[i].name, name))
			key = &m->keys[i];
	if (m->owner[slot] != me && !(m->to[slot] == me && m->asking)) {
		snprintf(error, sizeof(error), "-MOVED %u 10.0.0.%u:%u\r\n", slot,
			 m->owner[slot] + 1, 7000 + m->owner[slot]);
		say(l, error);
		return;
	}
	if (!key && m->owner[slot] == me && m->to[slot] != NODES) {
		snprintf(error, sizeof(error), "-ASK %u 10.0.0.%u:%u\r\n", slot, m->to[slot] + 1,
			 7000 + m->to[slot]);
		say(l, error);
		return;
	}
	if (key) {
		assert_true(key->extra);
		key->there = false;
		m->n_deleted++;
	}
	say(l, key ? ":1\r\n" : ":0\r\n");
}

static void libraries_say(struct model *m, struct fake_loop *l, unsigned me)
{
	say(l, m->function[me] ? "*2\r\n*2\r\n$12\r\nlibrary_name\r\n$4\r\nkept\r\n"
				 "*2\r\n$12\r\nlibrary_name\r\n$4\r\ngone\r\n"
			       : "*0\r\n");
}

static void command_answer(struct model *m, struct fake_loop *l, unsigned me, unsigned argc,
			   char argv[WORDS][64])
{
	if (!strcmp(argv[0], "CLUSTER") && !strcmp(argv[1], "INFO"))
		say_bulk(l, "cluster_current_epoch:3\r\n");
	else if (!strcmp(argv[0], "CLUSTER") && !strcmp(argv[1], "NODES"))
		nodes_say(m, l, me);
	else if (!strcmp(argv[0], "CLUSTER"))
		say(l, "*0\r\n");
	else if (!strcmp(argv[0], "INFO"))
		say_bulk(l, "# Keyspace\r\ndb0:keys=1,expires=0\r\n");
	else if (!strcmp(argv[0], "SCAN"))
		scan_say(m, l, me, (unsigned)atoi(argv[1]));
	else if (!strcmp(argv[0], "DEL") && argc == 2)
		del_say(m, l, me, argv[1]);
	else if (!strcmp(argv[0], "FUNCTION") && !strcmp(argv[1], "LIST"))
		libraries_say(m, l, me);
	else if (!strcmp(argv[0], "SELECT") || !strcmp(argv[0], "ASKING"))
		say(l, "+OK\r\n");
	else if (!strcmp(argv[0], "FUNCTION") && !strcmp(argv[2], "gone"))
		m->function[me] = false, say(l, "+OK\r\n");
	else
		fail_msg("%s %s", argv[0], argv[1]);
	m->asking = !strcmp(argv[0], "ASKING");
}

// Answer the first command that waits. @return false: there is none
static bool one_answer(struct model *m, struct fake_loop *l)
{
	char argv[WORDS][64];
	unsigned argc;
	int used, at = 0;
	l->out[l->n_out] = 0;
	if (!l->n_out || l->stream.flags == 0)
		return false;
	assert_int_equal(sscanf(l->out, "*%u\r\n%n", &argc, &at), 1);
	assert_in_range(argc, 1, WORDS);
	for (unsigned i = 0; i < argc; i++, at += used + 2) {
		size_t len;
		assert_int_equal(sscanf(l->out + at, "$%zu\r\n%n", &len, &used), 1);
		assert_in_range(len, 1, 63);
		at += used;
		memcpy(argv[i], l->out + at, len);
		argv[i][len] = 0;
		used = (int)len;
	}
	memmove(l->out, l->out + at, l->n_out - (size_t)at);
	l->n_out -= (size_t)at;
	command_answer(m, l, l->port - 7000u, argc, argv);
	return true;
}

// ---- What happens to the cluster

// The map has shown who owns the slot.
static bool is_known(const struct scene *s, unsigned slot)
{
	const struct cluster_map *map = cluster_topology_map(s->topology);
	const char *id = node_id(s->model.owner[slot]);
	return map && map->owner[slot] == cluster_node_find(map, span_of(id));
}

// To and fro, but not behind the map's back.
static void move_step(struct scene *s)
{
	struct model *m = &s->model;
	uint16_t slot = m->slots[random_below(&s->random, SLOTS)];
	unsigned left = 0;
	if (m->to[slot] == NODES && !is_known(s, slot))
		return;
	if (m->to[slot] == NODES) {
		m->to[slot] = (m->owner[slot] + 1 + (unsigned)random_below(&s->random, 2)) % NODES;
		return;
	}
	for (unsigned i = 0; i < KEYS; i++) {
		struct key *k = &m->keys[i];
		if (k->slot != slot || !k->there || k->node != m->owner[slot])
			continue;
		if (random_below(&s->random, 3))
			k->node = m->to[slot];
		else
			left++;
	}
	if (left)
		return;
	m->owner[slot] = m->to[slot];
	m->to[slot] = NODES;
}

static struct scene *scene_new(void)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct model *m = &s->model;
	fake_loop_init(&s->map_loop);
	fake_loop_init(&s->loop);
	s->map_core.loop = &s->map_loop.base;
	s->core.loop = &s->loop.base;
	s->endpoint = (struct endpoint){.kind = URL_CLUSTER, .n_nodes = 1};
	s->endpoint.nodes[0] = (struct url_node){"seed", 7000};
	s->topology = cluster_topology_new(&s->map_core, &s->endpoint);
	struct link_settings settings;
	settings_default(&settings);
	assert_int_equal(whereabouts_init(&s->where, &s->core, 0, "target", &s->endpoint,
					  &settings, false),
			 0);
	sweep_init(&s->sweep, &s->core, &s->where, &s->counters);
	s->sweep.slots.topology = s->topology;
	assert_int_equal(keyset_init(&s->sweep.keys, "/tmp"), 0);
	keyset_add(&s->sweep.keys, KEYSET_LIBRARIES, SPAN_LIT("kept"));
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
		m->owner[slot] = slot * NODES / SLOT_COUNT;
		m->to[slot] = NODES;
	}
	for (unsigned i = 0; i < SLOTS; i++)
		m->slots[i] = (uint16_t)(i * (SLOT_COUNT / SLOTS) + 3);
	for (unsigned i = 0; i < NODES; i++)
		m->function[i] = true;
	for (unsigned i = 0; i < KEYS; i++) {
		struct key *k = &m->keys[i];
		k->slot = m->slots[i % SLOTS];
		snprintf(k->name, sizeof(k->name), "{%s}:%u", cluster_tag(k->slot), i);
		k->node = m->owner[k->slot];
		k->extra = i % 3 == 0;
		k->there = true;
		if (!k->extra)
			keyset_add(&s->sweep.keys, 0, span_of(k->name));
	}
	return s;
}

static void scene_free(struct scene *s)
{
	sweep_fini(&s->sweep);
	cluster_topology_free(s->topology);
	free(s);
}

// @param unrest  one step of a move about every so many answers, 0: none
static void sweep_run(struct scene *s, unsigned unrest)
{
	unsigned turns = 0;
	sweep_begin(&s->sweep);
	for (bool done = false; !done;) {
		uint64_t deadline = NO_DEADLINE;
		assert_true(turns++ < 200000);
		if (unrest && turns < 20000 && !random_below(&s->random, unrest))
			move_step(s);
		bool answered = one_answer(&s->model, &s->map_loop);
		answered |= one_answer(&s->model, &s->loop);
		cluster_topology_turn(s->topology, &fake_now, &deadline);
		done = sweep_turn(&s->sweep, &fake_now, &deadline);
		if (!answered && !s->loop.n_out && !s->map_loop.n_out && deadline != NO_DEADLINE &&
		    deadline > fake_now.mono_ns)
			fake_now.mono_ns = deadline;
	}
}

static void assert_swept(const struct scene *s, const uint64_t *wanted)
{
	unsigned n_gone = 0;
	for (unsigned i = 0; i < KEYS; i++) {
		const struct key *k = &s->model.keys[i];
		bool goes = k->extra && (!wanted || (wanted[k->slot / 64] >> k->slot % 64 & 1));
		if (k->there == goes)
			fail_msg("%s, slot %u at node %u, is %s", k->name, k->slot, k->node,
				 goes ? "still there" : "gone");
		n_gone += goes;
	}
	assert_int_equal(s->model.n_deleted, n_gone);
	assert_int_equal(atomic_load(&s->counters.extra_keys_deleted), n_gone);
}

static void every_master_is_swept_with_its_functions(void **state)
{
	struct scene *s = scene_new();
	sweep_run(s, 0);
	assert_swept(s, NULL);
	for (unsigned i = 0; i < NODES; i++)
		assert_false(s->model.function[i]);
	scene_free(s);
}

static void only_wanted_slots_are_swept_and_then_no_functions(void **state)
{
	struct scene *s = scene_new();
	uint64_t wanted[SWEEP_SLOT_WORDS] = {0};
	for (unsigned i = 0; i < SLOTS; i += 2)
		wanted[s->model.slots[i] / 64] |= 1ull << s->model.slots[i] % 64;
	s->sweep.slots.wanted = wanted;
	sweep_run(s, 0);
	assert_swept(s, wanted);
	assert_true(s->model.function[0]);
	scene_free(s);
}

static void a_half_moved_slot_is_swept_on_both_sides(void **state)
{
	struct scene *s = scene_new();
	struct model *m = &s->model;
	uint16_t slot = m->slots[0];
	m->to[slot] = 2;
	for (unsigned i = 0; i < KEYS; i += 2)
		if (m->keys[i].slot == slot)
			m->keys[i].node = 2;
	sweep_run(s, 0);
	assert_swept(s, NULL);
	scene_free(s);
}

static void keys_are_found_wherever_their_slots_go(void **state)
{
	struct random r = random_seeded("slots that move");
	for (unsigned i = 0; i < 60; i++) {
		struct scene *s = scene_new();
		s->random = r;
		sweep_run(s, 1 + (unsigned)random_below(&r, 12));
		assert_swept(s, NULL);
		scene_free(s);
		random_below(&r, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_master_is_swept_with_its_functions),
		cmocka_unit_test(only_wanted_slots_are_swept_and_then_no_functions),
		cmocka_unit_test(a_half_moved_slot_is_swept_on_both_sides),
		cmocka_unit_test(keys_are_found_wherever_their_slots_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
