// SPDX-License-Identifier: BSD-3-Clause
// What a former process has left in the folder: the newest run of segments without a gap, cut at
// the first record that is not whole. All of it happens before the link begins, so it may wait.
//
//   log_recover() -> segments_find() -> chain_choose() -> segment_walk()... -> history_tell()
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/log/log_disk.h"
#include "parsers/crc64.h"

static const char identity[] = "flyover log\n";

// A folder with other things in it is somebody else's.
static void entry_count(void *n, const char *name, uint64_t len)
{
	++*(unsigned *)n;
}

int folder_claim(struct log_disk *d, char *text)
{
	char says[sizeof(identity)];
	unsigned n = 0;
	int rc = disk_folder_open(&d->folder, d->path);
	if (rc == -EBUSY) {
		snprintf(text, LOG_TEXT_LEN, "%.140s is in use by another process", d->path);
		return rc;
	}
	if (rc) {
		snprintf(text, LOG_TEXT_LEN, "cannot open the folder %.140s: %s", d->path,
			 strerror(-rc));
		return rc;
	}
	ssize_t len = disk_folder_identity(&d->folder, says, sizeof(says));
	if (len == (ssize_t)strlen(identity) && !memcmp(says, identity, (size_t)len))
		return 0;
	rc = disk_folder_list(&d->folder, entry_count, &n);
	if (!rc && (len || n)) {
		if (!len)
			disk_folder_unlink(&d->folder, DISK_IDENTITY);
		snprintf(text, LOG_TEXT_LEN, "%.140s is not a folder of Flyover's; name another",
			 d->path);
		return -EPERM;
	}
	rc = rc ? rc : disk_folder_identify(&d->folder, identity, strlen(identity));
	if (rc)
		snprintf(text, LOG_TEXT_LEN, "cannot write in %.140s: %s", d->path, strerror(-rc));
	return rc;
}

// ---- Found

struct found {
	struct log_disk *d;
	struct segment **segments;
	unsigned n, room;
	int rc;
};

static void segment_found(void *arg, const char *name, uint64_t len)
{
	struct found *f = arg;
	uint64_t sequence = 0;
	char again[SEGMENT_NAME_LEN], gone[SEGMENT_NAME_LEN];
	for (const char *p = name; *p >= '0' && *p <= '9'; p++)
		sequence = sequence * 10 + (uint64_t)(*p - '0');
	segment_name(again, sequence);
	segment_name_gone(gone, sequence);
	if (!strcmp(gone, name) && !f->rc)
		f->rc = segment_found_gone(f->d, name);
	if (strcmp(again, name) || f->rc)
		return;
	struct segment *s = calloc(1, sizeof(*s));
	struct segment **segments = f->segments;
	if (s && f->n == f->room) {
		f->room = f->room ? 2 * f->room : 64;
		segments = realloc(segments, f->room * sizeof(*segments));
	}
	if (!s || !segments) {
		free(s);
		f->rc = -ENOMEM;
		return;
	}
	f->segments = segments;
	s->sequence = sequence;
	s->file = -1;
	s->at = len;
	segments[f->n++] = s;
}

static int read_now(struct log_disk *d, struct segment *s, uint64_t at, uint32_t len)
{
	int rc = segment_open(d, s);
	if (rc)
		return rc;
	struct disk_op op = {
		.kind = DISK_READ, .file = s->file, .buffer = WRITE_SLOTS, .len = len, .at = at};
	rc = disk_submit(d->disk, &op);
	if (rc)
		return rc;
	while (disk_reap(d->disk) != &op)
		disk_wait(d->disk);
	return (int)op.result;
}

static void file_close(struct log_disk *d, struct segment *s)
{
	if (s->file >= 0)
		disk_file_close(d->disk, s->file);
	s->file = -1;
}

// @return the header, or NULL: the file holds nothing of ours yet, or rc says why it cannot be read
static const struct segment_header *header_read(struct log_disk *d, struct segment *s, int *rc)
{
	int n = read_now(d, s, 0, SEGMENT_HEADER_LEN);
	file_close(d, s);
	const void *p = disk_buffer(d->disk, WRITE_SLOTS);
	*rc = n < 0 ? n : *rc;
	return n == (int)SEGMENT_HEADER_LEN && segment_header_check(p) ? p : NULL;
}

static int by_sequence(const void *a, const void *b)
{
	const struct segment *const *x = a, *const *y = b;
	return (*x)->sequence < (*y)->sequence ? -1 : (*x)->sequence > (*y)->sequence;
}

static bool name_is_taken(const struct found *f, uint64_t sequence)
{
	for (unsigned i = 0; i < f->n; i++)
		if (f->segments[i]->sequence == sequence)
			return true;
	return false;
}

