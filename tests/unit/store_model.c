// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/store_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct store_value *value_find(const struct store *s, struct span key)
{
	for (unsigned i = 0; i < STORE_KEYS; i++)
		if (span_eq(span_of(s->values[i].key), key))
			return (struct store_value *)&s->values[i];
	return NULL;
}

// The value of a key; one of this type is made when there is none. @return NULL: of another type
static struct store_value *value_make(struct store *s, struct span key, char type)
{
	struct store_value *v = value_find(s, key);
	if (v)
		return v->type == type ? v : NULL;
	v = value_find(s, (struct span){"", 0});
	if (!v || key.len >= STORE_WORD)
		abort();
	memset(v, 0, sizeof(*v));
	memcpy(v->key, key.p, key.len);
	v->type = type;
	return v;
}

static bool value_drop(struct store_value *v)
{
	if (v)
		memset(v, 0, sizeof(*v));
	return v;
}

static bool word_insert(struct store_value *v, unsigned at, struct span word)
{
	if (v->n == STORE_WORDS || word.len >= STORE_WORD)
		return false;
	memmove(v->words[at + 1], v->words[at], (v->n - at) * sizeof(*v->words));
	memset(v->words[at], 0, sizeof(*v->words));
	memcpy(v->words[at], word.p, word.len);
	v->n++;
	return true;
}

static void word_remove(struct store_value *v, unsigned at)
{
	memmove(v->words[at], v->words[at + 1], (v->n - at - 1) * sizeof(*v->words));
	if (!--v->n)
		value_drop(v);
}

static int member_find(const struct store_value *v, struct span word)
{
	for (unsigned i = 0; i < v->n; i++)
		if (span_eq(span_of(v->words[i]), word))
			return (int)i;
	return -1;
}

static bool member_add(struct store_value *v, struct span word)
{
	char text[STORE_WORD] = "";
	unsigned at = 0;
	if (member_find(v, word) >= 0)
		return false;
	memcpy(text, word.p, word.len);
	while (at < v->n && strcmp(v->words[at], text) < 0)
		at++;
	return word_insert(v, at, word);
}

static bool string_set(struct store *s, struct span key, struct span word)
{
	value_drop(value_find(s, key));
	return word_insert(value_make(s, key, 's'), 0, word);
}

static bool incr(struct store *s, struct span key)
{
	struct store_value *v = value_make(s, key, 's');
	if (v)
		snprintf(v->words[0], STORE_WORD, "%ld", atol(v->words[0]) + 1);
	if (v)
		v->n = 1;
	return v;
}

static bool push(struct store *s, struct span key, struct span word, bool left)
{
	struct store_value *v = value_make(s, key, 'l');
	bool done = v && word_insert(v, left ? 0 : v->n, word);
	if (v && !v->n)
		value_drop(v);
	return done;
}

static bool list_move(struct store *s, struct span from, struct span to, bool left, bool to_left)
{
	struct store_value *v = value_find(s, from), *other = value_find(s, to);
	char word[STORE_WORD];
	if (!v || v->type != 'l' || (other && (other->type != 'l' || other->n == STORE_WORDS)))
		return false;
	strcpy(word, v->words[left ? 0 : v->n - 1]);
	word_remove(v, left ? 0 : v->n - 1);
	return push(s, to, span_of(word), to_left);
}

static bool sadd(struct store *s, struct span key, struct span word)
{
	struct store_value *v = value_make(s, key, 'S');
	bool done = v && member_add(v, word);
	if (v && !v->n)
		value_drop(v);
	return done;
}

static bool srem(struct store *s, struct span key, struct span word)
{
	struct store_value *v = value_find(s, key);
	int at = v && v->type == 'S' ? member_find(v, word) : -1;
	if (at >= 0)
		word_remove(v, (unsigned)at);
	return at >= 0;
}

static bool smove(struct store *s, struct span from, struct span to, struct span word)
{
	const struct store_value *other = value_find(s, to);
	if ((other && (other->type != 'S' || other->n == STORE_WORDS)) || !srem(s, from, word))
		return false;
	sadd(s, to, word);
	return true;
}

static bool union_store(struct store *s, const struct span *argv, int argc)
{
	struct store_value all = {.type = 'S'};
	for (int i = 2; i < argc; i++) {
		const struct store_value *v = value_find(s, argv[i]);
		if (v && v->type != 'S')
			return false;
		for (unsigned k = 0; v && k < v->n; k++)
			if (member_find(&all, span_of(v->words[k])) < 0 &&
			    !member_add(&all, span_of(v->words[k])))
				return false;
	}
	value_drop(value_find(s, argv[1]));
	for (unsigned k = 0; k < all.n; k++)
		sadd(s, argv[1], span_of(all.words[k]));
	return true;
}

