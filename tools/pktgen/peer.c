// SPDX-License-Identifier: BSD-3-Clause
// peers_news() -> peer_read() -> requests_take() ; peers_feed() -> peer_write()
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/pktgen/pktgen.h"

#define IN_LEN   (64u << 10)  // read at once: stays in the nearest cache
#define OUT_MAX  (4u << 20)   // of replies that nobody takes: then no more is read
#define FEED_MAX (256u << 10) // of a stream in one turn, so that others have theirs

// ---- Life

static void peer_new(struct world *w, struct server *server, struct flow *f, struct peer *p)
{
	*p = (struct peer){
		.world = w, .server = server, .flow = f, .id = ++w->last_id, .can_write = true};
	TAILQ_INSERT_TAIL(&w->peers, p, all);
}

static void peer_free(struct peer *p)
{
	TAILQ_REMOVE(&p->world->peers, p, all);
	flow_close(p->flow, p->world->now_ns);
	bytes_free(&p->in);
	bytes_free(&p->out);
	bytes_free(&p->exec);
	bytes_free(&p->held);
	free(p);
}

void peer_end(struct peer *p)
{
	p->is_over = true;
}

void peers_free(struct world *w)
{
	struct peer *p;
	while ((p = TAILQ_FIRST(&w->peers)))
		peer_free(p);
	free(w->spare);
}

// Who is to come has his place before it is known whether he does: the stack wants to know it.
void peers_accept(struct world *w)
{
	for (unsigned i = 0; i < w->n_servers; i++) {
		struct flow *f;
		while ((w->spare || (w->spare = malloc(sizeof(*w->spare)))) &&
		       (f = stack_accept(w->stack, w->servers[i].port, w->spare))) {
			peer_new(w, &w->servers[i], f, w->spare);
			w->spare = NULL;
		}
	}
}

// ---- In

// Answer every whole request that has been read. @return false: what comes is no request
static bool requests_take(struct peer *p)
{
	size_t at = 0;
	enum request_verdict verdict = REQUEST_MORE;
	struct request r;
	while (at < p->in.len && !p->is_over) {
		verdict = request_scan((struct span){p->in.p + at, p->in.len - at}, &r);
		if (verdict != REQUEST_OK)
			break;
		verbs_answer(p, &r);
		at += r.whole.len;
	}
	p->in.len -= at;
	memmove(p->in.p, p->in.p + at, p->in.len);
	return verdict != REQUEST_BAD;
}

static void peer_read(struct peer *p)
{
	while (!p->is_over && bytes_left(&p->out) < OUT_MAX) {
		bytes_reserve(&p->in, IN_LEN);
		ssize_t n =
			tcp_read(flow_tcp(p->flow), p->in.p + p->in.len, IN_LEN, p->world->now_ns);
		if (n == -EAGAIN)
			return;
		flow_touch(p->flow);
		p->in.len += n > 0 ? (size_t)n : 0;
		if (n <= 0 || !requests_take(p))
			peer_end(p);
	}
}

void peers_news(struct world *w)
{
	struct flow *f;
	unsigned events;
	while ((f = stack_next_news(w->stack, &events))) {
		struct peer *p = flow_owner(f);
		if (events & TCP_WRITABLE)
			p->can_write = true;
		if (events & (TCP_FAILED | TCP_GONE))
			peer_end(p);
		peer_read(p);
	}
}

// ---- Out

// @return bytes that were taken
static size_t peer_say(struct peer *p, struct span s)
{
	struct iovec iov = {(void *)s.p, s.len};
	ssize_t n = tcp_write(flow_tcp(p->flow), &iov, 1, p->world->now_ns);
	if (n == -EAGAIN)
		p->can_write = false;
	else if (n < 0)
		peer_end(p);
	else
		flow_touch(p->flow);
	return n > 0 ? (size_t)n : 0;
}

// @return true: there is more to say at once
static bool peer_write(struct peer *p)
{
	bool was_held = bytes_left(&p->out) >= OUT_MAX;
	size_t fed = 0;
	struct span s;
	while (p->can_write && !p->is_over && bytes_left(&p->out))
		bytes_take(&p->out,
			   peer_say(p, (struct span){p->out.p + p->out.at, bytes_left(&p->out)}));
	if (was_held)
		peer_read(p);
	while (p->can_write && !p->is_over && p->is_replica && fed < FEED_MAX &&
	       (s = source_next(p)).len) {
		size_t n = peer_say(p, s);
		source_written(p, n);
		fed += n;
	}
	return fed >= FEED_MAX || (p->can_write && bytes_left(&p->out));
}

bool peers_feed(struct world *w)
{
	struct peer *p, *next;
	bool more = false;
	for (p = TAILQ_FIRST(&w->peers); p; p = next) {
		next = TAILQ_NEXT(p, all);
		if (!p->is_over && p->can_write)
			more |= peer_write(p);
	}
	for (p = TAILQ_FIRST(&w->peers); p; p = next) {
		next = TAILQ_NEXT(p, all);
		if (p->is_over)
			peer_free(p);
	}
	return more;
}
