// SPDX-License-Identifier: BSD-3-Clause
// What the tests of `flyover restore` share: files that a real server has written, and runs of the
// command with a state folder of the test's own.
#pragma once

#include <unistd.h>

#include "tests/e2e/harness.h"

// Start `flyover restore FILE TARGET --json --state-dir DIR OPTIONS...`.
static inline struct job *restore_start(struct world *w, const char *state, const char *file,
					const char *target_url, const char *option,
					const char *option_2)
{
	return job_start(w, "restore", file, target_url, "--json", "--state-dir",
			 text("%s/%s", w->dir, state), option, option ? option_2 : NULL, NULL);
}

// The same to its end. @return exit code
static inline int restore_run(struct world *w, const char *file, const char *target_url,
			      const char *option, const char *option_2)
{
	return job_wait(restore_start(w, text("state-%u", w->n_processes), file, target_url,
				      option, option_2));
}

// What the server holds now, as an RDB. @return path
static inline const char *rdb_of(struct server *s)
{
	run(s, "SAVE");
	return text("%s/dump.rdb", s->dir);
}

// No key of ours in any database.
static inline void assert_no_traces(struct server *s)
{
	int dbs[] = {0, 3, 9, 15};
	bool is_node = !strcmp(info_text(s, "cluster", "cluster_enabled"), "1");

	for (unsigned i = 0; i < (is_node ? 1 : 4); i++) {
		select_db(s, dbs[i]);
		redisReply *r = ask(s, "KEYS __flyover*");
		if (r->elements)
			fail_msg("database %d keeps %s", dbs[i], r->element[0]->str);
		freeReplyObject(r);
	}
	select_db(s, 0);
}

// Two files, one behind the other. @return path of the whole
static inline const char *joined(struct world *w, const char *name, const char *first,
				 const char *second)
{
	size_t len_1, len_2;
	char *a = file_read(first, &len_1), *b = file_read(second, &len_2);
	const char *path = text("%s/%s", w->dir, name);

	assert_non_null(a);
	assert_non_null(b);
	a = realloc(a, len_1 + len_2);
	memcpy(a + len_1, b, len_2);
	file_write(path, a, len_1 + len_2);
	free(a);
	free(b);
	return path;
}
