// SPDX-License-Identifier: BSD-3-Clause
// `flyover doctor` against real servers, and the pre-flight of a sync: what would go wrong is found
// before it does, the command that is named mends it, and nothing is changed by looking.
#include "tests/e2e/findings.h"
#include "tests/e2e/rights_rig.h"
#include "tests/e2e/sentinels.h"

struct two {
	struct world *world;
	struct server *source, *target;
};

static struct two two_start(struct world *w)
{
	return (struct two){w, server_start(w, "source", NULL), server_start(w, "target", NULL)};
}

// Run it with --json. @return its answer; the exit code has to fit to it
static json_t *doctor(struct world *w, const char *source_url, const char *target_url)
{
	const char *arguments[] = {"doctor", source_url, target_url, "--json", NULL};
	struct job *j = job_start_argv(w, "flyover", arguments, NULL);
	int code = process_wait(j->process);
	char *out = process_stdout(j->process), *said = process_stderr(j->process);
	json_t *o = json_loads(out, 0, NULL);

	if (!json_is_object(o))
		fail_msg("exit code %d, '%s' '%s'", code, out, said);
	assert_int_equal(code, json_integer_value(json_object_get(o, "errors")) ? 1 : 0);
	assert_string_equal(said, "");
	free(out);
	free(said);
	return o;
}

static void assert_found(const json_t *o, const char *check, const char *severity, const char *part)
{
	const json_t *found = finding(o, check);

	if (strcmp(word(found, "severity"), severity) || !strstr(word(found, "sentence"), part))
		fail_msg("no %s '%s' of %s: %s", severity, part, check, json_dumps(o, 0));
}

static void assert_errors(const json_t *o, long long n)
{
	if (json_integer_value(json_object_get(o, "errors")) != n)
		fail_msg("not %lld errors: %s", n, json_dumps(o, 0));
}

// Do what the finding says, by the shell, as a user would.
static void mend(const json_t *o, const char *check)
{
	const char *command = word(finding(o, check), "mend");

	assert_non_null(strstr(command, "redis-cli -h 127.0.0.1 -p "));
	assert_int_equal(system(text("%s | grep -q OK", command)), 0);
}

static void a_healthy_pair_has_nothing_to_mend(struct world *w)
{
	struct two t = two_start(w);

	dataset_load(t.source);
	json_t *o = doctor(w, t.source->url, t.target->url);
	assert_string_equal(word(o, "result"), "ok");
	assert_found(o, "versions", "info", "the source is redis");
	assert_int_equal(ask_number(t.target, "DBSIZE"), 0);
	assert_int_equal(info_number(t.source, "stats", "sync_full"), 0);
	json_decref(o);
	struct job *j = job_start(w, "doctor", t.source->url, t.target->url, NULL);
	assert_int_equal(process_wait(j->process), 0);
	char *out = process_stdout(j->process);
	assert_non_null(strstr(out, "0 errors, 0 warnings\n"));
	free(out);
}

static void this_host_is_examined(struct world *w)
{
	json_t *o = doctor(w, "--state-dir", w->dir);

	assert_errors(o, 0);
	assert_found(o, "state-dir", "info", w->dir);
	assert_non_null(finding(o, "io-uring"));
	json_decref(o);
	o = doctor(w, "--state-dir", "/proc/self/task");
	assert_found(o, "state-dir", "error", "cannot be written in /proc/self/task");
	json_decref(o);
}

static void ends_with(struct world *w, int code, const char *source, const char *target,
		      const char *said)
{
	struct job *j = job_start(w, "doctor", source, target, NULL);

	assert_int_equal(process_wait(j->process), code);
	assert_one_sentence(j, said);
}

