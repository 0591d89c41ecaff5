// SPDX-License-Identifier: BSD-3-Clause
// The lines of `flyover help rights` are true: with just them every verb does all of its work and
// nothing is denied, and each word that is taken away is missed, by a sentence that names it or as
// the help says; with the word back, everything is there.
#include "tests/e2e/rights_rig.h"

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

// What a run of a verb takes.
struct task {
	const char *verb, *source, *target; // who, of `flyover help rights`; NULL: no such side
	const char *options[8];
	void (*prepare)(struct bench *b); // before each run, by the default user
	bool checks;                      // both sides are equal afterwards
};

static struct job *task_start(struct bench *b, const struct task *t)
{
	const char *arguments[24];
	unsigned n = 0;

	arguments[n++] = t->verb;
	for (unsigned i = 0; t->options[i]; i++)
		arguments[n++] = strchr(t->options[i], '%')
					 ? text("%s/run-%u", b->world->dir, b->n_runs)
					 : t->options[i];
	if (t->source)
		arguments[n++] = rights_url(b->source);
	if (t->target)
		arguments[n++] = rights_url(b->target);
	arguments[n] = NULL;
	b->n_runs++;
	return job_start_argv(b->world, "flyover", arguments, NULL);
}

static void rights_grant_both(struct bench *b, const struct task *t, const char *without_source,
			      const char *without_target)
{
	struct rights r;
	if (t->source) {
		r = rights_of(b->world, t->verb, t->source);
		rights_grant(b->source, &r, without_source);
	}
	if (t->target) {
		r = rights_of(b->world, t->verb, t->target);
		rights_grant(b->target, &r, without_target);
	}
}

static void task_succeeds(struct bench *b, const struct task *t)
{
	struct job *j = task_start(b, t);
	int code = process_wait(j->process);
	char *said = process_stderr(j->process), *out = process_stdout(j->process);

	if (code)
		fail_msg("%s: exit code %d, '%s' '%s'", t->verb, code, out, said);
	free(said);
	free(out);
	if (t->checks)
		assert_same_data(b->source, b->target);
}

static void task_needs_no_more(struct bench *b, const struct task *t)
{
	rights_grant_both(b, t, NULL, NULL);
	if (t->prepare)
		t->prepare(b);
	task_succeeds(b, t);
	assert_string_equal(rights_denied(b->source), "");
	assert_string_equal(rights_denied(b->target), "");
}

// One word of one side is taken away.
static void word_is_missed(struct bench *b, const struct task *t, struct server *s,
			   const char *word)
{
	bool spared = rights_spares(b->world, t->verb, word);

	rights_grant_both(b, t, s == b->source ? word : NULL, s == b->target ? word : NULL);
	if (t->prepare)
		t->prepare(b);
	struct job *j = task_start(b, t);
	int code = process_wait(j->process);
	char *said = process_stderr(j->process), *out = process_stdout(j->process);
	const char *line = strstr(said, "ACL SETUSER flyover ");
	bool named = line && strstr(line, rights_word(word));
	print_message("  %s: %s of %s: %d %s| denied: %s| %.300s", t->verb, word, s->name, code,
		      named ? "named " : "", rights_denied(s), said);
	print_message("%s\n", *said ? "" : "");
	if (spared)
		assert_true(*rights_denied(s));
	free(said);
	free(out);
}

static void each_word_is_missed(struct bench *b, const struct task *t)
{
	struct rights r = {.n = 0};

	if (t->source)
		r = rights_of(b->world, t->verb, t->source);
	for (unsigned i = 0; i < r.n; i++)
		if (r.words[i][0] != '-')
			word_is_missed(b, t, b->source, r.words[i]);
	r.n = 0;
	if (t->target)
		r = rights_of(b->world, t->verb, t->target);
	for (unsigned i = 0; i < r.n; i++)
		if (r.words[i][0] != '-')
			word_is_missed(b, t, b->target, r.words[i]);
	rights_grant_both(b, t, NULL, NULL);
	if (t->prepare)
		t->prepare(b);
	task_succeeds(b, t);
}

static void target_empty(struct bench *b)
{
	run(b->target, "FLUSHALL");
	run(b->target, "FUNCTION FLUSH");
}

static const struct task tasks[] = {
	{"sync", "source", "target",
	 {"--until=caught-up", "--state-dir", "%", "--big-value=64kb", NULL}, target_empty, true},
	{"scan", "source", "target", {"--state-dir", "%", "--big-value=64kb", NULL}, target_empty, true},
	{"dump", "source", NULL, {"-o", "%", NULL}, NULL, false},
	{"dump", "source, with --by-scan", NULL, {"-o", "%", "--by-scan", NULL}, NULL, false},
	{"check", "source", "target", {NULL}, NULL, false},
	{"check", "source, with --repair", "target, with --repair", {"--repair", "--repair-extra", NULL}, target_empty, true},
	{"doctor", "source", "target", {NULL}, NULL, false},
	{"doctor", "source, with --probe", "target, with --probe", {"--probe=full", NULL}, NULL, false},
};

static void every_verb_does_with_its_lines(struct world *w)
{
	struct bench b = bench_start(w);

	dataset_load(b.source);
	for (unsigned i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++)
		task_needs_no_more(&b, &tasks[i]);
}

static void every_word_is_missed(struct world *w)
{
	struct bench b = bench_start(w);

	dataset_load(b.source);
	for (unsigned i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++)
		each_word_is_missed(&b, &tasks[i]);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(every_verb_does_with_its_lines),
		E2E_TEST(every_word_is_missed),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
