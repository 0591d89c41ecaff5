// SPDX-License-Identifier: BSD-3-Clause
// snapshot_turn() -> rdb_next() -> event_route() -> snapshot_whole() | snapshot_piece()
#include "dataplane/route/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/route/snapshot_put.h"

#define TURN_BYTES  (512 * 1024)
#define SCRATCH_MAX (64 * MB)

#define RDB_VERSION_TEMPLATES 15 // hashes that only come as elements

void snapshot_init(struct snapshot *s, struct log *log, struct place *place,
		   struct source_counters *counters, struct keyset *keys, struct holds *holds,
		   struct park *park)
{
	struct db_map dbs = s->dbs;
	bool is_cluster = s->is_cluster;
	const char *link = s->link;
	memset(s, 0, sizeof(*s));
	s->dbs = dbs;
	s->is_cluster = is_cluster;
	s->link = link;
	s->log = log;
	s->place = place;
	s->counters = counters;
	s->keys = keys;
	s->holds = holds;
	s->park = park;
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

static void target_learn(struct snapshot *s, const struct link_settings *set,
			 const struct server_version *target, struct rdb_settings *reader)
{
	s->target = *target;
	s->drops_field_ttl = set->field_ttl == FIELD_TTL_DROP;
	s->stops = set->on_error == ON_ERROR_STOP;
	rdb_verbs_of(target, &s->verbs);
	for (unsigned i = 0; i < 2 * 256; i++) {
		enum rdb_magic magic = i < 256 ? RDB_MAGIC_REDIS : RDB_MAGIC_VALKEY;
		enum rdb_fit fit = rdb_fit_of(target, magic, (uint8_t)i, s->drops_field_ttl);
		s->fits[magic][i % 256] = (uint8_t)fit;
		if (fit == RDB_FIT_ELEMENTS && i % 256 < 64)
			reader->element_types[magic] |= 1ull << i % 256;
	}
}

int snapshot_begin(struct snapshot *s, const struct link_settings *set,
		   const struct server_version *target)
{
	struct source_counters *counters = s->counters;
	snapshot_fini(s);
	snapshot_init(s, s->log, s->place, counters, s->keys, s->holds, s->park);
	struct rdb_settings reader = {.window_len = log_capacity(s->log),
				      .big_len = set->big_value,
				      .scratch_len = SCRATCH_MAX};
	target_learn(s, set, target, &reader);
	int rc = rdb_reader_init(&s->reader, &reader);
	s->reader_open = !rc;
	s->stream_db = -1;
	counter_set(&counters->snapshot_keys, 0);
	counter_set(&counters->snapshot_bytes, 0);
	counter_set(&counters->snapshot_expired, 0);
	counter_set(&counters->snapshot_total_keys, 0);
	return rc;
}

// ---- What is not a key

static int aux_take(struct snapshot *s, const struct rdb_event *ev)
{
	if (span_eq(ev->key, SPAN_LIT("ctime")))
		s->taken_ms = span_digits(ev->value) * 1000;
	if (s->handoff && span_eq(ev->key, SPAN_LIT("cluster-asm-task")))
		handoff_snapshot_task(s->handoff, s->member, ev->value, s->offset);
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

static int function_park(struct snapshot *s, const struct span *words, struct span name)
{
	char reason[TEXT_LEN];
	struct batch b;
	snprintf(reason, sizeof(reason), "%s has no functions", s->target.text);
	if (batch_init(&b, snapshot_words_len(s, words, 4), 1))
		return snapshot_no_memory(s);
	batch_reset(&b, 0, s->position, false);
	int rc = snapshot_add(s, &b, words, 4, true);
	rc = rc ? snapshot_no_memory(s) : snapshot_park(s, name, "FUNCTION", &b, reason);
	batch_fini(&b);
	return rc;
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
	if (!s->verbs.functions)
		return function_park(s, words, library_name(ev->value));
	s->slot = SLOT_EVERY;
	s->fenced = false;
	return snapshot_put(s, 0, true, words, 4, true);
}

// A module's value that does not fit the window cannot be sent, since its end is not known.
static int skipped_take(struct snapshot *s, const struct rdb_event *ev)
{
	if (!ev->key.len || s->skips_db || snapshot_has_expired(s, ev->expire_at_ms))
		return 1;
	int rc = snapshot_park(s, ev->key, "RESTORE", NULL,
			       "the value, of a module, is larger than snapshot-window");
	return rc > 0 ? snapshot_key_done(s, ev->key) : rc;
}

static int eof_take(struct snapshot *s, const struct rdb_event *ev)
{
	if (ev->crc == RDB_CRC_WRONG)
		return snapshot_bad(s, ERROR_RDB_CORRUPT, s->reader.error);
	return 1;
}

// A batch has one form. Where single values take several commands, which belong together, all go
// in the form that keeps them together, since to change it often would make batches small.
static bool needs_frames(const struct snapshot *s)
{
	if (!s->target.at)
		return false;
	bool other = s->reader.version > RDB_VERSION_COMMON &&
		     (s->reader.magic == RDB_MAGIC_VALKEY) != s->target.valkey;
	bool templates = s->reader.version == RDB_VERSION_TEMPLATES;
	return !s->verbs.set_pxat || !s->verbs.restore_absttl || other || templates ||
	       s->reader.version > server_rdb_version(&s->target);
}

static int database_select(struct snapshot *s, int32_t db)
{
	if (s->is_cluster && !s->dbs.n && db)
		return snapshot_stop(s, ERROR_DATABASE,
				     "the source has keys in database %d, and a cluster has "
				     "database 0 alone",
				     db);
	s->framed = needs_frames(s);
	int32_t to = db_map_to(&s->dbs, db);
	s->skips_db = to < 0;
	s->db = to < 0 ? 0 : to;
	return 1;
}

static int event_route(struct snapshot *s)
{
	const struct rdb_event *ev = &s->event;
	switch (ev->kind) {
	case RDB_STRING:
	case RDB_RAW:
		return snapshot_whole(s, ev);
	case RDB_SELECTDB:
		return database_select(s, (int32_t)ev->db);
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
