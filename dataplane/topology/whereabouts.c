// SPDX-License-Identifier: BSD-3-Clause
// whereabouts_turn() -> question_begin() -> naming_turn() | sentinels_turn() -> candidates_make()
//                    -> proving_turn() -> naming_turn() -> place_post() | nowhere_post()
#include "dataplane/topology/whereabouts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define POLL_NS 10000000000ull // sentinels are asked so often though nobody wants to know

// ---- The answer

static void where_write(struct whereabouts *w)
{
	uint64_t words[WHERE_WORDS];
	uint32_t seq = atomic_load_explicit(&w->seq, memory_order_relaxed);
	memcpy(words, &w->now, sizeof(words));
	atomic_store_explicit(&w->seq, seq + 1, memory_order_relaxed);
	for (size_t i = 0; i < WHERE_WORDS; i++) // each a release: seq is odd before it
		atomic_store_explicit(&w->words[i], words[i], memory_order_release);
	atomic_store_explicit(&w->seq, seq + 2, memory_order_release);
}

_Static_assert(sizeof(struct where) % 8 == 0, "it is read and written in words");

static void users_wake(struct whereabouts *w)
{
	for (unsigned i = 0; i < CORES_MAX; i++) {
		struct core *c = atomic_load(&w->users[i]);
		if (c)
			core_wake(c);
	}
}

static void answer_post(struct whereabouts *w)
{
	w->now.asked_ns = w->began_ns;
	w->stage = WHEREABOUTS_IDLE;
	where_write(w);
	users_wake(w);
}

static bool is_wanted(struct whereabouts *w)
{
	return atomic_load(&w->wanted_ns) > w->now.asked_ns;
}

// Nobody has to hear of a failure who did not ask.
static void nowhere_post(struct whereabouts *w, enum error_id error, const char *why)
{
	w->stage = WHEREABOUTS_IDLE;
	if (!is_wanted(w))
		return;
	w->now.error = error;
	snprintf(w->now.text, sizeof(w->now.text), "%s", why);
	answer_post(w);
}

static void place_post(struct whereabouts *w, const struct url_node *at, const char *address)
{
	struct where *now = &w->now;
	bool same = now->version && now->port == at->port && !strcmp(now->host, address);
	if (!same) {
		bool moved = now->version && w->sentinels;
		snprintf(now->name, sizeof(now->name), "%s", at->host);
		snprintf(now->host, sizeof(now->host), "%s", address);
		now->port = at->port;
		now->version++;
		if (moved)
			core_log(w->core, EVENT_WARN, w->link,
				 "the sentinels name %.100s:%u as the %s now (%.60s, configuration "
				 "epoch %llu)",
				 at->host, at->port, w->who, w->endpoint->master,
				 (unsigned long long)w->sentinels->epoch);
	}
	now->error = ERROR_NONE;
	now->text[0] = 0;
	atomic_store(&w->version, now->version);
	answer_post(w);
}

// ---- Names

static void wake(void *core)
{
	core_wake(core);
}

// The one that was used, unless it was of no use: then the next.
static const char *address_choose(struct whereabouts *w, const struct resolved *r)
{
	bool failed = atomic_load(&w->failed_version) == w->now.version;
	for (unsigned i = 0; i < r->n; i++)
		if (w->now.version && !strcmp(r->addresses[i], w->now.host))
			return r->addresses[failed ? (i + 1) % r->n : i];
	return r->addresses[0];
}

static void resolved_take(struct whereabouts *w, const struct resolved *r)
{
	const struct url_node *at = &w->candidates[w->candidate];
	char why[TEXT_LEN];
	if (r->n) {
		place_post(w, at, address_choose(w, r));
		return;
	}
	snprintf(why, sizeof(why), "cannot connect to the %s %.100s: the name does not resolve: %s",
		 w->who, at->host, resolve_text(r->error));
	nowhere_post(w, ERROR_RESOLVE, why);
}

static void naming_begin(struct whereabouts *w, uint64_t now_ns)
{
	const char *host = w->candidates[w->candidate].host;
	struct resolved r;
	w->stage = WHEREABOUTS_NAMING;
	w->deadline_ns = now_ns + w->patience_ns;
	if (resolve_address(host, &r))
		resolved_take(w, &r);
	else if (!w->resolve && resolve_begin(&w->resolve, host, wake, w->core))
		nowhere_post(w, ERROR_MEMORY, "no thread to ask the name server by");
}

static void naming_turn(struct whereabouts *w, uint64_t now_ns)
{
	struct resolved r;
	char why[TEXT_LEN];
	if (w->resolve && resolve_take(w->resolve, &r)) {
		resolve_end(w->resolve);
		w->resolve = NULL;
		resolved_take(w, &r);
	} else if (now_ns >= w->deadline_ns) {
		// Its thread ends by itself, and the next question may begin at once.
		resolve_end(w->resolve);
		w->resolve = NULL;
		snprintf(why, sizeof(why),
			 "cannot connect to the %s %.100s: the name server does not answer within "
			 "connect-timeout",
			 w->who, w->candidates[w->candidate].host);
		nowhere_post(w, ERROR_RESOLVE, why);
	}
}

