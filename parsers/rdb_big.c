// SPDX-License-Identifier: BSD-3-Clause
// A big value, element by element.
//
//   begin -> count -> item, item, ...                   -> end   RDB_SHAPE_ITEMS
//         -> count -> nodes -> rdb_node.c -> nodes ...  -> end   RDB_SHAPE_NODES, RDB_SHAPE_NODE
//         -> rdb_stream.c                               -> end   RDB_SHAPE_STREAM
//         -> rdb_array.c                                -> end   RDB_SHAPE_ARRAY
//         -> rdb_template.c                             -> end   RDB_SHAPE_TEMPLATE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "parsers/rdb_priv.h"

// Containers of a quicklist_2 (quicklist.h of Redis 7).
#define CONTAINER_PLAIN  1
#define CONTAINER_PACKED 2

int rdb_big_end_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	ev->kind = RDB_BIG_END;
	r->scratch_used = 0;
	r->step = rdb_opcode_step;
	return RDB_EVENT;
}

// Text that gives the same double back: 17 significant digits, or the plain integer.
int rdb_score_text(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev, double score)
{
	if (isnan(score))
		return rdb_fail(r, c, "zset score is not a number");
	ev->score = score;
	if (isinf(score)) {
		ev->value = score > 0 ? SPAN_LIT("inf") : SPAN_LIT("-inf");
	} else if (fabs(score) < 1e15 && score == (double)(int64_t)score && !signbit(score)) {
		ev->value = rdb_num_text((int64_t)score, r->score_text);
	} else {
		int n = snprintf(r->score_text, sizeof(r->score_text), "%.17g", score);

		ev->value = (struct span){r->score_text, (size_t)n};
	}
	return RDB_AGAIN;
}

int rdb_score_parse(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev,
		    struct span text)
{
	char buf[256], *end;

	if (text.len == 0 || text.len >= sizeof(buf))
		return rdb_fail(r, c, "zset score of %zu characters", text.len);
	memcpy(buf, text.p, text.len);
	buf[text.len] = '\0';
	double score = strtod(buf, &end);

	if (end != buf + text.len || buf[0] == ' ')
		return rdb_fail(r, c, "zset score is not a number");
	return rdb_score_text(r, c, ev, score);
}

// One element, by the letters between the brackets of its layout.
struct item {
	struct rdb_str s[2];
	int n_strings;
	uint64_t num;        // 'l' or '8'
	struct span ascii;   // 'd'
	uint8_t ascii_class; // 'd': below 253 a length, else nan, inf, -inf
};

static int ascii_take(struct rdb_reader *r, struct rdb_cursor *c, const uint8_t **p,
		      struct item *item)
{
	size_t n = (size_t)(c->end - *p), len;

	if (n == 0)
		return rdb_more(r, c, (uint64_t)(*p - c->p) + 1, "zset score");
	item->ascii_class = **p;
	len = item->ascii_class < 253 ? item->ascii_class : 0;
	if (n < 1 + len)
		return rdb_more(r, c, (uint64_t)(*p - c->p) + 1 + len, "zset score");
	item->ascii = (struct span){(const char *)*p + 1, len};
	*p += 1 + len;
	return RDB_AGAIN;
}

static int letter_take(struct rdb_reader *r, struct rdb_cursor *c, const uint8_t **p,
		       struct item *item, char letter)
{
	enum rdb_take t;

	switch (letter) {
	case 's':
		return rdb_str_take(r, c, p, &item->s[item->n_strings++], "element");
	case 'd':
		return ascii_take(r, c, p, item);
	case 'l':
		t = rdb_len_take(p, c->end, &item->num);
		return t == RDB_TAKE_OK ? RDB_AGAIN : rdb_untaken(r, c, t, "element");
	default: // '8'
		if (c->end - *p < 8)
			return rdb_more(r, c, (uint64_t)(*p - c->p) + 8, "element");
		item->num = rdb_le64(*p);
		*p += 8;
		return RDB_AGAIN;
	}
}

static double double_of(uint64_t bits)
{
	double d;

	memcpy(&d, &bits, sizeof(d));
	return d;
}

static int zset_item(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev,
		     const struct item *item, struct span member)
{
	ev->kind = RDB_ZSET_ITEM;
	ev->field = member;
	if (r->type->layout[2] == '8')
		return rdb_score_text(r, c, ev, double_of(item->num));
	if (item->ascii_class < 253)
		return rdb_score_parse(r, c, ev, item->ascii);
	return rdb_score_text(r, c, ev, item->ascii_class == 253   ? NAN
					: item->ascii_class == 254 ? INFINITY
								   : -INFINITY);
}

// Expiry of a hash field. 'l' (hash_metadata): 0 is none; else unix time in the release candidates,
// since then counted from the least expiry of the hash, which is 1. '8' (Valkey's hash_2): unix
// time, or -1.
static int64_t field_expiry(const struct rdb_reader *r, const struct item *item)
{
	const char *layout = r->type->layout;

	if (strchr(layout, 'l') == NULL)
		return strcmp(layout, "(ss8)") == 0 ? (int64_t)item->num : -1;
	if (item->num == 0)
		return -1;
	if (layout[0] != '8')
		return (int64_t)item->num;
	return (int64_t)(item->num + (uint64_t)r->min_expire_at_ms - 1);
}

