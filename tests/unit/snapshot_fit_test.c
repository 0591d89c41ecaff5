// SPDX-License-Identifier: BSD-3-Clause
// What becomes of each value type at each target: the decision, the verbs, the reason.
#include <stdio.h>

#include "parsers/rdb_fit.h"
#include "parsers/rdb_types.h"
#include "tests/unit/test.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const char *const targets[] = {
	"redis 2.8.24", "redis 3.2.12", "redis 4.0.14", "redis 5.0.14", "redis 6.2.14",
	"redis 7.0.15", "redis 7.2.4",  "valkey 7.2.7", "valkey 8.1.1", "redis 7.4.1",
	"redis 8.6.0",  "redis 8.8.0",  "redis 8.10.0", "valkey 9.0.4", "valkey 9.2.0",
};

// A letter a target: r raw, o as an older type, e as elements, - not at all.
static const struct row {
	enum rdb_magic magic;
	uint8_t type;
	const char *keeps, *drops; // field_ttl; NULL: the same
} rows[] = {
	{RDB_MAGIC_REDIS, 0, "rrrrrrrrrrrrrrr", NULL},
	{RDB_MAGIC_REDIS, 1, "rrrrrrrrrrrrrrr", NULL},
	{RDB_MAGIC_REDIS, 3, "rrrrrrrrrrrrrrr", NULL},
	{RDB_MAGIC_REDIS, 4, "rrrrrrrrrrrrrrr", NULL},
	{RDB_MAGIC_REDIS, 5, "eerrrrrrrrrrrrr", NULL},
	{RDB_MAGIC_REDIS, 7, "--rrrrrrrrrrrrr", NULL},
	{RDB_MAGIC_REDIS, 9, "rrrrrrrrrrrrrrr", NULL},
	{RDB_MAGIC_REDIS, 13, "rrrrrrrrrrrrrrr", NULL},
	{RDB_MAGIC_REDIS, 14, "errrrrrrrrrrrrr", NULL},
	{RDB_MAGIC_REDIS, 15, "---rrrrrrrrrrrr", NULL},
	{RDB_MAGIC_REDIS, 16, "eeeeerrrrrrrrrr", NULL},
	{RDB_MAGIC_REDIS, 17, "eeeeerrrrrrrrrr", NULL},
	{RDB_MAGIC_REDIS, 18, "eeeeerrrrrrrrrr", NULL},
	{RDB_MAGIC_REDIS, 19, "---oorrrrrrrrrr", NULL},
	{RDB_MAGIC_REDIS, 20, "eeeeeerrrrrrrrr", NULL},
	{RDB_MAGIC_REDIS, 21, "---ooorrrrrrrrr", NULL},
	{RDB_MAGIC_REDIS, 22, "---------rrrree", "eeeeeeeeerrrree"},
	{RDB_MAGIC_REDIS, 24, "---------rrrree", "eeeeeeeeerrrree"},
	{RDB_MAGIC_REDIS, 25, "---------rrrree", "eeeeeeeeerrrree"},
	{RDB_MAGIC_REDIS, 26, "---ooooooorrroo", NULL},
	{RDB_MAGIC_REDIS, 27, "---oooooooorroo", NULL},
	{RDB_MAGIC_REDIS, 28, "-----------rr--", NULL},
	{RDB_MAGIC_REDIS, 30, "eeeeeeeeeeeeeee", NULL},
	{RDB_MAGIC_REDIS, 32, "eeeeeeeeeeeeeee", NULL},
	{RDB_MAGIC_REDIS, 99, "---------------", NULL},
	{RDB_MAGIC_VALKEY, 16, "eeeeerrrrrrrrrr", NULL},
	{RDB_MAGIC_VALKEY, 21, "---ooorrrrrrrrr", NULL},
	{RDB_MAGIC_VALKEY, 22, "---------eeeerr", "eeeeeeeeeeeeerr"},
	{RDB_MAGIC_VALKEY, 24, "---------------", NULL},
};

static struct server_version version_of(const char *text)
{
	struct server_version v;
	char info[64];
	int n = snprintf(info, sizeof(info), "%.*s_version:%s\r\n", (int)strcspn(text, " "), text,
			 strchr(text, ' ') + 1);
	assert_true(server_version_read((struct span){info, (size_t)n}, &v));
	return v;
}

static void row_check(const struct row *row, bool drops, const char *expected)
{
	static const char letters[] = {[RDB_FIT_RAW] = 'r', [RDB_FIT_OLDER] = 'o',
				       [RDB_FIT_ELEMENTS] = 'e', [RDB_FIT_NONE] = '-'};
	assert_int_equal(strlen(expected), N(targets));
	for (size_t i = 0; i < N(targets); i++) {
		struct server_version v = version_of(targets[i]);
		char got = letters[rdb_fit_of(&v, row->magic, row->type, drops)];
		if (got != expected[i])
			fail_msg("type %u%s at %s: %c, not %c", row->type,
				 row->magic == RDB_MAGIC_VALKEY ? " of Valkey" : "", targets[i],
				 got, expected[i]);
	}
}

