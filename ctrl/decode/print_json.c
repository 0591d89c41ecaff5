// SPDX-License-Identifier: BSD-3-Clause
// --format=json and jsonl: one object a key.
//
//   json_event() -> head() -> a value at once
//                          -> opened: item()... -> closed
#include "ctrl/decode/printer.h"

#define NOTE_ROOM 16384 // a consumer's note, its name aside; json_text.c asks for some at a time

static void id_print(struct output *o, struct rdb_stream_id id)
{
	output_char(o, '"');
	output_u64(o, id.ms);
	output_char(o, '-');
	output_u64(o, id.seq);
	output_char(o, '"');
}

static void number(struct output *o, struct span name, int64_t v)
{
	OUTPUT_LIT(o, ",\"");
	output_add(o, name);
	OUTPUT_LIT(o, "\":");
	output_i64(o, v);
}

#define NUMBER(o, name, v) number(o, SPAN_LIT(name), v)

// Before every object: the line end, or the comma of --format=json.
static void object_begin(struct printer *p)
{
	if (p->ops == &printer_json && p->any)
		OUTPUT_LIT(p->out, ",\n");
	p->any = true;
}

static void object_end(struct printer *p)
{
	output_char(p->out, '}');
	if (p->ops == &printer_jsonl)
		output_char(p->out, '\n');
}

// Up to where the value follows.
static void head(struct printer *p, const struct rdb_event *ev)
{
	struct output *o = p->out;
	char name[RDB_MODULE_NAME_LEN + 1];
	object_begin(p);
	OUTPUT_LIT(o, "{\"db\":");
	output_u64(o, p->db);
	OUTPUT_LIT(o, ",\"key\":");
	output_json(o, ev->key);
	OUTPUT_LIT(o, ",\"type\":\"");
	output_add(o, span_of(printer_type(ev, name)));
	output_char(o, '"');
	if (ev->expire_at_ms != -1)
		NUMBER(o, "expire_at_ms", ev->expire_at_ms);
	if (ev->idle_s != -1)
		NUMBER(o, "idle_s", ev->idle_s);
	if (ev->freq != -1)
		NUMBER(o, "freq", ev->freq);
	if (ev->value_kind == RDB_KIND_MODULE)
		NUMBER(o, "module_version", ev->module_version);
	OUTPUT_LIT(o, ",\"value\":");
}

static void comma(struct printer *p)
{
	if (p->json.n_items++)
		output_char(p->out, ',');
}

static void pair(struct printer *p, struct span a, struct span b)
{
	comma(p);
	output_char(p->out, '[');
	output_json(p->out, a);
	output_char(p->out, ',');
	output_json(p->out, b);
}

static void score_item(struct printer *p, const struct rdb_event *ev)
{
	comma(p);
	output_char(p->out, '[');
	output_json(p->out, ev->field);
	OUTPUT_LIT(p->out, ",\"");
	output_add(p->out, ev->value);
	OUTPUT_LIT(p->out, "\"]");
}

static void field_item(struct printer *p, const struct rdb_event *ev)
{
	pair(p, ev->field, ev->value);
	if (ev->field_expire_at_ms != -1) {
		output_char(p->out, ',');
		output_i64(p->out, ev->field_expire_at_ms);
	}
	output_char(p->out, ']');
}

static void array_item(struct printer *p, const struct rdb_event *ev)
{
	comma(p);
	output_char(p->out, '[');
	output_u64(p->out, ev->index);
	output_char(p->out, ',');
	output_json(p->out, ev->value);
	output_char(p->out, ']');
}

// ---- Streams

static void entry_item(struct printer *p, const struct rdb_event *ev)
{
	struct rdb_fields fields = ev->fields;
	struct rdb_field f;
	bool more = false;
	comma(p);
	output_char(p->out, '[');
	id_print(p->out, ev->id);
	OUTPUT_LIT(p->out, ",[");
	while (rdb_fields_next(&fields, &f)) {
		if (more)
			output_char(p->out, ',');
		output_json(p->out, f.name);
		output_char(p->out, ',');
		output_json(p->out, f.value);
		more = true;
	}
	OUTPUT_LIT(p->out, "]]");
}

static void meta_item(struct printer *p, const struct rdb_event *ev)
{
	struct output *o = p->out;
	OUTPUT_LIT(o, "],\"last_id\":");
	id_print(o, ev->stream.last);
	if (ev->stream.full) {
		OUTPUT_LIT(o, ",\"first_id\":");
		id_print(o, ev->stream.first);
		OUTPUT_LIT(o, ",\"max_deleted_id\":");
		id_print(o, ev->stream.max_deleted);
		OUTPUT_LIT(o, ",\"entries_added\":");
		output_u64(o, ev->stream.entries_added);
	}
	OUTPUT_LIT(o, ",\"groups\":[");
	p->json.at = STREAM_GROUPS;
	p->json.n_items = 0;
}

