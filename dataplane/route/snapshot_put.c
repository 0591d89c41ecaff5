// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/route/snapshot_put.h"

#include <stdarg.h>
#include <stdio.h>

int snapshot_stop(struct snapshot *s, enum error_id error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(s->text, sizeof(s->text), format, args);
	va_end(args);
	s->error = error;
	return -1;
}

void snapshot_aim(struct snapshot *s, struct span key, bool fenced)
{
	if (!s->is_cluster)
		return;
	s->slot = key_slot(key);
	s->fenced = fenced;
}

int snapshot_bad(struct snapshot *s, enum error_id error, const char *what)
{
	s->error = error;
	snprintf(s->text, sizeof(s->text), "the snapshot of the source cannot be read: %.180s",
		 what);
	return -1;
}

int snapshot_no_memory(struct snapshot *s)
{
	return snapshot_bad(s, ERROR_MEMORY, "no memory for a batch");
}

struct batch *snapshot_batch(struct snapshot *s, unsigned lane, bool framed, size_t text_len)
{
	struct place *p = s->place;
	struct batch *b = p->feeds[lane].open;
	if (b && !batch_has_text(b, text_len))
		place_close(p, lane, s->position, 0);
	b = place_open(p, lane, s->position, 0, framed || s->db > 0);
	if (b && !batch_has_text(b, text_len) && !batch_text_grow(b, text_len)) {
		snapshot_no_memory(s);
		return NULL;
	}
	s->unit_from = b ? b->n_items : 0;
	return b;
}

void snapshot_settle(struct snapshot *s, unsigned lane)
{
	struct batch *b = s->place->feeds[lane].open;
	const struct link_settings *set = s->place->settings;
	uint8_t flags = b->n_items - s->unit_from > 1 ? ITEM_ATOMIC : 0;
	if (s->is_cluster)
		batch_unit(b, s->unit_from, s->slot, s->fenced ? ITEM_FENCED : flags);
	if (b->n_items >= set->batch_commands || b->len >= set->batch_bytes)
		place_close(s->place, lane, s->position, 0);
}

size_t snapshot_words_len(const struct snapshot *s, const struct span *words, int n)
{
	size_t need = 3 * BATCH_HEAD_LEN;
	for (int i = 0; i < n; i++)
		need += batch_arg_len(words[i], snapshot_is_stable(s, words[i]));
	return need;
}

int snapshot_add(struct snapshot *s, struct batch *b, const struct span *words, int n, bool is_key)
{
	int rc = batch_item_begin(b, s->position, s->db, ITEM_COMMAND);
	rc = rc ? rc : batch_head(b, (unsigned)n);
	for (int i = 0; i < n && !rc; i++)
		rc = batch_arg(b, words[i], snapshot_is_stable(s, words[i]));
	b->n_commands += !rc && is_key;
	return rc;
}

int snapshot_add_expiry(struct snapshot *s, struct batch *b, struct span key, int64_t at_ms)
{
	char text[24];
	struct span words[3] = {SPAN_LIT("PEXPIREAT"), key, {text, 0}};
	words[2].len = decimal_write(text, (uint64_t)at_ms);
	return snapshot_add(s, b, words, 3, false);
}

int snapshot_put(struct snapshot *s, unsigned lane, bool framed, const struct span *words, int n,
		 bool is_key)
{
	struct batch *b = snapshot_batch(s, lane, framed, snapshot_words_len(s, words, n));
	if (!b)
		return s->error ? -1 : 0;
	if (snapshot_add(s, b, words, n, is_key))
		return snapshot_no_memory(s);
	snapshot_settle(s, lane);
	return 1;
}

int snapshot_remember(struct snapshot *s, int32_t db, struct span name)
{
	if (!keyset_is_open(s->keys))
		return 1;
	int rc = keyset_add(s->keys, db, name);
	if (!rc)
		return 1;
	s->error = ERROR_DISK;
	snprintf(s->text, sizeof(s->text),
		 "the state folder cannot hold the keys of the snapshot: %s", strerror(-rc));
	return -1;
}

int snapshot_key_done(struct snapshot *s, struct span key)
{
	counter_add(&s->counters->snapshot_keys, 1);
	return snapshot_remember(s, s->db, key);
}
