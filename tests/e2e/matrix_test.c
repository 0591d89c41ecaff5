// SPDX-License-Identifier: BSD-3-Clause
// Every pair of deployments, each kind of trouble on either side, while clients write what shows
// any loss, repeat or reorder. One row a run.
#include "tests/e2e/harness.h"

#include <signal.h>

#include "tests/e2e/deployment.h"
#include "tests/tls/certificates.h"

// What happens to the source (S_) and to the target (T_), in this order, and kill -9 of our fast
// path. Slots that move in a source are in reshard_test.c.
enum event { S_DOWN, S_LOSS, S_OUST, S_SLOW, T_DOWN, T_LOSS, T_OUST, T_SLOW, T_MOVE, WE_DIE };

// Name; source and target: kind, masters of a cluster; lanes; how both are reached; events. Two
// masters are no majority without one of them, so such a cluster does not lose any.
// clang-format off
#define MATRIX(X)                                                                                  \
	X(server_to_cluster,                    SERVER, 1,   CLUSTER, 3,  "1", PLAIN,              \
	  S_SLOW, T_MOVE, T_DOWN, T_SLOW, WE_DIE, T_OUST, T_LOSS)                                  \
	X(cluster_to_server,                    CLUSTER, 3,  SERVER, 1,   "3", PLAIN,              \
	  S_SLOW, S_DOWN, T_SLOW, WE_DIE, S_OUST, S_LOSS)                                          \
	X(cluster_to_cluster_with_more_shards,  CLUSTER, 2,  CLUSTER, 3,  "1", RIGHTS,             \
	  S_DOWN, T_MOVE, T_DOWN, WE_DIE, T_SLOW, T_LOSS)                                          \
	X(cluster_to_cluster_with_fewer_shards, CLUSTER, 3,  CLUSTER, 2,  "2", NAMES,              \
	  S_SLOW, T_MOVE, S_OUST, T_DOWN, WE_DIE, S_LOSS)                                          \
	X(cluster_to_cluster_over_tls,          CLUSTER, 2,  CLUSTER, 2,  "1", TLS,                \
	  S_DOWN, T_MOVE, T_DOWN, WE_DIE)                                                          \
	X(cluster_to_cluster_by_ipv6,           CLUSTER, 2,  CLUSTER, 2,  "1", IPV6,               \
	  S_DOWN, T_DOWN)                                                                          \
	X(sentinel_to_sentinel,                 SENTINEL, 1, SENTINEL, 1, "2", RIGHTS,             \
	  S_SLOW, S_DOWN, T_SLOW, T_DOWN, WE_DIE, S_LOSS, T_LOSS)                                  \
	X(sentinel_to_cluster,                  SENTINEL, 1, CLUSTER, 3,  "2", PLAIN,              \
	  T_DOWN, T_MOVE, T_LOSS, S_DOWN, S_OUST)                                                  \
	X(cluster_to_sentinel,                  CLUSTER, 3,  SENTINEL, 1, "1", PLAIN,              \
	  T_SLOW, S_DOWN, T_DOWN, S_LOSS, T_OUST)
// clang-format on

struct run {
	enum deployment_kind source;
	unsigned source_masters;
	enum deployment_kind target;
	unsigned target_masters;
	const char *lanes;
	enum deployment_way way;
	enum event events[8];
	unsigned n_events;
};

static const struct {
	enum misfortune what;
	bool at_source;
	const char *text;
} misfortunes[] = {
	[S_DOWN] = {STEPS_DOWN, true, "a master of the source steps down"},
	[S_LOSS] = {LOSES_NODE, true, "the source loses a master"},
	[S_OUST] = {IS_OUSTED, true, "a master of the source hangs until it is replaced"},
	[S_SLOW] = {IS_SLOW, true, "a master of the source is slow"},
	[T_DOWN] = {STEPS_DOWN, false, "a master of the target steps down"},
	[T_LOSS] = {LOSES_NODE, false, "the target loses a master"},
	[T_OUST] = {IS_OUSTED, false, "a master of the target hangs until it is replaced"},
	[T_SLOW] = {IS_SLOW, false, "a master of the target is slow"},
	[T_MOVE] = {RESHARDS, false, "slots of the target move"},
	[WE_DIE] = {0, false, "we are killed"},
};

