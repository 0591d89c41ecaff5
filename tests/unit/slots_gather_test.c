// SPDX-License-Identifier: BSD-3-Clause
// Commands whose keys lie in several slots of a cluster: step by step, and taken up again after a
// crash between any two of them. The keys are read by the test.

#include "parsers/cluster.h"
#include "tests/unit/slots_rig.h"

#define NOWHERE "" // a key that is not there

struct scene {
	struct slots_rig *s;
	struct gather gather;
	char text[8192];
};

static struct scene *scene_new(unsigned n_lanes)
{
	struct scene *c = calloc(1, sizeof(*c));
	assert_non_null(c);
	c->s = slots_rig_new(n_lanes, URL_CLUSTER);
	gather_init(&c->gather, NULL, &c->s->rig->config, NULL);
	c->s->rig->route.gather = &c->gather;
	return c;
}

static void scene_free(struct scene *c)
{
	gather_fini(&c->gather);
	slots_rig_free(c->s);
	free(c);
}

static void turn(struct scene *c)
{
	if (route_turn(&c->s->rig->route, 5000) < 0)
		fail_msg("%s", c->s->rig->route.text);
}

// What the next turn gives to the lanes, with short names for temporary keys: {a}~0.
static const char *said(struct scene *c)
{
	char *to = c->text;
	turn(c);
	for (const char *p = slots_said(c->s); *p;) {
		char tag[8];
		int n = 0;
		if (sscanf(p, "__flyover:{%7[^}]}:gather:%n", tag, &n) == 1 && n) {
			to += sprintf(to, "~");
			p += n;
		} else {
			*to++ = *p++;
		}
	}
	*to = 0;
	return c->text;
}

// The markers of the slots that are read go, then their keys are asked for.
static void fenced(struct scene *c, const char *markers)
{
	assert_string_equal(said(c), markers);
	assert_int_equal(c->gather.state, GATHER_IDLE);
	assert_string_equal(said(c), "");
	assert_int_equal(c->gather.state, GATHER_ASKING);
}

static void hold(struct scene *c, const char *tag, uint64_t offset)
{
	struct route *r = &c->s->rig->route;
	r->held[key_slot(span_of(tag))] = offset;
	r->held_end = offset > r->held_end ? offset : r->held_end;
}

// The key that is asked for, answered. @param value  NOWHERE: there is none
static void answer(struct scene *c, unsigned i, const char *key, enum gather_how how,
		   const char *value, int64_t expire_at_ms)
{
	struct gather_key *k;
	assert_int_equal(c->gather.state, GATHER_ASKING);
	assert_true(i < c->gather.n_keys);
	k = &c->gather.keys[i];
	assert_int_equal(k->name_len, strlen(key));
	assert_memory_equal(k->name, key, k->name_len);
	assert_int_equal(k->how, how);
	k->exists = *value;
	k->value = strdup(value);
	k->value_len = strlen(value);
	k->expire_at_ms = expire_at_ms;
	if (i + 1 == c->gather.n_keys)
		c->gather.state = GATHER_READY;
}

static void renamed_from_slot_to_slot(void **state)
{
	struct scene *c = scene_new(1);
	slots_say(c->s, "SET {a}x 1");
	slots_say(c->s, "RENAME {a}k {b}k");
	slots_say(c->s, "SET {a}k 2");
	assert_string_equal(said(c), "{a} SET {a}x 1"); // the barrier
	fenced(c, "{a}! EXISTS {a}k");
	answer(c, 0, "{a}k", GATHER_VALUE, "payload", 4102444800000);
	assert_string_equal(said(c), "{b}! RESTORE ~0 4102444800000 payload REPLACE ABSTTL|"
				     "{b}+ RENAME ~0 {b}k|{b}+ DEL ~0");
	assert_string_equal(said(c), "{a}! RENAME {a}k ~1|{a}+ DEL ~1|{a} SET {a}k 2");
	assert_int_equal(c->gather.state, GATHER_IDLE);
	assert_int_equal(slots_fates(c->s), 3);
	assert_int_equal(counter_get(&c->s->rig->counters.gathered_commands), 1);
	scene_free(c);
}

