// SPDX-License-Identifier: BSD-3-Clause
// The rows of the doctor on made-up facts: each finds what it is for, names the command that mends
// it, and keeps silent about a healthy pair and about what a server did not say.
#include "tests/unit/doctor_pair.h"

#include "ctrl/rights.h"

static struct findings *judge(const struct facts *k, const char *check)
{
	struct findings *f = calloc(1, sizeof(*f));
	assert_non_null(f);
	rows_run_one(check, k, f);
	return f;
}

// The row finds exactly that. @param mend  a part of it; NULL: there is none
static void finds(const struct facts *k, const char *check, enum severity severity,
		  const char *words, const char *mend)
{
	struct findings *f = judge(k, check);
	const struct finding *found = &f->list[0];
	if (f->n != 1 || found->severity != severity || !strstr(found->sentence, words))
		fail_msg("%s: %u findings, severity %d: %s", check, f->n, found->severity,
			 found->sentence);
	assert_string_equal(found->check, check);
	if (mend && !strstr(found->mend, mend))
		fail_msg("%s: not mended by '%s' but '%s'", check, mend, found->mend);
	if (!mend)
		assert_string_equal(found->mend, "");
	free(f);
}

static void is_silent(const struct facts *k, const char *check)
{
	struct findings *f = judge(k, check);
	if (f->n)
		fail_msg("%s: %s", check, f->list[0].sentence);
	free(f);
}

static void a_healthy_pair_has_no_findings(void **state)
{
	struct facts *k = pair_new();
	struct findings *f = calloc(1, sizeof(*f));
	for (unsigned stage = STAGE_INFO; stage <= STAGE_RATE; stage++)
		rows_run((enum stage)stage, k, f);
	assert_int_equal(f->n, 1);
	assert_string_equal(f->list[0].check, "versions");
	assert_int_equal(findings_count(f, SEVERITY_ERROR) + findings_count(f, SEVERITY_WARNING),
			 0);
	free(f);
	free(k);
}

// Of two servers that answered nothing, only that is said.
static void nothing_is_judged_that_is_not_known(void **state)
{
	struct facts k;
	struct link_config c;
	struct findings *f = calloc(1, sizeof(*f));
	config_make(&c);
	facts_init(&k, &c);
	for (unsigned stage = STAGE_INFO; stage <= STAGE_RATE; stage++)
		rows_run((enum stage)stage, &k, f);
	assert_int_equal(f->n, 2);
	assert_string_equal(f->list[0].check, "source-rights");
	assert_string_equal(f->list[1].check, "target-rights");
	assert_int_equal(findings_count(f, SEVERITY_INFO), 2);
	free(f);
}

static void one_server_is_not_synced_with_itself(void **state)
{
	struct facts *k = pair_new();
	strcpy(k->target.run_id, k->source.run_id);
	strcpy(k->target.replid, k->source.replid);
	finds(k, "same-server", SEVERITY_DAMAGE, "are the same server", NULL);
	is_silent(k, "target-follows");
	is_silent(k, "source-follows");
	free(k);
}

static void native_replication_between_the_two_is_damage(void **state)
{
	struct facts *k = pair_new();
	strcpy(k->target.role, "slave");
	strcpy(k->target.master_host, "elsewhere");
	strcpy(k->target.master_port, "6379");
	is_silent(k, "target-follows");
	finds(k, "target-role", SEVERITY_ERROR, "replica of elsewhere:6379", NULL);
	strcpy(k->target.master_host, k->source.host);
	finds(k, "target-follows", SEVERITY_DAMAGE, "follows the source",
	      "-h 10.0.0.2 -p 6379 REPLICAOF NO ONE");
	strcpy(k->target.master_host, "behind.a.name");
	strcpy(k->target.replid, k->source.replid);
	finds(k, "target-follows", SEVERITY_DAMAGE, "follows the source", "REPLICAOF NO ONE");
	strcpy(k->target.role, "master");
	is_silent(k, "target-follows");
	is_silent(k, "source-follows");
	strcpy(k->source.role, "slave");
	finds(k, "source-follows", SEVERITY_DAMAGE, "come back without end",
	      "-h 10.0.0.1 -p 6379 REPLICAOF NO ONE");
	memset(k->source.replid, '0', 40);
	memset(k->target.replid, '0', 40);
	is_silent(k, "source-follows");
	free(k);
}

