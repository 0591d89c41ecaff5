// SPDX-License-Identifier: BSD-3-Clause
// The clusters of the harness, with redis-servers only.
#include "tests/e2e/harness.h"

static void a_cluster_starts_and_serves_all_slots(struct world *w)
{
	long long before = now_ms();
	struct cluster *c = cluster_start(w, "node", 3, 1, NULL);
	print_message("six nodes agreed after %lld ms\n", now_ms() - before);

	assert_int_equal(cluster_masters(c).n, 3);
	assert_int_equal(c->map.n_nodes, 6);
	cluster_fill(c, "key", 3000, 20);
	long long keys = 0;
	for (unsigned i = 0; i < 3; i++)
		keys += ask_number(c->nodes.list[i], "DBSIZE");
	assert_int_equal(keys, 3000);
	assert_ptr_equal(cluster_replica(c, c->nodes.list[1]), c->nodes.list[4]);
}

static void compare_joins_the_masters(struct world *w)
{
	struct cluster *c = cluster_start(w, "node", 2, 0, NULL);
	struct server *alone = server_start(w, "alone", NULL);
	struct servers one = just(alone), many = cluster_masters(c);

	cluster_fill(c, "key", 500, 20);
	dataset_load_strings(alone, "other", 1, 1);
	assert_int_equal(data_differences_of(&one, &many), 501);
	run(alone, "DEL other:0");
	for (unsigned i = 0; i < 500; i++)
		queue(alone, "SET key:%d %s", (int)i, text("%020u", i));
	assert_same_data_of(&one, &many, false);
	run(cluster_owner_of(c, "key:7"), "SET key:7 x");
	assert_int_equal(data_differences_of(&many, &one), 1);
}

static void a_replica_takes_over_when_told_and_when_its_master_dies(struct world *w)
{
	struct cluster *c = cluster_start(w, "node", 3, 1, NULL);
	struct server *first = c->nodes.list[0], *replica = cluster_replica(c, first);

	cluster_failover(c, replica);
	assert_ptr_equal(cluster_owner(c, 0), replica);
	assert_ptr_equal(cluster_replica(c, replica), first);
	assert_ptr_equal(cluster_kill_master(c, replica), first);
	assert_ptr_equal(cluster_owner(c, 0), first);
	server_start_again(replica);
	cluster_settle(c);
	assert_ptr_equal(cluster_replica(c, first), replica);
}

// The reply to a command that goes to one server, whatever it says.
static const char *answer(struct server *s, const char *command)
{
	redisReply *r = ask(s, command);
	const char *t = text("%s", r->str ? r->str : "");

	freeReplyObject(r);
	return t;
}

static void slots_move_by_steps_and_in_ranges(struct world *w)
{
	struct cluster *c = cluster_start(w, "node", 2, 0, "--requirepass", "secret",
					  "--masterauth", "secret", NULL);
	struct server *a = c->nodes.list[0], *b = c->nodes.list[1];
	struct servers before;
	uint16_t slot = key_slot(span_of("{3}"));

	assert_ptr_equal(cluster_owner(c, slot), a);
	for (int i = 0; i < 250; i++)
		queue(a, "SET {3}:%d %d", i, i);
	queue_flush(a);
	slot_move_begin(c, slot, b);
	assert_int_equal(slot_move_keys(c, slot, b, 120), 120);
	assert_int_equal(ask_number(a, "CLUSTER COUNTKEYSINSLOT %d", slot), 130);
	assert_string_equal(answer(a, "SET {3}:new x"),
			    text("ASK %u %s:%d", slot, here(), b->port));
	before = cluster_masters(c);
	assert_same_data_of(&before, &before, false);
	assert_int_equal(slot_move_keys(c, slot, b, UINT32_MAX), 130);
	slot_move_end(c, slot, b);
	assert_ptr_equal(cluster_owner(c, slot), b);
	assert_string_equal(answer(a, "GET {3}:1"), text("MOVED %u %s:%d", slot, here(), b->port));
	slots_move(c, 0, 99, b);
	assert_ptr_equal(cluster_owner(c, 99), b);
	assert_ptr_equal(cluster_owner(c, 100), a);
	slot_move_begin(c, 100, b);
	slot_move_undo(c, 100, b);
	assert_int_equal(cluster_look(c)->n_moving, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(a_cluster_starts_and_serves_all_slots),
		E2E_TEST(compare_joins_the_masters),
		E2E_TEST(a_replica_takes_over_when_told_and_when_its_master_dies),
		E2E_TEST(slots_move_by_steps_and_in_ranges),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
