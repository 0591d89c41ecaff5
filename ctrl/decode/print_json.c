// SPDX-License-Identifier: BSD-3-Clause
// --format=json and jsonl: one object a key, and one a command.
//
//   json_event() -> head() -> a value at once
//                          -> opened: item()... -> closed
#include "ctrl/decode/print_json.h"

void json_number(struct output *o, struct span name, int64_t v)
{
	OUTPUT_LIT(o, ",\"");
	output_add(o, name);
	OUTPUT_LIT(o, "\":");
	output_i64(o, v);
}

void json_comma(struct printer *p)
{
	if (p->json.n_items++)
		output_char(p->out, ',');
}

void json_pair_begin(struct printer *p, struct span a, struct span b)
{
	json_comma(p);
	output_char(p->out, '[');
	output_json(p->out, a);
	output_char(p->out, ',');
	output_json(p->out, b);
}

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

static void score_item(struct printer *p, const struct rdb_event *ev)
{
	json_comma(p);
	output_char(p->out, '[');
	output_json(p->out, ev->field);
	OUTPUT_LIT(p->out, ",\"");
	output_add(p->out, ev->value);
	OUTPUT_LIT(p->out, "\"]");
}

static void field_item(struct printer *p, const struct rdb_event *ev)
{
	json_pair_begin(p, ev->field, ev->value);
	if (ev->field_expire_at_ms != -1) {
		output_char(p->out, ',');
		output_i64(p->out, ev->field_expire_at_ms);
	}
	output_char(p->out, ']');
}

static void array_item(struct printer *p, const struct rdb_event *ev)
{
	json_comma(p);
	output_char(p->out, '[');
	output_u64(p->out, ev->index);
	output_char(p->out, ',');
	output_json(p->out, ev->value);
	output_char(p->out, ']');
}

// ---- Keys

static void open_value(struct printer *p, const struct rdb_event *ev)
{
	head(p, ev);
	p->json.in_value = true;
	p->json.kind = ev->kind == RDB_STRING_BEGIN ? RDB_KIND_STRING : ev->value_kind;
	p->json.n_items = 0;
	p->json.last_insert = -1;
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
		json_stream_close(p);
	else
		output_char(p->out, ']');
	if (p->json.last_insert >= 0)
		NUMBER(p->out, "last_insert", p->json.last_insert);
	p->json.in_value = false;
}

static void element(struct printer *p, const struct rdb_event *ev)
{
	switch (ev->kind) {
	case RDB_LIST_ITEM:
	case RDB_SET_ITEM:
		json_comma(p);
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
		p->json.last_insert = (int64_t)ev->index;
		return;
	case RDB_STRING_PART:
		json_parts_add(&p->json.parts, p->out, ev->value);
		return;
	default:
		json_stream_item(p, ev);
	}
}

// ---- What is not a key

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

// ---- Commands

static void command_head(struct printer *p, const struct aof_event *ev)
{
	struct output *o = p->out;
	object_begin(p);
	OUTPUT_LIT(o, "{\"type\":\"command\",\"db\":");
	output_u64(o, ev->db);
	NUMBER(o, "offset", (int64_t)ev->begin);
	if (ev->at_s != -1)
		NUMBER(o, "at_ms", ev->at_s * 1000);
	if (p->file)
		TEXT(o, "file", span_of(p->file));
	OUTPUT_LIT(o, ",\"args\":[");
}

static void word(struct printer *p, const struct aof_event *ev)
{
	struct print_json *j = &p->json;
	if (ev->index && !ev->word_at)
		output_char(p->out, ',');
	if (ev->word.len == ev->word_len) {
		output_json(p->out, ev->word);
		return;
	}
	if (!ev->word_at)
		json_parts_begin(&j->parts, p->out);
	json_parts_add(&j->parts, p->out, ev->word);
	j->in_word = ev->word_at + ev->word.len < ev->word_len;
	if (!j->in_word)
		json_parts_end(&j->parts, p->out);
}

static void json_command(struct printer *p, const struct aof_event *ev)
{
	if (ev->kind == AOF_BIG_WORD) {
		word(p, ev);
		return;
	}
	if (ev->kind != AOF_BIG_END)
		command_head(p, ev);
	p->json.in_command = ev->kind == AOF_BIG_BEGIN;
	if (p->json.in_command)
		return;
	for (uint32_t i = 0; ev->kind == AOF_COMMAND && i < ev->argc; i++) {
		if (i)
			output_char(p->out, ',');
		output_json(p->out, ev->argv[i]);
	}
	output_char(p->out, ']');
	object_end(p);
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

static void command_close(struct printer *p)
{
	if (p->json.in_word)
		json_parts_end(&p->json.parts, p->out);
	output_char(p->out, ']');
}

// What was cut short is closed, so that what was written can be read, and says so.
static void json_end(struct printer *p, bool whole)
{
	bool cut = p->json.in_value || p->json.in_command;
	if (p->json.in_value)
		close_value(p);
	else if (p->json.in_command)
		command_close(p);
	if (cut) {
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