static void a_replica_without_its_master_lets_nobody_in(void **state)
{
	struct facts *k = pair_new();
	strcpy(k->source.role, "slave");
	strcpy(k->source.master_host, "m");
	strcpy(k->source.master_link, "up");
	finds(k, "source-role", SEVERITY_INFO, "a replica of m:", NULL);
	strcpy(k->source.master_link, "down");
	finds(k, "source-role", SEVERITY_ERROR, "has lost its master m:", NULL);
	free(k);
}

static void clusters_and_sentinels_are_named(void **state)
{
	struct facts *k = pair_new();
	strcpy(k->source.mode, "cluster");
	finds(k, "cluster", SEVERITY_ERROR, "the source is a node of a cluster",
	      "redis+cluster://10.0.0.1:6379");
	strcpy(k->source.mode, "standalone");
	strcpy(k->target.mode, "sentinel");
	finds(k, "mode", SEVERITY_ERROR, "the target is a Sentinel", NULL);
	k->target.loading = 1;
	finds(k, "loading", SEVERITY_WARNING, "the target is loading", NULL);
	free(k);
}

// A cluster of two masters with a replica each, the slots halved.
static struct cluster_map *map_new(void)
{
	struct cluster_map *map = calloc(1, sizeof(*map));
	const struct cluster_asked asked = {"10.0.0.2", false};
	const char *text = "a 10.0.0.2:6379@1 myself,master - 0 0 1 connected 0-8191\n"
			   "b 10.0.0.3:6379@1 master - 0 0 2 connected 8192-16383\n"
			   "c 10.0.0.4:6379@1 slave a 0 0 1 connected\n"
			   "d 10.0.0.5:6379@1 slave b 0 0 2 connected\n";
	cluster_map_reset(map);
	assert_int_equal(cluster_nodes_read(map, span_of(text), &asked), 0);
	return map;
}

static void a_cluster_in_trouble_is_described(void **state)
{
	struct facts *k = pair_new();
	struct cluster_map *map = map_new();
	strcpy(k->target.mode, "cluster");
	k->source.top_db = 0;
	facts_cluster(&k->target, map);
	is_silent(k, "cluster");
	is_silent(k, "mode");
	is_silent(k, "databases");
	finds(k, "full-coverage", SEVERITY_INFO, "stops wholly",
	      "CONFIG SET cluster-require-full-coverage no");
	k->source.top_db = 3;
	finds(k, "databases", SEVERITY_ERROR, "the source has keys in database 3", NULL);
	map->nodes[3].flags |= CLUSTER_PFAIL;
	map->nodes[3].master = CLUSTER_NONE;
	facts_cluster(&k->target, map);
	struct findings *f = judge(k, "cluster");
	assert_int_equal(f->n, 2);
	assert_non_null(
		strstr(f->list[0].sentence, "1 node that cannot be reached: 10.0.0.5:6379"));
	assert_non_null(strstr(f->list[1].sentence, "1 of 2 masters"));
	free(f);
	map->nodes[1].flags |= CLUSTER_FAIL;
	facts_cluster(&k->target, map);
	f = judge(k, "cluster");
	assert_non_null(
		strstr(f->list[0].sentence, "8192 slots without a master (the first is 8192)"));
	assert_int_equal(f->list[0].severity, SEVERITY_ERROR);
	assert_string_equal(f->list[0].mend, "redis-cli --cluster check 10.0.0.2:6379");
	free(f);
	finds(k, "full-coverage", SEVERITY_WARNING, "stops wholly",
	      "CONFIG SET cluster-require-full-coverage no");
	free(map);
	map = map_new();
	map->migrating[7] = 1;
	map->n_moving = 1;
	facts_cluster(&k->target, map);
	finds(k, "cluster", SEVERITY_WARNING,
	      "1 slot of the target moves at its node with port 6379", NULL);
	free(map);
	free(k);
}

static void keys_and_memory_of_all_masters_count(void **state)
{
	struct facts *k = pair_new();
	struct server_facts one = k->source;
	facts_add(&k->source, &one);
	assert_int_equal(k->source.keys, 150);
	assert_int_equal(k->source.used_memory, 2000000);
	assert_int_equal(k->source.maxmemory, 0);
	k->source.maxmemory = 100;
	one.maxmemory = 50;
	one.used_memory = UNKNOWN;
	facts_add(&k->source, &one);
	assert_int_equal(k->source.maxmemory, 150);
	assert_int_equal(k->source.used_memory, UNKNOWN);
	free(k);
}