// Fill in what the header says. A crash can undo the rename of a file that is used again, then the
// header has the newer number; an older one is of the former use, of which anything may be left.
static bool segment_read(struct found *f, struct segment *s, uint64_t *durable)
{
	struct log_disk *d = f->d;
	const struct segment_header *h = header_read(d, s, &f->rc);
	if (!h || s->at < h->segment_len || h->sequence < s->sequence)
		return false;
	if (h->sequence != s->sequence) {
		char is[SEGMENT_NAME_LEN], was[SEGMENT_NAME_LEN];
		segment_name(is, s->sequence);
		segment_name(was, h->sequence);
		if (name_is_taken(f, h->sequence) || disk_folder_rename(&d->folder, is, was))
			return false;
		s->sequence = h->sequence;
	}
	*durable = h->durable > *durable ? h->durable : *durable;
	s->first = s->end = h->first;
	s->run = h->run;
	s->fresh = h->fresh;
	s->newest_ms = h->wall_ms;
	s->ready = h->segment_len == d->segment_len;
	s->at = s->written = h->segment_len;
	s->old = s->sealed = s->named = s->header_synced = true;
	memcpy(s->replid, h->replid, LOG_REPLID_LEN);
	return true;
}

// ---- Chosen

struct walk {
	struct segment *segment;
	uint64_t at, offset; // how far it came
	enum record_fault fault;
	int rc;              // of a read that failed
};

// Verify the whole records in these bytes of the file. @return bytes that they take
static uint32_t records_walk(struct walk *w, const char *p, uint32_t len, uint64_t to)
{
	const struct segment *s = w->segment;
	uint32_t done = 0;
	while (done < len && w->offset < to) {
		const struct record_header *h = (const void *)(p + done);
		w->fault = record_header_check(h, s->sequence, s->run, w->offset,
					       s->at - w->at - done);
		if (w->fault)
			break;
		uint32_t padded = record_padded(h->payload_len);
		if (done + padded > len) { // read again as a whole
			w->fault = done ? RECORD_OK : RECORD_SHORT;
			break;
		}
		if (crc64(0, h + 1, h->payload_len) != h->payload_crc) {
			w->fault = RECORD_SUM;
			break;
		}
		w->offset += h->payload_len;
		done += padded;
		w->segment->newest_ms =
			h->wall_ms + (h->n_stamps ? h->stamps[h->n_stamps - 1].ms : 0);
	}
	return done;
}

// Walk over the records of a segment, up to an offset, and end it where the walk ends.
static void segment_walk(struct log_disk *d, struct walk *w, uint64_t to)
{
	struct segment *s = w->segment;
	w->at = SEGMENT_HEADER_LEN;
	w->offset = s->first;
	while (!w->fault && w->offset < to && w->at < s->at) {
		uint64_t left = s->at - w->at;
		int n = read_now(d, s, w->at,
				 left < d->record_len ? (uint32_t)left : d->record_len);
		if (n < 0)
			w->rc = n;
		if (n <= 0)
			break;
		w->at += records_walk(w, disk_buffer(d->disk, WRITE_SLOTS), (uint32_t)n, to);
	}
	file_close(d, s);
	s->at = s->written = w->at;
	s->end = s->written_end = s->synced = w->offset;
}

static void found_remove(struct found *f, unsigned from, unsigned n)
{
	for (unsigned i = from; i < from + n; i++)
		segment_remove(f->d, f->segments[i]);
	f->n -= n;
	if (n)
		memmove(f->segments + from, f->segments + from + n,
			(f->n - from) * sizeof(f->segments[0]));
}

static bool follows(const struct segment *a, const struct segment *b)
{
	return a->sequence + 1 == b->sequence && a->first <= b->first;
}

// One line of segments without a gap counts. What a newer line has begun makes older ones obsolete;
// a gap before bytes that were durable is damage, and what follows it is kept; any other gap is
// what a crash leaves, and the line ends there.
static void chain_choose(struct found *f, uint64_t durable, char *text)
{
	unsigned i = f->n - 1;
	while (i > 0 && !f->segments[i]->fresh)
		i--;
	found_remove(f, 0, i);
	for (i = 0; i + 1 < f->n; i++) {
		struct segment *s = f->segments[i], *next = f->segments[i + 1];
		if (follows(s, next)) {
			s->end = s->written_end = s->synced = next->first;
		} else if (next->first < durable) {
			snprintf(text, LOG_TEXT_LEN,
				 "a file is missing from the log under %.90s: it goes back to "
				 "offset %" PRIu64 " only",
				 f->d->path, next->first);
			found_remove(f, 0, i + 1);
			i = UINT32_MAX; // begin again
		} else {
			found_remove(f, i + 1, f->n - i - 1);
		}
	}
}

