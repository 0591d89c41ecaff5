// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/apply/batch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENTS_FIRST 64
#define KEPT_MAX       16384 // items and segments

// Behind the text that a batch begins with: what was in use when this chunk took over.
struct text_chunk {
	struct text_chunk *older;
	char *older_text;
	size_t n_older, older_max;
	char bytes[];
};

bool batch_text_grow(struct batch *b, size_t text_len)
{
	struct text_chunk *c = malloc(sizeof(*c) + text_len);
	if (!c)
		return false;
	*c = (struct text_chunk){b->chunks, b->text, b->n_text, b->text_max};
	b->chunks = c;
	b->text = c->bytes;
	b->n_text = 0;
	b->text_max = text_len;
	return true;
}

static void chunks_drop(struct batch *b, const struct text_chunk *until)
{
	while (b->chunks != until) {
		struct text_chunk *c = b->chunks;
		b->text = c->older_text;
		b->n_text = c->n_older;
		b->text_max = c->older_max;
		b->chunks = c->older;
		free(c);
	}
}

// One transaction of millions of commands is no reason to keep room for the next in every batch.
static void shrink(void **array, unsigned *max, size_t size)
{
	if (*max <= KEPT_MAX)
		return;
	void *less = realloc(*array, KEPT_MAX * size);
	if (!less)
		return;
	*array = less;
	*max = KEPT_MAX;
}

int batch_init(struct batch *b, size_t text_len, unsigned n_items)
{
	memset(b, 0, sizeof(*b));
	b->text_max = text_len;
	b->items_max = n_items;
	b->segments_max = SEGMENTS_FIRST;
	b->text = malloc(text_len);
	b->items = malloc(n_items * sizeof(*b->items));
	b->segments = malloc(b->segments_max * sizeof(*b->segments));
	if (b->text && b->items && b->segments)
		return 0;
	batch_fini(b);
	return -ENOMEM;
}

void batch_file_drop(struct memory_file *file)
{
	if (!file || --file->n_holders)
		return;
	memory_file_fini(file);
	free(file);
}

void batch_release(struct batch *b)
{
	chunks_drop(b, NULL);
	b->n_segments = b->n_items = 0;
	b->n_text = b->len = 0;
	batch_file_drop(b->file);
	b->file = NULL;
	shrink((void **)&b->items, &b->items_max, sizeof(*b->items));
	shrink((void **)&b->segments, &b->segments_max, sizeof(*b->segments));
	free(b->withheld);
	b->withheld = NULL;
	b->n_withheld = b->withheld_max = 0;
}

void batch_fini(struct batch *b)
{
	batch_file_drop(b->file);
	chunks_drop(b, NULL);
	free(b->text);
	free(b->items);
	free(b->segments);
	free(b->withheld);
	free(b->suffix);
	memset(b, 0, sizeof(*b));
}

void batch_reset(struct batch *b, uint64_t seq, uint64_t begin, bool framed)
{
	b->seq = seq;
	b->begin = b->end = begin;
	b->received_ns = 0;
	b->n_commands = 0;
	b->framed = framed;
	b->idempotent = true;
	b->marker_all = b->closed = false;
	b->db_first = b->db_last = -1;
	b->after_mask = 0;
	memset(b->after, 0, sizeof(b->after));
	chunks_drop(b, NULL);
	b->n_segments = b->n_items = b->n_withheld = 0;
	b->told = false;
	b->n_text = b->len = 0;
	b->n_prefix = b->n_suffix = 0;
}

size_t decimal_write(char *out, uint64_t v)
{
	char digits[20];
	size_t n = 0;
	do
		digits[n++] = (char)('0' + v % 10);
	while (v /= 10);
	for (size_t i = 0; i < n; i++)
		out[i] = digits[n - 1 - i];
	return n;
}

static int item_add(struct batch *b, uint64_t offset, int32_t db, enum item_kind kind)
{
	if (b->n_items == b->items_max) {
		void *more = realloc(b->items, 2ull * b->items_max * sizeof(*b->items));
		if (!more)
			return -ENOMEM;
		b->items = more;
		b->items_max *= 2;
	}
	b->items[b->n_items++] = (struct batch_item){
		.offset = offset, .at = b->len, .db = db, .kind = (uint8_t)kind};
	return 0;
}

int batch_item_begin(struct batch *b, uint64_t offset, int32_t db, enum item_kind kind)
{
	if (b->db_first < 0) {
		b->db_first = b->db_last = db; // the lane's prefix selects it
	} else if (b->db_last != db) {
		int rc = item_add(b, offset, db, ITEM_INTERNAL);
		if (!rc)
			rc = batch_head(b, 2);
		if (!rc)
			rc = batch_arg(b, SPAN_LIT("SELECT"), false);
		if (!rc)
			rc = batch_arg_u64(b, (uint64_t)db);
		if (rc)
			return rc;
		b->db_last = db;
	}
	return item_add(b, offset, db, kind);
}

