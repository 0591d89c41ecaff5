// SPDX-License-Identifier: BSD-3-Clause
// `flyover doctor --probe` against real servers: all that it tries is as our table of commands has
// it, what differs is told, and nothing is left behind, whatever ends it.
#include <signal.h>

#include "tests/e2e/findings.h"

struct two {
	struct world *world;
	struct server *source, *target;
};

static struct two two_start(struct world *w)
{
	return (struct two){w, server_start(w, "source", NULL), server_start(w, "target", NULL)};
}

static struct job *probe_start(struct world *w, const char *source_url, const char *target_url,
			       const char *option)
{
	return job_start(w, "doctor", source_url, target_url, option, "--json", NULL);
}

// @return its answer
static json_t *probe_end(struct job *j, int code)
{
	int got = process_wait(j->process);
	char *out = process_stdout(j->process), *said = process_stderr(j->process);
	json_t *o = json_loads(out, 0, NULL);
	if (got != code || !json_is_object(o))
		fail_msg("exit code %d, '%s' '%s'", got, out, said);
	free(out);
	free(said);
	return o;
}

static json_t *probe(struct world *w, const char *source_url, const char *target_url,
		     const char *option, int code)
{
	return probe_end(probe_start(w, source_url, target_url, option), code);
}

static long long count(const json_t *o, const char *verdict)
{
	return json_integer_value(json_object_get(json_object_get(o, "probe"), verdict));
}

// The first of the cases that are not ok, with that result.
static const json_t *case_of(const json_t *o, const char *result)
{
	const json_t *list = json_object_get(json_object_get(o, "probe"), "list"), *one;
	size_t i;
	json_array_foreach((json_t *)list, i, one)
		if (!strcmp(word(one, "result"), result))
			return one;
	fail_msg("none is %s: %s", result, json_dumps(o, 0));
	return NULL;
}

static void assert_all_as_expected(const json_t *o)
{
	long long n = count(o, "cases");
	assert_true(n > 200);
	assert_true(count(o, "ok") > 150);
	if (count(o, "ok") + count(o, "skipped") != n)
		fail_msg("not all are as expected: %s", json_dumps(o, 0));
	assert_null(finding(o, "probe-commands"));
	assert_null(finding(o, "probe-keys"));
	assert_non_null(finding(o, "probe"));
}

static long long libraries(struct server *s)
{
	redisReply *r = ask(s, "FUNCTION LIST");
	long long n = (long long)r->elements;
	freeReplyObject(r);
	return n;
}

// Nothing of the probe's is left in any database that it writes.
static void assert_clean(struct server *s, long long keys)
{
	assert_int_equal(ask_number(s, "DBSIZE"), keys);
	select_db(s, 1);
	assert_int_equal(ask_number(s, "DBSIZE"), 0);
	select_db(s, 0);
	assert_int_equal(libraries(s), 0);
}

static void every_verb_of_this_server_is_as_expected(struct world *w)
{
	struct two t = two_start(w);
	run(t.source, "SET mine 1");
	json_t *o = probe(w, t.source->url, t.target->url, "--probe=full", 0);
	assert_all_as_expected(o);
	assert_string_equal(word(json_object_get(o, "probe"), "way"), "full");
	json_decref(o);
	assert_int_equal(info_number(t.source, "stats", "sync_full"), 1);
	o = probe(w, t.source->url, t.target->url, "--probe", 0);
	assert_all_as_expected(o);
	assert_string_equal(word(json_object_get(o, "probe"), "way"), "backlog");
	json_decref(o);
	assert_int_equal(info_number(t.source, "stats", "sync_full"), 1);
	assert_clean(t.source, 1);
	assert_clean(t.target, 0);
}

static void another_database_is_probed_when_it_is_named(struct world *w)
{
	struct two t = two_start(w);
	json_t *o = probe(w, text("%s/5", t.source->url), text("%s/7", t.target->url),
			  "--probe=full", 0);
	assert_all_as_expected(o);
	assert_int_equal(count(o, "database"), 5);
	json_decref(o);
	assert_clean(t.source, 0);
	assert_clean(t.target, 0);
}

static void a_full_sync_is_taken_only_where_it_is_asked_for(struct world *w)
{
	struct two t = two_start(w);
	struct job *j = probe_start(w, t.source->url, t.target->url, "--probe");
	json_decref(probe_end(j, 1));
	assert_one_sentence(j, "--probe=full");
	assert_int_equal(info_number(t.source, "stats", "sync_full"), 0);
	assert_int_equal(info_number(t.source, "persistence", "rdb_changes_since_last_save"), 0);
	assert_int_equal(info_number(t.target, "persistence", "rdb_changes_since_last_save"), 0);
}