static void versions_that_do_not_fit_are_named(void **state)
{
	struct facts *k = pair_new();
	k->source.version = VERSION(2, 6);
	finds(k, "source-age", SEVERITY_ERROR, "no PSYNC", NULL);
	k->source.version = VERSION(8, 12);
	finds(k, "source-age", SEVERITY_WARNING, "only this version", NULL);
	k->source.version = VERSION(8, 10);
	is_silent(k, "source-age");
	k->source.version = VERSION(7, 4);
	is_silent(k, "source-age");
	finds(k, "target-age", SEVERITY_WARNING, "small sets and streams", NULL);
	k->source.valkey = true;
	k->source.version = VERSION(9, 0);
	is_silent(k, "source-age");
	finds(k, "target-age", SEVERITY_WARNING, "RDB 11", NULL);
	k->target.version = VERSION(6, 2);
	finds(k, "target-age", SEVERITY_WARNING, "small hashes", NULL);
	k->target.version = VERSION(2, 6);
	finds(k, "target-age", SEVERITY_ERROR, "2.8 and later", NULL);
	k->target.version = VERSION(7, 2);
	is_silent(k, "target-age");
	free(k);
}

static void features_that_the_target_lacks_are_named(void **state)
{
	struct facts *k = pair_new();
	k->source.libraries = 2;
	is_silent(k, "functions");
	k->target.version = VERSION(6, 2);
	finds(k, "functions", SEVERITY_WARNING, "2 function libraries", NULL);
	k->source.field_expiry = true;
	k->source.version = VERSION(8, 0);
	finds(k, "field-expiry", SEVERITY_WARNING, "fields that expire", NULL);
	k->target.version = VERSION(7, 4);
	is_silent(k, "field-expiry");
	k->target.valkey = true;
	k->target.version = VERSION(9, 0);
	finds(k, "field-expiry", SEVERITY_WARNING, "fields that expire", NULL);
	k->source.valkey = true;
	k->source.version = VERSION(9, 0);
	is_silent(k, "field-expiry");
	free(k);
}

static void commands_that_the_target_lacks_are_named(void **state)
{
	struct facts *k = pair_new();
	verb_set_add(&k->source.used, verb_find("HPEXPIREAT"));
	verb_set_add(&k->source.used, verb_find("SET"));
	verb_set_add(&k->source.used, verb_find("MSETEX"));
	finds(k, "commands", SEVERITY_WARNING, "they are parked: HPEXPIREAT", NULL);
	k->target.version = VERSION(7, 4);
	is_silent(k, "commands");
	verb_set_add(&k->target.rights.absent, verb_find("FLUSHALL"));
	finds(k, "commands", SEVERITY_WARNING, "does not know FLUSHALL", NULL);
	verb_set_add(&k->source.used, verb_find("FLUSHALL"));
	finds(k, "commands", SEVERITY_ERROR, "switched off there: FLUSHALL", NULL);
	free(k);
}

static void modules_that_the_target_lacks_are_named(void **state)
{
	const struct resp_value list[] = {
		{.type = RESP_ARRAY, .elements = 2},
		{.type = RESP_ARRAY, .elements = 4},
		{.type = RESP_STRING, .text = SPAN_LIT("name")},
		{.type = RESP_STRING, .text = SPAN_LIT("bf")},
		{.type = RESP_STRING, .text = SPAN_LIT("ver")},
		{.type = RESP_INTEGER, .integer = 20400},
		{.type = RESP_ARRAY, .elements = 2},
		{.type = RESP_STRING, .text = SPAN_LIT("name")},
		{.type = RESP_STRING, .text = SPAN_LIT("ReJSON")},
	};
	struct facts *k = pair_new();
	facts_modules(&k->source, list, 9);
	assert_int_equal(k->source.n_modules, 2);
	k->target.n_modules = 1;
	k->target.modules[0] = (struct module){"rejson", 0};
	finds(k, "modules", SEVERITY_ERROR, "the module bf", "MODULE LOAD");
	k->source.version = VERSION(8, 0);
	finds(k, "modules", SEVERITY_WARNING, "the module bf", "MODULE LOAD");
	k->target.modules[k->target.n_modules++] = (struct module){"bf", 20200};
	finds(k, "modules", SEVERITY_WARNING, "older in the target (20200)", NULL);
	k->target.modules[1].version = 20400;
	is_silent(k, "modules");
	const struct resp_value odd[] = {
		{.type = RESP_ARRAY, .elements = 1},
		{.type = RESP_ARRAY, .elements = 2},
		{.type = RESP_STRING, .text = SPAN_LIT("name")},
		{.type = RESP_STRING, .text = SPAN_LIT("x;$(reboot)")},
	};
	facts_modules(&k->source, odd, 4);
	finds(k, "modules", SEVERITY_WARNING, "x___reboot_", "/x___reboot_.so");
	k->target.n_modules = 0;
	k->target.modules_known = false;
	is_silent(k, "modules");
	free(k);
}