static void one_that_cannot_be_reached_ends_with_4(struct world *w)
{
	struct two t = two_start(w);
	const char *closed = text("redis://127.0.0.1:%d", free_port());

	ends_with(w, 4, closed, t.target->url, "the source");
	ends_with(w, 4, t.source->url, closed, "the target");
	ends_with(w, 4, text("redis://nobody:x@127.0.0.1:%d", t.source->port), t.target->url,
		  "AUTH");
	ends_with(w, 2, t.source->url, NULL, "SOURCE and TARGET");
	ends_with(w, 3, t.source->url, "https://x", "URL");
}

static const char *user_url(const struct server *s, const char *user)
{
	return text("redis://%s:pw@127.0.0.1:%d", user, s->port);
}

// What is missing is named, and with what is named the sync works.
static void missing_rights_are_mended_by_the_line(struct world *w)
{
	struct two t = two_start(w);
	const char *source = user_url(t.source, "ann"), *target = user_url(t.target, "bob");

	dataset_load(t.source);
	run(t.source, "ACL SETUSER ann on >pw +ping +info");
	run(t.target, "ACL SETUSER bob on >pw ~app:* +ping +info +multi +exec +discard");
	json_t *o = doctor(w, source, target);
	assert_found(o, "source-rights", "error", "the user ann of the source may not: PSYNC");
	assert_found(o, "target-rights", "error", "the user bob of the target may not: ");
	mend(o, "source-rights");
	mend(o, "target-rights");
	json_decref(o);
	run(t.target, "ACL SETUSER bob -flushall");
	o = doctor(w, source, target);
	assert_null(finding(o, "source-rights"));
	assert_found(o, "target-rights", "warning", "FLUSHALL");
	mend(o, "target-rights");
	json_decref(o);
	o = doctor(w, source, target);
	assert_found(o, "target-rights", "error", "__flyover:"); // the pattern of keys
	mend(o, "target-rights");
	json_decref(o);
	o = doctor(w, source, target);
	assert_found(o, "target-rights", "warning", "every channel");
	mend(o, "target-rights");
	json_decref(o);
	o = doctor(w, source, target);
	assert_errors(o, 0);
	assert_null(finding(o, "target-rights"));
	json_decref(o);
	assert_int_equal(sync_run(w, source, target, "--until=caught-up", NULL), 0);
	assert_int_equal(keys_count(t.target, 0), keys_count(t.source, 0));
}

// FLUSHALL is among what is asked for, and some users may not even DISCARD.
static void looking_changes_nothing(struct world *w)
{
	static const char *const rights[] = {"+@all", "+@all -discard", "+@all -exec",
					     "+@all -@read", "+@all -@dangerous"};
	struct two t = two_start(w);

	dataset_load(t.target);
	long long keys = keys_count(t.target, 0);
	long long changes = info_number(t.target, "persistence", "rdb_changes_since_last_save");
	for (unsigned i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
		run(t.target, text("ACL SETUSER u%u on >pw ~* &* %s", i, rights[i]));
		json_decref(doctor(w, t.source->url, user_url(t.target, text("u%u", i))));
	}
	assert_int_equal(keys_count(t.target, 0), keys);
	assert_int_equal(info_number(t.target, "persistence", "rdb_changes_since_last_save"),
			 changes);
	assert_int_equal(info_number(t.source, "stats", "sync_full"), 0);
}

// A sync that ends for want of a right names the whole line.
static void a_sync_names_the_line_too(struct world *w)
{
	struct two t = two_start(w);

	run(t.source, "SET a 1");
	run(t.target, "ACL SETUSER bob on >pw ~* &* +@all -get -set");
	struct job *j = sync_start(w, t.source->url, user_url(t.target, "bob"), NULL);
	assert_int_equal(job_wait(j), 4);
	assert_one_sentence(j, "ACL SETUSER bob +get +set");
}

