// SPDX-License-Identifier: BSD-3-Clause
// `flyover check` where sides are clusters: every master's keys, read where their slots are, also
// while these move, and while masters are replaced.
#include "tests/e2e/harness.h"

#include <signal.h>

struct answer {
	json_t *json;
	int code;
	char *said; // on stderr
};

static struct job *check_start(struct world *w, const char *source, const char *target,
			       const char *option)
{
	const char *arguments[] = {"check", source, target, "--json", option, NULL};
	return job_start_argv(w, "flyover", arguments, NULL);
}

static struct answer check_end(struct job *j)
{
	struct answer a = {.code = process_wait(j->process)};
	char *out = process_stdout(j->process);

	a.said = process_stderr(j->process);
	a.json = json_loads(out, 0, NULL);
	free(out);
	return a;
}

static void answer_free(struct answer *a)
{
	json_decref(a->json);
	free(a->said);
}

static long long number(const struct answer *a, const char *field)
{
	const json_t *v = json_object_get(a->json, field);

	if (!json_is_integer(v))
		fail_msg("no %s; exit code %d: %s", field, a->code, a->said);
	return json_integer_value(v);
}

// @param keys  that were compared; -1: whatever
static void assert_found(struct world *w, const char *source, const char *target,
			 const char *option, long long keys, long long differences)
{
	struct answer a = check_end(check_start(w, source, target, option));

	if (number(&a, "differences") != differences || (keys >= 0 && number(&a, "keys") != keys))
		fail_msg("%s", json_dumps(a.json, 0));
	assert_int_equal(a.code, differences ? 1 : 0);
	answer_free(&a);
}

static void strings_load(struct server *s, const char *prefix, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		queue(s, "SET %s:%d %s", prefix, (int)i, text("%020u", i));
	queue_flush(s);
}

static void types_load(struct cluster *c, struct server *alone)
{
	static const char *const commands[][2] = {
		{"list", "RPUSH list a b c"},
		{"set", "SADD set a b 3"},
		{"hash", "HSET hash a 1 b 2"},
		{"zset", "ZADD zset 1 a 2 b"},
		{"stream", "XADD stream 1-1 a b"},
		{"ttl", "SET ttl x PXAT 4102444800000"},
		{"stream", "XGROUP CREATE stream group 0"},
	};
	for (unsigned i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		run(cluster_owner_of(c, commands[i][0]), commands[i][1]);
		run(alone, commands[i][1]);
	}
	char *big = calloc(1, 100000);
	memset(big, 'x', 99999);
	run(cluster_owner_of(c, "big"), "SET big %s", big);
	run(alone, "SET big %s", big);
	free(big);
}

static void a_cluster_is_equal_to_a_server_and_to_a_cluster(struct world *w)
{
	struct cluster *c = cluster_start(w, "a", 3, 0, NULL);
	struct cluster *d = cluster_start(w, "b", 2, 0, NULL);
	struct server *alone = server_start(w, "alone", NULL);
	char first[64];

	cluster_fill(c, "key", 2500, 20);
	cluster_fill(d, "key", 2500, 20);
	assert_found(w, c->url, d->url, "--mode=full", 2500, 0);
	strings_load(alone, "key", 2500);
	types_load(c, alone);
	// one seed is enough
	snprintf(first, sizeof(first), "redis+cluster://%s:%d", here(), c->nodes.list[1]->port);
	static const char *const modes[] = {"--mode=full", "--mode=length", "--mode=keys"};
	for (unsigned i = 0; i < 3; i++) {
		assert_found(w, first, alone->url, modes[i], 2507, 0);
		assert_found(w, alone->url, c->url, modes[i], 2507, 0);
	}
	assert_found(w, c->url, d->url, "--mode=keys", 2507, 7);
	assert_found(w, d->url, c->url, "--mode=keys", 2500, 7);
}

static void differences_on_every_master_are_found(struct world *w)
{
	struct cluster *c = cluster_start(w, "a", 3, 0, NULL);
	struct server *alone = server_start(w, "alone", NULL);

	cluster_fill(c, "key", 300, 20);
	strings_load(alone, "key", 300);
	for (unsigned i = 0; i < 3; i++) {
		// one key of each master, of every kind of difference
		run(c->nodes.list[i], "SET {%s}:extra x", cluster_tag((uint16_t)(i * 5500)));
		run(alone, "SET {%s}:missing x", cluster_tag((uint16_t)(i * 5500 + 1)));
	}
	run(cluster_owner_of(c, "key:7"), "SET key:7 x");
	run(cluster_owner_of(c, "key:8"), "PEXPIRE key:8 10000000");
	run(alone, "FUNCTION LOAD %s", function_library);
	run(c->nodes.list[0], "FUNCTION LOAD %s", function_library);
	run(c->nodes.list[1], "FUNCTION LOAD %s", function_library);
	assert_found(w, alone->url, c->url, "--mode=full", 303, 9);
	run(c->nodes.list[2], "FUNCTION LOAD %s", function_library);
	assert_found(w, alone->url, c->url, "--mode=full", 303, 8);
	assert_found(w, c->url, alone->url, "--mode=full", 303, 8);
}

