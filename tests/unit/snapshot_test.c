// SPDX-License-Identifier: BSD-3-Clause
// From the values of a snapshot to what targets of each version are sent.
#include "parsers/cluster.h"
#include "tests/unit/snapshot_rig.h"
#include "tests/unit/stream_body.h"
#include "tests/unit/test.h"

static const struct rdb_write_attrs far = {FAR_MS, -1, -1};
static const struct rdb_write_attrs hints = {FAR_MS, 7, -1};

// ---- Values

static void string_write(struct snapshot_rig *s)
{
	rdb_write_key(&s->rdb, 0, SPAN_LIT("string"), &far);
	rdb_write_str(&s->rdb, SPAN_LIT("value"));
}

static void zset_write(struct snapshot_rig *s)
{
	rdb_write_key(&s->rdb, 5, SPAN_LIT("zset"), &RDB_WRITE_NO_ATTRS);
	rdb_write_len(&s->rdb, 2);
	rdb_write_str(&s->rdb, SPAN_LIT("a"));
	rdb_write_double(&s->rdb, 1.5);
	rdb_write_str(&s->rdb, SPAN_LIT("b"));
	rdb_write_double(&s->rdb, 2);
}

static void hash_write(struct snapshot_rig *s, const char *key, unsigned n)
{
	char name[16];
	rdb_write_key(&s->rdb, 4, span_of(key), &hints);
	rdb_write_len(&s->rdb, n);
	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "field%u", i);
		rdb_write_str(&s->rdb, span_of(name));
		rdb_write_str(&s->rdb, SPAN_LIT("v"));
	}
}

// A listpack of short strings.
static void packed_hash_write(struct snapshot_rig *s)
{
	static const char pack[] = "\x11\0\0\0\x02\0\x85"
				   "field\x06\x81"
				   "v\x02\xff";
	rdb_write_key(&s->rdb, 16, SPAN_LIT("packed"), &far);
	rdb_write_plain(&s->rdb, (struct span){pack, 17});
}

// Fields a (no expiry), b (far away), c (long ago).
static void field_ttl_write(struct snapshot_rig *s, bool valkey)
{
	rdb_write_key(&s->rdb, valkey ? 22 : 24, SPAN_LIT("fields"), &RDB_WRITE_NO_ATTRS);
	if (!valkey)
		rdb_write_le64(&s->rdb, 1000);
	rdb_write_len(&s->rdb, 3);
	for (int i = 0; i < 3; i++) {
		static const uint64_t at_ms[] = {0, FAR_MS, 1000};
		static const char *const names[] = {"a", "b", "c"};
		if (!valkey)
			rdb_write_len(&s->rdb, at_ms[i] ? at_ms[i] - 1000 + 1 : 0);
		rdb_write_str(&s->rdb, span_of(names[i]));
		rdb_write_str(&s->rdb, SPAN_LIT("v"));
		if (valkey)
			rdb_write_le64(&s->rdb, at_ms[i] ? at_ms[i] : UINT64_MAX);
	}
}

static void stream_write(struct snapshot_rig *s, struct stream_body body)
{
	rdb_write_key(&s->rdb, body.type, SPAN_LIT("stream"), &RDB_WRITE_NO_ATTRS);
	stream_body_write(&s->rdb, &body);
}

static void array_write(struct snapshot_rig *s, unsigned n)
{
	char value[100];
	memset(value, 'x', sizeof(value));
	rdb_write_key(&s->rdb, 28, SPAN_LIT("array"), &RDB_WRITE_NO_ATTRS);
	rdb_write_len(&s->rdb, n);
	rdb_write_len(&s->rdb, 0); // no cursor
	for (unsigned i = 0; i < n; i++) {
		value[0] = (char)('a' + i % 26);
		rdb_write_len(&s->rdb, i);
		rdb_write_len(&s->rdb, 3); // a string
		rdb_write_plain(&s->rdb, (struct span){value, sizeof(value)});
	}
}

// ---- What is said