// Where ACL DRYRUN is allowed, it is asked, and no trace of a PSYNC is left.
static void an_administrator_is_asked_by_dry_run(struct world *w)
{
	struct two t = two_start(w);

	run(t.source, "ACL SETUSER ann on >pw ~* +@all -psync -replconf");
	json_t *o = doctor(w, user_url(t.source, "ann"), t.target->url);
	assert_found(o, "source-rights", "error", "may not: PSYNC, REPLCONF");
	assert_string_equal(word(finding(o, "source-rights"), "mend"),
			    text("redis-cli -h 127.0.0.1 -p %d ACL SETUSER ann +psync +replconf",
				 t.source->port));
	json_decref(o);
	redisReply *log = ask(t.source, "ACL LOG");
	assert_int_equal(log->elements, 0);
	freeReplyObject(log);
}

static void renamed_commands_are_found(struct world *w)
{
	struct server *source =
		server_start(w, "source", "--rename-command", "PSYNC", "hidden", NULL);
	struct server *target =
		server_start(w, "target", "--rename-command", "FLUSHALL", "hidden", NULL);

	json_t *o = doctor(w, source->url, target->url);
	assert_found(o, "source-rights", "error", "does not know PSYNC");
	assert_found(o, "commands", "warning", "does not know FLUSHALL");
	json_decref(o);
	run(source, "FLUSHALL"); // so its clients use it
	o = doctor(w, source->url, target->url);
	assert_found(o, "commands", "error", "FLUSHALL");
	json_decref(o);
}

static void a_target_with_too_little_memory_is_found(struct world *w)
{
	struct two t = two_start(w);

	dataset_load_strings(t.source, "key", 2000, 2000);
	run(t.target, "CONFIG SET maxmemory 3mb");
	run(t.target, "CONFIG SET maxmemory-policy allkeys-lfu");
	json_t *o = doctor(w, t.source->url, t.target->url);
	assert_found(o, "target-memory", "error", "evict");
	assert_found(o, "eviction", "warning", "allkeys-lfu");
	mend(o, "target-memory");
	mend(o, "eviction");
	json_decref(o);
	o = doctor(w, t.source->url, t.target->url);
	assert_string_equal(word(o, "result"), "ok");
	json_decref(o);
}

static void keys_of_others_are_told_from_ours(struct world *w)
{
	struct two t = two_start(w);

	run(t.source, "SET a 1");
	run(t.target, "SET mine 1");
	json_t *o = doctor(w, t.source->url, t.target->url);
	assert_found(o, "target-keys", "warning", "has 1 keys that this link did not write");
	json_decref(o);
	assert_int_equal(sync_run(w, t.source->url, t.target->url, "--until=caught-up", NULL), 0);
	o = doctor(w, t.source->url, t.target->url);
	assert_null(finding(o, "target-keys"));
	json_decref(o);
	o = doctor(w, text("redis://localhost:%d", t.source->port), t.target->url); // another link
	assert_found(o, "target-keys", "warning", "has 2 keys that this link did not write");
	json_decref(o);
}

static void a_small_backlog_is_found_while_clients_write(struct world *w)
{
	struct two t = two_start(w);

	run(t.source, "CONFIG SET repl-backlog-size 20kb");
	struct process *writer = writer_start(t.source);
	json_t *o = doctor(w, t.source->url, t.target->url);
	assert_found(o, "backlog", "warning", "bridges an outage of");
	mend(o, "backlog");
	json_decref(o);
	o = doctor(w, t.source->url, t.target->url);
	assert_string_not_equal(word(finding(o, "backlog"), "severity"), "warning");
	json_decref(o);
	writer_stop(writer);
}

static bool follows(void *arg)
{
	return !strcmp(info_text(arg, "replication", "master_link_status"), "up");
}