static void nothing_is_read_before_the_lanes_have_answered(void **state)
{
	struct scene *c = scene_new(4);
	struct rig *r = c->s->rig;
	slots_say(c->s, "SET {a}x 1");
	slots_say(c->s, "SET {b}x 1");
	slots_say(c->s, "SUNIONSTORE {a}d {b}s");
	turn(c);
	turn(c);
	assert_int_equal(c->gather.state, GATHER_IDLE);
	assert_non_null(rig_ready(r, 0));
	rig_answer(r, 0);
	rig_frontier(r);
	turn(c);
	assert_int_equal(c->gather.state, GATHER_IDLE); // lane 3 has not
	assert_non_null(rig_ready(r, 3));
	rig_answer(r, 3);
	rig_frontier(r);
	fenced(c, "0:{b}! EXISTS {b}s");
	answer(c, 0, "{b}s", GATHER_VALUE, "set", -1);
	turn(c);
	assert_true(r->place.feeds[3].n_out);
	turn(c);
	assert_null(r->place.feeds[0].open); // the other waits for the destination's answer
	assert_string_equal(said(c), "3:{a}! RESTORE ~1 0 set REPLACE ABSTTL|"
				     "3:{a}+ SUNIONSTORE {a}d ~1|3:{a}+ DEL ~1");
	assert_string_equal(said(c), "0:{b}! EXISTS {b}s");
	scene_free(c);
}

// What is before the command, and nothing of it.
static void markers_say_where_it_begins(void **state)
{
	struct scene *c = scene_new(1);
	struct rig *r = c->s->rig;
	slots_say(c->s, "SET {c}x 1");
	uint64_t begin = c->s->len;
	slots_say(c->s, "RENAME {a}k {b}k");
	assert_string_equal(said(c), "{c} SET {c}x 1");
	turn(c);
	const struct batch *b = rig_ready(r, 0);
	assert_int_equal(b->n_items, 1);
	assert_int_equal(b->items[0].offset + 1, begin);
	assert_int_equal(b->marker.offset, begin);
	assert_string_equal(said(c), "{a}! EXISTS {a}k");
	turn(c);
	assert_int_equal(c->gather.fence.offset, begin);
	assert_int_equal(c->gather.fence.run, r->lanes[0].run);
	hold(c, "{a}", begin); // we die here: nothing of it is held
	assert_string_equal(said(c), "");
	answer(c, 0, "{a}k", GATHER_VALUE, "v", -1);
	assert_non_null(strstr(said(c), "RENAME"));
	scene_free(c);
}

static void without_markers_keys_are_read_at_once(void **state)
{
	struct scene *c = scene_new(1);
	c->s->rig->config.settings.delivery = DELIVERY_AT_LEAST_ONCE;
	slots_say(c->s, "SET {c}x 1");
	slots_say(c->s, "RENAME {a}k {b}k");
	assert_string_equal(said(c), "{c} SET {c}x 1");
	turn(c);
	turn(c);
	assert_int_equal(c->gather.state, GATHER_ASKING);
	assert_int_equal(c->gather.fence.offset, 0);
	scene_free(c);
}

static void keys_of_the_destinations_slot_stay_where_they_are(void **state)
{
	struct scene *c = scene_new(1);
	slots_say(c->s, "ZUNIONSTORE {a}d 3 {b}x {a}y {c}z WEIGHTS 1 2 3");
	fenced(c, "{b}! EXISTS {b}x|{c}! EXISTS {c}z");
	answer(c, 0, "{b}x", GATHER_VALUE, NOWHERE, -1);
	answer(c, 1, "{c}z", GATHER_VALUE, "zset", -1);
	assert_string_equal(said(c),
			    "{a}! RESTORE ~3 0 zset REPLACE ABSTTL|"
			    "{a}+ ZUNIONSTORE {a}d 3 ~1 {a}y ~3 WEIGHTS 1 2 3|{a}+ DEL ~3");
	assert_string_equal(said(c), "{b}! EXISTS {b}x|{c}! EXISTS {c}z");
	scene_free(c);
}

