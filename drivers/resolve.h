// SPDX-License-Identifier: BSD-3-Clause
// Names of hosts to addresses, without making a core wait: the name server is asked by a thread of
// its own for each question. Whoever cannot wait longer lets go; the thread ends by itself.
#pragma once

#include <stdbool.h>

#define RESOLVED_MAX         8
#define RESOLVED_ADDRESS_LEN 64 // with a scope

// In the order in which they should be tried (RFC 6724).
struct resolved {
	int error;  // 0, or why there is none: an error of getaddrinfo(), for resolve_text()
	unsigned n; // addresses
	char addresses[RESOLVED_MAX][RESOLVED_ADDRESS_LEN];
};

struct resolve;

// An address needs nobody to be asked.
//
// @return true: out holds it; false: host is a name
bool resolve_address(const char *host, struct resolved *out);

// Ask for a name.
//
// @param wake  called by the thread once there is an answer, never after resolve_end(); NULL: none
// @return 0, or -errno
int resolve_begin(struct resolve **out, const char *host, void (*wake)(void *arg), void *arg);

// @return true: out is the answer; false: it is not there yet
bool resolve_take(struct resolve *r, struct resolved *out);

// Let go, with or without an answer. NULL is allowed.
void resolve_end(struct resolve *r);

// Half a sentence: "Name or service not known".
const char *resolve_text(int error);
