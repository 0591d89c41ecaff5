// SPDX-License-Identifier: BSD-3-Clause
// rights_ask() -> nodes_ask() -> node_ask() -> rights_source() -> dry_run() | psync_try() ;
// rights_target() -> multi_begin() -> verbs_queue() -> verbs_judge(), exec_try()
#include "ctrl/doctor/rights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ctrl/check/client_cluster.h"

#define WORDS_MAX 12
#define REDIS_7   (7u << 8)
#define REDIS_6   (6u << 8)

static bool begins(struct span text, const char *word)
{
	size_t len = strlen(word);
	return text.len >= len && !strncasecmp(text.p, word, len);
}

static bool holds(struct span text, const char *word)
{
	return memmem(text.p, text.len, word, strlen(word)) != NULL;
}

// "ERR unknown command ..."; of ACL DRYRUN "ERR Command ... not found".
static bool is_absent(const struct resp_value *v)
{
	return v->type == RESP_ERROR &&
	       (begins(v->text, "ERR unknown ") ||
		(begins(v->text, "ERR Command ") && holds(v->text, " not found")));
}

void rights_judge(struct rights_facts *r, unsigned verb, bool of_marker, const struct resp_value *v)
{
	bool dry = v->type == RESP_STRING && holds(v->text, "no permissions");
	bool refused = v->type == RESP_ERROR && begins(v->text, "NOPERM");
	if (is_absent(v))
		verb_set_add(&r->absent, verb);
	if (!dry && !refused)
		return;
	if (holds(v->text, " channel"))
		r->channels_denied = true;
	else if (!holds(v->text, " key"))
		verb_set_add(&r->denied, verb);
	else if (of_marker)
		r->marker_denied = true;
	else
		r->keys_denied = true;
}

// ---- Source -----------------------------------------------------------------------------------

// @return 1 answered, 0 not allowed to ask, -1 the connection failed
static int dry_run(struct client *c, const struct server_facts *s, struct rights_facts *r,
		   const char *name, const char *words)
{
	char format[64];
	snprintf(format, sizeof(format), "ACL DRYRUN %%b %s %s", name, words);
	client_ask(c, format, span_of(s->user));
	const struct resp_value *v = client_next(c, NULL);
	if (!v)
		return -1;
	if (v->type == RESP_ERROR && (begins(v->text, "ERR unknown ") || !is_absent(v)))
		return 0;
	rights_judge(r, verb_find(name), false, v);
	return 1;
}

// What only asks, and so may run.
static const struct question {
	const char *name, *words;
	unsigned kind; // enum rights_kind; 0: any
} questions[] = {
	{"INFO", "server", 0},
	{"CLUSTER SLOTS", "", RIGHTS_CLUSTER},
	{"CLUSTER INFO", "", RIGHTS_CLUSTER},
	{"ROLE", "", RIGHTS_WATCHED},
};
#define N_QUESTIONS (sizeof(questions) / sizeof(questions[0]))

static bool is_of(unsigned kind, const struct server_facts *s)
{
	return !kind || kind == s->kind;
}

static int questions_dry(struct client *c, const struct server_facts *s, struct rights_facts *r)
{
	int rc = 1;
	for (unsigned i = 0; i < N_QUESTIONS && rc == 1; i++)
		if (is_of(questions[i].kind, s))
			rc = dry_run(c, s, r, questions[i].name, questions[i].words);
	return rc;
}

static int questions_ask(struct client *c, const struct server_facts *s, struct rights_facts *r)
{
	char format[64];
	for (unsigned i = 0; i < N_QUESTIONS; i++) {
		if (!is_of(questions[i].kind, s))
			continue;
		snprintf(format, sizeof(format), "%s %s", questions[i].name, questions[i].words);
		client_ask(c, format);
		const struct resp_value *v = client_next(c, NULL);
		if (!v)
			return -1;
		rights_judge(r, verb_find(questions[i].name), false, v);
	}
	return 0;
}

// REPLCONF capa does nothing to a connection that is no replica's yet. PSYNC with an offset that is
// no number is refused before it begins, from 7.0 on; older servers are not asked.
static int psync_try(struct client *c, const struct server_facts *s, struct rights_facts *r)
{
	if (questions_ask(c, s, r))
		return -1;
	client_ask(c, "REPLCONF capa eof");
	const struct resp_value *v = client_next(c, NULL);
	if (!v)
		return -1;
	rights_judge(r, verb_find("REPLCONF"), false, v);
	if (s->version < REDIS_7)
		return 0;
	client_ask(c, "PSYNC ? none");
	v = client_next(c, NULL);
	if (!v)
		return -1;
	rights_judge(r, verb_find("PSYNC"), false, v);
	r->known = true;
	return v->type == RESP_ERROR
		       ? 0
		       : failure_set(&c->failure, ERROR_NOT_REDIS,
				     "%s %s begins a PSYNC that is none", c->who, c->url);
}

