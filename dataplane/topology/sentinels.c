// SPDX-License-Identifier: BSD-3-Clause
// sentinels_turn() -> sentinel_turn() -> sentinel_connect(), questions_put(), answer_take()
//                  -> round_judge()
#include "dataplane/topology/sentinels.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parsers/auth_error.h"
#include "parsers/noperm.h"

#define MAJORITY_WAIT_NS 500000000ull // for a majority, once one has answered
#define LISTEN_RETRY_NS  2000000000ull

struct sentinels *sentinels_new(struct core *core, const struct endpoint *endpoint,
				uint64_t patience_ns, bool wants_replicas)
{
	struct sentinels *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->core = core;
	s->endpoint = endpoint;
	s->patience_ns = patience_ns;
	s->wants_replicas = wants_replicas;
	s->n = endpoint->n_nodes;
	for (unsigned i = 0; i < s->n; i++)
		s->list[i].at = endpoint->nodes[i];
	return s;
}

void sentinels_free(struct sentinels *s)
{
	for (unsigned i = 0; s && i < s->n; i++) {
		asker_close(&s->list[i].asker);
		asker_close(&s->list[i].listener);
		resolve_end(s->list[i].resolve);
	}
	free(s);
}

// ---- One sentinel

// It has no answer to this round.
static void sentinel_gives_up(struct sentinel *t, const char *why)
{
	if (!t->why[0])
		snprintf(t->why, sizeof(t->why), "%s", why);
	t->is_over = true;
	t->knows = false;
}

static void asker_gave_up(struct sentinel *t)
{
	char why[sizeof(t->why)];
	snprintf(why, sizeof(why), "%.119s", t->asker.why);
	sentinel_gives_up(t, why);
}

static struct stream_peer sentinel_peer(const struct sentinels *s, const struct sentinel *t)
{
	return endpoint_peer_at(s->endpoint, t->at.host, t->address, t->at.port);
}

static void wake(void *core)
{
	core_wake(core);
}

// @return whether its address is known
static bool sentinel_resolve(struct sentinels *s, struct sentinel *t)
{
	struct resolved r;
	if (t->address[0] && !t->is_stale)
		return true;
	if (!t->resolve && !resolve_address(t->at.host, &r)) {
		if (resolve_begin(&t->resolve, t->at.host, wake, s->core))
			sentinel_gives_up(t, "the name server cannot be asked");
		return false;
	}
	if (t->resolve) {
		if (!resolve_take(t->resolve, &r))
			return false;
		resolve_end(t->resolve);
		t->resolve = NULL;
	}
	if (!r.n) {
		sentinel_gives_up(t, resolve_text(r.error));
		return false;
	}
	memcpy(t->address, r.addresses[t->n_failures % r.n], sizeof(t->address));
	t->is_stale = false;
	return true;
}

// Who we are: as we were told for the sentinels; if we were told nothing, as we are at the servers,
// but only where a sentinel has asked for it.
//
// @return whether AUTH was said
static bool login(const struct sentinels *s, const struct sentinel *t, struct asker *a,
		  uint64_t now_ns)
{
	const struct endpoint *e = s->endpoint;
	if (e->sentinel.has_password)
		asker_login(a, e->sentinel.user, e->sentinel.password, now_ns);
	else if (t->was_refused)
		asker_login(a, e->user, e->password, now_ns);
	else
		return false;
	return true;
}

