// SPDX-License-Identifier: BSD-3-Clause
// A stream that is larger than big-value: entries, counters, groups, consumers, pending entries,
// each by a command of its own.
#include <stdio.h>

#include "dataplane/route/snapshot_put.h"

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
	if (!s->has_entries)
		s->first_entry = ev->id;
	s->has_entries = true;
	bool fits = snapshot_piece_add(s, id_text(id, sizeof(id), ev->id));
	while (fits && rdb_fields_next(&fields, &f))
		fits = snapshot_piece_add(s, f.name) && snapshot_piece_add(s, f.value);
	return fits ? snapshot_piece_flush(s) : snapshot_no_memory(s);
}

// An empty stream is made by an entry that is trimmed at once; then the counters follow.
static int meta_put(struct snapshot *s, const struct rdb_event *ev)
{
	char last[48], deleted[48], added[24];
	const struct rdb_stream_meta *m = &ev->stream;
	int rc = 1;
	if (!m->length) {
		struct span words[7] = {SPAN_LIT("XADD"),
					snapshot_temporary(s),
					SPAN_LIT("MAXLEN"),
					SPAN_LIT("0"),
					m->last.ms || m->last.seq
						? id_text(last, sizeof(last), m->last)
						: SPAN_LIT("0-1"),
					SPAN_LIT("x"),
					SPAN_LIT("y")};
		rc = snapshot_piece_step(s, 0, words, 7, false);
	} else if (!s->step) {
		s->step = 1;
	}
	if (rc <= 0)
		return rc;
	struct span words[7] = {SPAN_LIT("XSETID"),
				snapshot_temporary(s),
				id_text(last, sizeof(last), m->last),
				SPAN_LIT("ENTRIESADDED"),
				number_text(added, m->entries_added),
				SPAN_LIT("MAXDELETEDID"),
				id_text(deleted, sizeof(deleted), m->max_deleted)};
	return snapshot_piece_step(s, 1, words, m->full && s->verbs.stream_counters ? 7 : 3, false);
}

static int group_put(struct snapshot *s, const struct rdb_event *ev)
{
	char id[48], read[24];
	bool has_read = ev->entries_read >= 0 && s->verbs.stream_counters;
	struct span words[7] = {SPAN_LIT("XGROUP"),
				SPAN_LIT("CREATE"),
				snapshot_temporary(s),
				ev->group,
				id_text(id, sizeof(id), ev->id),
				SPAN_LIT("ENTRIESREAD"),
				{read, 0}};
	if (has_read)
		words[6] = number_text(read, (uint64_t)ev->entries_read);
	return snapshot_piece_step(s, 0, words, has_read ? 7 : 5, false);
}

// Before 6.2 a consumer comes into being as it reads: here what is pending of it, which is nothing.
static int consumer_put(struct snapshot *s, const struct rdb_event *ev)
{
	struct span reads[9] = {
		SPAN_LIT("XREADGROUP"), SPAN_LIT("GROUP"),   ev->group,
		ev->consumer,           SPAN_LIT("COUNT"),   SPAN_LIT("1"),
		SPAN_LIT("STREAMS"),    snapshot_temporary(s), SPAN_LIT("0"),
	};
	if (!s->verbs.create_consumer)
		return snapshot_piece_step(s, 0, reads, 9, false);
	struct span words[5] = {SPAN_LIT("XGROUP"), SPAN_LIT("CREATECONSUMER"),
				snapshot_temporary(s), ev->group, ev->consumer};
	return snapshot_piece_step(s, 0, words, 5, false);
}

// From 7.0 on XCLAIM makes nothing pending that was deleted. What was trimmed away is known here;
// what was deleted between others is not.
static bool is_trimmed(const struct snapshot *s, struct rdb_stream_id id)
{
	const struct rdb_stream_id *first = &s->first_entry;
	return !s->has_entries || id.ms < first->ms || (id.ms == first->ms && id.seq < first->seq);
}

static int pending_put(struct snapshot *s, const struct rdb_event *ev)
{
	char id[48], at_ms[24], n[24];
	if (s->verbs.stream_counters && is_trimmed(s, ev->id)) {
		s->degraded = true;
		return 1;
	}
	struct span words[12] = {
		SPAN_LIT("XCLAIM"),
		snapshot_temporary(s),
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
	return snapshot_piece_step(s, 0, words, 12, false);
}

// A pending entry that is nobody's.
static int nacked_put(struct snapshot *s, const struct rdb_event *ev)
{
	if (!s->verbs.arrays) {
		snapshot_no_nacks(s, s->unfit_reason, sizeof(s->unfit_reason));
		s->unfit = true;
		return 1;
	}
	char id[48], n[24];
	struct span words[10] = {
		SPAN_LIT("XNACK"),     snapshot_temporary(s),
		ev->group,             SPAN_LIT("SILENT"),
		SPAN_LIT("IDS"),       SPAN_LIT("1"),
		id_text(id, sizeof(id), ev->id), SPAN_LIT("RETRYCOUNT"),
		number_text(n, ev->n_delivered), SPAN_LIT("FORCE"),
	};
	return snapshot_piece_step(s, 0, words, 10, false);
}

static int idmp_put(struct snapshot *s, const struct rdb_event *ev)
{
	if (!s->verbs.stream_idmp) {
		s->degraded |= ev->kind == RDB_STREAM_IDMP_ENTRY;
		return 1;
	}
	char seconds[24], max[24], id[48];
	if (ev->kind == RDB_STREAM_IDMP_ENTRY) {
		struct span entry[5] = {SPAN_LIT("XIDMPRECORD"), snapshot_temporary(s), ev->field,
					ev->value, id_text(id, sizeof(id), ev->id)};
		return snapshot_piece_step(s, 0, entry, 5, false);
	}
	struct span words[6] = {SPAN_LIT("XCFGSET"),
				snapshot_temporary(s),
				SPAN_LIT("IDMP-DURATION"),
				number_text(seconds, ev->idmp_duration_s),
				SPAN_LIT("IDMP-MAXSIZE"),
				number_text(max, ev->idmp_max_entries)};
	return snapshot_piece_step(s, 0, words, 6, false);
}

int snapshot_piece_stream(struct snapshot *s, const struct rdb_event *ev)
{
	switch (ev->kind) {
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
	default:
		return 1;
	}
}
