// SPDX-License-Identifier: BSD-3-Clause
// Behind the front: records are filled, from the front or straight from the source, and written.
//
//   spill_space() -> record_open() -> spill_received() | spill_copy() -> record_close() ->
//   records_submit() -> record_came_back() -> records_retire()
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "dataplane/log/log_disk.h"

// ---- Buffers

static struct record *record_at(struct log_disk *d, unsigned i)
{
	return &d->records[(d->first_record + i) % WRITE_SLOTS];
}

struct record_header *record_head(const struct log_disk *d, const struct record *r)
{
	return (struct record_header *)disk_buffer(d->disk, (unsigned)(r - d->records));
}

char *record_payload(const struct log_disk *d, const struct record *r)
{
	return (char *)(record_head(d, r) + 1);
}

static struct record *record_add(struct log_disk *d, struct segment *s)
{
	struct record *r = record_at(d, d->n_records++);
	*r = (struct record){.segment = s, .first = d->next};
	r->op = (struct disk_op){.kind = DISK_WRITE,
				 .buffer = (unsigned)(r - d->records),
				 .at = s->at,
				 .user = r};
	s->n_users++;
	return r;
}

struct record *record_filling(struct log_disk *d)
{
	struct record *r = d->n_records ? record_at(d, d->n_records - 1) : NULL;
	return r && r->state == SLOT_FILLING && !r->dropped ? r : NULL;
}

struct record *record_holding(struct log_disk *d, uint64_t offset)
{
	for (unsigned i = 0; i < d->n_records; i++) {
		struct record *r = record_at(d, i);
		if (!r->dropped && r->first <= offset && offset - r->first < r->len)
			return r;
	}
	return NULL;
}

// ---- Opened and closed

static void segment_header_write(struct log_disk *d, struct segment *s)
{
	s->at = 0;
	struct record *r = record_add(d, s);
	struct segment_header *h = (struct segment_header *)record_head(d, r);
	memset(h, 0, SEGMENT_HEADER_LEN);
	*h = (struct segment_header){.sequence = s->sequence,
				     .first = s->first,
				     .durable = synced_to(d),
				     .segment_len = d->segment_len,
				     .wall_ms = d->now.wall_ms,
				     .run = s->run,
				     .fresh = s->fresh};
	memcpy(h->replid, s->replid, LOG_REPLID_LEN);
	memcpy(h->owner, d->owner, sizeof(h->owner) - 1);
	segment_header_seal(h);
	r->op.len = SEGMENT_HEADER_LEN;
	r->state = SLOT_WAITING;
	s->at = SEGMENT_HEADER_LEN;
}

// The segment that the next record goes to. @return NULL: none can be had now
static struct segment *segment_current(struct log_disk *d)
{
	struct segment *s = segment_last(d);
	if (s && !s->sealed && s->run == id_at(d, d->next)->run &&
	    s->at + DISK_BLOCK <= d->segment_len)
		return s;
	if (!d->ahead)
		segment_prepare(d);
	s = segment_take(d);
	if (s) {
		segment_header_write(d, s);
	} else if (!d->trouble[0] && !d->n_dead) { // there will be room when these are gone
		trouble_set(d, "disk-limit is reached under %s: the source is held back until the "
			       "target has taken more", d->path);
		d->no_room = true;
	}
	return s;
}

// @return NULL: no buffer is free, or no file
static struct record *record_open(struct log_disk *d)
{
	if (disk_need(d))
		return NULL;
	if (d->n_records + 2 > WRITE_SLOTS)
		disk_listen(d);
	if (d->n_records + 2 > WRITE_SLOTS)
		return NULL;
	struct segment *s = segment_current(d);
	if (!s)
		return NULL;
	struct record *r = record_add(d, s);
	uint64_t left = d->segment_len - s->at;
	r->state = SLOT_FILLING;
	r->room = (uint32_t)(left < d->record_len ? left : d->record_len) - RECORD_HEADER_LEN;
	memset(record_head(d, r), 0, RECORD_HEADER_LEN);
	record_head(d, r)->first = r->first;
	return r;
}

void record_close(struct log_disk *d, struct record *r)
{
	struct segment *s = r->segment;
	struct record_header *h = record_head(d, r);
	if (!r->len) { // its place goes to the next one
		r->dropped = true;
		r->state = SLOT_DONE;
		return;
	}
	h->sequence = s->sequence;
	h->run = s->run;
	h->payload_len = r->len;
	record_seal(h);
	r->op.len = record_padded(r->len);
	r->state = SLOT_WAITING;
	s->at += r->op.len;
	s->end = r->first + r->len;
	s->newest_ms = h->wall_ms + (h->n_stamps ? h->stamps[h->n_stamps - 1].ms : 0);
	d->figures.written_bytes += r->op.len;
}

static void record_grew(struct log_disk *d, struct record *r, size_t len)
{
	r->len += (uint32_t)len;
	d->next += len;
	if (r->len == r->room)
		record_close(d, r);
}

