// SPDX-License-Identifier: BSD-3-Clause
// Streams over kernel sockets and io_uring, from Linux 5.13 on.
//
//   wait()   -> io_uring_enter() -> loop_reap() -> flags of the streams
//   read()   -> recv() straight to where the caller wants the bytes
//   writev() -> sendmsg(); only when it is stuck, a poll tells when to go on
//
// One multishot poll a stream says when there is something to read, and a wait that has nothing to
// submit and nothing to fetch makes no system call. Receives into provided buffers were measured
// too: the second copy costs more (6-11 % of this loop's CPU on bulk) than the calls that it saves.
//
// The ring is made for one thread, and it is the one that first connects or waits: loops are opened
// before their threads run. wake() needs no ring, only an eventfd that the ring polls.
//
// A stream that is closed lives on until the last completion of its operations has come, so that
// user_data can be its address.
#include "drivers/socket.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <liburing.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SQ_ENTRIES 64
#define CQ_ENTRIES 1024

// What an operation is for: the low bits of its user_data, beside the address of its stream.
enum op { OP_WAKE, OP_CONNECT, OP_READ, OP_WRITE, OP_CANCEL, OP_COUNT };
#define OP_MASK 7ull

_Static_assert(OP_COUNT <= OP_MASK + 1, "fits beside an address from malloc()");

struct uring_stream {
	struct stream base;
	struct uring_stream *next, **at; // list of all streams of the loop
	int fd;                          // -1: closed
	unsigned pending;                // bit per enum op: its last completion is still to come
	bool want_read;
	bool ended; // the end or an error lies behind the bytes, or will be there soon
};

struct uring_loop {
	struct stream_loop base;
	struct io_uring ring;
	bool running; // the thread is known
	int wake_fd;
	int n_news; // told by the next wait()
	struct uring_stream *streams;
};

static uint64_t tag_encode(const struct uring_stream *s, enum op op)
{
	return (uintptr_t)s | op;
}

static enum op tag_decode(uint64_t tag, struct uring_stream **s)
{
	*s = (struct uring_stream *)(uintptr_t)(tag & ~OP_MASK);
	return (enum op)(tag & OP_MASK);
}

// ---- Operations

static struct io_uring_sqe *sqe_get(struct uring_loop *l)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&l->ring);
	if (sqe)
		return sqe;
	io_uring_submit(&l->ring);
	return io_uring_get_sqe(&l->ring);
}

// @return 0, or -EBUSY when the ring takes no more (its thread is gone)
static int poll_arm(struct uring_loop *l, struct uring_stream *s, enum op op)
{
	struct io_uring_sqe *sqe = sqe_get(l);
	if (!sqe)
		return -EBUSY;
	if (op == OP_WAKE)
		io_uring_prep_poll_multishot(sqe, l->wake_fd, POLLIN);
	else if (op == OP_READ)
		io_uring_prep_poll_multishot(sqe, s->fd, POLLIN | POLLRDHUP);
	else
		io_uring_prep_poll_add(sqe, s->fd, POLLOUT);
	io_uring_sqe_set_data64(sqe, tag_encode(s, op));
	if (s)
		s->pending |= 1u << op;
	return 0;
}

static void poll_cancel(struct uring_loop *l, struct uring_stream *s, enum op op)
{
	struct io_uring_sqe *sqe = s->pending & 1u << op ? sqe_get(l) : NULL;
	if (!sqe)
		return;
	io_uring_prep_cancel64(sqe, tag_encode(s, op), 0);
	io_uring_sqe_set_data64(sqe, tag_encode(NULL, OP_CANCEL));
}

// ---- Completions

static void stream_fail(struct uring_stream *s, int error)
{
	s->base.error = error;
	s->base.flags |= STREAM_FAILED;
}

static void connect_completed(struct uring_loop *l, struct uring_stream *s, int events)
{
	int error = socket_error(s->fd);
	if (!error && !(events & POLLOUT))
		error = events < 0 ? -events : ECONNREFUSED;
	if (!error && poll_arm(l, s, OP_READ))
		error = EBUSY;
	if (error)
		stream_fail(s, error);
	else
		s->base.flags |= STREAM_OPEN | STREAM_WRITABLE;
}

