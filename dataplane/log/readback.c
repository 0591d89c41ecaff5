// SPDX-License-Identifier: BSD-3-Clause
// What lies behind the front comes back: read ahead from the files in large pieces, verified record
// by record, copied to the front as that gets room. What is still in a buffer that is filled or
// written is copied from there.
//
//   reader_turn() -> from_memory() | record_verify(), record_take(); chunks_ask()
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/log/log_disk.h"
#include "parsers/crc64.h"

static struct chunk *chunk_at(struct reader *r, unsigned i)
{
	return &r->chunks[(r->first + i) % READ_SLOTS];
}

static const char *chunk_bytes(const struct log_disk *d, const struct chunk *c)
{
	return disk_buffer(d->disk, WRITE_SLOTS + (unsigned)(c - d->reader.chunks));
}

// Those that nobody wants any more go once the driver has given them back.
static void chunks_pop(struct reader *r)
{
	while (r->n && chunk_at(r, 0)->dropped && chunk_at(r, 0)->state == SLOT_DONE) {
		chunk_at(r, 0)->segment->n_users--;
		r->first = (r->first + 1) % READ_SLOTS;
		r->n--;
	}
}

void reader_stop(struct log_disk *d)
{
	struct reader *r = &d->reader;
	struct segment *segment = r->segment, *ask = r->ask;
	for (unsigned i = 0; i < r->n; i++) {
		struct chunk *c = chunk_at(r, i);
		c->dropped = true;
		if (c->state != SLOT_BUSY)
			c->state = SLOT_DONE;
	}
	r->segment = r->ask = NULL;
	r->whole = false;
	chunks_pop(r);
	if (segment)
		segment_settle(d, segment);
	if (ask && ask != segment)
		segment_settle(d, ask);
}

void reader_begin(struct log_disk *d, struct segment *s, uint64_t at, uint64_t offset)
{
	struct reader *r = &d->reader;
	reader_stop(d);
	r->segment = r->ask = s;
	r->at = r->ask_at = at;
	r->offset = offset;
}

void damage_set(struct log_disk *d, const struct segment *s, uint64_t at, uint64_t offset,
		const char *what)
{
	char name[SEGMENT_NAME_LEN];
	segment_name(name, s->sequence);
	snprintf(d->damage, sizeof(d->damage),
		 "the log on disk is damaged: %.120s/%s at byte %" PRIu64
		 ", offset %" PRIu64 " of the stream: %s",
		 d->path, name, at, offset, what);
	reader_stop(d);
}

// ---- Asked for

static struct segment *segment_after(const struct log_disk *d, const struct segment *s)
{
	uint64_t i = s->sequence - d->segments[0]->sequence + 1; // they are in a row
	return i < d->n_segments ? d->segments[i] : NULL;
}

// The next piece of what is on disk. @return its length, 0: there is none now
static uint32_t ask_next(struct log_disk *d)
{
	struct reader *r = &d->reader;
	while (r->ask && r->ask_at >= r->ask->written) {
		struct segment *next = segment_after(d, r->ask);
		bool done = r->ask->sealed && r->ask->written_end >= r->ask->end && next;
		if (!done || next->written <= SEGMENT_HEADER_LEN)
			return 0;
		r->ask = next;
		r->ask_at = SEGMENT_HEADER_LEN;
	}
	if (!r->ask)
		return 0;
	uint64_t left = r->ask->written - r->ask_at;
	return (uint32_t)(left < d->record_len ? left : d->record_len);
}

static void chunk_submit(struct log_disk *d, struct chunk *c)
{
	if (segment_open(d, c->segment))
		return;
	c->op.file = c->segment->file;
	if (!disk_submit(d->disk, &c->op))
		c->state = SLOT_BUSY;
}

static void chunks_ask(struct log_disk *d)
{
	struct reader *r = &d->reader;
	uint32_t len;
	for (unsigned i = 0; i < r->n; i++) {
		struct chunk *c = chunk_at(r, i);
		if (c->state == SLOT_WAITING && (!c->failed || d->now.mono_ns >= d->retry_ns))
			chunk_submit(d, c);
	}
	while (r->n < READ_SLOTS && (len = ask_next(d))) {
		struct chunk *c = chunk_at(r, r->n++);
		*c = (struct chunk){.segment = r->ask, .state = SLOT_WAITING};
		c->op = (struct disk_op){.kind = DISK_READ,
					 .buffer = WRITE_SLOTS + (unsigned)(c - r->chunks),
					 .len = len,
					 .at = r->ask_at,
					 .user = c};
		c->segment->n_users++;
		r->ask_at += len;
		chunk_submit(d, c);
	}
}

