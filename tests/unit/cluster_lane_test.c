// SPDX-License-Identifier: BSD-3-Clause
// A lane and a cluster: redirects, slots on their way, refusals, nodes that are lost, markers.
#include "dataplane/apply/cluster_priv.h"
#include "tests/unit/cluster_scene.h"

// ---- Tests

static void every_key_goes_to_its_node(void **state)
{
	struct scene *s = scene_open();
	for (int i = 0; i < 300; i++) {
		char key[16], value[16];
		snprintf(key, sizeof(key), "k%d", i % 100);
		snprintf(value, sizeof(value), "%d,", i);
		i % 3 ? APPEND(s, key, value) : SET(s, key, value);
	}
	settle(s);
	for (int i = 0; i < 100; i++) {
		char key[16];
		snprintf(key, sizeof(key), "k%d", i);
		assert_non_null(node_value(&s->world->nodes[owner_of(s, key)], key));
	}
	assert_value(s, "k3", "3,103,203,"); // SET at 3, then two APPENDs
	assert_int_equal(counter_get(&s->counters.applied_commands), 301);
	assert_int_equal(counter_get(&s->counters.redirects), 0);
	scene_free(s);
}

static void frontier_waits_for_what_every_node_was_told(void **state)
{
	struct scene *s = scene_open();
	assert_int_equal(atomic_load(&s->lane->low), 1000 + STEP);
	SET(s, "a", "1");
	settle(s);
	uint64_t end = stream_end(s, s->next);
	for (int i = 0; i < 50 && atomic_load(&s->lane->low) < end; i++)
		turns(s, 1);
	assert_int_equal(atomic_load(&s->lane->low), end);
	scene_free(s);
}

static void redirect_in_the_middle_of_a_pipeline_keeps_the_order(void **state)
{
	struct scene *s = scene_open();
	unsigned slot = key_slot(span_of("k"));
	unsigned to = (owner_of(s, "k") + 1) % 3;
	for (int i = 0; i < 10; i++)
		SET(s, i % 2 ? "k" : "{k}2", "old");
	APPEND(s, "k", "1");
	APPEND(s, "{k}2", "2");
	give(s, 6);
	give(s, 20);
	lane_step(s); // on its way
	struct world_client *c = client_of(s, owner_of(s, "k"));
	world_run(s->world, c, 3);
	s->world->map_holds = true;
	world_slot_give(s->world, slot, to);
	settle(s);
	assert_value(s, "k", "old1");
	assert_value(s, "{k}2", "old2");
	assert_true(counter_get(&s->counters.redirects) > 0);
	assert_int_equal(world_owner(s->world, slot), to);
	assert_null(node_value(&s->world->nodes[(to + 2) % 3], "k"));
	scene_free(s);
}

// Keys that are there are served by the owner, others where the slot goes to.
static void slot_on_its_way_is_followed_command_by_command(void **state)
{
	struct scene *s = scene_open();
	unsigned slot = key_slot(span_of("k")), from = owner_of(s, "k"), to = (from + 1) % 3;
	SET(s, "k", "0");
	settle(s);
	world_move_begin(s->world, slot, to);
	for (int i = 0; i < 20; i++) {
		char value[8];
		snprintf(value, sizeof(value), "%d", i);
		SET(s, "k", value);
		SET(s, "{k}new", value);
	}
	settle(s);
	assert_string_equal(node_value(&s->world->nodes[from], "k"), "19");
	assert_string_equal(node_value(&s->world->nodes[to], "{k}new"), "19");
	assert_true(counter_get(&s->counters.asks) > 0);
	world_move_end(s->world, slot);
	SET(s, "k", "end");
	settle(s);
	assert_value(s, "k", "end");
	scene_free(s);
}

// A fenced command wants its key and its marker on one side: it waits until the slot has moved.
static void fenced_command_waits_while_its_slot_is_torn(void **state)
{
	struct scene *s = scene_open();
	char why[TEXT_LEN];
	unsigned slot = key_slot(span_of("k")), to = (owner_of(s, "k") + 1) % 3;
	APPEND(s, "k", "a");
	settle(s);
	world_move_begin(s->world, slot, to);
	world_move_keys(s->world, slot, 1);
	APPEND(s, "k", "b");
	SET(s, "k2", "other");
	give(s, 2);
	turns(s, 500);
	assert_int_equal(n_away(s), 1);
	assert_non_null(world_value(s->world, "k2")); // the rest goes on
	shared_text_get(&s->lane->waiting, why);
	world_move_end(s->world, slot);
	settle(s);
	assert_value(s, "k", "ab");
	scene_free(s);
}

