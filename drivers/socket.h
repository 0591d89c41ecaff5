// SPDX-License-Identifier: BSD-3-Clause
// Kernel sockets: what the drivers over epoll and io_uring share.
#pragma once

#include "drivers/stream.h"

// Addresses of a host: struct addrinfo, to freeaddrinfo(). Asks the name server, so it may block.
//
// @return 0, or -EHOSTUNREACH
struct addrinfo;
int socket_resolve(const struct stream_peer *peer, struct addrinfo **list);

// Open a non-blocking socket and begin to connect. TCP: no delay, keepalive.
//
// @param fd  out
// @return 0, or -errno: -EHOSTUNREACH when the name does not resolve, else of socket() or connect()
int socket_connect(const struct stream_peer *peer, int *fd);

// Whether the kernel lets a socket of this process have it. Two system calls and more.
//
// @return 0, -ENOENT: the kernel has none of that name; -EPERM: only root may choose it
int socket_congestion_try(enum stream_congestion what);

// @return 0 once connected, or the errno of the failed connect
int socket_error(int fd);

// Read for a stream: keeps its STREAM_READABLE as the seam wants it.
//
// @param ended  the end has been told already, so nobody will tell of it again
// @return as stream_read()
ssize_t socket_read(struct stream *s, int fd, bool ended, void *buf, size_t len);

// @return bytes taken, or -errno; -EAGAIN when the socket is full
ssize_t socket_writev(int fd, const struct iovec *iov, int n);
