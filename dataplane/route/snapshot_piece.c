// SPDX-License-Identifier: BSD-3-Clause
// Values above big-value, in pieces:
//
//   begin: DEL temporary -> elements, some 32 KB a command -> end: [PEXPIREAT] RENAME temporary key
//
// Readers of the target see the old value or the whole new one. Pieces go in framed batches, so
// that after a lost connection the marker tells which of them the target has.
#include "dataplane/route/snapshot_put.h"

#include <stdio.h>
#include <stdlib.h>

#define PIECE_LEN (32 * 1024)

static bool pieces_reserve(struct snapshot *s, size_t len)
{
	if (s->pieces_max - s->n_pieces >= len)
		return true;
	size_t max = 2 * (s->n_pieces + len) + PIECE_LEN;
	char *more = realloc(s->pieces, max);
	if (!more)
		return false;
	s->pieces = more;
	s->pieces_max = max;
	return true;
}

// Collect one argument. @return false when out of memory
static bool piece_add(struct snapshot *s, struct span arg)
{
	if (!pieces_reserve(s, arg.len + BATCH_HEAD_LEN))
		return false;
	char *at = s->pieces + s->n_pieces;
	*at++ = '$';
	at += decimal_write(at, arg.len);
	memcpy(at, "\r\n", 2);
	memcpy(at + 2, arg.p, arg.len);
	memcpy(at + 2 + arg.len, "\r\n", 2);
	s->n_pieces = (size_t)(at + 4 + arg.len - s->pieces);
	s->n_piece_args++;
	return true;
}

static struct span temporary(const struct snapshot *s)
{
	return span_of(s->temporary);
}

// VERB temporary collected... @return as snapshot_put()
static int pieces_flush(struct snapshot *s)
{
	if (!s->n_piece_args)
		return 1;
	struct batch *b = snapshot_batch(s, s->lane, true, s->n_pieces + 256);
	if (!b)
		return s->error ? -1 : 0;
	int rc = batch_item_begin(b, s->position, s->db, ITEM_COMMAND);
	rc = rc ? rc : batch_head(b, s->n_piece_args + 2);
	rc = rc ? rc : batch_arg(b, span_of(s->piece_verb), false);
	rc = rc ? rc : batch_arg(b, temporary(s), false);
	rc = rc ? rc : batch_copy(b, s->pieces, s->n_pieces);
	if (rc)
		return snapshot_no_memory(s);
	s->n_pieces = 0;
	s->n_piece_args = 0;
	snapshot_settle(s, s->lane);
	return 1;
}

// Commands of one event are counted, so that a full lane resumes at the one that did not fit.
static int step_put(struct snapshot *s, unsigned step, const struct span *words, int n, bool is_key)
{
	if (s->step > step)
		return 1;
	int rc = snapshot_put(s, s->lane, true, words, n, is_key);
	s->step += rc > 0;
	return rc;
}

// One element of one or two words.
static int element_put(struct snapshot *s, const struct span *words, int n)
{
	size_t len = words[0].len + (n > 1 ? words[1].len : 0);
	if (s->n_pieces && s->n_pieces + len > PIECE_LEN) {
		int rc = pieces_flush(s);
		if (rc <= 0)
			return rc;
	}
	if (len > PIECE_LEN) {
		struct span all[4] = {span_of(s->piece_verb), temporary(s), words[0], words[n - 1]};
		return snapshot_put(s, s->lane, true, all, 2 + n, false);
	}
	for (int i = 0; i < n; i++)
		if (!piece_add(s, words[i]))
			return snapshot_no_memory(s);
	return 1;
}

static int begin_put(struct snapshot *s, const struct rdb_event *ev)
{
	static const char *const verbs[] = {
		[RDB_KIND_STRING] = "APPEND", [RDB_KIND_LIST] = "RPUSH", [RDB_KIND_SET] = "SADD",
		[RDB_KIND_HASH] = "HSET", [RDB_KIND_ZSET] = "ZADD", [RDB_KIND_STREAM] = "XADD",
		[RDB_KIND_MODULE] = "", [RDB_KIND_ARRAY] = "ARMSET",
	};
	s->expired = snapshot_has_expired(s, ev->expire_at_ms);
	if (ev->key.len > s->key_copy_max) {
		free(s->key_copy);
		s->key_copy = malloc(ev->key.len);
		s->key_copy_max = s->key_copy ? ev->key.len : 0;
		if (!s->key_copy)
			return snapshot_no_memory(s);
	}
	if (ev->key.len)
		memcpy(s->key_copy, ev->key.p, ev->key.len);
	s->key = (struct span){s->key_copy, ev->key.len};
	s->lane = place_lane_of(s->place, s->key);
	s->piece_verb = ev->kind == RDB_STRING_BEGIN ? "APPEND" : verbs[ev->value_kind];
	snprintf(s->temporary, sizeof(s->temporary), MARKER_PREFIX "big:%u", s->lane);
	s->n_pieces = 0;
	s->n_piece_args = 0;
	if (s->skips_db || marker_is_reserved(s->key)) {
		s->expired = true; // passed over just the same
		return 1;
	}
	if (!s->expired) {
		s->expire_at_ms = hold_add(s->holds, s->db, s->key, ev->expire_at_ms, s->now_ms);
		return snapshot_key_done(s, s->key);
	}
	counter_add(&s->counters->snapshot_expired, 1);
	return 1;
}