static void slot_that_goes_back_and_forth(void **state)
{
	struct scene *s = scene_open();
	unsigned slot = key_slot(span_of("k"));
	char expected[2000] = "";
	for (unsigned round = 0; round < 40; round++) {
		char value[16];
		snprintf(value, sizeof(value), "%u,", round);
		strcat(expected, value);
		APPEND(s, "k", value);
		SET(s, "{k}2", value);
		give(s, 2);
		turns(s, round % 3);
		world_slot_give(s->world, slot, round % 2);
		s->world->map_holds = round % 5 == 0;
	}
	s->world->map_holds = false;
	settle(s);
	assert_value(s, "k", expected);
	assert_value(s, "{k}2", "39,");
	scene_free(s);
}

// What was carried out is not sent again, what was not is, in order.
static void lost_connection_is_decided_by_the_slot_markers(void **state)
{
	for (int carried_out = 0; carried_out < 2; carried_out++) {
		struct scene *s = scene_open();
		unsigned node = owner_of(s, "k");
		APPEND(s, "k", "a");
		settle(s);
		APPEND(s, "k", "b");
		SET(s, "{k}2", "c");
		give(s, 2);
		lane_step(s);
		world_lose(s->world, client_of(s, node), carried_out);
		APPEND(s, "k", "d");
		settle(s);
		assert_value(s, "k", "abd");
		assert_value(s, "{k}2", "c");
		assert_int_equal(counter_get(&s->counters.skipped_batches), carried_out);
		assert_int_equal(counter_get(&s->counters.target_disconnects), 1);
		scene_free(s);
	}
}

// Its node is away while others go on; the slot moves meanwhile.
static void other_nodes_go_on(void **state)
{
	struct scene *s = scene_open();
	unsigned node = owner_of(s, "k");
	char why[TEXT_LEN], other[16];
	for (int i = 0;; i++) {
		snprintf(other, sizeof(other), "o%d", i);
		if (owner_of(s, other) != node)
			break;
	}
	s->world->nodes[node].up = false;
	world_lose(s->world, client_of(s, node), false);
	APPEND(s, "k", "a");
	SET(s, other, "x");
	give(s, 2);
	turns(s, 50);
	assert_value(s, other, "x");
	assert_null(world_value(s->world, "k"));
	shared_text_get(&s->lane->waiting, why);
	assert_non_null(strstr(why, "127.0.0.1:700"));
	assert_int_not_equal(s->lane->wait_deadline_ms, 0);
	s->world->nodes[node].up = true;
	settle(s);
	assert_value(s, "k", "a");
	turns(s, 200);
	shared_text_get(&s->lane->waiting, why);
	assert_string_equal(why, "");
	assert_int_equal(s->lane->wait_deadline_ms, 0);
	scene_free(s);
}

static void refusals_are_waited_out_per_slot(void **state)
{
	static const char *const lines[] = {
		"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
		"-LOADING Redis is loading the dataset in memory\r\n",
		"-CLUSTERDOWN The cluster is down\r\n",
		"-MASTERDOWN Link with MASTER is down\r\n",
		"-NOREPLICAS Not enough good replicas to write.\r\n",
		"-MISCONF Redis is configured to save RDB snapshots\r\n",
		"-BUSY Redis is busy running a script\r\n",
		"-READONLY You can't write against a read only replica.\r\n",
	};
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct scene *s = scene_open();
		char why[TEXT_LEN];
		struct world_node *node = &s->world->nodes[owner_of(s, "k")];
		node->refuses = lines[i];
		SET(s, "k", "0");
		APPEND(s, "k", "1");
		COMMAND(s, 0, "DEL", "gone");
		APPEND(s, "k", "2");
		give(s, 4);
		turns(s, 100);
		assert_int_equal(n_away(s), 1);
		shared_text_get(&s->lane->waiting, why);
		assert_non_null(strstr(why, "slot"));
		node->refuses = NULL;
		settle(s);
		assert_value(s, "k", "012");
		scene_free(s);
	}
}

