// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/rdb_gen_words.h"

#include <stdlib.h>

#include "parsers/crc64.h"

#define SHOWN_LEN 24 // longer texts by length and sum

typedef unsigned long long ull;

void words_begin(struct words *w)
{
	*w = (struct words){.text = NULL};
	w->out = open_memstream(&w->text, &w->len);
}

static void span_put(struct words *w, struct span s)
{
	fprintf(w->out, " %zu:", s.len);
	if (s.len > SHOWN_LEN) {
		fprintf(w->out, "%016llx", (ull)crc64(0, s.p, s.len));
		return;
	}
	for (size_t i = 0; i < s.len; i++)
		fprintf(w->out, "%02x", (uint8_t)s.p[i]);
}

static void id_put(struct words *w, struct rdb_stream_id id)
{
	fprintf(w->out, " %016llx-%016llx", (ull)id.ms, (ull)id.seq);
}

void words_string(struct words *w, struct span value)
{
	fputs("string", w->out);
	span_put(w, value);
	fputc('\n', w->out);
}

void words_entry(struct words *w, struct rdb_stream_id id)
{
	fputs("entry", w->out);
	id_put(w, id);
}

void words_pair(struct words *w, struct span name, struct span value)
{
	span_put(w, name);
	span_put(w, value);
}

void words_entry_end(struct words *w)
{
	fputc('\n', w->out);
}

static void stream_entry(struct words *w, const struct rdb_event *ev)
{
	struct rdb_fields fields = ev->fields;
	struct rdb_field field;
	words_entry(w, ev->id);
	while (rdb_fields_next(&fields, &field))
		words_pair(w, field.name, field.value);
	words_entry_end(w);
}

static void stream_meta(struct words *w, const struct rdb_stream_meta *m)
{
	fprintf(w->out, "stream %llu", (ull)m->length);
	id_put(w, m->last);
	if (m->full) {
		fputs("\n~stream", w->out);
		id_put(w, m->first);
		id_put(w, m->max_deleted);
		fprintf(w->out, " %llu", (ull)m->entries_added);
	}
	fputc('\n', w->out);
}

static void group_event(struct words *w, const struct rdb_event *ev)
{
	static const char *const names[] = {[RDB_STREAM_GROUP] = "group",
					    [RDB_STREAM_CONSUMER] = "consumer",
					    [RDB_STREAM_PENDING] = "pending"};
	fputs(names[ev->kind], w->out);
	span_put(w, ev->group);
	if (ev->kind == RDB_STREAM_GROUP) {
		id_put(w, ev->id);
		fputs("\n~group", w->out);
		span_put(w, ev->group);
		fprintf(w->out, " %lld", (long long)ev->entries_read);
	} else {
		span_put(w, ev->consumer);
	}
	if (ev->kind == RDB_STREAM_CONSUMER) {
		fprintf(w->out, " %lld", (long long)ev->seen_at_ms);
		fputs("\n~consumer", w->out);
		span_put(w, ev->consumer);
		fprintf(w->out, " %lld", (long long)ev->active_at_ms);
	}
	if (ev->kind == RDB_STREAM_PENDING) {
		id_put(w, ev->id);
		fprintf(w->out, " %lld %llu", (long long)ev->delivered_at_ms, (ull)ev->n_delivered);
	}
	fputc('\n', w->out);
}

void words_element(struct words *w, const struct rdb_event *ev)
{
	switch (ev->kind) {
	case RDB_LIST_ITEM:
		fprintf(w->out, "item %08llu", (ull)w->n_items++);
		span_put(w, ev->value);
		break;
	case RDB_SET_ITEM:
		fputs("member", w->out);
		span_put(w, ev->value);
		break;
	case RDB_HASH_ITEM:
		fputs("field", w->out);
		span_put(w, ev->field);
		span_put(w, ev->value);
		fprintf(w->out, " %lld", (long long)ev->field_expire_at_ms);
		break;
	case RDB_ZSET_ITEM:
		fputs("scored", w->out);
		span_put(w, ev->field);
		// Servers turn a score of -0 into 0 on some ways.
		fprintf(w->out, " %.17g", ev->score == 0 ? 0.0 : ev->score);
		break;
	case RDB_STREAM_ENTRY:
		stream_entry(w, ev);
		return;
	case RDB_STREAM_META:
		stream_meta(w, &ev->stream);
		return;
	case RDB_STREAM_GROUP:
	case RDB_STREAM_CONSUMER:
	case RDB_STREAM_PENDING:
		group_event(w, ev);
		return;
	default:
		fprintf(w->out, "unexpected event %d", ev->kind);
	}
	fputc('\n', w->out);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *words_end(struct words *w, bool without_newer)
{
	char **lines, *text, *next;
	size_t n = 0, len;
	fclose(w->out);
	lines = malloc((w->len + 1) * sizeof(*lines));
	for (char *at = w->text; *at; at = next + 1) {
		next = strchr(at, '\n');
		*next = '\0';
		if (!without_newer || *at != '~')
			lines[n++] = at;
	}
	qsort(lines, n, sizeof(*lines), by_text);
	FILE *out = open_memstream(&text, &len);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s\n", lines[i]);
	fclose(out);
	free(lines);
	free(w->text);
	return text;
}
