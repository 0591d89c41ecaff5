// SPDX-License-Identifier: BSD-3-Clause
// primary_start() -> serve() -> conn_accept(), conn_listen(), conn_flush(), feed_turn()
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctrl/clock.h"
#include "ctrl/restore/primary_priv.h"
#include "ctrl/unix_path.h"

#define SEND_BUFFER (1 << 20)
#define IDLE_MS     1000

void primary_fail(struct primary *p, const struct failure *f)
{
	if (atomic_load(&p->failed))
		return;
	p->failure = *f;
	atomic_store(&p->failed, true);
}

int primary_check(struct primary *p, struct failure *f)
{
	if (!atomic_load(&p->failed))
		return 0;
	*f = p->failure;
	return -1;
}

// ---- Connections

static void conn_close(struct primary *p, unsigned i)
{
	struct conn *c = p->conns[i];
	if (p->fed == c)
		p->fed = NULL;
	feed_end(&c->feed);
	resp_stream_free(c->requests);
	close(c->fd);
	free(c);
	p->conns[i] = NULL;
}

static void conn_accept(struct primary *p)
{
	int room = SEND_BUFFER,
	    fd = accept4(p->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	unsigned i = 0;
	while (i < PRIMARY_CONNS_MAX && p->conns[i])
		i++;
	struct conn *c = i < PRIMARY_CONNS_MAX ? calloc(1, sizeof(*c)) : NULL;
	if (c)
		c->requests = resp_stream_new(0);
	if (!c || !c->requests) {
		free(c);
		close(fd); // whoever it is connects again
		return;
	}
	c->fd = fd;
	p->conns[i] = c;
}

// @return whether all of the answers are out
static bool conn_flush(struct conn *c)
{
	while (c->out_len && !c->gone) {
		ssize_t n = send(c->fd, c->out, c->out_len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return false;
		c->gone = n < 0 && errno != EINTR;
		if (n > 0) {
			c->out_len -= (size_t)n;
			memmove(c->out, c->out + n, c->out_len);
		}
	}
	return !c->gone;
}

// ---- The loop

struct watch_list {
	struct pollfd fds[PRIMARY_CONNS_MAX + 2];
	unsigned conn[PRIMARY_CONNS_MAX + 2];
	nfds_t n;
};

// @param wants  whether connection i waits for room in its socket
static void watch_fill(const struct primary *p, const bool *wants, struct watch_list *list)
{
	list->fds[0] = (struct pollfd){.fd = p->stop_fd, .events = POLLIN};
	list->fds[1] = (struct pollfd){.fd = p->listen_fd, .events = POLLIN};
	list->n = 2;
	for (unsigned i = 0; i < PRIMARY_CONNS_MAX; i++) {
		if (!p->conns[i])
			continue;
		list->fds[list->n] = (struct pollfd){.fd = p->conns[i]->fd,
						     .events = POLLIN | (wants[i] ? POLLOUT : 0)};
		list->conn[list->n++] = i;
	}
}

// @param wants  out: whether the socket is to be waited for
static void conn_turn(struct primary *p, unsigned i, uint64_t now_ms, uint64_t *wake_ms,
		      bool *wants)
{
	struct conn *c = p->conns[i];
	*wants = !conn_flush(c) || (c->feed.stage && feed_turn(p, c, now_ms, wake_ms));
	if (c->gone)
		conn_close(p, i);
}

static void turn(struct primary *p)
{
	bool wants[PRIMARY_CONNS_MAX] = {0};
	uint64_t now = mono_ms(), wake_ms = now + IDLE_MS;
	struct watch_list list;
	for (unsigned i = 0; i < PRIMARY_CONNS_MAX; i++)
		if (p->conns[i])
			conn_turn(p, i, now, &wake_ms, &wants[i]);
	watch_fill(p, wants, &list);
	now = mono_ms();
	if (poll(list.fds, list.n, wake_ms > now ? (int)(wake_ms - now) : 0) <= 0)
		return;
	if (list.fds[1].revents)
		conn_accept(p);
	for (nfds_t k = 2; k < list.n; k++)
		if (list.fds[k].revents & (POLLIN | POLLHUP | POLLERR))
			conn_listen(p, p->conns[list.conn[k]]);
}

static bool is_stopped(const struct primary *p)
{
	struct pollfd stop = {.fd = p->stop_fd, .events = POLLIN};
	return poll(&stop, 1, 0) == 1;
}

static void *serve(void *arg)
{
	struct primary *p = arg;
	while (!is_stopped(p))
		turn(p);
	return NULL;
}

int primary_start(struct primary *p, const struct primary_settings *set, const char *path,
		  struct failure *f)
{
	*p = (struct primary){.set = *set, .listen_fd = -1};
	p->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->stop_fd < 0)
		return failure_set(f, ERROR_INTERNAL, "no descriptor for the restore");
	p->listen_fd = unix_listen(path, f);
	if (p->listen_fd < 0)
		return -1;
	p->runs = pthread_create(&p->thread, NULL, serve, p) == 0;
	return p->runs ? 0 : failure_set(f, ERROR_MEMORY, "no thread for the restore");
}

void primary_stop(struct primary *p)
{
	if (p->runs) {
		eventfd_write(p->stop_fd, 1);
		pthread_join(p->thread, NULL);
	}
	p->runs = false;
	for (unsigned i = 0; i < PRIMARY_CONNS_MAX; i++)
		if (p->conns[i])
			conn_close(p, i);
	if (p->listen_fd >= 0)
		close(p->listen_fd);
	if (p->stop_fd >= 0)
		close(p->stop_fd);
	p->listen_fd = p->stop_fd = -1;
}
