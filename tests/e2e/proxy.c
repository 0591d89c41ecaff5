// SPDX-License-Identifier: BSD-3-Clause
// proxy_loop() -> flow_read() -> flow_write() for both directions of each pair of sockets.
#include "tests/e2e/harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIRS_MAX   64
#define CHUNK_MAX   (64 * 1024)
#define HELD_MAX    (1024 * 1024) // bytes of one direction that wait; then the sender has to
#define REPLACE_MAX 64

// Bytes read together, due together.
struct chunk {
	struct chunk *next;
	long long due_ms;
	size_t len, sent;
	char bytes[];
};

struct flow {
	struct chunk *first, **last;
	size_t held;
	bool ended; // the sender closed its side
	bool shut;  // and we passed that on
};

struct pair {
	int fds[2]; // [TO_SERVER] the client's socket, [FROM_SERVER] the server's: where a flow is
		    // read
	struct flow flows[2];
	bool replica; // the client asked for the replication stream
};

struct replacement {
	char find[REPLACE_MAX], put[REPLACE_MAX];
	size_t len; // 0: none
};

struct proxy_thread {
	pthread_t id;
	pthread_mutex_t lock;
	int listener, wake, upstream_port;
	bool stop, refuse, stall, cut_now, cut_struck;
	bool has_replica; // there was a connection that asked for the replication stream
	enum proxy_end cut_how;
	int delay_ms;
	unsigned trickle; // most bytes in one go; 0: all that there are
	uint64_t n_bytes[2];
	uint64_t cut_left[2]; // bytes until the cut; 0: none is armed
	struct replacement replacement[2];
	unsigned n_connections, n_pairs;
	struct pair pairs[PAIRS_MAX];
};

static void flow_clear(struct flow *f)
{
	while (f->first) {
		struct chunk *c = f->first;
		f->first = c->next;
		free(c);
	}
	memset(f, 0, sizeof(*f));
	f->last = &f->first;
}

