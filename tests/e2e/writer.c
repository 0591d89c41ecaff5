// SPDX-License-Identifier: BSD-3-Clause
#include "tests/e2e/harness.h"

#include <signal.h>

static bool has_begun(void *arg)
{
	char *said = process_stdout(arg);
	bool begun = *said;

	free(said);
	return begun;
}

// A program of its own: a mere fork would keep the sockets of proxies open, and could hang on a
// lock that a proxy's thread held at that moment.
struct process *writer_start(struct server *s)
{
	const char *argv[] = {text("%s/tests/e2e/writer", build_dir()), text("%d", s->port), NULL};

	assert_string_equal(s->password, "");
	struct process *p = process_start(s->world, "writer", argv, NULL);
	wait_until(has_begun, p, "the writer to begin");
	return p;
}

void writer_stop(struct process *writer)
{
	process_signal(writer, SIGTERM);
	assert_int_equal(process_wait(writer), 0);
}
