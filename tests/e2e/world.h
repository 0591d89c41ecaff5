// SPDX-License-Identifier: BSD-3-Clause
// What one end-to-end test owns: a temporary folder and everything started in it. The teardown ends
// every process by its pid, shows what they said when the test failed, and removes the folder.
#pragma once

#include <stdbool.h>

#include "tests/unit/test.h"

// Longest wait for anything that should happen, ms. Generous: sanitizers and busy machines.
#define DEADLINE_MS 60000

struct cluster;
struct elder;
struct fake;
struct job;
struct proxy;
struct server;
struct tap;

struct world {
	char dir[200];             // temporary folder of this test
	struct process *processes; // newest first; all owned by the world
	struct server *servers;
	struct job *jobs;
	struct proxy *proxies;
	struct fake *fakes;
	struct elder *elders;
	struct cluster *clusters;
	struct tap *taps;     // newest first, see net.h
	unsigned n_processes; // for names
	const char *skip;     // why the test cannot run here, or NULL
	bool passed;
	void (*test)(struct world *w);
};

typedef void e2e_test(struct world *w);

int world_setup(void **state);
int world_teardown(void **state);
void world_run(void **state);

// A row for cmocka_run_group_tests(). @param f  an e2e_test
#define E2E_TEST(f)                                                                                \
	{                                                                                          \
#f, world_run, world_setup, world_teardown, (void *)(f)                            \
	}

// Sanitizers of our programs write to files of the world's folder. Show them. @return how many
unsigned sanitizer_reports(struct world *w);

// Run only the tests whose name fits $FLYOVER_TEST (with * and ?), when it is set.
void e2e_filter(void);

// The folder that holds flyover, flyoverd and flyover-dataplane.
const char *build_dir(void);

// Monotonic clock, ms.
long long now_ms(void);

// A nap inside a loop that waits for an event with a deadline.
void nap_ms(int ms);

// Ask until the answer is true.
//
// @param what  for the message when the deadline passes, which fails the test
void wait_until(bool (*ready)(void *arg), void *arg, const char *what);

// A free port of the loopback, which stays this program's, or fails the test.
int free_port(void);

// A connection to a port of the loopback, or -1.
int loopback_connect(int port);

// printf into memory that lives as long as the test program; for arguments and names.
const char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));

// A whole file. @param len  out, may be NULL. @return NUL-terminated, caller frees; NULL if absent
char *file_read(const char *path, size_t *len);
void file_write(const char *path, const void *bytes, size_t len);
