// SPDX-License-Identifier: BSD-3-Clause
// The log's disk as a whole:
//
//   IDLE --more than half of the window taken, and allowed--> WRITING --nearly all let go--> IDLE
//
//   log_turn() -> disk_listen(), begin_or_end(), spill_copy(), records_submit(), reader_turn(),
//                 sync_turn(), segments_trim()
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/log/log_disk.h"

#define KB_LEN 1024u

// ---- Trouble

void trouble_set(struct log_disk *d, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(d->trouble, sizeof(d->trouble), format, args);
	va_end(args);
	d->retry_ns = d->now.mono_ns + DISK_RETRY_NS;
}

void disk_trouble(struct log_disk *d, int rc, const char *what)
{
	bool full = rc == -ENOSPC || rc == -EDQUOT;
	if (full)
		trouble_set(d, "the disk under %s is full: make room there, or lower disk-limit",
			    d->path);
	else
		trouble_set(d, "cannot %s in %s: %s; it is tried again", what, d->path,
			    strerror(-rc));
	d->no_room |= full;
}

void log_tell(struct log_disk *d, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(d->news, sizeof(d->news), format, args);
	va_end(args);
}

bool log_news(struct log *l, char *text)
{
	if (!l->disk || !l->disk->news[0])
		return false;
	memcpy(text, l->disk->news, LOG_TEXT_LEN);
	l->disk->news[0] = 0;
	return true;
}

void trouble_over(struct log_disk *d)
{
	d->trouble[0] = 0;
	d->no_room = false;
}

const char *log_trouble(const struct log *l)
{
	return l->disk ? l->disk->trouble : "";
}

const char *log_disk_text(const struct log *l)
{
	return l->disk ? l->disk->driver : "off";
}

int log_damage(const struct log *l, const char **text)
{
	if (!l->disk || !l->disk->damage[0])
		return 0;
	*text = l->disk->damage;
	return -EBADMSG;
}

const struct log_history *log_history(const struct log *l)
{
	static const struct log_history nothing;
	return l->disk && l->disk->recovered ? &l->disk->history : &nothing;
}

struct log_figures log_figures(const struct log *l)
{
	struct log_figures f = {0};
	if (l->disk) {
		f = l->disk->figures;
		f.disk_bytes = (l->disk->n_segments + l->disk->n_dead + !!l->disk->ahead) *
			       l->disk->segment_len;
	}
	return f;
}

// ---- Life

// Files small enough that a limit holds several of them, and large enough to be rarely made.
static void lengths_choose(struct log_disk *d, const struct log_config *c)
{
	d->record_len = c->record_len ? c->record_len : RECORD_LEN_MAX;
	uint64_t n = c->disk_limit / 8 / d->record_len;
	n = n < 1 ? 1 : n > SEGMENT_RECORDS_MAX ? SEGMENT_RECORDS_MAX : n;
	d->segment_len = SEGMENT_HEADER_LEN + n * d->record_len;
	uint64_t most = c->disk_limit / d->segment_len;
	d->segments_max = most > UINT32_MAX ? UINT32_MAX : (unsigned)most;
}

static void settings_take(struct log_disk *d, const struct log_config *c)
{
	snprintf(d->path, sizeof(d->path), "%s", c->folder);
	snprintf(d->owner, sizeof(d->owner), "%s", c->owner ? c->owner : "");
	snprintf(d->driver, sizeof(d->driver), "not used yet");
	d->seam = c->seam;
	d->choice = c->disk;
	d->wake_fd = c->wake_fd;
	d->limit = c->disk_limit;
	d->keep_len = c->keep_len;
	d->keep_ms = c->keep_ms;
	d->passing = c->passing;
	d->allowed = !c->passing;
	d->sync = c->sync;
	d->sync_interval_ns = c->sync_interval_ms * 1000000;
	d->sequence = d->n_ids = 1;
	d->fresh = true;
	lengths_choose(d, c);
}

