// SPDX-License-Identifier: BSD-3-Clause
// Which databases of the source are forwarded, and what of commands that reach beyond theirs.
#include "tests/unit/slots_rig.h"

static struct slots_rig *mapped(const char *map)
{
	struct slots_rig *s = slots_rig_new(1, URL_STANDALONE);
	assert_int_equal(db_map_read(&s->rig->route.dbs, map), 0);
	return s;
}

static void databases_go_where_the_map_says(void **state)
{
	struct slots_rig *s = mapped("0:7,3:1");
	assert_said(s, "SELECT 0", "");
	assert_said(s, "SET k v", "7 SET k v");
	assert_said(s, "SELECT 3", "");
	assert_said(s, "SET k v", "1 SET k v");
	assert_said(s, "MULTI/SET k v/SELECT 0/INCR n/EXEC", "1 SET k v|7 INCR n");
	assert_said(s, "PUBLISH a b", "7 PUBLISH a b");
	slots_rig_free(s);
}

static void what_the_map_does_not_name_is_left_out(void **state)
{
	struct slots_rig *s = mapped("0:7,3:1");
	assert_said(s, "SELECT 4", "");
	assert_said(s, "SET k v", "");
	assert_said(s, "MOVE k 5", "");
	assert_said(s, "FLUSHDB", "");
	assert_said(s, "SWAPDB 4 5", "");
	assert_said(s, "MULTI/SET k v/INCR n/EXEC", "");
	assert_int_equal(counter_get(&s->rig->counters.filtered_commands), 9);
	assert_int_equal(counter_get(&s->rig->counters.received_commands), 9);
	slots_rig_free(s);
}

static void commands_of_two_databases_name_those_of_the_target(void **state)
{
	struct slots_rig *s = mapped("0:7,3:1");
	assert_said(s, "SELECT 3", "");
	assert_said(s, "MOVE k 0", "1 MOVE k 7");
	assert_said(s, "COPY k l DB 0", "1 COPY k l DB 7 REPLACE");
	assert_said(s, "COPY k l DB 3", "1 COPY k l DB 1 REPLACE");
	assert_said(s, "COPY k l REPLACE", "1 COPY k l REPLACE");
	assert_said(s, "COPY k l DB 4", "");
	assert_said(s, "MOVE k 4", "1 DEL k");
	assert_said(s, "FLUSHDB", "1 FLUSHDB");
	assert_said(s, "FLUSHALL", "7 FLUSHDB|1 FLUSHDB");
	assert_int_equal(slots_fates(s), 7);
	slots_say(s, "SWAPDB 3 0");
	assert_int_equal(route_turn(&s->rig->route, 5000), 0);
	assert_non_null(strstr(slots_said(s), "1 SWAPDB 1 7"));
	slots_rig_free(s);
}

// Markers lie in database 0, and must not be carried along.
static void swapped_markers_are_removed_where_they_come_to_lie(void **state)
{
	struct slots_rig *s = mapped("5:0,3:1");
	slots_say(s, "SWAPDB 3 5");
	assert_int_equal(route_turn(&s->rig->route, 5000), 0);
	const char *said = slots_said(s);
	assert_non_null(strstr(said, "SWAPDB 1 0|1 DEL __flyover:"));
	slots_rig_free(s);
}

static void what_comes_into_a_mapped_database_wants_a_full_sync(void **state)
{
	static const char *const lines[] = {"SWAPDB 3 4", "MOVE k 3", "COPY k l DB 3"};
	for (unsigned i = 0; i < 3; i++) {
		struct slots_rig *s = mapped("3:1");
		slots_say(s, lines[i]);
		assert_int_equal(route_turn(&s->rig->route, 5000), -1);
		assert_non_null(s->rig->route.resync);
		slots_rig_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(databases_go_where_the_map_says),
		cmocka_unit_test(what_the_map_does_not_name_is_left_out),
		cmocka_unit_test(commands_of_two_databases_name_those_of_the_target),
		cmocka_unit_test(swapped_markers_are_removed_where_they_come_to_lie),
		cmocka_unit_test(what_comes_into_a_mapped_database_wants_a_full_sync),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
