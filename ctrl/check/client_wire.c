// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/check/client_wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "ctrl/clock.h"
#include "ctrl/tls_settings.h"
#include "parsers/tls_record.h"

static ssize_t socket_result(ssize_t n)
{
	return n >= 0 ? n : errno == EINTR ? -EAGAIN : -errno;
}

static ssize_t socket_recv(void *client, void *buf, size_t len)
{
	return socket_result(recv(((struct client *)client)->fd, buf, len, 0));
}

static ssize_t socket_send(void *client, const void *p, size_t len)
{
	return socket_result(send(((struct client *)client)->fd, p, len, MSG_NOSIGNAL));
}

static const struct tls_wire socket_wire = {socket_recv, socket_send};

static int handshake_wait(struct client *c, struct failure *f)
{
	uint64_t end_ms = mono_ms() + CLIENT_CONNECT_MS, now;
	int rc;
	while ((rc = tls_handshake(c->tls)) == -EAGAIN && (now = mono_ms()) < end_ms) {
		short events = POLLIN | (tls_is_stuck(c->tls) ? POLLOUT : 0);
		struct pollfd p = {c->fd, events, 0};
		poll(&p, 1, (int)(end_ms - now));
	}
	if (rc == -EAGAIN)
		return failure_set(
			f, ERROR_TLS,
			"%s %s has not answered in TLS for %d s; if it serves plain text "
			"on this port, take redis://",
			c->who, c->url, CLIENT_CONNECT_MS / 1000);
	if (rc)
		return failure_set(f, ERROR_TLS, "cannot connect to %s %s: %s", c->who, c->url,
				   client_why(c, -rc));
	c->held = true; // its first bytes may have come with its last word
	return 0;
}

int client_tls_begin(struct client *c, const struct endpoint *e, struct failure *f)
{
	char why[TLS_TEXT_LEN];
	struct tls_settings set = endpoint_tls_settings(e);
	c->tls = tls_new(&set, &socket_wire, c, why);
	if (!c->tls)
		return failure_set(f, ERROR_TLS, "cannot connect to %s %s: %s", c->who, c->url,
				   why);
	return handshake_wait(c, f);
}

ssize_t client_send(struct client *c, const void *p, size_t len)
{
	if (!c->tls)
		return socket_send(c, p, len);
	struct iovec iov = {(void *)p, len};
	return len ? tls_writev(c->tls, &iov, 1) : tls_flush(c->tls);
}

ssize_t client_recv(struct client *c, void *buf, size_t len)
{
	ssize_t n = c->tls ? tls_read(c->tls, buf, len) : socket_recv(c, buf, len);
	c->held = c->tls && n > 0;
	return n;
}

bool client_sends(const struct client *c)
{
	return c->out_done < c->out_len || (c->tls && tls_is_stuck(c->tls));
}

bool client_holds(const struct client *c)
{
	return c->held;
}

const char *client_why(const struct client *c, int error)
{
	const char *reason = c->tls ? tls_reason(c->tls) : NULL;
	return reason ? reason : error ? strerror(error) : "the server closed it";
}

int client_lost(struct client *c, int error)
{
	bool by_tls = c->tls && tls_reason(c->tls);
	bool silent = !c->tls && !c->received;
	return failure_set(&c->failure, by_tls ? ERROR_TLS : ERROR_CONNECT,
			   "the connection to %s %s was lost: %s%s", c->who, c->url,
			   client_why(c, error), silent ? "; " TLS_PORT_HINT : "");
}