// Close the group at hand, and say who its consumers are.
static void group_end(struct printer *p)
{
	struct print_json *j = &p->json;
	if (j->at <= STREAM_GROUPS)
		return;
	OUTPUT_LIT(p->out, "],\"consumers\":[");
	output_add(p->out, (struct span){j->notes.buf, j->notes.len});
	output_char(p->out, ']');
	if (j->n_notes_lost)
		NUMBER(p->out, "consumers_left_out", (int64_t)j->n_notes_lost);
	output_char(p->out, '}');
	j->at = STREAM_GROUPS;
	j->n_items = 1;
}

static void group_item(struct printer *p, const struct rdb_event *ev)
{
	struct output *o = p->out;
	group_end(p);
	comma(p);
	OUTPUT_LIT(o, "{\"name\":");
	output_json(o, ev->group);
	OUTPUT_LIT(o, ",\"last_id\":");
	id_print(o, ev->id);
	if (ev->entries_read >= 0)
		NUMBER(o, "entries_read", ev->entries_read);
	OUTPUT_LIT(o, ",\"pending\":[");
	p->json.at = STREAM_PENDING;
	p->json.n_items = p->json.n_notes = p->json.n_notes_lost = 0;
	p->json.notes.len = 0;
}

// [name, seen, active]. What is left of the room decides, not how many there are.
static void consumer_item(struct printer *p, const struct rdb_event *ev)
{
	struct output *o = &p->json.notes;
	if (o->cap - o->len < ev->consumer.len * 6 + NOTE_ROOM) {
		p->json.n_notes_lost++;
		return;
	}
	if (p->json.n_notes++)
		output_char(o, ',');
	output_char(o, '[');
	output_json(o, ev->consumer);
	output_char(o, ',');
	output_i64(o, ev->seen_at_ms);
	output_char(o, ',');
	output_i64(o, ev->active_at_ms);
	output_char(o, ']');
}

static void pending_item(struct printer *p, const struct rdb_event *ev)
{
	comma(p);
	output_char(p->out, '[');
	id_print(p->out, ev->id);
	output_char(p->out, ',');
	output_json(p->out, ev->consumer);
	output_char(p->out, ',');
	output_u64(p->out, ev->n_delivered);
	output_char(p->out, ']');
}

static void nacked_item(struct printer *p, const struct rdb_event *ev)
{
	if (p->json.at == STREAM_PENDING) {
		OUTPUT_LIT(p->out, "],\"nacked\":[");
		p->json.at = STREAM_NACKED;
		p->json.n_items = 0;
	}
	comma(p);
	output_char(p->out, '[');
	id_print(p->out, ev->id);
	output_char(p->out, ',');
	output_u64(p->out, ev->n_delivered);
	output_char(p->out, ']');
}

static void idmp_item(struct printer *p, const struct rdb_event *ev)
{
	group_end(p);
	OUTPUT_LIT(p->out, "],\"idmp\":{\"duration_s\":");
	output_u64(p->out, ev->idmp_duration_s);
	OUTPUT_LIT(p->out, ",\"max_entries\":");
	output_u64(p->out, ev->idmp_max_entries);
	OUTPUT_LIT(p->out, ",\"entries\":[");
	p->json.in_idmp = true;
	p->json.n_items = 0;
}

static void idmp_entry_item(struct printer *p, const struct rdb_event *ev)
{
	pair(p, ev->field, ev->value);
	output_char(p->out, ',');
	id_print(p->out, ev->id);
	output_char(p->out, ']');
}

static void stream_close(struct printer *p)
{
	if (p->json.at == STREAM_ENTRIES) // cut short
		OUTPUT_LIT(p->out, "]}");
	else if (p->json.in_idmp)
		OUTPUT_LIT(p->out, "]}}");
	else {
		group_end(p);
		OUTPUT_LIT(p->out, "]}");
	}
}

// ---- Keys

static void open_value(struct printer *p, const struct rdb_event *ev)
{
	head(p, ev);
	p->json.in_value = true;
	p->json.kind = ev->kind == RDB_STRING_BEGIN ? RDB_KIND_STRING : ev->value_kind;
	p->json.n_items = 0;
	p->json.insert_at = -1;
	p->json.at = STREAM_ENTRIES;
	p->json.in_idmp = false;
	if (p->json.kind == RDB_KIND_STRING)
		json_parts_begin(&p->json.parts, p->out);
	else if (p->json.kind == RDB_KIND_STREAM)
		OUTPUT_LIT(p->out, "{\"entries\":[");
	else
		output_char(p->out, '[');
}

static void close_value(struct printer *p)
{
	if (p->json.kind == RDB_KIND_STRING)
		json_parts_end(&p->json.parts, p->out);
	else if (p->json.kind == RDB_KIND_STREAM)
		stream_close(p);
	else
		output_char(p->out, ']');
	if (p->json.insert_at >= 0)
		NUMBER(p->out, "insert_at", p->json.insert_at);
	p->json.in_value = false;
}

