// SPDX-License-Identifier: BSD-3-Clause
// elder_serve() -> commands_take() -> command_pass() -> server
//               -> replies_take() -> reply_pass() -> client
#include "tests/e2e/elder.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "parsers/reply.h"
#include "parsers/resp_skim.h"
#include "parsers/server_version.h"
#include "tests/e2e/elder_rules.h"
#include "tests/e2e/harness.h"

#define CHUNK_LEN (64 * 1024)

struct bytes {
	char *p;
	size_t len, max;
};

// What becomes of a reply that is on its way.
struct awaited {
	struct awaited *next;
	bool is_info;
	char text[ELDER_TEXT_LEN]; // the error to be said instead, "" none
};

struct wire {
	struct elder *elder;
	int client, server;
	bool raw;              // a replication stream: no commands and replies any more
	struct bytes from_client, from_server, to_server, to_client;
	struct span *argv;
	unsigned argv_max;
	struct awaited *first, **last;
};

static void bytes_add(struct bytes *b, const void *p, size_t len)
{
	if (b->max - b->len < len) {
		b->max = 2 * (b->len + len) + CHUNK_LEN;
		b->p = realloc(b->p, b->max);
		if (!b->p)
			abort();
	}
	memcpy(b->p + b->len, p, len);
	b->len += len;
}

static void bytes_drop(struct bytes *b, size_t len)
{
	b->len -= len;
	memmove(b->p, b->p + len, b->len);
}

static void text_add(struct bytes *b, const char *format, ...)
{
	char said[ELDER_TEXT_LEN * 2];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(said, sizeof(said), format, args);
	va_end(args);
	bytes_add(b, said, (size_t)n);
}

static void bulk_add(struct bytes *b, struct span s)
{
	text_add(b, "$%zu\r\n", s.len);
	bytes_add(b, s.p, s.len);
	bytes_add(b, "\r\n", 2);
}

// ---- Commands

static struct awaited *reply_await(struct wire *w)
{
	struct awaited *a = calloc(1, sizeof(*a));
	if (!a)
		abort();
	*w->last = a;
	w->last = &a->next;
	return a;
}

// COMMAND INFO knows of what the release knows: other names become one that no server has.
static void command_info_pass(struct wire *w, unsigned argc)
{
	text_add(&w->to_server, "*%u\r\n", argc);
	for (unsigned i = 0; i < argc; i++)
		bulk_add(&w->to_server, i < 2 || elder_knows(w->elder->at, w->argv[i])
						? w->argv[i]
						: SPAN_LIT("flyover-elder"));
}

static void command_pass(struct wire *w, struct span whole, unsigned argc)
{
	char text[ELDER_TEXT_LEN];
	const struct span *argv = w->argv;
	enum elder_verdict verdict = elder_judge(w->elder->at, argv, argc, text);
	struct awaited *a = reply_await(w);
	a->is_info = span_caseeq(argv[0], "INFO");
	w->raw = span_caseeq(argv[0], "PSYNC") || span_caseeq(argv[0], "SYNC");
	if (verdict == ELDER_PASS) {
		if (argc > 2 && span_caseeq(argv[0], "COMMAND") && span_caseeq(argv[1], "INFO"))
			command_info_pass(w, argc);
		else
			bytes_add(&w->to_server, whole.p, whole.len);
		return;
	}
	atomic_fetch_add(&w->elder->n_refused, 1);
	if (verdict == ELDER_AT_QUEUEING) {
		memcpy(a->text, text, sizeof(text));
		text_add(&w->to_server, "*1\r\n$13\r\nflyover-elder\r\n");
	} else {
		text_add(&w->to_server, "*4\r\n$4\r\nEVAL\r\n");
		bulk_add(&w->to_server, SPAN_LIT("return redis.error_reply(ARGV[1])"));
		text_add(&w->to_server, "$1\r\n0\r\n");
		bulk_add(&w->to_server, span_of(text));
	}
}

static void argument_keep(struct wire *w, unsigned i, struct span arg)
{
	if (i >= w->argv_max) {
		w->argv_max = 2 * i + 64;
		w->argv = realloc(w->argv, w->argv_max * sizeof(*w->argv));
		if (!w->argv)
			abort();
	}
	w->argv[i] = arg;
}

// Whole commands of what the client has said. @return false when it is no RESP
static bool commands_take(struct wire *w)
{
	size_t begin = 0, at = 0, used;
	enum skim_verdict verdict = SKIM_ARG;
	struct resp_skim s;
	resp_skim_init(&s);
	while (!w->raw && verdict != SKIM_MORE && verdict != SKIM_BAD) {
		struct span rest = {w->from_client.p + at, w->from_client.len - at};
		verdict = resp_skim_next(&s, rest, &used);
		at += used;
		if (verdict == SKIM_ARG)
			argument_keep(w, s.n_args - 1,
				      (struct span){w->from_client.p + begin + s.arg.at,
						    (size_t)s.arg.len});
		if (verdict != SKIM_COMMAND)
			continue;
		if (s.argc)
			command_pass(w,
				     (struct span){w->from_client.p + begin, at - begin}, s.argc);
		begin = at;
	}
	bytes_drop(&w->from_client, begin);
	if (w->raw) {
		bytes_add(&w->to_server, w->from_client.p, w->from_client.len);
		w->from_client.len = 0;
	}
	return verdict != SKIM_BAD;
}

