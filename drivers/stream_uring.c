// SPDX-License-Identifier: BSD-3-Clause
// Streams over kernel sockets and io_uring, from Linux 6.0 on.
//
//   wait()   -> io_uring_enter() -> loop_reap() -> flags of the streams
//   read()   -> inbox: one multishot receive a stream fills it while we do other things
//   writev() -> sendmsg(); only when it is stuck, a poll tells when to go on
//
// The ring is made for one thread, and it is the one that first connects or waits: loops are opened
// before their threads run. wake() needs no ring, only an eventfd that the ring polls.
//
// A stream that is closed lives on until the last completion of its operations has come, so that
// user_data can be its address; then it waits, buffers and all, for the next connect().
#include "drivers/inbox_uring.h"
#include "drivers/socket.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <liburing.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SQ_ENTRIES  64
#define CQ_ENTRIES  1024
#define STREAMS_MAX 4096 // at most 65536: a group of buffers is named by 16 bits

// What an operation is for: the low bits of its user_data, beside the address of its stream.
enum op { OP_WAKE, OP_CONNECT, OP_WRITE, OP_RECV, OP_CANCEL };
#define OP_MASK 7ull

struct uring_stream {
	struct stream base;
	struct uring_stream *next_idle, *next_known;
	int fd;             // -1: closed
	unsigned n_pending; // operations that will still complete
	bool want_read;
	bool receiving;     // the multishot receive is under way
	bool ended;         // no more bytes will come; recv_error says why, 0: the peer's end
	int recv_error;
	struct inbox inbox;
};

struct uring_loop {
	struct stream_loop base;
	struct io_uring ring;
	bool running;  // the thread is known
	int wake_fd;
	int n_news;    // told by the next wait()
	struct uring_stream *known; // all
	struct uring_stream *idle;  // closed, nothing pending
	unsigned n_known, n_closing;
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
	sqe = io_uring_get_sqe(&l->ring);
	assert(sqe); // submitting takes all of them
	return sqe;
}

static void op_add(struct io_uring_sqe *sqe, struct uring_stream *s, enum op op)
{
	io_uring_sqe_set_data64(sqe, tag_encode(s, op));
	if (s)
		s->n_pending++;
}

static void wake_arm(struct uring_loop *l)
{
	struct io_uring_sqe *sqe = sqe_get(l);
	io_uring_prep_poll_multishot(sqe, l->wake_fd, POLLIN);
	op_add(sqe, NULL, OP_WAKE);
}

static void poll_arm(struct uring_stream *s, enum op op)
{
	struct io_uring_sqe *sqe = sqe_get((struct uring_loop *)s->base.loop);
	io_uring_prep_poll_add(sqe, s->fd, POLLOUT);
	op_add(sqe, s, op);
}

static void recv_arm(struct uring_stream *s)
{
	if (s->receiving || s->ended || !s->want_read || s->fd < 0 || inbox_is_full(&s->inbox) ||
	    !(s->base.flags & STREAM_OPEN))
		return;
	struct io_uring_sqe *sqe = sqe_get((struct uring_loop *)s->base.loop);
	io_uring_prep_recv_multishot(sqe, s->fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = s->inbox.group;
	op_add(sqe, s, OP_RECV);
	s->receiving = true;
}

// ---- Completions

static void connect_completed(struct uring_stream *s, int events)
{
	s->base.error = socket_error(s->fd);
	if (!s->base.error && events < 0)
		s->base.error = -events;
	if (!s->base.error && !(events & POLLOUT))
		s->base.error = ECONNREFUSED;
	if (!s->base.error) {
		// io_uring waits by itself, but not on a socket that is said not to block.
		fcntl(s->fd, F_SETFL, fcntl(s->fd, F_GETFL) & ~O_NONBLOCK);
		s->base.flags |= STREAM_OPEN | STREAM_WRITABLE;
		recv_arm(s);
	} else {
		s->base.flags |= STREAM_FAILED | STREAM_READABLE;
		s->ended = true;
		s->recv_error = s->base.error;
	}
}

static void recv_completed(struct uring_stream *s, int res, uint32_t flags)
{
	uint16_t buffer = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);
	if (res > 0)
		inbox_filled(&s->inbox, buffer, (size_t)res);
	else if (flags & IORING_CQE_F_BUFFER)
		inbox_return(&s->inbox, buffer);
	s->receiving = flags & IORING_CQE_F_MORE;
	if (res <= 0 && res != -ENOBUFS && res != -ECANCELED && res != -EINTR) {
		s->ended = true;
		s->recv_error = -res;
	}
	if (s->want_read && (s->inbox.n_filled || s->ended))
		s->base.flags |= STREAM_READABLE;
	recv_arm(s);
}

