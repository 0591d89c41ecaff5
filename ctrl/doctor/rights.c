// SPDX-License-Identifier: BSD-3-Clause
// rights_source() -> dry_run() | psync_try() ; rights_target() -> multi_begin() -> verbs_queue() ->
// verbs_judge(), exec_try()
#include "ctrl/doctor/rights.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define WORDS_MAX   12
#define ANY_KEY     "flyover-doctor"
#define MARKER_KEY  "__flyover:{doctor}"
#define REDIS_7     (7u << 8)
#define REDIS_6     (6u << 8)

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
	return v->type == RESP_ERROR && (begins(v->text, "ERR unknown ") ||
					 (begins(v->text, "ERR Command ") &&
					  holds(v->text, " not found")));
}

void rights_judge(struct server_facts *s, unsigned verb, bool of_marker, const struct resp_value *v)
{
	bool dry = v->type == RESP_STRING && holds(v->text, "no permissions");
	bool refused = v->type == RESP_ERROR && begins(v->text, "NOPERM");
	if (is_absent(v))
		verb_set_add(&s->absent, verb);
	if (!dry && !refused)
		return;
	if (holds(v->text, " channel"))
		s->channels_denied = true;
	else if (!holds(v->text, " key"))
		verb_set_add(&s->denied, verb);
	else if (of_marker)
		s->marker_denied = true;
	else
		s->keys_denied = true;
}

// ---- Source -----------------------------------------------------------------------------------

// @return 1 answered, 0 not allowed to ask, -1 the connection failed
static int dry_run(struct client *c, struct server_facts *s, const char *name, const char *words)
{
	char format[64];
	snprintf(format, sizeof(format), "ACL DRYRUN %%b %s %s", name, words);
	client_ask(c, format, span_of(s->user));
	const struct resp_value *v = client_next(c, NULL);
	if (!v)
		return -1;
	if (v->type == RESP_ERROR && (begins(v->text, "ERR unknown ") || !is_absent(v)))
		return 0;
	rights_judge(s, verb_find(name), false, v);
	return 1;
}

// REPLCONF capa does nothing to a connection that is no replica's yet. PSYNC with an offset that is
// no number is refused before it begins, from 7.0 on; older servers are not asked.
static int psync_try(struct client *c, struct server_facts *s)
{
	client_ask(c, "REPLCONF capa eof");
	const struct resp_value *v = client_next(c, NULL);
	if (!v)
		return -1;
	rights_judge(s, verb_find("REPLCONF"), false, v);
	if (s->version < REDIS_7)
		return 0;
	client_ask(c, "PSYNC ? none");
	v = client_next(c, NULL);
	if (!v)
		return -1;
	rights_judge(s, verb_find("PSYNC"), false, v);
	s->rights_known = true;
	return v->type == RESP_ERROR ? 0 : failure_set(&c->failure, ERROR_NOT_REDIS,
						       "%s %s begins a PSYNC that is none", c->who,
						       c->url);
}

int rights_source(struct client *c, struct server_facts *s)
{
	if (s->version && s->version < REDIS_6) {
		s->rights_known = true; // no users yet
		return 0;
	}
	int rc = dry_run(c, s, "PSYNC", "? -1");
	if (rc == 1)
		rc = dry_run(c, s, "REPLCONF", "capa eof");
	if (rc == 1)
		rc = dry_run(c, s, "INFO", "");
	s->rights_known = rc == 1;
	return rc ? (rc < 0 ? -1 : 0) : psync_try(c, s);
}

// ---- Target -----------------------------------------------------------------------------------

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
static bool is_queued(const struct verb *v)
{
	return v->name && v->side != VERB_SOURCE && strcmp(v->name, "MULTI") &&
	       strcmp(v->name, "EXEC") && strcmp(v->name, "DISCARD");
}

static void verbs_queue(struct client *c)
{
	struct verb v;
	struct span words[WORDS_MAX];
	for (unsigned i = 0; verb_at(i, &v); i++)
		if (is_queued(&v))
			client_put(c, verb_words(&v, words, MARKER_KEY), words);
	client_ask(c, "SET " ANY_KEY " 1");
	client_ask(c, "DISCARD");
}

// @param discarded  out: the transaction is over
static int verbs_judge(struct client *c, struct server_facts *s, bool *discarded)
{
	const struct resp_value *reply;
	struct verb v;
	for (unsigned i = 0; verb_at(i, &v); i++) {
		if (!is_queued(&v))
			continue;
		reply = client_next(c, NULL);
		if (!reply)
			return -1;
		rights_judge(s, i, true, reply);
	}
	reply = client_next(c, NULL);
	if (!reply)
		return -1;
	if (!verb_set_has(&s->denied, verb_find("SET")))
		rights_judge(s, verb_find("SET"), false, reply);
	reply = client_next(c, NULL);
	if (!reply)
		return -1;
	rights_judge(s, verb_find("DISCARD"), false, reply);
	*discarded = reply->type == RESP_STATUS;
	return 0;
}

// Open a transaction that cannot be executed: its first command is malformed, so whatever comes
// after it, a server answers EXEC with EXECABORT. Nothing is sent into it before all of that is
// certain.
//
// @return 1 in such a transaction, 0 not, -1 the connection failed
static int multi_begin(struct client *c, struct server_facts *s)
{
	client_ask(c, "MULTI");
	const struct resp_value *v = client_next(c, NULL);
	if (!v)
		return -1;
	rights_judge(s, verb_find("MULTI"), false, v);
	if (v->type != RESP_STATUS)
		return 0;
	client_ask(c, "GET"); // without a key
	v = client_next(c, NULL);
	if (!v || v->type != RESP_ERROR)
		return v ? 0 : -1;
	client_ask(c, "GET " MARKER_KEY);
	v = client_next(c, NULL);
	if (!v)
		return -1;
	return (v->type == RESP_STATUS && span_eq(v->text, SPAN_LIT("QUEUED"))) ||
	       (v->type == RESP_ERROR && begins(v->text, "NOPERM"));
}

// EXEC of nothing, outside of the other transaction.
static int exec_try(struct client *c, struct server_facts *s)
{
	client_ask(c, "MULTI");
	client_ask(c, "EXEC");
	if (client_skip(c))
		return -1;
	const struct resp_value *v = client_next(c, NULL);
	if (v)
		rights_judge(s, verb_find("EXEC"), false, v);
	return v ? 0 : -1;
}

int rights_target(struct client *c, struct server_facts *s)
{
	bool discarded;
	if (c->cluster) // it sends each command to the owner of its key, out of the transaction
		return 0;
	int rc = multi_begin(c, s);
	if (rc <= 0) {
		s->rights_known = verb_set_has(&s->denied, verb_find("MULTI"));
		return rc;
	}
	verbs_queue(c);
	if (verbs_judge(c, s, &discarded))
		return -1;
	s->rights_known = true;
	return discarded ? exec_try(c, s) : 0;
}
