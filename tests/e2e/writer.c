// SPDX-License-Identifier: BSD-3-Clause
#include "tests/e2e/harness.h"

#include <signal.h>

#define CLUSTER_WRITER_NODES 16
#define PAUSE_MS             4 // about 30,000 commands a second leave room for others

static bool is_ready(void *arg)
{
	char *out = process_stdout(arg);
	bool ready = strstr(out, "ready") != NULL;

	free(out);
	return ready;
}

// A program of its own: a mere fork would keep the sockets of proxies open, and could hang on a
// lock that a proxy's thread held at that moment.
struct process *writer_start_gently(struct server *s, unsigned pause_ms)
{
	const char *argv[] = {text("%s/tests/e2e/writer", build_dir()), text("%d", s->port),
			      text("%u", pause_ms), NULL};

	assert_string_equal(s->password, "");
	struct process *writer = process_start(s->world, "writer", argv, NULL);
	wait_until(is_ready, writer, "the writer to be ready");
	return writer;
}

struct process *writer_start(struct server *s)
{
	return writer_start_gently(s, PAUSE_MS);
}

struct process *cluster_writer_start(struct cluster *c, unsigned seed, unsigned keys)
{
	const char *argv[4 + CLUSTER_WRITER_NODES] = {
		text("%s/tests/e2e/cluster_writer", build_dir()), text("%u", seed),
		text("%u", keys)};

	for (unsigned i = 0; i < c->nodes.n && i < CLUSTER_WRITER_NODES; i++)
		argv[3 + i] = text("%d", c->nodes.list[i]->port);
	struct process *writer = process_start(c->world, "cluster_writer", argv, NULL);
	wait_until(is_ready, writer, "the writer to be ready");
	return writer;
}

void writer_stop(struct process *writer)
{
	process_signal(writer, SIGTERM);
	assert_int_equal(process_wait(writer), 0);
}
