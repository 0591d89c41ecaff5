// SPDX-License-Identifier: BSD-3-Clause
// listener_input() -> tcp_accept() ... listener_news() -> stack_accept()
//
// Against floods of SYNs (RFC 4987): few are expected here, so strangers are not answered, and no
// more than the backlog can be opening at once.
#include <errno.h>
#include <stdlib.h>

#include "dataplane/net/stack_priv.h"
#include "dataplane/net/steer.h"

struct listener *listener_find(struct stack *s, uint16_t port)
{
	for (unsigned i = 0; i < LISTENERS_MAX && s->listeners[i].port; i++) {
		if (s->listeners[i].port == port)
			return &s->listeners[i];
	}
	return NULL;
}

int stack_listen(struct stack *s, uint16_t port, const struct net_prefix *allowed, unsigned n,
		 unsigned backlog)
{
	unsigned at = 0;
	if (!port)
		return -EINVAL;
	if (listener_find(s, port))
		return -EADDRINUSE;
	while (at < LISTENERS_MAX && s->listeners[at].port)
		at++;
	if (at == LISTENERS_MAX)
		return -ENOMEM;
	struct listener *l = &s->listeners[at];
	struct net_prefix *copy = NULL;
	if (n) {
		copy = calloc(n, sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, allowed, n * sizeof(*copy));
	}
	if (s->set.steer && steer_listen(s->set.steer, s->set.core, port)) {
		free(copy);
		return -ENOMEM;
	}
	*l = (struct listener){port, n, copy, backlog};
	TAILQ_INIT(&l->opened);
	return 0;
}

static bool is_allowed(const struct listener *l, const struct net_address *from)
{
	for (unsigned i = 0; i < l->n_allowed; i++) {
		if (prefix_has(&l->allowed[i], from))
			return true;
	}
	return !l->n_allowed;
}

void listener_input(struct stack *s, struct listener *l, const struct tcp_tuple *tuple,
		    const struct tcp_segment *syn, uint64_t now_ns)
{
	struct net_address from = address_of(tuple->family, tuple->remote);
	const struct route *route = route_find(&s->routes, &from);
	if (!is_allowed(l, &from)) {
		s->c.not_allowed++;
		return;
	}
	struct tcp *tcp;
	struct flow *f = NULL;
	if (route && l->n_pending < l->backlog)
		f = flow_new(s, tuple, route, now_ns);
	if (!f) {
		s->c.syn_dropped++;
		return;
	}
	if (tcp_accept(s->host, tuple, syn, now_ns, &tcp)) {
		s->c.syn_dropped++;
		flow_free(f);
		return;
	}
	f->listener = l;
	l->n_pending++;
	flow_begin(f, tcp);
}

void listener_news(struct flow *f, unsigned events)
{
	f->events |= events;
	if (f->events & (TCP_FAILED | TCP_GONE)) {
		flow_free(f);
		return;
	}
	if (f->events & TCP_OPENED && !f->is_opened) {
		f->is_opened = true;
		TAILQ_INSERT_TAIL(&f->listener->opened, f, news);
		f->stack->n_news++;
	}
}

void listener_forget(struct flow *f)
{
	if (f->is_opened)
		TAILQ_REMOVE(&f->listener->opened, f, news);
	f->is_opened = false;
	f->listener->n_pending--;
	f->listener = NULL;
}

struct flow *stack_accept(struct stack *s, uint16_t port, void *owner)
{
	struct listener *l = listener_find(s, port);
	struct flow *f = l ? TAILQ_FIRST(&l->opened) : NULL;
	if (!f)
		return NULL;
	listener_forget(f);
	f->owner = owner;
	f->events &= ~(unsigned)TCP_OPENED;
	if (f->events) {
		f->has_news = true;
		TAILQ_INSERT_TAIL(&s->news, f, news);
	}
	return f;
}
