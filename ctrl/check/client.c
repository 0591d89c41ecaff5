// SPDX-License-Identifier: BSD-3-Clause
// client_open() -> socket_connect(), client_tls_begin(), login() ; client_next() -> bytes_move() ->
// bytes_send(), bytes_receive()
#include "ctrl/check/client.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctrl/check/client_cluster.h"
#include "ctrl/check/client_wire.h"
#include "ctrl/check/sentinel.h"
#include "ctrl/endpoint.h"
#include "parsers/auth_error.h"
#include "parsers/noperm.h"
#include "parsers/psync.h"
#include "parsers/tls_record.h"

#define ARGS_MAX 8

// Wait until a connect() in progress has come to its end. @return a descriptor or -errno
static int connect_wait(int fd, const struct sockaddr *address, socklen_t len)
{
	int rc = connect(fd, address, len) ? -errno : 0;
	if (rc == -EINPROGRESS) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		socklen_t size = sizeof(rc);
		rc = -ETIMEDOUT;
		if (poll(&p, 1, CLIENT_CONNECT_MS) == 1 &&
		    !getsockopt(fd, SOL_SOCKET, SO_ERROR, &rc, &size))
			rc = -rc;
	}
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

static int unix_socket(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return connect_wait(fd, (struct sockaddr *)&a, sizeof(a));
}

static int tcp_socket(const struct addrinfo *a)
{
	int one = 1;
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	return connect_wait(fd, a->ai_addr, a->ai_addrlen);
}

// One after the other until one opens. @return a descriptor or -errno
static int addresses_try(const struct addrinfo *list)
{
	int fd = -ENOENT;
	for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
		fd = tcp_socket(a);
	return fd;
}

static int socket_connect(struct client *c, const struct endpoint *e, struct failure *f)
{
	struct addrinfo *list = NULL,
			hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	char port[8];
	snprintf(port, sizeof(port), "%u", e->port);
	if (e->path[0]) {
		c->fd = unix_socket(e->path);
	} else {
		int rc = getaddrinfo(e->host, port, &hints, &list);
		if (rc)
			return failure_set(f, ERROR_RESOLVE,
					   "%s: the host name %s cannot be resolved: %s", c->who,
					   e->host, gai_strerror(rc));
		c->fd = addresses_try(list);
		freeaddrinfo(list);
	}
	if (c->fd >= 0)
		return 0;
	return failure_set(f, ERROR_CONNECT, "%s %s cannot be reached: %s", c->who, c->url,
			   strerror(-c->fd));
}

static int login(struct client *c, const struct endpoint *e, struct failure *f)
{
	struct span words[3] = {SPAN_LIT("AUTH"), span_of(e->user), span_of(e->password)};
	if (e->has_password && !e->user[0])
		words[1] = words[2];
	if (e->has_password)
		client_put(c, e->user[0] ? 3 : 2, words);
	client_ask(c, "PING");
	for (unsigned left = c->pending; left; left--) {
		const struct resp_value *v = client_next(c, NULL);
		if (!v) {
			*f = c->failure;
			return -1;
		}
		if (v->type != RESP_ERROR)
			continue;
		c->passes = psync_error_passes(v->text);
		char says[AUTH_ERROR_LEN];
		return client_refused(c, left == 2 ? "AUTH" : "PING",
				      span_of(auth_error_text(v->text, e->password, says)), f);
	}
	return 0;
}

// @param e  one server
static int server_open(struct client *c, const struct endpoint *e, struct failure *f)
{
	endpoint_text(e, c->url);
	snprintf(c->user, sizeof(c->user), "%s", e->user);
	c->replies = resp_replies_new();
	if (!c->replies)
		return failure_set(f, ERROR_MEMORY, "no memory for a connection");
	int rc = socket_connect(c, e, f);
	rc = rc || !e->tls ? rc : client_tls_begin(c, e, f);
	rc = rc ? rc : login(c, e, f);
	if (rc)
		client_close(c);
	return rc;
}

int client_open(struct client *c, const struct endpoint *e, const char *who, struct failure *f)
{
	*c = (struct client){.fd = -1, .who = who};
	if (e->kind == URL_CLUSTER)
		return failure_set(
			f, ERROR_URL,
			"%s: this verb takes one server, not a cluster: `flyover sync` "
			"takes clusters, `flyover dump` each of their masters by redis://",
			who);
	if (e->kind != URL_SENTINEL)
		return server_open(c, e, f);
	struct endpoint at;
	int rc = sentinel_find(e, who, &at, f);
	rc = rc ? rc : server_open(c, &at, f);
	explicit_bzero(&at, sizeof(at));
	return rc;
}

