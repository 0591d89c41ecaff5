// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/fake_stream.h"
#include "dataplane/topology/cluster.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <pthread.h>

#define ID_A      "7f3f1eca8e8fba43ee3e479e9872d7abe1d07846"
#define ID_B      "7c3f6565bf1916000a3fc4f6d539e83d38f47d2b"
#define SECOND_NS 1000000000ull

struct scene {
	struct fake_loop loop;
	struct core core;
	struct endpoint endpoint;
	struct cluster_topology *topology;
	uint64_t deadline;
};

static struct scene *scene_new(void)
{
	struct scene *s = calloc(1, sizeof(*s));
	fake_loop_init(&s->loop);
	s->core.loop = &s->loop.base;
	s->endpoint.kind = URL_CLUSTER;
	s->endpoint.n_nodes = 2;
	strcpy(s->endpoint.nodes[0].host, "seed-0");
	strcpy(s->endpoint.nodes[1].host, "seed-1");
	s->endpoint.nodes[0].port = s->endpoint.nodes[1].port = 6379;
	s->topology = cluster_topology_new(&s->core, &s->endpoint);
	return s;
}

static void scene_free(struct scene *s)
{
	cluster_topology_free(s->topology);
	assert_int_equal(s->loop.n_closes, s->loop.n_connects);
	free(s);
}

static void turn(struct scene *s)
{
	s->deadline = NO_DEADLINE;
	cluster_topology_turn(s->topology, &fake_now, &s->deadline);
}

// Let the time pass until it wants a turn, and give it that.
static void next_turn(struct scene *s)
{
	assert_true(s->deadline != NO_DEADLINE);
	if (fake_now.mono_ns < s->deadline)
		fake_now.mono_ns = s->deadline;
	turn(s);
}

static void bulk(struct scene *s, const char *text)
{
	char out[4096];
	int n = snprintf(out, sizeof(out), "$%zu\r\n%s\r\n", strlen(text), text);
	fake_reply(&s->loop, out, (size_t)n);
}

static void say(struct scene *s, const char *resp)
{
	fake_reply(&s->loop, resp, strlen(resp));
}

// Two masters: A owns the slots below `split`, B the others. The answers of one node, SLOTS apart.
static void map_tell(struct scene *s, unsigned epoch, unsigned split)
{
	char text[600];
	snprintf(text, sizeof(text), "cluster_state:ok\r\ncluster_current_epoch:%u\r\n", epoch);
	bulk(s, text);
	snprintf(text, sizeof(text),
		 ID_A " 10.0.0.1:7001@17001 %smaster - 0 0 1 connected 0-%u\n" ID_B
		      " 10.0.0.2:7002@17002 %smaster - 0 0 2 connected %u-16383\n",
		 strcmp(s->loop.host, "10.0.0.2") ? "myself," : "", split - 1,
		 strcmp(s->loop.host, "10.0.0.2") ? "" : "myself,", split);
	bulk(s, text);
}

static void map_tell_all(struct scene *s, unsigned epoch, unsigned split)
{
	map_tell(s, epoch, split);
	say(s, "*0\r\n");
}

static void assert_split(struct scene *s, unsigned split)
{
	const struct cluster_map *map = cluster_topology_map(s->topology);
	assert_non_null(map);
	assert_int_equal(map->n_owned, SLOT_COUNT);
	assert_string_equal(map->nodes[map->owner[split - 1]].id, ID_A);
	assert_string_equal(map->nodes[map->owner[split]].id, ID_B);
}

static void a_seed_tells_the_map_and_its_masters_are_asked_from_then_on(void **state)
{
	struct scene *s = scene_new();
	static const char asked[] = "*2\r\n$7\r\nCLUSTER\r\n$4\r\nINFO\r\n"
				    "*2\r\n$7\r\nCLUSTER\r\n$5\r\nNODES\r\n"
				    "*2\r\n$7\r\nCLUSTER\r\n$5\r\nSLOTS\r\n";
	turn(s);
	assert_string_equal(s->loop.host, "seed-0");
	assert_int_equal(s->loop.n_out, sizeof(asked) - 1);
	assert_memory_equal(s->loop.out, asked, sizeof(asked) - 1);
	assert_null(cluster_topology_map(s->topology));
	map_tell(s, 5, 100);
	turn(s);
	assert_null(cluster_topology_map(s->topology));
	say(s, "*1\r\n*3\r\n:0\r\n:99\r\n*3\r\n$9\r\na.example\r\n:7001\r\n$40\r\n" ID_A "\r\n");
	turn(s);
	assert_split(s, 100);
	assert_string_equal(cluster_topology_map(s->topology)->nodes[0].host, "a.example");
	assert_int_equal(cluster_topology_version(s->topology), 1);
	assert_string_equal(cluster_topology_trouble(s->topology), "");
	assert_int_equal(s->deadline - fake_now.mono_ns, 2 * SECOND_NS);
	next_turn(s);
	assert_string_equal(s->loop.host, "10.0.0.2");
	assert_int_equal(s->loop.port, 7002);
	scene_free(s);
}