static void a_list_move_takes_one_element(void **state)
{
	static const struct {
		const char *line, *first, *then;
		enum gather_how how;
	} rows[] = {
		{"RPOPLPUSH {a}l {b}l", "RPOPLPUSH ~0 {b}l", "RPOPLPUSH {a}l ~1", GATHER_LAST},
		{"BRPOPLPUSH {a}l {b}l 0", "RPOPLPUSH ~0 {b}l", "RPOPLPUSH {a}l ~1", GATHER_LAST},
		{"LMOVE {a}l {b}l LEFT RIGHT", "LMOVE ~0 {b}l LEFT RIGHT",
		 "LMOVE {a}l ~1 LEFT RIGHT", GATHER_FIRST},
		{"BLMOVE {a}l {b}l RIGHT LEFT 0", "LMOVE ~0 {b}l RIGHT LEFT",
		 "LMOVE {a}l ~1 RIGHT LEFT", GATHER_LAST},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scene *c = scene_new(1);
		char want[256];
		slots_say(c->s, rows[i].line);
		fenced(c, "{a}! EXISTS {a}l");
		answer(c, 0, "{a}l", rows[i].how, "element", -1);
		snprintf(want, sizeof(want), "{b}! RPUSH ~0 element|{b}+ %s|{b}+ DEL ~0",
			 rows[i].first);
		assert_string_equal(said(c), want);
		snprintf(want, sizeof(want), "{a}! %s|{a}+ DEL ~1", rows[i].then);
		assert_string_equal(said(c), want);
		scene_free(c);
	}
}

static void a_member_moves_by_two_commands(void **state)
{
	struct scene *c = scene_new(1);
	slots_say(c->s, "SMOVE {a}s {b}s m");
	assert_string_equal(said(c), "{b} SADD {b}s m|{a} SREM {a}s m");
	slots_say(c->s, "MULTI");
	slots_say(c->s, "SMOVE {a}s {b}s m");
	slots_say(c->s, "SADD {b}s n");
	slots_say(c->s, "EXEC");
	assert_string_equal(said(c), "{b}* SADD {b}s m|{b}+ SADD {b}s n|{a} SREM {a}s m");
	assert_int_equal(slots_fates(c->s), 5);
	scene_free(c);
}

static void destinations_are_found(void **state)
{
	static const struct {
		const char *line, *unit;
	} rows[] = {
		{"COPY {a}k {b}k", "{b}! COPY ~0 {b}k REPLACE"},
		{"SORT {a}k LIMIT 0 5 STORE {b}k", "{b}! SORT ~0 LIMIT 0 5 STORE {b}k"},
		{"BITOP AND {b}k {a}k", "{b}! BITOP AND {b}k ~1"},
		{"PFMERGE {b}k {a}k", "{b}! PFMERGE {b}k ~1"},
		{"ZRANGESTORE {b}k {a}k 0 -1", "{b}! ZRANGESTORE {b}k ~1 0 -1"},
		{"GEORADIUS {a}k 1 2 3 m STORE {b}k", "{b}! GEORADIUS ~0 1 2 3 m STORE {b}k"},
		{"RENAMENX {a}k {b}k", "{b}! RENAME ~0 {b}k"},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scene *c = scene_new(1);
		slots_say(c->s, rows[i].line);
		fenced(c, "{a}! EXISTS {a}k");
		answer(c, 0, "{a}k", GATHER_VALUE, NOWHERE, -1);
		assert_string_equal(said(c), rows[i].unit);
		scene_free(c);
	}
}

static void a_transaction_with_such_a_command_goes_step_by_step(void **state)
{
	struct scene *c = scene_new(1);
	slots_say(c->s, "MULTI");
	slots_say(c->s, "SET {a}k 1");
	slots_say(c->s, "RENAME {a}k {b}k");
	slots_say(c->s, "INCR {b}k");
	turn(c);
	assert_string_equal(said(c), ""); // its end is yet to come
	slots_say(c->s, "EXEC");
	assert_string_equal(said(c), "{a} SET {a}k 1");
	fenced(c, "{a}! EXISTS {a}k");
	answer(c, 0, "{a}k", GATHER_VALUE, "one", -1);
	assert_string_equal(said(c), "{b}! RESTORE ~0 0 one REPLACE ABSTTL|{b}+ RENAME ~0 {b}k|"
				     "{b}+ DEL ~0");
	assert_string_equal(said(c), "{a}! RENAME {a}k ~1|{a}+ DEL ~1|{b}! INCR {b}k");
	assert_int_equal(counter_get(&c->s->rig->counters.split_transactions), 1);
	assert_int_equal(counter_get(&c->s->rig->counters.received_commands), 5);
	scene_free(c);
}

// ---- After a crash

