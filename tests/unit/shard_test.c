// SPDX-License-Identifier: BSD-3-Clause
// A shard is known by its nodes, through failovers and restarts.
#include "dataplane/group/shard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/replace.h"
#include "tests/unit/test.h"

static struct cluster_map map;

static uint16_t node_add(char letter, uint16_t master, bool is_master)
{
	struct cluster_node *node = &map.nodes[map.n_nodes];
	memset(node, 0, sizeof(*node));
	memset(node->id, letter, CLUSTER_ID_LEN);
	node->flags = is_master ? CLUSTER_MASTER : CLUSTER_REPLICA;
	node->master = is_master ? (uint16_t)map.n_nodes : master;
	return (uint16_t)map.n_nodes++;
}

// A shard of master a and replica b.
static void shard_of_two(struct shard *s)
{
	cluster_map_reset(&map);
	uint16_t a = node_add('a', 0, true);
	node_add('b', a, false);
	shard_begin(s, &map, a);
}

static void test_begins_with_all_its_nodes(void **state)
{
	struct shard s;
	shard_of_two(&s);
	assert_string_equal(s.name, "aaaaaaaa");
	assert_int_equal(s.n, 2);
}

static void test_is_the_same_after_a_failover(void **state)
{
	struct shard s;
	shard_of_two(&s);
	cluster_map_reset(&map);
	uint16_t c = node_add('c', 0, true), b = node_add('b', 0, true);
	node_add('a', b, false);
	assert_int_equal(shard_match(&s, &map, b), SHARD_ITSELF);
	assert_int_equal(shard_match(&s, &map, c), SHARD_OTHER);
}

static void test_is_known_by_an_old_replica_of_a_new_master(void **state)
{
	struct shard s;
	shard_of_two(&s);
	cluster_map_reset(&map);
	uint16_t d = node_add('d', 0, true);
	node_add('b', d, false);
	assert_int_equal(shard_match(&s, &map, d), SHARD_BY_REPLICA);
	assert_true(shard_learn(&s, &map, d));
	assert_int_equal(shard_match(&s, &map, d), SHARD_ITSELF);
	assert_false(shard_learn(&s, &map, d));
	assert_int_equal(s.n, 3);
	assert_string_equal(s.name, "aaaaaaaa"); // its folder stays
}

// What cluster-allow-replica-migration does, and what becomes of a master that lost its slots.
static void test_nodes_go_over_to_another_shard(void **state)
{
	struct shard s;
	shard_of_two(&s);
	uint16_t c = node_add('c', 0, true);
	map.nodes[0].n_slots = map.nodes[c].n_slots = 10;
	map.nodes[1].master = c; // b
	assert_int_equal(shard_match(&s, &map, c), SHARD_OTHER);
	assert_true(shard_yield(&s, &map, c));
	assert_false(shard_has(&s, map.nodes[1].id));
	assert_true(shard_has(&s, map.nodes[0].id));
	map.nodes[0].master = c;
	map.nodes[0].flags = CLUSTER_REPLICA;
	assert_true(shard_yield(&s, &map, c));
	assert_false(shard_yield(&s, &map, c));
	assert_int_equal(s.n, 0);
	assert_int_equal(shard_match(&s, &map, c), SHARD_OTHER);
}

// A former replica can come to be the master of a shard of its own.
static void test_its_last_master_counts_while_it_has_slots(void **state)
{
	struct shard s;
	shard_of_two(&s);
	map.nodes[0].n_slots = 10;
	map.nodes[1].n_slots = 10;
	map.nodes[1].flags = CLUSTER_MASTER;
	map.nodes[1].master = 1;
	assert_int_equal(shard_match(&s, &map, 0), SHARD_ITSELF);
	assert_int_equal(shard_match(&s, &map, 1), SHARD_OTHER);
	map.nodes[0].n_slots = 0; // replaced, and not a replica yet
	assert_int_equal(shard_match(&s, &map, 1), SHARD_ITSELF);
	assert_true(shard_learn(&s, &map, 1));
	assert_string_equal(s.ids[s.n - 1], map.nodes[1].id);
}

static void test_a_node_in_handshake_says_nothing(void **state)
{
	struct shard s;
	shard_of_two(&s);
	uint16_t e = node_add('e', 0, false);
	map.nodes[e].flags |= CLUSTER_HANDSHAKE;
	assert_false(shard_learn(&s, &map, 0));
	assert_int_equal(s.n, 2);
}

