// SPDX-License-Identifier: BSD-3-Clause
// The side of whereabouts that whoever connects sees, on any core.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/topology/whereabouts.h"

// Answers that are so little older than the attempt do: lanes that lose their server together ask
// once. It is shorter than the first pause after a loss, so none is from before the loss.
#define FRESH_NS 20000000ull

// Every word is an acquire, so the second look at seq comes after them all.
static void where_read(struct whereabouts *w, struct where *out)
{
	uint64_t words[WHERE_WORDS];
	uint32_t before;
	do {
		before = atomic_load_explicit(&w->seq, memory_order_acquire);
		for (size_t i = 0; i < WHERE_WORDS; i++)
			words[i] = atomic_load_explicit(&w->words[i], memory_order_acquire);
	} while (before & 1 || before != atomic_load_explicit(&w->seq, memory_order_relaxed));
	memcpy(out, words, sizeof(*out));
}

static void want(struct whereabouts *w, uint64_t since_ns)
{
	uint64_t wanted = atomic_load(&w->wanted_ns);
	while (wanted < since_ns)
		if (atomic_compare_exchange_weak(&w->wanted_ns, &wanted, since_ns)) {
			core_wake(w->core);
			return;
		}
}

// @return false when the question is still open
static bool find(struct seek *s, struct core *core)
{
	struct whereabouts *w = s->w;
	if (!w->is_fixed)
		atomic_store(&w->users[core->index], core);
	where_read(w, &s->at);
	if (w->is_fixed || s->at.asked_ns >= s->since_ns)
		return true;
	want(w, s->since_ns);
	return false;
}

void seek_init(struct seek *s, struct whereabouts *w)
{
	memset(s, 0, sizeof(*s));
	s->w = w;
}

int seek_connect(struct seek *s, struct core *core, uint64_t now_ns, struct stream **out)
{
	char place[TEXT_LEN];
	if (!s->since_ns)
		s->since_ns = now_ns > FRESH_NS ? now_ns - FRESH_NS : 1;
	if (!find(s, core))
		return -EAGAIN;
	s->since_ns = 0;
	if (s->at.error) {
		s->error = (enum error_id)s->at.error;
		snprintf(s->why, sizeof(s->why), "%s", s->at.text);
		return -EHOSTUNREACH;
	}
	struct stream_peer peer =
		endpoint_peer_at(s->w->endpoint, s->at.name, s->at.host, (uint16_t)s->at.port);
	int rc = stream_connect(core->loop, &peer, out);
	if (!rc)
		return 0;
	seek_failed(s);
	s->error = ERROR_CONNECT;
	snprintf(s->why, sizeof(s->why), "cannot connect to the %s %.100s: %.90s", s->w->who,
		 seek_place(s, place), strerror(-rc));
	return rc;
}

void seek_failed(struct seek *s)
{
	if (!s->w->is_fixed)
		atomic_store(&s->w->failed_version, s->at.version);
}

bool seek_is_moved(const struct seek *s)
{
	uint32_t version = atomic_load_explicit(&s->w->version, memory_order_relaxed);
	return s->w->sentinels && s->at.version && version != s->at.version;
}

const char *seek_place(const struct seek *s, char *out)
{
	const struct endpoint *e = s->w->endpoint;
	const char *name = s->at.name[0] ? s->at.name : s->w->place.host;
	unsigned port = s->at.port ? s->at.port : s->w->place.port;
	if (e->kind == URL_UNIX)
		snprintf(out, TEXT_LEN, "%s", e->path);
	else if (e->kind == URL_SENTINEL && !s->at.version)
		snprintf(out, TEXT_LEN, "%s", e->master);
	else
		snprintf(out, TEXT_LEN, strchr(name, ':') ? "[%.200s]:%u" : "%.200s:%u", name,
			 port);
	return out;
}
