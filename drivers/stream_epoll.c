// SPDX-License-Identifier: BSD-3-Clause
// Streams over kernel sockets and epoll: works on every kernel and in every container.
//
// wait() -> epoll_wait -> flags of the streams; read() and writev() are the system calls. Interest
// in writing is only registered while a write is stuck, so an idle turn costs one system call. Edge
// triggered: bytes that the owner leaves in a full window do not keep the loop awake.
#include "drivers/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_PER_WAIT 64

struct epoll_loop {
	struct stream_loop base;
	int epoll_fd;
	int wake_fd;
};

struct epoll_stream {
	struct stream base;
	int fd;
	uint32_t interest; // what is registered
	bool want_read;
	bool ended;        // the end or an error lies behind the bytes
};

static void interest_update(struct epoll_stream *s)
{
	struct epoll_loop *l = (struct epoll_loop *)s->base.loop;
	uint32_t interest = EPOLLET | (s->want_read ? EPOLLIN | EPOLLRDHUP : 0);
	if (!(s->base.flags & STREAM_WRITABLE))
		interest |= EPOLLOUT;
	if (interest == s->interest)
		return;
	struct epoll_event ev = {.events = interest, .data.ptr = s};
	epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, s->fd, &ev);
	s->interest = interest;
}

static int epoll_loop_new(struct stream_loop **out)
{
	struct epoll_loop *l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->base.ops = &stream_epoll;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
	if (l->epoll_fd < 0 || l->wake_fd < 0 ||
	    epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->wake_fd, &ev)) {
		int rc = -errno;
		close(l->epoll_fd);
		close(l->wake_fd);
		free(l);
		return rc;
	}
	*out = &l->base;
	return 0;
}

static void epoll_loop_free(struct stream_loop *base)
{
	struct epoll_loop *l = (struct epoll_loop *)base;
	close(l->epoll_fd);
	close(l->wake_fd);
	free(l);
}

// Connecting ends with the first EPOLLOUT or error.
static void stream_event(struct epoll_stream *s, uint32_t events)
{
	unsigned *flags = &s->base.flags;
	if (!(*flags & STREAM_OPEN)) {
		s->base.error = socket_error(s->fd);
		if (!s->base.error && (events & EPOLLOUT))
			*flags |= STREAM_OPEN | STREAM_WRITABLE;
		else if (s->base.error || (events & (EPOLLERR | EPOLLHUP)))
			*flags |= STREAM_FAILED;
	}
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		s->ended = true;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		*flags |= STREAM_READABLE;
	if ((events & EPOLLOUT) && (*flags & STREAM_OPEN))
		*flags |= STREAM_WRITABLE;
	interest_update(s);
}

static int epoll_wait_streams(struct stream_loop *base, int64_t timeout_ns)
{
	struct epoll_loop *l = (struct epoll_loop *)base;
	struct epoll_event events[EVENTS_PER_WAIT];
	struct timespec t = {timeout_ns / 1000000000, timeout_ns % 1000000000};
	int n = epoll_pwait2(l->epoll_fd, events, EVENTS_PER_WAIT, timeout_ns < 0 ? NULL : &t,
			     NULL);
	if (n < 0 && errno == ENOSYS) // before Linux 5.11: whole milliseconds, rounded up
		n = epoll_wait(l->epoll_fd, events, EVENTS_PER_WAIT,
			       timeout_ns < 0 ? -1 : (int)((timeout_ns + 999999) / 1000000));
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		uint64_t count;
		if (events[i].data.ptr)
			stream_event(events[i].data.ptr, events[i].events);
		else if (read(l->wake_fd, &count, sizeof(count)) < 0)
			continue; // another wait has taken it
	}
	return n;
}

int stream_epoll_fd(const struct stream_loop *base)
{
	return ((const struct epoll_loop *)base)->epoll_fd;
}

static void epoll_wake(struct stream_loop *base)
{
	uint64_t one = 1;
	ssize_t n = write(((struct epoll_loop *)base)->wake_fd, &one, sizeof(one));
	(void)!n; // full means that it is already awake
}

static int epoll_wake_fd(struct stream_loop *base)
{
	return ((struct epoll_loop *)base)->wake_fd;
}

static int epoll_connect(struct stream_loop *base, const struct stream_peer *peer,
			 struct stream **out)
{
	struct epoll_stream *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	int rc = socket_connect(peer, &s->fd);
	if (rc) {
		free(s);
		return rc;
	}
	s->base.loop = base;
	s->want_read = true;
	s->interest = EPOLLET | EPOLLIN | EPOLLRDHUP | EPOLLOUT;
	struct epoll_event ev = {.events = s->interest, .data.ptr = s};
	if (epoll_ctl(((struct epoll_loop *)base)->epoll_fd, EPOLL_CTL_ADD, s->fd, &ev)) {
		rc = -errno;
		close(s->fd);
		free(s);
		return rc;
	}
	*out = &s->base;
	return 0;
}

static ssize_t epoll_read(struct stream *base, void *buf, size_t len)
{
	struct epoll_stream *s = (struct epoll_stream *)base;
	return socket_read(base, s->fd, s->ended, buf, len);
}

static ssize_t epoll_writev(struct stream *base, const struct iovec *iov, int n)
{
	struct epoll_stream *s = (struct epoll_stream *)base;
	ssize_t sent = socket_writev(s->fd, iov, n);
	if (sent == -EAGAIN) {
		base->flags &= ~(unsigned)STREAM_WRITABLE;
		interest_update(s);
	}
	return sent;
}

static void epoll_want_read(struct stream *base, bool on)
{
	struct epoll_stream *s = (struct epoll_stream *)base;
	s->want_read = on;
	interest_update(s);
}

static void epoll_close(struct stream *base)
{
	struct epoll_stream *s = (struct epoll_stream *)base;
	close(s->fd);
	free(s);
}

const struct stream_ops stream_epoll = {
	.name = "epoll",
	.loop_new = epoll_loop_new,
	.loop_free = epoll_loop_free,
	.wait = epoll_wait_streams,
	.wake = epoll_wake,
	.wake_fd = epoll_wake_fd,
	.connect = epoll_connect,
	.read = epoll_read,
	.writev = epoll_writev,
	.want_read = epoll_want_read,
	.close = epoll_close,
};
