// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/rdb_feed.h"

#include <ctype.h>
#include <time.h>

static size_t slice_len(struct feeder *f, size_t left)
{
	static const size_t longest[] = {2, 16, 300, 20000};

	if (f->how == FEED_WHOLE)
		return left;
	size_t n = f->how == FEED_BYTES
			   ? 1
			   : 1 + (size_t)rand_r(&f->seed) % longest[rand_r(&f->seed) % 4];

	return n < left ? n : left;
}

// The reader sees a copy of exactly the bytes that have arrived, so that a sanitizer notices when
// it looks further; for large files that would take too long.
#define COPY_LEN_MAX 8192

static enum rdb_result feed_one(struct feeder *f, struct rdb_reader *r, struct span in,
				size_t *used)
{
	struct rdb_event ev;
	char *copy = NULL;

	memset(&ev, 0xa5, sizeof(ev));
	if (in.len <= COPY_LEN_MAX) {
		copy = malloc(in.len ? in.len : 1);
		memcpy(copy, in.p, in.len);
		in.p = copy;
	}
	enum rdb_result rc = rdb_next(r, in, &ev, used);

	assert_true(*used <= in.len);
	if (rc == RDB_EVENT) {
		f->n_events++;
		if (f->seen)
			f->seen(f->arg, r, &ev);
	}
	free(copy);
	return rc;
}

void feed_run(struct feeder *f, struct span file)
{
	struct rdb_reader r;
	size_t start = 0, shown = 0, used;
	enum rdb_result rc;

	assert_int_equal(rdb_reader_init(&r, &f->set), 0);
	f->n_events = 0;
	for (;;) {
		size_t room = shown - start < f->set.window_len ? shown : start + f->set.window_len;

		rc = feed_one(f, &r, (struct span){file.p + start, room - start}, &used);
		start += used;
		if (rc == RDB_BAD || rc == RDB_DONE)
			break;
		if (rc == RDB_EVENT)
			continue;
		assert_true(r.need_len > room - start); // else it would ask for ever
		assert_true(r.need_len <= f->set.window_len);
		if (room < shown)
			continue; // the window moved on
		if (shown == file.len)
			break;
		shown += slice_len(f, file.len - shown);
	}
	if (rc == RDB_MORE)
		rdb_truncated(&r, shown - start);
	assert_int_equal(r.pos, start);
	f->result = rc;
	f->pos = r.pos;
	f->version = r.version;
	f->n_skipped = r.n_skipped;
	f->scratch_cap = r.scratch_cap;
	memcpy(f->error, r.error, sizeof(f->error));
	rdb_reader_fini(&r);
}

static void print_span(FILE *out, const char *name, struct span s)
{
	fprintf(out, " %s=", name);
	for (size_t i = 0; i < s.len; i++) {
		unsigned char ch = (unsigned char)s.p[i];

		if (isalnum(ch) || (ch && strchr(":-_.", ch)))
			fputc(ch, out);
		else
			fprintf(out, "\\%02x", ch);
	}
}

static void print_attributes(FILE *out, const struct rdb_event *ev)
{
	fprintf(out, " type=%u kind=%s footer=%u expire=%lld idle=%lld freq=%d", ev->type,
		rdb_kind_name(ev->value_kind), ev->footer_version, (long long)ev->expire_at_ms,
		(long long)ev->idle_s, ev->freq);
}

static void print_fields(FILE *out, struct rdb_fields fields)
{
	struct rdb_field field;

	while (rdb_fields_next(&fields, &field)) {
		print_span(out, "name", field.name);
		print_span(out, "value", field.value);
	}
}

static void print_stream_event(FILE *out, const struct rdb_event *ev)
{
	const struct rdb_stream_meta *m = &ev->stream;

	if (ev->kind == RDB_STREAM_META) {
		fprintf(out, " length=%llu last=%llu-%llu", (unsigned long long)m->length,
			(unsigned long long)m->last.ms, (unsigned long long)m->last.seq);
		if (m->full)
			fprintf(out, " first=%llu-%llu deleted=%llu-%llu added=%llu",
				(unsigned long long)m->first.ms, (unsigned long long)m->first.seq,
				(unsigned long long)m->max_deleted.ms,
				(unsigned long long)m->max_deleted.seq,
				(unsigned long long)m->entries_added);
		return;
	}
	if (ev->kind != RDB_STREAM_ENTRY)
		print_span(out, "group", ev->group);
	if (ev->kind == RDB_STREAM_CONSUMER || ev->kind == RDB_STREAM_PENDING)
		print_span(out, "consumer", ev->consumer);
	if (ev->kind == RDB_STREAM_CONSUMER)
		fprintf(out, " seen=%lld active=%lld", (long long)ev->seen_at_ms,
			(long long)ev->active_at_ms);
	else
		fprintf(out, " id=%llu-%llu", (unsigned long long)ev->id.ms,
			(unsigned long long)ev->id.seq);
	if (ev->kind == RDB_STREAM_GROUP)
		fprintf(out, " read=%lld", (long long)ev->entries_read);
	if (ev->kind == RDB_STREAM_PENDING)
		fprintf(out, " at=%lld n=%llu", (long long)ev->delivered_at_ms,
			(unsigned long long)ev->n_delivered);
	if (ev->kind == RDB_STREAM_ENTRY)
		print_fields(out, ev->fields);
}