// What is refused first goes first, to the owner: the redirect was for what stood behind it.
static void refused_before_a_redirect_goes_to_its_owner(void **state)
{
	struct scene *s = scene_open();
	unsigned owner = owner_of(s, "{k}1"), to = (owner + 1) % 3;
	struct world_node *node = &s->world->nodes[owner];
	SET(s, "{k}1", "0");
	SET(s, "{k}2", "0");
	settle(s);
	world_move_begin(s->world, key_slot(span_of("{k}1")), to);
	world_move_key(s->world, "{k}2");
	node->refuses = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
	SET(s, "{k}1", "1");
	SET(s, "{k}2", "1");
	give(s, 2);
	turns(s, 3);
	node->refuses = NULL;
	for (int i = 0; i < 1000 && n_away(s); i++)
		turns(s, 1);
	assert_string_equal(node_value(node, "{k}1"), "1");
	assert_string_equal(node_value(&s->world->nodes[to], "{k}2"), "1");
	assert_null(node_value(&s->world->nodes[to], "{k}1"));
	scene_free(s);
}

static void refusal_that_stays_ends_with_its_reason(void **state)
{
	struct scene *s = scene_open();
	s->config.settings.wait_timeout = 2000;
	s->world->nodes[owner_of(s, "k")].refuses = "-OOM no memory\r\n";
	SET(s, "k", "0");
	give(s, 1);
	turns(s, 6000);
	assert_int_equal(atomic_load(&s->lane->verdict), LANE_FAIL);
	assert_int_equal(s->lane->error, ERROR_DEADLINE);
	assert_non_null(strstr(s->lane->text, "OOM"));
	scene_free(s);
}

static void command_that_is_refused_is_parked(void **state)
{
	struct scene *s = scene_open();
	COMMAND(s, 0, "BAD", "k", "1");
	COMMAND(s, ITEM_FENCED, "BAD", "k", "1");
	APPEND(s, "k", "2");
	settle(s);
	assert_int_equal(s->n_parked, 2);
	assert_int_equal(counter_get(&s->counters.parked_commands), 2);
	assert_value(s, "k", "2");
	scene_free(s);
}

// What a former life may have sent finds what came behind it.
static void refusal_of_what_is_sent_again_is_not_parked(void **state)
{
	struct scene *s = scene_open();
	COMMAND(s, 0, "BAD", "k", "1");
	atomic_store(&s->lane->again_until, UINT64_MAX);
	settle(s);
	assert_int_equal(s->n_parked, 0);
	assert_int_equal(counter_get(&s->counters.applied_commands), 2);
	scene_free(s);
}

static void hot_key_costs_a_round_trip_for_many_commands(void **state)
{
	struct scene *s = scene_open();
	for (int i = 0; i < 200; i++)
		COMMAND(s, ITEM_FENCED, "INCR", "k");
	for (int i = 0; i < 10; i++)
		give(s, 20);
	unsigned rounds = 0;
	for (; n_away(s) && rounds < 1000; rounds++)
		turns(s, 1);
	assert_value(s, "k", "200");
	assert_in_range(rounds, 1, 20);
	scene_free(s);
}

static void transaction_of_one_slot_is_one(void **state)
{
	struct scene *s = scene_open();
	COMMAND(s, ITEM_FENCED, "APPEND", "{k}1", "a");
	COMMAND(s, ITEM_JOINED, "APPEND", "{k}2", "b");
	COMMAND(s, ITEM_JOINED, "SET", "{k}3", "c");
	COMMAND(s, ITEM_ATOMIC, "SET", "{k}1", "d");
	COMMAND(s, ITEM_JOINED, "SET", "{k}4", "e");
	settle(s);
	assert_value(s, "{k}1", "d");
	assert_value(s, "{k}2", "b");
	assert_value(s, "{k}4", "e");
	assert_int_equal(counter_get(&s->counters.applied_commands), 3);
	scene_free(s);
}

