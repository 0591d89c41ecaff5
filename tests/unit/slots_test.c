// SPDX-License-Identifier: BSD-3-Clause
// What of a stream goes to which slot of a cluster, as which units.
#include "parsers/cluster.h"
#include "tests/unit/lanes_rig.h"
#include "tests/unit/slots_rig.h"

// ---- One command

static void a_key_tells_the_slot(void **state)
{
	struct slots_rig *s = slots_rig_new(1, URL_CLUSTER);
	assert_said(s, "SET {a}k v", "{a} SET {a}k v");
	assert_said(s, "INCR {b}n", "{b}! INCR {b}n");
	assert_said(s, "SETNX {a}k v", "{a} SET {a}k v");
	assert_said(s, "XGROUP CREATE {a}x g $", "{a}! XGROUP CREATE {a}x g $");
	assert_said(s, "RENAME {a}k {a}other", "{a}! RENAME {a}k {a}other");
	assert_said(s, "SUNIONSTORE {a}d {a}x {a}y", "{a}! SUNIONSTORE {a}d {a}x {a}y");
	assert_said(s, "EVAL script 2 {a}k {a}l", "{a}! EVAL script 2 {a}k {a}l");
	assert_int_equal(slots_fates(s), 7);
	slots_rig_free(s);
}

static void messages_go_by_their_channel(void **state)
{
	struct slots_rig *s = slots_rig_new(1, URL_CLUSTER);
	assert_said(s, "PUBLISH {a}news hello", "{a}! PUBLISH {a}news hello");
	assert_said(s, "SPUBLISH {b}news hello", "{b}! SPUBLISH {b}news hello");
	slots_rig_free(s);
}

static void what_is_for_all_goes_to_every_master(void **state)
{
	struct slots_rig *s = slots_rig_new(1, URL_CLUSTER);
	assert_said(s, "FLUSHALL", "every FLUSHALL");
	assert_said(s, "FLUSHDB ASYNC", "every FLUSHDB ASYNC");
	assert_said(s, "FUNCTION LOAD code", "every FUNCTION LOAD REPLACE code");
	assert_said(s, "FUNCTION DELETE lib", "every FUNCTION DELETE lib");
	assert_said(s, "SCRIPT LOAD code", "every SCRIPT LOAD code");
	slots_rig_free(s);
}

static void keys_of_several_slots_are_told_apart(void **state)
{
	struct slots_rig *s = slots_rig_new(1, URL_CLUSTER);
	assert_said(s, "DEL {a}1 {b}1 {a}2 {c}1", "{a} DEL {a}1 {a}2|{b} DEL {b}1|{c} DEL {c}1");
	assert_said(s, "MSET {a}1 x {b}1 y {a}2 z", "{a} MSET {a}1 x {a}2 z|{b} MSET {b}1 y");
	assert_said(s, "MSETNX {a}1 x {b}1 y", "{a} MSET {a}1 x|{b} MSET {b}1 y");
	assert_said(s, "MSETEX 3 {a}1 x {b}1 y {a}2 z PXAT 4102444800000",
		    "{a} MSETEX 2 {a}1 x {a}2 z PXAT 4102444800000|"
		    "{b} MSETEX 1 {b}1 y PXAT 4102444800000");
	assert_said(s, "JSON.MSET {a}1 $ 1 {b}1 $ 2 {a}2 $ 3",
		    "{a}! JSON.MSET {a}1 $ 1 {a}2 $ 3|{b}! JSON.MSET {b}1 $ 2");
	assert_said(s, "PFCOUNT {a}1 {b}1", "");
	assert_int_equal(slots_fates(s), 5);
	assert_int_equal(counter_get(&s->rig->counters.filtered_commands), 1);
	assert_int_equal(counter_get(&s->rig->counters.received_commands), 6);
	slots_rig_free(s);
}

static void what_no_node_can_run_is_parked(void **state)
{
	static const char *const lines[] = {
		"EVAL script 2 {a}k {b}l",
		"EVAL script 0",
		"EVALSHA 0123 0 {a}k",
		"MODULE.WRITE {a}k v",
		"SORT {a}k BY w_* STORE {a}d",
		"LMPOP 2 {a}l {b}l LEFT",
		"FCALL f 0",
		"SET {a}k",
	};
	struct slots_rig *s = slots_rig_new(1, URL_CLUSTER);
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_said(s, lines[i], "parked");
	assert_int_equal(slots_fates(s), sizeof(lines) / sizeof(lines[0]));
	slots_rig_free(s);
}

