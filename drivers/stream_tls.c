// SPDX-License-Identifier: BSD-3-Clause
// wait() -> inner wait() -> stream_look() -> stream_opens(), stream_goes_on()
//
//   connect -> UNDER (the inner stream opens) -> HANDSHAKE -> OPEN
//                        |                          |
//                        +---------- FAILED --------+   `reason` says why
//
// A read takes records from the inner stream only as long as it has some, so who does not read
// holds the peer back as without TLS. A write that the inner stream does not take at once is held
// by the session, and the stream is not writable before that has gone.
#include "drivers/stream_tls.h"

#include <errno.h>
#include <stdlib.h>

#define WAITS_FOR_TLS                                                                              \
	"it has not answered in TLS; if it serves plain text on this port, take redis://"

enum stage { STAGE_UNDER, STAGE_HANDSHAKE, STAGE_OPEN, STAGE_FAILED };

struct tls_stream {
	struct stream base;
	struct tls_stream *next, **at; // list of all streams of the loop
	struct stream *inner;          // NULL: it could not be begun
	struct tls *tls;
	enum stage stage;
	char why[TLS_TEXT_LEN]; // of settings that are wrong
};

struct tls_loop {
	struct stream_loop base;
	struct stream_loop *inner;
	struct tls_stream *streams;
	unsigned n_news; // that no wait of the inner loop tells
};

static struct tls_loop *loop_of(const struct stream *s)
{
	return (struct tls_loop *)s->loop;
}

// ---- Loop

static int tls_loop_new(struct stream_loop **out)
{
	return -EOPNOTSUPP;
}

int stream_tls_new(struct stream_loop *inner, struct stream_loop **out)
{
	struct tls_loop *l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->base.ops = &stream_tls;
	l->inner = inner;
	*out = &l->base;
	return 0;
}

static void tls_loop_free(struct stream_loop *base)
{
	struct tls_loop *l = (struct tls_loop *)base;
	l->inner->ops->loop_free(l->inner);
	free(l);
}

static void tls_wake(struct stream_loop *base)
{
	stream_loop_wake(((struct tls_loop *)base)->inner);
}

static int tls_wake_fd(struct stream_loop *base)
{
	return stream_loop_wake_fd(((struct tls_loop *)base)->inner);
}

// ---- The inner stream as the session's wire

static ssize_t inner_read(void *arg, void *buf, size_t len)
{
	struct stream *inner = ((struct tls_stream *)arg)->inner;
	return inner->flags & STREAM_READABLE ? stream_read(inner, buf, len) : -EAGAIN;
}

static ssize_t inner_write(void *arg, const void *p, size_t len)
{
	struct stream *inner = ((struct tls_stream *)arg)->inner;
	struct iovec iov = {(void *)p, len};
	ssize_t n = inner->flags & STREAM_WRITABLE ? stream_writev(inner, &iov, 1) : -EAGAIN;
	if (n < 0 && n != -EAGAIN)
		inner->flags |= STREAM_READABLE; // what the peer said before it closed
	return n;
}

static const struct tls_wire inner_wire = {inner_read, inner_write};

// ---- What became of it

static void stream_fail(struct tls_stream *s, int error, const char *reason)
{
	s->stage = STAGE_FAILED;
	s->base.error = error;
	s->base.reason = reason;
	s->base.flags |= STREAM_FAILED;
}

static void stream_opens(struct tls_stream *s)
{
	if (s->inner->flags & STREAM_FAILED) {
		stream_fail(s, s->inner->error, s->inner->reason);
		return;
	}
	if (!(s->inner->flags & STREAM_OPEN))
		return;
	s->stage = STAGE_HANDSHAKE;
	s->base.reason = WAITS_FOR_TLS;
	int rc = tls_handshake(s->tls);
	if (rc == -EAGAIN)
		return;
	if (rc) {
		stream_fail(s, -rc, tls_reason(s->tls));
		return;
	}
	s->stage = STAGE_OPEN;
	s->base.reason = NULL;
	// The server's first bytes may have come with its last word of the handshake.
	s->base.flags |= STREAM_OPEN | STREAM_READABLE;
	if (!tls_is_stuck(s->tls)) // with our own last word
		s->base.flags |= STREAM_WRITABLE;
}

