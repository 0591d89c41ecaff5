// SPDX-License-Identifier: BSD-3-Clause
// A redis-server of the machine's own, for the tests that ask it what an RDB means.
#pragma once

#include <hiredis.h>
#include <sys/types.h>

#include "parsers/rdb.h"
#include "tests/unit/test.h"

struct server {
	char dir[64];
	char socket[128];
	pid_t pid;
	redisContext *rc;
};

// Group setup and teardown for cmocka: *state becomes a struct server. Without a redis-server on
// this machine its `rc` is NULL, and that is said. It looks closely at what it loads
// (sanitize-dump-payload), and takes DEBUG.
int server_start(void **state);
int server_stop(void **state);

// A command that must not be refused.
void command(redisContext *rc, int argc, const char **argv, const size_t *lens);

// A short one, by words.
void say(redisContext *rc, const char *words);

// RESTORE an RDB_RAW event, with the footer of ours.
void restore(redisContext *rc, const struct rdb_event *ev);

// @return malloc'ed; {NULL, 0} when there is no such file
struct span file_read(const char *path);
