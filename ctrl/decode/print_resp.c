// SPDX-License-Identifier: BSD-3-Clause
// --format=resp: commands that make the data again in an empty server.
//
//   resp_event() -> db_select() -> SET, RESTORE, FUNCTION LOAD...
//                            -> begin(), gather()... -> gathered(), end()
//
// Elements are gathered, some ARGS_LEN a command; a command is written as a whole or not at all.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctrl/decode/printer.h"
#include "parsers/rdb_footer.h"

#define ARGS_LEN   (64 * 1024)
#define ARGS_MAX   1000
#define NUMBER_LEN 24
#define ID_LEN     48

static struct span number(uint64_t v, char text[NUMBER_LEN])
{
	char *p = text + NUMBER_LEN;
	do
		*--p = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	return (struct span){p, (size_t)(text + NUMBER_LEN - p)};
}

#define BULK_EXTRA 32 // room beside the bytes themselves

// @param out  s.len + BULK_EXTRA bytes
// @return bytes written
static size_t bulk_write(char *out, struct span s)
{
	char text[NUMBER_LEN], *at = out;
	struct span len = number(s.len, text);
	*at++ = '$';
	memcpy(at, len.p, len.len);
	memcpy(at + len.len, "\r\n", 2);
	at += len.len + 2;
	if (s.len)
		memcpy(at, s.p, s.len);
	memcpy(at + s.len, "\r\n", 2);
	return (size_t)(at + s.len + 2 - out);
}

static void bulk(struct output *o, struct span s)
{
	char *room = output_room(o, s.len + BULK_EXTRA);
	if (room) {
		output_took(o, bulk_write(room, s));
		return;
	}
	output_char(o, '$');
	output_u64(o, s.len);
	OUTPUT_LIT(o, "\r\n");
	output_add(o, s);
	OUTPUT_LIT(o, "\r\n");
}

static void head(struct output *o, uint64_t argc)
{
	output_char(o, '*');
	output_u64(o, argc);
	OUTPUT_LIT(o, "\r\n");
}

static void say_words(struct printer *p, const struct span *words, size_t n)
{
	head(p->out, n);
	for (size_t i = 0; i < n; i++)
		bulk(p->out, words[i]);
}

#define SAY(p, ...)                                                                                \
	say_words(p, (const struct span[]){__VA_ARGS__},                                           \
		  sizeof((const struct span[]){__VA_ARGS__}) / sizeof(struct span))

static struct span id_text(struct rdb_stream_id id, char text[ID_LEN])
{
	int n = snprintf(text, ID_LEN, "%llu-%llu", (unsigned long long)id.ms,
			 (unsigned long long)id.seq);
	return (struct span){text, (size_t)n};
}