int log_disk_new(struct log *l, const struct log_config *config, char *text)
{
	struct log_disk *d = calloc(1, sizeof(*d));
	if (!d) {
		snprintf(text, LOG_TEXT_LEN, "no memory for the log on disk");
		return -ENOMEM;
	}
	d->log = l;
	d->folder = (struct disk_folder){.fd = -1, .identity_fd = -1};
	settings_take(d, config);
	int rc = 0;
	if (d->segments_max < 2) {
		snprintf(text, LOG_TEXT_LEN,
			 "disk-limit is too small: 0 for none, or at least %u KB",
			 3 * (SEGMENT_HEADER_LEN + d->record_len) / KB_LEN);
		rc = -EINVAL;
	}
	rc = rc ? rc : folder_claim(d, text);
	l->disk = d;
	return rc ? rc : log_recover(d, text);
}

int disk_need(struct log_disk *d)
{
	if (d->disk)
		return 0;
	struct disk_config config = {.folder_fd = d->folder.fd,
				     .n_buffers = WRITE_SLOTS + READ_SLOTS,
				     .buffer_len = d->record_len,
				     .depth = 2 * (WRITE_SLOTS + READ_SLOTS),
				     .wake_fd = d->wake_fd};
	int rc;
	if (d->seam) {
		rc = d->seam->open(&config, &d->disk);
		snprintf(d->driver, sizeof(d->driver), "%s", d->seam->name);
	} else {
		rc = disk_open(d->choice, &config, &d->disk, d->driver, sizeof(d->driver));
	}
	if (rc) {
		d->disk = NULL;
		disk_trouble(d, rc, "write");
	}
	return rc;
}

void disk_begin(struct log_disk *d)
{
	d->writing = true;
	d->next = d->durable = d->sync_to = d->log->head;
	d->sync_at_ns = d->now.mono_ns;
	d->log->keep_from = d->next;
	d->fresh = true;
}

void disk_drop(struct log_disk *d)
{
	reader_stop(d);
	records_drop(d, NULL);
	segments_forget(d, d->n_segments);
	if (d->ahead) // it may hold what is to be forgotten
		segment_remove(d, d->ahead);
	d->ahead = NULL;
	d->writing = d->recovered = d->seeking = d->renaming = false;
	d->rename_segment = NULL;
	d->log->keep_from = UINT64_MAX;
	d->log->shut = false;
	d->fresh = true;
	d->trouble[0] = d->damage[0] = 0;
	d->no_room = false;
	log_head_update(d->log);
}

// ---- Ids

const struct log_id *id_at(const struct log_disk *d, uint64_t offset)
{
	const struct log_id *id = &d->ids[d->n_ids - 1];
	while (id > d->ids && id->first > offset)
		id--;
	return id;
}

// From an offset, which is behind all others, on.
static void id_add(struct log_disk *d, const char *replid, uint64_t first)
{
	uint64_t oldest = log_front_oldest(d->log);
	if (d->writing && d->next < oldest)
		oldest = d->next;
	unsigned old = (unsigned)(id_at(d, oldest) - d->ids);
	if (!old && d->n_ids == IDS_MAX) // so often nobody fails over while the window fills once
		old = 1;
	d->n_ids -= old;
	memmove(d->ids, d->ids + old, d->n_ids * sizeof(d->ids[0]));
	if (d->ids[d->n_ids - 1].first == first) // and has no bytes
		d->n_ids--;
	struct log_id *id = &d->ids[d->n_ids++];
	*id = (struct log_id){.first = first, .run = ++d->run};
	snprintf(id->replid, sizeof(id->replid), "%s", replid);
}

static void id_push(struct log_disk *d, const struct log_id *id)
{
	if (d->n_ids && d->ids[d->n_ids - 1].run >= id->run)
		return;
	if (d->n_ids == IDS_MAX)
		memmove(d->ids, d->ids + 1, --d->n_ids * sizeof(d->ids[0]));
	d->ids[d->n_ids++] = *id;
}

// Older bytes will be in front again: their ids are those of the segments from here on.
static void ids_bring_back(struct log_disk *d, unsigned from)
{
	struct log_id known[IDS_MAX];
	unsigned n = d->n_ids;
	memcpy(known, d->ids, sizeof(known));
	d->n_ids = 0;
	for (unsigned i = from; i < d->n_segments; i++) {
		const struct segment *s = d->segments[i];
		struct log_id id = {.first = s->first, .run = s->run};
		memcpy(id.replid, s->replid, sizeof(id.replid));
		id_push(d, &id);
	}
	for (unsigned i = 0; i < n; i++)
		id_push(d, &known[i]);
}

