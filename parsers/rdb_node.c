// SPDX-License-Identifier: BSD-3-Clause
// The elements of one packed node, in scratch or as they arrive in the window.
//
//   rdb_nodes_step (rdb_big.c) -> open -> element, element ... -> rdb_nodes_step
#include "parsers/intset.h"
#include "parsers/listpack.h"
#include "parsers/rdb_priv.h"
#include "parsers/ziplist.h"
#include "parsers/zipmap.h"

#define NODE_END 0xff // of listpack, ziplist and zipmap alike

// The bytes of the node that can be seen now.
static void node_view(const struct rdb_reader *r, const struct rdb_cursor *c, const uint8_t **p,
		      const uint8_t **end)
{
	uint64_t n = (uint64_t)(c->end - c->p);

	*p = c->p;
	if (r->node.in_scratch) {
		*p = (const uint8_t *)r->scratch + r->node.off;
		n = r->node.left;
	}
	*end = *p + (n < r->node.left ? n : r->node.left);
}

static void node_advance(struct rdb_reader *r, struct rdb_cursor *c, size_t n)
{
	r->node.left -= n;
	if (r->node.in_scratch)
		r->node.off += n;
	else
		c->p += n;
}

// The view does not hold the next thing: corrupt when the view is all there is.
static int node_short(struct rdb_reader *r, struct rdb_cursor *c, const uint8_t *p,
		      const uint8_t *end)
{
	if ((uint64_t)(end - p) == r->node.left)
		return rdb_fail(r, c, "%s: a packed node ends in the middle of an element",
				r->type->name);
	return rdb_more(r, c, (uint64_t)(end - p) + 1, "element of a packed node");
}

static int node_close(struct rdb_reader *r, struct rdb_cursor *c)
{
	if (r->node.left != 0)
		return rdb_fail(r, c, "%s: %llu bytes follow the end of a packed node",
				r->type->name, (unsigned long long)r->node.left);
	r->step = rdb_nodes_step;
	return RDB_AGAIN;
}

static struct span entry_span(struct rdb_reader *r, const struct pack_entry *e, int i)
{
	return e->is_num ? rdb_num_text(e->num, r->num[i]) : e->text;
}

// The event of an element that is made of `n_parts` entries.
static int entries_event(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev,
			 const struct pack_entry e[3])
{
	switch (r->type->kind) {
	case RDB_KIND_ZSET:
		ev->kind = RDB_ZSET_ITEM;
		ev->field = entry_span(r, &e[0], 0);
		if (e[1].is_num)
			return rdb_score_text(r, c, ev, (double)e[1].num);
		return rdb_score_parse(r, c, ev, e[1].text);
	case RDB_KIND_HASH:
		ev->kind = RDB_HASH_ITEM;
		ev->field_expire_at_ms = -1;
		if (r->type->n_parts == 3) {
			if (!e[2].is_num)
				return rdb_fail(r, c, "%s: expiry of a field is not a number",
						r->type->name);
			ev->field_expire_at_ms = e[2].num == 0 ? -1 : e[2].num;
		}
		ev->field = entry_span(r, &e[0], 0);
		ev->value = entry_span(r, &e[1], 1);
		return RDB_AGAIN;
	default:
		ev->kind = r->type->kind == RDB_KIND_LIST ? RDB_LIST_ITEM : RDB_SET_ITEM;
		ev->value = entry_span(r, &e[0], 0);
		return RDB_AGAIN;
	}
}

// A hash whose names stand in a template: the first entry says which, the others are values.
static int template_entry(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev,
			  const struct pack_entry *e)
{
	if (r->template_left == UINT64_MAX) {
		if (!e->is_num || e->num < 0)
			return rdb_fail(r, c, "%s: its template's id is not a number",
					r->type->name);
		return rdb_template_choose(r, c, (uint64_t)e->num);
	}
	if (!rdb_template_name(r, &ev->field))
		return rdb_fail(r, c, "%s: more values than its template has names", r->type->name);
	ev->kind = RDB_HASH_ITEM;
	ev->field_expire_at_ms = -1;
	ev->value = entry_span(r, e, 1);
	return RDB_EVENT;
}

