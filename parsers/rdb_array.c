// SPDX-License-Identifier: BSD-3-Clause
// An array (Redis 8.8, RDB version 14): count, whether there is a cursor, the cursor, then items of
// index, tag, value.
//
//   array -> item, item ... -> end
#include <stdio.h>
#include <stdlib.h>

#include "parsers/rdb_priv.h"
#include "parsers/rdb_skim.h"

static rdb_step item_step;

int rdb_array_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p = c->p;
	uint64_t has_cursor = 0;
	enum rdb_take t = rdb_len_take(&p, c->end, &r->left);

	if (t == RDB_TAKE_OK)
		t = rdb_len_take(&p, c->end, &has_cursor);
	if (t == RDB_TAKE_OK && has_cursor)
		t = rdb_len_take(&p, c->end, &ev->index);
	if (t != RDB_TAKE_OK)
		return rdb_untaken(r, c, t, "array");
	if (has_cursor > 1)
		return rdb_fail(r, c, "array: impossible cursor");
	c->p = p;
	r->step = item_step;
	ev->kind = RDB_ARRAY_CURSOR;
	return has_cursor ? RDB_EVENT : RDB_AGAIN;
}

// The shortest text that gives the same double back.
static struct span double_text(struct rdb_reader *r, uint64_t bits)
{
	double d;
	int n = 0;

	memcpy(&d, &bits, sizeof(d));
	for (int digits = 15; digits <= 17; digits++) {
		n = snprintf(r->score_text, sizeof(r->score_text), "%.*g", digits, d);
		if (strtod(r->score_text, NULL) == d)
			break;
	}
	return (struct span){r->score_text, (size_t)n};
}

// The string at *p, or the eight bytes.
static int value_take(struct rdb_reader *r, struct rdb_cursor *c, const uint8_t **p, uint64_t tag,
		      struct span *value)
{
	struct rdb_str s;
	int rc;

	if (tag == RDB_ARRAY_TAG_STRING || tag == RDB_ARRAY_TAG_SHORT) {
		rc = rdb_str_take(r, c, p, &s, "array item");
		return rc == RDB_AGAIN ? rdb_str_decode(r, c, &s, value, 1) : rc;
	}
	if (tag != RDB_ARRAY_TAG_INT && tag != RDB_ARRAY_TAG_FLOAT)
		return rdb_fail(r, c, "array item: unknown tag %llu", (unsigned long long)tag);
	if (c->end - *p < 8)
		return rdb_more(r, c, (uint64_t)(*p - c->p) + 8, "array item");
	*value = tag == RDB_ARRAY_TAG_INT ? rdb_num_text((int64_t)rdb_le64(*p), r->num[0])
					  : double_text(r, rdb_le64(*p));
	*p += 8;
	return RDB_AGAIN;
}

static int item_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p = c->p;
	uint64_t tag;

	if (r->left == 0)
		return rdb_big_end_step(r, c, ev);
	enum rdb_take t = rdb_len_take(&p, c->end, &ev->index);

	if (t == RDB_TAKE_OK)
		t = rdb_len_take(&p, c->end, &tag);
	if (t != RDB_TAKE_OK)
		return rdb_untaken(r, c, t, "array item");
	int rc = value_take(r, c, &p, tag, &ev->value);

	if (rc != RDB_AGAIN)
		return rc;
	ev->kind = RDB_ARRAY_ITEM;
	r->left--;
	c->p = p;
	return RDB_EVENT;
}
