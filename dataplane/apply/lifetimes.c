// SPDX-License-Identifier: BSD-3-Clause
// lifetimes_turn() -> question_compose() -> socket -> answer_take() -> question_settle()
#include "dataplane/apply/lifetimes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "parsers/resp_write.h"

#define RETRY_NS       500000000ull
#define QUESTION       512 // keys asked at once
#define CLOCK_SLACK_MS 5   // a server may answer PTTL by a clock that it read a little earlier
#define HEAD_LEN       64  // of one command beside its key

void lifetimes_init(struct lifetimes *l, struct core *core, struct whereabouts *target)
{
	memset(l, 0, sizeof(*l));
	l->core = core;
	l->endpoint = target->endpoint;
	seek_init(&l->seek, target);
}

static void connection_drop(struct lifetimes *l)
{
	if (l->stream)
		stream_close(l->stream);
	resp_replies_free(l->replies);
	l->stream = NULL;
	l->replies = NULL;
	l->n_out = l->out_at = 0;
}

void lifetimes_fini(struct lifetimes *l)
{
	connection_drop(l);
	free(l->out);
	free(l->left_ms);
	l->out = NULL;
	l->left_ms = NULL;
	l->out_max = 0;
	l->running = false;
}

void lifetimes_begin(struct lifetimes *l, struct holds *holds)
{
	lifetimes_fini(l);
	l->holds = holds;
	l->first = l->end = l->n_kept = l->n_changed = 0;
	l->retry_at_ns = 0;
	l->error[0] = l->refusal[0] = 0;
	l->running = true;
}

// Whatever goes wrong, the question at hand is asked again: asking changes nothing.
static void ask_again(struct lifetimes *l, const struct clock_reading *now, const char *why)
{
	snprintf(l->error, sizeof(l->error), "%.200s", why);
	connection_drop(l);
	l->end = l->first;
	l->retry_at_ns = now->mono_ns + RETRY_NS;
}

static void give_up(struct lifetimes *l, struct span why)
{
	snprintf(l->refusal, sizeof(l->refusal), "%.*s", why.len < 180 ? (int)why.len : 180, why.p);
	lifetimes_fini(l);
	holds_fini(l->holds);
}

// ---- The question

static void out_words(struct lifetimes *l, struct span word, struct span key)
{
	char *at = l->out + l->n_out;
	size_t left = l->out_max - l->n_out;
	int n = snprintf(at, left, "*%d\r\n$%zu\r\n%.*s\r\n", key.p ? 2 : 1, word.len,
			 (int)word.len, word.p);
	if (key.p) {
		n += snprintf(at + n, left - (size_t)n, "$%zu\r\n", key.len);
		memcpy(at + n, key.p, key.len);
		memcpy(at + n + key.len, "\r\n", 2);
		n += (int)key.len + 2;
	}
	l->n_out += (size_t)n;
}

static struct span hold_name(const struct lifetimes *l, unsigned i)
{
	return (struct span){l->holds->names + l->holds->all[i].at, l->holds->all[i].len};
}

// Holds [first, end) are of one database. @return bytes that asking for them takes at most
static size_t question_size(struct lifetimes *l)
{
	size_t need = 4 * HEAD_LEN;
	int32_t db = l->holds->all[l->first].db;
	for (l->end = l->first;
	     l->end < l->holds->n && l->end - l->first < QUESTION && l->holds->all[l->end].db == db;
	     l->end++)
		need += l->holds->all[l->end].len + HEAD_LEN;
	return need;
}

static bool question_compose(struct lifetimes *l)
{
	char db[16];
	size_t need = question_size(l);
	if (need > l->out_max) {
		char *more = realloc(l->out, need);
		if (!more)
			return false;
		l->out = more;
		l->out_max = need;
	}
	if (!l->left_ms)
		l->left_ms = malloc(QUESTION * sizeof(*l->left_ms));
	if (!l->left_ms)
		return false;
	int n = snprintf(db, sizeof(db), "%d", l->holds->all[l->first].db);
	l->n_out = l->out_at = 0;
	l->n_seen = 0;
	l->n_skip++;
	out_words(l, SPAN_LIT("SELECT"), (struct span){db, (size_t)n});
	out_words(l, SPAN_LIT("TIME"), (struct span){NULL, 0});
	for (unsigned i = l->first; i < l->end; i++)
		out_words(l, SPAN_LIT("PTTL"), hold_name(l, i));
	out_words(l, SPAN_LIT("TIME"), (struct span){NULL, 0});
	return true;
}

// ---- The answer

// Both TIMEs are known: who has the expiry that was set?
static void question_settle(struct lifetimes *l, int64_t answered_ms)
{
	for (unsigned i = l->first; i < l->end; i++) {
		struct hold *hold = &l->holds->all[i];
		int64_t left = l->left_ms[i - l->first];
		bool stands = left >= 0 && hold->set_at_ms >= l->asked_ms + left - CLOCK_SLACK_MS &&
			      hold->set_at_ms <= answered_ms + left + CLOCK_SLACK_MS;
		if (!stands)
			hold_end(l->holds, hold);
		l->n_kept += stands;
		l->n_changed += !stands;
	}
	l->first = l->end;
}