static bool copy(struct store *s, struct span from, struct span to, bool moves)
{
	const struct store_value *v = value_find(s, from);
	struct store_value value;
	if (!v || span_eq(from, to))
		return false;
	value = *v;
	value_drop(value_find(s, to));
	struct store_value *other = value_make(s, to, value.type);
	memcpy(value.key, other->key, sizeof(value.key));
	*other = value;
	return !moves || value_drop(value_find(s, from));
}

size_t store_dump(const struct store *s, struct span key, char *out, size_t out_len)
{
	const struct store_value *v = value_find(s, key);
	int n = v ? snprintf(out, out_len, "%c%u", v->type, v->n) : 0;
	for (unsigned i = 0; v && i < v->n; i++)
		n += snprintf(out + n, out_len - (size_t)n, ",%s", v->words[i]);
	return (size_t)n;
}

static bool restore(struct store *s, struct span key, struct span payload)
{
	char text[STORE_WORDS * STORE_WORD], *rest = NULL;
	snprintf(text, sizeof(text), "%.*s", (int)payload.len, payload.p);
	value_drop(value_find(s, key));
	struct store_value *v = value_make(s, key, text[0]);
	strtok_r(text, ",", &rest);
	for (char *w = strtok_r(NULL, ",", &rest); w; w = strtok_r(NULL, ",", &rest))
		word_insert(v, v->n, span_of(w));
	return true;
}

size_t store_element(const struct store *s, struct span key, bool last, char *out)
{
	const struct store_value *v = value_find(s, key);
	if (!v || v->type != 'l')
		return 0;
	return (size_t)sprintf(out, "%s", v->words[last ? v->n - 1 : 0]);
}

static bool each_run(struct store *s, const struct span *argv, int argc)
{
	bool done = false;
	bool dels = span_eq(argv[0], SPAN_LIT("DEL"));
	for (int i = 1; i < argc; i += dels ? 1 : 2)
		done |= dels ? value_drop(value_find(s, argv[i]))
			     : string_set(s, argv[i], argv[i + 1]);
	return done;
}

bool store_run(struct store *s, const struct span *argv, int argc)
{
	struct span verb = argv[0];
#define IS(word) span_eq(verb, SPAN_LIT(word))
	if (IS("EXISTS"))
		return false;
	if (IS("FLUSHALL")) {
		memset(s, 0, sizeof(*s));
		return true;
	}
	if (IS("DEL") || IS("MSET") || IS("SET"))
		return each_run(s, argv, argc);
	if (IS("INCR"))
		return incr(s, argv[1]);
	if (IS("RPUSH"))
		return push(s, argv[1], argv[2], false);
	if (IS("RPOPLPUSH"))
		return list_move(s, argv[1], argv[2], false, true);
	if (IS("LMOVE"))
		return list_move(s, argv[1], argv[2], argv[3].p[0] == 'L', argv[4].p[0] == 'L');
	if (IS("SADD"))
		return sadd(s, argv[1], argv[2]);
	if (IS("SREM"))
		return srem(s, argv[1], argv[2]);
	if (IS("SMOVE"))
		return smove(s, argv[1], argv[2], argv[3]);
	if (IS("SUNIONSTORE"))
		return union_store(s, argv, argc);
	if (IS("RENAME") || IS("COPY"))
		return copy(s, argv[1], argv[2], IS("RENAME"));
	if (IS("RESTORE"))
		return restore(s, argv[1], argv[3]);
#undef IS
	fprintf(stderr, "the model does not know %.*s\n", (int)verb.len, verb.p);
	abort();
}

static bool holds_all(const struct store *a, const struct store *b, const char *who)
{
	char has[4096], other[4096];
	for (unsigned i = 0; i < STORE_KEYS; i++) {
		struct span key = span_of(a->values[i].key);
		if (!key.len)
			continue;
		size_t n = store_dump(a, key, has, sizeof(has));
		size_t m = store_dump(b, key, other, sizeof(other));
		if (n == m && !memcmp(has, other, n))
			continue;
		fprintf(stderr, "%s: in %s %.*s, in the other %.*s\n", key.p, who, (int)n, has,
			(int)m, other);
		return false;
	}
	return true;
}

bool store_same(const struct store *a, const struct store *b)
{
	return holds_all(a, b, "the first") && holds_all(b, a, "the second");
}