static int item_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p = c->p;
	struct item item = {.n_strings = 0};
	struct span out[2];
	int rc;

	if (r->left == 0)
		return rdb_big_end_step(r, c, ev);
	for (const char *at = strchr(r->type->layout, '(') + 1; *at != ')'; at++) {
		rc = letter_take(r, c, &p, &item, *at);
		if (rc != RDB_AGAIN)
			return rc;
	}
	if (rdb_str_decode(r, c, item.s, out, (size_t)item.n_strings) == RDB_BAD)
		return RDB_BAD;
	if (r->type->kind == RDB_KIND_ZSET) {
		if (zset_item(r, c, ev, &item, out[0]) == RDB_BAD)
			return RDB_BAD;
	} else if (r->type->kind == RDB_KIND_HASH) {
		ev->kind = RDB_HASH_ITEM;
		ev->field = out[0];
		ev->value = out[1];
		ev->field_expire_at_ms = field_expiry(r, &item);
	} else {
		ev->kind = r->type->kind == RDB_KIND_LIST ? RDB_LIST_ITEM : RDB_SET_ITEM;
		ev->value = out[0];
	}
	r->left--;
	c->p = p;
	return RDB_EVENT;
}

static int count_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p = c->p;

	if (r->type->layout[0] == '8') {
		if (c->end - p < 8)
			return rdb_more(r, c, 8, "least expiry");
		r->min_expire_at_ms = (int64_t)rdb_le64(p);
		p += 8;
	}
	if (r->type->shape == RDB_SHAPE_NODE) {
		r->left = 1;
	} else {
		enum rdb_take t = rdb_len_take(&p, c->end, &r->left);

		if (t != RDB_TAKE_OK)
			return rdb_untaken(r, c, t, "count of elements");
	}
	c->p = p;
	r->step = r->type->shape == RDB_SHAPE_ITEMS ? item_step : rdb_nodes_step;
	return RDB_AGAIN;
}

int rdb_big_begin_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p;
	struct rdb_str key;
	int rc = rdb_key_take(r, c, &p, &key);

	if (rc != RDB_AGAIN)
		return rc;
	if (rdb_str_decode(r, c, &key, &ev->key, 1) == RDB_BAD)
		return RDB_BAD;
	rdb_key_event(r, ev, RDB_BIG_BEGIN, *c->p);
	c->p = p;
	r->template_left = UINT64_MAX;
	switch (r->type->shape) {
	case RDB_SHAPE_STREAM:
		r->step = rdb_stream_begin_step;
		break;
	case RDB_SHAPE_ARRAY:
		r->step = rdb_array_step;
		break;
	case RDB_SHAPE_TEMPLATE:
		r->step = rdb_template_hash_step;
		break;
	default:
		r->step = count_step;
	}
	return RDB_EVENT;
}

// An element of a quicklist_2 that has a node of its own, unpacked.
static int plain_node(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev,
		      const uint8_t *p)
{
	struct rdb_str s;
	int rc = rdb_str_take(r, c, &p, &s, "list element");

	if (rc != RDB_AGAIN)
		return rc;
	if (rdb_str_decode(r, c, &s, &ev->value, 1) == RDB_BAD)
		return RDB_BAD;
	ev->kind = RDB_LIST_ITEM;
	r->left--;
	c->p = p;
	return RDB_EVENT;
}

// The next node: a compressed one goes to scratch, any other is walked where it lies.
int rdb_nodes_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p = c->p;
	uint64_t container = CONTAINER_PACKED;
	struct rdb_str s;
	enum rdb_take t;

	if (r->left == 0)
		return rdb_big_end_step(r, c, ev);
	if (r->type->layout[1] == 'l') {
		t = rdb_len_take(&p, c->end, &container);
		if (t != RDB_TAKE_OK)
			return rdb_untaken(r, c, t, "list node");
	}
	if (container == CONTAINER_PLAIN)
		return plain_node(r, c, ev, p);
	if (container != CONTAINER_PACKED)
		return rdb_fail(r, c, "list node: unknown container %llu",
				(unsigned long long)container);
	t = rdb_str_head(&p, c->end, &s);
	if (t != RDB_TAKE_OK)
		return rdb_untaken(r, c, t, "node");
	if (s.how == RDB_STR_INT)
		return rdb_fail(r, c, "node: an integer stands in its place");
	r->node = (struct rdb_node){.left = s.len, .in_scratch = s.how == RDB_STR_LZF};
	if (s.how == RDB_STR_LZF) {
		size_t unused;

		if (s.body > (uint64_t)(c->end - p))
			return rdb_more(r, c, (uint64_t)(p - c->p) + s.body, "compressed node");
		if (rdb_str_keep(r, c, &s, 0, &unused) == RDB_BAD)
			return RDB_BAD;
		p += s.body;
	}
	c->p = p;
	r->left--;
	r->step = rdb_node_open_step;
	return RDB_AGAIN;
}