static void assert_says(struct snapshot_rig *s, const char *version, const char *expected)
{
	const char *said = snapshot_rig_run(s, version, UINT32_MAX);
	if (strcmp(said, expected))
		fail_msg("to %s: %s", version, said);
	assert_int_equal(s->rc, 0);
}

// All four to one target.
static void assert_values_become(const char *version, const char *expected)
{
	struct snapshot_rig *s = snapshot_rig_new("REDIS0010", 100);
	string_write(s);
	zset_write(s);
	hash_write(s, "hash", 1);
	packed_hash_write(s);
	assert_says(s, version, expected);
	assert_int_equal(counter_get(&s->rig->counters.snapshot_keys), 4);
	assert_int_equal(counter_get(&s->rig->counters.snapshot_unfit), 0);
	snapshot_rig_free(s);
}

static void values_are_said_in_the_words_of_the_target(void **state)
{
	assert_values_become("redis 2.8.24", "{\n SET string value\n"
					     " PEXPIREAT string 4102444800000\n"
					     " DEL zset\n ZADD zset 1.5 a 2 b\n"
					     " DEL hash\n RESTORE hash 0 <4 v6>\n"
					     " PEXPIREAT hash 4102444800000\n"
					     " DEL packed\n HMSET packed field v\n"
					     " PEXPIREAT packed 4102444800000\n}\n");
	assert_values_become("redis 4.0.14", "{\n SET string value\n"
					     " PEXPIREAT string 4102444800000\n"
					     " RESTORE zset 0 <5 v8> REPLACE\n"
					     " RESTORE hash 0 <4 v6> REPLACE\n"
					     " PEXPIREAT hash 4102444800000\n"
					     " DEL packed\n HSET packed field v\n"
					     " PEXPIREAT packed 4102444800000\n}\n");
	assert_values_become("redis 6.0.20",
			     "{\n SET string value\n"
			     " PEXPIREAT string 4102444800000\n"
			     " RESTORE zset 0 <5 v8> REPLACE ABSTTL\n"
			     " RESTORE hash 4102444800000 <4 v6> REPLACE ABSTTL IDLETIME 7\n"
			     " DEL packed\n HSET packed field v\n"
			     " PEXPIREAT packed 4102444800000\n}\n");
	assert_values_become("valkey 8.0.1",
			     " SET string value PXAT 4102444800000\n"
			     " RESTORE zset 0 <5 v8> REPLACE ABSTTL\n"
			     " RESTORE hash 4102444800000 <4 v6> REPLACE ABSTTL IDLETIME 7\n"
			     " RESTORE packed 4102444800000 <16 v10> REPLACE ABSTTL\n");
}

static void a_target_that_does_not_tell_gets_what_the_newest_takes(void **state)
{
	assert_values_become("", " SET string value PXAT 4102444800000\n"
				 " RESTORE zset 0 <5 v8> REPLACE ABSTTL\n"
				 " RESTORE hash 4102444800000 <4 v6> REPLACE ABSTTL IDLETIME 7\n"
				 " RESTORE packed 4102444800000 <16 v10> REPLACE ABSTTL\n");
}