// Listpack and ziplist.
static int entries_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *start, *p, *end;
	struct pack_entry e[3];

	node_view(r, c, &start, &end);
	p = start;
	if (p == end)
		return node_short(r, c, start, end);
	if (*p == NODE_END) {
		if (r->type->always_elements && r->template_left != 0)
			return rdb_fail(r, c, "%s: fewer values than its template has names",
					r->type->name);
		node_advance(r, c, 1);
		return node_close(r, c);
	}
	for (int i = 0; i < r->type->n_parts; i++) {
		ssize_t n = r->type->pack == RDB_PACK_LISTPACK ? listpack_entry(p, end, &e[i])
							       : ziplist_entry(p, end, &e[i]);

		if (n == 0)
			return node_short(r, c, start, end);
		if (n < 0)
			return rdb_fail(r, c, "%s: impossible entry in a packed node",
					r->type->name);
		p += n;
	}
	int rc = r->type->always_elements ? template_entry(r, c, ev, e)
					  : entries_event(r, c, ev, e);

	if (rc == RDB_BAD)
		return RDB_BAD;
	node_advance(r, c, (size_t)(p - start));
	return r->type->always_elements ? rc : RDB_EVENT;
}

static int zipmap_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p, *end;

	node_view(r, c, &p, &end);
	if (p == end)
		return node_short(r, c, p, end);
	if (*p == NODE_END) {
		node_advance(r, c, 1);
		return node_close(r, c);
	}
	ssize_t n = zipmap_pair(p, end, &ev->field, &ev->value);

	if (n == 0)
		return node_short(r, c, p, end);
	if (n < 0)
		return rdb_fail(r, c, "%s: impossible entry in a packed node", r->type->name);
	ev->kind = RDB_HASH_ITEM;
	ev->field_expire_at_ms = -1;
	node_advance(r, c, (size_t)n);
	return RDB_EVENT;
}

static int intset_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p, *end;

	if (r->node.n_left == 0)
		return node_close(r, c);
	node_view(r, c, &p, &end);
	if ((size_t)(end - p) < r->node.width)
		return node_short(r, c, p, end);
	ev->kind = RDB_SET_ITEM;
	ev->value = rdb_num_text(intset_element(p, r->node.width), r->num[0]);
	r->node.n_left--;
	node_advance(r, c, r->node.width);
	return RDB_EVENT;
}

int rdb_node_open_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	static const struct {
		size_t header_len;
		rdb_step *step;
	} packs[] = {
		[RDB_PACK_ZIPMAP] = {ZIPMAP_HEADER_LEN, zipmap_step},
		[RDB_PACK_ZIPLIST] = {ZIPLIST_HEADER_LEN, entries_step},
		[RDB_PACK_INTSET] = {INTSET_HEADER_LEN, intset_step},
		[RDB_PACK_LISTPACK] = {LISTPACK_HEADER_LEN, entries_step},
	};
	enum rdb_pack pack = r->type->pack;
	const uint8_t *p, *end;
	bool fits = true;

	node_view(r, c, &p, &end);
	if ((size_t)(end - p) < packs[pack].header_len)
		return node_short(r, c, p, end);
	if (pack == RDB_PACK_INTSET)
		fits = intset_header(p, r->node.left, &r->node.width, &r->node.n_left);
	else if (pack != RDB_PACK_ZIPMAP)
		fits = rdb_le32(p) == r->node.left;
	if (!fits)
		return rdb_fail(r, c, "%s: a packed node contradicts its length", r->type->name);
	node_advance(r, c, packs[pack].header_len);
	r->step = packs[pack].step;
	return RDB_AGAIN;
}