static void published_messages_keep_their_order(void **state)
{
	struct scene *s = scene_open();
	for (int i = 0; i < 10; i++) {
		char text[8];
		snprintf(text, sizeof(text), "%d", i);
		COMMAND(s, 0, "PUBLISH", "channel", text)->slot = key_slot(SPAN_LIT("channel"));
	}
	settle(s);
	assert_int_equal(s->world->n_published, 10);
	for (int i = 0; i < 10; i++)
		assert_int_equal(s->world->published[i][0], '0' + i);
	scene_free(s);
}

// ---- Lives

static void next_life_goes_on_where_the_markers_say(void **state)
{
	struct scene *s = scene_open();
	for (int i = 0; i < 100; i++) {
		char key[8];
		snprintf(key, sizeof(key), "k%d", i % 10);
		APPEND(s, key, "x");
	}
	for (unsigned n = 1; s->next < s->n_commands; n = n % 7 + 1) {
		give(s, n);
		turns(s, n % 3);
		if (n == 5)
			scene_crash(s);
	}
	settle(s);
	for (int i = 0; i < 10; i++) {
		char key[8];
		snprintf(key, sizeof(key), "k%d", i);
		assert_value(s, key, "xxxxxxxxxx");
	}
	scene_free(s);
}

// Its connections are closed before its markers are read.
static void former_life_that_still_runs_is_ended(void **state)
{
	struct scene *s = scene_open();
	APPEND(s, "k", "a");
	give(s, 1);
	lane_step(s); // on its way, and nobody has carried it out
	lane_end(s);
	lane_begin(s);
	open_lane(s);
	scene_resume(s);
	settle(s);
	assert_value(s, "k", "a");
	scene_free(s);
}

// The lane finds out by itself, and the markers are read again.
static void look(struct scene *s)
{
	for (int i = 0; i < 100 && is_fine(s); i++)
		turns(s, 1);
	scene_look(s);
}

static void node_that_was_restarted_is_looked_at(void **state)
{
	struct scene *s = scene_open();
	unsigned node = owner_of(s, "k");
	APPEND(s, "k", "a");
	settle(s);
	memset(s->world->nodes[node].run_id, 'x', CLUSTER_ID_LEN);
	world_lose(s->world, client_of(s, node), false);
	look(s);
	APPEND(s, "k", "b");
	settle(s);
	assert_value(s, "k", "ab");
	scene_free(s);
}

// A replica takes over: it holds what it holds, by its own markers.
static void failover_is_looked_at(void **state)
{
	struct scene *s = scene_new(4);
	unsigned slot = key_slot(span_of("k"));
	open_lane(s);
	scene_stream_begins(s);
	unsigned old = owner_of(s, "k"), new = (old + 1) % 4;
	s->world->map.nodes[new].flags = CLUSTER_REPLICA; // it was none, as far as the map knew
	world_map_tell(s->world);
	APPEND(s, "k", "a");
	settle(s);
	world_slot_give(s->world, slot, new);
	s->world->map.nodes[new].flags = CLUSTER_MASTER;
	world_map_tell(s->world);
	look(s);
	APPEND(s, "k", "b");
	settle(s);
	assert_value(s, "k", "ab");
	scene_free(s);
}

// The slot of k comes to a node that was no master.
static void failover_of(struct scene *s, const char *key)
{
	unsigned slot = key_slot(span_of(key)), new = (owner_of(s, key) + 1) % 4;
	s->world->map.nodes[new].flags = CLUSTER_REPLICA;
	world_map_tell(s->world);
	lane_step(s);
	world_slot_give(s->world, slot, new);
	s->world->map.nodes[new].flags = CLUSTER_MASTER;
	world_map_tell(s->world);
}

// What a former life wrote is what this one goes by.
static void failover_is_looked_at_before_anything_is_written(void **state)
{
	struct scene *s = scene_new(4);
	open_lane(s);
	scene_stream_begins(s);
	APPEND(s, "k", "a");
	settle(s);
	scene_crash(s);
	settle(s);
	assert_true(is_fine(s));
	failover_of(s, "k");
	look(s);
	APPEND(s, "k", "b");
	settle(s);
	assert_value(s, "k", "ab");
	scene_free(s);
}

