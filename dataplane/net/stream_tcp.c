// SPDX-License-Identifier: BSD-3-Clause
// wait() -> stack_turn() -> news_take() -> inner_look() -> idle_wait()
//
// TCP tells events, the seam wants flags that stay up until a read or write finds nothing more. So
// an event raises the flag, and only what the buffers of TCP say lowers it: no read asks in vain.
#include "dataplane/net/stream_tcp.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/socket.h"

// A core that is never idle looks at the kernel's sockets this often, which costs a system call.
#define INNER_LOOK_NS 20000

// How long a loop that ends waits for the acknowledgement of what was written and closed.
#define LINGER_NS 200000000ull

struct tcp_loop {
	struct stream_loop base;
	struct stack *stack;
	const struct clock_ops *clock;
	struct stream_loop *inner; // the kernel's sockets
	uint64_t inner_at_ns;      // when it is looked at whatever happens
	unsigned n_pending;        // streams with news that no event tells
	struct idle idle;
};

struct tcp_stream {
	struct stream base;
	struct flow *flow;
	bool want_read;
};

static uint64_t now_ns(const struct tcp_loop *l)
{
	return l->clock->read().mono_ns;
}

static struct tcp_loop *loop_of(const struct stream *s)
{
	return (struct tcp_loop *)s->loop;
}

// ---- Loop

static int tcp_loop_new(struct stream_loop **out)
{
	return -EOPNOTSUPP;
}

int stream_tcp_new(struct stack *stack, struct nic *nic, enum idle_mode idle,
		   const struct clock_ops *clock, struct stream_loop **out)
{
	struct tcp_loop *l = calloc(1, sizeof(*l));
	int rc = l ? stream_epoll.loop_new(&l->inner) : -ENOMEM;
	if (rc) {
		free(l);
		return rc;
	}
	l->base.ops = &stream_tcp;
	l->stack = stack;
	l->clock = clock;
	idle_init(&l->idle, idle);
	idle_add_nic(&l->idle, nic);
	idle_add_fd(&l->idle, stream_epoll_fd(l->inner));
	*out = &l->base;
	return 0;
}

static void tcp_loop_free(struct stream_loop *base)
{
	struct tcp_loop *l = (struct tcp_loop *)base;
	uint64_t now = now_ns(l), limit = now + LINGER_NS;
	while (stack_is_busy(l->stack) && now < limit) {
		if (stack_turn(l->stack, now))
			idle_busy(&l->idle);
		else
			idle_wait(&l->idle, now, stack_deadline(l->stack));
		now = now_ns(l);
	}
	stream_epoll.loop_free(l->inner);
	free(l);
}

static void tcp_wake(struct stream_loop *base)
{
	stream_loop_wake(((struct tcp_loop *)base)->inner);
}

static int tcp_wake_fd(struct stream_loop *base)
{
	return stream_loop_wake_fd(((struct tcp_loop *)base)->inner);
}

// ---- Events

// What a kernel's socket shows by its flags: one that fails while it opens is FAILED, one that
// fails later gives its error to the next read or write.
static void events_show(struct tcp_stream *s, unsigned events)
{
	unsigned *flags = &s->base.flags;
	if (events & TCP_OPENED)
		*flags |= STREAM_OPEN | STREAM_WRITABLE;
	if ((events & TCP_FAILED) && !(*flags & STREAM_OPEN)) {
		s->base.error = tcp_error(flow_tcp(s->flow));
		*flags |= STREAM_FAILED;
		return;
	}
	if (events & TCP_FAILED)
		*flags |= STREAM_READABLE | STREAM_WRITABLE;
	if ((events & TCP_READABLE) && s->want_read)
		*flags |= STREAM_READABLE;
	if ((events & TCP_WRITABLE) && (*flags & STREAM_OPEN))
		*flags |= STREAM_WRITABLE;
}

// @return streams with news
static int news_take(struct tcp_loop *l)
{
	struct flow *f;
	unsigned events;
	int n = (int)l->n_pending;
	l->n_pending = 0;
	while ((f = stack_next_news(l->stack, &events))) {
		struct tcp_stream *s = flow_owner(f);
		unsigned before = s->base.flags;
		events_show(s, events);
		// More bytes for one who has not read the last are news, as the kernel has it.
		bool more = (events & TCP_READABLE) && s->want_read;
		n += s->base.flags != before || more;
	}
	return n;
}

// @return streams with news, or -errno
static int inner_look(struct tcp_loop *l, uint64_t now)
{
	l->inner_at_ns = now + INNER_LOOK_NS;
	return stream_loop_wait(l->inner, 0);
}

