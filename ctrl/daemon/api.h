// SPDX-License-Identifier: BSD-3-Clause
// The unix-socket API: one JSON object a line in, one JSON object a line out, in order.
//
//   {"verb": "link-pause", "name": "x"}
//   {"ok": true, ...}
//   {"ok": false, "error": {"name": "CONFIG", "exit_code": 3, "sentence": "...", "advice": "..."}}
//
// The socket has mode 0600: who may open it may do all. A client that does not read its answers is
// not read from either.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "ctrl/daemon/loop.h"
#include "ctrl/failure.h"

#define API_CLIENTS_MAX 32
#define API_LINE_MAX    65536 // bytes of a request; a longer one is answered and cut off

struct daemon;

struct api_client {
	struct watch watch;
	struct daemon *daemon;
	bool owner; // the CLI that started a private flyoverd: when it goes, so do we
	size_t in_len, out_len, out_done;
	char *out; // the answer on its way, NULL when there is none
	char in[API_LINE_MAX];
};

struct api {
	struct watch listener;
	struct api_client *clients[API_CLIENTS_MAX];
};

struct api_verb {
	const char *name, *help;
	// @return the answer, {"ok": true} is added; NULL with f filled
	json_t *(*run)(struct daemon *d, const json_t *request, struct failure *f);
};

// @param n  out. @return the table of verbs
const struct api_verb *api_verbs(unsigned *n);

// Listen at a path; a socket that nobody serves any more is replaced.
//
// @return 0, or -1: CONFIG
int api_listen(struct daemon *d, const char *path, struct failure *f);

// Serve a connected socket as the owner. @return 0 or -errno
int api_own(struct daemon *d, int fd);

// A failure as the "error" of an answer.
json_t *failure_json(const struct failure *f);

// An answer that tells of a failure, as a line. @return text to be freed, or NULL without memory
char *api_failure_line(const struct failure *f);

void api_fini(struct daemon *d);
