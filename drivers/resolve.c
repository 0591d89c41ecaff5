// SPDX-License-Identifier: BSD-3-Clause
// resolve_begin() -> resolve_run(), in its thread -> wake -> resolve_take() -> resolve_end()
#include "drivers/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct resolve {
	pthread_mutex_t lock;
	unsigned n_holders; // the owner and the thread; the last one frees
	bool is_done, is_abandoned;
	void (*wake)(void *arg);
	void *arg;
	struct resolved answer;
	char host[256];
};

static void addresses_ask(const char *host, int flags, struct resolved *out)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags}, *list = NULL;
	memset(out, 0, sizeof(*out));
	out->error = getaddrinfo(host, NULL, &hints, &list);
	for (const struct addrinfo *a = out->error ? NULL : list; a && out->n < RESOLVED_MAX;
	     a = a->ai_next)
		out->n += !getnameinfo(a->ai_addr, a->ai_addrlen, out->addresses[out->n],
				       sizeof(out->addresses[0]), NULL, 0, NI_NUMERICHOST);
	if (!out->error)
		freeaddrinfo(list);
	if (!out->error && !out->n)
		out->error = EAI_NONAME;
}

bool resolve_address(const char *host, struct resolved *out)
{
	addresses_ask(host, AI_NUMERICHOST, out);
	return !out->error;
}

// Called with the lock held.
static void holder_leaves(struct resolve *r)
{
	bool last = !--r->n_holders;
	pthread_mutex_unlock(&r->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static void *resolve_run(void *arg)
{
	struct resolve *r = arg;
	struct resolved answer;
	addresses_ask(r->host, 0, &answer);
	pthread_mutex_lock(&r->lock);
	r->answer = answer;
	r->is_done = true;
	if (!r->is_abandoned && r->wake)
		r->wake(r->arg);
	holder_leaves(r);
	return NULL;
}

// Signals are for the threads that know what to do with them.
static int thread_start(struct resolve *r)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&thread, &attr, resolve_run, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -rc;
}

int resolve_begin(struct resolve **out, const char *host, void (*wake)(void *arg), void *arg)
{
	struct resolve *r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	int len = snprintf(r->host, sizeof(r->host), "%s", host);
	pthread_mutex_init(&r->lock, NULL);
	r->n_holders = 2;
	r->wake = wake;
	r->arg = arg;
	int rc = len < (int)sizeof(r->host) ? thread_start(r) : -ENAMETOOLONG;
	if (rc) {
		pthread_mutex_destroy(&r->lock);
		free(r);
		return rc;
	}
	*out = r;
	return 0;
}

bool resolve_take(struct resolve *r, struct resolved *out)
{
	pthread_mutex_lock(&r->lock);
	bool done = r->is_done;
	if (done)
		*out = r->answer;
	pthread_mutex_unlock(&r->lock);
	return done;
}

void resolve_end(struct resolve *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->is_abandoned = true;
	holder_leaves(r);
}

const char *resolve_text(int error)
{
	return gai_strerror(error);
}