static void every_type_has_its_way_at_every_target(void **state)
{
	for (size_t i = 0; i < N(rows); i++) {
		row_check(&rows[i], false, rows[i].keeps);
		row_check(&rows[i], true, rows[i].drops ? rows[i].drops : rows[i].keeps);
	}
}

// Whatever the reader may deliver raw has a footer that the target takes.
static void what_goes_raw_has_a_footer_that_is_taken(void **state)
{
	for (size_t i = 0; i < N(targets); i++) {
		struct server_version v = version_of(targets[i]);
		for (unsigned type = 0; type < 256; type++) {
			const struct rdb_type *t = rdb_type_find(RDB_MAGIC_REDIS, (uint8_t)type);
			if (!t || rdb_fit_of(&v, RDB_MAGIC_REDIS, (uint8_t)type, false))
				continue;
			assert_true(t->footer_version <= server_rdb_version(&v));
			assert_true(!v.valkey || t->footer_version <= 11);
		}
	}
}

static void a_target_that_does_not_tell_gets_all_raw(void **state)
{
	struct server_version unknown = {0};
	struct rdb_verbs verbs;
	rdb_verbs_of(&unknown, &verbs);
	assert_true(verbs.arrays && verbs.field_ttl && verbs.set_pxat);
	assert_int_equal(rdb_fit_of(&unknown, RDB_MAGIC_REDIS, 28, false), RDB_FIT_RAW);
	assert_int_equal(rdb_fit_of(&unknown, RDB_MAGIC_VALKEY, 22, false), RDB_FIT_RAW);
	assert_int_equal(rdb_fit_of(&unknown, RDB_MAGIC_REDIS, 30, false), RDB_FIT_ELEMENTS);
}

static void streams_become_the_newest_type_that_is_known(void **state)
{
	static const uint8_t expected[] = {0,  0,  0,  15, 15, 19, 21, 21,
					   21, 21, 26, 27, 27, 21, 21};
	for (size_t i = 0; i < N(targets); i++) {
		struct server_version v = version_of(targets[i]);
		assert_int_equal(rdb_fit_stream_type(&v), expected[i]);
	}
}

static void the_reason_names_the_target_and_what_it_lacks(void **state)
{
	static const struct {
		const char *target;
		uint8_t type;
		const char *says;
	} cases[] = {
		{"redis 4.0.14", 19, "redis 4.0.14 has no streams"},
		{"redis 3.2.12", 7, "redis 3.2.12 has no modules"},
		{"valkey 9.0.4", 28, "valkey 9.0.4 has no arrays"},
		{"redis 7.2.4", 25, "redis 7.2.4 has no expiries of hash fields"},
		{"redis 7.2.4", 99, "redis 7.2.4 cannot hold a value of type 99"},
	};
	for (size_t i = 0; i < N(cases); i++) {
		struct server_version v = version_of(cases[i].target);
		char text[256];
		rdb_fit_reason(&v, RDB_MAGIC_REDIS, cases[i].type, text, sizeof(text));
		assert_int_equal(strncmp(text, cases[i].says, strlen(cases[i].says)), 0);
	}
}

static void verbs_follow_the_version_of_each_family(void **state)
{
	struct rdb_verbs old, six, seven, valkey;
	struct server_version v = version_of("redis 2.8.24");
	rdb_verbs_of(&v, &old);
	assert_false(old.restore_replace || old.hset_many || old.streams || old.set_pxat);
	v = version_of("redis 6.0.20");
	rdb_verbs_of(&v, &six);
	assert_true(six.restore_replace && six.restore_absttl && six.streams && six.hset_many);
	assert_false(six.set_pxat || six.create_consumer || six.functions);
	v = version_of("redis 7.4.0");
	rdb_verbs_of(&v, &seven);
	assert_true(seven.field_ttl && seven.functions && seven.stream_counters);
	assert_false(seven.stream_idmp || seven.arrays);
	v = version_of("valkey 9.0.0");
	rdb_verbs_of(&v, &valkey);
	assert_true(valkey.field_ttl && valkey.functions && valkey.set_pxat);
	assert_false(valkey.stream_idmp || valkey.arrays);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_has_its_way_at_every_target),
		cmocka_unit_test(what_goes_raw_has_a_footer_that_is_taken),
		cmocka_unit_test(a_target_that_does_not_tell_gets_all_raw),
		cmocka_unit_test(streams_become_the_newest_type_that_is_known),
		cmocka_unit_test(the_reason_names_the_target_and_what_it_lacks),
		cmocka_unit_test(verbs_follow_the_version_of_each_family),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
