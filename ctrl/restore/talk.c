// SPDX-License-Identifier: BSD-3-Clause
// What the primary is asked, and what it answers: conn_listen() -> requests_take() -> answer()
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "ctrl/restore/primary_priv.h"

#define WORDS_MAX 16
#define PING_LEN  14 // of a PING in the stream

void conn_say(struct conn *c, const char *format, ...)
{
	va_list args;
	size_t room = sizeof(c->out) - c->out_len;
	va_start(args, format);
	int n = vsnprintf(c->out + c->out_len, room, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= room)
		c->gone = true; // it asks and does not listen
	else
		c->out_len += (size_t)n;
}

static void info_say(const struct primary *p, struct conn *c)
{
	const struct plan *plan = p->set.plan;
	char text[512], version[64] = "";
	const char *number = strchr(plan->server.text, ' ');
	if (number)
		snprintf(version, sizeof(version), "%s_version:%s\r\n",
			 plan->server.valkey ? "valkey" : "redis", number + 1);
	int n = snprintf(text, sizeof(text),
			 "# Server\r\n%s# Replication\r\nrole:master\r\nmaster_replid:%s\r\n"
			 "master_repl_offset:%" PRIu64 "\r\n",
			 version, plan->replid, plan_end(plan));
	conn_say(c, "$%d\r\n%s\r\n", n, text);
}

// ---- PSYNC

// Whether the stream can go on behind `have` bytes of it, base included.
static bool is_servable(const struct plan *plan, struct span replid, uint64_t have)
{
	if (!span_eq(replid, span_of(plan->replid)) || have < PLAN_BASE_OFFSET)
		return false;
	uint64_t end = plan_end(plan);
	return have <= end || (have - end) % PING_LEN == 0;
}

enum begins { BEGINS, BEGINS_LATER, BEGINS_NEVER };

// A full sync serves all commands, and those that were applied before would be applied again on top
// of what they did. That is no matter where the target is empty, or where its markers say that only
// the snapshot was on its way.
static enum begins begins_judge(struct primary *p, struct span replid)
{
	struct failure f;
	struct target_facts facts;
	const struct plan *plan = p->set.plan;
	bool other = replid.len != 1; // another history than this file's
	if (p->set.again || !plan->stream_len)
		return BEGINS;
	if (!p->commands_served && !p->set.resumes && !other)
		return BEGINS;
	if (p->set.look(p->set.arg, &facts, &f))
		return BEGINS_LATER;
	if (!facts.n_keys || (facts.marked && !facts.streamed))
		return BEGINS;
	failure_set(&f, ERROR_RESTORE_AGAIN,
		    other ? "%s is not what it was when this restore began"
			  : "where the target is in %s cannot be told any more",
		    plan->name);
	primary_fail(p, &f);
	return BEGINS_NEVER;
}

static void replica_take(struct primary *p, struct conn *c)
{
	if (p->fed && p->fed != c)
		p->fed->gone = true;
	p->fed = c;
}

static void full_sync(struct primary *p, struct conn *c)
{
	const struct plan *plan = p->set.plan;
	uint64_t len = plan->snapshot_len ? plan->snapshot_len : EMPTY_RDB_LEN;
	conn_say(c, "+FULLRESYNC %s %d\r\n$%" PRIu64 "\r\n", plan->replid, PLAN_BASE_OFFSET, len);
	replica_take(p, c);
	feed_begin(p, c, UINT64_MAX);
}

static void psync(struct primary *p, struct conn *c, struct span replid, struct span offset)
{
	const struct plan *plan = p->set.plan;
	uint64_t want = span_digits(offset); // counted from 1
	if (want && is_servable(plan, replid, want - 1)) {
		conn_say(c, "+CONTINUE %s\r\n", plan->replid);
		replica_take(p, c);
		feed_begin(p, c, want - 1);
		return;
	}
	switch (begins_judge(p, replid)) {
	case BEGINS:
		full_sync(p, c);
		break;
	case BEGINS_LATER:
		conn_say(c, "-LOADING the target does not answer\r\n");
		break;
	case BEGINS_NEVER:
		conn_say(c, "-ERR the file cannot be taken up\r\n");
		break;
	}
}

// ---- Requests

static bool is_word(struct span word, const char *is)
{
	return word.len == strlen(is) && !strncasecmp(word.p, is, word.len);
}

static void answer(struct primary *p, struct conn *c, const struct span *argv, unsigned argc)
{
	if (is_word(argv[0], "PING"))
		conn_say(c, "+PONG\r\n");
	else if (is_word(argv[0], "INFO"))
		info_say(p, c);
	else if (is_word(argv[0], "PSYNC") && argc == 3)
		psync(p, c, argv[1], argv[2]);
	else if (is_word(argv[0], "REPLCONF") && argc > 1 && is_word(argv[1], "ACK"))
		return;
	else if (is_word(argv[0], "REPLCONF") || is_word(argv[0], "AUTH"))
		conn_say(c, "+OK\r\n");
	else
		conn_say(c, "-ERR unknown command: this is a file that is restored\r\n");
}

static void request_take(struct primary *p, struct conn *c, const char *begin,
			 const struct resp_frame *frame)
{
	struct span argv[WORDS_MAX];
	unsigned n = frame->argc < WORDS_MAX ? frame->argc : WORDS_MAX;
	for (unsigned i = 0; i < n; i++)
		argv[i] = (struct span){begin + frame->argv[i].at, frame->argv[i].len};
	if (n)
		answer(p, c, argv, n);
}

static void requests_take(struct primary *p, struct conn *c)
{
	struct resp_frame frame;
	enum resp_verdict verdict;
	struct span left = {c->in, c->in_len};
	while (!c->gone && (verdict = resp_stream_next(c->requests, left, &frame)) == RESP_OK) {
		request_take(p, c, left.p, &frame);
		left.p += frame.end - frame.begin;
		left.len -= frame.end - frame.begin;
	}
	c->gone |= verdict == RESP_BAD;
	c->in_len = left.len;
	memmove(c->in, left.p, left.len);
	c->gone |= c->in_len == sizeof(c->in); // nobody has so much to say to us
}

void conn_listen(struct primary *p, struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	c->gone |= n <= 0;
	if (c->gone)
		return;
	c->in_len += (size_t)n;
	requests_take(p, c);
}
