// SPDX-License-Identifier: BSD-3-Clause
// One value of any size, in pieces. The elements of a set, hash or sorted set are scanned in the
// source and asked for in the target: with the same count on both sides, all of one in the other
// means that they are equal, whatever a scan may name twice.
//
// value_compare() -> string_compare() | list_compare() | members_compare() -> chunk_judge()
#include "ctrl/check/subject.h"

#include <stdlib.h>

#include "ctrl/check/elements.h"

#define CHUNK_BYTES    (256 * 1024)
#define CHUNK_ELEMENTS 512

static void ask_range(struct compare *c, const char *format, struct span key, int64_t from,
		      int64_t to)
{
	for (int i = 0; i < 2; i++)
		client_ask(&c->pair->client[i], format, key, (long long)from, (long long)to);
}

static int string_compare(struct compare *c, struct subject *s)
{
	struct pair_reply r;
	for (int64_t at = 0;; at += CHUNK_BYTES) {
		ask_range(c, "GETRANGE %b %d %d", s->key, at, at + CHUNK_BYTES - 1);
		if (pair_next(c->pair, &r, c->failure))
			return -1;
		if (!value_equal(r.v[SOURCE], r.v[TARGET])) {
			s->difference = DIFF_VALUE;
			return 0;
		}
		if (r.v[SOURCE]->text.len < CHUNK_BYTES)
			return 0;
	}
}

static int list_compare(struct compare *c, struct subject *s)
{
	struct pair_reply r;
	for (int64_t at = 0;; at += CHUNK_ELEMENTS) {
		ask_range(c, "LRANGE %b %d %d", s->key, at, at + CHUNK_ELEMENTS - 1);
		if (pair_next(c->pair, &r, c->failure))
			return -1;
		if (!pair_equal(&r)) {
			s->difference = DIFF_VALUE;
			return 0;
		}
		if (r.v[SOURCE]->type != RESP_ARRAY || r.v[SOURCE]->elements < CHUNK_ELEMENTS)
			return 0;
	}
}

struct member_row {
	const char *scan, *ask; // ask: one element in the target
	unsigned width;         // nodes of an element in a scan
};

static const struct member_row member_rows[] = {
	[VALUE_SET] = {"SSCAN", "SISMEMBER %b %b", 1},
	[VALUE_ZSET] = {"ZSCAN", "ZSCORE %b %b", 2},
	[VALUE_HASH] = {"HSCAN", "HGET %b %b", 2},
};

// Whether the target's answer is what the source's element says.
static bool member_equal(enum value_type type, const struct resp_value *element,
			 const struct resp_value *answer)
{
	if (type == VALUE_SET)
		return answer->type == RESP_INTEGER && answer->integer == 1;
	if (answer->type != RESP_STRING)
		return false;
	if (type == VALUE_ZSET)
		return score_equal(element[1].text, answer->text);
	return value_equal(&element[1], answer);
}

// The source's elements stay valid: only the target is asked meanwhile.
static int chunk_judge(struct compare *c, struct subject *s, const struct resp_value *elements,
		       unsigned n)
{
	const struct member_row *row = &member_rows[s->type];
	struct client *target = &c->pair->client[TARGET];
	for (unsigned i = 0; i + row->width <= n; i += row->width)
		client_ask(target, row->ask, s->key, elements[i].text);
	for (unsigned i = 0; i + row->width <= n; i += row->width) {
		const struct resp_value *v = client_next(target, NULL);
		if (!v)
			return pair_failed(c->pair, c->failure);
		if (!member_equal(s->type, &elements[i], v))
			s->difference = DIFF_VALUE;
	}
	return 0;
}

static int members_compare(struct compare *c, struct subject *s)
{
	struct client *source = &c->pair->client[SOURCE];
	char cursor[24] = "0";
	do {
		unsigned n;
		client_ask(source, "%b %b %b COUNT %d", span_of(member_rows[s->type].scan), s->key,
			   span_of(cursor), (long long)CHUNK_ELEMENTS);
		const struct resp_value *v = client_next(source, &n);
		if (!v)
			return pair_failed(c->pair, c->failure);
		if (v->type != RESP_ARRAY || n < 3 || v[1].text.len >= sizeof(cursor)) {
			s->difference = DIFF_VALUE; // gone, or of another type by now
			return 0;
		}
		memcpy(cursor, v[1].text.p, v[1].text.len);
		cursor[v[1].text.len] = 0;
		if (chunk_judge(c, s, v + 3, n - 3))
			return -1;
	} while (s->difference == DIFF_NONE && strcmp(cursor, "0"));
	return 0;
}

// A type of a module: its dump, but for the version and checksum at the end (RDB version 2 bytes,
// CRC64 8 bytes).
static int dump_compare(struct compare *c, struct subject *s)
{
	struct pair_reply r;
	pair_ask(c->pair, "DUMP %b", s->key);
	if (pair_next(c->pair, &r, c->failure))
		return -1;
	struct span a = r.v[SOURCE]->text, b = r.v[TARGET]->text;
	bool whole = a.len > 10 && b.len > 10;
	if (!whole || !span_eq((struct span){a.p, a.len - 10}, (struct span){b.p, b.len - 10}))
		s->difference = DIFF_VALUE;
	return 0;
}

int value_compare(struct compare *c, struct subject *s)
{
	switch (s->type) {
	case VALUE_STRING:
		return string_compare(c, s);
	case VALUE_LIST:
		return list_compare(c, s);
	case VALUE_SET:
	case VALUE_ZSET:
	case VALUE_HASH:
		return members_compare(c, s);
	case VALUE_STREAM:
		return stream_compare(c, s);
	default:
		return dump_compare(c, s);
	}
}