static void read_completed(struct uring_loop *l, struct uring_stream *s, int events)
{
	if (events < 0 || (events & (POLLRDHUP | POLLHUP | POLLERR)))
		s->ended = true;
	if (s->want_read)
		s->base.flags |= STREAM_READABLE;
	// The kernel ends a multishot poll when completions overflow, or with an error. What came
	// in between is seen by the new one at once.
	if (!(s->pending & 1u << OP_READ) && events >= 0)
		poll_arm(l, s, OP_READ);
}

static void stream_free(struct uring_stream *s)
{
	*s->at = s->next;
	if (s->next)
		s->next->at = s->at;
	free(s);
}

static void completion_take(struct uring_loop *l, const struct io_uring_cqe *cqe)
{
	struct uring_stream *s;
	enum op op = tag_decode(cqe->user_data, &s);
	bool last = !(cqe->flags & IORING_CQE_F_MORE);
	if (op == OP_WAKE && last)
		poll_arm(l, NULL, OP_WAKE);
	l->n_news += op != OP_CANCEL;
	if (!s)
		return;
	if (last)
		s->pending &= ~(1u << op);
	if (s->fd < 0 && !s->pending)
		stream_free(s);
	else if (s->fd < 0)
		return;
	else if (op == OP_CONNECT)
		connect_completed(l, s, cqe->res);
	else if (op == OP_READ)
		read_completed(l, s, cqe->res);
	else
		s->base.flags |= STREAM_WRITABLE; // or broken: the next write will say so
}

static void loop_reap(struct uring_loop *l)
{
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;
	io_uring_for_each_cqe(&l->ring, head, cqe)
	{
		completion_take(l, cqe);
		n++;
	}
	io_uring_cq_advance(&l->ring, n);
}

// ---- Loop

// Newest kernel first; each row does without what the row before it wants.
static int ring_open(struct io_uring *ring)
{
	static const unsigned flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, // before Linux 6.1
		0,                                                     // before 5.19
	};
	int rc = -EINVAL;
	for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]) && rc == -EINVAL; i++) {
		struct io_uring_params p = {
			.flags = flags[i] | IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE,
			.cq_entries = CQ_ENTRIES,
		};
		rc = io_uring_queue_init_params(SQ_ENTRIES, ring, &p);
	}
	// The feature that came with multishot poll.
	if (!rc && !(ring->features & IORING_FEAT_RSRC_TAGS)) {
		io_uring_queue_exit(ring);
		rc = -EOPNOTSUPP;
	}
	return rc == -EINVAL ? -EOPNOTSUPP : rc;
}

static int uring_loop_new(struct stream_loop **out)
{
	struct uring_loop *l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->base.ops = &stream_uring;
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int rc = l->wake_fd < 0 ? -errno : ring_open(&l->ring);
	if (!rc) {
		*out = &l->base;
		return 0;
	}
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	free(l);
	return rc;
}

static void uring_loop_free(struct stream_loop *base)
{
	struct uring_loop *l = (struct uring_loop *)base;
	io_uring_queue_exit(&l->ring);
	while (l->streams)
		stream_free(l->streams);
	close(l->wake_fd);
	free(l);
}

// The thread that comes here is the one that the ring will serve. (liburing 2.3 declares a call for
// it that its shared library lacks.)
static int loop_start(struct uring_loop *l)
{
	if (l->running)
		return 0;
	if (syscall(__NR_io_uring_register, l->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0))
		return -errno;
	l->running = true;
	return poll_arm(l, NULL, OP_WAKE);
}

// One look at the kernel, without a system call when it has nothing to say and neither have we.
static int loop_look(struct uring_loop *l)
{
	unsigned flags = IO_URING_READ_ONCE(*l->ring.sq.kflags);
	if (!io_uring_sq_ready(&l->ring) && !(flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)))
		return 0;
	return io_uring_submit_and_get_events(&l->ring);
}

static int loop_sleep(struct uring_loop *l, int64_t timeout_ns)
{
	struct __kernel_timespec t = {timeout_ns / 1000000000, timeout_ns % 1000000000};
	struct io_uring_cqe *cqe;
	return io_uring_submit_and_wait_timeout(&l->ring, &cqe, 1, timeout_ns < 0 ? NULL : &t,
						NULL);
}

