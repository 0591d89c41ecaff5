// SPDX-License-Identifier: BSD-3-Clause
// snapshot_turn() -> rdb_next() -> event_route() -> string_put() | raw_put() | snapshot_piece()
#include "dataplane/route/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/route/snapshot_put.h"
#include "parsers/rdb_footer.h"

#define TURN_BYTES  (512 * 1024)
#define SCRATCH_MAX (64 * MB)

void snapshot_init(struct snapshot *s, struct log *log, struct place *place,
		   struct source_counters *counters, struct keyset *keys, struct holds *holds)
{
	int32_t only_db = s->only_db, to_db = s->to_db;
	memset(s, 0, sizeof(*s));
	s->only_db = only_db;
	s->to_db = to_db;
	s->log = log;
	s->place = place;
	s->counters = counters;
	s->keys = keys;
	s->holds = holds;
}

void snapshot_fini(struct snapshot *s)
{
	if (s->reader_open)
		rdb_reader_fini(&s->reader);
	free(s->key_copy);
	free(s->pieces);
	s->reader_open = false;
	s->key_copy = s->pieces = NULL;
	s->key_copy_max = s->pieces_max = 0;
}

int snapshot_begin(struct snapshot *s, const struct link_settings *set)
{
	struct source_counters *counters = s->counters;
	snapshot_fini(s);
	snapshot_init(s, s->log, s->place, counters, s->keys, s->holds);
	const struct rdb_settings reader = {.window_len = log_capacity(s->log),
					    .big_len = set->big_value,
					    .scratch_len = SCRATCH_MAX};
	int rc = rdb_reader_init(&s->reader, &reader);
	s->reader_open = !rc;
	s->stream_db = -1;
	counter_set(&counters->snapshot_keys, 0);
	counter_set(&counters->snapshot_bytes, 0);
	counter_set(&counters->snapshot_expired, 0);
	counter_set(&counters->snapshot_total_keys, 0);
	return rc;
}

// ---- Whole values

// Expired before the snapshot was taken. What expires later may have been given a longer life in
// the stream, so it is made and held.
bool snapshot_has_expired(const struct snapshot *s, int64_t expire_at_ms)
{
	uint64_t limit_ms = s->taken_ms && s->taken_ms < s->now_ms ? s->taken_ms : s->now_ms;
	return expire_at_ms >= 0 && (uint64_t)expire_at_ms <= limit_ms;
}

static int string_put(struct snapshot *s, const struct rdb_event *ev)
{
	char at_ms[24];
	struct span words[5] = {SPAN_LIT("SET"), ev->key, ev->value, SPAN_LIT("PXAT"), {at_ms, 0}};
	bool expires = ev->expire_at_ms >= 0;
	if (expires)
		words[4].len = decimal_write(at_ms, (uint64_t)s->hold_at_ms);
	return snapshot_put(s, place_lane_of(s->place, ev->key), false, words, expires ? 5 : 3,
			    true);
}

static int restore_add(struct snapshot *s, struct batch *b, const struct rdb_event *ev)
{
	char number[24], type = (char)ev->type;
	uint8_t footer[RDB_FOOTER_LEN];
	bool idle = ev->idle_s >= 0, freq = ev->freq >= 0;
	uint64_t ttl = ev->expire_at_ms >= 0 ? (uint64_t)s->hold_at_ms : 0;
	rdb_restore_footer(ev->type, ev->footer_version, ev->value, footer);
	int rc = batch_head(b, idle || freq ? 8 : 6);
	rc = rc ? rc : batch_arg(b, SPAN_LIT("RESTORE"), false);
	rc = rc ? rc : batch_arg(b, ev->key, snapshot_is_stable(s, ev->key));
	rc = rc ? rc : batch_arg_u64(b, ttl);
	int n = snprintf(number, sizeof(number), "$%zu\r\n", ev->value.len + 1 + RDB_FOOTER_LEN);
	rc = rc ? rc : batch_copy(b, number, (size_t)n);
	rc = rc ? rc : batch_copy(b, &type, 1);
	if (!rc)
		rc = ev->value.len > BATCH_COPY_MAX ? batch_refer(b, ev->value.p, ev->value.len)
						    : batch_copy(b, ev->value.p, ev->value.len);
	rc = rc ? rc : batch_copy(b, (const char *)footer, RDB_FOOTER_LEN);
	rc = rc ? rc : batch_copy(b, "\r\n", 2);
	rc = rc ? rc : batch_arg(b, SPAN_LIT("REPLACE"), false);
	rc = rc ? rc : batch_arg(b, SPAN_LIT("ABSTTL"), false);
	if (!rc && (idle || freq)) {
		rc = batch_arg(b, idle ? SPAN_LIT("IDLETIME") : SPAN_LIT("FREQ"), false);
		rc = rc ? rc : batch_arg_u64(b, (uint64_t)(idle ? ev->idle_s : ev->freq));
	}
	return rc;
}

static int raw_put(struct snapshot *s, const struct rdb_event *ev)
{
	unsigned lane = place_lane_of(s->place, ev->key);
	struct batch *b =
		snapshot_batch(s, lane, false, 10 * BATCH_HEAD_LEN + ev->key.len + BATCH_COPY_MAX);
	if (!b)
		return s->error ? -1 : 0;
	if (batch_item_begin(b, s->position, s->db, ITEM_COMMAND) || restore_add(s, b, ev))
		return snapshot_no_memory(s);
	b->n_commands++;
	snapshot_settle(s, lane);
	return 1;
}

