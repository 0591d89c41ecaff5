// SPDX-License-Identifier: BSD-3-Clause
// sentinels_ask() -> one_ask() -> sentinel_open(), question_ask() -> denial_take()
#include "ctrl/doctor/sentinels.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/check/client.h"
#include "ctrl/check/sentinel.h"
#include "parsers/noperm.h"
#include "parsers/sentinel.h"

static const struct right *right_of(const char *word)
{
	const struct right *r;
	char text[NOPERM_WORD_LEN];
	for (unsigned i = 0; (r = right_at(i)); i++) {
		right_text(r, text, sizeof(text));
		if ((r->needed | r->useful) >> RIGHTS_SENTINELS & 1 && !strcmp(text, word))
			return r;
	}
	return NULL;
}

// A channel that is denied is the one that a link listens to.
static void denial_take(struct sentinel_facts *s, struct span error)
{
	char word[NOPERM_WORD_LEN];
	size_t len = strlen(s->words);
	noperm_word(error, word);
	if (word[0] == '\'' && word[1] == '&')
		snprintf(word, sizeof(word), "'&+switch-master'");
	const struct right *r = right_of(word);
	if (!len)
		s->without = r ? r->without : NULL;
	s->needed |= !r || r->needed >> RIGHTS_SENTINELS & 1;
	snprintf(s->words + len, sizeof(s->words) - len, " %s", word);
}

// @return the answer, NULL: it was denied, or the connection failed
static const struct resp_value *question_ask(struct client *c, struct sentinel_facts *s,
					     const char *question, const char *name, unsigned *n)
{
	client_ask(c, question, span_of(name));
	const struct resp_value *v = client_next(c, n);
	if (!v)
		snprintf(s->trouble, sizeof(s->trouble), "%s", "its connection was lost");
	if (v && v->type == RESP_ERROR && noperm_is(v->text))
		denial_take(s, v->text);
	return v && v->type != RESP_ERROR ? v : NULL;
}

static void questions_ask(struct client *c, const struct endpoint *e, bool replicas,
			  struct sentinel_facts *s, struct url_node *list, unsigned *n_list)
{
	unsigned n;
	const struct resp_value *v;
	v = question_ask(c, s, "SENTINEL GET-MASTER-ADDR-BY-NAME %b", e->master, &n);
	struct url_node at;
	s->knows = !v || sentinel_address(v, n, &at) != -ENOENT;
	if (!s->knows)
		return;
	question_ask(c, s, "SENTINEL MASTER %b", e->master, &n);
	v = question_ask(c, s, "SENTINEL SENTINELS %b", e->master, &n);
	if (v)
		sentinels_learn(list, n_list, v, n);
	if (replicas)
		question_ask(c, s, "SENTINEL SLAVES %b", e->master, &n);
	question_ask(c, s, "SUBSCRIBE %b", "+switch-master", &n);
}

void sentinels_ask(const struct endpoint *e, bool replicas, struct server_facts *s)
{
	struct url_node list[URL_NODES_MAX];
	struct client *c = e->kind == URL_SENTINEL ? malloc(sizeof(*c)) : NULL;
	unsigned n = 0;
	if (c) {
		n = e->n_nodes;
		memcpy(list, e->nodes, n * sizeof(list[0]));
	}
	for (unsigned i = 0; i < n; i++) {
		struct sentinel_facts *one = &s->sentinels[s->n_sentinels++];
		struct failure f;
		memcpy(one->host, list[i].host, sizeof(one->host));
		one->port = list[i].port;
		one->knows = true;
		if (sentinel_open(c, e, &list[i], &f))
			snprintf(one->trouble, sizeof(one->trouble), "%.*s",
				 (int)sizeof(one->trouble) - 1, f.sentence);
		else
			questions_ask(c, e, replicas, one, list, &n);
		snprintf(one->user, sizeof(one->user), "%s", c->user[0] ? c->user : "default");
		client_close(c);
	}
	free(c);
}
