// SPDX-License-Identifier: BSD-3-Clause
// The lines of `flyover help rights` are true. With just them every verb does all of its work, and
// nothing is denied. Each word that is taken away is missed: the verb ends with a sentence that
// names it, or the doctor names it, or it is one that the help says may be left out. With the word
// back, everything is there.
#include <signal.h>

#include "tests/e2e/rights_rig.h"
#include "tests/e2e/sentinels.h"

struct bench {
	struct world *world;
	struct server *source, *target;
	unsigned n_runs;
};

static struct bench bench_start(struct world *w)
{
	return (struct bench){.world = w,
			      .source = server_start(w, "source", NULL),
			      .target = server_start(w, "target", NULL)};
}

// A verb, and how it is run. In the options, % is a path that is new each time.
struct task {
	const char *verb, *source, *target; // who, of `flyover help rights`; NULL: no such side
	const char *options[8];
	bool fresh;  // the target is emptied before
	bool equals; // both sides are equal afterwards
};

static struct job *task_start(struct bench *b, const struct task *t, const char *verb)
{
	const char *arguments[24] = {verb};
	unsigned n = 1;

	for (unsigned i = 0; verb == t->verb && t->options[i]; i++)
		arguments[n++] = strcmp(t->options[i], "%")
					 ? t->options[i]
					 : text("%s/run-%u", b->world->dir, b->n_runs++);
	if (t->source)
		arguments[n++] = rights_url(b->source);
	if (t->target)
		arguments[n++] = rights_url(b->target);
	return job_start_argv(b->world, "flyover", arguments, NULL);
}

// @param lacks  a word that is left out; NULL none
// @param of     at this server
static void rights_set(struct bench *b, const struct task *t, const char *lacks,
		       const struct server *of)
{
	struct rights r;

	if (t->source) {
		r = rights_of(b->world, t->verb, t->source);
		rights_grant(b->source, &r, of == b->source ? lacks : NULL);
	}
	if (t->target) {
		r = rights_of(b->world, t->verb, t->target);
		rights_grant(b->target, &r, of == b->target ? lacks : NULL);
	}
	if (t->fresh)
		run(b->target, "FLUSHALL");
	if (t->fresh)
		run(b->target, "FUNCTION FLUSH");
}

static void task_succeeds(struct bench *b, const struct task *t)
{
	struct job *j = task_start(b, t, t->verb);

	if (process_wait(j->process))
		fail_msg("%s: '%s' '%s'", t->verb, process_stdout(j->process),
			 process_stderr(j->process));
	if (t->equals)
		assert_same_data(b->source, b->target);
}

static void task_needs_no_more(struct bench *b, const struct task *t)
{
	rights_set(b, t, NULL, NULL);
	task_succeeds(b, t);
	assert_string_equal(rights_denied(b->source), "");
	assert_string_equal(rights_denied(b->target), "");
}

// Whether what was said has a command that grants the word: for a category, one of its commands.
static bool names(const char *said, const char *word)
{
	const char *line = strstr(said, "ACL SETUSER "), *at = line;
	const char *shown = rights_word(word);

	if (line && !strncmp(word, "+@", 2))
		return strstr(line, " +") || strstr(line, " '+");
	while (at && (at = strstr(at, shown)) && !strchr(" `;\n", at[strlen(shown)]))
		at++;
	// Without this one, an older one is asked for.
	return at || (!strcmp(word, "+pexpiretime") && line && strstr(line, " +pttl")) ||
	       strstr(said, "`flyover help rights dump`");
}

static bool doctor_names(struct bench *b, const struct task *t, const char *word)
{
	struct job *j = task_start(b, t, "doctor");

	process_wait(j->process);
	char *out = process_stdout(j->process), *said = process_stderr(j->process);
	bool named = names(out, word) || names(said, word);
	free(out);
	free(said);
	return named;
}