static int rights_source(struct client *c, const struct server_facts *s, struct rights_facts *r)
{
	if (s->version && s->version < REDIS_6) {
		r->known = true; // no users yet
		return 0;
	}
	int rc = dry_run(c, s, r, "PSYNC", "? -1");
	if (rc == 1)
		rc = dry_run(c, s, r, "REPLCONF", "capa eof");
	if (rc == 1)
		rc = questions_dry(c, s, r);
	r->known = rc == 1;
	return rc ? (rc < 0 ? -1 : 0) : psync_try(c, s, r);
}

// ---- Target -----------------------------------------------------------------------------------

// A server that is asked, and the keys that it is asked with.
struct asked {
	struct client *client;
	const struct server_facts *facts;
	struct rights_facts *rights;
	char marker[40], any[40]; // of Flyover's own, and not
};

// The words of a command that would be well formed; it is never run.
static unsigned verb_words(const struct verb *v, struct span *words, const char *key)
{
	unsigned n = 0;
	const char *blank = strchr(v->name, ' ');
	words[n++] = blank ? (struct span){v->name, (size_t)(blank - v->name)} : span_of(v->name);
	if (blank)
		words[n++] = span_of(blank + 1);
	while (n < v->n_words && n < WORDS_MAX)
		words[n++] = span_of(key);
	return n;
}

// Whether a verb is asked for inside MULTI.
static bool is_queued(const struct asked *a, const struct verb *v)
{
	return v->name && v->side != VERB_SOURCE && is_of(v->kind, a->facts) &&
	       strcmp(v->name, "MULTI") && strcmp(v->name, "EXEC") && strcmp(v->name, "DISCARD");
}

static void verbs_queue(const struct asked *a)
{
	struct verb v;
	struct span words[WORDS_MAX];
	for (unsigned i = 0; verb_at(i, &v); i++)
		if (is_queued(a, &v))
			client_put(a->client, verb_words(&v, words, a->marker), words);
	client_ask(a->client, "SET %b 1", span_of(a->any));
	client_ask(a->client, "DISCARD");
}

// @param discarded  out: the transaction is over
static int verbs_judge(const struct asked *a, bool *discarded)
{
	struct rights_facts *r = a->rights;
	const struct resp_value *reply;
	struct verb v;
	for (unsigned i = 0; verb_at(i, &v); i++) {
		if (!is_queued(a, &v))
			continue;
		reply = client_next(a->client, NULL);
		if (!reply)
			return -1;
		rights_judge(r, i, true, reply);
	}
	reply = client_next(a->client, NULL);
	if (!reply)
		return -1;
	if (!verb_set_has(&r->denied, verb_find("SET")))
		rights_judge(r, verb_find("SET"), false, reply);
	reply = client_next(a->client, NULL);
	if (!reply)
		return -1;
	rights_judge(r, verb_find("DISCARD"), false, reply);
	*discarded = reply->type == RESP_STATUS;
	return 0;
}

// Open a transaction that cannot be executed: its first command is malformed, so whatever comes
// after it, a server answers EXEC with EXECABORT. Nothing is sent into it before all of that is
// certain. A node of a cluster whose key it is not says so once it has judged the right.
//
// @return 1 in such a transaction, 0 not, -1 the connection failed
static int multi_begin(const struct asked *a)
{
	struct client *c = a->client;
	client_ask(c, "MULTI");
	const struct resp_value *v = client_next(c, NULL);
	if (!v)
		return -1;
	rights_judge(a->rights, verb_find("MULTI"), false, v);
	if (v->type != RESP_STATUS)
		return 0;
	client_ask(c, "GET"); // without a key
	v = client_next(c, NULL);
	if (!v || v->type != RESP_ERROR)
		return v ? 0 : -1;
	client_ask(c, "GET %b", span_of(a->marker));
	v = client_next(c, NULL);
	if (!v)
		return -1;
	return (v->type == RESP_STATUS && span_eq(v->text, SPAN_LIT("QUEUED"))) ||
	       (v->type == RESP_ERROR && (begins(v->text, "NOPERM") || begins(v->text, "MOVED ")));
}