void client_close(struct client *c)
{
	if (c->cluster)
		client_cluster_close(c);
	if (c->tls)
		tls_end(c->tls);
	tls_free(c->tls);
	if (c->fd >= 0)
		close(c->fd);
	resp_replies_free(c->replies);
	if (c->out)
		explicit_bzero(c->out, c->out_room);
	free(c->out);
	c->fd = -1;
	c->tls = NULL;
	c->out = NULL;
	c->replies = NULL;
}

// ---- Requests ---------------------------------------------------------------------------------

static int room_make(struct client *c, size_t more)
{
	if (c->out_done == c->out_len) {
		c->out_done = c->out_len = 0;
	} else if (c->out_done > c->out_room / 2) {
		c->out_len -= c->out_done;
		memmove(c->out, c->out + c->out_done, c->out_len);
		c->out_done = 0;
	}
	if (c->out_len + more <= c->out_room)
		return 0;
	size_t room = (c->out_len + more) * 2 + 4096;
	char *out = realloc(c->out, room);
	if (!out)
		return failure_set(&c->failure, ERROR_MEMORY, "no memory for the requests to %s",
				   c->who);
	c->out = out;
	c->out_room = room;
	return 0;
}

static void put_line(struct client *c, char type, size_t n)
{
	char digits[24];
	unsigned at = sizeof(digits);
	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	c->out[c->out_len++] = type;
	memcpy(c->out + c->out_len, digits + at, sizeof(digits) - at);
	c->out_len += sizeof(digits) - at;
	c->out[c->out_len++] = '\r';
	c->out[c->out_len++] = '\n';
}

void client_put(struct client *c, unsigned argc, const struct span *argv)
{
	size_t more = 32;
	if (c->cluster) {
		client_cluster_put(c, argc, argv);
		return;
	}
	for (unsigned i = 0; i < argc; i++)
		more += argv[i].len + 32;
	if (room_make(c, more))
		return;
	put_line(c, '*', argc);
	for (unsigned i = 0; i < argc; i++) {
		put_line(c, '$', argv[i].len);
		memcpy(c->out + c->out_len, argv[i].p, argv[i].len);
		c->out_len += argv[i].len;
		c->out[c->out_len++] = '\r';
		c->out[c->out_len++] = '\n';
	}
	c->pending++;
}

void client_put_raw(struct client *c, const char *command, size_t len)
{
	if (room_make(c, len))
		return;
	memcpy(c->out + c->out_len, command, len);
	c->out_len += len;
	c->pending++;
}

void client_ask(struct client *c, const char *format, ...)
{
	struct span argv[ARGS_MAX * 2];
	char numbers[ARGS_MAX][24];
	unsigned argc = 0, n_numbers = 0;
	va_list args;
	va_start(args, format);
	while (*format && argc < ARGS_MAX * 2) {
		size_t len = strcspn(format, " ");
		if (len == 2 && !memcmp(format, "%b", 2)) {
			argv[argc++] = va_arg(args, struct span);
		} else if (len == 2 && !memcmp(format, "%d", 2)) {
			char *digits = numbers[n_numbers++];
			snprintf(digits, sizeof(numbers[0]), "%lld", va_arg(args, long long));
			argv[argc++] = span_of(digits);
		} else {
			argv[argc++] = (struct span){format, len};
		}
		format += len + (format[len] == ' ');
	}
	va_end(args);
	client_put(c, argc, argv);
}

// ---- Replies ----------------------------------------------------------------------------------

static int bytes_send(struct client *c)
{
	ssize_t n = client_send(c, c->out + c->out_done, c->out_len - c->out_done);
	if (n < 0)
		return n == -EAGAIN ? 0 : client_lost(c, (int)-n);
	c->out_done += (size_t)n;
	return 0;
}

static int bytes_receive(struct client *c)
{
	ssize_t n = client_recv(c, c->in, sizeof(c->in));
	if (n == -EAGAIN)
		return 0;
	if (n <= 0)
		return client_lost(c, (int)-n);
	if (!c->received && !c->tls && tls_alert_begins((struct span){c->in, (size_t)n}))
		return failure_set(&c->failure, ERROR_TLS,
				   "%s %s speaks TLS on this port: take rediss:// or its port for "
				   "plain text",
				   c->who, c->url);
	c->received += (uint64_t)n;
	c->in_len = (size_t)n;
	c->in_fed = 0;
	return 0;
}

