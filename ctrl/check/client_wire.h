// SPDX-License-Identifier: BSD-3-Clause
// The bytes of a client's connection, plain or in TLS.
#pragma once

#include "ctrl/check/client.h"

// Begin TLS on a connected socket, and wait until the server has been found to be the one.
//
// @return 0, or -1: TLS, DEADLINE
int client_tls_begin(struct client *c, const struct endpoint *e, struct failure *f);

// Send what goes without waiting. @return bytes, -EAGAIN, or -errno
ssize_t client_send(struct client *c, const void *p, size_t len);

// Whether something waits for room in the socket.
bool client_sends(const struct client *c);

// Whether bytes are there that poll() does not know of.
bool client_holds(const struct client *c);

// Say on c->failure that the connection is gone. @param error  errno, 0: at its end
//
// @return -1
int client_lost(struct client *c, int error);
