// SPDX-License-Identifier: BSD-3-Clause
// Rows about what our users may do: on a server, on each node of a cluster, at each sentinel.
#include <stdio.h>
#include <string.h>

#include "ctrl/doctor/rows.h"

// A server, or several that lack the same.
struct lack {
	const struct facts *k;
	const struct server_facts *s;
	const struct rights_facts *r;
	bool all; // each node of the cluster
	char where[CLUSTER_HOST_LEN +
		   16]; // " at 10.0.0.1:7000", "" where there is one server alone
};

// The command that gives the user these words there.
static const char *mend_acl(struct mend *m, const struct lack *l, const char *words)
{
	const struct rights_facts *r = l->r;
	const char *user = l->s->user;
	if (!r->host[0])
		return mend_cli(m, l->s, "ACL SETUSER %s%s", user, words);
	snprintf(m->text, sizeof(m->text),
		 l->all ? "redis-cli --cluster call %.255s:%u ACL SETUSER %s%s"
			: "redis-cli -h %.255s -p %u ACL SETUSER %s%s",
		 r->host, r->port, user, words);
	return m->text;
}

static void refusal_judge(const struct lack *l, enum rights_user user, struct findings *f)
{
	char words[RIGHTS_LEN + 32] = " on '>PASSWORD' ";
	struct mend m;
	if (!l->r->refused[0])
		return;
	rights_text(user, l->s->kind, words + strlen(words));
	finding_put(f, SEVERITY_ERROR, mend_acl(&m, l, words),
		    "the user %s is not let in by %s%s: it %s", l->s->user, l->s->who, l->where,
		    l->r->refused);
}

// ---- Source -----------------------------------------------------------------------------------

static void source_judge(const struct lack *l, struct findings *f)
{
	struct verb_set denied = {0};
	char names[200], words[200];
	struct verb v;
	struct mend m;
	bool needed = false;
	refusal_judge(l, RIGHTS_SYNC_SOURCE, f);
	for (unsigned i = 0; verb_at(i, &v); i++) {
		if (v.side != VERB_SOURCE || !verb_set_has(&l->r->denied, i))
			continue;
		verb_set_add(&denied, i);
		needed |= v.needed;
	}
	verb_set_acl(&denied, words, sizeof(words));
	if (verb_set_text(&denied, names, sizeof(names)))
		finding_put(f, needed ? SEVERITY_ERROR : SEVERITY_WARNING, mend_acl(&m, l, words),
			    "the user %s of the source%s may not: %s%s", l->s->user, l->where,
			    names, needed ? "" : "; a link does less without");
}

// ---- Target -----------------------------------------------------------------------------------

// Commands that a link or the source's clients use for certain make an error.
static bool any_is_used(const struct facts *k, const struct verb_set *set)
{
	struct verb v;
	for (unsigned i = 0; verb_at(i, &v); i++)
		if (v.name && verb_set_has(set, i) &&
		    (verb_is_ours(&v) || verb_set_has(&k->source.used, i)))
			return true;
	return false;
}

static void denied_judge(const struct lack *l, struct findings *f)
{
	struct verb_set denied = {0};
	char names[200], words[RIGHTS_LEN + 1] = " ";
	struct verb v;
	struct mend m;
	for (unsigned i = 0; verb_at(i, &v); i++)
		if (v.name && v.side != VERB_SOURCE && verb_set_has(&l->r->denied, i))
			verb_set_add(&denied, i);
	verb_set_acl(&denied, words, sizeof(words));
	if (!verb_set_text(&denied, names, sizeof(names)))
		return;
	bool used = any_is_used(l->k, &denied);
	if (verb_set_has(&denied, verb_find("MULTI"))) // the rest could not be asked for
		rights_text(RIGHTS_SYNC_TARGET, l->s->kind, words + 1);
	finding_put(f, used ? SEVERITY_ERROR : SEVERITY_WARNING, mend_acl(&m, l, words),
		    "the user %s of the target%s may not: %s%s", l->s->user, l->where, names,
		    used ? "" : "; a link ends, or does less, when it has to");
}

static void target_judge(const struct lack *l, struct findings *f)
{
	const char *user = l->s->user;
	struct mend m;
	refusal_judge(l, RIGHTS_SYNC_TARGET, f);
	denied_judge(l, f);
	if (l->r->marker_denied)
		finding_put(f, SEVERITY_ERROR, mend_acl(&m, l, " '~*'"),
			    "the user %s of the target%s may not write keys that begin with "
			    "__flyover:, where a link keeps its markers",
			    user, l->where);
	else if (l->r->keys_denied)
		finding_put(f, SEVERITY_WARNING, mend_acl(&m, l, " '~*'"),
			    "the user %s of the target%s may not write every key: one outside its "
			    "patterns ends the link",
			    user, l->where);
	if (l->r->channels_denied)
		finding_put(f, SEVERITY_WARNING, mend_acl(&m, l, " '&*'"),
			    "the user %s of the target%s may not publish to every channel: a "
			    "message outside its patterns ends the link",
			    user, l->where);
}

