// SPDX-License-Identifier: BSD-3-Clause
// A stream as commands: XADD..., XSETID, then for each group XGROUP CREATE, XGROUP CREATECONSUMER,
// XCLAIM..., XNACK...
#include "ctrl/decode/print_resp.h"

static void entry(struct printer *p, const struct rdb_event *ev)
{
	struct rdb_fields fields = ev->fields;
	struct rdb_field f;
	char id[ID_LEN];
	resp_arg(p, resp_id(ev->id, id));
	while (rdb_fields_next(&fields, &f)) {
		resp_arg(p, f.name);
		resp_arg(p, f.value);
	}
	resp_gathered(p);
}

// An empty stream is made by an entry that is trimmed at once; then the counters follow.
static void meta(struct printer *p, const struct rdb_event *ev)
{
	const struct rdb_stream_meta *m = &ev->stream;
	char last[ID_LEN], deleted[ID_LEN], added[NUMBER_LEN];
	bool never = m->last.ms == 0 && m->last.seq == 0;
	if (m->length == 0)
		SAY(p, SPAN_LIT("XADD"), key_of(p), SPAN_LIT("MAXLEN"), SPAN_LIT("0"),
		    never ? SPAN_LIT("0-1") : resp_id(m->last, last), SPAN_LIT("x"), SPAN_LIT("y"));
	if (m->full)
		SAY(p, SPAN_LIT("XSETID"), key_of(p), resp_id(m->last, last),
		    SPAN_LIT("ENTRIESADDED"), resp_number(m->entries_added, added),
		    SPAN_LIT("MAXDELETEDID"), resp_id(m->max_deleted, deleted));
	else
		SAY(p, SPAN_LIT("XSETID"), key_of(p), resp_id(m->last, last));
}

static void group(struct printer *p, const struct rdb_event *ev)
{
	char id[ID_LEN], read[NUMBER_LEN];
	struct span words[7] = {SPAN_LIT("XGROUP"),      SPAN_LIT("CREATE"),
				key_of(p),               ev->group,
				resp_id(ev->id, id),     SPAN_LIT("ENTRIESREAD"),
				SPAN_LIT("")};
	if (ev->entries_read >= 0)
		words[6] = resp_number((uint64_t)ev->entries_read, read);
	resp_words(p, words, ev->entries_read >= 0 ? 7 : 5);
}

static void pending(struct printer *p, const struct rdb_event *ev)
{
	char id[ID_LEN], at[NUMBER_LEN], n[NUMBER_LEN];
	int64_t at_ms = ev->delivered_at_ms > 0 ? ev->delivered_at_ms : 0;
	SAY(p, SPAN_LIT("XCLAIM"), key_of(p), ev->group, ev->consumer, SPAN_LIT("0"),
	    resp_id(ev->id, id), SPAN_LIT("TIME"), resp_number((uint64_t)at_ms, at),
	    SPAN_LIT("RETRYCOUNT"), resp_number(ev->n_delivered, n), SPAN_LIT("FORCE"),
	    SPAN_LIT("JUSTID"));
}

static void nacked(struct printer *p, const struct rdb_event *ev)
{
	char id[ID_LEN], n[NUMBER_LEN];
	SAY(p, SPAN_LIT("XNACK"), key_of(p), ev->group, SPAN_LIT("SILENT"), SPAN_LIT("IDS"),
	    SPAN_LIT("1"), resp_id(ev->id, id), SPAN_LIT("RETRYCOUNT"),
	    resp_number(ev->n_delivered, n), SPAN_LIT("FORCE"));
}

static void idmp(struct printer *p, const struct rdb_event *ev)
{
	char seconds[NUMBER_LEN], max[NUMBER_LEN];
	if (ev->idmp_duration_s && ev->idmp_max_entries)
		SAY(p, SPAN_LIT("XCFGSET"), key_of(p), SPAN_LIT("IDMP-DURATION"),
		    resp_number(ev->idmp_duration_s, seconds), SPAN_LIT("IDMP-MAXSIZE"),
		    resp_number(ev->idmp_max_entries, max));
}

bool resp_stream_event(struct printer *p, const struct rdb_event *ev)
{
	char id[ID_LEN];
	switch (ev->kind) {
	case RDB_STREAM_ENTRY:
		entry(p, ev);
		return true;
	case RDB_STREAM_META:
		meta(p, ev);
		return true;
	case RDB_STREAM_GROUP:
		group(p, ev);
		return true;
	case RDB_STREAM_CONSUMER:
		SAY(p, SPAN_LIT("XGROUP"), SPAN_LIT("CREATECONSUMER"), key_of(p), ev->group,
		    ev->consumer);
		return true;
	case RDB_STREAM_PENDING:
		pending(p, ev);
		return true;
	case RDB_STREAM_NACKED:
		nacked(p, ev);
		return true;
	case RDB_STREAM_IDMP:
		idmp(p, ev);
		return true;
	case RDB_STREAM_IDMP_ENTRY:
		SAY(p, SPAN_LIT("XIDMPRECORD"), key_of(p), ev->field, ev->value,
		    resp_id(ev->id, id));
		return true;
	default:
		return false;
	}
}
