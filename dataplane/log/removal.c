// SPDX-License-Identifier: BSD-3-Clause
// Segment files that nobody needs: used again, or removed.
//
//   TABLE --nobody needs it, its turn has come--> DEAD (has another name) --> REMOVING --> freed
//
// A file system may take 30 ms to free a file of 64 MB, and the disk does nothing else meanwhile.
// So the queue does that, never the core, file by file; and while something is read back the disk
// is left to that for most of the time, unless it is full. Until they are gone they count.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/log/log_disk.h"

void segment_name_gone(char *name, uint64_t sequence)
{
	snprintf(name, SEGMENT_NAME_LEN, "%08" PRIu64 ".gone", sequence);
}

static void dead_push(struct log_disk *d, struct segment *s)
{
	struct segment **at = &d->dead;
	while (*at)
		at = &(*at)->next;
	*at = s;
	s->next = NULL;
	s->dead = true;
	d->n_dead++;
}

// Under its new name nobody takes it for a part of the log. Without a queue there is nobody else to
// remove it, and a full folder may have no room for a name.
void segment_remove(struct log_disk *d, struct segment *s)
{
	char name[SEGMENT_NAME_LEN];
	segment_name(name, s->sequence);
	segment_name_gone(s->gone, s->sequence);
	if (!d->disk || disk_folder_rename(&d->folder, name, s->gone)) {
		disk_folder_unlink(&d->folder, name);
		s->gone[0] = 0;
	}
	records_drop(d, s);
	dead_push(d, s);
	if (!d->disk)
		segments_bury(d);
}

int segment_found_gone(struct log_disk *d, const char *name)
{
	if (d->passing) // its queue may never be opened
		return disk_folder_unlink(&d->folder, name);
	struct segment *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->file = -1;
	snprintf(s->gone, sizeof(s->gone), "%s", name);
	dead_push(d, s);
	return 0;
}

// ---- One by one

static bool is_pressed(const struct log_disk *d)
{
	return d->closing || d->no_room || limit_is_reached(d);
}

static bool is_read_back(const struct log_disk *d)
{
	return d->writing && d->log->end < d->log->tail;
}

static bool removal_is_due(const struct log_disk *d)
{
	return is_pressed(d) || !is_read_back(d) || d->now.mono_ns >= d->removal_ns;
}

static void removal_submit(struct log_disk *d, struct segment *s)
{
	bool waits = s->removal_failed && d->now.mono_ns < d->retry_ns && !d->closing;
	if (d->removing || waits || !removal_is_due(d))
		return;
	segment_close(d, s); // the name is the last that holds its space
	s->op = (struct disk_op){.kind = DISK_REMOVE, .name = s->gone, .user = s};
	if (disk_submit(d->disk, &s->op))
		return;
	s->n_users++;
	d->removing = s;
	d->removing_ns = d->now.mono_ns;
}

void segment_removed(struct log_disk *d, struct disk_op *op)
{
	struct segment *s = op->user;
	s->n_users--;
	d->removing = NULL;
	d->removal_ns = d->now.mono_ns + REMOVAL_PAUSE * (d->now.mono_ns - d->removing_ns);
	if (op->result && op->result != -ENOENT && !d->closing) {
		s->removal_failed = true;
		disk_trouble(d, (int)op->result, "remove a file");
		return;
	}
	s->gone[0] = 0;
	if (s->removal_failed || d->no_room)
		trouble_over(d);
}

void segments_bury(struct log_disk *d)
{
	struct segment **at = &d->dead;
	while (*at) {
		struct segment *s = *at;
		if (!s->n_users && s->gone[0])
			removal_submit(d, s);
		if (s->n_users || s->gone[0]) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		segment_close(d, s);
		free(s);
		d->n_dead--;
	}
}

void segments_bury_deadline(const struct log_disk *d, uint64_t *deadline_ns)
{
	if (!d->dead || d->removing)
		return;
	uint64_t at_ns = d->dead->removal_failed ? d->retry_ns : d->removal_ns;
	if (at_ns > d->now.mono_ns && at_ns < *deadline_ns)
		*deadline_ns = at_ns;
}

// ---- The oldest

// The table lets go of its first n, which are dealt with.
static void segments_shift(struct log_disk *d, unsigned n)
{
	d->n_segments -= n;
	if (n) // there may be no table yet
		memmove(d->segments, d->segments + n, d->n_segments * sizeof(d->segments[0]));
}

void segments_forget(struct log_disk *d, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		segment_remove(d, d->segments[i]);
	segments_shift(d, n);
}

bool segment_is_kept(const struct log_disk *d, const struct segment *s, uint64_t needed)
{
	if (s->end > needed)
		return true;
	// History gives way to what is still needed.
	if (!d->keep_len || d->no_room)
		return false;
	return needed - s->end < d->keep_len && d->now.wall_ms < s->newest_ms + d->keep_ms;
}

// @return NULL: even the oldest is needed
static struct segment *segment_spare(const struct log_disk *d)
{
	const struct log *l = d->log;
	struct segment *s = d->n_segments > 1 ? d->segments[0] : NULL;
	// What was released is kept elsewhere, so it may go before anything is held back.
	uint64_t needed = l->slowest;
	if (d->no_room && l->released > needed)
		needed = l->released;
	bool kept = !s || segment_is_kept(d, s, needed) || s == d->reader.segment ||
		    s == d->reader.ask;
	return kept ? NULL : s;
}

void segments_again(struct log_disk *d)
{
	struct segment *s = segment_spare(d);
	if (!s || d->ahead || !segment_again(d, s))
		return;
	segments_shift(d, 1);
	if (d->no_room)
		trouble_over(d);
}

void segments_trim(struct log_disk *d)
{
	struct segment *s;
	segments_again(d);
	while (!d->n_dead && removal_is_due(d) && (s = segment_spare(d))) {
		segments_shift(d, 1);
		segment_remove(d, s);
		segments_bury(d);
	}
}