static void servers_that_replicate_already_are_refused(struct world *w)
{
	struct two t = two_start(w);
	const char *by_name = text("redis://localhost:%d", t.source->port);

	run(t.source, "SET a 1");
	json_t *o = doctor(w, t.source->url, by_name);
	assert_found(o, "same-server", "error", "the same server");
	json_decref(o);
	struct job *j = sync_start(w, t.source->url, by_name, NULL);
	assert_int_equal(job_wait(j), 3);
	assert_one_sentence(j, "the same server");
	assert_int_equal(ask_number(t.source, "DBSIZE"), 1);

	run(t.target, "REPLICAOF 127.0.0.1 %d", t.source->port);
	wait_until(follows, t.target, "the replica to follow");
	o = doctor(w, t.source->url, t.target->url);
	assert_found(o, "target-follows", "error", "follows the source");
	json_decref(o);
	o = doctor(w, t.target->url, t.source->url);
	assert_found(o, "source-follows", "error", "a replica of the target");
	json_decref(o);
	j = sync_start(w, t.target->url, t.source->url, NULL);
	assert_int_equal(job_wait(j), 3);
	assert_one_sentence(j, "come back without end");
	assert_int_equal(ask_number(t.source, "DBSIZE"), 1);
}

// ---- Pre-flight -------------------------------------------------------------------------------

static bool has_warning(const json_t *progress, const void *check)
{
	return finding_of(json_object_get(progress, "warnings"), check) != NULL;
}

static void a_sync_shows_warnings_and_goes_on(struct world *w)
{
	struct two t = two_start(w);

	dataset_load(t.source);
	run(t.target, "CONFIG SET maxmemory 500mb");
	run(t.target, "CONFIG SET maxmemory-policy allkeys-lru");
	struct job *j = sync_start(w, t.source->url, t.target->url, NULL);
	job_wait_for(j, has_warning, "eviction", "the warning of the pre-flight");
	job_wait_phase(j, "stream");
	assert_int_equal(job_drain(j), 0);
	char *said = process_stderr(j->process);
	assert_string_equal(said, ""); // with --json it is in the objects
	free(said);
	j = job_start(w, "sync", t.source->url, t.target->url, "--until=caught-up", "--state-dir",
		      text("%s/plain", w->dir), NULL);
	assert_int_equal(process_wait(j->process), 0);
	assert_one_sentence(j, "warning: the target evicts any key");
	j = job_start(w, "sync", t.source->url, t.target->url, "--until=caught-up", "--state-dir",
		      text("%s/plain", w->dir), "--preflight=no", NULL);
	assert_int_equal(process_wait(j->process), 0);
	said = process_stderr(j->process);
	assert_string_equal(said, "");
	free(said);
}

// A warning that hangs on the rate of writes comes while the link runs.
static void a_warning_by_the_rate_comes_later(struct world *w)
{
	struct two t = two_start(w);

	run(t.source, "CONFIG SET repl-backlog-size 20kb");
	struct process *writer = writer_start(t.source);
	struct job *j = sync_start(w, t.source->url, t.target->url, NULL);
	job_wait_for(j, has_warning, "backlog", "the warning of the pre-flight");
	writer_stop(writer);
	job_wait_applied(j, t.source);
	assert_int_equal(job_drain(j), 0);
}

// Far servers answer after the link has begun: it is stopped then.
static void damage_that_is_seen_late_ends_the_link(struct world *w)
{
	struct two t = two_start(w);
	struct proxy *far = proxy_start(w, t.target->port);

	run(t.source, "SET a 1");
	run(t.target, "REPLICAOF 127.0.0.1 %d", t.source->port);
	wait_until(follows, t.target, "the replica to follow");
	proxy_delay(far, 600);
	struct job *j = sync_start(w, far->url, t.source->url, NULL);
	assert_int_equal(job_wait(j), 3);
	assert_one_sentence(j, "come back without end");
	assert_int_equal(ask_number(t.source, "DBSIZE"), 1);
}

static bool is_late(const json_t *progress, const void *arg)
{
	return !strncmp(word(progress, "preflight"), "not finished", 12);
}

