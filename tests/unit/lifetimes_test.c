// SPDX-License-Identifier: BSD-3-Clause
// Which holds still stand, asked of one server and of a model cluster of two.
#include "tests/unit/fake_stream.h"
#include "dataplane/apply/lifetimes.h"
#include "tests/unit/test.h"

#define HOLDS  1300 // more than one question
#define NODES  2
#define SET_AT (1700000000000 + 86400000)

struct model {
	unsigned owner[SLOT_COUNT];
	bool half[SLOT_COUNT]; // the owner has sent the keys on
	unsigned n_asked;      // PTTL
	int64_t time_ms;
};

struct scene {
	struct fake_loop map_loop, loop;
	struct core map_core, core;
	struct endpoint endpoint;
	struct whereabouts where; // not asked: a cluster has its map
	struct cluster_topology *topology; // NULL: one server
	struct lifetimes lifetimes;
	struct holds holds;
	struct model model;
};

static void key_name(unsigned i, char *out)
{
	sprintf(out, "key:%u", i);
}

// Of every three keys one has the expiry that was set, one has none, one is gone.
static int64_t left_of(const struct model *m, const char *key)
{
	unsigned i = (unsigned)atoi(key + 4);
	return i % 3 == 0 ? SET_AT - m->time_ms : i % 3 == 1 ? -1 : -2;
}

static void say(struct fake_loop *l, const char *text)
{
	fake_reply(l, text, strlen(text));
}

static void map_say(struct model *m, struct fake_loop *l)
{
	static char text[200000];
	size_t n = 0;
	char head[32];
	for (unsigned i = 0; i < NODES; i++) {
		n += (size_t)sprintf(text + n, "%c 10.0.0.%u:%u@1 master - 0 0 %u connected",
				     'a' + i, i + 1, 7000 + i, i);
		for (unsigned slot = 0, first = 0; slot < SLOT_COUNT; slot++) {
			first = !slot || m->owner[slot - 1] != i ? slot : first;
			if (m->owner[slot] == i &&
			    (slot == SLOT_COUNT - 1 || m->owner[slot + 1] != i))
				n += (size_t)sprintf(text + n, " %u-%u", first, slot);
		}
		n += (size_t)sprintf(text + n, "\n");
	}
	snprintf(head, sizeof(head), "$%zu\r\n", n);
	say(l, "-NOPERM no\r\n");
	say(l, head);
	say(l, text);
	say(l, "\r\n*0\r\n");
}

static void pttl_say(struct scene *s, const char *key)
{
	struct model *m = &s->model;
	uint16_t slot = key_slot(span_of(key));
	unsigned me = s->loop.port - 7000u;
	char out[80];
	m->n_asked++;
	if (s->topology && m->owner[slot] != me)
		sprintf(out, "-MOVED %u 10.0.0.%u:%u\r\n", slot, 2 - me, 7001 - me);
	else if (m->half[slot])
		sprintf(out, "-ASK %u 10.0.0.%u:%u\r\n", slot, 2 - me, 7001 - me);
	else
		sprintf(out, ":%lld\r\n", (long long)left_of(m, key));
	say(&s->loop, out);
}

// Answer all that was asked.
static void questions_answer(struct scene *s)
{
	struct fake_loop *l = &s->loop;
	char *at = l->out, word[64], key[64], out[80];
	int used;
	l->out[l->n_out] = 0;
	while (at < l->out + l->n_out) {
		unsigned argc, len;
		assert_int_equal(sscanf(at, "*%u\r\n$%u\r\n%63s\r\n%n", &argc, &len, word, &used),
				 3);
		at += used;
		if (argc == 2) {
			assert_int_equal(sscanf(at, "$%u\r\n%63s\r\n%n", &len, key, &used), 2);
			at += used;
		}
		if (!strcmp(word, "PTTL")) {
			pttl_say(s, key);
			continue;
		}
		sprintf(out, "*2\r\n$10\r\n%lld\r\n$6\r\n%06lld\r\n",
			(long long)s->model.time_ms / 1000,
			(long long)s->model.time_ms % 1000 * 1000);
		say(l, strcmp(word, "TIME") ? "+OK\r\n" : out);
	}
	l->n_out = 0;
}

static struct scene *scene_new(bool cluster)
{
	struct scene *s = calloc(1, sizeof(*s));
	char name[32];
	fake_loop_init(&s->map_loop);
	fake_loop_init(&s->loop);
	s->map_core.loop = &s->map_loop.base;
	s->core.loop = &s->loop.base;
	s->model.time_ms = 1700000000500;
	s->endpoint =
		(struct endpoint){.kind = URL_CLUSTER, .n_nodes = 1, .host = "::1", .port = 7000};
	s->endpoint.nodes[0] = (struct url_node){"seed", 7000};
	struct link_settings settings;
	settings_default(&settings);
	assert_int_equal(whereabouts_init(&s->where, &s->core, 0, "target", &s->endpoint,
					  &settings, false),
			 0);
	lifetimes_init(&s->lifetimes, &s->core, &s->where);
	if (cluster)
		s->topology = cluster_topology_new(&s->map_core, &s->endpoint);
	s->lifetimes.topology = s->topology;
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
		s->model.owner[slot] = slot >= SLOT_COUNT / 2;
	for (unsigned i = 0; i < HOLDS; i++) {
		key_name(i, name);
		assert_true(holds_have_room(&s->holds, 1, strlen(name)));
		hold_keep(&s->holds, 0, span_of(name), SET_AT - 1000, SET_AT);
	}
	return s;
}