// Give the reader the next slice. @return 1 given, 0 there is none, -1 failed
static int slice_feed(struct client *c)
{
	size_t left = c->in_len - c->in_fed, len = left < RESP_SLICE ? left : RESP_SLICE;
	if (left == 0)
		return 0;
	if (resp_replies_feed(c->replies, c->in + c->in_fed, len))
		return failure_set(&c->failure, ERROR_MEMORY, "no memory for a reply of %s",
				   c->who);
	c->in_fed += len;
	return 1;
}

void client_flush(struct client *c)
{
	if (c->cluster)
		client_cluster_flush(c);
	else if (!c->failure.id && client_sends(c))
		bytes_send(c);
}

// Send and receive whatever goes; wait when nothing does.
static int bytes_move(struct client *c)
{
	short events = POLLIN | (client_sends(c) ? POLLOUT : 0);
	struct pollfd p = {.fd = c->fd, .events = events};
	int n = poll(&p, 1, client_holds(c) ? 0 : CLIENT_SILENCE_MS);
	if (n < 0)
		return errno == EINTR ? 0 : client_lost(c, errno);
	if (client_holds(c))
		p.revents |= POLLIN;
	else if (n == 0)
		return failure_set(&c->failure, ERROR_DEADLINE, "%s %s has not answered for %d s",
				   c->who, c->url, CLIENT_SILENCE_MS / 1000);
	if ((p.revents & POLLOUT) && bytes_send(c))
		return -1;
	return p.revents & (POLLIN | POLLHUP | POLLERR) ? bytes_receive(c) : 0;
}

static void garbage(struct client *c)
{
	failure_set(&c->failure, ERROR_NOT_REDIS, "%s %s does not answer as a Redis does", c->who,
		    c->url);
}

const struct resp_value *client_next(struct client *c, unsigned *n)
{
	const struct resp_value *v;
	unsigned count;
	if (c->cluster)
		return client_cluster_next(c, n);
	while (!c->failure.id) {
		enum resp_verdict verdict = resp_replies_next(c->replies, &v, n ? n : &count);
		if (verdict == RESP_OK) {
			c->pending -= c->pending > 0; // nobody asked for a published message
			return v;
		}
		if (verdict == RESP_BAD)
			garbage(c);
		else if (slice_feed(c) == 0)
			bytes_move(c);
	}
	return NULL;
}

const struct resp_value *client_poll(struct client *c, unsigned *n)
{
	const struct resp_value *v;
	unsigned count;
	while (!c->failure.id) {
		enum resp_verdict verdict = resp_replies_next(c->replies, &v, n ? n : &count);
		if (verdict == RESP_OK) {
			c->pending -= c->pending > 0;
			return v;
		}
		if (verdict == RESP_BAD)
			garbage(c);
		else if (slice_feed(c) == 0 && (bytes_receive(c) || c->in_fed == c->in_len))
			break;
	}
	return NULL;
}

void clients_wait(struct client *const *list, unsigned n, unsigned ms)
{
	struct pollfd p[CLIENTS_WAIT_MAX];
	assert(n <= CLIENTS_WAIT_MAX);
	for (unsigned i = 0; i < n; i++) {
		short events = POLLIN | (client_sends(list[i]) ? POLLOUT : 0);
		p[i] = (struct pollfd){list[i]->fd, events, 0};
		ms = client_holds(list[i]) ? 0 : ms;
	}
	if (poll(p, n, (int)ms) <= 0)
		return;
	for (unsigned i = 0; i < n; i++)
		if (p[i].revents & POLLOUT)
			client_flush(list[i]);
}

int client_skip(struct client *c)
{
	return client_next(c, NULL) ? 0 : -1;
}

int client_refused(const struct client *c, const char *what, struct span error, struct failure *f)
{
	static const struct {
		const char *word;
		enum error_id id;
	} rows[] = {
		{"NOAUTH", ERROR_AUTH},     {"WRONGPASS", ERROR_AUTH},     {"NOPERM", ERROR_NOPERM},
		{"LOADING", ERROR_CONNECT}, {"MASTERDOWN", ERROR_CONNECT},
	};
	enum error_id id = !strcmp(what, "AUTH") ? ERROR_AUTH : ERROR_TARGET_REFUSES;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (error.len > strlen(rows[i].word) &&
		    !strncmp(error.p, rows[i].word, strlen(rows[i].word)))
			id = rows[i].id;
	char advice[200];
	id = noperm_is(error) ? ERROR_NOPERM : id;
	noperm_advice(error, c->user, advice, sizeof(advice));
	return failure_set(f, id, "%s %s refuses %s: %.*s%s", c->who, c->url, what,
			   (int)(error.len < 200 ? error.len : 200), error.p, advice);
}
