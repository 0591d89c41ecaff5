// SPDX-License-Identifier: BSD-3-Clause
// Where our other programs lie, and how they are started.
#pragma once

#include <stddef.h>
#include <sys/types.h>

// Find a program: beside the running executable, then in libexec/flyover of its prefix, then in
// PATH.
//
// @param out  its path
// @return 0, or -ENOENT
int program_find(const char *name, char *out, size_t out_len);

struct program_start {
	const char *path;
	char *const *argv;
	int fd_from, fd_to; // one descriptor handed over, under the number fd_to; fd_from -1: none
	int stdin_fd;       // -1: /dev/null
	int stderr_fd;      // -1: ours
};

// Start a program in a session of its own, signals at their defaults, all other descriptors closed,
// our passwords not in its environment. Its stdout is /dev/null.
//
// @param pid  out
// @return 0, or -errno of the failed step, exec included
int program_spawn(const struct program_start *start, pid_t *pid);
