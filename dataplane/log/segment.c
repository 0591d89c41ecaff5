// SPDX-License-Identifier: BSD-3-Clause
// Segment files: made ahead of their use, or used again, which saves making and removing them.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/log/log_disk.h"

void segment_name(char *name, uint64_t sequence)
{
	snprintf(name, SEGMENT_NAME_LEN, "%08" PRIu64 ".log", sequence);
}

void segment_close(struct log_disk *d, struct segment *s)
{
	if (s->file >= 0)
		disk_file_close(d->disk, s->file);
	s->file = -1;
}

int segment_open(struct log_disk *d, struct segment *s)
{
	if (s->file >= 0)
		return 0;
	char name[SEGMENT_NAME_LEN];
	segment_name(name, s->sequence);
	s->file = disk_file_open(d->disk, name, 0);
	if (s->file >= 0)
		return 0;
	disk_trouble(d, s->file, "open a file");
	return s->file;
}

void segment_settle(struct log_disk *d, struct segment *s)
{
	bool synced = d->sync == LOG_SYNC_NEVER || s->suspect ||
		      (s->header_synced && s->synced >= s->end);
	if (s->sealed && !s->n_users && synced && s->written_end >= s->end &&
	    s != d->reader.segment && s != d->reader.ask)
		segment_close(d, s);
}

int segment_add(struct log_disk *d, struct segment *s)
{
	if (d->n_segments == d->segments_room) {
		unsigned room = d->segments_room ? 2 * d->segments_room : 64;
		struct segment **segments = realloc(d->segments, room * sizeof(*segments));
		if (!segments)
			return -ENOMEM;
		d->segments = segments;
		d->segments_room = room;
	}
	d->segments[d->n_segments++] = s;
	return 0;
}

void segments_free(struct log_disk *d)
{
	for (unsigned i = 0; i < d->n_segments; i++) {
		segment_close(d, d->segments[i]);
		free(d->segments[i]);
	}
	free(d->segments);
	d->segments = NULL;
	d->n_segments = 0;
	while (d->dead) {
		struct segment *s = d->dead;
		d->dead = s->next;
		segment_close(d, s);
		free(s);
	}
	d->n_dead = 0;
}

// ---- Made

// Make the file and ask for its space.
static int segment_make(struct log_disk *d, struct segment *s)
{
	char name[SEGMENT_NAME_LEN];
	segment_name(name, s->sequence);
	s->file = disk_file_open(d->disk, name, DISK_CREATE);
	if (s->file == -EEXIST && !disk_folder_unlink(&d->folder, name))
		s->file = disk_file_open(d->disk, name, DISK_CREATE);
	if (s->file < 0)
		return s->file;
	s->op = (struct disk_op){
		.kind = DISK_ALLOCATE, .file = s->file, .len = (uint32_t)d->segment_len, .user = s};
	int rc = disk_submit(d->disk, &s->op);
	if (!rc) {
		s->n_users++;
		return 0;
	}
	segment_close(d, s);
	disk_folder_unlink(&d->folder, name);
	return rc;
}

static bool retry_is_due(const struct log_disk *d)
{
	return !d->trouble[0] || d->now.mono_ns >= d->retry_ns;
}

// What cannot get its space leaves nothing behind, and is tried again later.
void segment_allocated(struct log_disk *d, struct disk_op *op)
{
	struct segment *s = op->user;
	s->n_users--;
	if (s->dead)
		return;
	if (!op->result) {
		s->ready = true;
		trouble_over(d);
		return;
	}
	char name[SEGMENT_NAME_LEN];
	segment_name(name, s->sequence);
	segment_close(d, s);
	disk_folder_unlink(&d->folder, name);
	disk_trouble(d, (int)op->result, "make a file");
	if (s == d->ahead) {
		d->ahead = NULL;
		d->sequence--; // numbers have no gaps
		free(s);
	}
}

// Among the newest: one that records have been given to and that did not get its space.
static struct segment *segment_without_file(const struct log_disk *d)
{
	for (unsigned i = d->n_segments; i > 0 && i + WRITE_SLOTS > d->n_segments; i--) {
		struct segment *s = d->segments[i - 1];
		if (!s->ready && !s->old && s->file < 0)
			return s;
	}
	return NULL;
}

bool segment_is_wanted(const struct log_disk *d)
{
	const struct segment *last = segment_last(d);
	bool ahead = !last || !last->ready || 2 * last->at > d->segment_len;
	return ahead || d->trouble[0] || segment_without_file(d);
}

void segment_prepare(struct log_disk *d)
{
	if (!retry_is_due(d) || disk_need(d))
		return;
	struct segment *without = segment_without_file(d);
	if (without) {
		int rc = segment_make(d, without);
		if (rc)
			disk_trouble(d, rc, "make a file");
		return;
	}
	segments_again(d);
	if (d->ahead || limit_is_reached(d))
		return;
	struct segment *s = calloc(1, sizeof(*s));
	int rc = -ENOMEM;
	if (s) {
		s->sequence = d->sequence;
		rc = segment_make(d, s);
	}
	if (rc) {
		free(s);
		disk_trouble(d, rc, "make a file");
		return;
	}
	d->sequence++;
	d->ahead = s;
}

struct segment *segment_take(struct log_disk *d)
{
	struct segment *s = d->ahead, *last = segment_last(d);
	if (!s || segment_add(d, s))
		return NULL;
	if (last)
		last->sealed = true;
	d->ahead = NULL;
	s->first = s->end = s->written_end = s->synced = d->next;
	s->at = SEGMENT_HEADER_LEN;
	s->written = 0;
	s->run = id_at(d, d->next)->run;
	memcpy(s->replid, id_at(d, d->next)->replid, sizeof(s->replid));
	s->fresh = d->fresh;
	s->newest_ms = d->now.wall_ms;
	d->fresh = false;
	return s;
}

// The next segment is one that was in use: it keeps its place on the disk. Its new name need not be
// durable, since its header will tell.
bool segment_again(struct log_disk *d, struct segment *s)
{
	char from[SEGMENT_NAME_LEN], to[SEGMENT_NAME_LEN];
	if (d->ahead || s->n_users || !s->ready || segment_open(d, s))
		return false;
	segment_name(from, s->sequence);
	segment_name(to, d->sequence);
	if (disk_folder_rename(&d->folder, from, to))
		return false;
	*s = (struct segment){
		.sequence = d->sequence++, .file = s->file, .ready = true, .named = true};
	d->ahead = s;
	return true;
}
