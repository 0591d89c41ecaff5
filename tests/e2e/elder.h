// SPDX-License-Identifier: BSD-3-Clause
// An elder: a proxy in front of a real server that behaves as an older release of it. It says that
// version in INFO, refuses commands, options and RESTORE payloads that the release does not have,
// with the words and at the time that a server would (a command that it does not know spoils its
// MULTI; an option that it does not know is an error in the reply to EXEC), and passes on all else.
//
// What was refused leaves a command in its place that the real server refuses, so that MULTI and
// EXEC are its own.
#pragma once

#include <stdint.h>

struct world;

struct elder {
	struct elder *next;
	uint16_t at; // SERVER_VERSION()
	int upstream_port;
	char info[160];  // the lines that tell the version
	int port;
	char url[64];    // redis://HERE:PORT, see net.h
	_Atomic unsigned n_refused;
};

// Start one, owned by the world.
//
// @param version        "redis 2.8.24", "redis 6.2.14", "valkey 8.0.1"...; no newer than the server
//                       behind it, but for Valkey, which is taken for Redis 7.2
// @param upstream_port  of the loopback
struct elder *elder_start(struct world *w, const char *version, int upstream_port);

// Be another release from now on, for connections that come later: end the others first.
void elder_becomes(struct elder *e, const char *version);

// Commands that it refused so far.
unsigned elder_refused(const struct elder *e);

void elders_free(struct world *w);
