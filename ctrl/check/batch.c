// SPDX-License-Identifier: BSD-3-Clause
// Many keys at once, in rounds of pipelined questions to both servers:
//
//   1  the beginning of a string and the expiry: settles missing keys and small strings
//   2  TYPE       of what is no string
//   3  its length
//   4  the elements of small collections
//   5  value_compare(), one by one: long strings, big collections, streams, modules
//
// subjects_compare() -> probe_round() -> type_round() -> length_round() -> small_round()
#include "ctrl/check/subject.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctrl/check/elements.h"
#include "ctrl/clock.h"

#define STRING_FIRST   4096 // bytes of a string read at first
#define SMALL_ELEMENTS 128

static void settle(struct subject *s, enum difference d)
{
	s->difference = d;
	s->open = false;
}

// ---- Round 1 ----------------------------------------------------------------------------------

static void probe_put(struct compare *c, const struct subject *s)
{
	if (c->mode == CHECK_FULL)
		pair_ask(c->pair, "GETRANGE %b 0 4095", s->key);
	else if (c->mode == CHECK_LENGTH)
		pair_ask(c->pair, "STRLEN %b", s->key);
	pair_ask(c->pair, c->absolute_expiry ? "PEXPIRETIME %b" : "PTTL %b", s->key);
}

// Whether a key that only one side has may be gone from the other because its time has come.
static bool about_to_expire(const struct compare *c, int64_t expiry)
{
	if (expiry < 0)
		return false;
	int64_t now = c->absolute_expiry ? (int64_t)wall_ms() : 0;
	return expiry <= now + (int64_t)c->ttl_slack_ms;
}

static void presence_judge(const struct compare *c, struct subject *s, const int64_t expiry[2])
{
	bool gone[2] = {expiry[SOURCE] == -2, expiry[TARGET] == -2};
	enum side left = gone[SOURCE] ? TARGET : SOURCE;
	if (gone[SOURCE] && gone[TARGET])
		settle(s, DIFF_NONE);
	else if (about_to_expire(c, expiry[left]))
		settle(s, DIFF_NONE);
	else
		settle(s, gone[SOURCE] ? DIFF_EXTRA : DIFF_MISSING);
}

static bool expiry_equal(const struct compare *c, const int64_t expiry[2])
{
	if ((expiry[SOURCE] < 0) != (expiry[TARGET] < 0))
		return false;
	int64_t apart = expiry[SOURCE] - expiry[TARGET];
	return llabs(apart) <= (int64_t)c->ttl_slack_ms;
}

// What the beginning of a string tells. @return NONE when it is equal as far as it was seen
static enum difference string_judge(const struct compare *c, struct subject *s,
				    const struct pair_reply *r)
{
	bool wrong[2];
	for (int i = 0; i < 2; i++)
		wrong[i] = r->v[i]->type == RESP_ERROR;
	s->type = wrong[SOURCE] ? VALUE_NONE : VALUE_STRING;
	s->open = wrong[SOURCE];
	if (wrong[SOURCE] != wrong[TARGET])
		return DIFF_TYPE;
	if (wrong[SOURCE])
		return DIFF_NONE;
	if (!value_equal(r->v[SOURCE], r->v[TARGET]))
		return c->mode == CHECK_LENGTH ? DIFF_LENGTH : DIFF_VALUE;
	s->open = c->mode == CHECK_FULL && r->v[SOURCE]->text.len == STRING_FIRST;
	return DIFF_NONE;
}

static int probe_read(struct compare *c, struct subject *s)
{
	struct pair_reply r;
	enum difference d = DIFF_NONE;
	if (c->mode == CHECK_FULL || c->mode == CHECK_LENGTH) {
		if (pair_next(c->pair, &r, c->failure))
			return -1;
		d = string_judge(c, s, &r);
	}
	if (pair_next(c->pair, &r, c->failure))
		return -1;
	int64_t expiry[2] = {r.v[SOURCE]->integer, r.v[TARGET]->integer};
	if (expiry[SOURCE] == -2 || expiry[TARGET] == -2)
		presence_judge(c, s, expiry);
	else if (d != DIFF_NONE)
		settle(s, d);
	else if ((c->mode == CHECK_FULL || c->mode == CHECK_TTL) && !expiry_equal(c, expiry))
		settle(s, DIFF_EXPIRY);
	return 0;
}

static int probe_round(struct compare *c, struct subject *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		s[i].difference = DIFF_NONE;
		s[i].type = VALUE_NONE;
		s[i].open = false;
		probe_put(c, &s[i]);
	}
	pair_flush(c->pair);
	for (unsigned i = 0; i < n; i++)
		if (probe_read(c, &s[i]))
			return -1;
	return 0;
}