struct scene {
	struct world *world;
	const struct run *run;
	struct deployment source, target;
	struct job *job;
	const char *state_dir;
	unsigned n_changes, n_source_changes; // of who serves the target, and the source
};

// ---- The link ---------------------------------------------------------------------------------

static const char *in_dir(const struct scene *s, const char *file)
{
	return text("%s/%s", s->world->dir, file);
}

static void certificates_make(struct world *w)
{
	static const struct certificate list[] = {
		{.file = "ca", .name = "Test CA", .is_ca = true},
		{.file = "server",
		 .name = "server",
		 .alt = "DNS:localhost,IP:127.0.0.1,IP:10.98.0.1",
		 .ca = "ca"},
		{.file = "client", .name = "client", .ca = "ca"},
	};
	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		certificate_make(w->dir, &list[i]);
}

// What one side needs beside its URL. @return how many words
static unsigned side_arguments(const struct scene *s, const struct deployment *d, const char **out)
{
	unsigned n = 0;

	if (d->way == TLS) {
		out[n++] = text("--%s-tls-ca=%s", d->name, in_dir(s, "ca.crt"));
		out[n++] = text("--%s-tls-cert=%s", d->name, in_dir(s, "client.crt"));
		out[n++] = text("--%s-tls-key=%s", d->name, in_dir(s, "client.key"));
	}
	if (d->way == RIGHTS && d->kind == SENTINEL) {
		file_write(in_dir(s, "password"), "pw", 2);
		out[n++] = text("--%s-sentinel-user=flyover", d->name);
		out[n++] = text("--%s-sentinel-password-file=%s", d->name, in_dir(s, "password"));
	}
	return n;
}

static void link_start(struct scene *s)
{
	const char *arguments[24] = {
		"sync",    s->source.url, s->target.url,    "--json",      "--interval", "50ms",
		"--lanes", s->run->lanes, "--fail-fast=no", "--state-dir", s->state_dir,
	};
	unsigned n = 11;

	n += side_arguments(s, &s->source, &arguments[n]);
	side_arguments(s, &s->target, &arguments[n]);
	s->job = job_start_argv(s->world, "flyover", arguments, NULL);
	job_wait_phase(s->job, "stream");
	if (net_is_dpdk())
		assert_int_equal(strncmp(job_text(s->job, "io"), "dpdk ", 5), 0);
}

struct reports {
	struct job *job;
	unsigned n;
};

static bool reports_came(void *arg)
{
	struct reports *wanted = arg;
	bool ended = process_has_ended(wanted->job->process);

	job_poll(wanted->job);
	if (ended)
		fail_msg("the link has ended");
	return wanted->job->n_objects >= wanted->n;
}

// For a second the link reports of itself.
static void second_pass(void *arg)
{
	struct scene *s = arg;
	struct reports wanted = {s->job, s->job->n_objects + 20};

	wait_until(reports_came, &wanted, "20 reports of the link");
}

static void link_goes_on(struct scene *s)
{
	struct reports wanted = {s->job, s->job->n_objects + 3};

	wait_until(reports_came, &wanted, "reports of the link");
	job_wait_number(s->job, "applied", job_number(s->job, "applied") + 300);
}

// ---- Judgement --------------------------------------------------------------------------------

static bool is_same(void *arg)
{
	struct scene *s = arg;
	struct servers from = deployment_masters(&s->source), to = deployment_masters(&s->target);

	return !data_differences_of(&from, &to);
}

// The first differences are named when it never is.
static void wait_same(struct scene *s)
{
	long long deadline = now_ms() + DEADLINE_MS / 2;

	while (!is_same(s) && now_ms() < deadline)
		nap_ms(20);
	struct servers from = deployment_masters(&s->source), to = deployment_masters(&s->target);
	assert_same_data_of(&from, &to, false);
}

// The new master of the source has what we had read.
static bool goes_back(struct scene *s, const char *history, long long offset)
{
	struct servers masters = deployment_masters(&s->source);

	for (unsigned i = 0; i < masters.n; i++)
		if (!strncmp(info_text(masters.list[i], "replication", "master_replid2"), history,
			     8) &&
		    offset < info_number(masters.list[i], "replication", "second_repl_offset"))
			return true;
	return false;
}