static void the_same_map_from_another_node_is_no_news(void **state)
{
	struct scene *s = scene_new();
	turn(s);
	for (unsigned i = 0; i < 6; i++) {
		map_tell_all(s, 5, 100);
		turn(s);
		assert_int_equal(cluster_topology_version(s->topology), 1);
		next_turn(s);
	}
	map_tell_all(s, 6, 101);
	turn(s);
	assert_int_equal(cluster_topology_version(s->topology), 2);
	assert_split(s, 101);
	scene_free(s);
}

static void a_poke_asks_at_once_but_not_in_a_frenzy(void **state)
{
	struct scene *s = scene_new();
	turn(s);
	map_tell_all(s, 5, 100);
	turn(s);
	unsigned n = s->loop.n_connects;
	for (unsigned i = 0; i < 100; i++) {
		cluster_topology_poke(s->topology);
		turn(s);
	}
	assert_int_equal(s->loop.n_connects, n);
	assert_int_equal(s->deadline - fake_now.mono_ns, 50000000);
	next_turn(s);
	assert_int_equal(s->loop.n_connects, n + 1);
	// one that comes while it is asking may have been too late for it
	cluster_topology_poke(s->topology);
	map_tell_all(s, 5, 100);
	turn(s);
	assert_true(s->deadline <= fake_now.mono_ns + 50000000);
	scene_free(s);
}

static void a_node_that_knows_less_is_not_believed_alone(void **state)
{
	struct scene *s = scene_new();
	turn(s);
	map_tell_all(s, 7, 100);
	turn(s);
	next_turn(s);
	map_tell_all(s, 6, 50);
	turn(s);
	assert_split(s, 100);
	assert_int_equal(cluster_topology_version(s->topology), 1);
	next_turn(s); // another one, at once
	map_tell_all(s, 7, 101);
	turn(s);
	assert_split(s, 101);
	// a cluster that was made anew: everybody says so
	for (unsigned i = 0; i < 4; i++) {
		assert_split(s, 101);
		next_turn(s);
		map_tell_all(s, 1, 50);
		turn(s);
	}
	assert_split(s, 50);
	scene_free(s);
}

// CLUSTER RESET leaves the epoch as it is; redis-cli --cluster del-node does it to who leaves.
static void a_node_that_was_reset_takes_no_map_away(void **state)
{
	struct scene *s = scene_new();
	turn(s);
	map_tell_all(s, 7, 100);
	turn(s);
	next_turn(s);
	bulk(s, "cluster_state:fail\r\ncluster_current_epoch:7\r\n");
	bulk(s, ID_B " 10.0.0.2:7002@17002 myself,master - 0 0 2 connected\n");
	say(s, "*0\r\n");
	turn(s);
	assert_split(s, 100);
	assert_int_equal(cluster_topology_version(s->topology), 1);
	assert_string_equal(cluster_topology_trouble(s->topology), "");
	scene_free(s);
}

static void all_candidates_are_tried_before_it_is_trouble(void **state)
{
	struct scene *s = scene_new();
	turn(s);
	map_tell_all(s, 5, 100);
	turn(s);
	s->loop.refuse = true;
	unsigned n = s->loop.n_connects;
	next_turn(s);
	for (unsigned i = 0; i < 3; i++) { // two masters and two seeds
		assert_string_equal(cluster_topology_trouble(s->topology), "");
		assert_int_equal(s->deadline, fake_now.mono_ns);
		next_turn(s);
	}
	assert_int_equal(s->loop.n_connects, n + 4);
	assert_non_null(strstr(cluster_topology_trouble(s->topology), "Connection refused"));
	assert_int_equal(cluster_topology_error(s->topology), ERROR_NONE);
	assert_true(s->deadline > fake_now.mono_ns);
	assert_split(s, 100);
	s->loop.refuse = false;
	next_turn(s);
	map_tell_all(s, 5, 100);
	turn(s);
	assert_string_equal(cluster_topology_trouble(s->topology), "");
	scene_free(s);
}

static void a_silent_node_and_a_lost_one_are_left(void **state)
{
	struct scene *s = scene_new();
	turn(s);
	assert_true(s->deadline <= fake_now.mono_ns + 3 * SECOND_NS);
	next_turn(s);
	turn(s);
	assert_string_equal(s->loop.host, "seed-1");
	fake_lose(&s->loop);
	turn(s);
	assert_non_null(strstr(cluster_topology_trouble(s->topology), "seed-1:6379: the connection "
								      "was closed"));
	scene_free(s);
}