static int segment_add(struct batch *b, const char *p, size_t len)
{
	struct span *last = b->n_segments ? &b->segments[b->n_segments - 1] : NULL;
	if (last && last->p + last->len == p) {
		last->len += len;
	} else {
		if (b->n_segments == b->segments_max) {
			void *more = realloc(b->segments, 2ull * b->segments_max * sizeof(*last));
			if (!more)
				return -ENOMEM;
			b->segments = more;
			b->segments_max *= 2;
		}
		b->segments[b->n_segments++] = (struct span){p, len};
	}
	b->len += len;
	return 0;
}

int batch_refer(struct batch *b, const char *p, size_t len)
{
	return len ? segment_add(b, p, len) : 0;
}

int batch_copy(struct batch *b, const char *p, size_t len)
{
	assert(batch_has_text(b, len));
	char *to = b->text + b->n_text;
	memcpy(to, p, len);
	b->n_text += len;
	return len ? segment_add(b, to, len) : 0;
}

static int header_copy(struct batch *b, char type, uint64_t n)
{
	char head[24];
	head[0] = type;
	size_t len = 1 + decimal_write(head + 1, n);
	head[len++] = '\r';
	head[len++] = '\n';
	return batch_copy(b, head, len);
}

int batch_head(struct batch *b, unsigned argc)
{
	return header_copy(b, '*', argc);
}

int batch_withhold(struct batch *b, const struct batch_withheld *w)
{
	if (b->n_withheld == b->withheld_max) {
		unsigned max = b->withheld_max ? 2 * b->withheld_max : 16;
		void *more = realloc(b->withheld, max * sizeof(*b->withheld));
		if (!more)
			return -ENOMEM;
		b->withheld = more;
		b->withheld_max = max;
	}
	int rc = batch_item_begin(b, w->offset, w->db, ITEM_INTERNAL);
	if (!rc)
		rc = batch_copy(b, "*1\r\n$4\r\nPING\r\n", 14);
	if (!rc)
		b->withheld[b->n_withheld++] = *w;
	return rc;
}

int batch_arg_parts(struct batch *b, struct span arg, bool stable, struct span end)
{
	int rc = header_copy(b, '$', arg.len + end.len);
	if (!rc && stable && arg.len > BATCH_COPY_MAX)
		rc = batch_refer(b, arg.p, arg.len);
	else if (!rc)
		rc = batch_copy(b, arg.p, arg.len);
	if (!rc)
		rc = batch_copy(b, end.p, end.len);
	return rc ? rc : batch_copy(b, "\r\n", 2);
}

int batch_arg(struct batch *b, struct span arg, bool stable)
{
	return batch_arg_parts(b, arg, stable, (struct span){"", 0});
}

int batch_arg_u64(struct batch *b, uint64_t v)
{
	char text[20];
	return batch_arg(b, (struct span){text, decimal_write(text, v)}, false);
}

struct batch_mark batch_mark(const struct batch *b)
{
	return (struct batch_mark){
		.n_segments = b->n_segments,
		.n_items = b->n_items,
		.n_withheld = b->n_withheld,
		.n_text = b->n_text,
		.len = b->len,
		.last_segment_len = b->n_segments ? b->segments[b->n_segments - 1].len : 0,
		.n_commands = b->n_commands,
		.db_first = b->db_first,
		.db_last = b->db_last,
		.idempotent = b->idempotent,
		.chunks = b->chunks,
	};
}

void batch_back(struct batch *b, const struct batch_mark *m)
{
	chunks_drop(b, m->chunks);
	b->n_segments = m->n_segments;
	b->n_items = m->n_items;
	b->n_withheld = m->n_withheld;
	b->n_text = m->n_text;
	b->len = m->len;
	if (b->n_segments)
		b->segments[b->n_segments - 1].len = m->last_segment_len;
	b->n_commands = m->n_commands;
	b->db_first = m->db_first;
	b->db_last = m->db_last;
	b->idempotent = m->idempotent;
}

size_t batch_item_piece(const struct batch *b, unsigned i, size_t from, char *out, size_t out_len)
{
	size_t len = batch_item_len(b, i), skip = b->items[i].at + from, done = 0;
	size_t left = from < len ? len - from : 0;
	if (left > out_len)
		left = out_len;
	for (unsigned s = 0; s < b->n_segments && done < left; s++) {
		struct span seg = b->segments[s];
		if (skip >= seg.len) {
			skip -= seg.len;
			continue;
		}
		size_t n = seg.len - skip < left - done ? seg.len - skip : left - done;
		memcpy(out + done, seg.p + skip, n);
		done += n;
		skip = 0;
	}
	return done;
}

size_t batch_item_bytes(const struct batch *b, unsigned i, char *out, size_t out_len)
{
	batch_item_piece(b, i, 0, out, out_len);
	return batch_item_len(b, i);
}
