// SPDX-License-Identifier: BSD-3-Clause
// The kernel sizes both buffers by itself: how far is net.ipv4.tcp_[rw]mem's to say.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/clock.h"
#include "tests/bench/tcp_bulk.h"

#define CHUNK (256 * 1024)

struct bulk {
	bool is_sender;
	int listener, fd;
	struct sockaddr_in peer;
	uint64_t passed;
	char bytes[CHUNK];
};

// @return events; 0: the time is over
static int wait_for(int fd, short events, uint64_t until_ns)
{
	for (;;) {
		uint64_t now_ns = clock_kernel.read().mono_ns;
		struct pollfd p = {fd, events, 0};

		if (now_ns >= until_ns)
			return 0;
		const struct timespec left = {(time_t)((until_ns - now_ns) / 1000000000),
					      (long)((until_ns - now_ns) % 1000000000)};
		if (ppoll(&p, 1, &left, NULL) > 0)
			return p.revents;
	}
}

static void kernel_close(struct bulk *b)
{
	const struct linger none = {.l_onoff = 1};

	if (b->fd >= 0) {
		setsockopt(b->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
		close(b->fd);
	}
	if (b->listener >= 0)
		close(b->listener);
	free(b);
}

// @return 0, or -errno
static int sockets_make(struct bulk *b, const struct bulk_options *o)
{
	const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(o->port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*(b->is_sender ? &b->fd : &b->listener) = fd;
	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, o->congestion,
				 (socklen_t)strlen(o->congestion)))
		return -errno;
	if (b->is_sender)
		return 0;
	return bind(fd, (const struct sockaddr *)&any, sizeof(any)) || listen(fd, 1) ? -errno : 0;
}

static struct bulk *kernel_prepare(const struct bulk_options *o)
{
	struct bulk *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return NULL;
	b->is_sender = o->peer;
	b->fd = b->listener = -1;
	b->peer.sin_family = AF_INET;
	b->peer.sin_port = htons(o->port);
	if (o->peer && inet_pton(AF_INET, o->peer, &b->peer.sin_addr) != 1)
		rc = -EINVAL;
	else
		rc = sockets_make(b, o);
	if (!rc)
		return b;
	fprintf(stderr, "tcp_bulk: a socket with %s: %s\n", o->congestion, strerror(-rc));
	kernel_close(b);
	return NULL;
}

static int kernel_join(struct bulk *b, uint64_t until_ns)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (!b->is_sender) {
		if (!wait_for(b->listener, POLLIN, until_ns))
			return -ETIMEDOUT;
		b->fd = accept4(b->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		return b->fd < 0 ? -errno : 0;
	}
	if (connect(b->fd, (struct sockaddr *)&b->peer, sizeof(b->peer)) && errno != EINPROGRESS)
		return -errno;
	if (!wait_for(b->fd, POLLOUT, until_ns))
		return -ETIMEDOUT;
	getsockopt(b->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	return -error;
}

static int kernel_pass(struct bulk *b, uint64_t until_ns)
{
	while (wait_for(b->fd, b->is_sender ? POLLOUT : POLLIN, until_ns)) {
		ssize_t n = b->is_sender ? send(b->fd, b->bytes, CHUNK, MSG_NOSIGNAL)
					 : recv(b->fd, b->bytes, CHUNK, 0);

		if (n == 0)
			return -EPIPE;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		b->passed += n > 0 ? (uint64_t)n : 0;
	}
	return 0;
}

static void kernel_read(const struct bulk *b, struct bulk_reading *out)
{
	struct tcp_info i = {0};
	socklen_t len = sizeof(i);

	getsockopt(b->fd, IPPROTO_TCP, TCP_INFO, &i, &len);
	*out = (struct bulk_reading){
		.bytes = b->is_sender ? i.tcpi_bytes_acked : b->passed,
		.segments_out = i.tcpi_segs_out,
		.segments_resent = i.tcpi_total_retrans,
		.srtt_ns = i.tcpi_rtt * 1000ull,
		.min_rtt_ns = i.tcpi_min_rtt * 1000ull,
		.cwnd = i.tcpi_snd_cwnd,
	};
}

const struct bulk_ops bulk_kernel = {
	.prepare = kernel_prepare,
	.join = kernel_join,
	.pass = kernel_pass,
	.read = kernel_read,
	.close = kernel_close,
};
