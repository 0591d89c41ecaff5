// SPDX-License-Identifier: BSD-3-Clause
// snapshot_whole() -> value_put() -> string_put() | raw_put() | older_put() | value_park()
//
// What a value takes, by the target's version:
//
//   since 5.0   RESTORE key expiry payload REPLACE ABSTTL [IDLETIME s | FREQ n]
//   since 3.0   RESTORE key 0 payload REPLACE; [PEXPIREAT key expiry]
//   before      DEL key; RESTORE key 0 payload; [PEXPIREAT key expiry]
#include "dataplane/route/snapshot_put.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "parsers/rdb_footer.h"
#include "parsers/rdb_stream_older.h"

// Expired before the snapshot was taken. What expires later may have been given a longer life in
// the stream, so it is made and held.
bool snapshot_has_expired(const struct snapshot *s, int64_t expire_at_ms)
{
	uint64_t limit_ms = s->taken_ms && s->taken_ms < s->now_ms ? s->taken_ms : s->now_ms;
	return expire_at_ms >= 0 && (uint64_t)expire_at_ms <= limit_ms;
}

// ---- Strings

static int string_put(struct snapshot *s, const struct rdb_event *ev)
{
	char at_ms[24];
	struct span words[5] = {SPAN_LIT("SET"), ev->key, ev->value, SPAN_LIT("PXAT"), {at_ms, 0}};
	bool expires = ev->expire_at_ms >= 0;
	unsigned lane = place_lane_of(s->place, ev->key);
	if (!expires || s->verbs.set_pxat) {
		if (expires)
			words[4].len = decimal_write(at_ms, (uint64_t)s->hold_at_ms);
		return snapshot_put(s, lane, s->framed, words, expires ? 5 : 3, true);
	}
	size_t len = 2 * snapshot_words_len(s, words, 3);
	struct batch *b = snapshot_batch(s, lane, true, len);
	if (!b)
		return s->error ? -1 : 0;
	if (snapshot_add(s, b, words, 3, true) ||
	    snapshot_add_expiry(s, b, ev->key, s->hold_at_ms))
		return snapshot_no_memory(s);
	snapshot_settle(s, lane);
	return 1;
}

// ---- RESTORE

// "$len\r\n", type, body, footer, "\r\n".
static int payload_add(struct snapshot *s, struct batch *b, const struct rdb_event *ev)
{
	char number[24], type = (char)ev->type;
	uint8_t footer[RDB_FOOTER_LEN];
	bool refers = ev->value.len > BATCH_COPY_MAX && snapshot_is_stable(s, ev->value);
	rdb_restore_footer(ev->type, ev->footer_version, ev->value, footer);
	int n = snprintf(number, sizeof(number), "$%zu\r\n", ev->value.len + 1 + RDB_FOOTER_LEN);
	int rc = batch_copy(b, number, (size_t)n);
	rc = rc ? rc : batch_copy(b, &type, 1);
	if (!rc)
		rc = refers ? batch_refer(b, ev->value.p, ev->value.len)
			    : batch_copy(b, ev->value.p, ev->value.len);
	rc = rc ? rc : batch_copy(b, (const char *)footer, RDB_FOOTER_LEN);
	return rc ? rc : batch_copy(b, "\r\n", 2);
}

static int restore_words_add(struct snapshot *s, struct batch *b, const struct rdb_event *ev)
{
	const struct rdb_verbs *can = &s->verbs;
	bool idle = ev->idle_s >= 0 && can->restore_absttl;
	bool freq = ev->freq >= 0 && can->restore_absttl;
	bool expires = ev->expire_at_ms >= 0 && can->restore_absttl;
	unsigned argc = 4 + can->restore_replace + can->restore_absttl + (idle || freq ? 2 : 0);
	int rc = batch_item_begin(b, s->position, s->db, ITEM_COMMAND);
	rc = rc ? rc : batch_head(b, argc);
	rc = rc ? rc : batch_arg(b, SPAN_LIT("RESTORE"), false);
	rc = rc ? rc : batch_arg(b, ev->key, snapshot_is_stable(s, ev->key));
	rc = rc ? rc : batch_arg_u64(b, expires ? (uint64_t)s->hold_at_ms : 0);
	rc = rc ? rc : payload_add(s, b, ev);
	if (!rc && can->restore_replace)
		rc = batch_arg(b, SPAN_LIT("REPLACE"), false);
	if (!rc && can->restore_absttl)
		rc = batch_arg(b, SPAN_LIT("ABSTTL"), false);
	if (!rc && (idle || freq)) {
		rc = batch_arg(b, idle ? SPAN_LIT("IDLETIME") : SPAN_LIT("FREQ"), false);
		rc = rc ? rc : batch_arg_u64(b, (uint64_t)(idle ? ev->idle_s : ev->freq));
	}
	return rc;
}