// A marker that was read from the node that has gone tells nothing of the one that has come.
static void failover_while_markers_are_read(void **state)
{
	struct scene *s = scene_new(4);
	open_lane(s);
	scene_stream_begins(s);
	APPEND(s, "k", "a");
	settle(s);
	lane_wish(s->lane, true);
	const struct cluster_lane *c = s->lane->cluster;
	do {
		turns(s, 1);
		assert_int_not_equal(atomic_load(&s->lane->state), LANE_READY);
	} while (c->open != OPEN_READ || c->next_slot <= key_slot(span_of("k")));
	failover_of(s, "k");
	look(s);
	settle(s);
	assert_value(s, "k", "a");
	scene_free(s);
}

// However long the pause before it is tried again: whoever takes over is looked for meanwhile.
static void the_map_is_asked_while_a_node_is_away(void **state)
{
	struct scene *s = scene_open();
	unsigned node = owner_of(s, "k");
	s->world->nodes[node].up = false;
	world_lose(s->world, client_of(s, node), false);
	turns(s, 5000); // of a millisecond: the pauses have grown
	unsigned before = s->world->n_pokes;
	turns(s, 1000);
	assert_in_range(s->world->n_pokes - before, 9, 20);
	scene_free(s);
}

static void a_later_life_ends_this_one(void **state)
{
	struct scene *s = scene_open();
	char key[MARKER_KEY_LEN];
	APPEND(s, "k", "a");
	settle(s);
	struct lane *old = s->lane;
	marker_epoch_key(key, "scene");
	lane_begin(s); // draws an epoch, and closes the connections of the other
	open_lane(s);
	struct lane *new = s->lane;
	for (int i = 0; i < 200 && atomic_load(&old->verdict) == LANE_FINE; i++) {
		uint64_t deadline = NO_DEADLINE;
		fake_now.mono_ns += MS_NS;
		lane_turn(old, &fake_now, &deadline);
		world_run_all(s->world);
	}
	assert_int_equal(atomic_load(&old->verdict), LANE_FAIL);
	assert_int_equal(old->error, ERROR_MARKER);
	assert_int_equal(atomic_load(&new->verdict), LANE_FINE);
	lane_fini(old);
	free(old);
	scene_free(s);
}

static void partial_writes_change_nothing(void **state)
{
	for (size_t most = 1; most < 40; most += 13) {
		struct scene *s = scene_open();
		s->world->write_max = most;
		APPEND(s, "k", "a");
		SET(s, "k2", "b");
		APPEND(s, "k", "c");
		settle(s);
		assert_value(s, "k", "ac");
		assert_value(s, "k2", "b");
		scene_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_goes_to_its_node),
		cmocka_unit_test(frontier_waits_for_what_every_node_was_told),
		cmocka_unit_test(redirect_in_the_middle_of_a_pipeline_keeps_the_order),
		cmocka_unit_test(slot_on_its_way_is_followed_command_by_command),
		cmocka_unit_test(fenced_command_waits_while_its_slot_is_torn),
		cmocka_unit_test(slot_that_goes_back_and_forth),
		cmocka_unit_test(lost_connection_is_decided_by_the_slot_markers),
		cmocka_unit_test(other_nodes_go_on),
		cmocka_unit_test(refusals_are_waited_out_per_slot),
		cmocka_unit_test(refused_before_a_redirect_goes_to_its_owner),
		cmocka_unit_test(refusal_that_stays_ends_with_its_reason),
		cmocka_unit_test(command_that_is_refused_is_parked),
		cmocka_unit_test(refusal_of_what_is_sent_again_is_not_parked),
		cmocka_unit_test(hot_key_costs_a_round_trip_for_many_commands),
		cmocka_unit_test(transaction_of_one_slot_is_one),
		cmocka_unit_test(published_messages_keep_their_order),
		cmocka_unit_test(next_life_goes_on_where_the_markers_say),
		cmocka_unit_test(former_life_that_still_runs_is_ended),
		cmocka_unit_test(node_that_was_restarted_is_looked_at),
		cmocka_unit_test(failover_is_looked_at),
		cmocka_unit_test(failover_is_looked_at_before_anything_is_written),
		cmocka_unit_test(failover_while_markers_are_read),
		cmocka_unit_test(the_map_is_asked_while_a_node_is_away),
		cmocka_unit_test(a_later_life_ends_this_one),
		cmocka_unit_test(partial_writes_change_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