static void db_select(struct printer *p, uint64_t db)
{
	char text[NUMBER_LEN];
	if (p->resp.has_db && p->resp.db == db)
		return;
	p->resp.has_db = true;
	p->resp.db = db;
	SAY(p, SPAN_LIT("SELECT"), number(db, text));
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

static struct span key_of(const struct printer *p)
{
	return (struct span){p->resp.key.p, p->resp.key.len};
}

// VERB key gathered...
static void gathered(struct printer *p)
{
	struct print_resp *r = &p->resp;
	if (!r->n_args)
		return;
	head(p->out, r->n_args + 2);
	bulk(p->out, span_of(r->verb));
	bulk(p->out, key_of(p));
	output_add(p->out, (struct span){r->args.p, r->args.len});
	r->n_args = 0;
	r->args.len = 0;
}

static void arg_add(struct printer *p, struct span s)
{
	struct printer_bytes *b = &p->resp.args;
	if (!bytes_reserve(p, b, s.len + BULK_EXTRA))
		return;
	b->len += bulk_write(b->p + b->len, s);
	p->resp.n_args++;
}

// An element of one or two words. A long one goes alone, past the buffer.
static void gather(struct printer *p, struct span a, struct span b, bool two)
{
	struct print_resp *r = &p->resp;
	if (r->args.len + a.len + b.len > ARGS_LEN || r->n_args >= ARGS_MAX)
		gathered(p);
	if (a.len + b.len > ARGS_LEN) {
		const struct span words[4] = {span_of(r->verb), key_of(p), a, b};
		say_words(p, words, two ? 4 : 3);
		return;
	}
	arg_add(p, a);
	if (two)
		arg_add(p, b);
}

static void expire(struct printer *p, struct span key, int64_t at_ms)
{
	char text[NUMBER_LEN];
	if (at_ms == -1)
		return;
	SAY(p, SPAN_LIT("PEXPIREAT"), key, number(at_ms > 0 ? (uint64_t)at_ms : 1, text));
}

// ---- Streams

static void entry(struct printer *p, const struct rdb_event *ev)
{
	struct rdb_fields fields = ev->fields;
	struct rdb_field f;
	char id[ID_LEN];
	arg_add(p, id_text(ev->id, id));
	while (rdb_fields_next(&fields, &f)) {
		arg_add(p, f.name);
		arg_add(p, f.value);
	}
	gathered(p);
}

// An empty stream is made by an entry that is trimmed at once; then the counters follow.
static void meta(struct printer *p, const struct rdb_event *ev)
{
	const struct rdb_stream_meta *m = &ev->stream;
	char last[ID_LEN], deleted[ID_LEN], added[NUMBER_LEN];
	bool never = m->last.ms == 0 && m->last.seq == 0;
	if (m->length == 0)
		SAY(p, SPAN_LIT("XADD"), key_of(p), SPAN_LIT("MAXLEN"), SPAN_LIT("0"),
		    never ? SPAN_LIT("0-1") : id_text(m->last, last), SPAN_LIT("x"), SPAN_LIT("y"));
	if (m->full)
		SAY(p, SPAN_LIT("XSETID"), key_of(p), id_text(m->last, last),
		    SPAN_LIT("ENTRIESADDED"), number(m->entries_added, added),
		    SPAN_LIT("MAXDELETEDID"), id_text(m->max_deleted, deleted));
	else
		SAY(p, SPAN_LIT("XSETID"), key_of(p), id_text(m->last, last));
}

static void group(struct printer *p, const struct rdb_event *ev)
{
	char id[ID_LEN], read[NUMBER_LEN];
	struct span words[7] = {SPAN_LIT("XGROUP"),      SPAN_LIT("CREATE"),
				key_of(p),               ev->group,
				id_text(ev->id, id),     SPAN_LIT("ENTRIESREAD"),
				SPAN_LIT("")};
	if (ev->entries_read >= 0)
		words[6] = number((uint64_t)ev->entries_read, read);
	say_words(p, words, ev->entries_read >= 0 ? 7 : 5);
}

static void pending(struct printer *p, const struct rdb_event *ev)
{
	char id[ID_LEN], at[NUMBER_LEN], n[NUMBER_LEN];
	int64_t at_ms = ev->delivered_at_ms > 0 ? ev->delivered_at_ms : 0;
	SAY(p, SPAN_LIT("XCLAIM"), key_of(p), ev->group, ev->consumer, SPAN_LIT("0"),
	    id_text(ev->id, id), SPAN_LIT("TIME"), number((uint64_t)at_ms, at),
	    SPAN_LIT("RETRYCOUNT"), number(ev->n_delivered, n), SPAN_LIT("FORCE"),
	    SPAN_LIT("JUSTID"));
}

static void nacked(struct printer *p, const struct rdb_event *ev)
{
	char id[ID_LEN], n[NUMBER_LEN];
	SAY(p, SPAN_LIT("XNACK"), key_of(p), ev->group, SPAN_LIT("SILENT"), SPAN_LIT("IDS"),
	    SPAN_LIT("1"), id_text(ev->id, id), SPAN_LIT("RETRYCOUNT"), number(ev->n_delivered, n),
	    SPAN_LIT("FORCE"));
}

static void idmp(struct printer *p, const struct rdb_event *ev)
{
	char seconds[NUMBER_LEN], max[NUMBER_LEN];
	if (ev->idmp_duration_s && ev->idmp_max_entries)
		SAY(p, SPAN_LIT("XCFGSET"), key_of(p), SPAN_LIT("IDMP-DURATION"),
		    number(ev->idmp_duration_s, seconds), SPAN_LIT("IDMP-MAXSIZE"),
		    number(ev->idmp_max_entries, max));
}

static bool stream_event(struct printer *p, const struct rdb_event *ev)
{
	char id[ID_LEN];
	switch (ev->kind) {
	case RDB_STREAM_ENTRY:
		entry(p, ev);
		return true;
	case RDB_STREAM_META:
		meta(p, ev);
		return true;
	case RDB_STREAM_GROUP:
		group(p, ev);
		return true;
	case RDB_STREAM_CONSUMER:
		SAY(p, SPAN_LIT("XGROUP"), SPAN_LIT("CREATECONSUMER"), key_of(p), ev->group,
		    ev->consumer);
		return true;
	case RDB_STREAM_PENDING:
		pending(p, ev);
		return true;
	case RDB_STREAM_NACKED:
		nacked(p, ev);
		return true;
	case RDB_STREAM_IDMP:
		idmp(p, ev);
		return true;
	case RDB_STREAM_IDMP_ENTRY:
		SAY(p, SPAN_LIT("XIDMPRECORD"), key_of(p), ev->field, ev->value,
		    id_text(ev->id, id));
		return true;
	default:
		return false;
	}
}

// ---- Keys

static void field(struct printer *p, const struct rdb_event *ev)
{
	char at[NUMBER_LEN];
	int64_t at_ms = ev->field_expire_at_ms > 0 ? ev->field_expire_at_ms : 1;
	gather(p, ev->field, ev->value, true);
	if (ev->field_expire_at_ms == -1)
		return;
	gathered(p);
	SAY(p, SPAN_LIT("HPEXPIREAT"), key_of(p), number((uint64_t)at_ms, at), SPAN_LIT("FIELDS"),
	    SPAN_LIT("1"), ev->field);
}

static void begin(struct printer *p, const struct rdb_event *ev)
{
	static const char *const verbs[] = {
		[RDB_KIND_STRING] = "APPEND", [RDB_KIND_LIST] = "RPUSH", [RDB_KIND_SET] = "SADD",
		[RDB_KIND_HASH] = "HSET",     [RDB_KIND_ZSET] = "ZADD",  [RDB_KIND_STREAM] = "XADD",
		[RDB_KIND_MODULE] = "",       [RDB_KIND_ARRAY] = "ARMSET",
	};
	db_select(p, p->db);
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
		gather(p, number(ev->index, text), ev->value, true);
		return;
	case RDB_ARRAY_CURSOR: // after the elements, which move it
		p->resp.n_parts = ev->index + 1;
		return;
	case RDB_STRING_PART:
		SAY(p, p->resp.n_parts++ ? SPAN_LIT("APPEND") : SPAN_LIT("SET"), key_of(p),
		    ev->value);
		return;
	default:
		stream_event(p, ev);
	}
}