static void word_is_missed(struct bench *b, const struct task *t, struct server *of,
			   const char *word)
{
	bool spared = rights_spares(b->world, t->verb, word);
	bool of_link = !strcmp(t->verb, "sync");

	rights_set(b, t, word, of);
	struct job *j = task_start(b, t, t->verb);
	int code = process_wait(j->process);
	char *said = process_stderr(j->process), *out = process_stdout(j->process);
	bool named = names(said, word) || names(out, word) || (of_link && doctor_names(b, t, word));
	// What is spared may be missed by the result, which then says so.
	if (code ? !named && !(spared && code == 1) : !spared && !(of_link && named))
		fail_msg("%s without %s at %s: exit code %d, '%s'", t->verb, word, of->name, code,
			 said);
	if (!code && !*rights_denied(of))
		fail_msg("%s does not use %s at %s", t->verb, word, of->name);
	free(said);
	free(out);
}

static void each_word_is_missed(struct bench *b, const struct task *t)
{
	const char *sides[] = {t->source, t->target};
	struct server *servers[] = {b->source, b->target};

	for (unsigned side = 0; side < 2; side++) {
		struct rights r = {.n = 0};
		if (sides[side])
			r = rights_of(b->world, t->verb, sides[side]);
		for (unsigned i = 0; i < r.n; i++)
			if (r.words[i][0] != '-')
				word_is_missed(b, t, servers[side], r.words[i]);
	}
	rights_set(b, t, NULL, NULL);
	task_succeeds(b, t);
}

static const struct task sync_task = {
	"sync", "source", "target", {"--until=caught-up", "--state-dir", "%", "--big-value=64kb"},
	true,   true,
};
static const struct task scan_task = {
	"scan", "source", "target", {"--state-dir", "%", "--big-value=64kb"}, true, true,
};
static const struct task dump_task = {"dump", "source", NULL, {"-o", "%"}, false, false};
static const struct task harvest_task = {
	"dump", "source, with --by-scan", NULL, {"-o", "%", "--by-scan"}, false, false,
};
static const struct task check_task = {"check", "source", "target", {NULL}, false, false};
static const struct task repair_task = {
	"check",
	"source, with --repair",
	"target, with --repair",
	{"--repair", "--repair-extra"},
	true,
	true,
};
static const struct task doctor_task = {"doctor", "source", "target", {NULL}, false, false};
static const struct task probe_task = {
	"doctor", "source, with --probe", "target, with --probe", {"--probe=full"}, false, false,
};

static void no_verb_needs_more_than_its_line(struct world *w)
{
	const struct task *tasks[] = {&sync_task,  &scan_task,   &dump_task,   &harvest_task,
				      &check_task, &repair_task, &doctor_task, &probe_task};
	struct bench b = bench_start(w);

	dataset_load(b.source);
	for (unsigned i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++)
		task_needs_no_more(&b, tasks[i]);
}

static void each_word_of_a_sync_is_missed(struct world *w)
{
	struct bench b = bench_start(w);

	dataset_load(b.source);
	each_word_is_missed(&b, &sync_task);
}

static void each_word_of_a_scan_is_missed(struct world *w)
{
	struct bench b = bench_start(w);

	dataset_load(b.source);
	each_word_is_missed(&b, &scan_task);
}

static void each_word_of_a_dump_is_missed(struct world *w)
{
	struct bench b = bench_start(w);

	dataset_load(b.source);
	each_word_is_missed(&b, &dump_task);
	each_word_is_missed(&b, &harvest_task);
}

static void each_word_of_a_check_is_missed(struct world *w)
{
	struct bench b = bench_start(w);

	dataset_load(b.source);
	rights_set(&b, &sync_task, NULL, NULL);
	task_succeeds(&b, &sync_task);
	each_word_is_missed(&b, &check_task);
	each_word_is_missed(&b, &repair_task);
}

// ---- The stream -------------------------------------------------------------------------------

// What a client of the source does, and the words without which a link cannot repeat it.
static const struct {
	const char *word, *command;
} stream_rows[] = {
	{"+sort", "SORT numbers STORE sorted"},
	{"+swapdb", "SWAPDB 1 2"},
	{"+flushdb", "FLUSHDB"},
	{"+flushall", "FLUSHALL"},
	{"+pfcount", "PFCOUNT seen"},
	{"+publish", "PUBLISH news today"},
	{"+spublish", "SPUBLISH news today"},
	{"&*", "PUBLISH news today"},
	{"+@write", "INCR counter"},
	{"+select", "SET kept here"},
};