static int uring_wait(struct stream_loop *base, int64_t timeout_ns)
{
	struct uring_loop *l = (struct uring_loop *)base;
	int rc = loop_start(l);
	if (!rc)
		rc = timeout_ns && !l->n_news ? loop_sleep(l, timeout_ns) : loop_look(l);
	loop_reap(l);
	int n = l->n_news;
	l->n_news = 0;
	bool passes = rc == -ETIME || rc == -EINTR || rc == -EAGAIN || rc == -EBUSY;
	return rc < 0 && !passes ? rc : n;
}

static void uring_wake(struct stream_loop *base)
{
	uint64_t one = 1;
	ssize_t n = write(((struct uring_loop *)base)->wake_fd, &one, sizeof(one));
	(void)!n; // nobody reads it: the poll tells of every write
}

static int uring_wake_fd(struct stream_loop *base)
{
	return ((struct uring_loop *)base)->wake_fd;
}

// ---- Streams

static int uring_connect(struct stream_loop *base, const struct stream_peer *peer,
			 struct stream **out)
{
	struct uring_loop *l = (struct uring_loop *)base;
	struct uring_stream *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->base.loop = base;
	s->want_read = true;
	s->fd = -1;
	int rc = loop_start(l);
	if (!rc)
		rc = socket_connect(peer, &s->fd);
	if (!rc)
		rc = poll_arm(l, s, OP_CONNECT);
	if (rc) {
		if (s->fd >= 0)
			close(s->fd);
		free(s);
		return rc;
	}
	s->next = l->streams;
	s->at = &l->streams;
	if (s->next)
		s->next->at = &s->next;
	l->streams = s;
	*out = &s->base;
	return 0;
}

static ssize_t uring_read(struct stream *base, void *buf, size_t len)
{
	struct uring_stream *s = (struct uring_stream *)base;
	return socket_read(base, s->fd, s->ended, buf, len);
}

static ssize_t uring_writev(struct stream *base, const struct iovec *iov, int n)
{
	struct uring_stream *s = (struct uring_stream *)base;
	if (!(base->flags & STREAM_WRITABLE))
		return -EAGAIN;
	ssize_t sent = socket_writev(s->fd, iov, n);
	if (sent != -EAGAIN)
		return sent;
	if (poll_arm((struct uring_loop *)base->loop, s, OP_WRITE))
		return -EBUSY;
	base->flags &= ~(unsigned)STREAM_WRITABLE;
	return -EAGAIN;
}

// Off, the bytes stay in the socket and the peer runs into its window.
static void uring_want_read(struct stream *base, bool on)
{
	struct uring_stream *s = (struct uring_stream *)base;
	if (on && !s->want_read && (base->flags & STREAM_OPEN)) {
		base->flags |= STREAM_READABLE; // what the poll said meanwhile was not kept
		((struct uring_loop *)base->loop)->n_news++;
	}
	s->want_read = on;
}

// The peer learns of it at once; until its operations are called back the kernel holds the socket
// itself. From another thread than the ring's, when the loop is over, the calls fail and the end of
// the ring does it.
static void uring_close(struct stream *base)
{
	struct uring_stream *s = (struct uring_stream *)base;
	struct uring_loop *l = (struct uring_loop *)base->loop;
	shutdown(s->fd, SHUT_RDWR);
	if (s->pending) {
		for (enum op op = OP_CONNECT; op <= OP_WRITE; op++)
			poll_cancel(l, s, op);
		// Now: a descriptor in the queue must not mean the next socket of that number.
		io_uring_submit(&l->ring);
	}
	close(s->fd);
	s->fd = -1;
	if (!s->pending)
		stream_free(s);
}

const struct stream_ops stream_uring = {
	.name = "io_uring",
	.loop_new = uring_loop_new,
	.loop_free = uring_loop_free,
	.wait = uring_wait,
	.wake = uring_wake,
	.wake_fd = uring_wake_fd,
	.connect = uring_connect,
	.read = uring_read,
	.writev = uring_writev,
	.want_read = uring_want_read,
	.close = uring_close,
};