void log_disk_reset(struct log_disk *d, const char *replid)
{
	disk_drop(d);
	d->allowed = !d->passing;
	d->ids[0] = d->ids[d->n_ids - 1];
	d->ids[0].first = d->log->tail;
	d->n_ids = 1;
	if (replid)
		id_add(d, replid, d->log->tail);
}

int log_rename(struct log *l, const char *replid)
{
	struct log_disk *d = l->disk;
	if (!d)
		return 0;
	id_add(d, replid, l->tail);
	d->rename_segment = NULL;
	if (d->writing) {
		d->renaming = l->shut = true;
		spill_rename(d);
	}
	return 0;
}

// ---- Places

uint64_t log_disk_oldest(const struct log_disk *d)
{
	return d->n_segments ? d->segments[0]->first : d->log->tail;
}

void log_disk_sought(struct log_disk *d)
{
	d->recovered = false;
}

// Whether the limit leaves room for what only the front has, which has to go to the disk before
// other bytes may come to the front from this offset on.
static bool front_fits_disk(const struct log_disk *d, uint64_t offset)
{
	unsigned spare = 0;
	while (spare + 1 < d->n_segments && !segment_is_kept(d, d->segments[spare], offset))
		spare++;
	uint64_t used = d->n_segments - spare + d->n_ids - 1;
	uint64_t left = d->segments_max > used ? d->segments_max - used : 0;
	return d->log->tail - d->next <= left * d->segment_len / 2;
}

int log_disk_seek(struct log_disk *d, uint64_t offset)
{
	struct log *l = d->log;
	if (!d->writing || !d->n_segments || offset < d->segments[0]->first || disk_need(d))
		return -ENOENT;
	spill_copy(d, SIZE_MAX);
	// That may have taken the oldest segment.
	if (offset < d->segments[0]->first || !front_fits_disk(d, offset))
		return -ENOENT;
	d->recovered = false;
	d->damage[0] = 0;
	// What memory alone has goes to the disk first; until then nothing comes back.
	l->head = l->end = offset;
	d->seeking = true;
	reader_stop(d);
	unsigned i = 0;
	while (i + 1 < d->n_segments && d->segments[i + 1]->first <= offset)
		i++;
	ids_bring_back(d, i);
	if (offset < d->next && !record_holding(d, offset))
		reader_begin(d, d->segments[i], SEGMENT_HEADER_LEN, d->segments[i]->first);
	return 0;
}

// ---- The turn

void disk_listen(struct log_disk *d)
{
	struct disk_op *op;
	while (d->disk && (op = disk_reap(d->disk))) {
		switch (op->kind) {
		case DISK_WRITE:
			record_came_back(d, op);
			break;
		case DISK_READ:
			chunk_came_back(d, op);
			break;
		case DISK_SYNC:
			sync_came_back(d, op);
			break;
		case DISK_ALLOCATE:
			segment_allocated(d, op);
			break;
		case DISK_REMOVE:
			segment_removed(d, op);
			break;
		}
	}
	records_retire(d);
	if (d->dead)
		segments_bury(d);
}

static void history_give(struct log_disk *d)
{
	struct log *l = d->log;
	uint64_t retry_ns = d->retry_ns;
	char trouble[sizeof(d->trouble)];
	memcpy(trouble, d->trouble, sizeof(trouble));
	disk_drop(d);
	memcpy(d->trouble, trouble, sizeof(trouble));
	d->retry_ns = retry_ns;
	log_tell(d, "the log on disk begins anew at offset %" PRIu64 ": %s", l->head, trouble);
}

// The disk cannot take what only history wants, or what is kept elsewhere: better a gap in it than
// to hold the source back.
static void room_give(struct log_disk *d)
{
	struct log *l = d->log;
	uint64_t done = l->slowest > l->released ? l->slowest : l->released;
	bool pressed = log_front_room(l) < log_capacity(l) / 4 && l->active == LOG_RING_LARGE;
	if (d->trouble[0] && done > d->next && pressed)
		history_give(d);
}

// Nor can it take a new id, for which the source is held back: the front has all that is needed.
static void rename_give(struct log_disk *d)
{
	if (d->renaming && d->trouble[0] && d->log->end == d->log->tail && !d->seeking)
		history_give(d);
}