// Each stream begins with one. More is right where one side has lost what cannot be made good: the
// source what we had read, a target cluster some keys of a command that wrote others elsewhere. And
// a slot that changes hands may refuse a command and take the next one.
static bool is_due(struct scene *s, const char *reason)
{
	char history[16];
	long long offset;

	if (strstr(reason, "the target went back") || strstr(reason, "refused a batch"))
		return s->n_changes && s->run->target == CLUSTER;
	if (strstr(reason, "while the snapshot was loaded"))
		return s->n_changes;
	if (strstr(reason, "did not reach its end"))
		return s->n_changes || s->n_source_changes;
	// A shard is not fed again from before its last full sync.
	if (strstr(reason, "came back older"))
		return s->n_changes && s->run->source == CLUSTER;
	if (strstr(reason, "was not over as the last life ended"))
		return s->n_source_changes && s->run->source == CLUSTER;
	if (!strncmp(reason, "the source's history left ours before offset ", 45))
		return s->n_source_changes;
	return sscanf(reason, "the source does not go on with the history %8s... at offset %lld",
		      history, &offset) == 2 &&
	       !goes_back(s, history, offset);
}

static void judge_full_syncs(struct scene *s)
{
	char *log = file_read(text("%s/flyoverd.log", s->state_dir), NULL);
	const char *word = "full sync: ";
	unsigned n = 0;

	assert_non_null(log);
	for (char *at = log; (at = strstr(at, word));) {
		at += strlen(word);
		const char *reason = text("%.*s", (int)strcspn(at, "\n"), at);
		if (n++ < s->run->source_masters)
			continue;
		print_message("  full sync: %s\n", reason);
		if (!is_due(s, reason))
			fail_msg("a full sync that was not needed: %s", reason);
	}
	assert_true(n >= s->run->source_masters);
	free(log);
}

// ---- A run ------------------------------------------------------------------------------------

static void event_happen(struct scene *s, enum event e)
{
	long long begin = now_ms();

	if (e == WE_DIE)
		kill(job_dataplane(s->job), SIGKILL);
	else
		deployment_suffer(misfortunes[e].at_source ? &s->source : &s->target,
				  misfortunes[e].what, second_pass, s);
	long long over = now_ms();
	s->n_source_changes += e <= S_OUST;
	s->n_changes += e >= T_DOWN && e != T_SLOW && e != WE_DIE;
	link_goes_on(s);
	print_message("  %s: %lld ms, and after %lld ms the link goes on\n", misfortunes[e].text,
		      over - begin, now_ms() - over);
}

static void run_matrix(struct world *w, const struct run *run)
{
	struct scene s = {.world = w, .run = run, .state_dir = text("%s/state", w->dir)};

	if (run->way == IPV6 && !net_has_ip6()) {
		w->skip = "this kernel has no IPv6";
		return;
	}
	if (run->way == TLS)
		certificates_make(w);
	deployment_start(&s.source, w, "source", run->source, run->source_masters, run->way);
	deployment_start(&s.target, w, "target", run->target, run->target_masters, run->way);
	if (run->target == CLUSTER)
		s.source.pause_ms = 150; // commands over slots take their time there
	deployment_fill(&s.source);
	link_start(&s);
	deployment_write(&s.source);
	link_goes_on(&s);
	for (unsigned i = 0; i < run->n_events; i++)
		event_happen(&s, run->events[i]);
	deployment_rest(&s.source);
	wait_same(&s);
	assert_int_equal(job_drain(s.job), 0);
	assert_books_balance(s.job);
	assert_int_equal(job_number(s.job, "parked"), 0);
	wait_same(&s);
	judge_full_syncs(&s);
	if (run->way == RIGHTS) {
		deployment_judge_rights(&s.source);
		deployment_judge_rights(&s.target);
	}
}

#define RUN(name, source, source_masters, target, target_masters, lanes, way, ...)                 \
	static void name(struct world *w)                                                          \
	{                                                                                          \
		const enum event events[] = {__VA_ARGS__};                                         \
		struct run run = {source, source_masters,                                          \
				  target, target_masters,                                          \
				  lanes,  way,                                                     \
				  {0},    sizeof(events) / sizeof(events[0])};                     \
		memcpy(run.events, events, sizeof(events));                                        \
		run_matrix(w, &run);                                                               \
	}
MATRIX(RUN)

int main(void)
{
#define ROW(name, ...) E2E_TEST(name),
	const struct CMUnitTest tests[] = {MATRIX(ROW)};

	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