// ---- Proof: what the sentinels name is asked what it is

static void candidate_add(struct whereabouts *w, const struct url_node *at)
{
	if (w->n_candidates < CANDIDATES_MAX)
		w->candidates[w->n_candidates++] = *at;
}

static bool is_here(const struct whereabouts *w, const struct url_node *at)
{
	return w->now.version && w->now.port == at->port &&
	       (!strcmp(w->now.name, at->host) || !strcmp(w->now.host, at->host));
}

// Healthy replicas, the one at hand first, then by what they have; then the master.
static void candidates_make(struct whereabouts *w)
{
	const struct sentinels *s = w->sentinels;
	bool taken[SENTINEL_REPLICAS_MAX] = {false};
	w->n_candidates = w->candidate = 0;
	for (unsigned k = 0; w->prefers_replica && k < s->n_replicas; k++) {
		int best = -1;
		for (unsigned i = 0; i < s->n_replicas; i++) {
			const struct sentinel_row *r = &s->replicas[i];
			if (taken[i] || !r->is_well || !r->at.port)
				continue;
			bool here = is_here(w, &r->at);
			if (here || best < 0 || r->offset > s->replicas[best].offset)
				best = (int)i;
			if (here)
				break;
		}
		if (best < 0)
			break;
		taken[best] = true;
		candidate_add(w, &s->replicas[best].at);
	}
	candidate_add(w, &s->master);
}

static void proving_begin(struct whereabouts *w, uint64_t now_ns);

// This one does not do. @param why  of the last one it is the answer
static void candidate_next(struct whereabouts *w, enum error_id error, const char *why,
			   uint64_t now_ns)
{
	if (++w->candidate < w->n_candidates)
		proving_begin(w, now_ns);
	else
		nowhere_post(w, error, why);
}

static void candidate_lost(struct whereabouts *w, uint64_t now_ns)
{
	const struct url_node *at = &w->candidates[w->candidate];
	char why[TEXT_LEN];
	snprintf(why, sizeof(why),
		 "cannot connect to the %.6s %.60s:%u, the master %.40s by its sentinels: %.60s",
		 w->who, at->host, at->port, w->endpoint->master, w->prover.why);
	candidate_next(w, ERROR_CONNECT, why, now_ns);
}

// The asker needs an address; names are rare here, and a thread finds them. One that cannot be
// resolved in time is answered as one that cannot be reached.
static void proving_begin(struct whereabouts *w, uint64_t now_ns)
{
	const struct endpoint *e = w->endpoint;
	const struct url_node *at = &w->candidates[w->candidate];
	struct resolved r;
	w->stage = WHEREABOUTS_PROVING;
	w->deadline_ns = now_ns + w->patience_ns;
	if (!resolve_address(at->host, &r)) {
		naming_begin(w, now_ns); // and whoever connects sees what it is
		return;
	}
	struct stream_peer peer = endpoint_peer_at(e, at->host, r.addresses[0], at->port);
	if (asker_open(&w->prover, w->core, &peer, now_ns, w->patience_ns)) {
		candidate_lost(w, now_ns);
		return;
	}
	if (e->has_password)
		asker_login(&w->prover, e->user, e->password, now_ns);
	ASKER_PUT(&w->prover, now_ns, "ROLE");
}

// What may not be asked for its role is taken by the sentinels' word.
static void role_take(struct whereabouts *w, struct role role, uint64_t now_ns)
{
	const struct url_node at = w->candidates[w->candidate];
	char why[TEXT_LEN];
	bool is_last = w->candidate + 1 == w->n_candidates;
	bool does = role.kind == ROLE_MASTER || role.kind == ROLE_UNKNOWN;
	if (!is_last) // it was named as a replica
		does = role.kind == ROLE_REPLICA && role.is_connected &&
		       role.offset >= w->need_offset;
	asker_close(&w->prover);
	if (does) {
		naming_begin(w, now_ns);
		return;
	}
	snprintf(why, sizeof(why),
		 "the %.6s %.60s:%u, the master %.40s by its sentinels, says that it is a %s",
		 w->who, at.host, at.port, w->endpoint->master,
		 role.kind == ROLE_REPLICA ? "replica" : "sentinel");
	candidate_next(w, ERROR_TARGET_READONLY, why, now_ns);
}

static void proving_turn(struct whereabouts *w, const struct clock_reading *now)
{
	const struct resp_value *v;
	unsigned n;
	enum resp_verdict verdict;
	while ((verdict = asker_next(&w->prover, now, &v, &n)) == RESP_OK)
		if (!w->prover.n_due) { // that of AUTH came before
			role_take(w, role_read(v, n), now->mono_ns);
			return;
		}
	if (verdict == RESP_BAD)
		candidate_lost(w, now->mono_ns);
}

// ---- Turn