static void pair_close(struct proxy_thread *t, unsigned i, enum proxy_end how)
{
	struct pair *p = &t->pairs[i];
	struct linger reset = {1, 0};

	for (int side = 0; side < 2; side++) {
		if (how == END_RST)
			setsockopt(p->fds[side], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(p->fds[side]);
		flow_clear(&p->flows[side]);
	}
	if (i != --t->n_pairs) {
		*p = t->pairs[t->n_pairs];
		for (int side = 0; side < 2; side++)
			if (!p->flows[side].first)
				p->flows[side].last = &p->flows[side].first;
	}
}

static void pair_accept(struct proxy_thread *t)
{
	int one = 1, client = accept4(t->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (client < 0)
		return;
	t->n_connections++;
	int server = t->refuse || t->n_pairs == PAIRS_MAX ? -1 : loopback_connect(t->upstream_port);
	if (server < 0) {
		close(client);
		return;
	}
	fcntl(server, F_SETFL, O_NONBLOCK);
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	struct pair *p = &t->pairs[t->n_pairs++];
	memset(p, 0, sizeof(*p));
	p->fds[TO_SERVER] = client;
	p->fds[FROM_SERVER] = server;
	p->flows[0].last = &p->flows[0].first;
	p->flows[1].last = &p->flows[1].first;
}

static void bytes_replace(struct replacement *r, char *bytes, size_t len)
{
	char *at = r->len ? memmem(bytes, len, r->find, r->len) : NULL;

	if (at) {
		memcpy(at, r->put, r->len);
		r->len = 0;
	}
}

// @return false when the pair has to be closed
static bool flow_read(struct proxy_thread *t, struct pair *p, int side)
{
	struct flow *f = &p->flows[side];
	struct chunk *c = malloc(sizeof(*c) + CHUNK_MAX);

	if (!c)
		abort();
	ssize_t n = recv(p->fds[side], c->bytes, CHUNK_MAX, 0);
	if (n <= 0) {
		free(c);
		f->ended = n == 0;
		return n == 0 || errno == EAGAIN || errno == EINTR;
	}
	p->replica |= side == TO_SERVER && memmem(c->bytes, (size_t)n, "PSYNC", 5);
	t->has_replica |= p->replica;
	c->next = NULL;
	c->len = (size_t)n;
	c->sent = 0;
	c->due_ms = now_ms() + t->delay_ms;
	bytes_replace(&t->replacement[side], c->bytes, c->len);
	*f->last = c;
	f->last = &c->next;
	f->held += c->len;
	return true;
}

// How many bytes of a chunk may pass in one go.
static size_t chunk_part(const struct proxy_thread *t, const struct chunk *c, uint64_t left)
{
	size_t len = c->len - c->sent;

	if (t->trickle && len > t->trickle)
		len = t->trickle;
	return len < left ? len : left;
}

static void chunk_done(struct flow *f, bool trickles)
{
	struct chunk *c = f->first;

	f->first = c->next;
	if (!f->first)
		f->last = &f->first;
	else if (trickles)
		f->first->due_ms = now_ms() + 1;
	free(c);
}

// Send what is due, up to the byte after which the connection is to be cut.
//
// @return false when the pair has to be closed
static bool flow_write(struct proxy_thread *t, struct pair *p, int side)
{
	struct flow *f = &p->flows[side];

	while (f->first && f->first->due_ms <= now_ms()) {
		struct chunk *c = f->first;
		bool counts = t->cut_left[side] && (p->replica || !t->has_replica);
		uint64_t left = counts ? t->cut_left[side] : UINT64_MAX;
		ssize_t n = send(p->fds[!side], c->bytes + c->sent, chunk_part(t, c, left),
				 MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		c->sent += (size_t)n;
		f->held -= (size_t)n;
		t->n_bytes[side] += (uint64_t)n;
		if (counts) {
			t->cut_left[side] -= (uint64_t)n;
			t->cut_struck = !t->cut_left[side];
			if (t->cut_struck)
				return false;
		}
		bool whole = c->sent == c->len;
		c->due_ms = t->trickle ? now_ms() + 1 : c->due_ms;
		if (whole)
			chunk_done(f, t->trickle);
		if (!whole || t->trickle)
			break;
	}
	if (f->ended && !f->first && !f->shut) {
		shutdown(p->fds[!side], SHUT_WR);
		f->shut = true;
	}
	return true;
}

static bool pair_pump(struct proxy_thread *t, struct pair *p, const struct pollfd *polled)
{
	for (int side = 0; side < 2; side++) {
		if ((polled[side].revents & (POLLIN | POLLHUP | POLLERR)) &&
		    !p->flows[side].ended && p->flows[side].held < HELD_MAX &&
		    !flow_read(t, p, side))
			return false;
		if (!t->stall && !flow_write(t, p, side))
			return false;
	}
	return !(p->flows[0].shut && p->flows[1].shut);
}

static void pairs_pump(struct proxy_thread *t, const struct pollfd *polled, unsigned n)
{
	for (unsigned i = n; i-- > 0;) { // from the end: closing moves the last one here
		bool had_struck = t->cut_struck;
		if (t->cut_now)
			pair_close(t, i, t->cut_how);
		else if (!pair_pump(t, &t->pairs[i], &polled[i * 2]))
			pair_close(t, i, t->cut_struck && !had_struck ? t->cut_how : END_FIN);
	}
	t->cut_now = false;
}

// What to wait for. @return how long at most, ms
static int pairs_want(struct proxy_thread *t, struct pollfd *polled)
{
	int timeout = -1;

	for (unsigned i = 0; i < t->n_pairs; i++)
		for (int side = 0; side < 2; side++) {
			struct flow *f = &t->pairs[i].flows[side],
				    *back = &t->pairs[i].flows[!side];
			struct pollfd *want = &polled[i * 2 + (unsigned)side];
			bool reads = !f->ended && f->held < HELD_MAX;
			bool writes = back->first && !t->stall && back->first->due_ms <= now_ms();
			want->fd = reads || writes ? t->pairs[i].fds[side] : -1;
			want->events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
			if (f->first && !t->stall && f->first->due_ms > now_ms())
				timeout = 1;
		}
	return timeout;
}

static void *proxy_loop(void *arg)
{
	struct proxy_thread *t = arg;
	struct pollfd polled[PAIRS_MAX * 2 + 2];
	uint64_t woken;

	pthread_mutex_lock(&t->lock);
	while (!t->stop) {
		unsigned n = t->n_pairs;
		int timeout = pairs_want(t, polled);
		polled[n * 2] = (struct pollfd){.fd = t->listener, .events = POLLIN};
		polled[n * 2 + 1] = (struct pollfd){.fd = t->wake, .events = POLLIN};
		pthread_mutex_unlock(&t->lock);
		poll(polled, n * 2 + 2, timeout);
		pthread_mutex_lock(&t->lock);
		if (polled[n * 2 + 1].revents && read(t->wake, &woken, sizeof(woken)) < 0)
			abort();
		bool knocks = polled[n * 2].revents;
		pairs_pump(t, polled, n);
		if (knocks)
			pair_accept(t);
	}
	while (t->n_pairs)
		pair_close(t, t->n_pairs - 1, END_FIN);
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

struct proxy *proxy_start(struct world *w, int upstream_port)
{
	struct proxy *p = calloc(1, sizeof(*p));
	struct proxy_thread *t = calloc(1, sizeof(*t));

	assert_true(p && t);
	pthread_mutex_init(&t->lock, NULL);
	t->upstream_port = upstream_port;
	t->wake = eventfd(0, EFD_CLOEXEC);
	t->listener = net_listen(&p->port);
	assert_int_equal(fcntl(t->listener, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(pthread_create(&t->id, NULL, proxy_loop, t), 0);
	p->thread = t;
	snprintf(p->url, sizeof(p->url), "redis://%s:%d", here(), p->port);
	p->next = w->proxies;
	w->proxies = p;
	return p;
}

// Change the thread's orders under its lock and wake it.
#define PROXY_ORDER(p, order)                                                                      \
	do {                                                                                       \
		struct proxy_thread *t = (p)->thread;                                              \
		uint64_t one = 1;                                                                  \
		pthread_mutex_lock(&t->lock);                                                      \
		order;                                                                             \
		pthread_mutex_unlock(&t->lock);                                                    \
		if (write(t->wake, &one, sizeof(one)) < 0)                                         \
			abort();                                                                   \
	} while (0)

static bool cut_is_done(void *arg)
{
	struct proxy_thread *t = arg;

	pthread_mutex_lock(&t->lock);
	bool done = !t->cut_now;
	pthread_mutex_unlock(&t->lock);
	return done;
}

void proxy_cut(struct proxy *p, enum proxy_end how)
{
	PROXY_ORDER(p, (t->cut_now = true, t->cut_how = how));
	wait_until(cut_is_done, p->thread, "the proxy to cut");
}

void proxy_cut_after(struct proxy *p, enum proxy_direction direction, uint64_t n_bytes,
		     enum proxy_end how)
{
	PROXY_ORDER(p, (t->cut_left[direction] = n_bytes, t->cut_how = how, t->cut_struck = false));
}

static bool cut_has_struck(void *arg)
{
	struct proxy_thread *t = arg;

	pthread_mutex_lock(&t->lock);
	bool struck = t->cut_struck;
	pthread_mutex_unlock(&t->lock);
	return struck;
}

void proxy_wait_cut(struct proxy *p)
{
	wait_until(cut_has_struck, p->thread, "the proxy to have cut");
}

void proxy_refuse(struct proxy *p, bool refuse)
{
	PROXY_ORDER(p, t->refuse = refuse);
}

void proxy_stall(struct proxy *p, bool stall)
{
	PROXY_ORDER(p, t->stall = stall);
}

void proxy_delay(struct proxy *p, int ms)
{
	PROXY_ORDER(p, t->delay_ms = ms);
}

void proxy_trickle(struct proxy *p, unsigned n_bytes)
{
	PROXY_ORDER(p, t->trickle = n_bytes);
}

void proxy_replace(struct proxy *p, enum proxy_direction direction, const char *find,
		   const char *put)
{
	size_t len = strlen(find);

	assert_true(len == strlen(put) && len < REPLACE_MAX);
	PROXY_ORDER(p, (memcpy(t->replacement[direction].find, find, len),
			memcpy(t->replacement[direction].put, put, len),
			t->replacement[direction].len = len));
}

void proxy_upstream(struct proxy *p, int upstream_port)
{
	PROXY_ORDER(p, t->upstream_port = upstream_port);
}

uint64_t proxy_bytes(struct proxy *p, enum proxy_direction direction)
{
	pthread_mutex_lock(&p->thread->lock);
	uint64_t n = p->thread->n_bytes[direction];
	pthread_mutex_unlock(&p->thread->lock);
	return n;
}

unsigned proxy_connections(struct proxy *p)
{
	pthread_mutex_lock(&p->thread->lock);
	unsigned n = p->thread->n_connections;
	pthread_mutex_unlock(&p->thread->lock);
	return n;
}

void proxies_free(struct world *w)
{
	while (w->proxies) {
		struct proxy *p = w->proxies;
		w->proxies = p->next;
		PROXY_ORDER(p, t->stop = true);
		pthread_join(p->thread->id, NULL);
		close(p->thread->listener);
		close(p->thread->wake);
		pthread_mutex_destroy(&p->thread->lock);
		free(p->thread);
		free(p);
	}
}
