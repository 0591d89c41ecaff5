// SPDX-License-Identifier: BSD-3-Clause
// rdb_stream_older() -> nodes, header, group_copy()..., idmp_copy()
#include "parsers/rdb_stream_older.h"

#include <errno.h>

#include "parsers/rdb_string.h"
#include "parsers/rdb_types.h"

#define STREAM_ID_LEN 16
#define TIME_LEN      8

// A copy in the making. What is looked at is kept or left out; after an error nothing happens.
struct copy {
	const uint8_t *p, *end;
	uint8_t *out;
	bool bad;
};

static void taken(struct copy *c, const uint8_t *to, bool keep)
{
	size_t len = (size_t)(to - c->p);
	if (keep) {
		memcpy(c->out, c->p, len);
		c->out += len;
	}
	c->p = to;
}

static uint64_t length_take(struct copy *c, bool keep)
{
	const uint8_t *p = c->p;
	uint64_t v = 0;
	c->bad |= rdb_len_take(&p, c->end, &v) != RDB_TAKE_OK;
	if (c->bad)
		return 0;
	taken(c, p, keep);
	return v;
}

static void lengths_take(struct copy *c, int n, bool keep)
{
	while (n-- > 0)
		length_take(c, keep);
}

static void bytes_take(struct copy *c, size_t len, bool keep)
{
	c->bad |= (size_t)(c->end - c->p) < len;
	if (!c->bad)
		taken(c, c->p + len, keep);
}

static void string_take(struct copy *c, bool keep)
{
	const uint8_t *p = c->p;
	struct rdb_str s;
	c->bad |= rdb_str_head(&p, c->end, &s) != RDB_TAKE_OK ||
		  s.body > (uint64_t)(c->end - p);
	if (!c->bad)
		taken(c, p + s.body, keep);
}

// @return how many there are
static uint64_t ids_take(struct copy *c, bool keep)
{
	uint64_t n = length_take(c, keep);
	for (uint64_t i = 0; i < n && !c->bad; i++)
		bytes_take(c, STREAM_ID_LEN, keep);
	return n;
}

static void nodes_copy(struct copy *c)
{
	for (uint64_t n = length_take(c, true); n && !c->bad; n--) {
		string_take(c, true);
		string_take(c, true);
	}
}

static void consumer_copy(struct copy *c, int from, int to)
{
	string_take(c, true);
	bytes_take(c, TIME_LEN, true);
	if (from >= 3)
		bytes_take(c, TIME_LEN, to >= 3);
	ids_take(c, true);
}

static void pending_copy(struct copy *c)
{
	for (uint64_t n = length_take(c, true); n && !c->bad; n--) {
		bytes_take(c, STREAM_ID_LEN + TIME_LEN, true);
		length_take(c, true);
	}
}

static void group_copy(struct copy *c, int from, int to, struct rdb_stream_lost *lost)
{
	string_take(c, true);
	lengths_take(c, 2, true);
	if (from >= 2)
		length_take(c, to >= 2);
	pending_copy(c);
	for (uint64_t n = length_take(c, true); n && !c->bad; n--)
		consumer_copy(c, from, to);
	uint64_t n_nacked = from >= 5 ? ids_take(c, to >= 5) : 0;
	lost->n_nacked += to >= 5 ? 0 : n_nacked;
}

static void idmp_copy(struct copy *c, bool keep, struct rdb_stream_lost *lost)
{
	lengths_take(c, 2, keep);
	uint64_t n = length_take(c, keep);
	lost->n_producers = keep ? 0 : n;
	for (; n && !c->bad; n--) {
		string_take(c, keep);
		for (uint64_t i = length_take(c, keep); i && !c->bad; i--) {
			string_take(c, keep);
			lengths_take(c, 2, keep);
		}
	}
	lengths_take(c, 2, keep);
}

static int level_of(uint8_t type)
{
	const struct rdb_type *t = rdb_type_find(RDB_MAGIC_REDIS, type);
	return t && t->shape == RDB_SHAPE_STREAM ? t->level : 0;
}

int rdb_stream_older(struct span body, uint8_t from_type, uint8_t to_type, char *out, size_t *len,
		     struct rdb_stream_lost *lost)
{
	int from = level_of(from_type), to = level_of(to_type);
	struct copy c = {(const uint8_t *)body.p, (const uint8_t *)body.p + body.len,
			 (uint8_t *)out, !to || to > from};
	*lost = (struct rdb_stream_lost){0};
	nodes_copy(&c);
	lengths_take(&c, 3, true);
	if (from >= 2)
		lengths_take(&c, 5, to >= 2);
	for (uint64_t n = length_take(&c, true); n && !c.bad; n--)
		group_copy(&c, from, to, lost);
	if (from >= 4)
		idmp_copy(&c, to >= 4, lost);
	*len = (size_t)(c.out - (uint8_t *)out);
	return c.bad || c.p != c.end ? -EBADMSG : 0;
}