static void begin_or_end(struct log_disk *d)
{
	struct log *l = d->log;
	uint64_t held = l->end - l->head;
	if (!d->writing) {
		if (d->allowed && (d->keep_len || held > log_capacity(l) / 2))
			disk_begin(d);
		return;
	}
	if (l->end < l->tail || l->shut || d->recovered)
		return;
	if (!d->keep_len && (held < log_capacity(l) / 8 || l->slowest >= d->next))
		disk_drop(d);
	else
		room_give(d);
}

// All that memory alone had is in records: from here on the front is filled from the disk.
static void seek_go_on(struct log_disk *d)
{
	struct log *l = d->log;
	if (!d->seeking || d->next < l->tail)
		return;
	uint64_t offset = l->end;
	log_front_begin(l, offset);
	d->seeking = false;
}

static bool disk_turn(struct log_disk *d, uint64_t *deadline_ns)
{
	struct log *l = d->log;
	disk_listen(d);
	begin_or_end(d);
	segments_bury_deadline(d, deadline_ns);
	if (!d->writing)
		return false;
	bool more = spill_copy(d, TURN_BYTES);
	seek_go_on(d);
	if (d->renaming)
		spill_rename(d);
	rename_give(d);
	if (!d->writing)
		return false;
	if (segment_is_wanted(d))
		segment_prepare(d);
	if (l->end < l->tail && !d->seeking)
		more |= reader_turn(d, TURN_BYTES, deadline_ns);
	sync_turn(d, deadline_ns);
	records_submit(d);
	segments_trim(d);
	log_head_update(l);
	if (d->trouble[0] && d->retry_ns < *deadline_ns)
		*deadline_ns = d->retry_ns;
	return more;
}

// Nothing is to be written now.
static bool is_idle(const struct log_disk *d)
{
	const struct log *l = d->log;
	uint64_t held = l->end - l->head;
	return !d->writing && !d->n_dead &&
	       (!d->allowed || (!d->keep_len && held <= log_capacity(l) / 2));
}

bool log_turn(struct log *l, const struct clock_reading *now, uint64_t *deadline_ns)
{
	struct log_disk *d = l->disk;
	if (!d)
		return false;
	d->now = *now;
	if (!is_idle(d) || (d->disk && disk_pending(d->disk)))
		return disk_turn(d, deadline_ns);
	if (d->disk && !d->allowed) { // it is rarely needed, and its buffers are large
		assert(!d->n_records && !d->n_segments && !d->dead);
		disk_close(d->disk);
		d->disk = NULL;
	}
	return false;
}

bool log_disk_allow(struct log *l)
{
	if (!l->disk || l->disk->allowed)
		return false;
	return l->disk->allowed = true;
}

// Bring out what a later life may want, as far as the disk takes it.
static void disk_flush(struct log_disk *d)
{
	struct log *l = d->log;
	bool wanted = d->keep_len || l->slowest < l->tail;
	if (!d->writing || d->recovered || d->passing || !wanted)
		return;
	d->sync_interval_ns = 0;
	while (!d->trouble[0]) {
		uint64_t deadline_ns;
		spill_copy(d, SIZE_MAX);
		segment_prepare(d);
		sync_turn(d, &deadline_ns);
		struct record *r = record_filling(d);
		if (r && d->next == l->tail)
			record_close(d, r);
		records_submit(d);
		if (!disk_pending(d->disk))
			break;
		disk_wait(d->disk);
		disk_listen(d);
	}
}

void log_disk_free(struct log_disk *d)
{
	struct log *l = d->log;
	if (d->disk) {
		reader_stop(d);
		disk_flush(d);
		if (d->passing || (!d->keep_len && l->slowest >= l->tail && !d->recovered))
			disk_drop(d);
		if (d->ahead)
			segment_remove(d, d->ahead);
		d->ahead = NULL;
		d->closing = true;
		disk_listen(d); // the first of the dead begins to go, and each has the next one go
		while (disk_pending(d->disk)) {
			disk_wait(d->disk);
			disk_listen(d);
		}
		segments_free(d);
		disk_close(d->disk);
	}
	free(d->segments);
	disk_folder_close(&d->folder);
	free(d);
}
