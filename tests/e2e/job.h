// SPDX-License-Identifier: BSD-3-Clause
// A run of our programs, watched through what the contract promises: the JSON progress objects on
// stdout, one sentence on stderr, the exit code.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include <jansson.h>

struct process;
struct server;
struct world;

struct job {
	struct job *next;
	struct process *process;
	json_t *last; // newest progress object, NULL before the first
	unsigned n_objects;
	long read_from; // bytes of stdout taken apart
};

// A list for --cores: the first n that this process may use; fewer when there are not so many.
const char *cores(unsigned n);

// Start `flyover ARGUMENTS...`. @param ...  arguments, NULL
struct job *job_start(struct world *w, ...) __attribute__((sentinel));
struct job *job_start_argv(struct world *w, const char *program, const char *const *arguments,
			   const char *const *environment);

// Start `flyover sync SOURCE TARGET --json --state-dir DIR OPTIONS...` with a state folder of its
// own. @param ...  options, NULL
struct job *sync_start(struct world *w, const char *source_url, const char *target_url, ...)
	__attribute__((sentinel));

// The same to its end. @return exit code
int sync_run(struct world *w, const char *source_url, const char *target_url, ...)
	__attribute__((sentinel));

// Take new progress objects. @return true when there was one
bool job_poll(struct job *j);

// Wait for a progress object that the predicate likes. Fails the test when the job ends first.
void job_wait_for(struct job *j, bool (*likes)(const json_t *progress, const void *arg),
		  const void *arg, const char *what);

void job_wait_phase(struct job *j, const char *phase);

// Wait until a number of the progress has reached a value.
void job_wait_number(struct job *j, const char *field, long long at_least);

// Wait until it has reached what the source had as the snapshot was loaded, or as it resumed.
void job_wait_caught_up(struct job *j);

// Wait until everything that the source has written up to now is in the target.
void job_wait_applied(struct job *j, struct server *source);

// Wait for the end. @return exit code; j->last is then the last object
int job_wait(struct job *j);

// SIGINT, and wait. @return exit code
int job_drain(struct job *j);

// A number or text of the newest object; fails the test when the field is not there.
bool job_flag(const struct job *j, const char *field);
long long job_number(const struct job *j, const char *field);
const char *job_text(const struct job *j, const char *field);

// received = applied + filtered + parked + in flight, in the last object of a job that has ended,
// with nothing in flight.
void assert_books_balance(const struct job *j);

// stderr is one sentence that contains the word given (case is ignored).
void assert_one_sentence(struct job *j, const char *word);

// The daemon and the fast path that the job started; wait until they run.
pid_t job_daemon(struct job *j);
pid_t job_dataplane(struct job *j);

void jobs_free(struct world *w);
