// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/test.h"
#include "dataplane/contract/contract.h"

#include <errno.h>

static uint64_t set(const char *name, const char *text)
{
	struct link_settings s;
	char why[200];
	char spelled[40];
	unsigned n, i = 0;
	const struct setting_row *rows = setting_rows(&n);
	settings_default(&s);
	if (setting_set(&s, name, text, why, sizeof(why)))
		fail_msg("%s", why);
	snprintf(spelled, sizeof(spelled), "%s", name);
	for (char *dash = spelled; *dash; dash++)
		*dash = *dash == '-' ? '_' : *dash;
	while (i < n && strcmp(rows[i].name, spelled))
		i++;
	assert_true(i < n);
	return *(uint64_t *)((char *)&s + rows[i].field);
}

static int refused(const char *name, const char *text, const char *word)
{
	struct link_settings s, before;
	char why[200];
	settings_default(&s);
	before = s;
	int rc = setting_set(&s, name, text, why, sizeof(why));
	assert_non_null(strstr(why, word));
	assert_memory_equal(&s, &before, sizeof(s));
	return rc;
}

static void every_kind_takes_its_units(void **state)
{
	assert_int_equal(set("lanes", "4"), 4);
	assert_int_equal(set("memory-window", "64MB"), 64 << 20);
	assert_int_equal(set("memory_window", "2g"), 2ull << 30);
	assert_int_equal(set("batch-bytes", "2048"), 2048);
	assert_int_equal(set("connect-timeout", "2s"), 2000);
	assert_int_equal(set("connect-timeout", "250"), 250);
	assert_int_equal(set("wait-timeout", "2h"), 7200000);
	assert_int_equal(set("fail-fast", "yes"), 1);
	assert_int_equal(set("until", "caught-up"), UNTIL_CAUGHT_UP);
	assert_int_equal(set("ack", "APPLIED"), ACK_APPLIED);
}

static void wrong_values_are_refused_and_change_nothing(void **state)
{
	assert_int_equal(refused("lane", "4", "no setting 'lane'"), -ENOENT);
	assert_int_equal(refused("lanes", "0", "between 1 and 32"), -ERANGE);
	assert_int_equal(refused("lanes", "33", "between 1 and 32"), -ERANGE);
	assert_int_equal(refused("lanes", "", "not a number"), -EINVAL);
	assert_int_equal(refused("lanes", "-1", "not a number"), -EINVAL);
	assert_int_equal(refused("lanes", "4x", "not a number"), -EINVAL);
	assert_int_equal(refused("memory-window", "64XB", "such as 64MB"), -EINVAL);
	assert_int_equal(refused("memory-window", "99999999999999GB", "between"), -ERANGE);
	assert_int_equal(refused("memory-window", "99999999999999999999", "between"), -ERANGE);
	assert_int_equal(refused("until", "caught", "forever|caught-up"), -EINVAL);
	assert_int_equal(refused("until", "", "forever|caught-up"), -EINVAL);
	assert_int_equal(refused("fail-fast", "maybe", "yes or no"), -EINVAL);
}

static void every_row_reads_back_what_it_prints(void **state)
{
	struct link_settings s, again;
	unsigned n;
	const struct setting_row *rows = setting_rows(&n);
	settings_default(&s);
	memset(&again, 0, sizeof(again));
	for (unsigned i = 0; i < n; i++) {
		char text[SETTING_TEXT_LEN], why[200];
		if (rows[i].kind == SETTING_DATABASES)
			continue;
		uint64_t *v = (uint64_t *)((char *)&s + rows[i].field);
		assert_in_range(*v, rows[i].min, rows[i].max);
		*v = rows[i].max;
		setting_text(&s, &rows[i], text, sizeof(text));
		assert_int_equal(setting_set(&again, rows[i].name, text, why, sizeof(why)), 0);
	}
	assert_memory_equal(&s, &again, sizeof(s));
}

static void db_map_refused(const char *text, int error)
{
	assert_int_equal(refused("db-map", text, text), error);
}

static void databases_are_mapped(void **state)
{
	struct link_settings s;
	char why[200], text[SETTING_TEXT_LEN];
	settings_default(&s);
	assert_int_equal(db_map_to(&s.db_map, 7), 7);
	assert_true(db_map_reaches(&s.db_map, 7));
	assert_int_equal(setting_set(&s, "db-map", "0:1,12:0,7:7", why, sizeof(why)), 0);
	assert_int_equal(db_map_to(&s.db_map, 0), 1);
	assert_int_equal(db_map_to(&s.db_map, 12), 0);
	assert_int_equal(db_map_to(&s.db_map, 7), 7);
	assert_int_equal(db_map_to(&s.db_map, 1), -1);
	assert_true(db_map_reaches(&s.db_map, 1));
	assert_false(db_map_reaches(&s.db_map, 12));
	db_map_text(&s.db_map, text, sizeof(text));
	assert_string_equal(text, "0:1,12:0,7:7");
	assert_int_equal(setting_set(&s, "db-map", "", why, sizeof(why)), 0);
	assert_int_equal(s.db_map.n, 0);
	db_map_refused("3", -EINVAL);
	db_map_refused("3:", -EINVAL);
	db_map_refused(":3", -EINVAL);
	db_map_refused("1:2,", -EINVAL);
	db_map_refused("1:2;3:4", -EINVAL);
	db_map_refused("-1:2", -EINVAL);
	db_map_refused("1:2,1:3", -ERANGE);
	db_map_refused("1:2,3:2", -ERANGE);
	db_map_refused("1:10000", -ERANGE);
	db_map_refused("4294967296:0", -ERANGE);
	refused("db-map",
		"0:0,1:1,2:2,3:3,4:4,5:5,6:6,7:7,8:8,9:9,10:10,11:11,12:12,13:13,14:14,15:15,"
		"16:16",
		"more than 16");
}

