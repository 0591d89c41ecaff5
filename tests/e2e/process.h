// SPDX-License-Identifier: BSD-3-Clause
// A child process whose output goes to files of the test's folder: no pipe can fill, nothing need
// be pumped, and after a failure everything is there to be shown.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct world;

struct process {
	struct process *next;
	pid_t pid;
	bool ended;
	int status; // as waitpid() gives it, once ended
	char name[64];
	char out_path[300];
	char err_path[300];
};

// Start a program. It dies with the test program.
//
// @param name         for messages and file names
// @param argv         NULL-terminated; argv[0] is the path or is looked up in PATH
// @param environment  "NAME=value" texts to add, NULL-terminated; NULL for none
// @return             owned by the world
struct process *process_start(struct world *w, const char *name, const char *const *argv,
			      const char *const *environment);

// @return true once the process has ended; its status is then known
bool process_has_ended(struct process *p);

// Wait for the end. @return the exit code, or 128 + the signal that ended it
int process_wait(struct process *p);

void process_signal(struct process *p, int signal_number);

// SIGKILL, and wait.
void process_kill(struct process *p);

// What it wrote so far; caller frees.
char *process_stdout(const struct process *p);
char *process_stderr(const struct process *p);

// The process with an executable of this base name among the descendants of ours (orphans come to
// us), or 0. @param ancestor  only below this pid; 0 for any
pid_t descendant_find(const char *base_name, pid_t ancestor);

// Every descendant, whoever started it: SIGKILL and reap. Safe in a signal handler only because the
// test program ends right after.
void processes_end_descendants(void);

// Those that have ended are forgotten, with what they said.
void processes_forget(struct world *w);

void processes_show(struct world *w);
void processes_free(struct world *w);
