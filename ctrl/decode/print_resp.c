// SPDX-License-Identifier: BSD-3-Clause
// --format=resp: commands that make the data again in an empty server.
//
//   resp_event() -> resp_select() -> SET, RESTORE, FUNCTION LOAD...
//                            -> begin(), gather()... -> resp_gathered(), end()
//
// Elements are gathered, some ARGS_LEN a command; a command is written as a whole or not at all.
#include <errno.h>
#include <stdlib.h>

#include "ctrl/decode/print_resp.h"
#include "parsers/rdb_footer.h"

#define ARGS_LEN   (64 * 1024)
#define ARGS_MAX   1000

void resp_select(struct printer *p, uint64_t db)
{
	char text[NUMBER_LEN];
	if (p->resp.has_db && p->resp.db == db)
		return;
	p->resp.has_db = true;
	p->resp.db = db;
	SAY(p, SPAN_LIT("SELECT"), resp_number(db, text));
}

static bool bytes_grow(struct printer *p, struct printer_bytes *b, size_t len)
{
	size_t cap = 2 * b->cap + len;
	char *more = realloc(b->p, cap);
	if (!more) {
		p->out->error = p->out->error ? p->out->error : -ENOMEM;
		return false;
	}
	b->p = more;
	b->cap = cap;
	return true;
}

static bool bytes_reserve(struct printer *p, struct printer_bytes *b, size_t len)
{
	return len <= b->cap - b->len || bytes_grow(p, b, len);
}

// VERB key gathered...
void resp_gathered(struct printer *p)
{
	struct print_resp *r = &p->resp;
	if (!r->n_args)
		return;
	resp_head(p->out, r->n_args + 2);
	resp_bulk(p->out, span_of(r->verb));
	resp_bulk(p->out, key_of(p));
	output_add(p->out, (struct span){r->args.p, r->args.len});
	r->n_args = 0;
	r->args.len = 0;
}

void resp_arg(struct printer *p, struct span s)
{
	struct printer_bytes *b = &p->resp.args;
	if (!bytes_reserve(p, b, s.len + BULK_EXTRA))
		return;
	b->len += resp_bulk_write(b->p + b->len, s);
	p->resp.n_args++;
}

// An element of one or two words. A long one goes alone, past the buffer.
static void gather(struct printer *p, struct span a, struct span b, bool two)
{
	struct print_resp *r = &p->resp;
	if (r->args.len + a.len + b.len > ARGS_LEN || r->n_args >= ARGS_MAX)
		resp_gathered(p);
	if (a.len + b.len > ARGS_LEN) {
		const struct span words[4] = {span_of(r->verb), key_of(p), a, b};
		resp_words(p, words, two ? 4 : 3);
		return;
	}
	resp_arg(p, a);
	if (two)
		resp_arg(p, b);
}

static void expire(struct printer *p, struct span key, int64_t at_ms)
{
	char text[NUMBER_LEN];
	if (at_ms == -1)
		return;
	SAY(p, SPAN_LIT("PEXPIREAT"), key, resp_number(at_ms > 0 ? (uint64_t)at_ms : 1, text));
}

// ---- Keys

static void field(struct printer *p, const struct rdb_event *ev)
{
	char at[NUMBER_LEN];
	int64_t at_ms = ev->field_expire_at_ms > 0 ? ev->field_expire_at_ms : 1;
	gather(p, ev->field, ev->value, true);
	if (ev->field_expire_at_ms == -1)
		return;
	resp_gathered(p);
	SAY(p, SPAN_LIT("HPEXPIREAT"), key_of(p), resp_number((uint64_t)at_ms, at),
	    SPAN_LIT("FIELDS"), SPAN_LIT("1"), ev->field);
}

static void begin(struct printer *p, const struct rdb_event *ev)
{
	static const char *const verbs[] = {
		[RDB_KIND_STRING] = "APPEND", [RDB_KIND_LIST] = "RPUSH", [RDB_KIND_SET] = "SADD",
		[RDB_KIND_HASH] = "HSET",     [RDB_KIND_ZSET] = "ZADD",  [RDB_KIND_STREAM] = "XADD",
		[RDB_KIND_MODULE] = "",       [RDB_KIND_ARRAY] = "ARMSET",
	};
	resp_select(p, p->db);
	p->resp.key.len = 0;
	if (ev->key.len && bytes_reserve(p, &p->resp.key, ev->key.len)) {
		memcpy(p->resp.key.p, ev->key.p, ev->key.len);
		p->resp.key.len = ev->key.len;
	}
	p->resp.verb = verbs[ev->value_kind];
	p->resp.expire_at_ms = ev->expire_at_ms;
	p->resp.n_args = p->resp.n_parts = 0;
	p->resp.args.len = 0;
	p->resp.in_key = true;
}