static void a_preflight_that_gets_no_answer_stops_nothing(struct world *w)
{
	struct two t = two_start(w);

	run(t.source, "SET a 1");
	server_freeze(t.target);
	struct job *j = sync_start(w, t.source->url, t.target->url, "--fail-fast=no", NULL);
	job_wait_for(j, is_late, NULL, "the pre-flight to be late");
	server_thaw(t.target);
	job_wait_phase(j, "stream");
	job_wait_applied(j, t.source);
	assert_int_equal(job_drain(j), 0);
	assert_string_equal(ask_text(t.target, "GET a"), "1");
}

static void clusters_are_examined_as_a_whole(struct world *w)
{
	struct cluster *a = cluster_start(w, "a", 3, 0, NULL);
	struct cluster *b = cluster_start(w, "b", 2, 1, NULL);
	char node[64];

	cluster_fill(a, "key", 300, 10);
	json_t *o = doctor(w, a->url, b->url);
	assert_errors(o, 0);
	assert_null(finding(o, "cluster"));
	assert_null(finding(o, "target-keys"));
	assert_found(o, "full-coverage", "info", "stops wholly");
	json_decref(o);
	o = doctor(w, a->url, a->url);
	assert_found(o, "same-server", "error", "the same server");
	json_decref(o);
	snprintf(node, sizeof(node), "redis://%s:%d", here(), a->nodes.list[1]->port);
	o = doctor(w, node, b->url);
	assert_found(o, "cluster", "error", "the source is a node of a cluster");
	assert_string_equal(word(finding(o, "cluster"), "mend"),
			    text("redis+cluster://%s:%d", here(), a->nodes.list[1]->port));
	json_decref(o);
	// every master's keys count
	o = doctor(w, b->url, a->url);
	assert_found(o, "target-keys", "warning", "300 keys");
	json_decref(o);
	for (unsigned i = 0; i < 3; i++) // gossip does not take slots away
		run(a->nodes.list[i], "CLUSTER DELSLOTS 5 6 7");
	o = doctor(w, a->url, b->url);
	assert_found(o, "cluster", "error", "3 slots without a master (the first is 5)");
	json_decref(o);
}

static void a_cluster_has_one_database(struct world *w)
{
	struct cluster *c = cluster_start(w, "c", 2, 0, NULL);
	struct server *alone = server_start(w, "alone", NULL);

	run(alone, "SET a 1");
	json_t *o = doctor(w, alone->url, c->url);
	assert_errors(o, 0);
	json_decref(o);
	select_db(alone, 5);
	run(alone, "SET a 1");
	o = doctor(w, alone->url, c->url);
	assert_found(o, "databases", "error", "the source has keys in database 5");
	json_decref(o);
	o = doctor(w, text("%s/0", alone->url), c->url);
	assert_errors(o, 0);
	json_decref(o);
}

// ---- Rights on every node ---------------------------------------------------------------------

static const char *with_user(const char *url)
{
	const char *hosts = strstr(url, "://") + 3;
	return text("%.*sflyover:pw@%s", (int)(hosts - url), url, hosts);
}

static void rights_grant_all(const struct servers *all, const struct rights *r)
{
	for (unsigned i = 0; i < all->n; i++)
		rights_grant(all->list[i], r, NULL);
}

static const char *place(const struct server *s)
{
	return text("%s:%d", here(), s->port);
}

// Found, named with its node, and mended by the line, until nothing is left.
static void lack_is_mended(struct world *w, const char *source, const char *target,
			   const char *check, struct server *at, const char *lacks)
{
	json_t *o = doctor(w, source, target);

	assert_found(o, check, "error", place(at));
	assert_found(o, check, "error", lacks);
	assert_non_null(
		strstr(word(finding(o, check), "mend"),
		       text("redis-cli -h %s -p %d ACL SETUSER flyover ", here(), at->port)));
	mend(o, check);
	json_decref(o);
	o = doctor(w, source, target);
	assert_errors(o, 0);
	assert_null(finding(o, check));
	json_decref(o);
}

