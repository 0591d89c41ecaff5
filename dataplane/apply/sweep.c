// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/apply/sweep.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/apply/marker.h"
#include "parsers/auth_error.h"
#include "parsers/noperm.h"

#define RETRY_NS   500000000ull
#define SCAN_COUNT "1000"

void sweep_init(struct sweep *s, struct core *core, struct whereabouts *target,
		struct source_counters *counters)
{
	memset(s, 0, sizeof(*s));
	s->core = core;
	s->endpoint = target->endpoint;
	seek_init(&s->seek, target);
	s->counters = counters;
}

static void sweep_drop(struct sweep *s)
{
	if (s->stream)
		stream_close(s->stream);
	resp_replies_free(s->replies);
	s->stream = NULL;
	s->replies = NULL;
	s->greeted = s->scanning = s->listing = s->finishing = false;
	s->n_out = s->out_at = 0;
	s->n_skip = 0;
}

void sweep_fini(struct sweep *s)
{
	sweep_drop(s);
	keyset_fini(&s->keys);
	free(s->out);
	s->out = NULL;
	s->out_max = 0;
	s->running = false;
}

void sweep_begin(struct sweep *s)
{
	sweep_slots_begin(&s->slots);
	s->running = true;
	s->done = s->denied = false;
	s->retry_at_ns = 0;
	s->error[0] = 0;
}

// Whatever goes wrong, the walk begins again: it may be repeated.
static void sweep_retry(struct sweep *s, const struct clock_reading *now, const char *why)
{
	snprintf(s->error, sizeof(s->error), "%.200s", why);
	sweep_drop(s);
	s->retry_at_ns = now->mono_ns + RETRY_NS;
}

// ---- Words out

static bool out_reserve(struct sweep *s, size_t len)
{
	if (s->out_max - s->n_out >= len)
		return true;
	size_t max = 2 * (s->n_out + len);
	char *more = realloc(s->out, max);
	if (!more)
		return false;
	s->out = more;
	s->out_max = max;
	return true;
}

static void out_head(struct sweep *s, unsigned n)
{
	if (out_reserve(s, 32))
		s->n_out += (size_t)snprintf(s->out + s->n_out, 32, "*%u\r\n", n);
}

static void out_word(struct sweep *s, struct span w)
{
	if (!out_reserve(s, w.len + 32))
		return;
	s->n_out += (size_t)snprintf(s->out + s->n_out, 32, "$%zu\r\n", w.len);
	memcpy(s->out + s->n_out, w.p, w.len);
	memcpy(s->out + s->n_out + w.len, "\r\n", 2);
	s->n_out += w.len + 2;
}

static void out_words(struct sweep *s, unsigned n, ...)
{
	va_list args;
	va_start(args, n);
	out_head(s, n);
	for (unsigned i = 0; i < n; i++)
		out_word(s, span_of(va_arg(args, const char *)));
	va_end(args);
}

static void sweep_greet(struct sweep *s)
{
	const struct endpoint *e = s->endpoint;
	s->greeted = true;
	if (e->has_password && e->user[0])
		out_words(s, 3, "AUTH", e->user, e->password);
	else if (e->has_password)
		out_words(s, 2, "AUTH", e->password);
	s->n_skip = e->has_password;
	out_words(s, 2, "INFO", "keyspace");
}

static void scan_ask(struct sweep *s, const char *cursor)
{
	s->scanning = true;
	out_words(s, 4, "SCAN", cursor, "COUNT", SCAN_COUNT);
}

// Once the server has answered all of it.
static void walk_finish(struct sweep *s)
{
	s->finishing = true;
	if (s->slots.topology)
		out_words(s, 2, "CLUSTER", "NODES");
	else
		out_words(s, 1, "PING");
}

// Libraries are whole in any part of the slots: who sweeps some of them leaves libraries alone.
static void db_begin(struct sweep *s)
{
	char number[16];
	if (s->db == s->n_dbs && s->slots.wanted) {
		walk_finish(s);
		return;
	}
	if (s->db == s->n_dbs) {
		s->listing = true;
		out_words(s, 2, "FUNCTION", "LIST");
		return;
	}
	snprintf(number, sizeof(number), "%d", s->dbs[s->db]);
	out_words(s, 2, "SELECT", number);
	s->n_skip++;
	scan_ask(s, "0");
}

// ---- Words in