static void refusals_that_no_waiting_mends_have_a_name(void **state)
{
	static const struct {
		const char *reply;
		enum error_id error;
	} rows[] = {
		{"-ERR This instance has cluster support disabled\r\n", ERROR_URL},
		{"-NOAUTH Authentication required.\r\n", ERROR_AUTH},
		{"-NOPERM this user has no permissions to run the 'cluster|nodes' command\r\n",
		 ERROR_NOPERM},
		{"-MOVED\r\n", ERROR_NONE},
		{":1\r\n", ERROR_NONE},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scene *s = scene_new();
		for (unsigned k = 0; k < 2; k++) {
			turn(s);
			say(s, rows[i].reply); // INFO
			say(s, rows[i].reply);
			turn(s);
		}
		assert_int_equal(cluster_topology_error(s->topology), rows[i].error);
		assert_true(cluster_topology_trouble(s->topology)[0] != 0);
		assert_null(cluster_topology_map(s->topology));
		scene_free(s);
	}
}

static void it_logs_in_and_needs_neither_info_nor_slots(void **state)
{
	struct scene *s = scene_new();
	s->endpoint.has_password = 1;
	strcpy(s->endpoint.user, "bob");
	strcpy(s->endpoint.password, "secret");
	turn(s);
	static const char login[] = "*3\r\n$4\r\nAUTH\r\n$3\r\nbob\r\n$6\r\nsecret\r\n";
	assert_memory_equal(s->loop.out, login, sizeof(login) - 1);
	say(s, "+OK\r\n-NOPERM no\r\n");
	bulk(s, ID_A " 10.0.0.1:7001@17001 myself,master - 0 0 1 connected 0-99\n" ID_B
		     " 10.0.0.2:7002@17002 master - 0 0 2 connected 100-16383\n");
	say(s, "-NOPERM no\r\n");
	turn(s);
	assert_split(s, 100);
	scene_free(s);
}

// ---- Copies for other cores -----------------------------------------------------------------

static void a_copy_is_made_only_of_another_version(void **state)
{
	struct scene *s = scene_new();
	struct cluster_map *map = malloc(sizeof(*map));
	uint64_t version = 0;
	assert_false(cluster_topology_copy(s->topology, map, &version));
	turn(s);
	map_tell_all(s, 5, 100);
	turn(s);
	assert_true(cluster_topology_copy(s->topology, map, &version));
	assert_int_equal(version, 1);
	assert_int_equal(map->n_owned, SLOT_COUNT);
	assert_false(cluster_topology_copy(s->topology, map, &version));
	free(map);
	scene_free(s);
}

struct lane {
	struct scene *scene;
	_Atomic uint64_t seen; // version
	_Atomic bool stop, torn;
};

// In every version the slots split at 100 + its number.
static void *copies_take(void *arg)
{
	struct lane *l = arg;
	struct cluster_map *map = malloc(sizeof(*map));
	uint64_t version = 0;
	while (!atomic_load(&l->stop)) {
		if (!cluster_topology_copy(l->scene->topology, map, &version))
			continue;
		unsigned split = 0;
		while (map->owner[split] == map->owner[0])
			split++;
		if (split != 100 + version || map->nodes[map->owner[0]].n_slots != split)
			atomic_store(&l->torn, true);
		atomic_store(&l->seen, version);
	}
	free(map);
	return NULL;
}

static void copies_are_whole_while_maps_are_published(void **state)
{
	struct scene *s = scene_new();
	struct lane lanes[2] = {{.scene = s}, {.scene = s}};
	pthread_t threads[2];
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, copies_take, &lanes[i]), 0);
	turn(s);
	for (unsigned version = 1; version <= 300; version++) {
		map_tell_all(s, 5, 100 + version);
		while (turn(s), cluster_topology_version(s->topology) < version)
			assert_true(s->deadline <= fake_now.mono_ns);
		next_turn(s);
		while (!s->loop.n_out)
			next_turn(s);
	}
	for (unsigned i = 0; i < 2; i++) {
		while (atomic_load(&lanes[i].seen) < 300)
			sched_yield();
		atomic_store(&lanes[i].stop, true);
		pthread_join(threads[i], NULL);
		assert_false(lanes[i].torn);
	}
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_seed_tells_the_map_and_its_masters_are_asked_from_then_on),
		cmocka_unit_test(the_same_map_from_another_node_is_no_news),
		cmocka_unit_test(a_poke_asks_at_once_but_not_in_a_frenzy),
		cmocka_unit_test(a_node_that_knows_less_is_not_believed_alone),
		cmocka_unit_test(a_node_that_was_reset_takes_no_map_away),
		cmocka_unit_test(all_candidates_are_tried_before_it_is_trouble),
		cmocka_unit_test(a_silent_node_and_a_lost_one_are_left),
		cmocka_unit_test(refusals_that_no_waiting_mends_have_a_name),
		cmocka_unit_test(it_logs_in_and_needs_neither_info_nor_slots),
		cmocka_unit_test(a_copy_is_made_only_of_another_version),
		cmocka_unit_test(copies_are_whole_while_maps_are_published),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