// ---- Servers and nodes ------------------------------------------------------------------------

static bool lack_the_same(const struct rights_facts *a, const struct rights_facts *b)
{
	return !memcmp(&a->denied, &b->denied, sizeof(a->denied)) &&
	       a->keys_denied == b->keys_denied && a->marker_denied == b->marker_denied &&
	       a->channels_denied == b->channels_denied && !strcmp(a->refused, b->refused);
}

// Every node of the cluster lacks the same.
static bool all_lack_it(const struct server_facts *s)
{
	if (s->n_lacking != s->n_nodes || s->n_nodes > LACKING_MAX)
		return false;
	for (unsigned i = 1; i < s->n_lacking; i++)
		if (!lack_the_same(&s->lacking[0], &s->lacking[i]))
			return false;
	return true;
}

static void nodes_judge(struct lack *l, void (*judge)(const struct lack *l, struct findings *f),
			struct findings *f)
{
	const struct server_facts *s = l->s;
	unsigned shown = s->n_lacking < LACKING_MAX ? s->n_lacking : LACKING_MAX;
	l->all = shown && all_lack_it(s);
	for (unsigned i = 0; i < (l->all ? 1 : shown); i++) {
		l->r = &s->lacking[i];
		snprintf(l->where, sizeof(l->where), l->all ? " at each of its nodes" : " at %s:%u",
			 l->r->host, l->r->port);
		judge(l, f);
	}
	if (s->n_lacking > shown)
		finding_put(f, SEVERITY_WARNING, NULL,
			    "%u more nodes of %s lack rights for the user %s", s->n_lacking - shown,
			    s->who, s->user);
}

static void side_judge(const struct facts *k, const struct server_facts *s,
		       void (*judge)(const struct lack *l, struct findings *f), struct findings *f)
{
	struct lack l = {.k = k, .s = s, .r = &s->rights};
	if (s->n_nodes)
		nodes_judge(&l, judge, f);
	else
		judge(&l, f);
}

void row_source_rights(const struct facts *k, struct findings *f)
{
	const struct server_facts *s = &k->source;
	struct verb_set absent = {0};
	struct verb v;
	char names[200];
	side_judge(k, s, source_judge, f);
	for (unsigned i = 0; verb_at(i, &v); i++)
		if (v.side == VERB_SOURCE && verb_set_has(&s->rights.absent, i))
			verb_set_add(&absent, i);
	if (verb_set_text(&absent, names, sizeof(names)))
		finding_put(f, SEVERITY_ERROR, NULL,
			    "the source does not know %s, renamed or switched off as managed "
			    "services do: it cannot be synced from",
			    names);
	if (!s->rights.known)
		finding_put(f, SEVERITY_INFO, NULL,
			    "whether the user %s of the source may PSYNC was not checked", s->user);
}

void row_target_rights(const struct facts *k, struct findings *f)
{
	const struct server_facts *t = &k->target;
	side_judge(k, t, target_judge, f);
	if (!t->rights.known)
		finding_put(f, SEVERITY_INFO, NULL,
			    "the rights of the user %s of the target were not checked", t->user);
}

// ---- Sentinels --------------------------------------------------------------------------------

static void sentinel_judge(const struct server_facts *s, const struct sentinel_facts *one,
			   struct findings *f)
{
	struct mend m;
	if (one->trouble[0]) {
		finding_put(f, SEVERITY_WARNING, NULL, "a sentinel of %s cannot be asked: %s",
			    s->who, one->trouble);
		return;
	}
	if (!one->knows)
		finding_put(f, SEVERITY_WARNING, NULL,
			    "the sentinel %s:%u of %s does not know its master's name", one->host,
			    one->port, s->who);
	if (!one->words[0])
		return;
	snprintf(m.text, sizeof(m.text), "redis-cli -h %.255s -p %u ACL SETUSER %s%s", one->host,
		 one->port, one->user, one->words);
	finding_put(f, one->needed ? SEVERITY_ERROR : SEVERITY_WARNING, m.text,
		    "the user %s of the sentinel %s:%u of %s lacks%s%s%s", one->user, one->host,
		    one->port, s->who, one->words, one->without ? ": " : "",
		    one->without ? one->without : "");
}

static void sentinels_judge(const struct server_facts *s, struct findings *f)
{
	for (unsigned i = 0; i < s->n_sentinels; i++)
		sentinel_judge(s, &s->sentinels[i], f);
}

void row_source_sentinels(const struct facts *k, struct findings *f)
{
	sentinels_judge(&k->source, f);
}

void row_target_sentinels(const struct facts *k, struct findings *f)
{
	sentinels_judge(&k->target, f);
}