// The last completion of a closed stream has come.
static void stream_retire(struct uring_loop *l, struct uring_stream *s)
{
	inbox_clear(&s->inbox);
	s->next_idle = l->idle;
	l->idle = s;
	l->n_closing--;
}

static void completion_take(struct uring_loop *l, const struct io_uring_cqe *cqe)
{
	struct uring_stream *s;
	enum op op = tag_decode(cqe->user_data, &s);
	bool more = cqe->flags & IORING_CQE_F_MORE;
	l->n_news++;
	if (op == OP_WAKE) {
		if (!more)
			wake_arm(l);
		return;
	}
	s->n_pending -= !more;
	if (op == OP_RECV)
		recv_completed(s, cqe->res, cqe->flags);
	else if (op == OP_CONNECT && s->fd >= 0)
		connect_completed(s, cqe->res);
	else if (op == OP_WRITE)
		s->base.flags |= STREAM_WRITABLE; // or broken: the next write will say so
	if (s->fd < 0 && !s->n_pending)
		stream_retire(l, s);
}

static void loop_reap(struct uring_loop *l)
{
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;
	io_uring_for_each_cqe(&l->ring, head, cqe) {
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
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, // 6.1
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN,  // 6.0, as multishot receive is
	};
	int rc = -EINVAL;
	for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]) && rc == -EINVAL; i++) {
		struct io_uring_params p = {
			.flags = flags[i] | IORING_SETUP_R_DISABLED | IORING_SETUP_TASKRUN_FLAG |
				 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
			.cq_entries = CQ_ENTRIES,
		};
		rc = io_uring_queue_init_params(SQ_ENTRIES, ring, &p);
	}
	return rc == -EINVAL ? -EOPNOTSUPP : rc;
}

// @return a stream that nothing else uses, or NULL with *rc set
static struct uring_stream *stream_take(struct uring_loop *l, int *rc)
{
	struct uring_stream *s = l->idle;
	*rc = 0;
	if (s) {
		l->idle = s->next_idle;
		return s;
	}
	*rc = l->n_known < STREAMS_MAX ? 0 : -EMFILE;
	s = *rc ? NULL : calloc(1, sizeof(*s));
	if (!s) {
		*rc = *rc ? *rc : -ENOMEM;
		return NULL;
	}
	*rc = inbox_init(&s->inbox, &l->ring, (uint16_t)l->n_known);
	if (*rc) {
		free(s);
		return NULL;
	}
	s->next_known = l->known;
	l->known = s;
	l->n_known++;
	return s;
}

static void uring_loop_free(struct stream_loop *base)
{
	struct uring_loop *l = (struct uring_loop *)base;
	io_uring_queue_exit(&l->ring);
	while (l->known) {
		struct uring_stream *s = l->known;
		l->known = s->next_known;
		inbox_fini(&s->inbox);
		free(s);
	}
	close(l->wake_fd);
	free(l);
}

static int uring_loop_new(struct stream_loop **out)
{
	struct uring_loop *l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->base.ops = &stream_uring;
	int rc = ring_open(&l->ring);
	if (rc) {
		free(l);
		return rc;
	}
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake_fd < 0)
		rc = -errno;
	else
		l->idle = stream_take(l, &rc); // the first one proves that buffers can be had
	if (rc) {
		uring_loop_free(&l->base);
		return rc;
	}
	*out = &l->base;
	return 0;
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
	wake_arm(l);
	return 0;
}

// One look at the kernel, without a system call when it has nothing to say and neither have we.
static int loop_look(struct uring_loop *l)
{
	unsigned flags = IO_URING_READ_ONCE(*l->ring.sq.kflags);
	int rc = 0;
	if (io_uring_sq_ready(&l->ring) || (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)))
		rc = io_uring_submit_and_get_events(&l->ring);
	loop_reap(l);
	return rc < 0 ? rc : 0;
}