static void a_link_syncs_the_databases_of_its_urls(void **state)
{
	struct link_config c = {.source.db = -1, .target.db = -1};
	struct db_map dbs;
	settings_default(&c.settings);
	link_databases(&c, &dbs);
	assert_int_equal(dbs.n, 0);
	c.source.db = 3;
	link_databases(&c, &dbs);
	assert_int_equal(db_map_to(&dbs, 3), 3);
	assert_int_equal(db_map_to(&dbs, 0), -1);
	c.target.db = 5;
	link_databases(&c, &dbs);
	assert_int_equal(db_map_to(&dbs, 3), 5);
	c.target.db = -1;
	c.target.kind = URL_CLUSTER;
	link_databases(&c, &dbs);
	assert_int_equal(db_map_to(&dbs, 3), 0);
	assert_int_equal(db_map_read(&c.settings.db_map, "1:0"), 0);
	link_databases(&c, &dbs);
	assert_int_equal(db_map_to(&dbs, 1), 0);
	assert_int_equal(db_map_to(&dbs, 3), -1);
}

static void latency_buckets_are_narrow_and_in_order(void **state)
{
	for (uint64_t us = 0; us < 100000000; us += us / 50 + 1) {
		unsigned b = latency_bucket(us);
		assert_true(b < LATENCY_BUCKETS);
		assert_true(latency_floor_us(b) <= us);
		assert_true(us < latency_floor_us(b + 1) || b == LATENCY_BUCKETS - 1);
		assert_true(latency_floor_us(b) * 8 >= us * 7 || us < 16);
	}
}

static void rings_keep_their_order_and_say_when_they_are_full(void **state)
{
	struct contract *c = calloc(1, sizeof(*c));
	struct command_record r;
	assert_non_null(c);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < COMMAND_RING_SIZE; i++)
			assert_int_equal(
				contract_command_push(c, (struct command_record){i, round}), 0);
		assert_int_equal(contract_command_push(c, (struct command_record){9, 9}), -ENOBUFS);
		for (unsigned i = 0; i < COMMAND_RING_SIZE; i++) {
			assert_int_equal(contract_command_pop(c, &r), 1);
			assert_int_equal(r.verb, i);
			assert_int_equal(r.link, round);
		}
		assert_int_equal(contract_command_pop(c, &r), 0);
	}
	assert_int_equal(counter_get(&c->commands.dropped), 3);
	free(c);
}

static void a_text_whose_writer_died_is_still_read(void **state)
{
	struct shared_text t = {0};
	char text[TEXT_LEN], lengthy[400];
	shared_text_set(&t, "first");
	atomic_store(&t.seq, atomic_load(&t.seq) + 1); // the writer stopped in the middle
	shared_text_get(&t, text);
	assert_string_equal(text, "first");
	shared_text_set(&t, "second");
	shared_text_get(&t, text);
	assert_string_equal(text, "second");
	memset(lengthy, 'x', sizeof(lengthy) - 1);
	lengthy[sizeof(lengthy) - 1] = 0;
	shared_text_set(&t, lengthy);
	shared_text_get(&t, text);
	assert_int_equal(strlen(text), TEXT_LEN - 1);
}

static void a_contract_of_another_build_is_refused(void **state)
{
	struct contract *c = calloc(1, sizeof(*c));
	assert_non_null(c);
	assert_int_equal(contract_check(c), -EPROTO);
	c->magic = CONTRACT_MAGIC;
	c->abi = CONTRACT_ABI;
	c->size = sizeof(*c);
	assert_int_equal(contract_check(c), 0);
	c->abi++;
	assert_int_equal(contract_check(c), -EPROTO);
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_takes_its_units),
		cmocka_unit_test(wrong_values_are_refused_and_change_nothing),
		cmocka_unit_test(every_row_reads_back_what_it_prints),
		cmocka_unit_test(databases_are_mapped),
		cmocka_unit_test(a_link_syncs_the_databases_of_its_urls),
		cmocka_unit_test(latency_buckets_are_narrow_and_in_order),
		cmocka_unit_test(rings_keep_their_order_and_say_when_they_are_full),
		cmocka_unit_test(a_text_whose_writer_died_is_still_read),
		cmocka_unit_test(a_contract_of_another_build_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
