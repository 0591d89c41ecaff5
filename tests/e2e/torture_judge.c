// SPDX-License-Identifier: BSD-3-Clause
// round_judge(): the link reaches the source's offset on the source's history -> the books balance
// -> `flyover check` finds no difference -> neither does a comparison that is not ours.
#include "tests/e2e/torture.h"

#define MIGRATE_MOST_MS 2000 // later that a key expires after each of its moves
#define COMPARE_WAIT_MS 8000 // expiries pass, a DEL for them may still be on its way

static void file_show_end(const char *path)
{
	size_t len = 0;
	char *bytes = file_read(path, &len);

	if (bytes && len)
		fprintf(stderr, "\n---- %s, its end\n%s\n", path,
			bytes + (len > 6000 ? len - 6000 : 0));
	free(bytes);
}

void torture_fail(struct torture *t, const char *format, ...)
{
	char why[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	json_t *status = t->job ? link_status(t) : NULL;
	if (status)
		json_dumpf(status, stderr, JSON_INDENT(2));
	json_decref(status);
	file_show_end(text("%s/flyoverd.log", t->state_dir));
	file_show_end(text("%s/links/torture/parked.jsonl", t->state_dir));
	fail_msg("%s", why);
	abort(); // not reached
}

struct goal {
	struct torture *torture;
	const char *replid; // the source's, which may change as a replica comes to it
	long long offset;
	json_t *status; // the last that was seen
};

static long long number(const json_t *status, const char *field)
{
	return json_integer_value(json_object_get(status, field));
}

static bool phase_is(const json_t *status, const char *phase)
{
	const char *now = json_string_value(json_object_get(status, "phase"));
	return now && !strcmp(now, phase);
}

// A link that had reason to give up is started again, as its user would.
static void revive(struct goal *g)
{
	struct torture *t = g->torture;
	bool failed = phase_is(g->status, "failed");

	if (!link_has_ended(t) && !failed)
		return;
	if (!t->may_fail)
		torture_fail(t, "the link ended by itself");
	if (t->verbose)
		printf("the link gave up, as it may, and is started again\n");
	if (link_has_ended(t)) {
		t->job = NULL;
		link_start(t);
		t->may_fail = true; // the reason may still last
	} else {
		link_kill(t);
		link_start(t);
	}
}

// The one stream of the link has come as far as its source.
static bool stream_is_applied(const struct goal *g)
{
	const char *replid = json_string_value(json_object_get(g->status, "replid"));

	return replid && !strcmp(replid, g->replid) &&
	       number(g->status, "frontier_offset") >= g->offset;
}

static unsigned differences(struct torture *t, bool show)
{
	struct servers source = side_servers(&t->source), target = side_servers(&t->target);
	long long slack_ms = t->target.kind == SIDE_CLUSTER ? MIGRATE_MOST_MS : 0;

	return data_differences_within(&source, &target, slack_ms, show);
}

// The streams of several shards tell nothing that would be as plain; but nobody writes any more.
static bool sides_are_same(struct torture *t)
{
	nap_ms(20);
	return !differences(t, false);
}

static bool goal_is_reached(struct goal *g)
{
	struct torture *t = g->torture;
	bool is_one = t->source.kind != SIDE_CLUSTER;

	json_decref(g->status);
	if (is_one) {
		struct server *source = side_servers(&t->source).list[0];
		g->replid = info_text(source, "replication", "master_replid");
		g->offset = server_offset(source);
	}
	g->status = link_status(t);
	if (phase_is(g->status, "stream") && (is_one ? stream_is_applied(g) : sides_are_same(t)))
		return true;
	revive(g);
	return false;
}

static bool books_balance(const json_t *status)
{
	return number(status, "received") ==
	       number(status, "applied") + number(status, "filtered") + number(status, "parked") +
		       number(status, "in_flight");
}

static void goal_fail(struct goal *g)
{
	struct torture *t = g->torture;

	if (!g->replid)
		differences(t, true);
	torture_fail(t, "waited %d s for the link to catch up with %s:%lld", DEADLINE_MS / 1000,
		     g->replid ? g->replid : "the cluster", g->offset);
}

static void goal_wait(struct goal *g)
{
	struct torture *t = g->torture;
	long long deadline = now_ms() + DEADLINE_MS;

	while (!goal_is_reached(g) || !books_balance(g->status)) {
		if (now_ms() > deadline)
			goal_fail(g);
		nap_ms(5);
	}
	if (number(g->status, "parked"))
		torture_fail(t, "%lld commands are parked", number(g->status, "parked"));
}

static const char *url_of(struct side *s)
{
	return s->kind == SIDE_CLUSTER ? s->url : side_servers(s).list[0]->url;
}

static void check_run(struct torture *t)
{
	struct job *check = job_start(t->world, "check", url_of(&t->source), url_of(&t->target),
				      "--mode=full", NULL);
	int code = process_wait(check->process);

	if (code) {
		char *out = process_stdout(check->process), *err = process_stderr(check->process);
		torture_fail(t, "`flyover check` ends with %d: %s%s", code, out, err);
	}
}

static void compare_run(struct torture *t)
{
	long long deadline = now_ms() + COMPARE_WAIT_MS;

	while (differences(t, false)) {
		if (now_ms() > deadline) {
			differences(t, true);
			torture_fail(t, "source and target differ");
		}
		nap_ms(100);
	}
}

void round_judge(struct torture *t)
{
	struct goal g = {.torture = t};

	goal_wait(&g);
	json_decref(g.status);
	check_run(t);
	compare_run(t);
}
