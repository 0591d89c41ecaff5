// SPDX-License-Identifier: BSD-3-Clause
// A cluster that is written to, and a link from it to one server.
#pragma once

#include "tests/e2e/harness.h"

struct scene {
	struct cluster *source;
	struct server *target;
	struct job *job;
	struct process *writer;
	const char *state_dir;
};

static inline void wait_applied(struct scene *s, long long more)
{
	job_wait_number(s->job, "applied", job_number(s->job, "applied") + more);
}

// How many full syncs the link has told of.
static inline unsigned full_syncs(const struct scene *s)
{
	char *log = file_read(text("%s/flyoverd.log", s->state_dir), NULL);
	unsigned n = 0;

	assert_non_null(log);
	for (const char *at = log; (at = strstr(at, "full sync: ")); at++) {
		print_message("%.*s\n", (int)strcspn(at, "\n"), at);
		n++;
	}
	free(log);
	return n;
}

// Nothing is lost, and nothing came twice.
static inline void scene_end(struct scene *s)
{
	writer_stop(s->writer);
	wait_same_as_masters(s->source, s->target);
	assert_int_equal(job_drain(s->job), 0);
	assert_books_balance(s->job);
	assert_int_equal(job_number(s->job, "parked"), 0);
	wait_same_as_masters(s->source, s->target);
}
