// SPDX-License-Identifier: BSD-3-Clause
#include "drivers/socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int congestion_set(int fd, enum stream_congestion what)
{
	const char *name = what == STREAM_BBR ? "bbr" : "cubic";
	if (what == STREAM_CONGESTION_HOST)
		return 0;
	return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) ? -errno
											  : 0;
}

int socket_congestion_try(enum stream_congestion what)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int rc = congestion_set(fd, what);
	close(fd);
	return rc;
}

static int socket_begin(int family, const struct sockaddr *addr, socklen_t len,
			enum stream_congestion congestion, int *fd)
{
	int s = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s < 0)
		return -errno;
	if (family != AF_UNIX) {
		int on = 1, idle_s = 15, interval_s = 5, probes = 4;
		setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
		setsockopt(s, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
		setsockopt(s, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
		setsockopt(s, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
		(void)congestion_set(s, congestion); // refused: the kernel's own choice serves
	}
	if (connect(s, addr, len) && errno != EINPROGRESS) {
		int rc = -errno;
		close(s);
		return rc;
	}
	*fd = s;
	return 0;
}

static int socket_connect_unix(const char *path, int *fd)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	return socket_begin(AF_UNIX, (struct sockaddr *)&addr, sizeof(addr), STREAM_CONGESTION_HOST,
			    fd);
}

int socket_resolve(const struct stream_peer *peer, struct addrinfo **list)
{
	char port[8];
	snprintf(port, sizeof(port), "%u", peer->port);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	return getaddrinfo(peer->host, port, &hints, list) ? -EHOSTUNREACH : 0;
}

int socket_connect(const struct stream_peer *peer, int *fd)
{
	struct addrinfo *list;
	if (!peer->host || !*peer->host)
		return socket_connect_unix(peer->path, fd);
	if (peer->net != STREAM_KERNEL)
		return -ENETUNREACH;
	int rc = socket_resolve(peer, &list);
	if (rc)
		return rc;
	rc = -EHOSTUNREACH;
	for (struct addrinfo *a = list; a && rc; a = a->ai_next)
		rc = socket_begin(a->ai_family, a->ai_addr, a->ai_addrlen, peer->congestion, fd);
	freeaddrinfo(list);
	return rc;
}

int socket_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	return error;
}

ssize_t socket_read(struct stream *s, int fd, bool ended, void *buf, size_t len)
{
	ssize_t n;
	do
		n = recv(fd, buf, len, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		if (errno == EAGAIN)
			s->flags &= ~(unsigned)STREAM_READABLE;
		return -errno;
	}
	// A short read has emptied the socket; the loop tells when there is more.
	if (n && (size_t)n < len && !ended)
		s->flags &= ~(unsigned)STREAM_READABLE;
	return n;
}

ssize_t socket_writev(int fd, const struct iovec *iov, int n)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n};
	ssize_t sent;
	do
		sent = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}
