// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/daemon/loop.h"

#include <errno.h>
#include <unistd.h>

int loop_init(struct loop *l)
{
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return l->epoll_fd < 0 ? -errno : 0;
}

static int loop_control(struct loop *l, int op, struct watch *w, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = w};
	return epoll_ctl(l->epoll_fd, op, w->fd, &e) ? -errno : 0;
}

int loop_add(struct loop *l, struct watch *w, uint32_t events)
{
	return loop_control(l, EPOLL_CTL_ADD, w, events);
}

int loop_change(struct loop *l, struct watch *w, uint32_t events)
{
	return loop_control(l, EPOLL_CTL_MOD, w, events);
}

void loop_close(struct loop *l, struct watch *w)
{
	if (w->fd < 0)
		return;
	loop_control(l, EPOLL_CTL_DEL, w, 0);
	close(w->fd);
	w->fd = -1;
}

// One event a call: what its owner closes cannot be an event that we still hold.
int loop_turn(struct loop *l, int timeout_ms)
{
	struct epoll_event e;
	int n = epoll_wait(l->epoll_fd, &e, 1, timeout_ms);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n == 1) {
		struct watch *w = e.data.ptr;
		w->ready(w, e.events);
	}
	return 0;
}

void loop_fini(struct loop *l)
{
	close(l->epoll_fd);
}
