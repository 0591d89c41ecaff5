// SPDX-License-Identifier: BSD-3-Clause
// Streams of the driver at hand, each connected to a socket of the test. Every test of the seam
// runs for each driver in turn.
#pragma once

#include <dirent.h>
#include <time.h>

#include "tests/unit/peer.h"
#include "tests/unit/stream_own.h"

#define MS_NS      1000000ll
#define PATIENCE_S 20
#define BIG        (16u << 20) // more than the kernel keeps for a socket

// The driver at hand.
static const struct stream_ops *ops;

static inline uint64_t mono_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

// The loop that is pumped while the test blocks on the other end.
static struct stream_loop *pumped;

static inline void pump(void)
{
	if (pumped)
		assert_true(stream_loop_wait(pumped, MS_NS / 10) >= 0);
}

static inline struct stream_loop *loop_new(void)
{
	struct stream_loop *l;
	assert_int_equal(ops->loop_new(&l), 0);
	assert_ptr_equal(l->ops, ops);
	pumped = l;
	return l;
}

static inline void loop_free(struct stream_loop *l)
{
	pumped = NULL;
	l->ops->loop_free(l);
}

// Wait until one of the flags is up.
static inline void await(struct stream *s, unsigned flags)
{
	uint64_t limit = mono_ns() + PATIENCE_S * 1000 * (uint64_t)MS_NS;
	while (!(s->flags & flags)) {
		if (mono_ns() > limit)
			fail_msg("%s: flags %#x, wanted %#x", ops->name, s->flags, flags);
		assert_true(stream_loop_wait(s->loop, 100 * MS_NS) >= 0);
	}
}

// A stream of a new loop, connected to `fd`.
struct pair {
	struct stream_loop *loop;
	struct stream *stream;
	int fd;
};

static inline struct pair pair_on(struct stream_loop *loop)
{
	struct pair p = {.loop = loop};
	struct peer_listener l = peer_listen(true);
	struct stream_peer at = peer_at(l.port);
	assert_int_equal(stream_connect(p.loop, &at, &p.stream), 0);
	p.fd = peer_accept(&l);
	close(l.fd);
	await(p.stream, STREAM_OPEN | STREAM_FAILED);
	assert_true(p.stream->flags & STREAM_OPEN);
	await(p.stream, STREAM_WRITABLE);
	return p;
}

static inline struct pair pair_new(void)
{
	return pair_on(loop_new());
}

static inline void pair_free(struct pair *p)
{
	stream_close(p->stream);
	loop_free(p->loop);
	close(p->fd);
}

static inline ssize_t text_write(struct stream *s, const char *text)
{
	struct iovec iov = {(void *)text, strlen(text)};
	return stream_writev(s, &iov, 1);
}

// Read just this.
static inline void assert_reads(struct stream *s, const char *text)
{
	char buf[256];
	size_t at = 0;
	while (at < strlen(text)) {
		await(s, STREAM_READABLE);
		ssize_t n = stream_read(s, buf + at, strlen(text) - at);
		assert_true(n > 0 || n == -EAGAIN);
		at += n > 0 ? (size_t)n : 0;
	}
	assert_memory_equal(buf, text, at);
}

// Read until there is the end or an error, and return that.
static inline ssize_t read_to_end(struct stream *s, size_t *total)
{
	char buf[65536];
	ssize_t n;
	do {
		await(s, STREAM_READABLE);
		n = stream_read(s, buf, sizeof(buf));
		*total += n > 0 ? (size_t)n : 0;
	} while (n > 0 || n == -EAGAIN);
	return n;
}

static inline unsigned descriptors(void)
{
	unsigned n = 0;
	DIR *d = opendir("/proc/self/fd");
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

// A thread that writes the pattern, or checks that it reads it.
struct blast {
	int fd;
	uint64_t len, wrong_at;
};

static inline void *blast_send(void *arg)
{
	struct blast *b = arg;
	unsigned char buf[30000];
	for (uint64_t at = 0; at < b->len;) {
		size_t n = b->len - at < sizeof(buf) ? (size_t)(b->len - at) : sizeof(buf);
		pattern_fill(buf, n, at);
		for (size_t sent = 0; sent < n;) {
			ssize_t k = send(b->fd, buf + sent, n - sent, MSG_NOSIGNAL);
			if (k <= 0)
				return NULL;
			sent += (size_t)k;
		}
		at += n;
	}
	return NULL;
}

// Run the tests for every driver that this kernel has. @return tests failed
#define SEAM_RUN(tests)                                                                            \
	(DRIVER_RUN(&stream_epoll, tests) + DRIVER_RUN(&stream_uring, tests) +                     \
	 DRIVER_RUN(stream_own(), tests))
#define DRIVER_RUN(driver, tests)                                                                  \
	(driver_take(driver) ? cmocka_run_group_tests_name((driver)->name, tests, NULL, NULL) : 0)

static inline bool driver_take(const struct stream_ops *driver)
{
	struct stream_loop *l;
	int rc = driver->loop_new(&l);
	if (rc)
		print_message("%s: not here: %s\n", driver->name, strerror(-rc));
	else
		driver->loop_free(l);
	ops = driver;
	if (driver == stream_own()) {
		peer_host = STREAM_OWN_HOST;
		peer_net = STREAM_OWN;
		peer_pump = pump;
	}
	return !rc;
}