// A source that sends another verb than it was told: one that does the same, one that does not, and
// one that nobody knows.
static void a_source_that_propagates_differently_is_found(struct world *w)
{
	struct two t = two_start(w);
	struct proxy *odd = proxy_start(w, t.source->port);
	json_decref(probe(w, t.source->url, t.target->url, "--probe=full", 0)); // now has a backlog
	proxy_replace(odd, FROM_SERVER, "$11\r\nZUNIONSTORE\r\n", "$11\r\nZINTERSTORE\r\n");
	json_t *o = probe(w, odd->url, t.target->url, "--probe", 0);
	assert_int_equal(count(o, "differs"), 1);
	assert_non_null(strstr(word(case_of(o, "differs"), "came"), "ZINTERSTORE @out 2 @top"));
	assert_string_equal(word(finding(o, "probe-stream"), "severity"), "warning");
	json_decref(o);

	proxy_replace(odd, FROM_SERVER, "$6\r\nINCRBY\r\n", "$6\r\nDECRBY\r\n");
	o = probe(w, odd->url, t.target->url, "--probe", 1);
	assert_int_equal(count(o, "value-differs"), 1);
	assert_string_equal(word(case_of(o, "value-differs"), "came"), "DECRBY @sum 41");
	assert_non_null(strstr(word(finding(o, "probe-value"), "sentence"), "another value"));
	json_decref(o);

	proxy_replace(odd, FROM_SERVER, "$7\r\nPERSIST\r\n", "$7\r\nFOREVER\r\n");
	o = probe(w, odd->url, t.target->url, "--probe", 1);
	assert_int_equal(count(o, "target-refuses"), 1);
	assert_non_null(strstr(word(case_of(o, "target-refuses"), "why"), "FOREVER"));
	assert_string_equal(word(finding(o, "probe-target"), "severity"), "error");
	json_decref(o);
	assert_clean(t.source, 0);
	assert_clean(t.target, 0);
}

static void what_either_side_does_not_take_is_found(struct world *w)
{
	struct server *source =
		server_start(w, "source", "--rename-command", "GETDEL", "hidden", NULL);
	struct server *target =
		server_start(w, "target", "--rename-command", "LTRIM", "hidden", NULL);
	json_t *o = probe(w, source->url, target->url, "--probe=full", 1);
	assert_int_equal(count(o, "target-refuses"), 2);
	assert_non_null(strstr(word(case_of(o, "target-refuses"), "why"), "LTRIM"));
	assert_int_equal(count(o, "refused"), 2);
	assert_non_null(strstr(word(finding(o, "probe-refused"), "sentence"), "GETDEL"));
	json_decref(o);
	assert_clean(source, 0);
	assert_clean(target, 0);
}

static void writes_of_others_do_not_disturb(struct world *w)
{
	struct two t = two_start(w);
	struct process *writer = writer_start(t.source);
	json_t *o = probe(w, t.source->url, t.target->url, "--probe=full", 0);
	writer_stop(writer);
	if (count(o, "ok") + count(o, "skipped") != count(o, "cases"))
		fail_msg("not all are as expected: %s", json_dumps(o, 0));
	json_decref(o);
	assert_clean(t.target, 0);
}

static bool has_a_key(void *server)
{
	return ask_number(server, "DBSIZE") > 0;
}

// While its keys are there, on both sides.
static void one_that_is_interrupted_leaves_nothing(struct world *w)
{
	static const int signals[] = {SIGINT, SIGTERM};
	struct two t = two_start(w);
	struct proxy *slow = proxy_start(w, t.target->port);
	proxy_delay(slow, 30);
	for (unsigned i = 0; i < 2; i++) {
		struct job *j = probe_start(w, t.source->url, slow->url, "--probe=full");
		wait_until(has_a_key, t.target, "the probe to write");
		process_signal(j->process, signals[i]);
		json_t *o = probe_end(j, 1);
		assert_one_sentence(j, "interrupted");
		assert_true(count(o, "cases") < 200);
		json_decref(o);
		assert_clean(t.source, 0);
		assert_clean(t.target, 0);
	}
}

