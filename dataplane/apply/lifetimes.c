// SPDX-License-Identifier: BSD-3-Clause
// lifetimes_turn() -> node_find() -> question_pick(), question_compose() -> socket -> answer_take()
// -> question_settle()
#include "dataplane/apply/lifetimes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "parsers/resp_write.h"

#define RETRY_NS       500000000ull
#define QUESTION       LIFETIMES_QUESTION
#define WAITS_MAX      20        // for a slot that moves
#define LEFT_MOVED     INT64_MIN // in the place of an answer
#define CLOCK_SLACK_MS 5  // a server may answer PTTL by a clock that it read a little earlier
#define HEAD_LEN       64 // of one command beside its key

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
	l->first = l->n_picked = l->n_moved = l->n_waits = l->n_kept = l->n_changed = 0;
	memset(l->asked, 0, sizeof(l->asked));
	l->retry_at_ns = 0;
	l->error[0] = l->refusal[0] = 0;
	l->running = true;
}

// Whatever goes wrong, the question at hand is asked again: asking changes nothing.
static void ask_again(struct lifetimes *l, const struct clock_reading *now, const char *why)
{
	snprintf(l->error, sizeof(l->error), "%.200s", why);
	connection_drop(l);
	l->n_picked = 0;
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

static bool is_asked(const struct lifetimes *l, unsigned i)
{
	return l->asked[i / 64] >> i % 64 & 1;
}

// The node that owns the slot of a hold. @return NULL: nobody does
static const struct cluster_node *owner_of(const struct lifetimes *l, unsigned i)
{
	const struct cluster_map *map = cluster_topology_map(l->topology);
	uint16_t owner = map ? map->owner[key_slot(hold_name(l, i))] : CLUSTER_NONE;
	return owner == CLUSTER_NONE ? NULL : &map->nodes[owner];
}

// Whether the server at hand is to be asked for a hold.
static bool is_here(const struct lifetimes *l, unsigned i)
{
	const struct cluster_node *node = l->topology ? owner_of(l, i) : NULL;
	return !l->topology || (node && node->port == l->port && !strcmp(node->host, l->host));
}

// The next holds that this server has, of one database. @return bytes that asking for them takes at
// most
static size_t question_pick(struct lifetimes *l)
{
	size_t need = 4 * HEAD_LEN;
	int32_t db = l->holds->all[l->first].db;
	l->n_picked = 0;
	for (unsigned i = l->first; i < l->holds->n && l->n_picked < QUESTION; i++) {
		if (l->holds->all[i].db != db || is_asked(l, i) || !is_here(l, i))
			continue;
		need += l->holds->all[i].len + HEAD_LEN;
		l->picked[l->n_picked++] = i;
	}
	return need;
}

static bool question_compose(struct lifetimes *l)
{
	char db[16];
	size_t need = question_pick(l);
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
	for (unsigned i = 0; i < l->n_picked; i++)
		out_words(l, SPAN_LIT("PTTL"), hold_name(l, l->picked[i]));
	out_words(l, SPAN_LIT("TIME"), (struct span){NULL, 0});
	return true;
}

// ---- The answer

// One key of it. A slot that does not come to rest cannot be waited for without end.
static void hold_settle(struct lifetimes *l, unsigned i, int64_t left, int64_t answered_ms)
{
	struct hold *hold = &l->holds->all[i];
	if (left == LEFT_MOVED && l->n_waits < WAITS_MAX) {
		l->n_moved++;
		return;
	}
	bool stands = left >= 0 && hold->set_at_ms >= l->asked_ms + left - CLOCK_SLACK_MS &&
		      hold->set_at_ms <= answered_ms + left + CLOCK_SLACK_MS;
	if (!stands)
		hold_end(l->holds, hold);
	l->n_kept += stands;
	l->n_changed += !stands;
	l->asked[i / 64] |= 1ull << i % 64;
}

// Both TIMEs are known: who has the expiry that was set?
static void question_settle(struct lifetimes *l, const struct clock_reading *now,
			    int64_t answered_ms)
{
	l->n_moved = 0;
	for (unsigned i = 0; i < l->n_picked; i++)
		hold_settle(l, l->picked[i], l->left_ms[i], answered_ms);
	while (l->first < l->holds->n && is_asked(l, l->first))
		l->first++;
	l->n_picked = 0;
	if (!l->n_moved)
		return;
	l->n_waits++;
	cluster_topology_poke(l->topology);
	ask_again(l, now, "slots of the target cluster move");
}

// A key that is not where its slot was. Without a cluster that is no answer.
static bool is_elsewhere(const struct lifetimes *l, const struct resp_value *v)
{
	struct cluster_redirect r;
	return l->topology && v->type == RESP_ERROR &&
	       cluster_error_read(v->text, NULL, &r) != CLUSTER_OTHER;
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
	unsigned last = l->n_picked + 1, at = l->n_seen;
	bool is_time = at == 0 || at == last;
	bool moved = !l->n_skip && !is_time && is_elsewhere(l, v);
	int64_t ms = is_time ? time_of(v, n) : 0;
	if (is_refusal(v)) {
		give_up(l, v->text);
		return;
	}
	if ((v->type == RESP_ERROR && !moved) || (!l->n_skip && is_time && ms < 0) ||
	    (!l->n_skip && !is_time && v->type != RESP_INTEGER && !moved)) {
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
		question_settle(l, now, ms);
	else
		l->left_ms[at - 1] = moved ? LEFT_MOVED : v->integer;
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

// Who is asked next: the owner of the first key that is left.
static bool node_find(struct lifetimes *l, struct stream_peer *peer)
{
	const struct cluster_node *node = owner_of(l, l->first);
	if (!node || !node->host[0])
		return false;
	memcpy(l->host, node->host, sizeof(l->host));
	l->port = node->port;
	*peer = endpoint_peer_at(l->endpoint, l->host, l->host, l->port);
	return true;
}

static void connection_open(struct lifetimes *l, const struct clock_reading *now)
{
	struct stream_peer peer = endpoint_peer(l->endpoint);
	const char *trouble = NULL;
	if (!l->topology) {
		int rc = seek_connect(&l->seek, l->core, now->mono_ns, &l->stream);
		if (rc == -EAGAIN)
			return;
		trouble = rc ? l->seek.why : NULL;
	} else if (!node_find(l, &peer)) {
		trouble = "a slot of the target cluster has no master";
	} else if (stream_connect(l->core->loop, &peer, &l->stream)) {
		trouble = "cannot connect to the target";
	}
	l->replies = resp_replies_new();
	l->n_picked = 0;
	l->n_skip = UINT32_MAX; // not greeted yet
	if (!trouble && !l->replies)
		trouble = "no memory for a connection to the target";
	if (trouble)
		ask_again(l, now, trouble);
}

static void conversation_step(struct lifetimes *l, const struct clock_reading *now)
{
	if (l->n_skip == UINT32_MAX)
		greeting_write(l, now);
	if (l->stream)
		answers_read(l, now);
	if (l->stream && !l->n_picked && l->first < l->holds->n) {
		if (!question_compose(l))
			ask_again(l, now, "no memory for a question to the target");
		else if (!l->n_picked)
			connection_drop(l); // the rest is somewhere else
	}
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