static struct job *stream_start(struct bench *b)
{
	struct job *j = job_start(b->world, "sync", rights_url(b->source), rights_url(b->target),
				  "--json", "--interval", "50ms", "--preflight=no", "--state-dir",
				  text("%s/state", b->world->dir), NULL);
	job_wait_phase(j, "stream");
	return j;
}

static void keys_load(struct server *s)
{
	run(s, "RPUSH numbers 3 1 2");
	run(s, "PFADD seen a b c");
	run(s, "INCR counter");
}

// The link ends at the command; with the word back it goes on there, from the log or the source's
// backlog.
static void a_command_without_its_right_ends_the_link_and_is_not_lost(struct world *w)
{
	struct bench b = bench_start(w);
	struct rights r = rights_of(w, "sync", "target");

	rights_set(&b, &sync_task, NULL, NULL);
	select_db(b.source, 1);
	run(b.source, "SET one 1");
	select_db(b.source, 0);
	assert_int_equal(job_drain(stream_start(&b)), 0);
	for (unsigned i = 0; i < sizeof(stream_rows) / sizeof(stream_rows[0]); i++) {
		struct job *j = stream_start(&b);
		keys_load(b.source);
		job_wait_applied(j, b.source);
		rights_grant(b.target, &r, stream_rows[i].word);
		run(b.source, "CLIENT NO-EVICT off"); // no write: the connection stays as it is
		select_db(b.source, i % 2);
		run(b.source, stream_rows[i].command);
		assert_int_equal(job_wait(j), 4);
		assert_one_sentence(j, text("ACL SETUSER flyover "));
		rights_grant(b.target, &r, NULL);
		select_db(b.source, 0);
		run(b.source, "INCR after");
		j = stream_start(&b);
		job_wait_applied(j, b.source);
		assert_int_equal(job_drain(j), 0);
		assert_same_data(b.source, b.target);
	}
	assert_int_equal(info_number(b.source, "stats", "sync_full"), 1);
}

// ---- Verbs with a way of their own ------------------------------------------------------------

static bool same_data(void *bench)
{
	struct bench *b = bench;
	return data_differences(b->source, b->target) == 0;
}

static void assert_nothing_denied(struct bench *b)
{
	assert_string_equal(rights_denied(b->source), "");
	assert_string_equal(rights_denied(b->target), "");
}

static void a_scan_that_follows_needs_no_more(struct world *w)
{
	const struct task task = {"scan",   "source, with --follow",
				  "target", {"--follow", "--state-dir", "%"},
				  true,     false};
	struct bench b = bench_start(w);

	run(b.source, "SET a 1");
	rights_set(&b, &task, NULL, NULL);
	struct job *j = task_start(&b, &task, task.verb);
	wait_until(same_data, &b, "the first pass");
	run(b.source, "SET b 2");
	run(b.source, "DEL a");
	wait_until(same_data, &b, "the changes");
	process_signal(j->process, SIGINT);
	assert_int_equal(process_wait(j->process), 0);
	assert_nothing_denied(&b);
}

static void a_restore_needs_no_more(struct world *w)
{
	const struct task dumped = {"dump", "source", NULL, {"-o", text("%s/d.rdb", w->dir)},
				    false,  false};
	const struct task task = {
		"restore",
		NULL,
		"target",
		{dumped.options[1], "--state-dir", "%", "--extra-keys=delete", "--big-value=64kb"},
		false,
		false};
	struct bench b = bench_start(w);

	dataset_load(b.source);
	rights_set(&b, &dumped, NULL, NULL);
	task_succeeds(&b, &dumped);
	run(b.target, "SET extra 1");
	rights_set(&b, &task, NULL, NULL);
	task_succeeds(&b, &task);
	assert_same_data(b.source, b.target);
	assert_nothing_denied(&b);
}

