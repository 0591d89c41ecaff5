// SPDX-License-Identifier: BSD-3-Clause
// A stream as JSON:
//
//   entries ... -> meta -> (group -> pending ... -> nacked ... -> consumers) ... -> idmp -> close
#include "ctrl/decode/print_json.h"

#define NOTE_ROOM 16384 // a consumer's note, its name aside; json_text.c asks for some at a time

static void id_print(struct output *o, struct rdb_stream_id id)
{
	output_char(o, '"');
	output_u64(o, id.ms);
	output_char(o, '-');
	output_u64(o, id.seq);
	output_char(o, '"');
}

static void entry_item(struct printer *p, const struct rdb_event *ev)
{
	struct rdb_fields fields = ev->fields;
	struct rdb_field f;
	bool more = false;
	json_comma(p);
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
	json_comma(p);
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
	json_comma(p);
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
	json_comma(p);
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
	json_pair_begin(p, ev->field, ev->value);
	output_char(p->out, ',');
	id_print(p->out, ev->id);
	output_char(p->out, ']');
}

void json_stream_close(struct printer *p)
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

void json_stream_item(struct printer *p, const struct rdb_event *ev)
{
	switch (ev->kind) {
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