static void questions_put(struct sentinels *s, struct sentinel *t, bool is_fresh, uint64_t now_ns)
{
	const char *name = s->endpoint->master;
	struct asker *a = &t->asker;
	t->due = is_fresh && login(s, t, a, now_ns) ? QUESTION_LOGIN : QUESTION_ADDRESS;
	ASKER_PUT(a, now_ns, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", name);
	ASKER_PUT(a, now_ns, "SENTINEL", "MASTER", name);
	ASKER_PUT(a, now_ns, "SENTINEL", "SENTINELS", name);
	if (s->wants_replicas) // REPLICAS since 5.0
		ASKER_PUT(a, now_ns, "SENTINEL", "SLAVES", name);
}

static void sentinel_connect(struct sentinels *s, struct sentinel *t, uint64_t now_ns)
{
	struct stream_peer peer = sentinel_peer(s, t);
	if (asker_open(&t->asker, s->core, &peer, now_ns, s->patience_ns))
		asker_gave_up(t);
	else
		questions_put(s, t, true, now_ns);
}

// Ask, unless it is being asked.
static void sentinel_ask(struct sentinels *s, struct sentinel *t, uint64_t now_ns)
{
	if (t->is_over || (asker_is_open(&t->asker) && t->due != QUESTION_NONE))
		return;
	if (asker_is_open(&t->asker))
		questions_put(s, t, false, now_ns);
	else if (sentinel_resolve(s, t))
		sentinel_connect(s, t, now_ns);
}

// ---- Its answers

static bool begins(struct span text, const char *word)
{
	return text.len >= strlen(word) && !memcmp(text.p, word, strlen(word));
}

// It was told either password.
static void says(const struct sentinels *s, const struct resp_value *v, char *out, size_t len)
{
	char once[AUTH_ERROR_LEN], twice[AUTH_ERROR_LEN];
	struct span text = v->type == RESP_ERROR ? v->text : (struct span){"", 0};
	auth_error_text(text, s->endpoint->password, once);
	auth_error_text(span_of(once), s->endpoint->sentinel.password, twice);
	noperm_short(text, s->endpoint->sentinel.user, twice, sizeof(twice));
	snprintf(out, len, "it says: %.105s", twice);
}

static void address_take(struct sentinels *s, struct sentinel *t, const struct resp_value *v,
			 unsigned n)
{
	char why[sizeof(t->why)];
	bool is_error = v->type == RESP_ERROR;
	bool wants_login = is_error && begins(v->text, "NOAUTH");
	if (wants_login && !t->was_refused && !s->endpoint->sentinel.has_password &&
	    s->endpoint->has_password) {
		t->was_refused = true;
		asker_close(&t->asker); // and asked again in this round
		return;
	}
	int rc = sentinel_address(v, n, &t->master);
	t->knows = rc == 0;
	t->knows_not = rc == -ENOENT;
	if (rc == -EBADMSG) {
		says(s, v, why, sizeof(why));
		sentinel_gives_up(t, is_error ? why : "it is no sentinel");
		asker_close(&t->asker); // the next round logs in anew
	}
}

static bool node_is(const struct sentinel *t, const struct url_node *at)
{
	return t->at.port == at->port &&
	       (!strcmp(t->at.host, at->host) || !strcmp(t->address, at->host));
}

static void others_take(struct sentinels *s, const struct resp_value *v, unsigned n)
{
	struct sentinel_row rows[SENTINELS_MAX];
	unsigned n_rows = sentinel_rows(v, n, rows, SENTINELS_MAX);
	for (unsigned i = 0; i < n_rows; i++) {
		bool known = !rows[i].at.port || s->n == SENTINELS_MAX;
		for (unsigned k = 0; k < s->n && !known; k++)
			known = node_is(&s->list[k], &rows[i].at);
		if (known)
			continue;
		struct sentinel *t = &s->list[s->n++];
		memset(t, 0, sizeof(*t));
		t->at = rows[i].at;
		t->due = QUESTION_NONE;
	}
}

static void answer_take(struct sentinels *s, struct sentinel *t, const struct resp_value *v,
			unsigned n, uint64_t now_ns)
{
	struct sentinel_row row;
	enum sentinel_question question = t->due++;
	switch (question) {
	case QUESTION_LOGIN: // one that wants no password may refuse it, and answer all the same
		if (v->type == RESP_ERROR)
			says(s, v, t->why, sizeof(t->why));
		break;
	case QUESTION_ADDRESS:
		address_take(s, t, v, n);
		break;
	case QUESTION_MASTER:
		t->epoch = sentinel_master(v, n, &row) ? 0 : row.config_epoch;
		break;
	case QUESTION_OTHERS:
		others_take(s, v, n);
		if (!s->wants_replicas)
			t->due = QUESTION_NONE;
		break;
	case QUESTION_REPLICAS:
		if (t->knows)
			s->n_replicas = sentinel_rows(v, n, s->replicas, SENTINEL_REPLICAS_MAX);
		break;
	case QUESTION_NONE:
		t->due = QUESTION_NONE;
		return;
	}
	if (t->due != QUESTION_NONE || !asker_is_open(&t->asker))
		return;
	t->is_over = true;
	if (t->knows && !s->first_answer_ns)
		s->first_answer_ns = now_ns;
}

// ---- Listening

static void listen_begin(struct sentinels *s, struct sentinel *t, uint64_t now_ns)
{
	struct stream_peer peer = sentinel_peer(s, t);
	t->listen_at_ns = now_ns + LISTEN_RETRY_NS;
	if (asker_open(&t->listener, s->core, &peer, now_ns, s->patience_ns))
		return;
	login(s, t, &t->listener, now_ns);
	ASKER_PUT(&t->listener, now_ns, "SUBSCRIBE", "+switch-master");
}

// v: message, channel, what it says
static void hint_take(struct sentinels *s, const struct resp_value *v, unsigned n)
{
	struct url_node to;
	if (v->type != RESP_ARRAY || n != 4 || v[3].type != RESP_STRING ||
	    !sentinel_switch(v[3].text, s->endpoint->master, &to))
		return;
	s->is_hinted = true;
}

static void listen_turn(struct sentinels *s, struct sentinel *t, const struct clock_reading *now,
			uint64_t *deadline_ns)
{
	const struct resp_value *v;
	unsigned n;
	if (!asker_is_open(&t->listener) && t->knows && now->mono_ns >= t->listen_at_ns)
		listen_begin(s, t, now->mono_ns);
	while (asker_next(&t->listener, now, &v, &n) == RESP_OK)
		hint_take(s, v, n);
	asker_deadline(&t->listener, deadline_ns);
	if (!asker_is_open(&t->listener) && t->knows && t->listen_at_ns < *deadline_ns)
		*deadline_ns = t->listen_at_ns;
}

static void sentinel_turn(struct sentinels *s, struct sentinel *t, const struct clock_reading *now,
			  uint64_t *deadline_ns)
{
	const struct resp_value *v;
	unsigned n;
	enum resp_verdict verdict;
	if (s->is_asking)
		sentinel_ask(s, t, now->mono_ns);
	while ((verdict = asker_next(&t->asker, now, &v, &n)) == RESP_OK)
		answer_take(s, t, v, n, now->mono_ns);
	if (verdict == RESP_BAD) {
		// One that was kept open from an earlier round may have gone meanwhile: try anew.
		bool was_old = t->due == QUESTION_NONE;
		t->due = QUESTION_NONE;
		t->is_stale = true;
		t->n_failures++;
		if (!was_old)
			asker_gave_up(t);
	}
	if (s->is_asking) // also after a refusal that a password may mend
		sentinel_ask(s, t, now->mono_ns);
	asker_deadline(&t->asker, deadline_ns);
	listen_turn(s, t, now, deadline_ns);
}

// ---- The round

void sentinels_ask(struct sentinels *s, const struct clock_reading *now)
{
	s->is_asking = true;
	s->began_ns = now->mono_ns;
	s->first_answer_ns = 0;
	for (unsigned i = 0; i < s->n; i++) {
		struct sentinel *t = &s->list[i];
		if (!asker_is_open(&t->asker))
			t->due = QUESTION_NONE;
		t->is_over = t->knows_not = false;
		t->why[0] = 0;
	}
}

static bool node_same(const struct url_node *a, const struct url_node *b)
{
	return a->port == b->port && !strcmp(a->host, b->host);
}

// Those that have answered in this round that the master is there.
static unsigned votes_for(const struct sentinels *s, const struct url_node *at, uint64_t epoch)
{
	unsigned votes = 0;
	for (unsigned i = 0; i < s->n; i++)
		votes += s->list[i].is_over && s->list[i].knows && s->list[i].epoch == epoch &&
			 node_same(&s->list[i].master, at);
	return votes;
}

// The highest epoch; of several places with the same, the one with the most votes.
static const struct sentinel *best_find(const struct sentinels *s, unsigned *votes)
{
	const struct sentinel *best = NULL;
	*votes = 0;
	for (unsigned i = 0; i < s->n; i++) {
		const struct sentinel *t = &s->list[i];
		if (!t->is_over || !t->knows || (best && t->epoch < best->epoch))
			continue;
		unsigned here = votes_for(s, &t->master, t->epoch);
		if (best && t->epoch == best->epoch && here <= *votes)
			continue;
		best = t;
		*votes = here;
	}
	return best;
}

static enum sentinels_verdict fail(struct sentinels *s)
{
	const struct sentinel *speaker = NULL;
	s->is_asking = false;
	s->error = ERROR_CONNECT;
	for (unsigned i = 0; i < s->n; i++) {
		const struct sentinel *t = &s->list[i];
		if (t->knows_not) {
			s->error = ERROR_SENTINEL;
			snprintf(s->why, sizeof(s->why),
				 "the sentinel %.80s:%u knows no master named %.60s", t->at.host,
				 t->at.port, s->endpoint->master);
			return SENTINELS_FAILED;
		}
		if (!speaker || (!speaker->why[0] && t->why[0]))
			speaker = t;
	}
	if (strstr(speaker->why, "NOAUTH") || strstr(speaker->why, "WRONGPASS"))
		s->error = ERROR_AUTH;
	else if (strstr(speaker->why, "NOPERM"))
		s->error = ERROR_NOPERM;
	snprintf(s->why, sizeof(s->why), "no sentinel of %.30s answers; %.60s:%u: %.115s",
		 s->endpoint->master, speaker->at.host, speaker->at.port,
		 speaker->why[0] ? speaker->why : "no answer in time");
	return SENTINELS_FAILED;
}

static enum sentinels_verdict round_judge(struct sentinels *s, uint64_t now_ns)
{
	unsigned n_over = 0, n_know = 0, votes, majority = s->n / 2 + 1;
	for (unsigned i = 0; i < s->n; i++) {
		n_over += s->list[i].is_over;
		n_know += s->list[i].is_over && s->list[i].knows;
	}
	bool late = now_ns >= s->began_ns + s->patience_ns ||
		    (s->first_answer_ns && now_ns >= s->first_answer_ns + MAJORITY_WAIT_NS);
	if (n_over < s->n && n_know < majority && !late)
		return SENTINELS_ASKING;
	const struct sentinel *best = best_find(s, &votes);
	if (!best)
		return fail(s);
	if (best->epoch < s->epoch && votes < majority) {
		s->is_asking = false;
		s->error = ERROR_CONNECT;
		snprintf(
			s->why, sizeof(s->why),
			"the sentinels that answer speak of configuration epoch %llu of %.40s, and "
			"%llu was seen before",
			(unsigned long long)best->epoch, s->endpoint->master,
			(unsigned long long)s->epoch);
		return SENTINELS_FAILED;
	}
	s->is_asking = false;
	s->epoch = best->epoch;
	s->master = best->master;
	return SENTINELS_ANSWERED;
}

// One that answers late, after the majority, may know better.
static void late_look(struct sentinels *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct sentinel *t = &s->list[i];
		if (t->is_over && t->knows && t->epoch > s->epoch)
			s->is_hinted = true;
	}
}

static uint64_t round_deadline(const struct sentinels *s)
{
	uint64_t at = s->began_ns + s->patience_ns;
	if (s->first_answer_ns && s->first_answer_ns + MAJORITY_WAIT_NS < at)
		at = s->first_answer_ns + MAJORITY_WAIT_NS;
	return at;
}

enum sentinels_verdict sentinels_turn(struct sentinels *s, const struct clock_reading *now,
				      uint64_t *deadline_ns)
{
	enum sentinels_verdict verdict = SENTINELS_ASKING;
	for (unsigned i = 0; i < s->n; i++) // those that are learned meanwhile too
		sentinel_turn(s, &s->list[i], now, deadline_ns);
	if (s->is_asking) {
		verdict = round_judge(s, now->mono_ns);
		if (s->is_asking && round_deadline(s) < *deadline_ns)
			*deadline_ns = round_deadline(s);
	} else {
		late_look(s);
	}
	return verdict;
}
