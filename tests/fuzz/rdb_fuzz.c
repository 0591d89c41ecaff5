// SPDX-License-Identifier: BSD-3-Clause
// The RDB reader on arbitrary bytes. Two bytes choose settings and slices; the rest is the
// file. The same file is read whole and in slices, and must give the same events.
#include <stdlib.h>

#include "parsers/rdb.h"
#include "parsers/crc64.h"
#include "parsers/rdb_stream_older.h"
#include "tests/fuzz/fuzz.h"

#define CHECK(x)                 \
	do {                     \
		if (!(x))        \
			abort(); \
	} while (0)

static uint64_t add(uint64_t sum, struct span s)
{
	sum = crc64(sum, &s.len, sizeof(s.len));
	return crc64(sum, s.p, s.len); // reads every byte: a sanitizer sees a bad span
}

// What the reader takes for a stream can be made an older one, and that again.
static void older_check(const struct rdb_event *ev)
{
	static const uint8_t types[] = {27, 26, 21, 19, 15};
	struct span body = ev->value;
	uint8_t from = ev->type;

	if (ev->value_kind != RDB_KIND_STREAM)
		return;
	char *out = malloc(2 * body.len + 1);

	CHECK(out);
	for (unsigned i = 0; i < 5; i++) {
		struct rdb_stream_lost lost;
		char *to = out + (i & 1 ? ev->value.len : 0);
		size_t len;

		if (types[i] > from)
			continue;
		CHECK(rdb_stream_older(body, from, types[i], to, &len, &lost) == 0);
		CHECK(len <= body.len);
		body = (struct span){to, len};
		from = types[i];
	}
	free(out);
}

static uint64_t add_event(uint64_t sum, const struct rdb_event *ev)
{
	struct rdb_fields fields;
	struct rdb_field field;

	sum = crc64(sum, &ev->kind, sizeof(ev->kind));
	switch (ev->kind) {
	case RDB_STREAM_ENTRY:
		fields = ev->fields;
		while (rdb_fields_next(&fields, &field))
			sum = add(add(sum, field.name), field.value);
		return sum;
	case RDB_HASH_ITEM:
	case RDB_ZSET_ITEM:
	case RDB_STREAM_IDMP_ENTRY:
		return add(add(sum, ev->field), ev->value);
	case RDB_SKIPPED:
		return ev->key.p ? add(sum, ev->key) : sum;
	case RDB_RAW:
		older_check(ev);
		return add(add(sum, ev->key), ev->value);
	case RDB_AUX:
	case RDB_STRING:
		return add(add(sum, ev->key), ev->value);
	case RDB_STRING_BEGIN:
	case RDB_BIG_BEGIN:
		return add(sum, ev->key);
	case RDB_FUNCTION:
		return add(add(add(sum, ev->key), ev->field), ev->value);
	case RDB_STRING_PART:
	case RDB_COMMAND:
	case RDB_LIST_ITEM:
	case RDB_SET_ITEM:
	case RDB_ARRAY_ITEM:
		return add(sum, ev->value);
	case RDB_STREAM_CONSUMER:
	case RDB_STREAM_PENDING:
		return add(add(sum, ev->group), ev->consumer);
	case RDB_STREAM_GROUP:
	case RDB_STREAM_NACKED:
		return add(sum, ev->group);
	default:
		return sum;
	}
}

// Read it all, `slice` bytes at a time. Returns a sum of the events and of how it ended.
static uint64_t run(struct span file, const struct rdb_settings *set, size_t slice)
{
	struct rdb_reader r;
	struct rdb_event ev;
	size_t start = 0, shown = 0, used;
	enum rdb_result rc;
	uint64_t sum = 0;

	CHECK(rdb_reader_init(&r, set) == 0);
	for (;;) {
		size_t end = shown - start < set->window_len ? shown : start + set->window_len;

		rc = rdb_next(&r, (struct span){file.p + start, end - start}, &ev, &used);
		CHECK(used <= end - start);
		if (rc == RDB_EVENT)
			sum = add_event(sum, &ev);
		start += used;
		if (rc == RDB_BAD || rc == RDB_DONE)
			break;
		if (rc == RDB_EVENT)
			continue;
		CHECK(r.need_len > end - start && r.need_len <= set->window_len);
		if (end < shown)
			continue;
		if (shown == file.len)
			break;
		shown = file.len - shown < slice ? file.len : shown + slice;
	}
	CHECK(r.scratch_cap <= set->scratch_len);
	CHECK((rc == RDB_BAD) == (r.error[0] != '\0') || rc == RDB_DONE);
	rdb_reader_fini(&r);
	return crc64(sum, &rc, sizeof(rc));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static const size_t big_lens[] = {1, 16, 200, 4096};

	if (len < 2)
		return 0;
	struct rdb_settings set = {
		.window_len = 8192,
		.big_len = big_lens[p[0] & 3],
		.scratch_len = 1 << 17,
		.elements = p[0] & 4,
		.element_types = {p[0] & 32 ? 0x5555555555555555 : 0, p[0] & 32 ? 1 << 22 : 0},
		.lenient = p[0] & 8,
		.module_len = p[0] & 16 ? 1 : 0,
	};
	struct span file = {(const char *)p + 2, len - 2};
	size_t slice = p[1] == 0 ? 1 : p[1] * 7u;

	CHECK(run(file, &set, file.len) == run(file, &set, slice));
	return 0;
}