static void element(struct printer *p, const struct rdb_event *ev)
{
	char text[NUMBER_LEN];
	switch (ev->kind) {
	case RDB_LIST_ITEM:
	case RDB_SET_ITEM:
		gather(p, ev->value, (struct span){NULL, 0}, false);
		return;
	case RDB_HASH_ITEM:
		field(p, ev);
		return;
	case RDB_ZSET_ITEM:
		gather(p, ev->value, ev->field, true);
		return;
	case RDB_ARRAY_ITEM:
		gather(p, resp_number(ev->index, text), ev->value, true);
		return;
	case RDB_ARRAY_CURSOR: // after the elements, which move it
		p->resp.n_parts = ev->index + 1;
		return;
	case RDB_STRING_PART:
		SAY(p, p->resp.n_parts++ ? SPAN_LIT("APPEND") : SPAN_LIT("SET"), key_of(p),
		    ev->value);
		return;
	default:
		resp_stream_event(p, ev);
	}
}

static void end(struct printer *p, const struct rdb_event *ev)
{
	char text[NUMBER_LEN];
	resp_gathered(p);
	if (!strcmp(p->resp.verb, "ARMSET") && p->resp.n_parts)
		SAY(p, SPAN_LIT("ARSEEK"), key_of(p), resp_number(p->resp.n_parts, text));
	expire(p, key_of(p), p->resp.expire_at_ms);
	p->resp.in_key = false;
}

// The body as it is in the file, for whom knows the module.
static void restore(struct printer *p, const struct rdb_event *ev)
{
	struct output *o = p->out;
	uint8_t footer[RDB_FOOTER_LEN];
	rdb_restore_footer(ev->type, ev->footer_version, ev->value, footer);
	resp_select(p, p->db);
	resp_head(o, 4);
	resp_bulk(o, SPAN_LIT("RESTORE"));
	resp_bulk(o, ev->key);
	resp_bulk(o, SPAN_LIT("0"));
	output_char(o, '$');
	output_u64(o, 1 + ev->value.len + RDB_FOOTER_LEN);
	OUTPUT_LIT(o, "\r\n");
	output_char(o, (char)ev->type);
	output_add(o, ev->value);
	output_add(o, (struct span){(const char *)footer, RDB_FOOTER_LEN});
	OUTPUT_LIT(o, "\r\n");
	expire(p, ev->key, ev->expire_at_ms);
}

// A library of a release candidate has its name beside the source, where releases want it inside.
static void function(struct printer *p, const struct rdb_event *ev)
{
	struct output *o = p->out;
	bool whole = ev->value.len > 2 && !memcmp(ev->value.p, "#!", 2);
	size_t len = ev->value.len + (whole ? 0 : ev->field.len + ev->key.len + 9);
	resp_head(o, 4);
	resp_bulk(o, SPAN_LIT("FUNCTION"));
	resp_bulk(o, SPAN_LIT("LOAD"));
	resp_bulk(o, SPAN_LIT("REPLACE"));
	output_char(o, '$');
	output_u64(o, len);
	OUTPUT_LIT(o, "\r\n");
	if (!whole) {
		OUTPUT_LIT(o, "#!");
		output_add(o, ev->field);
		OUTPUT_LIT(o, " name=");
		output_add(o, ev->key);
		output_char(o, '\n');
	}
	output_add(o, ev->value);
	OUTPUT_LIT(o, "\r\n");
}

static void resp_event(struct printer *p, const struct rdb_event *ev)
{
	switch (ev->kind) {
	case RDB_SELECTDB:
		p->db = ev->db;
		return;
	case RDB_AUX:
		if (span_eq(ev->key, SPAN_LIT("lua")))
			SAY(p, SPAN_LIT("SCRIPT"), SPAN_LIT("LOAD"), ev->value);
		return;
	case RDB_FUNCTION:
		function(p, ev);
		return;
	case RDB_STRING:
		resp_select(p, p->db);
		SAY(p, SPAN_LIT("SET"), ev->key, ev->value);
		expire(p, ev->key, ev->expire_at_ms);
		return;
	case RDB_RAW:
		restore(p, ev);
		return;
	case RDB_STRING_BEGIN:
	case RDB_BIG_BEGIN:
		begin(p, ev);
		return;
	case RDB_STRING_END:
	case RDB_BIG_END:
		end(p, ev);
		return;
	default:
		element(p, ev);
	}
}

static void resp_begin(struct printer *p)
{
}

static void resp_end(struct printer *p, bool whole)
{
	if (p->resp.in_key)
		resp_gathered(p);
	if (p->resp.in_multi)
		SAY(p, SPAN_LIT("DISCARD")); // nothing of it, then
}

const struct printer_ops printer_resp = {
	.name = "resp", .values = true, .modules = true, .begin = resp_begin, .event = resp_event,
	.command = resp_command, .end = resp_end,
};