size_t snapshot_restore_len(const struct rdb_event *ev)
{
	return 20 * BATCH_HEAD_LEN + 3 * ev->key.len + ev->value.len;
}

int snapshot_restore_add(struct snapshot *s, struct batch *b, const struct rdb_event *ev)
{
	struct span del[2] = {SPAN_LIT("DEL"), ev->key};
	int rc = s->verbs.restore_replace ? 0 : snapshot_add(s, b, del, 2, false);
	rc = rc ? rc : restore_words_add(s, b, ev);
	b->n_commands += !rc;
	if (!rc && ev->expire_at_ms >= 0 && !s->verbs.restore_absttl)
		rc = snapshot_add_expiry(s, b, ev->key, s->hold_at_ms);
	return rc;
}

static int raw_put(struct snapshot *s, const struct rdb_event *ev)
{
	unsigned lane = place_lane_of(s->place, ev->key);
	bool refers = snapshot_is_stable(s, ev->value) && ev->value.len > BATCH_COPY_MAX;
	size_t len = snapshot_restore_len(ev) - (refers ? ev->value.len : 0);
	struct batch *b = snapshot_batch(s, lane, s->framed, len);
	if (!b)
		return s->error ? -1 : 0;
	if (snapshot_restore_add(s, b, ev))
		return snapshot_no_memory(s);
	snapshot_settle(s, lane);
	return 1;
}

// ---- What the target does not have

static int value_park(struct snapshot *s, const struct rdb_event *ev, const char *reason)
{
	struct batch b;
	struct rdb_verbs verbs = s->verbs;
	if (batch_init(&b, snapshot_restore_len(ev), 1))
		return snapshot_no_memory(s);
	batch_reset(&b, 0, s->position, false);
	// As a target would take it that has the type.
	s->verbs.restore_replace = s->verbs.restore_absttl = true;
	s->hold_at_ms = ev->expire_at_ms;
	int rc = snapshot_restore_add(s, &b, ev);
	s->verbs = verbs;
	rc = rc ? snapshot_no_memory(s) : snapshot_park(s, ev->key, "RESTORE", &b, reason);
	batch_fini(&b);
	return rc;
}

static int older_put(struct snapshot *s, const struct rdb_event *ev)
{
	struct rdb_event older = *ev;
	struct rdb_stream_lost lost;
	char reason[TEXT_LEN];
	if (!snapshot_piece_reserve(s, ev->value.len))
		return snapshot_no_memory(s);
	older.type = rdb_fit_stream_type(&s->target);
	older.footer_version = rdb_type_version(RDB_MAGIC_REDIS, older.type);
	older.value.p = s->pieces;
	if (rdb_stream_older(ev->value, ev->type, older.type, s->pieces, &older.value.len, &lost))
		return snapshot_bad(s, ERROR_RDB_CORRUPT, "a stream is not what its type says");
	if (lost.n_nacked) {
		snapshot_no_nacks(s, reason, sizeof(reason));
		return value_park(s, ev, reason);
	}
	int rc = raw_put(s, &older);
	return rc > 0 && lost.n_producers ? snapshot_degraded(s) : rc;
}

static int unfit_park(struct snapshot *s, const struct rdb_event *ev)
{
	char reason[TEXT_LEN];
	rdb_fit_reason(&s->target, s->reader.magic, ev->type, reason, sizeof(reason));
	return value_park(s, ev, reason);
}

static int value_put(struct snapshot *s, const struct rdb_event *ev)
{
	enum rdb_fit fit = ev->kind == RDB_STRING ? RDB_FIT_RAW : snapshot_fit(s, ev);
	if (fit == RDB_FIT_NONE)
		return unfit_park(s, ev);
	s->hold_at_ms = hold_add(s->holds, s->db, ev->key, ev->expire_at_ms, s->now_ms);
	if (fit == RDB_FIT_OLDER)
		return older_put(s, ev);
	return ev->kind == RDB_STRING ? string_put(s, ev) : raw_put(s, ev);
}

int snapshot_whole(struct snapshot *s, const struct rdb_event *ev)
{
	if (snapshot_has_expired(s, ev->expire_at_ms)) {
		counter_add(&s->counters->snapshot_expired, 1);
		return 1;
	}
	if (s->skips_db || marker_is_reserved(ev->key) || !snapshot_wants(s, ev->key))
		return 1;
	snapshot_aim(s, ev->key, false);
	int rc = value_put(s, ev);
	return rc > 0 ? snapshot_key_done(s, ev->key) : rc;
}