// One node of a cluster lacks what the others have.
static void each_node_of_a_cluster_is_asked_for_rights(struct world *w)
{
	struct cluster *a = cluster_start(w, "a", 2, 1, NULL),
		       *b = cluster_start(w, "b", 2, 1, NULL);
	struct rights r = rights_of(w, "sync", "source, each node of a cluster");
	const char *source = with_user(a->url), *target = with_user(b->url);
	struct server *last = b->nodes.list[3], *one = b->nodes.list[1];

	rights_grant_all(&a->nodes, &r);
	r = rights_of(w, "sync", "target, each node of a cluster");
	rights_grant_all(&b->nodes, &r);
	json_t *o = doctor(w, source, target);
	assert_errors(o, 0);
	assert_null(finding(o, "source-rights"));
	assert_null(finding(o, "target-rights"));
	json_decref(o);
	for (unsigned i = 0; i < 4; i++) {
		assert_string_equal(rights_denied(a->nodes.list[i]), "");
		assert_string_equal(rights_denied(b->nodes.list[i]), "");
	}
	run(one, "ACL SETUSER flyover -exists"); // of commands over slots, in clusters alone
	lack_is_mended(w, source, target, "target-rights", one, "EXISTS");
	run(last, "ACL SETUSER flyover -set"); // a replica, which may be the master in a moment
	lack_is_mended(w, source, target, "target-rights", last, "SET");
	run(one, "ACL SETUSER flyover resetkeys ~app:*");
	lack_is_mended(w, source, target, "target-rights", one, "__flyover:");
	run(a->nodes.list[2], "ACL SETUSER flyover -psync");
	lack_is_mended(w, source, target, "source-rights", a->nodes.list[2], "PSYNC");
}

static void what_all_nodes_lack_is_said_once(struct world *w)
{
	struct cluster *b = cluster_start(w, "b", 2, 1, NULL);
	struct server *source = server_start(w, "source", NULL);
	struct rights r = rights_of(w, "sync", "target, each node of a cluster");
	const char *target = with_user(b->url);

	rights_grant_all(&b->nodes, &r);
	for (unsigned i = 0; i < 4; i++)
		run(b->nodes.list[i], "ACL SETUSER flyover -get -dump");
	json_t *o = doctor(w, source->url, target);
	assert_errors(o, 1);
	assert_found(o, "target-rights", "error", "at each of its nodes may not: GET, DUMP");
	assert_int_equal(system(text("%s >/dev/null", word(finding(o, "target-rights"), "mend"))),
			 0);
	json_decref(o);
	o = doctor(w, source->url, target);
	assert_errors(o, 0);
	json_decref(o);
	// A user that one node does not have: when that is a master, nothing can be examined.
	run(b->nodes.list[3], "ACL DELUSER flyover");
	o = doctor(w, source->url, target);
	assert_found(o, "target-rights", "error",
		     text("is not let in by the target at %s", place(b->nodes.list[3])));
	assert_non_null(strstr(word(finding(o, "target-rights"), "mend"),
			       "ACL SETUSER flyover on '>PASSWORD' '~*'"));
	json_decref(o);
}

// The pre-flight of a sync is the same.
static void a_sync_to_a_cluster_names_the_node(struct world *w)
{
	struct cluster *b = cluster_start(w, "b", 2, 0, NULL);
	struct server *source = server_start(w, "source", NULL);
	struct rights r = rights_of(w, "sync", "target, each node of a cluster");

	rights_grant_all(&b->nodes, &r);
	run(b->nodes.list[1], "ACL SETUSER flyover -flushall");
	struct job *j = sync_start(w, source->url, with_user(b->url), NULL);
	job_wait_for(j, has_warning, "target-rights", "the warning of the pre-flight");
	const json_t *found = finding_of(json_object_get(j->last, "warnings"), "target-rights");
	assert_non_null(strstr(word(found, "sentence"), place(b->nodes.list[1])));
	assert_non_null(strstr(word(found, "sentence"), "FLUSHALL"));
	job_wait_phase(j, "stream");
	assert_int_equal(job_drain(j), 0);
}

