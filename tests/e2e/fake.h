// SPDX-License-Identifier: BSD-3-Clause
// A server that says what a test wants: not a Redis at all, or a primary that sends bytes no real
// one would send.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct world;
struct fake;

#define FAKE_ARGS_MAX 32

// One command as a client sent it, NUL-terminated copies.
struct fake_command {
	unsigned argc;
	char *argv[FAKE_ARGS_MAX];
	size_t lens[FAKE_ARGS_MAX];
};

// Talk to one client; the connection is closed on return. Runs in a thread of its own, so it must
// not use cmocka's assertions.
typedef void fake_serve(struct fake *f, int fd);

struct fake {
	struct fake *next;
	struct fake_thread *thread;
	fake_serve *serve;
	int port;
	char url[64];
	const void *arg; // the test's
	const char *rdb; // what fake_primary() sends as snapshot
	size_t rdb_len;
	size_t rdb_announced; // length announced; 0: rdb_len
	const char *stream;   // what follows
	size_t stream_len;
	const _Atomic bool *stream_when; // it follows once this is true; NULL: at once
};

struct fake *fake_start(struct world *w, fake_serve *serve, const void *arg);

// Read one command (RESP array or inline). @return 0, or -1 when the client has gone
int fake_read_command(int fd, struct fake_command *c);
void fake_command_clear(struct fake_command *c);

// Send all of it. @return 0 or -1
int fake_write(int fd, const void *bytes, size_t len);
int fake_say(int fd, const char *text);

// Serve as an empty Redis 7.0 primary with f->rdb and f->stream.
fake_serve fake_primary;

// Answers everything with the bytes it gets.
fake_serve fake_echo;

// Answers as a web server does.
fake_serve fake_http;

// Accepts and says nothing, for ever.
fake_serve fake_silent;

void fakes_free(struct world *w);
