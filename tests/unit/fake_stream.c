// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/fake_stream.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct clock_reading fake_now = {.mono_ns = 1000000000, .wall_ms = 1700000000000};

static struct clock_reading fake_read_clock(void)
{
	return fake_now;
}

const struct clock_ops fake_clock = {fake_read_clock};

static int fake_connect(struct stream_loop *base, const struct stream_peer *peer,
			struct stream **out)
{
	struct fake_loop *l = (struct fake_loop *)base;
	l->n_connects++;
	snprintf(l->host, sizeof(l->host), "%s", peer->host ? peer->host : "");
	l->port = peer->port;
	l->n_in = l->n_out = 0;
	l->lost = false;
	l->stream = (struct stream){.loop = base, .flags = STREAM_OPEN | STREAM_WRITABLE};
	if (l->refuse) {
		l->stream.flags = STREAM_FAILED;
		l->stream.error = ECONNREFUSED;
	}
	*out = &l->stream;
	return 0;
}

static ssize_t fake_read(struct stream *s, void *buf, size_t len)
{
	struct fake_loop *l = (struct fake_loop *)s->loop;
	size_t n = l->n_in < len ? l->n_in : len;
	if (!n && l->lost)
		return 0;
	memcpy(buf, l->in, n);
	memmove(l->in, l->in + n, l->n_in - n);
	l->n_in -= n;
	if (!l->n_in && !l->lost)
		s->flags &= ~(unsigned)STREAM_READABLE;
	return n ? (ssize_t)n : -EAGAIN;
}

static ssize_t fake_writev(struct stream *s, const struct iovec *iov, int n)
{
	struct fake_loop *l = (struct fake_loop *)s->loop;
	size_t room = l->write_max ? l->write_max : FAKE_STREAM_LEN, taken = 0;
	if (l->lost)
		return -EPIPE;
	if (l->stuck) {
		s->flags &= ~(unsigned)STREAM_WRITABLE;
		return -EAGAIN;
	}
	for (int i = 0; i < n && taken < room; i++) {
		size_t k = iov[i].iov_len < room - taken ? iov[i].iov_len : room - taken;
		assert(l->n_out + k <= FAKE_STREAM_LEN);
		memcpy(l->out + l->n_out, iov[i].iov_base, k);
		l->n_out += k;
		taken += k;
	}
	return (ssize_t)taken;
}

static void fake_close(struct stream *s)
{
	struct fake_loop *l = (struct fake_loop *)s->loop;
	l->n_closes++;
	l->n_in = l->n_out = 0;
}

static void fake_wake(struct stream_loop *base)
{
}

static const struct stream_ops fake_ops = {
	.name = "fake",
	.connect = fake_connect,
	.read = fake_read,
	.writev = fake_writev,
	.close = fake_close,
	.wake = fake_wake,
};

void fake_loop_init(struct fake_loop *l)
{
	memset(l, 0, sizeof(*l));
	l->base.ops = &fake_ops;
}

void fake_reply(struct fake_loop *l, const char *p, size_t len)
{
	assert(l->n_in + len <= FAKE_STREAM_LEN);
	memcpy(l->in + l->n_in, p, len);
	l->n_in += len;
	l->stream.flags |= STREAM_READABLE;
}

void fake_lose(struct fake_loop *l)
{
	l->lost = true;
	l->n_in = 0;
	l->stream.flags |= STREAM_READABLE;
}