void chunk_came_back(struct log_disk *d, struct disk_op *op)
{
	struct chunk *c = op->user;
	c->state = SLOT_DONE;
	if (c->dropped || op->result == op->len) {
		if (c->failed && !c->dropped)
			trouble_over(d);
		d->figures.read_bytes += op->result > 0 ? (uint64_t)op->result : 0;
		chunks_pop(&d->reader);
		return;
	}
	int rc = op->result < 0 ? (int)op->result : -ENODATA;
	if (++c->n_tries >= READ_TRIES_MAX || rc == -ENODATA) {
		damage_set(d, c->segment, c->op.at, d->reader.offset,
			   rc == -ENODATA ? "the file is shorter than it was" : strerror(-rc));
		return;
	}
	c->state = SLOT_WAITING;
	c->failed = true;
	disk_trouble(d, rc, "read");
}

// ---- Taken apart

// `len` bytes of the file being taken apart, from `at` on, as they lie in one buffer. @return NULL:
// not there yet
static const char *bytes_at(struct log_disk *d, uint64_t at, uint32_t *len)
{
	struct reader *r = &d->reader;
	for (unsigned i = 0; i < r->n; i++) {
		struct chunk *c = chunk_at(r, i);
		if (c->dropped || c->segment != r->segment || at < c->op.at ||
		    at >= c->op.at + c->op.len)
			continue;
		if (c->state != SLOT_DONE)
			return NULL;
		uint64_t left = c->op.at + c->op.len - at;
		*len = left < *len ? (uint32_t)left : *len;
		return chunk_bytes(d, c) + (at - c->op.at);
	}
	return NULL;
}

// Buffers before the place that is taken apart are free again.
static void chunks_pass(struct log_disk *d)
{
	struct reader *r = &d->reader;
	for (unsigned i = 0; i < r->n; i++) {
		struct chunk *c = chunk_at(r, i);
		bool passed = c->segment == r->segment
				      ? c->op.at + c->op.len <= r->at
				      : c->segment->sequence < r->segment->sequence;
		if (!passed && !c->dropped)
			break;
		c->dropped = true;
		if (c->state != SLOT_BUSY) // it may have been asked for in vain
			c->state = SLOT_DONE;
	}
	chunks_pop(r);
}

// Verify the payload of a record, or just see that all of it is there. @return false: not yet
static bool payload_verify(struct log_disk *d, const struct record_header *h,
			   enum record_fault *fault)
{
	struct reader *r = &d->reader;
	bool passed = r->offset + h->payload_len <= d->log->end;
	uint64_t crc = 0;
	uint32_t len;
	for (uint32_t done = 0; done < h->payload_len; done += len) {
		len = h->payload_len - done;
		const char *p = bytes_at(d, r->at + RECORD_HEADER_LEN + done, &len);
		if (!p)
			return false;
		if (!passed)
			crc = crc64(crc, p, len);
	}
	if (!passed && crc != h->payload_crc)
		*fault = RECORD_SUM;
	return true;
}

// @return the header of the record at hand, when that is in memory as a whole and in order; NULL:
// not yet, or damage
static const struct record_header *record_verify(struct log_disk *d)
{
	struct reader *r = &d->reader;
	uint32_t len = RECORD_HEADER_LEN;
	const struct record_header *h = (const void *)bytes_at(d, r->at, &len);
	if (!h || r->whole)
		return h;
	enum record_fault fault = record_header_check(h, r->segment->sequence, r->segment->run,
						      r->offset, r->segment->written - r->at);
	if (!fault && !payload_verify(d, h, &fault))
		return NULL;
	if (fault) {
		damage_set(d, r->segment, r->at, r->offset, record_fault_text(fault));
		return NULL;
	}
	r->whole = true;
	return h;
}

static void stamps_bring(struct log_disk *d, const struct record_header *h, uint64_t from,
			 uint64_t to)
{
	const struct clock_reading *now = &d->now;
	for (unsigned i = 0; i < h->n_stamps; i++) {
		uint64_t at = h->first + h->stamps[i].at, wall_ms = h->wall_ms + h->stamps[i].ms;
		bool last = i + 1 == h->n_stamps || h->first + h->stamps[i + 1].at > from;
		if (at >= to || (at < from && !last))
			continue;
		uint64_t ago_ns = now->wall_ms > wall_ms ? (now->wall_ms - wall_ms) * 1000000 : 0;
		log_stamp_push(d->log, at < from ? from : at,
			       now->mono_ns > ago_ns ? now->mono_ns - ago_ns : 0, wall_ms);
	}
}