static void clocks_that_differ_are_named(void **state)
{
	struct facts *k = pair_new();
	facts_info(&k->source, SPAN_LIT("server_time_usec:5000000\r\n"), 4900000, 5100000);
	facts_info(&k->target, SPAN_LIT("server_time_usec:8000000\r\n"), 4900000, 5100000);
	finds(k, "clock", SEVERITY_WARNING, "2900 ms ahead of", "chronyc");
	facts_info(&k->source, SPAN_LIT("server_time_usec:7500000\r\n"), 4900000, 5100000);
	is_silent(k, "clock");
	facts_info(&k->target, SPAN_LIT("server_time_usec:2000000\r\n"), 4900000, 5100000);
	finds(k, "clock", SEVERITY_WARNING, "behind", "chronyc");
	free(k);
}

static void missing_rights_are_named_with_the_line_that_gives_them(void **state)
{
	struct facts *k = pair_new();
	verb_set_add(&k->source.rights.denied, verb_find("PSYNC"));
	verb_set_add(&k->source.rights.denied, verb_find("REPLCONF"));
	finds(k, "source-rights", SEVERITY_ERROR, "may not: PSYNC, REPLCONF",
	      "ACL SETUSER default +psync +replconf");
	memset(&k->source.rights.denied, 0, sizeof(k->source.rights.denied));
	verb_set_add(&k->source.rights.absent, verb_find("PSYNC"));
	finds(k, "source-rights", SEVERITY_ERROR, "does not know PSYNC", NULL);
	memset(&k->source.rights.absent, 0, sizeof(k->source.rights.absent));
	k->source.rights.known = false;
	finds(k, "source-rights", SEVERITY_INFO, "was not checked", NULL);
	verb_set_add(&k->target.rights.denied, verb_find("FLUSHALL"));
	finds(k, "target-rights", SEVERITY_WARNING, "may not: FLUSHALL",
	      "ACL SETUSER bob +flushall");
	verb_set_add(&k->source.used, verb_find("FLUSHALL"));
	finds(k, "target-rights", SEVERITY_ERROR, "may not: FLUSHALL", "+flushall");
	verb_set_add(&k->target.rights.denied, verb_find("CLIENT KILL"));
	finds(k, "target-rights", SEVERITY_ERROR, "CLIENT KILL", "'+client|kill' +flushall");
	free(k);
}

static void many_missing_rights_are_given_as_a_category(void **state)
{
	struct facts *k = pair_new();
	struct verb v;
	for (unsigned i = 0; verb_at(i, &v); i++)
		if (v.name && v.side == VERB_STREAM)
			verb_set_add(&k->target.rights.denied, i);
	finds(k, "target-rights", SEVERITY_ERROR, " more", "ACL SETUSER bob +@write +");
	struct findings *f = judge(k, "target-rights");
	assert_non_null(strstr(f->list[0].mend, " +@write +pfcount +publish +spublish"));
	assert_null(strstr(f->list[0].mend, " +set "));
	free(f);
	verb_set_add(&k->target.rights.denied, verb_find("MULTI"));
	finds(k, "target-rights", SEVERITY_ERROR, "MULTI",
	      rights_text(RIGHTS_SYNC_TARGET, RIGHTS_SINGLE, (char[RIGHTS_LEN]){0}));
	free(k);
}