// An error of what was held back is told by the next call of the owner.
static void stream_goes_on(struct tls_stream *s)
{
	if (s->inner->flags & STREAM_READABLE)
		s->base.flags |= STREAM_READABLE;
	if (!(s->base.flags & STREAM_WRITABLE) && (s->inner->flags & STREAM_WRITABLE) &&
	    tls_flush(s->tls) != -EAGAIN)
		s->base.flags |= STREAM_READABLE | STREAM_WRITABLE;
}

static void stream_look(struct tls_stream *s)
{
	if (s->stage == STAGE_OPEN)
		stream_goes_on(s);
	else if (s->stage != STAGE_FAILED)
		stream_opens(s);
}

static int tls_wait(struct stream_loop *base, int64_t timeout_ns)
{
	struct tls_loop *l = (struct tls_loop *)base;
	int n = stream_loop_wait(l->inner, l->n_news ? 0 : timeout_ns);
	if (n < 0)
		return n;
	for (struct tls_stream *s = l->streams; s; s = s->next)
		stream_look(s);
	n += (int)l->n_news;
	l->n_news = 0;
	return n;
}

// ---- Streams

static void stream_free(struct tls_stream *s)
{
	tls_free(s->tls);
	free(s);
}

// @return 0, also for settings that are wrong: the stream says so as FAILED
static int stream_begin(struct tls_loop *l, const struct stream_peer *peer, struct tls_stream *s)
{
	s->tls = tls_new(&peer->tls_settings, &inner_wire, s, s->why);
	if (!s->tls) {
		stream_fail(s, EINVAL, s->why);
		return 0;
	}
	return stream_connect(l->inner, peer, &s->inner);
}

static int tls_connect(struct stream_loop *base, const struct stream_peer *peer,
		       struct stream **out)
{
	struct tls_loop *l = (struct tls_loop *)base;
	if (!peer->tls)
		return stream_connect(l->inner, peer, out);
	struct tls_stream *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->base.loop = base;
	int rc = stream_begin(l, peer, s);
	if (rc) {
		stream_free(s);
		return rc;
	}
	s->next = l->streams;
	s->at = &l->streams;
	if (s->next)
		s->next->at = &s->next;
	l->streams = s;
	l->n_news++; // what has failed, or is open already, is told by the next wait
	*out = &s->base;
	return 0;
}

static ssize_t tls_stream_read(struct stream *base, void *buf, size_t len)
{
	struct tls_stream *s = (struct tls_stream *)base;
	if (s->stage != STAGE_OPEN)
		return -ENOTCONN;
	ssize_t n = tls_read(s->tls, buf, len);
	if (n == -EAGAIN)
		base->flags &= ~(unsigned)STREAM_READABLE;
	if (tls_is_stuck(s->tls)) // with an answer of TLS itself: new keys
		base->flags &= ~(unsigned)STREAM_WRITABLE;
	base->reason = tls_reason(s->tls);
	return n;
}

static ssize_t tls_stream_writev(struct stream *base, const struct iovec *iov, int n)
{
	struct tls_stream *s = (struct tls_stream *)base;
	if (s->stage != STAGE_OPEN)
		return -ENOTCONN;
	ssize_t taken = tls_writev(s->tls, iov, n);
	if (tls_is_stuck(s->tls))
		base->flags &= ~(unsigned)STREAM_WRITABLE;
	base->reason = tls_reason(s->tls);
	return taken;
}

static void tls_want_read(struct stream *base, bool on)
{
	struct tls_stream *s = (struct tls_stream *)base;
	if (!s->inner)
		return;
	stream_want_read(s->inner, on);
	if (on && s->stage == STAGE_OPEN) {
		base->flags |= STREAM_READABLE; // records may lie in the session
		loop_of(base)->n_news++;
	}
}

static void tls_stream_close(struct stream *base)
{
	struct tls_stream *s = (struct tls_stream *)base;
	*s->at = s->next;
	if (s->next)
		s->next->at = s->at;
	if (s->stage == STAGE_OPEN)
		tls_end(s->tls);
	if (s->inner)
		stream_close(s->inner);
	stream_free(s);
}

const struct stream_ops stream_tls = {
	.name = "tls",
	.loop_new = tls_loop_new,
	.loop_free = tls_loop_free,
	.wait = tls_wait,
	.wake = tls_wake,
	.wake_fd = tls_wake_fd,
	.connect = tls_connect,
	.read = tls_stream_read,
	.writev = tls_stream_writev,
	.want_read = tls_want_read,
	.close = tls_stream_close,
};