static int uring_wait(struct stream_loop *base, int64_t timeout_ns)
{
	struct uring_loop *l = (struct uring_loop *)base;
	struct __kernel_timespec t = {timeout_ns / 1000000000, timeout_ns % 1000000000};
	struct io_uring_cqe *cqe;
	int rc = loop_start(l);
	if (rc)
		return rc;
	if (!timeout_ns || l->n_news) {
		rc = loop_look(l);
	} else {
		rc = io_uring_submit_and_wait_timeout(&l->ring, &cqe, 1, timeout_ns < 0 ? NULL : &t, NULL);
		loop_reap(l);
	}
	if (rc < 0 && rc != -ETIME && rc != -EINTR && rc != -EAGAIN && rc != -EBUSY)
		return rc;
	int n = l->n_news;
	l->n_news = 0;
	return n;
}

static void uring_wake(struct stream_loop *base)
{
	uint64_t one = 1;
	ssize_t n = write(((struct uring_loop *)base)->wake_fd, &one, sizeof(one));
	(void)!n; // nobody reads it: the ring tells of every write
}

// ---- Streams

static int uring_connect(struct stream_loop *base, const struct stream_peer *peer,
			 struct stream **out)
{
	struct uring_loop *l = (struct uring_loop *)base;
	int fd, rc = loop_start(l);
	if (!rc && !l->idle && l->n_closing)
		rc = loop_look(l); // perhaps one has become free
	if (!rc)
		rc = socket_connect(peer, &fd);
	if (rc)
		return rc;
	struct uring_stream *s = stream_take(l, &rc);
	if (!s) {
		close(fd);
		return rc;
	}
	s->base = (struct stream){.loop = base};
	s->fd = fd;
	s->want_read = true;
	s->receiving = s->ended = false;
	s->recv_error = 0;
	poll_arm(s, OP_CONNECT);
	*out = &s->base;
	return 0;
}

static ssize_t uring_read(struct stream *base, void *buf, size_t len)
{
	struct uring_stream *s = (struct uring_stream *)base;
	size_t n = inbox_read(&s->inbox, buf, len);
	if (!s->inbox.n_filled && !s->ended)
		base->flags &= ~(unsigned)STREAM_READABLE;
	recv_arm(s);
	if (n)
		return (ssize_t)n;
	return s->ended ? -s->recv_error : -EAGAIN;
}

static ssize_t uring_writev(struct stream *base, const struct iovec *iov, int n)
{
	struct uring_stream *s = (struct uring_stream *)base;
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n};
	if (!(base->flags & STREAM_WRITABLE))
		return -EAGAIN;
	ssize_t sent = sendmsg(s->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent >= 0)
		return sent;
	if (errno != EAGAIN)
		return errno == EINTR ? -EAGAIN : -errno;
	base->flags &= ~(unsigned)STREAM_WRITABLE;
	poll_arm(s, OP_WRITE);
	return -EAGAIN;
}

// Off, the inbox fills up and the receive ends by itself.
static void uring_want_read(struct stream *base, bool on)
{
	struct uring_stream *s = (struct uring_stream *)base;
	s->want_read = on;
	if (!on)
		return;
	recv_arm(s);
	if (s->inbox.n_filled || s->ended) {
		base->flags |= STREAM_READABLE;
		((struct uring_loop *)base->loop)->n_news++;
	}
}

// The peer learns of it at once; the operations under way are called back, and until they are the
// kernel holds the socket itself. From another thread than the ring's (the loop is over by then)
// that call fails and the end of the ring does it.
static void uring_close(struct stream *base)
{
	struct uring_stream *s = (struct uring_stream *)base;
	struct uring_loop *l = (struct uring_loop *)base->loop;
	shutdown(s->fd, SHUT_RDWR);
	l->n_closing++;
	if (s->n_pending) {
		struct io_uring_sqe *sqe = sqe_get(l);
		io_uring_prep_cancel_fd(sqe, s->fd, IORING_ASYNC_CANCEL_ALL);
		op_add(sqe, s, OP_CANCEL);
		io_uring_submit(&l->ring);
	}
	close(s->fd);
	s->fd = -1;
	if (!s->n_pending)
		stream_retire(l, s);
}

const struct stream_ops stream_uring = {
	.name = "io_uring",
	.loop_new = uring_loop_new,
	.loop_free = uring_loop_free,
	.wait = uring_wait,
	.wake = uring_wake,
	.connect = uring_connect,
	.read = uring_read,
	.writev = uring_writev,
	.want_read = uring_want_read,
	.close = uring_close,
};