static int begin(struct snapshot *s, const struct rdb_event *ev)
{
	if (!s->step) {
		int rc = begin_put(s, ev);
		if (rc <= 0 || s->expired)
			return rc;
		s->step = 1;
	}
	struct span words[2] = {SPAN_LIT("DEL"), temporary(s)};
	return step_put(s, 1, words, 2, false);
}

static int end(struct snapshot *s)
{
	int rc = pieces_flush(s);
	char at_ms[24];
	if (rc > 0 && s->expire_at_ms >= 0) {
		size_t len = decimal_write(at_ms, (uint64_t)s->expire_at_ms);
		struct span words[3] = {SPAN_LIT("PEXPIREAT"), temporary(s), {at_ms, len}};
		rc = step_put(s, 0, words, 3, false);
	} else if (rc > 0 && !s->step) {
		s->step = 1;
	}
	if (rc <= 0)
		return rc;
	struct span words[3] = {SPAN_LIT("RENAME"), temporary(s), s->key};
	return step_put(s, 1, words, 3, true);
}

// ---- Streams

static struct span id_text(char *out, size_t out_len, struct rdb_stream_id id)
{
	return (struct span){out,
			     (size_t)snprintf(out, out_len, "%llu-%llu", (unsigned long long)id.ms,
					      (unsigned long long)id.seq)};
}

static struct span number_text(char *out, uint64_t v)
{
	return (struct span){out, decimal_write(out, v)};
}

// XADD temporary id field value...
static int entry_put(struct snapshot *s, const struct rdb_event *ev)
{
	char id[48];
	struct rdb_fields fields = ev->fields;
	struct rdb_field f;
	s->n_pieces = 0;
	s->n_piece_args = 0;
	bool fits = piece_add(s, id_text(id, sizeof(id), ev->id));
	while (fits && rdb_fields_next(&fields, &f))
		fits = piece_add(s, f.name) && piece_add(s, f.value);
	return fits ? pieces_flush(s) : snapshot_no_memory(s);
}

// An empty stream is made by an entry that is trimmed at once; then the counters follow.
static int meta_put(struct snapshot *s, const struct rdb_event *ev)
{
	char last[48], deleted[48], added[24];
	const struct rdb_stream_meta *m = &ev->stream;
	int rc = 1;
	if (!m->length) {
		struct span words[7] = {SPAN_LIT("XADD"),
					temporary(s),
					SPAN_LIT("MAXLEN"),
					SPAN_LIT("0"),
					m->last.ms || m->last.seq
						? id_text(last, sizeof(last), m->last)
						: SPAN_LIT("0-1"),
					SPAN_LIT("x"),
					SPAN_LIT("y")};
		rc = step_put(s, 0, words, 7, false);
	} else if (!s->step) {
		s->step = 1;
	}
	if (rc <= 0)
		return rc;
	struct span words[7] = {SPAN_LIT("XSETID"),
				temporary(s),
				id_text(last, sizeof(last), m->last),
				SPAN_LIT("ENTRIESADDED"),
				number_text(added, m->entries_added),
				SPAN_LIT("MAXDELETEDID"),
				id_text(deleted, sizeof(deleted), m->max_deleted)};
	return step_put(s, 1, words, m->full ? 7 : 3, false);
}

static int group_put(struct snapshot *s, const struct rdb_event *ev)
{
	char id[48], read[24];
	bool has_read = ev->entries_read >= 0;
	struct span words[7] = {SPAN_LIT("XGROUP"),
				SPAN_LIT("CREATE"),
				temporary(s),
				ev->group,
				id_text(id, sizeof(id), ev->id),
				SPAN_LIT("ENTRIESREAD"),
				{read, 0}};
	if (has_read)
		words[6] = number_text(read, (uint64_t)ev->entries_read);
	return step_put(s, 0, words, has_read ? 7 : 5, false);
}

static int consumer_put(struct snapshot *s, const struct rdb_event *ev)
{
	struct span words[5] = {SPAN_LIT("XGROUP"), SPAN_LIT("CREATECONSUMER"), temporary(s),
				ev->group, ev->consumer};
	return step_put(s, 0, words, 5, false);
}

