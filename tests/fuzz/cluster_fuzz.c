// SPDX-License-Identifier: BSD-3-Clause
// Replies of a cluster: whatever is read leaves a map whose indexes and counts hold. A reply is
// read as each of the three, twice into one map; an error line as a redirect.
#include "parsers/cluster.h"
#include "tests/fuzz/fuzz.h"

static void index_holds(const struct cluster_map *map, uint16_t index)
{
	CHECK(index == CLUSTER_NONE || index < map->n_nodes);
}

static void map_holds(const struct cluster_map *map)
{
	unsigned n_owned = 0, n_slots = 0, n_moving = 0;
	CHECK(map->n_nodes <= CLUSTER_NODES_MAX);
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
		index_holds(map, map->owner[slot]);
		index_holds(map, map->migrating[slot]);
		index_holds(map, map->importing[slot]);
		n_owned += map->owner[slot] != CLUSTER_NONE;
		n_moving += map->migrating[slot] != CLUSTER_NONE;
		n_moving += map->importing[slot] != CLUSTER_NONE;
	}
	for (unsigned i = 0; i < map->n_nodes; i++) {
		const struct cluster_node *node = &map->nodes[i];
		index_holds(map, node->master);
		n_slots += node->n_slots;
		CHECK(memchr(node->id, 0, sizeof(node->id)));
		CHECK(memchr(node->shard, 0, sizeof(node->shard)));
		CHECK(memchr(node->host, 0, sizeof(node->host)));
	}
	CHECK(n_owned == map->n_owned && n_slots == n_owned && n_moving == map->n_moving);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static const struct cluster_asked asked = {"asked.example", false};
	static struct cluster_map nodes, slots, shards;
	struct cluster_redirect redirect;
	const struct resp_value *v;
	unsigned n;
	struct span in = {(const char *)p, len};
	enum cluster_answer answer = cluster_error_read(in, &asked, &redirect);
	if (answer == CLUSTER_MOVED || answer == CLUSTER_ASK)
		CHECK(redirect.slot < SLOT_COUNT && memchr(redirect.host, 0, CLUSTER_HOST_LEN));
	cluster_map_reset(&nodes);
	cluster_nodes_read(&nodes, in, &asked);
	map_holds(&nodes);
	cluster_map_reset(&slots);
	cluster_map_reset(&shards);
	struct resp_replies *replies = resp_replies_new();
	CHECK(replies && !resp_replies_feed(replies, in.p, len));
	while (resp_replies_next(replies, &v, &n) == RESP_OK) {
		if (v->type == RESP_STRING)
			cluster_nodes_read(&slots, v->text, &asked);
		cluster_slots_read(&slots, v, n, &asked);
		cluster_shards_read(&shards, v, n, &asked);
		cluster_slots_read(&slots, v, n, &asked);
		map_holds(&slots);
		map_holds(&shards);
	}
	resp_replies_free(replies);
	return 0;
}