// The first segment that may have had writes on their way when the process ended, in whatever
// order; the last two at least.
static unsigned chain_busy(const struct found *f)
{
	uint64_t payload = f->d->record_len - RECORD_HEADER_LEN, writes = 0;
	unsigned i = f->n;
	while (i > 0 && (writes < WRITE_SLOTS || i + 2 > f->n)) {
		const struct segment *s = f->segments[--i];
		writes += 1 + (i + 1 < f->n ? (s->end - s->first) / payload : 0);
	}
	return i;
}

// Verify what nobody knows to be durable, and cut the log off at the first record that is not
// whole. Who never syncs finds out what a crash of the host has cost when he reads it.
static void chain_verify(struct found *f, uint64_t durable, char *text)
{
	unsigned busy = chain_busy(f);
	if (f->d->sync == LOG_SYNC_NEVER)
		durable = UINT64_MAX;
	for (unsigned i = 0; i < f->n && !f->rc; i++) {
		struct walk w = {.segment = f->segments[i]};
		bool last = i + 1 == f->n;
		if (w.segment->end <= durable && i < busy)
			continue;
		uint64_t to = last ? UINT64_MAX : f->segments[i + 1]->first;
		segment_walk(f->d, &w, to);
		f->rc = w.rc;
		// The last file ends where nothing of ours follows.
		if (w.offset == to || (last && w.fault <= RECORD_NONE))
			continue;
		char name[SEGMENT_NAME_LEN];
		segment_name(name, w.segment->sequence);
		snprintf(text, LOG_TEXT_LEN,
			 "the log was cut off at offset %" PRIu64 " (%.100s/%s, byte %" PRIu64
			 "): %s",
			 w.offset, f->d->path, name, w.at,
			 record_fault_text(w.fault ? w.fault : RECORD_SHORT));
		found_remove(f, i + 1, f->n - i - 1);
	}
}

static void history_tell(struct log_disk *d)
{
	struct log_history *h = &d->history;
	for (unsigned i = 0; i < d->n_segments; i++) {
		const struct segment *s = d->segments[i];
		if (h->n && !strcmp(h->runs[h->n - 1].replid, s->replid))
			continue;
		if (h->n == LOG_RUNS_MAX)
			memmove(h->runs, h->runs + 1, --h->n * sizeof(h->runs[0]));
		struct log_run *run = &h->runs[h->n++];
		memcpy(run->replid, s->replid, sizeof(run->replid));
		run->first = s->first;
	}
	h->end = segment_last(d)->end;
}

static void found_adopt(struct found *f)
{
	struct log_disk *d = f->d;
	struct log *l = d->log;
	const struct segment *last = f->segments[f->n - 1];
	for (unsigned i = 0; i < f->n; i++)
		if (segment_add(d, f->segments[i]))
			f->rc = -ENOMEM;
	d->sequence = last->sequence + 1;
	d->run = last->run + 1;
	d->ids[0] = (struct log_id){.first = last->end, .run = d->run};
	memcpy(d->ids[0].replid, last->replid, sizeof(last->replid));
	d->writing = d->recovered = true;
	d->fresh = false;
	d->next = d->durable = d->sync_to = last->end;
	log_front_begin(l, last->end);
	l->tail = l->slowest = l->released = l->keep_from = last->end;
	history_tell(d);
}

// Of what was on its way, the rest is gone.
static void leftovers_remove(struct found *f)
{
	if (f->n)
		log_tell(f->d, "%u files under %.100s are removed: a former process has left them "
			       "unfinished", f->n, f->d->path);
	found_remove(f, 0, f->n);
}

int log_recover(struct log_disk *d, char *text)
{
	struct found f = {.d = d};
	uint64_t durable = 0;
	int rc = disk_folder_list(&d->folder, segment_found, &f);
	rc = rc ? rc : f.rc;
	if (!rc && d->passing)
		leftovers_remove(&f);
	if (!rc && (f.n || d->dead))
		rc = disk_need(d);
	for (unsigned i = 0; i < f.n && !rc; rc = f.rc)
		if (segment_read(&f, f.segments[i], &durable))
			i++;
		else if (!f.rc)
			found_remove(&f, i, 1);
	if (f.n && !rc) {
		qsort(f.segments, f.n, sizeof(f.segments[0]), by_sequence);
		chain_choose(&f, durable, text);
		chain_verify(&f, durable, text);
		if (f.segments[f.n - 1]->end == f.segments[0]->first)
			found_remove(&f, 0, f.n);
		rc = f.rc;
	}
	if (f.n && !rc)
		found_adopt(&f);
	rc = rc ? rc : f.rc;
	for (unsigned i = 0; rc && i < f.n && !d->n_segments; i++)
		free(f.segments[i]);
	free(f.segments);
	if (rc)
		snprintf(text, LOG_TEXT_LEN, "cannot read the log under %.100s: %s", d->path,
			 strerror(-rc));
	return rc;
}