static const char *const names[] = {
	[RDB_AUX] = "AUX",
	[RDB_SELECTDB] = "SELECTDB",
	[RDB_RESIZEDB] = "RESIZEDB",
	[RDB_FUNCTION] = "FUNCTION",
	[RDB_SKIPPED] = "SKIPPED",
	[RDB_STRING] = "STRING",
	[RDB_STRING_BEGIN] = "STRING_BEGIN",
	[RDB_STRING_PART] = "STRING_PART",
	[RDB_STRING_END] = "STRING_END",
	[RDB_RAW] = "RAW",
	[RDB_BIG_BEGIN] = "BIG_BEGIN",
	[RDB_LIST_ITEM] = "LIST_ITEM",
	[RDB_SET_ITEM] = "SET_ITEM",
	[RDB_HASH_ITEM] = "HASH_ITEM",
	[RDB_ZSET_ITEM] = "ZSET_ITEM",
	[RDB_STREAM_ENTRY] = "STREAM_ENTRY",
	[RDB_STREAM_META] = "STREAM_META",
	[RDB_STREAM_GROUP] = "STREAM_GROUP",
	[RDB_STREAM_CONSUMER] = "STREAM_CONSUMER",
	[RDB_STREAM_PENDING] = "STREAM_PENDING",
	[RDB_BIG_END] = "BIG_END",
	[RDB_EOF] = "EOF",
};

static void print_event(void *arg, const struct rdb_reader *r, const struct rdb_event *ev)
{
	static const char *const crc[] = {"ok", "none", "wrong"};
	FILE *out = arg;

	fprintf(out, "%s", names[ev->kind]);
	switch (ev->kind) {
	case RDB_AUX:
	case RDB_STRING:
	case RDB_RAW:
	case RDB_STRING_BEGIN:
	case RDB_BIG_BEGIN:
		print_span(out, "key", ev->key);
		if (ev->kind != RDB_STRING_BEGIN && ev->kind != RDB_BIG_BEGIN)
			print_span(out, "value", ev->value);
		if (ev->kind == RDB_STRING_BEGIN)
			fprintf(out, " total=%llu", (unsigned long long)ev->total_len);
		if (ev->kind != RDB_AUX)
			print_attributes(out, ev);
		break;
	case RDB_HASH_ITEM:
	case RDB_ZSET_ITEM:
		print_span(out, "field", ev->field);
		print_span(out, "value", ev->value);
		if (ev->kind == RDB_HASH_ITEM)
			fprintf(out, " expire=%lld", (long long)ev->field_expire_at_ms);
		else
			fprintf(out, " score=%.17g", ev->score);
		break;
	case RDB_FUNCTION:
	case RDB_STRING_PART:
	case RDB_LIST_ITEM:
	case RDB_SET_ITEM:
		print_span(out, "value", ev->value);
		break;
	case RDB_SELECTDB:
		fprintf(out, " db=%llu", (unsigned long long)ev->db);
		break;
	case RDB_RESIZEDB:
		fprintf(out, " keys=%llu expires=%llu", (unsigned long long)ev->n_keys,
			(unsigned long long)ev->n_expires);
		break;
	case RDB_SKIPPED:
		fprintf(out, " name=%s", ev->name);
		print_span(out, "key", ev->key);
		break;
	case RDB_EOF:
		fprintf(out, " crc=%s", crc[ev->crc]);
		break;
	case RDB_STRING_END:
	case RDB_BIG_END:
		break;
	default:
		print_stream_event(out, ev);
	}
	fputc('\n', out);
}

char *feed_trace(struct feeder *f, struct span file)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	f->seen = print_event;
	f->arg = out;
	feed_run(f, file);
	fclose(out);
	return text;
}

char *feed_all_ways(struct feeder *f, struct span file)
{
	f->how = FEED_WHOLE;
	char *whole = feed_trace(f, file);
	enum rdb_result result = f->result;
	unsigned seed = (unsigned)time(NULL);

	for (int i = 0; i < 6; i++) {
		f->how = i == 0 ? FEED_BYTES : FEED_RANDOM;
		f->seed = seed + (unsigned)i;
		char *sliced = feed_trace(f, file);

		if (f->result != result || strcmp(whole, sliced) != 0)
			fail_msg("%s differ from the whole file, seed %u",
				 i == 0 ? "single bytes" : "random slices", seed + (unsigned)i);
		free(sliced);
	}
	return whole;
}

const char *feed_line(const char *trace, const char *kind, int n)
{
	static char line[4096];
	size_t kind_len = strlen(kind);

	for (const char *p = trace; *p; p = strchr(p, '\n') + 1) {
		if (strncmp(p, kind, kind_len) != 0 || (p[kind_len] != ' ' && p[kind_len] != '\n'))
			continue;
		if (n-- > 0)
			continue;
		size_t len = (size_t)(strchr(p, '\n') - p);

		snprintf(line, sizeof(line), "%.*s", (int)len, p);
		return line;
	}
	return NULL;
}