static void scene_free(struct scene *s)
{
	lifetimes_fini(&s->lifetimes);
	cluster_topology_free(s->topology);
	holds_fini(&s->holds);
	assert_int_equal(s->loop.n_closes, s->loop.n_connects);
	free(s);
}

static void map_turn(struct scene *s)
{
	uint64_t deadline = NO_DEADLINE;
	if (!s->topology)
		return;
	cluster_topology_turn(s->topology, &fake_now, &deadline);
	if (s->map_loop.n_out)
		map_say(&s->model, &s->map_loop);
	s->map_loop.n_out = 0;
	cluster_topology_turn(s->topology, &fake_now, &deadline);
}

// @return turns that it took
static unsigned ask_all(struct scene *s)
{
	unsigned turns = 0;
	map_turn(s);
	lifetimes_begin(&s->lifetimes, &s->holds);
	for (;; turns++) {
		uint64_t deadline = NO_DEADLINE;
		assert_true(turns < 1000);
		if (lifetimes_turn(&s->lifetimes, &fake_now, &deadline))
			return turns;
		questions_answer(s);
		map_turn(s);
		if (deadline != NO_DEADLINE && deadline > fake_now.mono_ns)
			fake_now.mono_ns = deadline;
	}
}

// @param lost  slots whose keys could not be asked for
static void assert_kept(struct scene *s, const bool *lost)
{
	char name[32];
	for (unsigned i = 0; i < HOLDS; i++) {
		key_name(i, name);
		bool stands = i % 3 == 0 && !(lost && lost[key_slot(span_of(name))]);
		if (s->holds.all[i].ended == stands)
			fail_msg("%s should be %s", name, stands ? "held" : "ended");
	}
}

static void a_server_is_asked_once_for_each_key(void **state)
{
	struct scene *s = scene_new(false);
	ask_all(s);
	assert_kept(s, NULL);
	assert_int_equal(s->model.n_asked, HOLDS);
	assert_int_equal(s->loop.n_connects, 1);
	scene_free(s);
}

static void a_lost_connection_asks_again_only_what_was_not_answered(void **state)
{
	struct scene *s = scene_new(false);
	uint64_t deadline = NO_DEADLINE;
	lifetimes_begin(&s->lifetimes, &s->holds);
	lifetimes_turn(&s->lifetimes, &fake_now, &deadline);
	questions_answer(s); // the first question
	lifetimes_turn(&s->lifetimes, &fake_now, &deadline);
	fake_lose(&s->loop);
	for (unsigned i = 0; !lifetimes_turn(&s->lifetimes, &fake_now, &deadline); i++) {
		assert_true(i < 100);
		fake_now.mono_ns += 500000000;
		if (!s->loop.lost)
			questions_answer(s);
	}
	assert_kept(s, NULL);
	assert_int_equal(s->model.n_asked, HOLDS);
	scene_free(s);
}

static void the_owners_of_the_keys_are_asked_in_turn(void **state)
{
	struct scene *s = scene_new(true);
	ask_all(s);
	assert_kept(s, NULL);
	assert_int_equal(s->model.n_asked, HOLDS);
	assert_int_equal(s->loop.n_connects, NODES);
	scene_free(s);
}

static void a_slot_that_has_moved_is_asked_at_its_new_owner(void **state)
{
	struct scene *s = scene_new(true);
	map_turn(s);
	for (unsigned slot = 0; slot < SLOT_COUNT / 4; slot++)
		s->model.owner[slot] = 1;
	ask_all(s);
	assert_kept(s, NULL);
	assert_true(s->model.n_asked > HOLDS);
	scene_free(s);
}

static void a_slot_that_stays_half_moved_is_given_up(void **state)
{
	struct scene *s = scene_new(true);
	for (unsigned slot = 0; slot < 1000; slot++)
		s->model.half[slot] = true;
	uint64_t before_ns = fake_now.mono_ns;
	ask_all(s);
	assert_kept(s, s->model.half);
	assert_in_range(fake_now.mono_ns - before_ns, 5000000000, 30000000000);
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_is_asked_once_for_each_key),
		cmocka_unit_test(a_lost_connection_asks_again_only_what_was_not_answered),
		cmocka_unit_test(the_owners_of_the_keys_are_asked_in_turn),
		cmocka_unit_test(a_slot_that_has_moved_is_asked_at_its_new_owner),
		cmocka_unit_test(a_slot_that_stays_half_moved_is_given_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