static void a_retry_of_what_was_parked_needs_no_more(struct world *w)
{
	struct bench b = bench_start(w);
	struct rights r = rights_of(w, "link parked retry", "target");

	rights_set(&b, &sync_task, NULL, NULL);
	struct job *j = stream_start(&b);
	run(b.target, "SET list text");
	run(b.source, "RPUSH list a b");
	job_wait_number(j, "parked", 1);
	assert_int_equal(job_drain(j), 0);
	run(b.target, "DEL list");
	rights_grant(b.target, &r, NULL);
	j = job_start(w, "link", "parked", "retry", "--all", "--state-dir",
		      text("%s/state", w->dir), "--target", rights_url(b.target), NULL);
	assert_int_equal(process_wait(j->process), 0);
	assert_same_data(b.source, b.target);
	assert_nothing_denied(&b);
}

// ---- Clusters and sentinels -------------------------------------------------------------------

static void rights_grant_all(const struct servers *all, const struct rights *r, const char *lacks)
{
	for (unsigned i = 0; i < all->n; i++)
		rights_grant(all->list[i], r, lacks);
}

static const char *denied_anywhere(const struct servers *all)
{
	const char *denied = "";

	for (unsigned i = 0; i < all->n; i++)
		denied = text("%s%s", denied, rights_denied(all->list[i]));
	return denied;
}

static void ends_naming(struct job *j, const char *word)
{
	assert_int_equal(process_wait(j->process), 4);
	char *said = process_stderr(j->process);
	if (!names(said, word))
		fail_msg("%s is not named: %s", word, said);
	free(said);
}

static struct job *cluster_sync(struct world *w, const char *url, struct server *target)
{
	static unsigned n;
	return job_start(w, "sync", url, rights_url(target), "--until=caught-up", "--state-dir",
			 text("%s/cluster-%u", w->dir, n++), NULL);
}

static void a_cluster_needs_no_more(struct world *w)
{
	struct cluster *c = cluster_start(w, "c", 3, 0, NULL);
	struct server *target = server_start(w, "target", NULL);
	struct rights r = rights_of(w, "sync", "source, each node of a cluster");
	const char *url = text("redis+cluster://flyover:pw@%s", strstr(c->url, "://") + 3);

	cluster_fill(c, "key", 300, 40);
	rights_grant_all(&c->nodes, &r, NULL);
	r = rights_of(w, "sync", "target");
	rights_grant(target, &r, NULL);
	assert_int_equal(process_wait(cluster_sync(w, url, target)->process), 0);
	assert_string_equal(denied_anywhere(&c->nodes), "");
	assert_string_equal(rights_denied(target), "");
	assert_int_equal(keys_count(target, 0), 300);
	r = rights_of(w, "sync", "source, each node of a cluster");
	rights_grant_all(&c->nodes, &r, "+cluster|nodes");
	ends_naming(cluster_sync(w, url, target), "+cluster|nodes");
	rights_grant_all(&c->nodes, &r, "+psync");
	ends_naming(cluster_sync(w, url, target), "+psync");

	r = rights_of(w, "check", "source, each node of a cluster");
	rights_grant_all(&c->nodes, &r, NULL);
	r = rights_of(w, "check", "target");
	rights_grant(target, &r, NULL);
	struct job *j = job_start(w, "check", url, rights_url(target), NULL);
	assert_int_equal(process_wait(j->process), 0);
	assert_string_equal(denied_anywhere(&c->nodes), "");
	assert_string_equal(rights_denied(target), "");
}

