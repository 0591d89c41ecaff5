// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/topology/asker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MS_NS 1000000ull

static void close_for(struct asker *a, const char *why)
{
	snprintf(a->why, sizeof(a->why), "%s", why);
	asker_close(a);
}

int asker_open(struct asker *a, struct core *core, const struct stream_peer *peer, uint64_t now_ns,
	       uint64_t patience_ns)
{
	asker_close(a);
	a->core = core;
	a->patience_ns = patience_ns;
	a->deadline_ns = now_ns + patience_ns;
	a->replies = resp_replies_new();
	int rc = a->replies ? stream_connect(core->loop, peer, &a->stream) : -ENOMEM;
	if (rc) {
		a->stream = NULL;
		close_for(a, rc == -EHOSTUNREACH ? "the name does not resolve" : strerror(-rc));
	}
	return rc;
}

void asker_close(struct asker *a)
{
	if (a->stream)
		stream_close(a->stream);
	resp_replies_free(a->replies);
	a->stream = NULL;
	a->replies = NULL;
	explicit_bzero(a->out, a->n_out);
	a->n_out = a->n_due = 0;
}

void asker_put(struct asker *a, const char *resp, size_t len, uint64_t now_ns)
{
	if (!a->stream)
		return;
	if (len >= sizeof(a->out) - a->n_out) {
		close_for(a, "it takes no more questions");
		return;
	}
	memcpy(a->out + a->n_out, resp, len);
	a->n_out += len;
	if (!a->n_due++ && (a->stream->flags & STREAM_OPEN))
		a->deadline_ns = now_ns + a->patience_ns;
}

void asker_login(struct asker *a, const char *user, const char *password, uint64_t now_ns)
{
	char out[URL_USER_LEN + URL_PASSWORD_LEN + 64];
	size_t n = user[0] ? RESP_WRITE(out, sizeof(out), "AUTH", user, password)
			   : RESP_WRITE(out, sizeof(out), "AUTH", password);
	asker_put(a, out, n, now_ns);
	explicit_bzero(out, sizeof(out));
}

// Questions are short and few: what the connection does not take waits in front of the rest.
static int questions_send(struct asker *a)
{
	while (a->n_out && (a->stream->flags & STREAM_WRITABLE)) {
		struct iovec iov = {a->out, a->n_out};
		ssize_t n = stream_writev(a->stream, &iov, 1);
		if (n == -EAGAIN)
			break;
		if (n < 0)
			return (int)n;
		memmove(a->out, a->out + n, a->n_out - (size_t)n);
		explicit_bzero(a->out + a->n_out - n, (size_t)n);
		a->n_out -= (size_t)n;
	}
	return 0;
}

// @return 1 bytes were read, 0 there are none, -errno, or -ESHUTDOWN at the end
static int bytes_read(struct asker *a)
{
	char in[RESP_SLICE];
	if (!(a->stream->flags & STREAM_READABLE))
		return 0;
	ssize_t n = stream_read(a->stream, in, sizeof(in));
	if (n == -EAGAIN)
		return 0;
	if (n <= 0)
		return n ? (int)n : -ESHUTDOWN;
	return resp_replies_feed(a->replies, in, (size_t)n) ? -ENOMEM : 1;
}

static enum resp_verdict lost(struct asker *a, int rc)
{
	char why[TEXT_LEN]; // what the stream says goes with it
	snprintf(why, sizeof(why), "%s",
		 rc == -ESHUTDOWN && !a->stream->reason ? "the connection was closed"
							: stream_why(a->stream, -rc));
	close_for(a, why);
	return RESP_BAD;
}

static enum resp_verdict silent(struct asker *a)
{
	snprintf(a->why, sizeof(a->why), "no answer within %u ms",
		 (unsigned)(a->patience_ns / MS_NS));
	asker_close(a);
	return RESP_BAD;
}

enum resp_verdict asker_next(struct asker *a, const struct clock_reading *now,
			     const struct resp_value **v, unsigned *n)
{
	if (!a->stream)
		return RESP_MORE;
	if (a->stream->flags & STREAM_FAILED)
		return lost(a, -a->stream->error);
	if (!(a->stream->flags & STREAM_OPEN))
		return now->mono_ns < a->deadline_ns ? RESP_MORE : silent(a);
	int rc = questions_send(a);
	for (; rc >= 0; rc = bytes_read(a)) {
		enum resp_verdict verdict = resp_replies_next(a->replies, v, n);
		if (verdict == RESP_BAD) {
			close_for(a, "what answers there is no Redis server");
			return RESP_BAD;
		}
		if (verdict == RESP_OK) {
			a->n_due -= a->n_due > 0;
			a->deadline_ns = now->mono_ns + a->patience_ns;
			return RESP_OK;
		}
		if (!(a->stream->flags & STREAM_READABLE))
			break;
	}
	if (rc < 0)
		return lost(a, rc);
	return a->n_due && now->mono_ns >= a->deadline_ns ? silent(a) : RESP_MORE;
}

void asker_deadline(const struct asker *a, uint64_t *deadline_ns)
{
	bool waits = a->stream && (a->n_due || !(a->stream->flags & STREAM_OPEN));
	if (waits && a->deadline_ns < *deadline_ns)
		*deadline_ns = a->deadline_ns;
}