static void slots_that_move_are_no_difference(struct world *w)
{
	struct cluster *c = cluster_start(w, "a", 3, 0, NULL);
	struct server *alone = server_start(w, "alone", NULL), *to = c->nodes.list[2];
	const char *tag = cluster_tag(0);

	cluster_fill(c, "key", 3000, 20);
	strings_load(alone, "key", 3000);
	for (int i = 0; i < 50; i++) {
		queue(c->nodes.list[0], "SET {%s}:%d x", tag, i);
		queue(alone, "SET {%s}:%d x", tag, i);
	}
	queue_flush(c->nodes.list[0]);
	queue_flush(alone);
	// half of the slot is there, half has gone: the owner answers ASK
	slot_move_begin(c, 0, to);
	assert_int_equal(slot_move_keys(c, 0, to, 25), 25);
	assert_found(w, c->url, alone->url, "--mode=full", -1, 0);
	assert_found(w, alone->url, c->url, "--mode=full", 3050, 0);
	slot_move_keys(c, 0, to, UINT32_MAX);
	slot_move_end(c, 0, to);
	// slots go to and fro meanwhile, to who was walked already and to who was not
	struct job *jobs[2] = {
		check_start(w, c->url, alone->url, "--max-keys-per-s=3000"),
		check_start(w, alone->url, c->url, "--max-keys-per-s=3000"),
	};
	for (unsigned i = 0; i < 4; i++)
		slots_move(c, 6000, 6100, c->nodes.list[i % 2 ? 1 : 0]);
	for (unsigned i = 0; i < 2; i++) {
		struct answer a = check_end(jobs[i]);
		if (a.code || number(&a, "differences"))
			fail_msg("%d: exit code %d: %s", (int)i, a.code, a.said);
		answer_free(&a);
	}
}

static void a_master_that_is_replaced_is_read_at_its_successor(struct world *w)
{
	struct cluster *c = cluster_start(w, "a", 3, 1, NULL);
	struct server *alone = server_start(w, "alone", NULL);

	cluster_fill(c, "key", 3000, 20);
	strings_load(alone, "key", 3000);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(ask_number(c->nodes.list[i], "WAIT 1 10000"), 1);
	struct job *j = check_start(w, alone->url, c->url, "--max-keys-per-s=1500");
	cluster_failover(c, cluster_replica(c, c->nodes.list[0]));
	cluster_kill_master(c, c->nodes.list[1]);
	struct answer a = check_end(j);
	if (a.code && a.code != 4) // it lost a master in the middle of its keys
		fail_msg("exit code %d: %s", a.code, a.said);
	answer_free(&a);
	assert_found(w, alone->url, c->url, "--mode=full", 3000, 0);
}

static void what_cannot_be_compared_has_a_sentence(struct world *w)
{
	struct cluster *c = cluster_start(w, "a", 2, 0, NULL);
	struct server *alone = server_start(w, "alone", NULL);
	char database[96], no_cluster[96];

	select_db(alone, 3);
	run(alone, "SET key:0 %s", text("%020u", 0));
	struct answer a = check_end(check_start(w, alone->url, c->url, "--mode=keys"));
	assert_int_equal(a.code, 3);
	assert_non_null(strstr(a.said, "the source has keys in database 3, and a cluster has only "
				       "database 0"));
	answer_free(&a);
	a = check_end(check_start(w, alone->url, c->url, "--repair"));
	assert_int_equal(a.code, 3);
	assert_non_null(strstr(a.said, "`flyover sync --extra-keys=delete`"));
	answer_free(&a);
	struct job *j = job_start(w, "dump", c->url, "-o", text("%s/all.rdb", w->dir), NULL);
	assert_int_equal(process_wait(j->process), 3);
	assert_one_sentence(j, "`flyover dump` each of their masters");
	j = job_start(w, "dump", c->nodes.list[0]->url, "-o", text("%s/one.rdb", w->dir), NULL);
	assert_int_equal(process_wait(j->process), 0);
	cluster_fill(c, "key", 1, 20);
	snprintf(database, sizeof(database), "%s/3", alone->url);
	assert_found(w, database, c->url, "--mode=full", 1, 0);
	assert_found(w, c->url, database, "--mode=full", 1, 0);
	snprintf(no_cluster, sizeof(no_cluster), "redis+cluster://%s:%d", here(), alone->port);
	a = check_end(check_start(w, no_cluster, alone->url, "--mode=keys"));
	assert_int_equal(a.code, 3);
	assert_non_null(strstr(a.said, "is no cluster"));
	answer_free(&a);
	for (unsigned i = 0; i < 2; i++) // gossip does not take slots away
		run(c->nodes.list[i], "CLUSTER DELSLOTS 16383");
	a = check_end(check_start(w, c->url, alone->url, "--mode=keys"));
	assert_true(a.code);
	assert_non_null(strstr(a.said, "serves slot ")); // any, where full coverage is required
	answer_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(a_cluster_is_equal_to_a_server_and_to_a_cluster),
		E2E_TEST(differences_on_every_master_are_found),
		E2E_TEST(slots_that_move_are_no_difference),
		E2E_TEST(a_master_that_is_replaced_is_read_at_its_successor),
		E2E_TEST(what_cannot_be_compared_has_a_sentence),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
