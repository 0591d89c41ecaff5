// SPDX-License-Identifier: BSD-3-Clause
// The event loop of flyoverd: epoll, level triggered, one thread.
#pragma once

#include <stdint.h>
#include <sys/epoll.h>

struct loop {
	int epoll_fd;
};

// One descriptor that is waited for; embedded in its owner.
struct watch {
	int fd; // -1: not waited for
	void (*ready)(struct watch *w, uint32_t events);
};

#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

// @return 0 or -errno, as all of these
int loop_init(struct loop *l);

// Wait for events of w->fd, which the owner has set.
int loop_add(struct loop *l, struct watch *w, uint32_t events);
int loop_change(struct loop *l, struct watch *w, uint32_t events);

// Stop waiting and close the descriptor. Nothing to do for fd -1.
void loop_close(struct loop *l, struct watch *w);

// Serve what is ready, or wait for it.
int loop_turn(struct loop *l, int timeout_ms);

void loop_fini(struct loop *l);