static void test_the_newest_nodes_are_kept(void **state)
{
	struct shard s;
	char first[] = "0";
	shard_of_two(&s);
	for (int i = 0; i < SHARD_NODES_MAX; i++) {
		uint16_t n = node_add('z', 0, false);
		snprintf(map.nodes[n].id, sizeof(map.nodes[n].id), "%0*d", CLUSTER_ID_LEN, i);
	}
	assert_true(shard_learn(&s, &map, 0));
	assert_int_equal(s.n, SHARD_NODES_MAX);
	snprintf(first, sizeof(first), "%.1s", s.ids[0]);
	assert_string_equal(first, "0"); // a and b are the oldest
}

static void test_a_link_has_room_for_the_names_of_its_shards(void **state)
{
	static struct link_config link;
	char why[TEXT_LEN];
	memset(link.name, 'n', 54);
	memset(link.state_dir, 'd', 239);
	assert_true(shard_link_fits(&link, why));
	link.name[54] = 'n';
	assert_false(shard_link_fits(&link, why));
	assert_non_null(strstr(why, "at most 54 characters"));
	link.name[54] = 0;
	link.state_dir[239] = 'd';
	assert_false(shard_link_fits(&link, why));
	assert_non_null(strstr(why, "240 bytes"));
}

// ---- On disk

static char folder[64];

static int folder_make(void **state)
{
	snprintf(folder, sizeof(folder), "shard-test-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int folder_remove(void **state)
{
	char path[128];
	for (const char *name = "xy"; *name; name++) {
		snprintf(path, sizeof(path), "%s/%c/" SHARD_FILE, folder, *name);
		unlink(path);
		snprintf(path, sizeof(path), "%s/%c", folder, *name);
		rmdir(path);
	}
	snprintf(path, sizeof(path), "%s/" SHARD_FILE, folder);
	unlink(path);
	return rmdir(folder);
}

static void test_comes_back_from_its_file(void **state)
{
	struct shard s, loaded;
	shard_of_two(&s);
	assert_int_equal(shard_load(&loaded, folder), -ENOENT);
	assert_int_equal(shard_save(&s, folder), 0);
	assert_int_equal(shard_load(&loaded, folder), 0);
	assert_memory_equal(&s, &loaded, sizeof(s));
}

static void test_refuses_a_file_that_is_something_else(void **state)
{
	static const char *const texts[] = {"", "aaaaaaaa\n", "aaaaaaaa\nshort\n", "no end",
					    "much too long a name\n"};
	struct shard s;
	for (unsigned i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		assert_int_equal(file_replace(folder, SHARD_FILE, texts[i], strlen(texts[i])), 0);
		assert_int_equal(shard_load(&s, folder), -EBADMSG);
	}
}

static void test_is_recalled_among_others_and_damaged_ones(void **state)
{
	struct shard s, found;
	char path[96];
	shard_of_two(&s);
	snprintf(path, sizeof(path), "%s/x", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(file_replace(path, SHARD_FILE, "?", 1), 0);
	assert_int_equal(shard_recall(&found, folder, &map, 0), -ENOENT);
	assert_int_equal(found.n, 0);
	snprintf(path, sizeof(path), "%s/y", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(shard_save(&s, path), 0);
	assert_int_equal(shard_recall(&found, folder, &map, 0), 0);
	assert_string_equal(found.name, "aaaaaaaa");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begins_with_all_its_nodes),
		cmocka_unit_test(test_is_the_same_after_a_failover),
		cmocka_unit_test(test_is_known_by_an_old_replica_of_a_new_master),
		cmocka_unit_test(test_nodes_go_over_to_another_shard),
		cmocka_unit_test(test_its_last_master_counts_while_it_has_slots),
		cmocka_unit_test(test_a_node_in_handshake_says_nothing),
		cmocka_unit_test(test_the_newest_nodes_are_kept),
		cmocka_unit_test(test_a_link_has_room_for_the_names_of_its_shards),
		cmocka_unit_test_setup_teardown(test_comes_back_from_its_file, folder_make,
						folder_remove),
		cmocka_unit_test_setup_teardown(test_refuses_a_file_that_is_something_else,
						folder_make, folder_remove),
		cmocka_unit_test_setup_teardown(test_is_recalled_among_others_and_damaged_ones,
						folder_make, folder_remove),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