// ---- Replies

// INFO, with the lines of the version exchanged.
static void info_pass(struct wire *w, struct span info)
{
	struct bytes told = {0};
	const char *line = memmem(info.p, info.len, "redis_version:", 14);
	const char *end = line ? memchr(line, '\n', info.len - (size_t)(line - info.p)) : NULL;
	if (!end) {
		bulk_add(&w->to_client, info);
		return;
	}
	bytes_add(&told, info.p, (size_t)(line - info.p));
	bytes_add(&told, w->elder->info, strlen(w->elder->info));
	bytes_add(&told, end + 1, info.len - (size_t)(end + 1 - info.p));
	bulk_add(&w->to_client, (struct span){told.p, told.len});
	free(told.p);
}

static void reply_pass(struct wire *w, struct span whole, const struct reply *r)
{
	struct awaited *a = w->first;
	if (a && a->text[0])
		text_add(&w->to_client, "-%s\r\n", a->text);
	else if (a && a->is_info && r->type == '$' && r->integer > 0)
		info_pass(w, (struct span){r->line.p + r->line.len + 2, (size_t)r->integer});
	else
		bytes_add(&w->to_client, whole.p, whole.len);
	if (!a)
		return; // a message
	w->first = a->next;
	if (!w->first)
		w->last = &w->first;
	free(a);
}

static bool replies_take(struct wire *w)
{
	enum reply_verdict verdict = REPLY_OK;
	size_t at = 0;
	while (!w->raw && at < w->from_server.len && verdict == REPLY_OK) {
		struct reply r;
		struct span rest = {w->from_server.p + at, w->from_server.len - at};
		verdict = reply_scan(rest, &r);
		if (verdict == REPLY_OK) {
			reply_pass(w, (struct span){rest.p, r.len}, &r);
			at += r.len;
		}
	}
	if (w->raw) {
		bytes_add(&w->to_client, w->from_server.p, w->from_server.len);
		at = w->from_server.len;
	}
	bytes_drop(&w->from_server, at);
	return verdict != REPLY_BAD;
}

// ---- A connection

// @return false when the peer has gone
static bool bytes_read(int fd, struct bytes *b)
{
	char chunk[CHUNK_LEN];
	ssize_t n = recv(fd, chunk, sizeof(chunk), 0);
	if (n > 0)
		bytes_add(b, chunk, (size_t)n);
	return n > 0;
}

static bool bytes_send(int fd, struct bytes *b)
{
	int rc = b->len ? fake_write(fd, b->p, b->len) : 0;
	b->len = 0;
	return !rc;
}

// A server takes in what it is sent whatever becomes of its replies, so waiting to send cannot end
// in a circle.
static bool wire_turn(struct wire *w)
{
	struct pollfd polled[2] = {{.fd = w->client, .events = POLLIN},
				   {.fd = w->server, .events = POLLIN}};
	if (poll(polled, 2, -1) < 0)
		return false;
	if (polled[1].revents && !(bytes_read(w->server, &w->from_server) && replies_take(w)))
		return false;
	if (polled[0].revents && !(bytes_read(w->client, &w->from_client) && commands_take(w)))
		return false;
	return bytes_send(w->server, &w->to_server) && bytes_send(w->client, &w->to_client);
}

static void elder_serve(struct fake *f, int fd)
{
	struct elder *e = (struct elder *)(uintptr_t)f->arg;
	struct wire w = {.elder = e, .client = fd, .server = loopback_connect(e->upstream_port)};
	w.last = &w.first;
	while (w.server >= 0 && wire_turn(&w))
		;
	if (w.server >= 0)
		close(w.server);
	while (w.first) {
		struct awaited *a = w.first;
		w.first = a->next;
		free(a);
	}
	free(w.argv);
	free(w.from_client.p);
	free(w.from_server.p);
	free(w.to_server.p);
	free(w.to_client.p);
}

void elder_becomes(struct elder *e, const char *version)
{
	unsigned major = 0, minor = 0;
	const char *number = strchr(version, ' ');
	assert_true(number && sscanf(number, "%u.%u", &major, &minor) == 2);
	bool valkey = !strncmp(version, "valkey ", 7);
	e->at = valkey ? SERVER_VERSION(7, 2) : SERVER_VERSION(major, minor);
	if (valkey)
		snprintf(e->info, sizeof(e->info),
			 "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:%s\r\n",
			 number + 1);
	else
		snprintf(e->info, sizeof(e->info), "redis_version:%s\r\n", number + 1);
}

struct elder *elder_start(struct world *w, const char *version, int upstream_port)
{
	struct elder *e = calloc(1, sizeof(*e));
	assert_non_null(e);
	elder_becomes(e, version);
	e->upstream_port = upstream_port;
	struct fake *f = fake_start(w, elder_serve, e);
	e->port = f->port;
	snprintf(e->url, sizeof(e->url), "%s", f->url);
	e->next = w->elders;
	w->elders = e;
	return e;
}

unsigned elder_refused(const struct elder *e)
{
	return atomic_load(&e->n_refused);
}

void elders_free(struct world *w)
{
	while (w->elders) {
		struct elder *e = w->elders;
		w->elders = e->next;
		free(e);
	}
}
