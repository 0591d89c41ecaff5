// SPDX-License-Identifier: BSD-3-Clause
// Kernel sockets: what the drivers over epoll and io_uring share.
#pragma once

#include "drivers/stream.h"

// Open a non-blocking socket and begin to connect. TCP: no delay, keepalive.
//
// @param fd  out
// @return 0, or -errno: -EHOSTUNREACH when the name does not resolve, else of socket() or connect()
int socket_connect(const struct stream_peer *peer, int *fd);

// @return 0 once connected, or the errno of the failed connect
int socket_error(int fd);
