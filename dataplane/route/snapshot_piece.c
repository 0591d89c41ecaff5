// SPDX-License-Identifier: BSD-3-Clause
// A value element by element: one that is larger than big-value, or of a type that the target does
// not have.
//
//   small:  DEL key, VERB key elements, [PEXPIREAT key]       at the end, in one batch
//   large:  DEL temporary -> elements, some 32 KB a command -> end: [PEXPIREAT] RENAME temporary
//           key
//
// Readers of the target see the old value or the whole new one. Pieces go in framed batches, so
// that after a lost connection the marker tells which of them the target has.
#include "dataplane/route/snapshot_put.h"

#include <stdio.h>
#include <stdlib.h>

#include "parsers/cluster.h"

#define PIECE_LEN (32 * 1024)

bool snapshot_piece_reserve(struct snapshot *s, size_t len)
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

bool snapshot_piece_add(struct snapshot *s, struct span arg)
{
	if (!snapshot_piece_reserve(s, arg.len + BATCH_HEAD_LEN))
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

// VERB key collected...
static int collected_add(struct snapshot *s, struct batch *b, struct span key, bool is_key)
{
	int rc = batch_item_begin(b, s->position, s->db, ITEM_COMMAND);
	rc = rc ? rc : batch_head(b, s->n_piece_args + 2);
	rc = rc ? rc : batch_arg(b, span_of(s->piece_verb), false);
	rc = rc ? rc : batch_arg(b, key, false);
	rc = rc ? rc : batch_copy(b, s->pieces, s->n_pieces);
	s->n_pieces = 0;
	s->n_piece_args = 0;
	b->n_commands += !rc && is_key;
	return rc;
}

// Before the first piece: what a former attempt left goes. @return as snapshot_put()
static int temporary_begin(struct snapshot *s)
{
	struct span words[2] = {SPAN_LIT("DEL"), snapshot_temporary(s)};
	int rc = s->grows ? 1 : snapshot_put(s, s->lane, true, words, 2, false);
	s->grows |= rc > 0;
	return rc;
}

// One more command that makes it grow. @return as snapshot_put()
static int growth_put(struct snapshot *s, const struct span *words, int n)
{
	int rc = temporary_begin(s);
	return rc > 0 ? snapshot_put(s, s->lane, true, words, n, false) : rc;
}

int snapshot_piece_flush(struct snapshot *s)
{
	int rc = s->n_piece_args ? temporary_begin(s) : 1;
	if (rc <= 0 || !s->n_piece_args)
		return rc;
	struct batch *b = snapshot_batch(s, s->lane, true, s->n_pieces + 256);
	if (!b)
		return s->error ? -1 : 0;
	if (collected_add(s, b, snapshot_temporary(s), false))
		return snapshot_no_memory(s);
	snapshot_settle(s, s->lane);
	return 1;
}

// Commands of one event are counted, so that a full lane resumes at the one that did not fit.
int snapshot_piece_step(struct snapshot *s, unsigned step, const struct span *words, int n,
			bool is_key)
{
	if (s->step > step)
		return 1;
	int rc = temporary_begin(s);
	rc = rc > 0 ? snapshot_put(s, s->lane, true, words, n, is_key) : rc;
	s->step += rc > 0;
	return rc;
}

// One element of one or two words.
static int element_put(struct snapshot *s, const struct span *words, int n)
{
	size_t len = words[0].len + (n > 1 ? words[1].len : 0);
	if (s->n_pieces && s->n_pieces + len > PIECE_LEN) {
		int rc = snapshot_piece_flush(s);
		if (rc <= 0)
			return rc;
	}
	if (len > PIECE_LEN) {
		struct span all[4] = {span_of(s->piece_verb), snapshot_temporary(s), words[0],
				      words[n - 1]};
		return growth_put(s, all, 2 + n);
	}
	for (int i = 0; i < n; i++)
		if (!snapshot_piece_add(s, words[i]))
			return snapshot_no_memory(s);
	return 1;
}

// ---- Begin and end

static const char *verb_of(const struct snapshot *s, const struct rdb_event *ev)
{
	static const char *const verbs[] = {
		[RDB_KIND_STRING] = "APPEND", [RDB_KIND_LIST] = "RPUSH", [RDB_KIND_SET] = "SADD",
		[RDB_KIND_HASH] = "HSET", [RDB_KIND_ZSET] = "ZADD", [RDB_KIND_STREAM] = "XADD",
		[RDB_KIND_MODULE] = "", [RDB_KIND_ARRAY] = "ARMSET",
	};
	if (ev->kind == RDB_STRING_BEGIN)
		return "APPEND";
	if (ev->value_kind == RDB_KIND_HASH && !s->verbs.hset_many)
		return "HMSET";
	return verbs[ev->value_kind];
}

static bool key_keep(struct snapshot *s, struct span key)
{
	if (key.len > s->key_copy_max) {
		free(s->key_copy);
		s->key_copy = malloc(key.len);
		s->key_copy_max = s->key_copy ? key.len : 0;
		if (!s->key_copy)
			return false;
	}
	if (key.len)
		memcpy(s->key_copy, key.p, key.len);
	s->key = (struct span){s->key_copy, key.len};
	return true;
}

static void unfit_check(struct snapshot *s, const struct rdb_event *ev)
{
	bool is_string = ev->kind == RDB_STRING_BEGIN;
	s->unfit = !is_string && snapshot_fit(s, ev) == RDB_FIT_NONE;
	if (s->unfit)
		rdb_fit_reason(&s->target, s->reader.magic, ev->type, s->unfit_reason,
			       sizeof(s->unfit_reason));
}

// Several links may load into one target at once, and the members of a group do.
static void temporary_name(struct snapshot *s)
{
	char tag[CLUSTER_TAG_LEN + 4] = "";
	const char *link = s->link ? s->link : "";
	if (s->is_cluster)
		snprintf(tag, sizeof(tag), "{%s}:", cluster_tag(s->slot));
	snprintf(s->temporary, sizeof(s->temporary), MARKER_PREFIX "%sbig:%s%s%u", tag, link,
		 *link ? ":" : "", s->lane);
}

static int begin(struct snapshot *s, const struct rdb_event *ev)
{
	s->expired = snapshot_has_expired(s, ev->expire_at_ms);
	if (!key_keep(s, ev->key))
		return snapshot_no_memory(s);
	s->lane = place_lane_of(s->place, s->key);
	s->piece_verb = verb_of(s, ev);
	s->kind = ev->kind == RDB_STRING_BEGIN ? RDB_KIND_STRING : ev->value_kind;
	snapshot_aim(s, s->key, true);
	temporary_name(s);
	s->n_pieces = 0;
	s->n_piece_args = 0;
	s->grows = s->degraded = s->has_entries = false;
	if (s->skips_db || marker_is_reserved(s->key) || !snapshot_wants(s, s->key)) {
		s->expired = true; // passed over just the same
		return 1;
	}
	if (s->expired) {
		counter_add(&s->counters->snapshot_expired, 1);
		return 1;
	}
	unfit_check(s, ev);
	s->expire_at_ms = ev->expire_at_ms;
	if (!s->unfit)
		s->expire_at_ms = hold_add(s->holds, s->db, s->key, ev->expire_at_ms, s->now_ms);
	return snapshot_key_done(s, s->key);
}

// All of it was collected: one command makes it.
static int small_end(struct snapshot *s)
{
	struct span del[2] = {SPAN_LIT("DEL"), s->key};
	s->fenced = false;
	struct batch *b = snapshot_batch(s, s->lane, true,
					 s->n_pieces + 3 * s->key.len + 16 * BATCH_HEAD_LEN);
	if (!b)
		return s->error ? -1 : 0;
	int rc = snapshot_add(s, b, del, 2, false);
	rc = rc ? rc : collected_add(s, b, s->key, true);
	if (!rc && s->expire_at_ms >= 0)
		rc = snapshot_add_expiry(s, b, s->key, s->expire_at_ms);
	if (rc)
		return snapshot_no_memory(s);
	snapshot_settle(s, s->lane);
	return 1;
}

static int large_end(struct snapshot *s)
{
	char at_ms[24];
	int rc = snapshot_piece_flush(s);
	if (rc > 0 && s->expire_at_ms >= 0) {
		size_t len = decimal_write(at_ms, (uint64_t)s->expire_at_ms);
		struct span words[3] = {SPAN_LIT("PEXPIREAT"), snapshot_temporary(s), {at_ms, len}};
		rc = snapshot_piece_step(s, 0, words, 3, false);
	} else if (rc > 0 && !s->step) {
		s->step = 1;
	}
	if (rc <= 0)
		return rc;
	struct span words[3] = {SPAN_LIT("RENAME"), snapshot_temporary(s), s->key};
	return snapshot_piece_step(s, 1, words, 3, true);
}

// What has grown goes again, and the name is kept.
static int unfit_end(struct snapshot *s)
{
	static const char *const verbs[] = {
		[RDB_KIND_STREAM] = "XADD", [RDB_KIND_ARRAY] = "ARMSET"};
	struct span words[2] = {SPAN_LIT("DEL"), snapshot_temporary(s)};
	const char *verb = s->kind < sizeof(verbs) / sizeof(*verbs) ? verbs[s->kind] : NULL;
	int rc = s->grows ? snapshot_piece_step(s, 0, words, 2, false) : 1;
	return rc > 0 ? snapshot_park(s, s->key, verb ? verb : "RESTORE", NULL, s->unfit_reason)
		      : rc;
}

static int end(struct snapshot *s)
{
	if (s->unfit)
		return unfit_end(s);
	int rc = 1;
	if (s->grows)
		rc = large_end(s);
	else if (s->n_piece_args)
		rc = small_end(s);
	else // all of its fields have expired
		counter_add(&s->counters->snapshot_expired, 1);
	return rc > 0 && s->degraded ? snapshot_degraded(s) : rc;
}

// ---- Hashes and arrays

static int item_put(struct snapshot *s, const struct rdb_event *ev)
{
	char index[24];
	struct span words[2] = {{index, decimal_write(index, ev->index)}, ev->value};
	return element_put(s, words, 2);
}

// A field with an expiry: what was collected, the field, its expiry. Where the target has no such
// expiries, the field stays without, and counts.
static int field_put(struct snapshot *s, const struct rdb_event *ev)
{
	struct span words[2] = {ev->field, ev->value};
	bool expires = ev->field_expire_at_ms >= 0;
	if (expires && !s->step && snapshot_has_expired(s, ev->field_expire_at_ms))
		return 1;
	if (!expires || !s->verbs.field_ttl) {
		s->degraded |= expires;
		return element_put(s, words, 2);
	}
	char at_ms[24];
	int rc = snapshot_piece_flush(s);
	struct span set[4] = {SPAN_LIT("HSET"), snapshot_temporary(s), ev->field, ev->value};
	if (rc > 0)
		rc = snapshot_piece_step(s, 0, set, 4, false);
	struct span expire[6] = {
		SPAN_LIT("HPEXPIREAT"), snapshot_temporary(s), {at_ms, 0},
		SPAN_LIT("FIELDS"),     SPAN_LIT("1"),         ev->field,
	};
	expire[2].len = decimal_write(at_ms, (uint64_t)ev->field_expire_at_ms);
	return rc > 0 ? snapshot_piece_step(s, 1, expire, 6, false) : rc;
}

// APPEND takes one argument, so parts are never collected.
static int part_put(struct snapshot *s, const struct rdb_event *ev)
{
	struct span words[3] = {span_of(s->piece_verb), snapshot_temporary(s), ev->value};
	return growth_put(s, words, 3);
}

int snapshot_piece(struct snapshot *s, const struct rdb_event *ev)
{
	if (ev->kind == RDB_BIG_BEGIN || ev->kind == RDB_STRING_BEGIN)
		return begin(s, ev);
	bool ends = ev->kind == RDB_BIG_END || ev->kind == RDB_STRING_END;
	if (s->expired || (s->unfit && !ends))
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
	case RDB_ARRAY_ITEM:
		return item_put(s, ev);
	case RDB_STRING_END:
	case RDB_BIG_END:
		return end(s);
	default:
		return snapshot_piece_stream(s, ev);
	}
}