// With commands over slots, whose keys are gathered.
static void a_cluster_that_is_written_needs_no_more(struct world *w)
{
	struct server *source = server_start(w, "source", NULL);
	struct cluster *c = cluster_start(w, "c", 3, 0, NULL);
	struct rights r = rights_of(w, "sync", "target, each node of a cluster");
	const char *url = text("redis+cluster://flyover:pw@%s", strstr(c->url, "://") + 3);

	rights_grant_all(&c->nodes, &r, NULL);
	r = rights_of(w, "sync", "source");
	rights_grant(source, &r, NULL);
	dataset_load_strings(source, "key", 300, 40);
	struct job *j = job_start(w, "sync", rights_url(source), url, "--json", "--interval",
				  "50ms", "--state-dir", text("%s/state", w->dir), NULL);
	job_wait_phase(j, "stream");
	run(source, "MSET a 1 b 2 c 3 d 4");
	run(source, "INCR a");
	run(source, "RENAME b e");
	run(source, "SADD one x y");
	run(source, "SADD two y z");
	run(source, "SUNIONSTORE three one two");
	run(source, "RPUSH list 1 2 3");
	run(source, "LMOVE list other LEFT RIGHT");
	run(source, "PUBLISH news today");
	run(source, "FUNCTION LOAD %s", function_library);
	job_wait_applied(j, source);
	if (job_drain(j))
		fail_msg("%s", process_stderr(j->process));
	assert_string_equal(denied_anywhere(&c->nodes), "");
	struct servers one = just(source), masters = cluster_masters(c);
	assert_same_data_of(&one, &masters, false);
}

static struct job *watched_sync(struct world *w, const struct sentinels *s,
				const struct ensemble *source, const struct ensemble *target)
{
	static unsigned n;
	const char *file = text("%s/sentinel.password", w->dir);

	file_write(file, "pw", 2);
	return job_start(w, "sync", sentinels_url(s, source, "flyover:pw@"),
			 sentinels_url(s, target, "flyover:pw@"), "--until=caught-up",
			 "--state-dir", text("%s/watched-%u", w->dir, n++),
			 "--source-sentinel-user=flyover", "--target-sentinel-user=flyover",
			 "--source-sentinel-password-file", file, "--target-sentinel-password-file",
			 file, NULL);
}

static void sentinels_need_no_more(struct world *w)
{
	struct ensemble source = ensemble_start(w, "source", "");
	struct ensemble target = ensemble_start(w, "target", "");
	struct sentinels s = sentinels_start(w, &source, &target, "");
	struct servers sides[3] = {{.n = MEMBERS}, {.n = MEMBERS}, {.n = SENTINELS}};
	struct rights r[3] = {
		rights_of(w, "sync", "source, each server that sentinels watch"),
		rights_of(w, "sync", "target, each server that sentinels watch"),
		rights_of(w, "sync", "sentinels, of either side and every verb"),
	};

	memcpy(sides[0].list, source.members, sizeof(source.members));
	memcpy(sides[1].list, target.members, sizeof(target.members));
	memcpy(sides[2].list, s.list, sizeof(s.list));
	for (unsigned i = 0; i < 3; i++)
		rights_grant_all(&sides[i], &r[i], NULL);
	run(source.members[0], "SET a 1");
	struct job *j = watched_sync(w, &s, &source, &target);
	if (process_wait(j->process))
		fail_msg("%s", process_stderr(j->process));
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(denied_anywhere(&sides[i]), "");
	assert_string_equal(ask_text(target.members[0], "GET a"), "1");
	for (unsigned i = 0; i < r[2].n; i++) {
		const char *word = r[2].words[i];
		rights_grant_all(&sides[2], &r[2], word);
		j = watched_sync(w, &s, &source, &target);
		if (!rights_spares(w, "sync", word))
			ends_naming(j, word);
		else
			assert_int_equal(process_wait(j->process), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(no_verb_needs_more_than_its_line),
		E2E_TEST(each_word_of_a_sync_is_missed),
		E2E_TEST(each_word_of_a_scan_is_missed),
		E2E_TEST(each_word_of_a_dump_is_missed),
		E2E_TEST(each_word_of_a_check_is_missed),
		E2E_TEST(a_command_without_its_right_ends_the_link_and_is_not_lost),
		E2E_TEST(a_scan_that_follows_needs_no_more),
		E2E_TEST(a_restore_needs_no_more),
		E2E_TEST(a_retry_of_what_was_parked_needs_no_more),
		E2E_TEST(a_cluster_needs_no_more),
		E2E_TEST(a_cluster_that_is_written_needs_no_more),
		E2E_TEST(sentinels_need_no_more),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
