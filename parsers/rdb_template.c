// SPDX-License-Identifier: BSD-3-Clause
// Hashes whose field names stand in a template (Redis 8.10, RDB version 15). A template is written
// once, before the keys that refer to it:
//
//   HASH_TEMPLATE: id, count, names           type 30: listpack of id, values
//                                             type 32: id, values
//
// The templates are all that the reader remembers of a file. They are bounded by scratch_len.
#include <stdlib.h>

#include "parsers/rdb_priv.h"

// Make room for `len` more names' bytes. Returns RDB_AGAIN or RDB_BAD.
static int names_grow(struct rdb_reader *r, struct rdb_cursor *c, size_t len)
{
	size_t cap = r->template_names_cap ? r->template_names_cap : 4096;

	if (len > r->set.scratch_len - r->template_names_len)
		return rdb_fail(r, c, "templates of hashes exceed the scratch limit of %zu",
				r->set.scratch_len);
	while (cap < r->template_names_len + len)
		cap *= 2;
	if (cap == r->template_names_cap)
		return RDB_AGAIN;
	char *p = realloc(r->template_names, cap);

	if (p == NULL)
		return rdb_fail(r, c, "no memory for templates of hashes");
	r->template_names = p;
	r->template_names_cap = cap;
	return RDB_AGAIN;
}

static int template_add(struct rdb_reader *r, struct rdb_cursor *c, uint64_t id, uint64_t n)
{
	if (r->n_templates == r->templates_cap) {
		size_t cap = r->templates_cap ? 2 * r->templates_cap : 16;

		if (cap * sizeof(*r->templates) > r->set.scratch_len)
			return rdb_fail(r, c, "more than %zu templates of hashes", r->n_templates);
		struct rdb_template *p = realloc(r->templates, cap * sizeof(*p));

		if (p == NULL)
			return rdb_fail(r, c, "no memory for templates of hashes");
		r->templates = p;
		r->templates_cap = cap;
	}
	r->templates[r->n_templates++] =
		(struct rdb_template){.id = id, .n = n, .off = r->template_names_len};
	return RDB_AGAIN;
}

static rdb_step names_step;

int rdb_template_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p = c->p + 1;
	uint64_t id, n;
	enum rdb_take t = rdb_len_take(&p, c->end, &id);

	if (t == RDB_TAKE_OK)
		t = rdb_len_take(&p, c->end, &n);
	if (t != RDB_TAKE_OK)
		return rdb_untaken(r, c, t, "template of hashes");
	if (n == 0)
		return rdb_fail(r, c, "a template of hashes has no names");
	if (template_add(r, c, id, n) == RDB_BAD)
		return RDB_BAD;
	c->p = p;
	r->left = n;
	r->step = names_step;
	return RDB_AGAIN;
}

static int names_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p = c->p;
	struct rdb_str s;
	struct span name;
	uint32_t len;

	if (r->left == 0) {
		r->step = rdb_opcode_step;
		return RDB_AGAIN;
	}
	int rc = rdb_str_take(r, c, &p, &s, "name in a template");

	if (rc != RDB_AGAIN)
		return rc;
	if (rdb_str_decode(r, c, &s, &name, 1) == RDB_BAD)
		return RDB_BAD;
	if (name.len > UINT32_MAX || names_grow(r, c, sizeof(len) + name.len) == RDB_BAD)
		return rdb_fail(r, c, "name in a template: impossible length");
	len = (uint32_t)name.len;
	memcpy(r->template_names + r->template_names_len, &len, sizeof(len));
	memcpy(r->template_names + r->template_names_len + sizeof(len), name.p, len);
	r->template_names_len += sizeof(len) + len;
	c->p = p;
	r->left--;
	return RDB_AGAIN;
}

int rdb_template_choose(struct rdb_reader *r, struct rdb_cursor *c, uint64_t id)
{
	const struct rdb_template *t = r->templates;
	size_t i = 0;

	// Servers number them as they write them.
	if (id < r->n_templates && t[id].id == id)
		i = (size_t)id;
	while (i < r->n_templates && t[i].id != id)
		i++;
	if (i == r->n_templates)
		return rdb_fail(r, c, "%s: no template has the id %llu", r->type->name,
				(unsigned long long)id);
	r->template_left = t[i].n;
	r->template_off = t[i].off;
	return RDB_AGAIN;
}

bool rdb_template_name(struct rdb_reader *r, struct span *name)
{
	uint32_t len;

	if (r->template_left == 0)
		return false;
	memcpy(&len, r->template_names + r->template_off, sizeof(len));
	*name = (struct span){r->template_names + r->template_off + sizeof(len), len};
	r->template_off += sizeof(len) + len;
	r->template_left--;
	return true;
}

// Type 32.
int rdb_template_hash_step(struct rdb_reader *r, struct rdb_cursor *c, struct rdb_event *ev)
{
	const uint8_t *p = c->p;
	struct rdb_str s;
	uint64_t id;

	if (r->template_left == UINT64_MAX) {
		enum rdb_take t = rdb_len_take(&c->p, c->end, &id);

		if (t != RDB_TAKE_OK)
			return rdb_untaken(r, c, t, "hash");
		return rdb_template_choose(r, c, id);
	}
	if (r->template_left == 0)
		return rdb_big_end_step(r, c, ev);
	int rc = rdb_str_take(r, c, &p, &s, "value of a hash");

	if (rc != RDB_AGAIN)
		return rc;
	if (rdb_str_decode(r, c, &s, &ev->value, 1) == RDB_BAD)
		return RDB_BAD;
	rdb_template_name(r, &ev->field);
	ev->kind = RDB_HASH_ITEM;
	ev->field_expire_at_ms = -1;
	c->p = p;
	return RDB_EVENT;
}
