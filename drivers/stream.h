// SPDX-License-Identifier: BSD-3-Clause
// The stream seam: byte streams in order, without blocking. The pipeline sees only this; kernel
// sockets (epoll, io_uring) and our own TCP stand behind it, and TLS can lie over any of them.
//
// One loop per core. A stream belongs to the loop that opened it and is only touched by that core
// (or by whoever is left when the core's thread has ended).
//
// What is ready is told through flags on the stream. A flag stays up until a read or write finds
// nothing more; stream_loop_wait() only tells what is new. So who leaves bytes unread must come
// back by himself when he has room, and a full window does not keep its core awake.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "parsers/span.h"
#include "drivers/tls/tls.h"

// Over which network. A loop of our own TCP serves both, one of the kernel only its own.
enum stream_net { STREAM_KERNEL, STREAM_OWN };

// How TCP finds its rate. Unless said, as the host has it: our own TCP by its setting, the kernel
// by net.ipv4.tcp_congestion_control, which also serves where it lacks what was said.
enum stream_congestion { STREAM_CONGESTION_HOST, STREAM_CUBIC, STREAM_BBR };

// Where to connect. Strings are borrowed for the call.
struct stream_peer {
	const char *host;    // name or address; NULL or "" for a unix socket
	uint16_t port;       // host byte order
	const char *path;    // unix socket
	enum stream_net net; // of a unix socket the kernel's, whatever stands here
	enum stream_congestion congestion;
	uint32_t link;       // number of the link that it serves, for the trace; 0: none
	bool tls;            // only a loop of stream_tls knows it
	struct tls_settings tls_settings;
};

enum stream_flags {
	STREAM_OPEN = 1,     // connected
	STREAM_READABLE = 2, // a read may give bytes, the end or an error
	STREAM_WRITABLE = 4, // a write may take bytes
	STREAM_FAILED = 8,   // `error` says why; close it
};

struct stream_loop;

// First member of every driver's stream.
struct stream {
	struct stream_loop *loop;
	unsigned flags; // enum stream_flags; written by the driver, cleared by its read and write
	int error;      // errno of the failure, 0 for none
	// What is known beyond errno of why it fails, or does not open: the rest of a sentence that
	// begins with the server. NULL: nothing. The stream's, valid until it is closed.
	const char *reason;
};

// What to say of an errno of this stream.
static inline const char *stream_why(const struct stream *s, int error)
{
	return s->reason ? s->reason : strerror(error);
}

// First member of every driver's loop.
struct stream_loop {
	const struct stream_ops *ops;
};

struct stream_ops {
	const char *name; // "epoll", "io_uring"

	// The loop belongs to the thread that first connects or waits on it.
	//
	// @return 0, or -errno when the kernel forbids it (the caller takes another driver)
	int (*loop_new)(struct stream_loop **out);
	void (*loop_free)(struct stream_loop *l);

	// Wait until a stream has something new, the loop is woken, or the time is over.
	// @param timeout_ns  0: only look; negative: no limit
	// @return streams with news, or -errno
	int (*wait)(struct stream_loop *l, int64_t timeout_ns);

	// End a wait() of this loop. The only call allowed from another thread.
	void (*wake)(struct stream_loop *l);

	// The eventfd that ends a wait() when it is written, for kernels' completions of other
	// kinds; it stays the loop's. NULL: has none.
	int (*wake_fd)(struct stream_loop *l);

	// Begin to connect; flags become STREAM_OPEN or STREAM_FAILED later.
	// @return 0, or -errno (-EHOSTUNREACH: the name does not resolve)
	int (*connect)(struct stream_loop *l, const struct stream_peer *peer, struct stream **out);

	// @return bytes read (> 0), 0 at the peer's end, -EAGAIN, or -errno
	ssize_t (*read)(struct stream *s, void *buf, size_t len);

	// The bytes are taken over before it returns.
	// @return bytes taken (may be fewer), -EAGAIN, or -errno
	ssize_t (*writev)(struct stream *s, const struct iovec *iov, int n);

	// Whether readability is of interest; off means that the peer is held back. On at first. To
	// turn it on again counts as news: a read may give bytes.
	void (*want_read)(struct stream *s, bool on);

	// Close and free. Never fails.
	void (*close)(struct stream *s);
};

extern const struct stream_ops stream_epoll;
extern const struct stream_ops stream_uring;

// The descriptor of a loop of stream_epoll that is readable while a wait() has something to tell;
// it stays the loop's.
int stream_epoll_fd(const struct stream_loop *l);

static inline int stream_loop_wait(struct stream_loop *l, int64_t timeout_ns)
{
	return l->ops->wait(l, timeout_ns);
}

static inline void stream_loop_wake(struct stream_loop *l)
{
	l->ops->wake(l);
}

// @return the eventfd, open until the loop is freed; -1: the loop has none
static inline int stream_loop_wake_fd(struct stream_loop *l)
{
	return l->ops->wake_fd ? l->ops->wake_fd(l) : -1;
}

static inline int stream_connect(struct stream_loop *l, const struct stream_peer *p,
				 struct stream **out)
{
	return l->ops->connect(l, p, out);
}

static inline ssize_t stream_read(struct stream *s, void *buf, size_t len)
{
	return s->loop->ops->read(s, buf, len);
}

static inline ssize_t stream_writev(struct stream *s, const struct iovec *iov, int n)
{
	return s->loop->ops->writev(s, iov, n);
}

static inline void stream_want_read(struct stream *s, bool on)
{
	s->loop->ops->want_read(s, on);
}

static inline void stream_close(struct stream *s)
{
	s->loop->ops->close(s);
}

enum stream_choice { STREAM_AUTO, STREAM_EPOLL, STREAM_URING };

// @param text  "auto", "epoll" or "io_uring"
// @return enum stream_choice, or -EINVAL
int stream_choice_parse(const char *text);

// The driver to try first: auto is io_uring where it was measured to cost no more than epoll.
//
// @param io  enum stream_choice
const struct stream_ops *stream_preferred(unsigned io);