static void lanes_get_their_own_parts(void **state)
{
	struct slots_rig *s = slots_rig_new(4, URL_CLUSTER);
	// 15495, 3300, 7365 of 16384: lanes 3, 0 and 1
	assert_said(s, "DEL {a}1 {b}1 {c}1", "0:{b} DEL {b}1|1:{c} DEL {c}1|3:{a} DEL {a}1");
	assert_said(s, "FLUSHALL", "0:every FLUSHALL");
	assert_int_equal(slots_fates(s), 2);
	slots_rig_free(s);
}

// ---- Transactions

static void a_transaction_of_one_slot_is_a_unit(void **state)
{
	struct slots_rig *s = slots_rig_new(1, URL_CLUSTER);
	assert_said(s, "MULTI/SET {a}k 1/SET {a}l 2/EXEC", "{a}* SET {a}k 1|{a}+ SET {a}l 2");
	assert_said(s, "MULTI/SET {a}k 1/INCR {a}k/EXEC", "{a}! SET {a}k 1|{a}+ INCR {a}k");
	assert_said(s, "MULTI/SET {a}k 1/EXEC", "{a} SET {a}k 1");
	assert_int_equal(counter_get(&s->rig->counters.split_transactions), 0);
	assert_int_equal(slots_fates(s), 4 + 4 + 3);
	slots_rig_free(s);
}

static void a_transaction_of_several_slots_is_a_unit_for_each(void **state)
{
	for (unsigned n_lanes = 1; n_lanes <= 4; n_lanes += 3) {
		struct slots_rig *s = slots_rig_new(n_lanes, URL_CLUSTER);
		const char *one = "{a}* SET {a}k 1|{a}+ SET {a}l 3|{b}! INCR {b}n|{b}+ DEL {b}x|"
				  "{c} DEL {c}x";
		const char *four = "0:{b}! INCR {b}n|0:{b}+ DEL {b}x|1:{c} DEL {c}x|"
				   "3:{a}* SET {a}k 1|3:{a}+ SET {a}l 3";
		assert_said(s, "MULTI/SET {a}k 1/INCR {b}n/SET {a}l 3/DEL {b}x {c}x/EXEC",
			    n_lanes == 1 ? one : four);
		assert_int_equal(counter_get(&s->rig->counters.split_transactions), 1);
		assert_int_equal(slots_fates(s), 6);
		slots_rig_free(s);
	}
}

static void a_transaction_that_empties_all_goes_command_by_command(void **state)
{
	struct slots_rig *s = slots_rig_new(1, URL_CLUSTER);
	assert_said(s, "MULTI/SET {a}k 1/FLUSHALL/INCR {a}k/EXEC",
		    "{a} SET {a}k 1|every FLUSHALL|{a}! INCR {a}k");
	assert_int_equal(counter_get(&s->rig->counters.split_transactions), 1);
	assert_int_equal(counter_get(&s->rig->counters.received_commands), 5);
	assert_int_equal(counter_get(&s->rig->counters.filtered_commands), 2); // MULTI and EXEC
	assert_int_equal(slots_fates(s), 3);
	slots_rig_free(s);
}

// Its end is yet to come, and other commands wait before it in several lanes.
static void a_transaction_that_is_cut_is_taken_back_from_all_lanes(void **state)
{
	struct slots_rig *s = slots_rig_new(4, URL_CLUSTER);
	slots_say(s, "SET {a}0 1");
	slots_say(s, "SET {b}0 1");
	slots_say(s, "MULTI");
	slots_say(s, "SET {a}k 1");
	slots_say(s, "INCR {b}n");
	assert_true(route_turn(&s->rig->route, 5000) >= 0);
	assert_false(s->rig->route.in_frame);
	assert_string_equal(slots_said(s), "0:{b} SET {b}0 1|3:{a} SET {a}0 1");
	slots_say(s, "EXEC");
	assert_true(route_turn(&s->rig->route, 5000) >= 0);
	assert_string_equal(slots_said(s), "0:{b}! INCR {b}n|3:{a} SET {a}k 1");
	assert_int_equal(slots_fates(s), 2 + 4);
	slots_rig_free(s);
}

// ---- What the target holds

static void hold(struct slots_rig *s, const char *tag, uint64_t offset)
{
	struct route *r = &s->rig->route;
	r->held[key_slot(span_of(tag))] = offset;
	r->held_end = offset > r->held_end ? offset : r->held_end;
}