static void keyspace_take(struct sweep *s, struct span info)
{
	s->n_dbs = s->db = 0;
	for (const char *p = info.p, *end = info.p + info.len;
	     p + 2 < end && s->n_dbs < SWEEP_DBS_MAX;) {
		struct span number = {p + 2, (size_t)(end - p) - 2};
		int32_t db = p[0] == 'd' && p[1] == 'b' ? (int32_t)span_digits(number) : -1;
		if (db >= 0 && db_map_reaches(&s->dbs_synced, db))
			s->dbs[s->n_dbs++] = db;
		p = memchr(p, '\n', (size_t)(end - p));
		if (!p++)
			break;
	}
	db_begin(s);
}

static bool is_extra(const struct sweep *s, struct span key)
{
	return !keyset_has(&s->keys, s->dbs[s->db], key) && !marker_is_reserved(key) &&
	       sweep_slots_want(&s->slots, key) &&
	       (!s->slots.wants || s->slots.wants(s->slots.owner, s->dbs[s->db], key));
}

// One command for all of them; in a cluster one for each, which ASKING lets a node obey that takes
// the slot in. A redirect then says that the key is not there any more.
static void extras_delete(struct sweep *s, const struct resp_value *keys, unsigned n)
{
	unsigned n_extra = 0;
	for (unsigned i = 0; i < n; i++)
		n_extra += is_extra(s, keys[i].text);
	if (n_extra && !s->slots.topology) {
		out_head(s, n_extra + 1);
		out_word(s, SPAN_LIT("DEL"));
		s->n_skip++;
	}
	for (unsigned i = 0; i < n && n_extra; i++) {
		if (!is_extra(s, keys[i].text))
			continue;
		if (s->slots.topology) {
			out_words(s, 1, "ASKING");
			out_head(s, 2);
			out_word(s, SPAN_LIT("DEL"));
			s->n_skip += 2;
		}
		out_word(s, keys[i].text);
	}
}

// v: array of 2, cursor, array of n, keys
static void scan_take(struct sweep *s, const struct resp_value *v, unsigned n)
{
	char cursor[24];
	s->scanning = false;
	extras_delete(s, v + 3, n - 3);
	snprintf(cursor, sizeof(cursor), "%.*s", (int)v[1].text.len, v[1].text.p);
	if (strcmp(cursor, "0")) {
		scan_ask(s, cursor);
	} else {
		s->db++;
		db_begin(s);
	}
}

// v: array of libraries, each an array of names and values; NULL before Redis 7.0
static void libraries_take(struct sweep *s, const struct resp_value *v, unsigned n)
{
	s->listing = false;
	for (unsigned i = 0; v && i + 1 < n; i++) {
		if (v[i].type != RESP_STRING || !span_eq(v[i].text, SPAN_LIT("library_name")) ||
		    keyset_has(&s->keys, KEYSET_LIBRARIES, v[i + 1].text))
			continue;
		out_head(s, 3);
		out_word(s, SPAN_LIT("FUNCTION"));
		out_word(s, SPAN_LIT("DELETE"));
		out_word(s, v[i + 1].text);
		s->n_skip++;
	}
	walk_finish(s);
}

// A redirect in answer to DEL.
static bool is_redirect(const struct sweep *s, struct span error)
{
	struct cluster_redirect r;
	if (!s->slots.topology || !s->n_skip)
		return false;
	enum cluster_answer answer = cluster_error_read(error, NULL, &r);
	return answer == CLUSTER_MOVED || answer == CLUSTER_ASK;
}

// Of a cluster, the next master at once.
static void walk_over(struct sweep *s, const struct clock_reading *now, const struct resp_value *v)
{
	int rc = 1;
	if (s->slots.topology)
		rc = v->type == RESP_STRING ? sweep_slots_walked(&s->slots, v->text) : -1;
	if (rc < 0) {
		sweep_retry(s, now, "slots of the target cluster move");
		return;
	}
	s->running = !rc;
	s->done = rc;
	sweep_drop(s);
}

// A right that is missing does not come by waiting.
static void sweep_refused(struct sweep *s, const struct clock_reading *now, struct span error)
{
	char why[TEXT_LEN], says[AUTH_ERROR_LEN], advice[130];
	s->denied = noperm_is(error);
	noperm_advice(error, s->endpoint->user, advice, sizeof(advice));
	snprintf(why, sizeof(why), "the target says: %.85s%s",
		 auth_error_text(error, s->endpoint->password, says), advice);
	sweep_retry(s, now, why);
}