static void patterns_of_keys_and_channels_are_named(void **state)
{
	struct facts *k = pair_new();
	k->target.rights.keys_denied = true;
	finds(k, "target-rights", SEVERITY_WARNING, "every key", "ACL SETUSER bob '~*'");
	k->target.rights.marker_denied = true;
	finds(k, "target-rights", SEVERITY_ERROR, "__flyover:", "ACL SETUSER bob '~*'");
	k->target.rights.marker_denied = k->target.rights.keys_denied = false;
	k->target.rights.channels_denied = true;
	finds(k, "target-rights", SEVERITY_WARNING, "every channel", "ACL SETUSER bob '&*'");
	free(k);
}

static void saves_that_fail_are_named(void **state)
{
	struct facts *k = pair_new();
	strcpy(k->source.bgsave_status, "err");
	finds(k, "source-save", SEVERITY_WARNING, "last BGSAVE", "BGSAVE");
	strcpy(k->source.diskless, "no");
	finds(k, "source-save", SEVERITY_ERROR, "full sync begins with one",
	      "CONFIG SET repl-diskless-sync yes");
	strcpy(k->target.bgsave_status, "err");
	finds(k, "target-save", SEVERITY_ERROR, "refuses writes", "stop-writes-on-bgsave-error no");
	k->target.save[0] = 0;
	finds(k, "target-save", SEVERITY_WARNING, "may refuse", "stop-writes-on-bgsave-error no");
	strcpy(k->target.stop_writes, "no");
	is_silent(k, "target-save");
	strcpy(k->target.aof_status, "err");
	finds(k, "target-save", SEVERITY_ERROR, "append-only", NULL);
	free(k);
}

static void settings_of_the_source_are_weighed(void **state)
{
	struct facts *k = pair_new();
	k->source.diskless_delay_s = 30;
	finds(k, "diskless-delay", SEVERITY_INFO, "30 s", "CONFIG SET repl-diskless-sync-delay 0");
	k->source.min_replicas = 2;
	finds(k, "min-replicas", SEVERITY_WARNING, "counts a link as a replica",
	      "CONFIG SET min-replicas-to-write 3");
	k->source.repl_timeout_s = 5;
	finds(k, "repl-timeout", SEVERITY_WARNING, "after 5 s", "CONFIG SET repl-timeout 60");
	k->source.repl_timeout_s = 60;
	k->source.ping_period_s = 60;
	finds(k, "repl-timeout", SEVERITY_WARNING, "only every 60 s", "repl-ping-replica-period");
	k->source.backlog_ttl_s = 60;
	finds(k, "backlog-ttl", SEVERITY_WARNING, "60 s after", "CONFIG SET repl-backlog-ttl");
	k->source.backlog_ttl_s = 0; // for ever
	is_silent(k, "backlog-ttl");
	k->source.connected_clients = 9999;
	finds(k, "source-clients", SEVERITY_WARNING, "9999 of at most", "maxclients 11000");
	k->source.config_refused = true;
	finds(k, "source-config", SEVERITY_INFO, "not checked", NULL);
	free(k);
}

static void the_backlog_is_weighed_against_the_rate(void **state)
{
	struct facts *k = pair_new();
	is_silent(k, "backlog"); // a thousand seconds
	k->write_rate = 5000;
	finds(k, "backlog", SEVERITY_INFO, "outage of 209 s", "CONFIG SET repl-backlog-size 3mb");
	k->write_rate = 2 << 20;
	finds(k, "backlog", SEVERITY_WARNING, "outage of 0 s",
	      "-h 10.0.0.1 -p 6379 CONFIG SET repl-backlog-size 1200mb");
	k->rate_is_guess = true;
	finds(k, "backlog", SEVERITY_WARNING, "at its about 2.0 MB/s", "repl-backlog-size");
	k->write_rate = 0;
	is_silent(k, "backlog");
	k->write_rate = UNKNOWN;
	is_silent(k, "backlog");
	free(k);
}

static void the_output_buffer_is_weighed_against_the_rate(void **state)
{
	struct facts *k = pair_new();
	k->write_rate = 100 << 20;
	is_silent(k, "output-buffer"); // two seconds of it
	k->source.bgsave_s = 4;
	finds(k, "output-buffer", SEVERITY_WARNING, "(256 MB)",
	      "CONFIG SET client-output-buffer-limit \"replica 1600mb 800mb 60\"");
	k->source.output_hard = 0;
	is_silent(k, "output-buffer");
	k->source.bgsave_s = 61;
	finds(k, "output-buffer", SEVERITY_WARNING, "(64.0 MB)", "client-output-buffer-limit");
	k->source.output_soft = 0;
	is_silent(k, "output-buffer");
	free(k);
}