// EXEC of nothing, outside of the other transaction.
static int exec_try(const struct asked *a)
{
	client_ask(a->client, "MULTI");
	client_ask(a->client, "EXEC");
	if (client_skip(a->client))
		return -1;
	const struct resp_value *v = client_next(a->client, NULL);
	if (v)
		rights_judge(a->rights, verb_find("EXEC"), false, v);
	return v ? 0 : -1;
}

// Every command that a link or the stream sends is put into a MULTI that cannot be executed and is
// then discarded; a server judges rights before it queues.
//
// @param tag  of the keys that are asked for
static int rights_target(struct client *c, const struct server_facts *s, const char *tag,
			 struct rights_facts *r)
{
	struct asked a = {.client = c, .facts = s, .rights = r};
	bool discarded;
	snprintf(a.marker, sizeof(a.marker), "__flyover:{%s}:doctor", tag);
	snprintf(a.any, sizeof(a.any), "{%s}flyover-doctor", tag);
	int rc = multi_begin(&a);
	if (rc <= 0) {
		r->known = verb_set_has(&r->denied, verb_find("MULTI"));
		return rc;
	}
	verbs_queue(&a);
	if (verbs_judge(&a, &discarded))
		return -1;
	r->known = true;
	return discarded ? exec_try(&a) : 0;
}

// ---- All nodes of a cluster -------------------------------------------------------------------

static bool lacks(const struct rights_facts *r)
{
	bool denied = r->keys_denied || r->marker_denied || r->channels_denied;
	for (unsigned i = 0; i < VERBS_MAX / 64; i++)
		denied |= r->denied.bits[i] != 0;
	return denied || r->refused[0];
}

static void node_take(struct server_facts *s, const struct rights_facts *r)
{
	for (unsigned i = 0; i < VERBS_MAX / 64; i++)
		s->rights.absent.bits[i] |= r->absent.bits[i];
	s->rights.known &= r->known;
	s->n_nodes++;
	if (lacks(r) && s->n_lacking++ < LACKING_MAX)
		s->lacking[s->n_lacking - 1] = *r;
}

// Of a slot that the node, or its master, serves.
static const char *node_tag(const struct cluster_map *map, unsigned i)
{
	unsigned master = map->nodes[i].flags & CLUSTER_REPLICA ? map->nodes[i].master : i;
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
		if (map->owner[slot] == master)
			return cluster_tag((uint16_t)slot);
	return cluster_tag(0);
}

// One that cannot be reached is the business of another row. Who is not let in lacks a user.
static void node_ask(struct client *c, const struct endpoint *e, struct server_facts *s,
		     const char *tag)
{
	struct rights_facts r = {.port = e->port};
	struct failure f;
	snprintf(r.host, sizeof(r.host), "%s", e->host);
	if (client_open(c, e, s->who, &f)) {
		if (f.id != ERROR_AUTH && f.id != ERROR_NOPERM)
			return;
		snprintf(r.refused, sizeof(r.refused), "%s",
			 f.id == ERROR_AUTH ? "does not know the user, or another password"
					    : "may not PING");
		r.known = true;
	} else if (tag ? rights_target(c, s, tag, &r) : rights_source(c, s, &r)) {
		r.known = false;
	}
	client_close(c);
	node_take(s, &r);
}

static int nodes_ask(const struct cluster_map *map, const struct endpoint *e,
		     struct server_facts *s, bool as_target)
{
	const unsigned away = CLUSTER_FAIL | CLUSTER_NOADDR | CLUSTER_HANDSHAKE;
	struct client *c = malloc(sizeof(*c));
	struct endpoint *at = malloc(sizeof(*at));
	s->rights.known = c && at;
	for (unsigned i = 0; i < map->n_nodes && s->rights.known; i++) {
		const struct cluster_node *node = &map->nodes[i];
		struct url_node place = {.port = node->port};
		if (node->flags & away || !node->host[0] || !node->port)
			continue;
		memcpy(place.host, node->host, sizeof(place.host));
		*at = *e;
		endpoint_at(at, &place);
		node_ask(c, at, s, as_target ? node_tag(map, i) : NULL);
	}
	if (at)
		explicit_bzero(at, sizeof(*at));
	free(at);
	free(c);
	return 0;
}

int rights_ask(struct client *c, const struct endpoint *e, struct server_facts *s, bool as_target)
{
	if (client_is_cluster(c))
		return nodes_ask(client_map(c), e, s, as_target);
	return as_target ? rights_target(c, s, "doctor", &s->rights)
			 : rights_source(c, s, &s->rights);
}