static void streams_go_as_the_type_that_the_target_has(void **state)
{
	static const struct {
		const char *target, *says;
		unsigned n_producers, degraded;
	} cases[] = {
		{"redis 5.0.14", "{\n RESTORE stream 0 <15 v9> REPLACE ABSTTL\n}\n", 0, 0},
		{"redis 7.0.15", "{\n RESTORE stream 0 <19 v10> REPLACE ABSTTL\n}\n", 0, 0},
		{"valkey 9.0.4", "{\n RESTORE stream 0 <21 v11> REPLACE ABSTTL\n}\n", 1, 1},
		{"redis 8.6.0", "{\n RESTORE stream 0 <26 v13> REPLACE ABSTTL\n}\n", 1, 0},
		{"redis 8.8.0", " RESTORE stream 0 <27 v14> REPLACE ABSTTL\n", 1, 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct snapshot_rig *s = snapshot_rig_new("REDIS0014", 100);
		stream_write(s, (struct stream_body){27, 0, cases[i].n_producers});
		assert_says(s, cases[i].target, cases[i].says);
		assert_int_equal(counter_get(&s->rig->counters.degraded), cases[i].degraded);
		snapshot_rig_free(s);
	}
}

static void field_expiries_go_where_there_are_such(void **state)
{
	static const char pieces[] = "{\n DEL __flyover:big:0\n HSET __flyover:big:0 a v\n"
				     " HSET __flyover:big:0 b v\n"
				     " HPEXPIREAT __flyover:big:0 4102444800000 FIELDS 1 b\n"
				     " RENAME __flyover:big:0 fields\n}\n";
	struct snapshot_rig *s = snapshot_rig_new("REDIS0012", 100);
	field_ttl_write(s, false);
	assert_says(s, "valkey 9.0.4", pieces);
	snapshot_rig_free(s);
	s = snapshot_rig_new("VALKEY080", 100);
	field_ttl_write(s, true);
	assert_says(s, "redis 8.0.2", pieces);
	snapshot_rig_free(s);
	s = snapshot_rig_new("VALKEY080", 100);
	field_ttl_write(s, true);
	assert_says(s, "valkey 9.0.4", " RESTORE fields 0 <22 v80> REPLACE ABSTTL\n");
	snapshot_rig_free(s);
}

static void field_expiries_are_left_out_where_that_was_asked_for(void **state)
{
	struct snapshot_rig *s = snapshot_rig_new("REDIS0012", 100);
	s->rig->config.settings.field_ttl = FIELD_TTL_DROP;
	field_ttl_write(s, false);
	// What expired before the snapshot was taken is not there any more.
	assert_says(s, "redis 7.2.4", "{\n DEL fields\n HSET fields a v b v\n}\n");
	assert_int_equal(counter_get(&s->rig->counters.degraded), 1);
	assert_int_equal(counter_get(&s->rig->counters.snapshot_unfit), 0);
	snapshot_rig_free(s);
}

// ---- What cannot be held

static char *parked_read(struct snapshot_rig *s)
{
	FILE *f = fopen(s->park.path, "r");
	char *line = NULL;
	size_t max = 0;
	assert_non_null(f);
	assert_true(getline(&line, &max, f) > 0);
	assert_int_equal(fgetc(f), EOF); // there is one
	fclose(f);
	return line;
}

static void assert_parks(struct snapshot_rig *s, const char *version, const char *head,
			 bool has_command)
{
	assert_says(s, version, "");
	assert_int_equal(counter_get(&s->rig->counters.snapshot_unfit), 1);
	assert_int_equal(counter_get(&s->rig->counters.degraded), 0);
	char *line = parked_read(s);
	if (!strstr(line, head) || !strstr(line, "\"command\":\"\"") != has_command)
		fail_msg("parked: %s", line);
	free(line);
	snapshot_rig_free(s);
}

static void what_cannot_be_held_is_parked_with_its_reason(void **state)
{
	struct snapshot_rig *s = snapshot_rig_new("REDIS0010", 100);
	stream_write(s, (struct stream_body){19, 0, 0});
	assert_parks(s, "redis 4.0.14",
		     "\"verb\":\"RESTORE\",\"key\":\"stream\",\"reason\":\"redis 4.0.14 has no "
		     "streams\",\"command\":\"KjYN",
		     true); // *6: RESTORE key ttl payload REPLACE ABSTTL
	s = snapshot_rig_new("REDIS0014", 100);
	stream_write(s, (struct stream_body){27, 1, 0});
	assert_parks(s, "redis 8.6.0", "redis 8.6.0 has no pending entries without a consumer",
		     true);
	s = snapshot_rig_new("REDIS0012", 100);
	field_ttl_write(s, false);
	assert_parks(s, "valkey 8.1.1", "valkey 8.1.1 has no expiries of hash fields", true);
	s = snapshot_rig_new("VALKEY080", 100);
	field_ttl_write(s, true);
	assert_parks(s, "redis 7.2.4", "redis 7.2.4 has no expiries of hash fields", true);
	s = snapshot_rig_new("REDIS0014", 100);
	array_write(s, 3);
	assert_parks(s, "valkey 9.0.4", "valkey 9.0.4 has no arrays", true);
	s = snapshot_rig_new("REDIS0010", 100);
	rdb_write_function(&s->rdb, SPAN_LIT("#!lua name=lib\nreturn 1"));
	assert_parks(s, "redis 6.2.14",
		     "\"verb\":\"FUNCTION\",\"key\":\"lib\",\"reason\":\"redis 6.2.14 has no "
		     "functions\"",
		     true);
}

static void of_a_large_value_that_cannot_be_held_the_name_is_kept(void **state)
{
	struct snapshot_rig *s = snapshot_rig_new("REDIS0014", 100);
	array_write(s, 100);
	assert_parks(
		s, "redis 8.6.0",
		"\"verb\":\"ARMSET\",\"key\":\"array\",\"reason\":\"redis 8.6.0 has no arrays\"",
		false);
}

static void on_error_stop_ends_the_link_at_the_first_of_them(void **state)
{
	struct snapshot_rig *s = snapshot_rig_new("REDIS0010", 100);
	s->rig->config.settings.on_error = ON_ERROR_STOP;
	stream_write(s, (struct stream_body){19, 0, 0});
	snapshot_rig_run(s, "redis 4.0.14", UINT32_MAX);
	assert_int_equal(s->rc, -1);
	assert_int_equal(s->snapshot.error, ERROR_TARGET_REFUSES);
	assert_string_equal(s->snapshot.text, "the target cannot hold \"stream\" of the snapshot: "
					      "redis 4.0.14 has no streams");
	snapshot_rig_free(s);
}

// ---- Large ones

// The same commands, whatever the lane has room for.
static void a_full_lane_neither_loses_nor_repeats(void **state)
{
	char *said[2];
	for (int slow = 0; slow < 2; slow++) {
		struct snapshot_rig *s = snapshot_rig_new("REDIS0012", 1);
		for (unsigned i = 0; i < 200; i++) {
			char key[16];
			snprintf(key, sizeof(key), "hash%u", i);
			hash_write(s, key, i % 5 ? 2 : 400);
			if (i % 10 == 0)
				field_ttl_write(s, false);
			if (i % 7 == 0)
				zset_write(s);
		}
		s->rig->config.settings.field_ttl = FIELD_TTL_DROP;
		said[slow] = strdup(snapshot_rig_run(s, "redis 2.8.24", slow ? 1 : UINT32_MAX));
		assert_int_equal(s->rc, 0);
		snapshot_rig_free(s);
	}
	assert_true(strlen(said[0]) > 10000);
	assert_string_equal(said[0], said[1]);
	free(said[0]);
	free(said[1]);
}

static void a_large_value_grows_under_another_name(void **state)
{
	struct snapshot_rig *s = snapshot_rig_new("REDIS0010", 100);
	hash_write(s, "large", 1000);
	const char *said = snapshot_rig_run(s, "redis 3.2.12", UINT32_MAX);
	// 8 KB of the file, which fit one command.
	assert_non_null(strstr(said, "{\n DEL large\n HMSET large field0 v field1 v"));
	assert_non_null(strstr(said, " PEXPIREAT large 4102444800000\n}\n"));
	snapshot_rig_free(s);
	s = snapshot_rig_new("REDIS0010", 100);
	hash_write(s, "large", 4000);
	said = snapshot_rig_run(s, "redis 3.2.12", UINT32_MAX);
	const char *del = strstr(said, " DEL __flyover:big:0\n");
	const char *first = strstr(said, " HMSET __flyover:big:0 field0 v");
	const char *last = strstr(said, " HMSET __flyover:big:0 field3");
	const char *end = strstr(said, " PEXPIREAT __flyover:big:0 4102444800000\n"
				       " RENAME __flyover:big:0 large\n}\n");
	assert_true(del && first && last && end);
	assert_true(del < first && first < last && last < end);
	assert_null(strstr(said, " DEL large"));
	snapshot_rig_free(s);
}

// A stream without entries that is large for its producers, in pieces.
static void a_large_stream_is_said_in_the_words_of_the_target(void **state)
{
	static const struct {
		const char *target, *counters, *group, *consumer, *pending;
	} cases[] = {
		{"redis 5.0.14", " XSETID __flyover:big:0 90-91\n",
		 " XGROUP CREATE __flyover:big:0 a group 70-71\n",
		 " XREADGROUP GROUP a group idle COUNT 1 STREAMS __flyover:big:0 0\n",
		 " XCLAIM __flyover:big:0 a group busy 0 1-0 TIME 1700000000000 RETRYCOUNT 1 FORCE "
		 "JUSTID\n"},
		{"redis 6.2.14", " XSETID __flyover:big:0 90-91\n",
		 " XGROUP CREATE __flyover:big:0 a group 70-71\n",
		 " XGROUP CREATECONSUMER __flyover:big:0 a group idle\n",
		 " XCLAIM __flyover:big:0 a group busy 0 2-0 TIME 1700000000001 RETRYCOUNT 2 FORCE "
		 "JUSTID\n"},
		{"valkey 8.1.1",
		 " XSETID __flyover:big:0 90-91 ENTRIESADDED 96 MAXDELETEDID 94-95\n",
		 " XGROUP CREATE __flyover:big:0 a group 70-71 ENTRIESREAD 72\n",
		 " XGROUP CREATECONSUMER __flyover:big:0 a group idle\n", NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct snapshot_rig *s = snapshot_rig_new("REDIS0013", 100);
		stream_write(s, (struct stream_body){26, 0, 400});
		const char *said = snapshot_rig_run(s, cases[i].target, UINT32_MAX);
		const char *parts[] = {" XADD __flyover:big:0 MAXLEN 0 90-91 x y\n",
				       cases[i].counters, cases[i].group, cases[i].consumer,
				       " RENAME __flyover:big:0 stream\n"};
		for (size_t k = 0; k < sizeof(parts) / sizeof(*parts); k++)
			if (!strstr(said, parts[k]))
				fail_msg("to %s, without %s: %s", cases[i].target, parts[k], said);
		if (cases[i].pending ? !strstr(said, cases[i].pending) : !!strstr(said, "XCLAIM"))
			fail_msg("pending, to %s: %s", cases[i].target, said);
		// The producers, and from 7.0 on what is pending of what is gone.
		assert_int_equal(counter_get(&s->rig->counters.degraded), 1);
		snapshot_rig_free(s);
	}
}

// ---- A cluster

// What of a batch goes as which unit: a line an item, as slots_rig.h has it.
static void units_say(FILE *f, const struct batch *b)
{
	for (unsigned i = 0; i < b->n_items; i++) {
		const struct batch_item *item = &b->items[i];
		bool joined = item->flags & ITEM_JOINED, fenced = item->flags & ITEM_FENCED;
		fprintf(f, "%u%s", item->slot,
			joined        ? "+"
			: fenced      ? "!"
			: item->flags ? "*"
				      : "");
		rig_item_say(f, b, i);
	}
}

static void to_cluster(struct snapshot_rig *s, const char *version)
{
	const struct batch *b;
	struct server_version v = rig_version(version);
	s->snapshot.is_cluster = true;
	assert_int_equal(rdb_write_eof(&s->rdb), 0);
	snapshot_init(&s->snapshot, &s->rig->log, &s->rig->place, &s->rig->counters, &s->keys,
		      &s->holds, &s->park);
	assert_int_equal(snapshot_begin(&s->snapshot, &s->rig->config.settings, &v), 0);
	assert_int_equal(rig_receive(s->rig, s->bytes, s->rdb.len), s->rdb.len);
	for (s->rc = 1; s->rc >= 0 && !s->snapshot.done;) {
		s->rc = snapshot_turn(&s->snapshot, 1700000000000);
		place_flush(&s->rig->place, s->snapshot.position, 0, true, 0);
		for (; (b = rig_ready(s->rig, 0)); rig_answer(s->rig, 0))
			units_say(s->said_file, b);
		place_collect(&s->rig->place);
	}
	fflush(s->said_file);
}

static void values_go_to_the_slot_of_their_key(void **state)
{
	char want[200];
	unsigned string = key_slot(SPAN_LIT("string")), zset = key_slot(SPAN_LIT("zset"));
	struct snapshot_rig *s = snapshot_rig_new("REDIS0010", 128);
	string_write(s);
	zset_write(s);
	to_cluster(s, "redis 7.0.15");
	snprintf(
		want, sizeof(want),
		"%u SET string value PXAT 4102444800000\n%u RESTORE zset 0 <5 v8> REPLACE ABSTTL\n",
		string, zset);
	assert_string_equal(s->said, want);
	snapshot_rig_free(s);
	s = snapshot_rig_new("REDIS0010", 128);
	string_write(s);
	zset_write(s);
	to_cluster(s, "redis 4.0.14"); // in several words, which belong together
	snprintf(want, sizeof(want),
		 "%u* SET string value\n%u+ PEXPIREAT string 4102444800000\n"
		 "%u RESTORE zset 0 <5 v8> REPLACE\n",
		 string, string, zset);
	assert_string_equal(s->said, want);
	snapshot_rig_free(s);
}

static void pieces_lie_in_the_slot_of_their_key(void **state)
{
	struct snapshot_rig *s = snapshot_rig_new("REDIS0010", 128);
	unsigned slot = key_slot(SPAN_LIT("large")), lines = 0;
	char unit[16], name[80];
	hash_write(s, "large", 6000);
	to_cluster(s, "redis 7.0.15");
	int n = snprintf(unit, sizeof(unit), "%u! ", slot);
	snprintf(name, sizeof(name), "__flyover:{%s}:big:0", cluster_tag((uint16_t)slot));
	for (const char *p = s->said; *p; p = strchr(p, '\n') + 1, lines++) {
		assert_memory_equal(p, unit, n);
		assert_true(strstr(p, name) < strchr(p, '\n'));
	}
	assert_in_range(lines, 4, 10);
	assert_non_null(strstr(s->said, "RENAME __flyover:{"));
	snapshot_rig_free(s);
}

static void other_databases_than_0_end_the_link(void **state)
{
	struct snapshot_rig *s = snapshot_rig_new("REDIS0010", 128);
	rdb_write_selectdb(&s->rdb, 5);
	string_write(s);
	to_cluster(s, "redis 7.0.15");
	assert_int_equal(s->rc, -1);
	assert_int_equal(s->snapshot.error, ERROR_DATABASE);
	assert_non_null(strstr(s->snapshot.text, "database 5"));
	snapshot_rig_free(s);
	s = snapshot_rig_new("REDIS0010", 128);
	rdb_write_selectdb(&s->rdb, 5);
	string_write(s);
	db_map_one(&s->snapshot.dbs, 5, 0);
	to_cluster(s, "redis 7.0.15");
	assert_non_null(strstr(s->said, " SET string value"));
	snapshot_rig_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_said_in_the_words_of_the_target),
		cmocka_unit_test(a_target_that_does_not_tell_gets_what_the_newest_takes),
		cmocka_unit_test(streams_go_as_the_type_that_the_target_has),
		cmocka_unit_test(field_expiries_go_where_there_are_such),
		cmocka_unit_test(field_expiries_are_left_out_where_that_was_asked_for),
		cmocka_unit_test(what_cannot_be_held_is_parked_with_its_reason),
		cmocka_unit_test(of_a_large_value_that_cannot_be_held_the_name_is_kept),
		cmocka_unit_test(on_error_stop_ends_the_link_at_the_first_of_them),
		cmocka_unit_test(a_full_lane_neither_loses_nor_repeats),
		cmocka_unit_test(a_large_value_grows_under_another_name),
		cmocka_unit_test(a_large_stream_is_said_in_the_words_of_the_target),
		cmocka_unit_test(values_go_to_the_slot_of_their_key),
		cmocka_unit_test(pieces_lie_in_the_slot_of_their_key),
		cmocka_unit_test(other_databases_than_0_end_the_link),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
