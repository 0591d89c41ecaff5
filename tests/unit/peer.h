// SPDX-License-Identifier: BSD-3-Clause
// The other end of a stream: plain sockets of the test, on loopback.
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "drivers/stream.h"
#include "tests/unit/test.h"

// How the test's sockets are reached; a driver of our own is on another network than the kernel's.
static const char *peer_host = "127.0.0.1";
static enum stream_net peer_net = STREAM_KERNEL;

// A driver of our own does nothing but in its wait(): whoever blocks on the other end calls it
// meanwhile. NULL: the kernel does it all.
static void (*peer_pump)(void);

static inline void peer_await(int fd, short events)
{
	struct pollfd ready = {fd, events, 0};
	while (peer_pump && poll(&ready, 1, 0) == 0)
		peer_pump();
}

struct peer_listener {
	int fd;
	uint16_t port;
};

// @param listening  false: the port is taken, but refuses
static inline struct peer_listener peer_listen(bool listening)
{
	struct peer_listener l = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr(peer_host)};
	socklen_t len = sizeof(a);
	assert_int_equal(bind(l.fd, (struct sockaddr *)&a, sizeof(a)), 0);
	if (listening)
		assert_int_equal(listen(l.fd, 512), 0);
	assert_int_equal(getsockname(l.fd, (struct sockaddr *)&a, &len), 0);
	l.port = ntohs(a.sin_port);
	return l;
}

static inline struct stream_peer peer_at(uint16_t port)
{
	return (struct stream_peer){.host = peer_host, .port = port, .net = peer_net};
}

static inline int peer_accept(const struct peer_listener *l)
{
	peer_await(l->fd, POLLIN);
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static inline void peer_write(int fd, const void *p, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = send(fd, (const char *)p + at, len - at, MSG_NOSIGNAL);
		assert_true(n > 0);
		at += (size_t)n;
	}
}

static inline ssize_t peer_read(int fd, void *p, size_t len)
{
	peer_await(fd, POLLIN);
	return read(fd, p, len);
}

static inline void peer_join(pthread_t thread)
{
	while (peer_pump && pthread_tryjoin_np(thread, NULL) == EBUSY)
		peer_pump();
	if (!peer_pump)
		pthread_join(thread, NULL);
}

// Write until the socket takes no more for a while. @return bytes that it took
static inline size_t peer_stuff(int fd, const void *p, size_t len)
{
	size_t total = 0;
	struct pollfd ready = {fd, POLLOUT, 0};
	while (poll(&ready, 1, 200) == 1) {
		ssize_t n = send(fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		assert_true(n > 0 || errno == EAGAIN);
		total += n > 0 ? (size_t)n : 0;
	}
	return total;
}

// Close with a reset.
static inline void peer_reset(int fd)
{
	struct linger now = {1, 0};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

// Wait for something of the other side: bytes, its end or a reset.
static inline bool peer_readable(int fd, int timeout_ms)
{
	struct pollfd ready = {fd, POLLIN, 0};
	for (int waited = 0; peer_pump && waited < timeout_ms && poll(&ready, 1, 1) == 0; waited++)
		peer_pump();
	return poll(&ready, 1, peer_pump ? 0 : timeout_ms) == 1;
}

// What stands at position i of the test's streams.
static inline unsigned char pattern_at(uint64_t i)
{
	return (unsigned char)((i * 0x9e3779b97f4a7c15ull) >> 56 ^ i);
}

static inline void pattern_fill(unsigned char *p, size_t len, uint64_t from)
{
	for (size_t i = 0; i < len; i++)
		p[i] = pattern_at(from + i);
}

// @return true when the bytes are those from that position on
static inline bool pattern_is(const unsigned char *p, size_t len, uint64_t from)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != pattern_at(from + i))
			return false;
	return true;
}
