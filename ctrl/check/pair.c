// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/check/pair.h"

int pair_failed(const struct pair *p, struct failure *f)
{
	*f = p->client[SOURCE].failure.id ? p->client[SOURCE].failure : p->client[TARGET].failure;
	return -1;
}

void pair_ask(struct pair *p, const char *format, struct span key)
{
	for (int i = 0; i < 2; i++)
		client_ask(&p->client[i], format, key);
}

void pair_flush(struct pair *p)
{
	for (int i = 0; i < 2; i++)
		client_flush(&p->client[i]);
}

int pair_next_any(struct pair *p, struct pair_reply *r, struct failure *f)
{
	for (int i = 0; i < 2; i++) {
		r->v[i] = client_next(&p->client[i], &r->n[i]);
		if (!r->v[i])
			return pair_failed(p, f);
	}
	return 0;
}

int pair_next(struct pair *p, struct pair_reply *r, struct failure *f)
{
	if (pair_next_any(p, r, f))
		return -1;
	for (int i = 0; i < 2; i++)
		if (r->v[i]->type == RESP_ERROR && !value_is_error(r->v[i], "WRONGTYPE"))
			return client_refused(&p->client[i], "to be read", r->v[i]->text, f);
	return 0;
}

int pair_select(struct pair *p, const int db[2], struct failure *f)
{
	struct pair_reply r;
	for (int i = 0; i < 2; i++)
		client_ask(&p->client[i], "SELECT %d", (long long)db[i]);
	if (pair_next_any(p, &r, f))
		return -1;
	for (int i = 0; i < 2; i++)
		if (r.v[i]->type == RESP_ERROR)
			return client_refused(&p->client[i], "SELECT", r.v[i]->text, f);
	return 0;
}

bool value_equal(const struct resp_value *a, const struct resp_value *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case RESP_INTEGER:
		return a->integer == b->integer;
	case RESP_ARRAY:
		return a->elements == b->elements;
	case RESP_NIL:
		return true;
	default:
		return span_eq(a->text, b->text);
	}
}

bool pair_equal(const struct pair_reply *r)
{
	if (r->n[SOURCE] != r->n[TARGET])
		return false;
	for (unsigned i = 0; i < r->n[SOURCE]; i++)
		if (!value_equal(&r->v[SOURCE][i], &r->v[TARGET][i]))
			return false;
	return true;
}

bool value_is_error(const struct resp_value *v, const char *word)
{
	size_t len = strlen(word);
	return v->type == RESP_ERROR && v->text.len >= len && !memcmp(v->text.p, word, len);
}