static void each_sentinel_is_asked_for_rights(struct world *w)
{
	struct ensemble source = ensemble_start(w, "source", "");
	struct server *target = server_start(w, "target", NULL);
	struct sentinels s = sentinels_start(w, &source, NULL, "");
	struct rights r = rights_of(w, "sync", "sentinels, of either side and every verb");
	const char *url = sentinels_url(&s, &source, ""), *file = text("%s/password", w->dir);
	const char *arguments[] = {"doctor",
				   url,
				   target->url,
				   "--json",
				   "--source-sentinel-user=flyover",
				   "--source-sentinel-password-file",
				   file,
				   NULL};

	file_write(file, "pw", 2);
	for (unsigned i = 0; i < SENTINELS; i++)
		rights_grant(s.list[i], &r, NULL);
	for (unsigned i = 0; i <= r.n; i++) {
		struct server *one = s.list[i % SENTINELS];
		rights_grant(one, &r, i < r.n ? r.words[i] : NULL);
		struct job *j = job_start_argv(w, "flyover", arguments, NULL);
		process_wait(j->process);
		char *out = process_stdout(j->process);
		json_t *o = json_loads(out, 0, NULL);
		const json_t *found = finding(o, "source-sentinels");
		assert_int_equal(found != NULL, i < r.n);
		if (found && strcmp(r.words[i], "+ping")) { // without, it lets nobody in
			assert_non_null(strstr(word(found, "sentence"), place(one)));
			assert_non_null(strstr(word(found, "mend"), rights_word(r.words[i])));
			mend(o, "source-sentinels");
		}
		json_decref(o);
		free(out);
		rights_grant(one, &r, NULL);
	}
}

// One that is away is named; the others suffice.
static void a_sentinel_that_is_away_is_named(struct world *w)
{
	struct ensemble source = ensemble_start(w, "source", "");
	struct server *target = server_start(w, "target", NULL);
	struct sentinels s = sentinels_start(w, &source, NULL, "");

	server_kill(s.list[1]);
	json_t *o = doctor(w, sentinels_url(&s, &source, ""), target->url);
	assert_errors(o, 0);
	assert_found(o, "source-sentinels", "warning", place(s.list[1]));
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(a_healthy_pair_has_nothing_to_mend),
		E2E_TEST(this_host_is_examined),
		E2E_TEST(one_that_cannot_be_reached_ends_with_4),
		E2E_TEST(missing_rights_are_mended_by_the_line),
		E2E_TEST(looking_changes_nothing),
		E2E_TEST(a_sync_names_the_line_too),
		E2E_TEST(an_administrator_is_asked_by_dry_run),
		E2E_TEST(renamed_commands_are_found),
		E2E_TEST(a_target_with_too_little_memory_is_found),
		E2E_TEST(keys_of_others_are_told_from_ours),
		E2E_TEST(a_small_backlog_is_found_while_clients_write),
		E2E_TEST(servers_that_replicate_already_are_refused),
		E2E_TEST(a_sync_shows_warnings_and_goes_on),
		E2E_TEST(a_warning_by_the_rate_comes_later),
		E2E_TEST(damage_that_is_seen_late_ends_the_link),
		E2E_TEST(a_preflight_that_gets_no_answer_stops_nothing),
		E2E_TEST(clusters_are_examined_as_a_whole),
		E2E_TEST(a_cluster_has_one_database),
		E2E_TEST(each_node_of_a_cluster_is_asked_for_rights),
		E2E_TEST(what_all_nodes_lack_is_said_once),
		E2E_TEST(a_sync_to_a_cluster_names_the_node),
		E2E_TEST(each_sentinel_is_asked_for_rights),
		E2E_TEST(a_sentinel_that_is_away_is_named),
	};

	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