static void a_target_that_goes_away_leaves_nothing_in_the_source(struct world *w)
{
	struct two t = two_start(w);
	struct proxy *slow = proxy_start(w, t.target->port);
	proxy_delay(slow, 30);
	struct job *j = probe_start(w, t.source->url, slow->url, "--probe=full");
	wait_until(has_a_key, t.target, "the probe to write");
	proxy_refuse(slow, true);
	proxy_cut(slow, END_RST);
	json_t *o = probe_end(j, 4);
	assert_one_sentence(j, "the target");
	assert_non_null(strstr(word(finding(o, "probe-leftovers"), "sentence"), "may be left"));
	json_decref(o);
	assert_clean(t.source, 0);
}

// That says nothing of verbs.
static void a_target_that_takes_no_writes_ends_the_probe(struct world *w)
{
	struct two t = two_start(w);
	run(t.target, "CONFIG SET maxmemory 1");
	struct job *j = probe_start(w, t.source->url, t.target->url, "--probe=full");
	json_t *o = probe_end(j, 1);
	assert_one_sentence(j, "OOM");
	assert_int_equal(count(o, "target-refuses"), 0);
	json_decref(o);
	assert_clean(t.source, 0);
}

static bool follows(void *arg)
{
	return !strcmp(info_text(arg, "replication", "master_link_status"), "up");
}

static void a_replica_is_not_written_to(struct world *w)
{
	struct two t = two_start(w);
	struct server *master = server_start(w, "master", NULL);
	run(t.source, "REPLICAOF 127.0.0.1 %d", master->port);
	wait_until(follows, t.source, "the replica to follow");
	struct job *j = probe_start(w, t.source->url, t.target->url, "--probe");
	json_decref(probe_end(j, 4));
	assert_one_sentence(j, "the source is a replica");
	j = probe_start(w, master->url, t.source->url, "--probe"); // follows it by itself
	json_decref(probe_end(j, 1));
	assert_one_sentence(j, "no probe");
	assert_clean(master, 0);
}

// The line that the refusal names is all that it takes.
static void missing_rights_are_named(struct world *w)
{
	struct two t = two_start(w);
	const char *url = text("redis://ann:pw@127.0.0.1:%d", t.source->port);
	run(t.source, "ACL SETUSER ann on >pw +ping +psync +replconf +info");
	struct job *j = probe_start(w, url, t.target->url, "--probe=full");
	json_decref(probe_end(j, 4));
	char *said = process_stderr(j->process);
	char *line = strstr(said, "a probe wants `"); // behind the one word that it met first
	line = line ? strchr(line, '`') + 1 : NULL;
	char *end = line ? strchr(line, '`') : NULL;
	assert_non_null(end);
	*end = 0;
	assert_int_equal(system(text("redis-cli -p %d %s >/dev/null", t.source->port, line)), 0);
	free(said);
	json_t *o = probe(w, url, t.target->url, "--probe=full", 0);
	assert_all_as_expected(o);
	json_decref(o);
}

static void ends_with_usage(struct world *w, const char *source, const char *target,
			    const char *option, const char *said)
{
	struct job *j = source ? job_start(w, "doctor", option, source, target, NULL)
			       : job_start(w, "doctor", option, NULL);
	assert_int_equal(process_wait(j->process), 2);
	assert_one_sentence(j, said);
}

static void a_probe_needs_two_servers_and_a_known_way(struct world *w)
{
	ends_with_usage(w, NULL, NULL, "--probe", "SOURCE and TARGET");
	ends_with_usage(w, "redis://a", "redis://b", "--probe=half", "=full");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(every_verb_of_this_server_is_as_expected),
		E2E_TEST(another_database_is_probed_when_it_is_named),
		E2E_TEST(a_full_sync_is_taken_only_where_it_is_asked_for),
		E2E_TEST(a_source_that_propagates_differently_is_found),
		E2E_TEST(what_either_side_does_not_take_is_found),
		E2E_TEST(writes_of_others_do_not_disturb),
		E2E_TEST(one_that_is_interrupted_leaves_nothing),
		E2E_TEST(a_target_that_goes_away_leaves_nothing_in_the_source),
		E2E_TEST(a_target_that_takes_no_writes_ends_the_probe),
		E2E_TEST(a_replica_is_not_written_to),
		E2E_TEST(missing_rights_are_named),
		E2E_TEST(a_probe_needs_two_servers_and_a_known_way),
	};

	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