// Copy what the front has room for. @return bytes
static size_t front_fill(struct log_disk *d, const struct record_header *h, const char *p,
			 size_t len, size_t budget)
{
	struct log *l = d->log;
	size_t room = log_front_room(l);
	len = len < room ? len : room;
	len = len < budget ? len : budget;
	if (!len)
		return 0;
	stamps_bring(d, h, l->end, l->end + len);
	log_front_put(l, p, len);
	return len;
}

// @return bytes copied
static size_t record_take(struct log_disk *d, const struct record_header *h, size_t budget)
{
	struct reader *r = &d->reader;
	struct log *l = d->log;
	uint64_t end = r->offset + h->payload_len;
	size_t n = 0;
	if (l->end < end) {
		uint64_t skip = l->end - r->offset;
		uint32_t len = (uint32_t)(end - l->end);
		const char *p = bytes_at(d, r->at + RECORD_HEADER_LEN + skip, &len);
		n = front_fill(d, h, p, len, budget);
	}
	if (l->end < end)
		return n;
	r->at += record_padded(h->payload_len);
	r->offset = end;
	r->whole = false;
	chunks_pass(d);
	return n;
}

// The records of this file are all taken: go on with the next.
static bool segment_pass(struct log_disk *d)
{
	struct reader *r = &d->reader;
	struct segment *s = r->segment, *next = segment_after(d, s);
	if (!s->sealed || r->offset < s->end || !next || next->written < SEGMENT_HEADER_LEN)
		return false;
	if (r->ask == s) {
		r->ask = next;
		r->ask_at = SEGMENT_HEADER_LEN;
	}
	r->segment = next;
	r->at = SEGMENT_HEADER_LEN;
	chunks_pass(d);
	segment_settle(d, s);
	return true;
}

static size_t from_memory(struct log_disk *d, const struct record *m, size_t budget)
{
	struct log *l = d->log;
	uint64_t skip = l->end - m->first;
	return front_fill(d, record_head(d, m), record_payload(d, m) + skip, m->len - skip, budget);
}

// Who keeps pace with the disk finds its bytes in the small ring, and in the cache. When that stays
// full, more bytes are wanted in one piece, or a target far away has them on their way.
static void front_widen(struct log_disk *d, uint64_t *deadline_ns)
{
	struct log *l = d->log;
	struct reader *r = &d->reader;
	if (l->active == LOG_RING_LARGE || log_front_room(l))
		return;
	if (r->full_head != l->head || !r->full_ns) {
		r->full_head = l->head;
		r->full_ns = d->now.mono_ns;
	}
	uint64_t until_ns = r->full_ns + SMALL_PATIENCE_NS;
	if (d->now.mono_ns >= until_ns) {
		r->full_ns = 0;
		log_front_widen(l);
	} else if (until_ns < *deadline_ns) {
		*deadline_ns = until_ns;
	}
}

bool reader_turn(struct log_disk *d, size_t budget, uint64_t *deadline_ns)
{
	struct log *l = d->log;
	struct reader *r = &d->reader;
	uint64_t had = l->end;
	if (d->damage[0])
		return false;
	front_widen(d, deadline_ns);
	while (l->end < l->tail && budget) {
		size_t n = 0;
		const struct record *m = record_holding(d, l->end);
		const struct record_header *h;
		if (m) {
			n = from_memory(d, m, budget);
		} else if (!r->segment) {
			break;
		} else if (!segment_pass(d)) {
			h = record_verify(d);
			if (!h)
				break;
			uint64_t before = r->offset;
			n = record_take(d, h, budget);
			if (r->offset > before) {
				chunks_ask(d); // so that the disk works while this is copied
				budget -= n < budget ? n : budget;
				continue;
			}
		} else {
			continue;
		}
		if (!n)
			break;
		budget -= n;
	}
	if (l->end == l->tail)
		reader_stop(d);
	else if (!d->damage[0] && !record_holding(d, l->end))
		chunks_ask(d);
	return l->end < l->tail && (!budget || (l->end > had && !log_front_room(l)));
}
