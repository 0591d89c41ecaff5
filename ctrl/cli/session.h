// SPDX-License-Identifier: BSD-3-Clause
// A conversation with flyoverd: one request, one answer.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "ctrl/failure.h"

#define SESSION_REFUSED (-1) // flyoverd said no; the failure is its own
#define SESSION_GONE    (-2) // the connection is lost, or silent for too long

struct session {
	int fd;
	char *in;
	size_t in_len, in_room;
};

// @param fd  connected; closed by session_close()
void session_init(struct session *s, int fd);
void session_close(struct session *s);

// Connect to a flyoverd. @param path  NULL: $FLYOVER_SOCKET, else the usual place
//
// @return 0, or -1: CONNECT
int session_open(struct session *s, const char *path, struct failure *f);

// Ask, and wait for the answer.
//
// @param request  taken over
// @param answer   out: to json_decref(); may be NULL when nobody wants it
// @return 0, SESSION_REFUSED or SESSION_GONE
int session_ask(struct session *s, json_t *request, json_t **answer, struct failure *f);

// Say something whose answer nobody waits for. @param request  taken over
void session_tell(struct session *s, json_t *request);

// Fill f from an "error" object of flyoverd.
void session_failure(const json_t *error, struct failure *f);
