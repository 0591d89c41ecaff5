// SPDX-License-Identifier: BSD-3-Clause
// What the tests of `flyover dump` share: runs of it, and what became of its file.
#pragma once

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/harness.h"

// The folder that dumps go to, and the file in it.
static inline const char *dump_dir(struct world *w)
{
	return text("%s/out", w->dir);
}

static inline const char *dump_file(struct world *w)
{
	return text("%s/dump.rdb", dump_dir(w));
}

static inline void dump_dir_make(struct world *w)
{
	assert_int_equal(mkdir(dump_dir(w), 0700), 0);
}

// Start `flyover dump SOURCE -o FILE --json OPTIONS...`. @param ...  options, NULL
static struct job *dump_start(struct world *w, const char *source, ...) __attribute__((sentinel));
static inline struct job *dump_start(struct world *w, const char *source, ...)
{
	const char *arguments[20] = {"dump", source, "-o", dump_file(w), "--json"};
	unsigned n = 5;
	va_list args;

	va_start(args, source);
	while (n < 19 && (arguments[n] = va_arg(args, const char *)))
		n++;
	va_end(args);
	return job_start_argv(w, "flyover", arguments, NULL);
}

static inline unsigned files_in(const char *dir)
{
	unsigned n = 0;
	DIR *d = opendir(dir);

	assert_non_null(d);
	for (const struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
	closedir(d);
	return n;
}

// A dump that has to end well, with its file alone in the folder.
static inline void dump_done(struct world *w, struct job *j)
{
	int code = job_wait(j);

	if (code) {
		char *said = process_stderr(j->process);
		fail_msg("dump ended with %d: %s", code, said);
	}
	assert_string_equal(job_text(j, "result"), "done");
	assert_int_equal(job_number(j, "percent"), 100);
	assert_int_equal(files_in(dump_dir(w)), 1);
}

// One that has to end with this code and a sentence that speaks of `word`, and leave nothing.
static inline void dump_failed(struct world *w, struct job *j, int code, const char *word)
{
	assert_int_equal(job_wait(j), code);
	assert_one_sentence(j, word);
	assert_string_equal(job_text(j, "result"), "failed");
	assert_int_equal(files_in(dump_dir(w)), 0);
}

// Whether something was told with this word.
static inline bool dump_noted(struct job *j, const char *word)
{
	char *out = process_stdout(j->process), *err = process_stderr(j->process);
	bool noted = strstr(out, word) || strstr(err, word);

	free(out);
	free(err);
	return noted;
}

// What somebody else's program says of the file.
static inline void rdb_is_sound(struct world *w, const char *path)
{
	const char *argv[] = {"redis-check-rdb", path, NULL};
	struct process *p = process_start(w, "check-rdb", argv, NULL);

	if (process_wait(p)) {
		char *said = process_stdout(p);
		fail_msg("redis-check-rdb: %s", said);
	}
}

// A fresh server that has loaded the file.
static inline struct server *server_loaded(struct world *w, const char *name, const char *path)
{
	const char *slash = strrchr(path, '/');

	rdb_is_sound(w, path);
	return server_start(w, name, "--dir", text("%.*s", (int)(slash - path), path),
			    "--dbfilename", slash + 1, NULL);
}
