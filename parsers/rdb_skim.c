// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/rdb_skim.h"

#include <assert.h>

// Tags inside a module value (module.c, RDB_MODULE_OPCODE_*).
enum {
	TAG_EOF,
	TAG_SINT,
	TAG_UINT,
	TAG_FLOAT,
	TAG_DOUBLE,
	TAG_STRING,
};

void rdb_skim_begin(struct rdb_skim *s, const char *layout)
{
	assert(layout != NULL);
	*s = (struct rdb_skim){.at = layout};
}

static enum rdb_take string_step(struct rdb_skim *s, const uint8_t **p, const uint8_t *end)
{
	struct rdb_str str;
	enum rdb_take t = rdb_str_head(p, end, &str);

	if (t != RDB_TAKE_OK)
		return t;
	if (str.body > INT64_MAX)
		return RDB_TAKE_BAD;
	s->skip = str.body;
	return RDB_TAKE_OK;
}

static enum rdb_take tagged_step(struct rdb_skim *s, const uint8_t **pp, const uint8_t *end)
{
	const uint8_t *p = *pp;
	uint64_t tag, unused;
	enum rdb_take t = rdb_len_take(&p, end, &tag);

	if (t != RDB_TAKE_OK)
		return t;
	if (tag == TAG_EOF)
		s->tagged = false;
	else if (tag == TAG_SINT || tag == TAG_UINT)
		t = rdb_len_take(&p, end, &unused);
	else if (tag == TAG_FLOAT)
		s->skip = 4;
	else if (tag == TAG_DOUBLE)
		s->skip = 8;
	else if (tag == TAG_STRING)
		t = string_step(s, &p, end);
	else
		t = RDB_TAKE_BAD;
	if (t == RDB_TAKE_OK)
		*pp = p;
	return t;
}

// The ')' that belongs to the '(' at `at`.
static const char *loop_end(const char *at)
{
	int depth = 0;

	do {
		depth += (*at == '(' || *at == '{') - (*at == ')');
		at++;
	} while (depth > 0);
	return at - 1;
}

static enum rdb_take loop_step(struct rdb_skim *s, const uint8_t **pp, const uint8_t *end)
{
	const uint8_t *p = *pp;
	uint64_t n, has_cursor = 0, unused;
	enum rdb_take t = rdb_len_take(&p, end, &n);

	if (t == RDB_TAKE_OK && *s->at == '{')
		t = rdb_len_take(&p, end, &has_cursor);
	if (t == RDB_TAKE_OK && has_cursor)
		t = rdb_len_take(&p, end, &unused);
	if (t != RDB_TAKE_OK)
		return t;
	*pp = p;
	if (n == 0) {
		s->at = loop_end(s->at);
		return t;
	}
	assert(s->depth < RDB_SKIM_DEPTH);
	s->loop[s->depth].at = s->at;
	s->loop[s->depth].left = n;
	s->depth++;
	return t;
}

static enum rdb_take array_step(struct rdb_skim *s, const uint8_t **pp, const uint8_t *end)
{
	const uint8_t *p = *pp;
	uint64_t tag;
	enum rdb_take t = rdb_len_take(&p, end, &tag);

	if (t != RDB_TAKE_OK)
		return t;
	if (tag == RDB_ARRAY_TAG_INT || tag == RDB_ARRAY_TAG_FLOAT)
		s->skip = 8;
	else if (tag == RDB_ARRAY_TAG_STRING || tag == RDB_ARRAY_TAG_SHORT)
		t = string_step(s, &p, end);
	else
		t = RDB_TAKE_BAD;
	if (t == RDB_TAKE_OK)
		*pp = p;
	return t;
}

// One letter of the layout. Leaves s->at on it; the caller moves on.
static enum rdb_take layout_step(struct rdb_skim *s, const uint8_t **p, const uint8_t *end)
{
	enum rdb_take t;
	uint64_t unused;

	switch (*s->at) {
	case 's':
		return string_step(s, p, end);
	case 'l':
		return rdb_len_take(p, end, &unused);
	case '4':
	case '8':
		s->skip = (uint64_t)(*s->at - '0');
		return RDB_TAKE_OK;
	case 'b':
		s->skip = 16;
		return RDB_TAKE_OK;
	case 'd':
		if (*p == end)
			return RDB_TAKE_MORE;
		s->skip = **p < 253 ? **p : 0; // 253 nan, 254 inf, 255 -inf
		++*p;
		return RDB_TAKE_OK;
	case 'm':
		t = rdb_len_take(p, end, &unused);
		s->tagged = t == RDB_TAKE_OK;
		return t;
	case 't':
		s->tagged = true;
		return RDB_TAKE_OK;
	case 'a':
		return array_step(s, p, end);
	case '(':
	case '{':
		return loop_step(s, p, end);
	case ')':
		if (--s->loop[s->depth - 1].left > 0)
			s->at = s->loop[s->depth - 1].at;
		else
			s->depth--;
		return RDB_TAKE_OK;
	}
	assert(!"letter of a layout");
	return RDB_TAKE_BAD;
}

enum rdb_take rdb_skim_run(struct rdb_skim *s, const uint8_t **pp, const uint8_t *end,
			   uint64_t limit)
{
	const uint8_t *p = *pp;
	enum rdb_take t = RDB_TAKE_OK;

	for (;;) {
		if (s->total > limit) {
			t = RDB_TAKE_OVER;
			break;
		}
		if (s->skip > (uint64_t)(end - p)) {
			s->skip -= (uint64_t)(end - p);
			p = end;
			t = RDB_TAKE_MORE;
			break;
		}
		p += s->skip;
		s->skip = 0;
		if (*s->at == '\0' && !s->tagged)
			break;
		const uint8_t *before = p;
		bool inside = s->tagged;

		t = inside ? tagged_step(s, &p, end) : layout_step(s, &p, end);
		if (t != RDB_TAKE_OK)
			break;
		if (!inside)
			s->at++;
		s->total += (uint64_t)(p - before) + s->skip;
	}
	*pp = p;
	return t;
}