// @return -1 when it is not the answer to TIME: seconds, microseconds
static int64_t time_of(const struct resp_value *v, unsigned n)
{
	if (v->type != RESP_ARRAY || n != 3 || v[1].type != RESP_STRING || v[2].type != RESP_STRING)
		return -1;
	return (int64_t)(span_digits(v[1].text) * 1000 + span_digits(v[2].text) / 1000);
}

static bool is_refusal(const struct resp_value *v)
{
	static const char *const words[] = {"NOPERM", "ERR unknown command"};
	for (unsigned i = 0; i < 2 && v->type == RESP_ERROR; i++)
		if (v->text.len >= strlen(words[i]) &&
		    !memcmp(v->text.p, words[i], strlen(words[i])))
			return true;
	return false;
}

static void answer_take(struct lifetimes *l, const struct clock_reading *now,
			const struct resp_value *v, unsigned n)
{
	unsigned last = l->end - l->first + 1, at = l->n_seen;
	bool is_time = at == 0 || at == last;
	int64_t ms = is_time ? time_of(v, n) : 0;
	if (is_refusal(v)) {
		give_up(l, v->text);
		return;
	}
	if (v->type == RESP_ERROR || (!l->n_skip && is_time && ms < 0) ||
	    (!l->n_skip && !is_time && v->type != RESP_INTEGER)) {
		ask_again(l, now, "the target does not answer TIME and PTTL");
		return;
	}
	if (l->n_skip) {
		l->n_skip--;
		return;
	}
	l->n_seen++;
	if (at == 0)
		l->asked_ms = ms;
	else if (at == last)
		question_settle(l, ms);
	else
		l->left_ms[at - 1] = v->integer;
}

// ---- Connection

static void answers_read(struct lifetimes *l, const struct clock_reading *now)
{
	char in[16384];
	while (l->stream && (l->stream->flags & STREAM_READABLE)) {
		ssize_t n = stream_read(l->stream, in, sizeof(in));
		if (n == -EAGAIN)
			return;
		const struct resp_value *v;
		unsigned n_values;
		enum resp_verdict verdict = RESP_BAD;
		if (n > 0 && !resp_replies_feed(l->replies, in, (size_t)n))
			while (l->replies &&
			       (verdict = resp_replies_next(l->replies, &v, &n_values)) == RESP_OK)
				answer_take(l, now, v, n_values);
		if (l->stream && verdict == RESP_BAD)
			ask_again(l, now, "the connection to the target was lost");
	}
}

static void question_write(struct lifetimes *l, const struct clock_reading *now)
{
	while (l->out_at < l->n_out && (l->stream->flags & STREAM_WRITABLE)) {
		struct iovec iov = {l->out + l->out_at, l->n_out - l->out_at};
		ssize_t n = stream_writev(l->stream, &iov, 1);
		if (n == -EAGAIN)
			return;
		if (n < 0) {
			ask_again(l, now, "the connection to the target was lost");
			return;
		}
		l->out_at += (size_t)n;
	}
}

static void greeting_write(struct lifetimes *l, const struct clock_reading *now)
{
	const struct endpoint *e = l->endpoint;
	char out[1024];
	l->n_skip = 0;
	if (!e->has_password)
		return;
	size_t n = e->user[0] ? RESP_WRITE(out, sizeof(out), "AUTH", e->user, e->password)
			      : RESP_WRITE(out, sizeof(out), "AUTH", e->password);
	struct iovec iov = {out, n};
	l->n_skip = 1;
	if (stream_writev(l->stream, &iov, 1) != (ssize_t)n)
		ask_again(l, now, "the connection to the target was lost");
	explicit_bzero(out, sizeof(out));
}

static void connection_open(struct lifetimes *l, const struct clock_reading *now)
{
	int rc = seek_connect(&l->seek, l->core, now->mono_ns, &l->stream);
	if (rc == -EAGAIN)
		return;
	l->replies = resp_replies_new();
	l->end = l->first;
	l->n_skip = UINT32_MAX; // not greeted yet
	if (rc)
		ask_again(l, now, l->seek.why);
	else if (!l->replies)
		ask_again(l, now, "no memory for a connection to the target");
}

static void conversation_step(struct lifetimes *l, const struct clock_reading *now)
{
	if (l->n_skip == UINT32_MAX)
		greeting_write(l, now);
	if (l->stream)
		answers_read(l, now);
	if (l->stream && l->first == l->end && l->first < l->holds->n && !question_compose(l))
		ask_again(l, now, "no memory for a question to the target");
	if (l->stream)
		question_write(l, now);
}

bool lifetimes_turn(struct lifetimes *l, const struct clock_reading *now, uint64_t *deadline_ns)
{
	if (!l->running)
		return true;
	if (l->first == l->holds->n) {
		lifetimes_fini(l);
		return true;
	}
	if (!l->stream && now->mono_ns >= l->retry_at_ns)
		connection_open(l, now);
	if (l->stream && (l->stream->flags & STREAM_FAILED)) {
		seek_failed(&l->seek);
		ask_again(l, now, "cannot connect to the target");
	}
	if (l->stream && seek_is_moved(&l->seek))
		ask_again(l, now, "the sentinels name another server as the target");
	if (l->stream && (l->stream->flags & STREAM_OPEN))
		conversation_step(l, now);
	if (l->running && !l->stream && !l->seek.since_ns && l->retry_at_ns < *deadline_ns)
		*deadline_ns = l->retry_at_ns;
	return !l->running || l->first == l->holds->n;
}