static int tcp_wait(struct stream_loop *base, int64_t timeout_ns)
{
	struct tcp_loop *l = (struct tcp_loop *)base;
	uint64_t now = now_ns(l);
	uint64_t limit = timeout_ns < 0 ? IDLE_NEVER : now + (uint64_t)timeout_ns;
	for (;;) {
		stack_receive(l->stack);
		now = now_ns(l);
		unsigned busy = stack_turn(l->stack, now);
		int n = news_take(l);
		if (now >= l->inner_at_ns || l->idle.ready) {
			l->idle.ready = 0;
			int inner = inner_look(l, now);
			if (inner < 0)
				return inner;
			n += inner;
		}
		if (n || busy)
			idle_busy(&l->idle);
		if (n || now >= limit)
			return n;
		uint64_t until = stack_deadline(l->stack);
		bool slept = !busy && idle_wait(&l->idle, now, until < limit ? until : limit);
		if (slept) // and has looked at it
			l->inner_at_ns = now_ns(l) + INNER_LOOK_NS;
	}
}

// ---- Streams

// @return family 0: not an address that can be reached from a device; the loopback is the kernel's
static struct net_address peer_address(const struct addrinfo *a)
{
	struct net_address to = {0};
	if (a->ai_family == AF_INET)
		to = address_of(
			4, (const uint8_t *)&((const struct sockaddr_in *)a->ai_addr)->sin_addr);
	else if (a->ai_family == AF_INET6)
		to = address_of(
			6, (const uint8_t *)&((const struct sockaddr_in6 *)a->ai_addr)->sin6_addr);
	return to.family && address_is_unicast(&to) ? to : (struct net_address){0};
}

// What the peer's words say beyond its address.
static void flow_fit(struct flow *f, const struct stream_peer *peer)
{
	if (peer->congestion != STREAM_CONGESTION_HOST)
		tcp_set_congestion(flow_tcp(f),
				   peer->congestion == STREAM_BBR ? TCP_BBR : TCP_CUBIC);
	flow_set_link(f, peer->link);
}

// The first address that can be begun with, as a kernel's socket has it.
static int flow_connect(struct tcp_loop *l, const struct stream_peer *peer, struct tcp_stream *s)
{
	struct addrinfo *list;
	int rc = socket_resolve(peer, &list);
	if (rc)
		return rc;
	rc = -ENETUNREACH;
	for (struct addrinfo *a = list; a && rc; a = a->ai_next) {
		struct net_address to = peer_address(a);
		if (to.family)
			rc = stack_connect(l->stack, &to, peer->port, s, now_ns(l), &s->flow);
	}
	freeaddrinfo(list);
	if (!rc)
		flow_fit(s->flow, peer);
	return rc;
}

static int tcp_stream_connect(struct stream_loop *base, const struct stream_peer *peer,
			      struct stream **out)
{
	struct tcp_loop *l = (struct tcp_loop *)base;
	if (peer->net == STREAM_KERNEL || !peer->host || !*peer->host)
		return stream_connect(l->inner, peer, out);
	struct tcp_stream *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->base.loop = base;
	s->want_read = true;
	int rc = flow_connect(l, peer, s);
	if (rc) {
		free(s);
		return rc;
	}
	*out = &s->base;
	return 0;
}

// Whether a read would give bytes, the end or an error.
static bool is_readable(const struct tcp *t)
{
	switch (tcp_state(t)) {
	case TCP_CLOSE_WAIT:
	case TCP_CLOSING:
	case TCP_LAST_ACK:
	case TCP_TIME_WAIT:
	case TCP_CLOSED:
		return true;
	default:
		return tcp_readable(t) > 0;
	}
}

static ssize_t tcp_stream_read(struct stream *base, void *buf, size_t len)
{
	struct tcp_stream *s = (struct tcp_stream *)base;
	struct tcp *t = flow_tcp(s->flow);
	ssize_t n = tcp_read(t, buf, len, now_ns(loop_of(base)));
	if (n > 0)
		flow_touch(s->flow); // the window may open
	if (!is_readable(t))
		base->flags &= ~(unsigned)STREAM_READABLE;
	return n;
}

static ssize_t tcp_stream_writev(struct stream *base, const struct iovec *iov, int n)
{
	struct tcp_stream *s = (struct tcp_stream *)base;
	ssize_t taken = tcp_write(flow_tcp(s->flow), iov, n, now_ns(loop_of(base)));
	if (taken > 0)
		flow_touch(s->flow);
	else if (taken == -EAGAIN)
		base->flags &= ~(unsigned)STREAM_WRITABLE;
	return taken;
}

static void tcp_want_read(struct stream *base, bool on)
{
	struct tcp_stream *s = (struct tcp_stream *)base;
	if (on && !s->want_read && (base->flags & STREAM_OPEN) && is_readable(flow_tcp(s->flow))) {
		base->flags |= STREAM_READABLE;
		loop_of(base)->n_pending++;
	}
	s->want_read = on;
}

static void tcp_stream_close(struct stream *base)
{
	struct tcp_stream *s = (struct tcp_stream *)base;
	flow_close(s->flow, now_ns(loop_of(base)));
	free(s);
}

const struct stream_ops stream_tcp = {
	.name = "dpdk",
	.loop_new = tcp_loop_new,
	.loop_free = tcp_loop_free,
	.wait = tcp_wait,
	.wake = tcp_wake,
	.wake_fd = tcp_wake_fd,
	.connect = tcp_stream_connect,
	.read = tcp_stream_read,
	.writev = tcp_stream_writev,
	.want_read = tcp_want_read,
	.close = tcp_stream_close,
};