static int pending_put(struct snapshot *s, const struct rdb_event *ev)
{
	char id[48], at_ms[24], n[24];
	struct span words[12] = {
		SPAN_LIT("XCLAIM"),
		temporary(s),
		ev->group,
		ev->consumer,
		SPAN_LIT("0"),
		id_text(id, sizeof(id), ev->id),
		SPAN_LIT("TIME"),
		number_text(at_ms, ev->delivered_at_ms > 0 ? (uint64_t)ev->delivered_at_ms : 0),
		SPAN_LIT("RETRYCOUNT"),
		number_text(n, ev->n_delivered),
		SPAN_LIT("FORCE"),
		SPAN_LIT("JUSTID"),
	};
	return step_put(s, 0, words, 12, false);
}

// A pending entry that is nobody's.
static int nacked_put(struct snapshot *s, const struct rdb_event *ev)
{
	char id[48], n[24];
	struct span words[10] = {
		SPAN_LIT("XNACK"),     temporary(s),
		ev->group,             SPAN_LIT("SILENT"),
		SPAN_LIT("IDS"),       SPAN_LIT("1"),
		id_text(id, sizeof(id), ev->id), SPAN_LIT("RETRYCOUNT"),
		number_text(n, ev->n_delivered), SPAN_LIT("FORCE"),
	};
	return step_put(s, 0, words, 10, false);
}

static int idmp_put(struct snapshot *s, const struct rdb_event *ev)
{
	char seconds[24], max[24], id[48];
	if (ev->kind == RDB_STREAM_IDMP_ENTRY) {
		struct span entry[5] = {SPAN_LIT("XIDMPRECORD"), temporary(s), ev->field, ev->value,
					id_text(id, sizeof(id), ev->id)};
		return step_put(s, 0, entry, 5, false);
	}
	struct span words[6] = {SPAN_LIT("XCFGSET"),
				temporary(s),
				SPAN_LIT("IDMP-DURATION"),
				number_text(seconds, ev->idmp_duration_s),
				SPAN_LIT("IDMP-MAXSIZE"),
				number_text(max, ev->idmp_max_entries)};
	return step_put(s, 0, words, 6, false);
}

// ---- Hashes and arrays

static int item_put(struct snapshot *s, const struct rdb_event *ev)
{
	char index[24];
	struct span words[2] = {number_text(index, ev->index), ev->value};
	return element_put(s, words, 2);
}

static int field_put(struct snapshot *s, const struct rdb_event *ev)
{
	struct span words[2] = {ev->field, ev->value};
	if (ev->field_expire_at_ms < 0)
		return element_put(s, words, 2);
	// A field with an expiry: what was collected, the field, its expiry.
	char at_ms[24];
	int rc = pieces_flush(s);
	struct span set[4] = {SPAN_LIT("HSET"), temporary(s), ev->field, ev->value};
	if (rc > 0)
		rc = step_put(s, 0, set, 4, false);
	struct span expire[6] = {SPAN_LIT("HPEXPIREAT"),
				 temporary(s),
				 number_text(at_ms, (uint64_t)ev->field_expire_at_ms),
				 SPAN_LIT("FIELDS"),
				 SPAN_LIT("1"),
				 ev->field};
	return rc > 0 ? step_put(s, 1, expire, 6, false) : rc;
}

// APPEND takes one argument, so parts are never collected.
static int part_put(struct snapshot *s, const struct rdb_event *ev)
{
	struct span words[3] = {span_of(s->piece_verb), temporary(s), ev->value};
	return snapshot_put(s, s->lane, true, words, 3, false);
}

int snapshot_piece(struct snapshot *s, const struct rdb_event *ev)
{
	if (ev->kind == RDB_BIG_BEGIN || ev->kind == RDB_STRING_BEGIN)
		return begin(s, ev);
	if (s->expired)
		return 1;
	struct span member[2] = {ev->value, ev->field};
	switch (ev->kind) {
	case RDB_STRING_PART:
		return part_put(s, ev);
	case RDB_LIST_ITEM:
	case RDB_SET_ITEM:
		return element_put(s, member, 1);
	case RDB_HASH_ITEM:
		return field_put(s, ev);
	case RDB_ZSET_ITEM:
		return element_put(s, member, 2);
	case RDB_STREAM_ENTRY:
		return entry_put(s, ev);
	case RDB_STREAM_META:
		return meta_put(s, ev);
	case RDB_STREAM_GROUP:
		return group_put(s, ev);
	case RDB_STREAM_CONSUMER:
		return consumer_put(s, ev);
	case RDB_STREAM_PENDING:
		return pending_put(s, ev);
	case RDB_STREAM_NACKED:
		return nacked_put(s, ev);
	case RDB_STREAM_IDMP:
	case RDB_STREAM_IDMP_ENTRY:
		return idmp_put(s, ev);
	case RDB_ARRAY_ITEM:
		return item_put(s, ev);
	case RDB_STRING_END:
	case RDB_BIG_END:
		return end(s);
	default:
		return 1;
	}
}