static int key_put(struct snapshot *s, const struct rdb_event *ev)
{
	if (snapshot_has_expired(s, ev->expire_at_ms)) {
		counter_add(&s->counters->snapshot_expired, 1);
		return 1;
	}
	if (s->skips_db || marker_is_reserved(ev->key))
		return 1;
	s->hold_at_ms = hold_add(s->holds, s->db, ev->key, ev->expire_at_ms, s->now_ms);
	int rc = ev->kind == RDB_STRING ? string_put(s, ev) : raw_put(s, ev);
	return rc > 0 ? snapshot_key_done(s, ev->key) : rc;
}

// ---- What is not a key

static int aux_take(struct snapshot *s, const struct rdb_event *ev)
{
	if (span_eq(ev->key, SPAN_LIT("ctime")))
		s->taken_ms = span_digits(ev->value) * 1000;
	if (span_eq(ev->key, SPAN_LIT("repl-stream-db")) && ev->value.len && ev->value.p[0] != '-')
		s->stream_db = (int32_t)span_digits(ev->value);
	return 1;
}

// A library begins with "#!ENGINE name=NAME".
static struct span library_name(struct span code)
{
	const char *end = memchr(code.p, '\n', code.len);
	size_t len = end ? (size_t)(end - code.p) : code.len;
	const char *name = memmem(code.p, len, "name=", 5);
	if (!name)
		return (struct span){"", 0};
	name += 5;
	size_t n = 0;
	while (name + n < code.p + len && name[n] != ' ' && name[n] != '\r')
		n++;
	return (struct span){name, n};
}

static int function_put(struct snapshot *s, const struct rdb_event *ev)
{
	if (!s->step) {
		int rc = snapshot_remember(s, KEYSET_LIBRARIES, library_name(ev->value));
		if (rc < 0)
			return rc;
		s->step = 1;
	}
	struct span words[4] = {SPAN_LIT("FUNCTION"), SPAN_LIT("LOAD"), SPAN_LIT("REPLACE"),
				ev->value};
	return snapshot_put(s, 0, true, words, 4, true);
}

// A module's value that does not fit the window cannot be sent, since its end is not known: say so.
static int skipped_take(struct snapshot *s, const struct rdb_event *ev)
{
	if (!ev->key.len)
		return 1;
	return snapshot_bad(s, ERROR_RDB_UNSUPPORTED,
			    "the module value of a key is larger than snapshot-window");
}

static int eof_take(struct snapshot *s, const struct rdb_event *ev)
{
	if (ev->crc == RDB_CRC_WRONG)
		return snapshot_bad(s, ERROR_RDB_CORRUPT, s->reader.error);
	return 1;
}

static void database_select(struct snapshot *s, int32_t db)
{
	s->skips_db = s->only_db >= 0 && db != s->only_db;
	s->db = s->only_db < 0 ? db : s->to_db;
}

static int event_route(struct snapshot *s)
{
	const struct rdb_event *ev = &s->event;
	switch (ev->kind) {
	case RDB_STRING:
	case RDB_RAW:
		return key_put(s, ev);
	case RDB_SELECTDB:
		database_select(s, (int32_t)ev->db);
		return 1;
	case RDB_RESIZEDB:
		counter_add(&s->counters->snapshot_total_keys, ev->n_keys);
		return 1;
	case RDB_AUX:
		return aux_take(s, ev);
	case RDB_FUNCTION:
		return function_put(s, ev);
	case RDB_SKIPPED:
		return skipped_take(s, ev);
	case RDB_EOF:
		return eof_take(s, ev);
	default:
		return snapshot_piece(s, ev);
	}
}

// ---- Turn

static enum error_id error_of_reader(const struct snapshot *s)
{
	return strstr(s->reader.error, "unknown") || strstr(s->reader.error, "newer")
		       ? ERROR_RDB_UNSUPPORTED
		       : ERROR_RDB_CORRUPT;
}

// @return 1 an event is at hand, 0 no bytes or the end, -1 error
static int event_next(struct snapshot *s)
{
	size_t used = 0;
	s->view.p = log_view(s->log, s->position, &s->view.len);
	enum rdb_result result = rdb_next(&s->reader, s->view, &s->event, &used);
	switch (result) {
	case RDB_EVENT:
		s->pending_len = used;
		s->step = 0;
		return 1;
	case RDB_BAD:
		return snapshot_bad(s, error_of_reader(s), s->reader.error);
	case RDB_DONE:
		s->done = true;
		return 0;
	case RDB_MORE:
		break;
	}
	s->position += used;
	return 0;
}

int snapshot_turn(struct snapshot *s, uint64_t now_ms)
{
	uint64_t stop = s->position + TURN_BYTES;
	s->now_ms = now_ms;
	while (s->position < stop) {
		if (!s->pending) {
			int rc = event_next(s);
			if (rc <= 0) {
				counter_set(&s->counters->snapshot_bytes, s->position);
				return rc;
			}
		}
		s->pending = true;
		int rc = event_route(s);
		if (rc <= 0) { // a lane is full
			counter_set(&s->counters->snapshot_bytes, s->position);
			return rc;
		}
		s->pending = false;
		s->position += s->pending_len;
	}
	counter_set(&s->counters->snapshot_bytes, s->position);
	return 1;
}
