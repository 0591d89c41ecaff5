// SPDX-License-Identifier: BSD-3-Clause
#include "tests/e2e/torture.h"

#include <signal.h>
#include <unistd.h>

#define GAP_MS 400 // some of the expiries given in it pass, others do not

static struct server *server_of(struct torture *t, const char *name, enum keeps keeps)
{
	const char *save = keeps == KEEPS_RDB ? "3600 1" : "";
	const char *aof = keeps >= KEEPS_AOF_EVERYSEC ? "yes" : "no";
	const char *sync = keeps == KEEPS_AOF_ALWAYS ? "always" : "everysec";
	const char *limit = text("replica %s %s 60", t->era.output_limit, t->era.output_limit);

	// Who observes acknowledges nothing: a server that ends would wait for him in vain.
	return server_start(t->world, name, "--save", save, "--appendonly", aof, "--appendfsync",
			    sync, "--repl-backlog-size", t->era.backlog,
			    "--client-output-buffer-limit", limit, "--shutdown-timeout", "0", NULL);
}

void sides_start(struct torture *t)
{
	t->source = (struct side){.keeps = t->era.source};
	t->target = (struct side){.keeps = t->era.target};
	t->source.active = server_of(t, "source", t->era.source);
	t->target.active = server_of(t, "target", t->era.target);
	t->source.proxy = proxy_start(t->world, t->source.active->port);
	t->target.proxy = proxy_start(t->world, t->target.active->port);
}

bool side_is_up(const struct side *s)
{
	return !process_has_ended(s->active->process);
}

static bool replica_follows(void *arg)
{
	return !strcmp(info_text(arg, "replication", "master_link_status"), "up");
}

void side_follow(struct torture *t, struct side *s)
{
	bool is_source = s == &t->source;

	if (!s->spare)
		s->spare = server_of(t, is_source ? "source-2" : "target-2", s->keeps);
	else if (process_has_ended(s->spare->process))
		server_start_again(s->spare);
	run(s->spare, "REPLICAOF 127.0.0.1 %d", s->active->port);
	wait_until(replica_follows, s->spare, "the replica to follow");
}

void side_promote(struct torture *t, struct side *s)
{
	struct server *old = s->active;

	s->active = s->spare;
	s->spare = old;
	proxy_upstream(s->proxy, s->active->port);
	proxy_cut(s->proxy, END_RST);
	run(s->active, "REPLICAOF NO ONE");
}

// ---- The writer

static bool writer_is_ready(void *arg)
{
	char *out = process_stdout(arg);
	bool ready = strstr(out, "ready") != NULL;

	free(out);
	return ready;
}

static const char *gap_path(const struct torture *t)
{
	return text("%s/gap", t->world->dir);
}

// A link that is drained before it has caught up gives keys their own expiry; whether the target
// still has them when the next one goes on is then left to chance.
static bool round_drains(const struct torture *t)
{
	unsigned n;
	const struct fault_kind *kinds = fault_kinds(&n);

	for (unsigned i = 0; i < t->plan.n_faults; i++)
		if (!strcmp(kinds[t->plan.faults[i].kind].name, "end"))
			return true;
	return false;
}

void gap_write(struct torture *t)
{
	if (round_drains(t))
		return;
	const char *number = text("%u", ++t->gaps);

	file_write(gap_path(t), number, strlen(number));
	bytes_wait(t, 1, GAP_MS);
	unlink(gap_path(t));
}

void writer_begin(struct torture *t)
{
	const struct plan *p = &t->plan;
	unsigned habits = p->habits | (t->link.at_least_once ? WRITES_IDEMPOTENT : 0);
	const char *argv[] = {
		text("%s/tests/e2e/torture_writer", build_dir()),
		text("%d", t->source.active->port),
		text("%llu", (unsigned long long)p->writer_seed + t->writers++),
		text("%u", p->connections),
		text("%u", habits),
		gap_path(t),
		NULL,
	};

	t->writer = process_start(t->world, "writer", argv, NULL);
	wait_until(writer_is_ready, t->writer, "the writer to be ready");
}

void writer_end(struct torture *t)
{
	unsigned long long answered = 0;

	process_signal(t->writer, SIGTERM);
	int code = process_wait(t->writer);
	char *out = process_stdout(t->writer);
	sscanf(out, "ready %llu", &answered);
	t->tally.commands += answered;
	if (code)
		torture_fail(t, "the writer ends with %d: %s", code, out);
	free(out);
	t->writer = NULL;
}

void bytes_wait(struct torture *t, unsigned n_bytes, int most_ms)
{
	uint64_t goal = proxy_bytes(t->source.proxy, FROM_SERVER) + n_bytes;
	long long deadline = now_ms() + most_ms;

	while (proxy_bytes(t->source.proxy, FROM_SERVER) < goal && now_ms() < deadline) {
		orphans_reap(t);
		nap_ms(2);
	}
}
