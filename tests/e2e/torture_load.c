// SPDX-License-Identifier: BSD-3-Clause
// What is written to the source, and how far that has come.
#include "tests/e2e/torture.h"

#include <signal.h>
#include <unistd.h>

#define GAP_MS        400 // some of the expiries given in it pass, others do not
#define CLUSTER_KEYS  15  // of each kind: few, so that those that move are being written
#define SERVER_KEYS   24  // likewise, see torture_steps.c
#define COMMAND_BYTES 50  // in a stream, of a command of the cluster's writer

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

// Who follows redirects and new masters.
static struct process *nodes_writer(struct torture *t)
{
	const struct cluster *c = t->source.cluster;
	struct server *const *nodes = c ? c->nodes.list : t->source.ensemble.members;
	const char *argv[SERVERS_MAX + 4] = {
		text("%s/tests/e2e/cluster_writer", build_dir()),
		text("%u", t->plan.writer_seed + t->writers++),
		text("%u", CLUSTER_KEYS),
	};

	for (unsigned i = 0; i < (c ? c->nodes.n : MEMBERS); i++)
		argv[3 + i] = c ? text("%d:%d", nodes[i]->port, nodes[i]->announced)
				: text("%d", nodes[i]->port);
	return process_start(t->world, "writer", argv, NULL);
}

static struct process *server_writer(struct torture *t)
{
	const struct plan *p = &t->plan;
	unsigned habits = p->habits | (t->link.at_least_once ? WRITES_IDEMPOTENT : 0);

	if (t->target.kind == SIDE_CLUSTER)
		habits |= WRITES_ONE_DATABASE;
	const char *argv[] = {
		text("%s/tests/e2e/torture_writer", build_dir()),
		text("%d", t->source.active->port),
		text("%llu", (unsigned long long)p->writer_seed + t->writers++),
		text("%u", p->connections),
		text("%u", habits),
		gap_path(t),
		NULL,
	};
	return process_start(t->world, "writer", argv, NULL);
}

void writer_begin(struct torture *t)
{
	t->writer = t->source.kind == SIDE_PAIR ? server_writer(t) : nodes_writer(t);
	wait_until(writer_is_ready, t->writer, "the writer to be ready");
}

// The number in the last line that a writer has ended.
static unsigned long long commands_told(const struct process *writer)
{
	unsigned long long n = 0;
	char *out = process_stdout(writer), *end = strrchr(out, '\n');

	if (end)
		*end = 0;
	char *line = end ? strrchr(out, '\n') : NULL;
	if (line)
		n = strtoull(line, NULL, 10);
	free(out);
	return n;
}

void writer_end(struct torture *t)
{
	process_signal(t->writer, SIGTERM);
	int code = process_wait(t->writer);
	char *out = process_stdout(t->writer);
	t->tally.commands += commands_told(t->writer);
	if (code)
		torture_fail(t, "the writer ends with %d: %s", code, out);
	free(out);
	t->writer = NULL;
}

uint16_t slot_drawn(const struct torture *t, unsigned number)
{
	static const char *const server[] = {"n:%u", "s:%u", "l:%u", "h:%u", "z:%u", "e:%u"};
	static const char *const cluster[] = {"{t:%u}", "c:%u", "l:%u", "a:%u", "h:%u", "s:%u"};
	bool is_pair = t->source.kind == SIDE_PAIR;
	const char *format = (is_pair ? server : cluster)[number % 6];
	char key[32];

	snprintf(key, sizeof(key), format, number / 6 % (is_pair ? SERVER_KEYS : CLUSTER_KEYS));
	return key_slot(span_of(key));
}

// ---- How far it has come

static uint64_t bytes_sent(struct torture *t)
{
	if (t->source.kind == SIDE_PAIR)
		return proxy_bytes(t->source.proxy, FROM_SERVER);
	return t->writer ? commands_told(t->writer) * COMMAND_BYTES : 0;
}

void bytes_wait(struct torture *t, unsigned n_bytes, int most_ms)
{
	uint64_t goal = bytes_sent(t) + n_bytes;
	long long deadline = now_ms() + most_ms;

	while (bytes_sent(t) < goal && now_ms() < deadline) {
		orphans_reap(t);
		nap_ms(2);
	}
}