static void a_slot_that_holds_a_command_does_not_get_it_again(void **state)
{
	struct slots_rig *s = slots_rig_new(1, URL_CLUSTER);
	hold(s, "{a}", 1);
	assert_said(s, "DEL {a}1 {b}1", "{b} DEL {b}1");
	hold(s, "{a}", s->len + 1);
	assert_said(s, "SET {a}1 x", "");
	assert_said(s, "SET {a}1 y", "{a} SET {a}1 y");
	hold(s, "{a}", s->len + 1);
	hold(s, "{b}", s->len + 1);
	assert_said(s, "DEL {a}1 {b}1", "");
	assert_int_equal(counter_get(&s->rig->counters.filtered_commands), 2);
	assert_int_equal(slots_fates(s), 2);
	slots_rig_free(s);
}

// The marker of a unit names its first command; the others are held with it.
static void a_unit_of_a_transaction_is_held_as_a_whole(void **state)
{
	struct slots_rig *s = slots_rig_new(1, URL_CLUSTER);
	uint64_t second = strlen("*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$4\r\n{a}n\r\n");
	hold(s, "{b}", second + 1);
	assert_said(s, "MULTI/INCR {a}n/INCR {b}n/INCR {a}m/INCR {b}m/EXEC",
		    "{a}! INCR {a}n|{a}+ INCR {a}m");
	slots_rig_free(s);
}

static void a_flush_that_some_nodes_hold(void **state)
{
	struct slots_rig *s = slots_rig_new(1, URL_CLUSTER);
	hold(s, "{a}", strlen("*1\r\n$8\r\nFLUSHALL\r\n")); // just up to its end
	assert_said(s, "FLUSHALL", "every FLUSHALL");
	for (unsigned i = 0; i < SLOT_COUNT; i++)
		s->rig->route.held[i] = s->len + 1;
	hold(s, "{a}", s->len + 1);
	assert_said(s, "FLUSHALL", ""); // all do
	hold(s, "{a}", s->len + 1000);
	s->rig->route.held[7] = 0;
	slots_say(s, "FLUSHALL");
	assert_int_equal(route_turn(&s->rig->route, 5000), -1);
	assert_non_null(s->rig->route.resync);
	slots_rig_free(s);
}

// ---- Databases

static void a_cluster_has_one_database(void **state)
{
	static const char *const refused[] = {"SET k v", "MOVE k 0", "MODULE.X k"};
	for (unsigned i = 0; i < 3; i++) {
		struct slots_rig *s = slots_rig_new(1, URL_CLUSTER);
		assert_said(s, "SELECT 3", "");
		assert_said(s, "FLUSHDB", ""); // nothing was there
		assert_said(s, "PUBLISH {a} b", "{a}! PUBLISH {a} b");
		slots_say(s, refused[i]);
		assert_int_equal(route_turn(&s->rig->route, 5000), -1);
		assert_int_equal(s->rig->route.error, ERROR_DATABASE);
		assert_non_null(strstr(s->rig->route.text, "database 3"));
		slots_rig_free(s);
	}
}

static void a_database_that_is_named_goes_to_the_one_there_is(void **state)
{
	struct slots_rig *s = slots_rig_new(1, URL_CLUSTER);
	assert_int_equal(db_map_read(&s->rig->route.dbs, "3:0"), 0);
	assert_said(s, "SET {a}k v", "");
	assert_said(s, "SELECT 3", "");
	assert_said(s, "SET {a}k v", "{a} SET {a}k v");
	assert_said(s, "MOVE {a}k 5", "{a} DEL {a}k");
	assert_said(s, "COPY {a}k {a}l DB 3", "{a}! COPY {a}k {a}l DB 0 REPLACE");
	assert_said(s, "FLUSHALL", "every FLUSHALL");
	assert_said(s, "SELECT 0", "");
	assert_said(s, "FLUSHDB", "");
	slots_rig_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_tells_the_slot),
		cmocka_unit_test(messages_go_by_their_channel),
		cmocka_unit_test(what_is_for_all_goes_to_every_master),
		cmocka_unit_test(keys_of_several_slots_are_told_apart),
		cmocka_unit_test(what_no_node_can_run_is_parked),
		cmocka_unit_test(lanes_get_their_own_parts),
		cmocka_unit_test(a_transaction_of_one_slot_is_a_unit),
		cmocka_unit_test(a_transaction_of_several_slots_is_a_unit_for_each),
		cmocka_unit_test(a_transaction_that_empties_all_goes_command_by_command),
		cmocka_unit_test(a_transaction_that_is_cut_is_taken_back_from_all_lanes),
		cmocka_unit_test(a_slot_that_holds_a_command_does_not_get_it_again),
		cmocka_unit_test(a_unit_of_a_transaction_is_held_as_a_whole),
		cmocka_unit_test(a_flush_that_some_nodes_hold),
		cmocka_unit_test(a_cluster_has_one_database),
		cmocka_unit_test(a_database_that_is_named_goes_to_the_one_there_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