static void reply_take(struct sweep *s, const struct clock_reading *now, const struct resp_value *v,
		       unsigned n)
{
	bool may_refuse = s->listing && !s->n_skip; // servers before 7.0 have no functions
	if (v->type == RESP_ERROR && !may_refuse && !is_redirect(s, v->text)) {
		sweep_refused(s, now, v->text);
	} else if (s->n_skip) {
		s->n_skip--;
		if (v->type == RESP_INTEGER) // of DEL
			counter_add(&s->counters->extra_keys_deleted, (uint64_t)v->integer);
	} else if (s->listing) {
		libraries_take(s, v->type == RESP_ARRAY ? v : NULL, n);
	} else if (s->finishing) {
		walk_over(s, now, v);
	} else if (!s->scanning && v->type == RESP_STRING) {
		keyspace_take(s, v->text);
	} else if (s->scanning && v->type == RESP_ARRAY && n >= 3 && v[1].type == RESP_STRING) {
		scan_take(s, v, n);
	} else {
		sweep_retry(s, now, "the target answers SCAN in a way that is not known");
	}
}

static void sweep_read(struct sweep *s, const struct clock_reading *now)
{
	char in[16384];
	while (s->stream && (s->stream->flags & STREAM_READABLE)) {
		ssize_t n = stream_read(s->stream, in, sizeof(in));
		if (n == -EAGAIN)
			return;
		const struct resp_value *v;
		unsigned n_values;
		enum resp_verdict verdict = RESP_BAD;
		if (n > 0 && !resp_replies_feed(s->replies, in, (size_t)n))
			while (s->replies &&
			       (verdict = resp_replies_next(s->replies, &v, &n_values)) == RESP_OK)
				reply_take(s, now, v, n_values);
		if (s->stream && verdict == RESP_BAD)
			sweep_retry(s, now, "the connection to the target was lost");
	}
}

static void sweep_write(struct sweep *s, const struct clock_reading *now)
{
	while (s->out_at < s->n_out && (s->stream->flags & STREAM_WRITABLE)) {
		struct iovec iov = {s->out + s->out_at, s->n_out - s->out_at};
		ssize_t n = stream_writev(s->stream, &iov, 1);
		if (n == -EAGAIN)
			return;
		if (n < 0) {
			sweep_retry(s, now, "the connection to the target was lost");
			return;
		}
		s->out_at += (size_t)n;
	}
	if (s->out_at == s->n_out)
		s->out_at = s->n_out = 0;
}

static void sweep_connect(struct sweep *s, const struct clock_reading *now)
{
	struct stream_peer peer = endpoint_peer(s->endpoint);
	char why[TEXT_LEN];
	const char *trouble = NULL;
	if (!s->slots.topology) {
		int rc = seek_connect(&s->seek, s->core, now->mono_ns, &s->stream);
		if (rc == -EAGAIN)
			return;
		trouble = rc ? s->seek.why : NULL;
	} else if (!sweep_slots_next(&s->slots, s->endpoint, &peer, why)) {
		trouble = why;
	} else if (stream_connect(s->core->loop, &peer, &s->stream)) {
		trouble = "cannot connect to the target";
	}
	s->replies = resp_replies_new();
	if (!trouble && !s->replies)
		trouble = "no memory for a connection to the target";
	if (trouble)
		sweep_retry(s, now, trouble);
}

bool sweep_turn(struct sweep *s, const struct clock_reading *now, uint64_t *deadline_ns)
{
	if (!s->running)
		return true;
	if (!s->stream && now->mono_ns >= s->retry_at_ns)
		sweep_connect(s, now);
	if (s->stream && (s->stream->flags & STREAM_FAILED)) {
		seek_failed(&s->seek);
		sweep_retry(s, now, "cannot connect to the target");
	}
	if (s->stream && seek_is_moved(&s->seek))
		sweep_retry(s, now, "the sentinels name another server as the target");
	if (s->stream && (s->stream->flags & STREAM_OPEN) && !s->greeted)
		sweep_greet(s);
	if (s->stream && s->slots.topology)
		sweep_slots_watch(&s->slots);
	if (s->stream)
		sweep_read(s, now);
	if (s->stream)
		sweep_write(s, now);
	if (s->running && !s->stream && !s->seek.since_ns && s->retry_at_ns < *deadline_ns)
		*deadline_ns = s->retry_at_ns;
	return s->done;
}