static void memory_of_the_target_is_weighed(void **state)
{
	struct facts *k = pair_new();
	is_silent(k, "target-memory");
	k->target.maxmemory = 6000000;
	is_silent(k, "eviction");
	k->source.used_memory_dataset = 4500000;
	finds(k, "target-memory", SEVERITY_WARNING, "5.2 MB of 5.7 MB", "CONFIG SET maxmemory 7mb");
	k->source.used_memory_dataset = 50000000;
	finds(k, "target-memory", SEVERITY_ERROR, "refuse the rest", "CONFIG SET maxmemory 61mb");
	strcpy(k->target.policy, "allkeys-lru");
	finds(k, "target-memory", SEVERITY_ERROR, "evict what was synced", "maxmemory");
	finds(k, "eviction", SEVERITY_WARNING, "markers", "maxmemory-policy noeviction");
	strcpy(k->target.policy, "volatile-lru");
	is_silent(k, "eviction");
	k->ours = true; // it holds the data already
	k->target.used_memory = 5000000;
	k->source.used_memory_dataset = 4000000;
	is_silent(k, "target-memory");
	k->target.maxmemory = 0;
	k->target.total_system_memory = 4000000;
	finds(k, "target-memory", SEVERITY_ERROR, "all memory of its host", NULL);
	free(k);
}

static void what_the_target_holds_is_named(void **state)
{
	struct facts *k = pair_new();
	k->target.keys = k->reserved = 2; // markers of another link
	is_silent(k, "target-keys");
	k->target.keys = 12347;
	finds(k, "target-keys", SEVERITY_WARNING, "12,345 keys", NULL);
	k->settings.extra_keys = EXTRA_KEYS_DELETE;
	finds(k, "target-keys", SEVERITY_WARNING, "deleted", NULL);
	k->ours = true;
	is_silent(k, "target-keys");
	k->target.databases = 3;
	finds(k, "databases", SEVERITY_ERROR, "database 3", NULL);
	k->source.top_db = 2;
	finds(k, "databases", SEVERITY_INFO, "suffices", NULL);
	k->target.db = 2;
	is_silent(k, "databases");
	k->target.db = 5;
	finds(k, "databases", SEVERITY_ERROR, "database 5", NULL);
	k->target.bulk_max = 1000000;
	finds(k, "bulk-length", SEVERITY_WARNING, "longer values",
	      "CONFIG SET proto-max-bulk-len 536870912");
	k->target.connected_clients = 9995;
	finds(k, "target-clients", SEVERITY_WARNING, "9995 of at most", "maxclients");
	k->target.config_refused = true;
	finds(k, "target-config", SEVERITY_INFO, "not checked", NULL);
	free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_healthy_pair_has_no_findings),
		cmocka_unit_test(nothing_is_judged_that_is_not_known),
		cmocka_unit_test(one_server_is_not_synced_with_itself),
		cmocka_unit_test(native_replication_between_the_two_is_damage),
		cmocka_unit_test(a_replica_without_its_master_lets_nobody_in),
		cmocka_unit_test(clusters_and_sentinels_are_named),
		cmocka_unit_test(a_cluster_in_trouble_is_described),
		cmocka_unit_test(keys_and_memory_of_all_masters_count),
		cmocka_unit_test(versions_that_do_not_fit_are_named),
		cmocka_unit_test(features_that_the_target_lacks_are_named),
		cmocka_unit_test(commands_that_the_target_lacks_are_named),
		cmocka_unit_test(modules_that_the_target_lacks_are_named),
		cmocka_unit_test(clocks_that_differ_are_named),
		cmocka_unit_test(missing_rights_are_named_with_the_line_that_gives_them),
		cmocka_unit_test(many_missing_rights_are_given_as_a_category),
		cmocka_unit_test(patterns_of_keys_and_channels_are_named),
		cmocka_unit_test(saves_that_fail_are_named),
		cmocka_unit_test(settings_of_the_source_are_weighed),
		cmocka_unit_test(the_backlog_is_weighed_against_the_rate),
		cmocka_unit_test(the_output_buffer_is_weighed_against_the_rate),
		cmocka_unit_test(memory_of_the_target_is_weighed),
		cmocka_unit_test(what_the_target_holds_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