static void end(struct printer *p, const struct rdb_event *ev)
{
	char text[NUMBER_LEN];
	gathered(p);
	if (!strcmp(p->resp.verb, "ARMSET") && p->resp.n_parts)
		SAY(p, SPAN_LIT("ARSEEK"), key_of(p), number(p->resp.n_parts - 1, text));
	expire(p, key_of(p), p->resp.expire_at_ms);
	p->resp.in_key = false;
}

// The body as it is in the file, for whom knows the module.
static void restore(struct printer *p, const struct rdb_event *ev)
{
	struct output *o = p->out;
	uint8_t footer[RDB_FOOTER_LEN];
	rdb_restore_footer(ev->type, ev->footer_version, ev->value, footer);
	db_select(p, p->db);
	head(o, 4);
	bulk(o, SPAN_LIT("RESTORE"));
	bulk(o, ev->key);
	bulk(o, SPAN_LIT("0"));
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
	head(o, 4);
	bulk(o, SPAN_LIT("FUNCTION"));
	bulk(o, SPAN_LIT("LOAD"));
	bulk(o, SPAN_LIT("REPLACE"));
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
		db_select(p, p->db);
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

static void resp_command(struct printer *p, uint64_t db, const struct span *argv, size_t argc)
{
	db_select(p, db);
	say_words(p, argv, argc);
}

static void resp_begin(struct printer *p)
{
}

static void resp_end(struct printer *p, bool whole)
{
	if (p->resp.in_key)
		gathered(p);
}

const struct printer_ops printer_resp = {
	.name = "resp", .values = true, .modules = true, .begin = resp_begin, .event = resp_event,
	.command = resp_command, .end = resp_end,
};