static void element(struct printer *p, const struct rdb_event *ev)
{
	switch (ev->kind) {
	case RDB_LIST_ITEM:
	case RDB_SET_ITEM:
		comma(p);
		output_json(p->out, ev->value);
		return;
	case RDB_HASH_ITEM:
		field_item(p, ev);
		return;
	case RDB_ZSET_ITEM:
		score_item(p, ev);
		return;
	case RDB_ARRAY_ITEM:
		array_item(p, ev);
		return;
	case RDB_ARRAY_CURSOR:
		p->json.insert_at = (int64_t)ev->index;
		return;
	case RDB_STRING_PART:
		json_parts_add(&p->json.parts, p->out, ev->value);
		return;
	case RDB_STREAM_ENTRY:
		entry_item(p, ev);
		return;
	case RDB_STREAM_META:
		meta_item(p, ev);
		return;
	case RDB_STREAM_GROUP:
		group_item(p, ev);
		return;
	case RDB_STREAM_CONSUMER:
		consumer_item(p, ev);
		return;
	case RDB_STREAM_PENDING:
		pending_item(p, ev);
		return;
	case RDB_STREAM_NACKED:
		nacked_item(p, ev);
		return;
	case RDB_STREAM_IDMP:
		idmp_item(p, ev);
		return;
	case RDB_STREAM_IDMP_ENTRY:
		idmp_entry_item(p, ev);
		return;
	default:
		return;
	}
}

// ---- What is not a key

static void words(struct printer *p, const struct span *argv, size_t argc)
{
	OUTPUT_LIT(p->out, "\"argv\":[");
	for (size_t i = 0; i < argc; i++) {
		if (i)
			output_char(p->out, ',');
		output_json(p->out, argv[i]);
	}
	output_char(p->out, ']');
}

static void json_command(struct printer *p, uint64_t db, const struct span *argv, size_t argc)
{
	object_begin(p);
	OUTPUT_LIT(p->out, "{\"db\":");
	output_u64(p->out, db);
	OUTPUT_LIT(p->out, ",\"type\":\"command\",");
	words(p, argv, argc);
	object_end(p);
}

static void text(struct output *o, struct span name, struct span value)
{
	OUTPUT_LIT(o, ",\"");
	output_add(o, name);
	OUTPUT_LIT(o, "\":");
	output_json(o, value);
}

#define TEXT(o, name, value) text(o, SPAN_LIT(name), value)

static void aux(struct printer *p, const struct rdb_event *ev)
{
	object_begin(p);
	OUTPUT_LIT(p->out, "{\"type\":\"aux\"");
	TEXT(p->out, "key", ev->key);
	TEXT(p->out, "value", ev->value);
	object_end(p);
}

static void function(struct printer *p, const struct rdb_event *ev)
{
	object_begin(p);
	OUTPUT_LIT(p->out, "{\"type\":\"function\"");
	TEXT(p->out, "name", ev->key);
	TEXT(p->out, "engine", ev->field);
	TEXT(p->out, "code", ev->value);
	object_end(p);
}

// A module's value is not taken apart; what else was passed over is told by its name.
static void skipped(struct printer *p, const struct rdb_event *ev)
{
	char name[RDB_MODULE_NAME_LEN + 1];
	if (ev->key.p) {
		head(p, ev);
		OUTPUT_LIT(p->out, "null");
		object_end(p);
	} else if (ev->module_id) {
		rdb_module_name(ev->module_id, name);
		object_begin(p);
		OUTPUT_LIT(p->out, "{\"type\":\"module_aux\"");
		TEXT(p->out, "module", span_of(name));
		NUMBER(p->out, "module_version", ev->module_version);
		object_end(p);
	}
}

static void json_event(struct printer *p, const struct rdb_event *ev)
{
	switch (ev->kind) {
	case RDB_AUX:
		aux(p, ev);
		return;
	case RDB_FUNCTION:
		function(p, ev);
		return;
	case RDB_SELECTDB:
		p->db = ev->db;
		return;
	case RDB_SKIPPED:
	case RDB_RAW:
		skipped(p, ev);
		return;
	case RDB_STRING:
		head(p, ev);
		output_json(p->out, ev->value);
		object_end(p);
		return;
	case RDB_STRING_BEGIN:
	case RDB_BIG_BEGIN:
		open_value(p, ev);
		return;
	case RDB_STRING_END:
	case RDB_BIG_END:
		close_value(p);
		object_end(p);
		return;
	default:
		element(p, ev);
	}
}

static void json_begin(struct printer *p)
{
	if (p->ops == &printer_json)
		OUTPUT_LIT(p->out, "[\n");
}

// A key that was cut short is closed, so that what was written can be read, and says so.
static void json_end(struct printer *p, bool whole)
{
	if (p->json.in_value) {
		close_value(p);
		OUTPUT_LIT(p->out, ",\"truncated\":true");
		object_end(p);
	}
	if (p->ops == &printer_json)
		output_add(p->out, p->any ? SPAN_LIT("\n]\n") : SPAN_LIT("]\n"));
}

const struct printer_ops printer_json = {
	.name = "json", .values = true, .begin = json_begin, .event = json_event,
	.command = json_command, .end = json_end,
};

const struct printer_ops printer_jsonl = {
	.name = "jsonl", .values = true, .begin = json_begin, .event = json_event,
	.command = json_command, .end = json_end,
};