static void sentinels_judge(struct whereabouts *w, enum sentinels_verdict verdict, uint64_t now_ns)
{
	if (verdict == SENTINELS_FAILED) {
		nowhere_post(w, w->sentinels->error, w->sentinels->why);
	} else if (verdict == SENTINELS_ANSWERED) {
		candidates_make(w);
		// Nobody waits, and nothing has changed: leave it at that.
		if (!is_wanted(w) && !w->now.error && is_here(w, &w->candidates[0]))
			w->stage = WHEREABOUTS_IDLE;
		else
			proving_begin(w, now_ns);
	}
}

static void question_begin(struct whereabouts *w, const struct clock_reading *now)
{
	w->began_ns = now->mono_ns;
	w->poll_at_ns = now->mono_ns + POLL_NS;
	if (!w->sentinels) {
		w->candidates[0] = w->place;
		w->candidate = 0;
		naming_begin(w, now->mono_ns);
		return;
	}
	w->stage = WHEREABOUTS_SENTINELS;
	w->sentinels->is_hinted = false;
	sentinels_ask(w->sentinels, now);
}

static bool question_is_due(struct whereabouts *w, const struct clock_reading *now)
{
	if (w->is_fixed || w->stage != WHEREABOUTS_IDLE)
		return false;
	if (is_wanted(w))
		return true;
	return w->sentinels && w->now.asked_ns &&
	       (w->sentinels->is_hinted || now->mono_ns >= w->poll_at_ns);
}

void whereabouts_turn(struct whereabouts *w, const struct clock_reading *now, uint64_t *deadline_ns)
{
	uint64_t deadline = NO_DEADLINE;
	if (question_is_due(w, now))
		question_begin(w, now);
	if (w->sentinels) {
		enum sentinels_verdict verdict = sentinels_turn(w->sentinels, now, &deadline);
		if (w->stage == WHEREABOUTS_SENTINELS)
			sentinels_judge(w, verdict, now->mono_ns);
		if (w->sentinels->is_hinted && w->stage == WHEREABOUTS_IDLE)
			deadline = now->mono_ns;
		if (w->now.asked_ns && w->poll_at_ns < deadline)
			deadline = w->poll_at_ns;
	}
	if (w->stage == WHEREABOUTS_PROVING)
		proving_turn(w, now);
	if (w->stage == WHEREABOUTS_NAMING)
		naming_turn(w, now->mono_ns);
	asker_deadline(&w->prover, &deadline);
	if (w->stage == WHEREABOUTS_NAMING && w->deadline_ns < deadline)
		deadline = w->deadline_ns;
	if (question_is_due(w, now))
		deadline = now->mono_ns;
	if (deadline < *deadline_ns)
		*deadline_ns = deadline;
}

static void place_set(struct whereabouts *w, const char *host, uint16_t port)
{
	struct where *now = &w->now;
	struct resolved r = {.n = 0};
	bool is_unix = w->endpoint->kind == URL_UNIX;
	snprintf(w->place.host, sizeof(w->place.host), "%s", host);
	w->place.port = port;
	resolve_end(w->resolve);
	w->resolve = NULL;
	w->stage = WHEREABOUTS_IDLE;
	w->is_fixed = is_unix || resolve_address(host, &r);
	now->asked_ns = 0; // what was known is of another place
	if (w->is_fixed) {
		now->version++;
		now->port = port;
		now->error = ERROR_NONE;
		snprintf(now->name, sizeof(now->name), "%s", host);
		snprintf(now->host, sizeof(now->host), "%s", is_unix ? "" : r.addresses[0]);
		atomic_store(&w->version, now->version);
	}
	where_write(w);
}

bool whereabouts_locate(struct whereabouts *w, const char *host, uint16_t port)
{
	if (w->place.port == port && !strcmp(w->place.host, host))
		return false;
	place_set(w, host, port);
	return true;
}

int whereabouts_init(struct whereabouts *w, struct core *core, uint32_t link, const char *who,
		     const struct endpoint *endpoint, const struct link_settings *settings,
		     bool prefers_replica)
{
	memset(w, 0, sizeof(*w));
	w->core = core;
	w->link = link;
	w->who = who;
	w->endpoint = endpoint;
	w->patience_ns = settings->connect_timeout * 1000000ull;
	w->prefers_replica = prefers_replica;
	if (endpoint->kind != URL_SENTINEL) {
		place_set(w, endpoint->host, endpoint->port);
		return 0;
	}
	w->sentinels = sentinels_new(core, endpoint, w->patience_ns, prefers_replica);
	return w->sentinels ? 0 : -ENOMEM;
}

const char *whereabouts_told(const struct whereabouts *w, char *out)
{
	out[0] = 0;
	if (w->sentinels && w->now.version)
		snprintf(out, TEXT_LEN, strchr(w->now.name, ':') ? "[%.200s]:%u" : "%.200s:%u",
			 w->now.name, w->now.port);
	return out;
}

void whereabouts_fini(struct whereabouts *w)
{
	sentinels_free(w->sentinels);
	w->sentinels = NULL;
	resolve_end(w->resolve);
	w->resolve = NULL;
	asker_close(&w->prover);
}