// ---- Filled

// The record that takes the next bytes: of one id only.
static struct record *record_next(struct log_disk *d)
{
	struct record *r = record_filling(d);
	if (r && r->segment->run != id_at(d, d->next)->run) {
		record_close(d, r);
		r = NULL;
	}
	return r ? r : record_open(d);
}

// How many of the next bytes have the same id.
static size_t id_left(const struct log_disk *d)
{
	const struct log_id *id = id_at(d, d->next);
	return id == &d->ids[d->n_ids - 1] ? SIZE_MAX : (size_t)(id[1].first - d->next);
}

bool spill_copy(struct log_disk *d, size_t budget)
{
	struct log *l = d->log;
	while (d->next < l->tail && budget) {
		struct record *r = record_next(d);
		if (!r)
			break;
		size_t n, same = id_left(d);
		const char *p = log_front_raw(l, d->next, &n);
		n = n < same ? n : same;
		n = n < r->room - r->len ? n : r->room - r->len;
		n = n < budget ? n : budget;
		memcpy(record_payload(d, r) + r->len, p, n);
		log_stamps_copy(l, record_head(d, r), d->next, d->next + n);
		record_grew(d, r, n);
		budget -= n;
	}
	l->keep_from = d->next;
	return !budget && d->next < l->tail;
}

// The front is full: the rest of it goes to records, and what comes now does so directly.
char *spill_space(struct log_disk *d, size_t *len)
{
	struct log *l = d->log;
	if (!d->writing)
		disk_begin(d);
	spill_copy(d, SIZE_MAX);
	if (d->next < l->tail)
		return NULL;
	struct record *r = record_next(d);
	if (!r)
		return NULL;
	*len = r->room - r->len;
	return record_payload(d, r) + r->len;
}

void spill_received(struct log_disk *d, size_t len, uint64_t wall_ms)
{
	struct record *r = record_filling(d);
	assert(r && len <= r->room - r->len && d->next == d->log->tail);
	record_stamp_add(record_head(d, r), r->len, wall_ms);
	d->log->tail += len;
	record_grew(d, r, len);
	d->log->keep_from = d->next;
}

// ---- Written

void records_submit(struct log_disk *d)
{
	for (unsigned i = 0; i < d->n_records; i++) {
		struct record *r = record_at(d, i);
		if (r->state != SLOT_WAITING || !r->segment->ready ||
		    (r->failed && d->now.mono_ns < d->retry_ns))
			continue;
		r->op.file = r->segment->file;
		if (disk_submit(d->disk, &r->op))
			return;
		r->state = SLOT_BUSY;
	}
}

void record_came_back(struct log_disk *d, struct disk_op *op)
{
	struct record *r = op->user;
	if (op->result == op->len || r->dropped) {
		if (r->failed)
			trouble_over(d);
		r->failed = false;
		r->state = SLOT_DONE;
		return;
	}
	r->state = SLOT_WAITING;
	r->failed = true;
	disk_trouble(d, (int)op->result, "write");
}

// Forgotten in order, so what memory holds has no gaps and neither has what the disk holds.
void records_retire(struct log_disk *d)
{
	struct log *l = d->log;
	while (d->n_records && record_at(d, 0)->state == SLOT_DONE) {
		struct record *r = record_at(d, 0);
		struct segment *s = r->segment;
		d->first_record = (d->first_record + 1) % WRITE_SLOTS;
		d->n_records--;
		s->n_users--;
		if (r->dropped)
			continue;
		s->written = r->op.at + r->op.len;
		s->written_end = r->first + r->len;
		// Who needs it next has to read it.
		if (l->end < l->tail && r->first <= l->end && l->end < s->written_end)
			reader_begin(d, s, r->op.at, r->first);
		segment_settle(d, s);
	}
}

void records_drop(struct log_disk *d, const struct segment *s)
{
	for (unsigned i = 0; i < d->n_records; i++) {
		struct record *r = record_at(d, i);
		if (s && r->segment != s)
			continue;
		r->dropped = true;
		if (r->state != SLOT_BUSY)
			r->state = SLOT_DONE;
	}
	records_retire(d);
}

// ---- Another id

// What has come so far belongs to the old id: only when all of it is in records, a segment with the
// new id in its header begins. When that is on disk, bytes may come again.
void spill_rename(struct log_disk *d)
{
	struct log *l = d->log;
	spill_copy(d, SIZE_MAX);
	if (d->next < l->tail)
		return;
	struct record *r = record_filling(d);
	if (r && r->segment->run != d->run)
		record_close(d, r);
	if (!d->rename_segment && !disk_need(d) && d->n_records + 2 <= WRITE_SLOTS)
		d->rename_segment = segment_current(d);
	struct segment *s = d->rename_segment;
	bool written = s && s->written >= SEGMENT_HEADER_LEN;
	if (written && (d->sync == LOG_SYNC_NEVER || s->header_synced || s->suspect))
		d->renaming = l->shut = false;
}