// ---- Rounds 2 and 3 ---------------------------------------------------------------------------

static void type_judge(struct subject *s, const struct pair_reply *r)
{
	s->type = value_type_find(r->v[SOURCE]->text);
	if (!value_equal(r->v[SOURCE], r->v[TARGET]))
		settle(s, DIFF_TYPE);
	else if (s->type == VALUE_NONE || s->type == VALUE_STRING)
		settle(s, DIFF_VALUE); // it changed under us: it will be looked at again
}

static bool wants_type(const struct subject *s)
{
	return s->open && s->type == VALUE_NONE;
}

static int type_round(struct compare *c, struct subject *s, unsigned n)
{
	struct pair_reply r;
	for (unsigned i = 0; i < n; i++)
		if (wants_type(&s[i]))
			pair_ask(c->pair, "TYPE %b", s[i].key);
	pair_flush(c->pair);
	for (unsigned i = 0; i < n; i++) {
		if (!wants_type(&s[i]))
			continue;
		if (pair_next(c->pair, &r, c->failure))
			return -1;
		type_judge(&s[i], &r);
	}
	return 0;
}

static bool wants_length(const struct subject *s)
{
	return s->open && s->type != VALUE_STRING && value_type_row(s->type)->length;
}

static int length_round(struct compare *c, struct subject *s, unsigned n)
{
	struct pair_reply r;
	for (unsigned i = 0; i < n; i++)
		if (wants_length(&s[i]))
			pair_ask(c->pair, value_type_row(s[i].type)->length, s[i].key);
	pair_flush(c->pair);
	for (unsigned i = 0; i < n; i++) {
		if (!wants_length(&s[i]))
			continue;
		if (pair_next(c->pair, &r, c->failure))
			return -1;
		s[i].length = r.v[SOURCE]->integer;
		if (!value_equal(r.v[SOURCE], r.v[TARGET]))
			settle(&s[i], DIFF_LENGTH);
	}
	return 0;
}

// ---- Rounds 4 and 5 ---------------------------------------------------------------------------

static bool is_small(const struct subject *s)
{
	return s->open && s->type != VALUE_STRING && value_type_row(s->type)->all &&
	       s->length <= SMALL_ELEMENTS;
}

static bool small_equal(enum value_type type, const struct pair_reply *r)
{
	if (r->v[SOURCE]->type != RESP_ARRAY || r->v[TARGET]->type != RESP_ARRAY)
		return false;
	if (type == VALUE_ZSET)
		return elements_scored_equal(r);
	if (type == VALUE_LIST)
		return pair_equal(r);
	return elements_unordered_equal(r, type == VALUE_HASH ? 2 : 1);
}

static int small_round(struct compare *c, struct subject *s, unsigned n)
{
	struct pair_reply r;
	for (unsigned i = 0; i < n; i++)
		if (is_small(&s[i]))
			pair_ask(c->pair, value_type_row(s[i].type)->all, s[i].key);
	pair_flush(c->pair);
	for (unsigned i = 0; i < n; i++) {
		if (!is_small(&s[i]))
			continue;
		if (pair_next(c->pair, &r, c->failure))
			return -1;
		settle(&s[i], small_equal(s[i].type, &r) ? DIFF_NONE : DIFF_VALUE);
	}
	return 0;
}

static int single_round(struct compare *c, struct subject *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!s[i].open)
			continue;
		s[i].open = false;
		if (value_compare(c, &s[i]))
			return -1;
	}
	return 0;
}

int subjects_missing(struct compare *c, struct subject *s, unsigned n)
{
	struct client *source = &c->pair->client[SOURCE];
	for (unsigned i = 0; i < n; i++)
		client_ask(source, c->absolute_expiry ? "PEXPIRETIME %b" : "PTTL %b", s[i].key);
	for (unsigned i = 0; i < n; i++) {
		const struct resp_value *v = client_next(source, NULL);
		if (!v)
			return pair_failed(c->pair, c->failure);
		if (v->type != RESP_INTEGER)
			return client_refused(source, "to be read", v->text, c->failure);
		s[i].type = VALUE_NONE;
		presence_judge(c, &s[i], (int64_t[2]){v->integer, -2});
	}
	return 0;
}

int subjects_compare(struct compare *c, struct subject *s, unsigned n)
{
	if (probe_round(c, s, n))
		return -1;
	if (c->mode == CHECK_KEYS || c->mode == CHECK_TTL)
		return 0;
	if (type_round(c, s, n) || length_round(c, s, n))
		return -1;
	if (c->mode == CHECK_LENGTH)
		return 0;
	return small_round(c, s, n) || single_round(c, s, n) ? -1 : 0;
}