static void a_destination_that_is_held_leaves_the_rest_to_do(void **state)
{
	struct scene *c = scene_new(1);
	hold(c, "{b}", 1);
	slots_say(c->s, "RENAME {a}k {b}k");
	assert_string_equal(said(c), "{a}! RENAME {a}k ~1|{a}+ DEL ~1");
	assert_int_equal(slots_fates(c->s), 1);
	scene_free(c);
	c = scene_new(1);
	hold(c, "{a}", 1);
	hold(c, "{b}", 1);
	slots_say(c->s, "SUNIONSTORE {a}d {b}x {c}y");
	assert_string_equal(said(c), "{c}! EXISTS {c}y");
	assert_int_equal(c->gather.state, GATHER_IDLE);
	scene_free(c);
	c = scene_new(1);
	hold(c, "{a}", 1);
	hold(c, "{b}", 1);
	slots_say(c->s, "RENAME {a}k {b}k");
	assert_string_equal(said(c), ""); // all of it is
	assert_int_equal(counter_get(&c->s->rig->counters.filtered_commands), 1);
	scene_free(c);
}

static void a_destination_that_went_back_wants_a_full_sync(void **state)
{
	struct scene *c = scene_new(1);
	hold(c, "{a}", 1);
	slots_say(c->s, "RENAME {a}k {b}k");
	assert_int_equal(route_turn(&c->s->rig->route, 5000), -1);
	assert_non_null(strstr(c->s->rig->route.resync, "went back"));
	scene_free(c);
}

static void a_stream_that_begins_anew_forgets_what_was_read(void **state)
{
	struct scene *c = scene_new(1);
	slots_say(c->s, "RENAME {a}k {b}k");
	fenced(c, "{a}! EXISTS {a}k");
	answer(c, 0, "{a}k", GATHER_VALUE, "old", -1);
	assert_non_null(strstr(said(c), " old "));
	route_reset(&c->s->rig->route, 0, 0); // before the others
	assert_int_equal(c->gather.state, GATHER_IDLE);
	fenced(c, "{a}! EXISTS {a}k");
	answer(c, 0, "{a}k", GATHER_VALUE, "new", -1);
	assert_non_null(strstr(said(c), " new "));
	scene_free(c);
}

// ---- Limits

static void what_cannot_be_brought_together_is_parked(void **state)
{
	struct scene *c = scene_new(1);
	char line[3000];
	int n = sprintf(line, "RENAME {a}");
	memset(line + n, 'k', 1100);
	sprintf(line + n + 1100, " {b}k");
	slots_say(c->s, line);
	assert_string_equal(said(c), "parked");
	c->s->rig->route.gather = NULL;
	slots_say(c->s, "RENAME {a}k {b}k");
	assert_string_equal(said(c), "parked");
	scene_free(c);
}

static void a_failed_read_ends_the_route(void **state)
{
	struct scene *c = scene_new(1);
	slots_say(c->s, "RENAME {a}k {b}k");
	fenced(c, "{a}! EXISTS {a}k");
	c->gather.state = GATHER_FAILED;
	c->gather.error = ERROR_NOPERM;
	strcpy(c->gather.text, "no");
	assert_int_equal(route_turn(&c->s->rig->route, 5000), -1);
	assert_int_equal(c->s->rig->route.error, ERROR_NOPERM);
	scene_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(renamed_from_slot_to_slot),
		cmocka_unit_test(nothing_is_read_before_the_lanes_have_answered),
		cmocka_unit_test(markers_say_where_it_begins),
		cmocka_unit_test(without_markers_keys_are_read_at_once),
		cmocka_unit_test(keys_of_the_destinations_slot_stay_where_they_are),
		cmocka_unit_test(a_list_move_takes_one_element),
		cmocka_unit_test(a_member_moves_by_two_commands),
		cmocka_unit_test(destinations_are_found),
		cmocka_unit_test(a_transaction_with_such_a_command_goes_step_by_step),
		cmocka_unit_test(a_destination_that_is_held_leaves_the_rest_to_do),
		cmocka_unit_test(a_destination_that_went_back_wants_a_full_sync),
		cmocka_unit_test(a_stream_that_begins_anew_forgets_what_was_read),
		cmocka_unit_test(what_cannot_be_brought_together_is_parked),
		cmocka_unit_test(a_failed_read_ends_the_route),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
