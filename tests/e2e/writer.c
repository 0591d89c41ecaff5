// SPDX-License-Identifier: BSD-3-Clause
#include "tests/e2e/harness.h"

#include <signal.h>

static bool is_ready(void *arg)
{
	char *out = process_stdout(arg);
	bool ready = strstr(out, "ready") != NULL;

	free(out);
	return ready;
}

// A program of its own: a mere fork would keep the sockets of proxies open, and could hang on a
// lock that a proxy's thread held at that moment.
struct process *writer_start(struct server *s)
{
	const char *argv[] = {text("%s/tests/e2e/writer", build_dir()), text("%d", s->port), NULL};

	assert_string_equal(s->password, "");
	struct process *writer = process_start(s->world, "writer", argv, NULL);
	wait_until(is_ready, writer, "the writer to be ready");
	return writer;
}

void writer_stop(struct process *writer)
{
	process_signal(writer, SIGTERM);
	assert_int_equal(process_wait(writer), 0);
}
