// SPDX-License-Identifier: BSD-3-Clause
// The application's side.
#include <errno.h>

#include "dataplane/tcp/tcp_priv.h"

size_t tcp_readable(const struct tcp *t)
{
	return receive_readable(&t->receive);
}

ssize_t tcp_read(struct tcp *t, void *buf, size_t len, uint64_t now_ns)
{
	size_t n = receive_read(&t->receive, buf, len);

	if (n) {
		window_drained(t, now_ns);
		return (ssize_t)n;
	}
	if (receive_readable(&t->receive)) // len was 0
		return 0;
	if (receive_ended(&t->receive))
		return 0;
	if (t->error)
		return -t->error;
	return t->state == TCP_CLOSED ? -ENOTCONN : -EAGAIN;
}

// @return why nothing can be written, 0: it can
static int write_refusal(const struct tcp *t)
{
	if (t->error)
		return -t->error;
	if (t->is_shut)
		return -EPIPE;
	if (t->state == TCP_CLOSED)
		return -ENOTCONN;
	return tcp_is_opening(t) ? -EAGAIN : 0;
}

static uint64_t send_room(const struct tcp *t)
{
	uint64_t used = t->snd.end - t->snd.una;

	return t->snd.limit > used ? t->snd.limit - used : 0;
}

ssize_t tcp_write(struct tcp *t, const struct iovec *iov, int n, uint64_t now_ns)
{
	uint64_t room = send_room(t), done = 0, asked = 0;
	int rc = write_refusal(t);

	if (rc)
		return rc;
	for (int i = 0; i < n && rc == 0; i++) {
		uint64_t len = min_u64(iov[i].iov_len, room - done);

		asked += iov[i].iov_len;
		rc = buffer_put(&t->send, t->snd.end, iov[i].iov_base, len);
		if (rc)
			break;
		t->snd.end += len;
		done += len;
	}
	if (done < asked)
		t->snd.is_full = true;
	if (done == 0 && asked)
		return rc ? rc : -EAGAIN;
	return (ssize_t)done;
}
