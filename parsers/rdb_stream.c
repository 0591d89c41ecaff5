// SPDX-License-Identifier: BSD-3-Clause
// The entries of a stream (t_stream.c of Redis, "listpack" of streamAppendItem).
//
//   begin -> node -> entry, entry ... -> node ... -> meta -> rdb_group.c
//
// A node is a listpack, here always in scratch as a whole: its entries refer back to the master
// entry, whose field names stand at its start.
//
//   master entry: count, deleted, n_fields, names..., 0
//   entry:        flags, ms - master's, seq - master's, [n_fields,] (name, value)... or value...,
//                 entries in this entry
#include "parsers/listpack.h"
#include "parsers/rdb_priv.h"

#define FLAG_DELETED 1
#define FLAG_SAME    2 // the names are the master entry's

static const uint8_t *node_at(const struct rdb_reader *r)
{
	return (const uint8_t *)r->scratch + r->node.off;
}

static int node_bad(struct rdb_reader *r, struct rdb_cursor *c)
{
	return rdb_fail(r, c, "%s: a node of entries is malformed", r->type->name);
}

// Take one entry of the listpack. The node is whole, so that too short is as bad as impossible.
static bool entry_take(struct rdb_reader *r, struct pack_entry *e)
{
	ssize_t n = listpack_entry(node_at(r), node_at(r) + r->node.left, e);

	if (n <= 0)
		return false;
	r->node.off += (size_t)n;
	r->node.left -= (uint64_t)n;
	return true;
}

static bool num_take(struct rdb_reader *r, int64_t *num)
{
	struct pack_entry e;

	if (!entry_take(r, &e) || !e.is_num)
		return false;
	*num = e.num;
	return true;
}

static bool entries_pass(struct rdb_reader *r, uint64_t n)
{
	struct pack_entry e;

	while (n-- > 0)
		if (!entry_take(r, &e))
			return false;
	return true;
}

static bool count_take(struct rdb_reader *r, uint32_t *n)
{
	int64_t num;

	if (!num_take(r, &num) || num < 0 || (uint64_t)num > r->node.left)
		return false;
	*n = (uint32_t)num;
	return true;
}

static bool master_take(struct rdb_reader *r)
{
	uint32_t unused;
	int64_t zero;

	if (r->node.left < LISTPACK_HEADER_LEN || rdb_le32(node_at(r)) != r->node.left)
		return false;
	r->node.off += LISTPACK_HEADER_LEN;
	r->node.left -= LISTPACK_HEADER_LEN;
	if (!count_take(r, &unused) || !count_take(r, &unused) || !count_take(r, &r->n_names))
		return false;
	r->names_off = r->node.off;
	if (!entries_pass(r, r->n_names))
		return false;
	r->names_len = r->node.off - r->names_off;
	return num_take(r, &zero) && zero == 0;
}

static rdb_step meta_step, entry_step;

static int node_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p = c->p;
	struct rdb_str id, node;
	size_t len;
	int rc;

	if (r->left == 0) {
		r->step = meta_step;
		return RDB_AGAIN;
	}
	rc = rdb_str_take(r, c, &p, &id, "stream node");
	if (rc == RDB_AGAIN)
		rc = rdb_str_take(r, c, &p, &node, "stream node");
	if (rc != RDB_AGAIN)
		return rc;
	if (id.how != RDB_STR_PLAIN || id.len != 16)
		return rdb_fail(r, c, "%s: the id of a node is not 16 bytes", r->type->name);
	if (node.how == RDB_STR_INT)
		return node_bad(r, c);
	if (rdb_str_keep(r, c, &node, 0, &len) == RDB_BAD)
		return RDB_BAD;
	r->master.ms = rdb_be64(id.at);
	r->master.seq = rdb_be64(id.at + 8);
	r->node = (struct rdb_node){.left = len, .in_scratch = true};
	if (!master_take(r))
		return node_bad(r, c);
	c->p = p;
	r->left--;
	r->step = entry_step;
	return RDB_AGAIN;
}

static int entry_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	int64_t flags, ms, seq, unused;
	uint32_t n = r->n_names;

	if (r->node.left == 1 && *node_at(r) == LISTPACK_END) {
		r->step = node_step;
		return RDB_AGAIN;
	}
	if (!num_take(r, &flags) || !num_take(r, &ms) || !num_take(r, &seq))
		return node_bad(r, c);
	bool same = flags & FLAG_SAME;

	if (!same && !count_take(r, &n))
		return node_bad(r, c);
	size_t off = r->node.off;

	if (!entries_pass(r, (uint64_t)n * (same ? 1 : 2)))
		return node_bad(r, c);
	size_t len = r->node.off - off;

	if (!num_take(r, &unused))
		return node_bad(r, c);
	if (flags & FLAG_DELETED)
		return RDB_AGAIN;
	ev->kind = RDB_STREAM_ENTRY;
	ev->id.ms = r->master.ms + (uint64_t)ms;
	ev->id.seq = r->master.seq + (uint64_t)seq;
	ev->fields = (struct rdb_fields){
		.n = n,
		.same = same,
		.names = {r->scratch + r->names_off, r->names_len},
		.entries = {r->scratch + off, len},
	};
	return RDB_EVENT;
}

static int meta_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	struct rdb_stream_meta *m = &ev->stream;
	uint64_t v[8] = {0};
	int n = r->type->level == 1 ? 3 : 8;
	const uint8_t *p = c->p;

	for (int i = 0; i < n; i++) {
		enum rdb_take t = rdb_len_take(&p, c->end, &v[i]);

		if (t != RDB_TAKE_OK)
			return rdb_untaken(r, c, t, "stream");
	}
	ev->kind = RDB_STREAM_META;
	*m = (struct rdb_stream_meta){
		.length = v[0],
		.last = {v[1], v[2]},
		.full = n == 8,
		.first = {v[3], v[4]},
		.max_deleted = {v[5], v[6]},
		.entries_added = v[7],
	};
	c->p = p;
	r->step = rdb_groups_step;
	return RDB_EVENT;
}

int rdb_stream_begin_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	enum rdb_take t = rdb_len_take(&c->p, c->end, &r->left);

	if (t != RDB_TAKE_OK)
		return rdb_untaken(r, c, t, "stream");
	r->step = node_step;
	return RDB_AGAIN;
}

static struct span field_take(struct span *from, char *num)
{
	const uint8_t *p = (const uint8_t *)from->p;
	struct pack_entry e = {.text = {NULL, 0}};
	ssize_t n = listpack_entry(p, p + from->len, &e);

	if (n <= 0) // entry_step() has walked over it before
		return (struct span){NULL, 0};
	from->p += n;
	from->len -= (size_t)n;
	return e.is_num ? rdb_num_text(e.num, num) : e.text;
}

bool rdb_fields_next(struct rdb_fields *f, struct rdb_field *out)
{
	if (f->n == 0)
		return false;
	f->n--;
	out->name = field_take(f->same ? &f->names : &f->entries, out->name_num);
	out->value = field_take(&f->entries, out->value_num);
	return true;
}
