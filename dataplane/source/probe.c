// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/source/probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "parsers/info.h"
#include "parsers/resp_write.h"

#define EVERY_NS    1000000000ull
#define RETRY_NS    2000000000ull
#define PATIENCE_NS 10000000000ull
#define INFO_WORDS  "*1\r\n$4\r\nINFO\r\n"

void probe_init(struct probe *p, struct core *core, struct whereabouts *where)
{
	memset(p, 0, sizeof(*p));
	p->core = core;
	p->endpoint = where->endpoint;
	seek_init(&p->seek, where);
}

void probe_fini(struct probe *p)
{
	if (p->stream)
		stream_close(p->stream);
	resp_replies_free(p->replies);
	p->stream = NULL;
	p->replies = NULL;
	p->asked = p->greeted = false;
}

void probe_hurry(struct probe *p)
{
	if (!p->asked)
		p->next_ns = 0;
}

void probe_turn_away(struct probe *p)
{
	probe_fini(p);
	p->next_ns = 0;
}

static void probe_drop(struct probe *p, const struct clock_reading *now)
{
	probe_fini(p);
	p->next_ns = now->mono_ns + RETRY_NS;
}

static void probe_connect(struct probe *p, const struct clock_reading *now)
{
	int rc = seek_connect(&p->seek, p->core, now->mono_ns, &p->stream);
	if (rc == -EAGAIN)
		return;
	p->next_ns = now->mono_ns + RETRY_NS;
	p->replies = resp_replies_new();
	if (!p->replies || rc)
		probe_drop(p, now);
}

static size_t auth_put(const struct endpoint *e, char *out, size_t len)
{
	return e->user[0] ? RESP_WRITE(out, len, "AUTH", e->user, e->password)
			  : RESP_WRITE(out, len, "AUTH", e->password);
}

static void probe_ask(struct probe *p, const struct clock_reading *now)
{
	char out[1024];
	size_t n = 0;
	p->n_skip = 0;
	if (!p->greeted && p->endpoint->has_password) {
		n = auth_put(p->endpoint, out, sizeof(out) - sizeof(INFO_WORDS));
		p->n_skip = 1;
	}
	memcpy(out + n, INFO_WORDS, sizeof(INFO_WORDS) - 1);
	struct iovec iov = {out, n + sizeof(INFO_WORDS) - 1};
	p->greeted = p->asked = true;
	p->asked_ns = now->mono_ns;
	if (stream_writev(p->stream, &iov, 1) != (ssize_t)iov.iov_len)
		probe_drop(p, now);
	explicit_bzero(out, sizeof(out));
}

static void info_take(struct probe *p, struct span info)
{
	char text[32];
	server_version_read(info, &p->version);
	if (info_field(info, "master_repl_offset", text, sizeof(text)))
		p->offset = strtoull(text, NULL, 10);
	if (!info_field(info, "master_replid", p->replid, sizeof(p->replid)))
		p->replid[0] = 0;
	p->is_replica = info_field(info, "role", text, sizeof(text)) && strcmp(text, "master") != 0;
	p->offset_ns = p->asked_ns;
	p->answers++;
}

static void reply_take(struct probe *p, const struct resp_value *v, const struct clock_reading *now)
{
	if (p->n_skip) {
		p->n_skip--;
		return;
	}
	p->asked = false;
	p->next_ns = now->mono_ns + EVERY_NS;
	p->refused = v->type != RESP_STRING;
	if (v->type == RESP_STRING)
		info_take(p, v->text);
}

static void probe_read(struct probe *p, const struct clock_reading *now)
{
	char in[8192];
	while (p->stream && (p->stream->flags & STREAM_READABLE)) {
		ssize_t n = stream_read(p->stream, in, sizeof(in));
		if (n == -EAGAIN)
			return;
		const struct resp_value *v;
		unsigned n_values;
		enum resp_verdict verdict = RESP_BAD;
		if (n > 0 && !resp_replies_feed(p->replies, in, (size_t)n))
			while ((verdict = resp_replies_next(p->replies, &v, &n_values)) == RESP_OK)
				reply_take(p, v, now);
		if (verdict == RESP_BAD)
			probe_drop(p, now);
	}
}

void probe_turn(struct probe *p, const struct clock_reading *now, uint64_t *deadline_ns)
{
	if (!p->stream && now->mono_ns >= p->next_ns)
		probe_connect(p, now);
	if (p->stream && ((p->stream->flags & STREAM_FAILED) || seek_is_moved(&p->seek)))
		probe_drop(p, now);
	if (p->stream && (p->stream->flags & STREAM_OPEN)) {
		probe_read(p, now);
		if (p->stream && !p->asked && (!p->greeted || now->mono_ns >= p->next_ns))
			probe_ask(p, now);
	}
	if (p->asked && now->mono_ns > p->asked_ns + PATIENCE_NS)
		probe_drop(p, now);
	uint64_t next = p->asked ? p->asked_ns + PATIENCE_NS : p->next_ns;
	bool seeks = !p->stream && p->seek.since_ns;
	if (((!p->stream && !seeks) || p->asked || p->greeted) && next < *deadline_ns)
		*deadline_ns = next;
}
