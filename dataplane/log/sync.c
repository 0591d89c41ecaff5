// SPDX-License-Identifier: BSD-3-Clause
// When what was written becomes durable: one sync for all that is written by then, file by file in
// order.
#include <string.h>

#include "dataplane/log/log_disk.h"

// The oldest segment that has bytes, or a header, to sync.
static struct segment *segment_to_sync(const struct log_disk *d)
{
	struct segment *found = NULL;
	for (unsigned i = d->n_segments; i-- > 0;) {
		struct segment *s = d->segments[i];
		if (s->header_synced && s->synced >= s->end && s->sealed)
			break;
		if (!s->suspect && (!s->header_synced || s->synced < s->end))
			found = s;
	}
	return found;
}

static void sync_submit(struct log_disk *d, struct segment *s)
{
	if (!s->named) {
		int rc = disk_folder_sync(&d->folder);
		if (rc) {
			disk_trouble(d, rc, "sync the folder");
			return;
		}
		s->named = true;
	}
	d->sync_op = (struct disk_op){.kind = DISK_SYNC, .file = s->file, .user = s};
	if (disk_submit(d->disk, &d->sync_op))
		return;
	d->syncing = s;
	d->syncing_end = s->written_end;
	s->n_users++;
}

// Begin to make durable what has come by now.
static void sync_ask(struct log_disk *d)
{
	struct record *r = record_filling(d);
	d->sync_to = d->next;
	d->sync_at_ns = d->now.mono_ns;
	if (r && r->len)
		record_close(d, r);
}

void sync_turn(struct log_disk *d, uint64_t *deadline_ns)
{
	if (d->sync == LOG_SYNC_NEVER || !d->disk)
		return;
	if (d->durable >= d->sync_to && d->next > d->sync_to) {
		uint64_t due_ns = d->sync_at_ns + d->sync_interval_ns;
		if (d->sync == LOG_SYNC_ALWAYS || d->now.mono_ns >= due_ns)
			sync_ask(d);
		else if (due_ns < *deadline_ns)
			*deadline_ns = due_ns;
	}
	if (d->syncing || (d->durable >= d->sync_to && !d->renaming) ||
	    (d->trouble[0] && d->now.mono_ns < d->retry_ns))
		return;
	struct segment *s = segment_to_sync(d);
	// Not before all of it is written that is wanted now, so that one sync is enough.
	if (s && s->file >= 0 && s->written >= SEGMENT_HEADER_LEN &&
	    (s->written_end >= d->sync_to || (s->sealed && s->written_end >= s->end)))
		sync_submit(d, s);
}

void sync_came_back(struct log_disk *d, struct disk_op *op)
{
	struct segment *s = d->syncing;
	d->syncing = NULL;
	s->n_users--;
	d->figures.n_syncs++;
	if (s->dead)
		return;
	if (op->result) {
		// What the kernel has lost of it nobody knows, so no later sync can vouch for it.
		s->suspect = s->sealed = true;
		log_tell(d,
			 "a sync of the log under %s failed: %s; what it holds may be lost if this "
			 "host crashes now",
			 d->path, strerror(-(int)op->result));
	} else {
		s->header_synced = true;
		s->synced = d->syncing_end;
	}
	d->durable = d->syncing_end;
	segment_settle(d, s);
}

uint64_t synced_to(const struct log_disk *d)
{
	uint64_t offset = d->durable;
	for (unsigned i = 0; i < d->n_segments; i++)
		if (d->segments[i]->suspect && d->segments[i]->synced < offset)
			offset = d->segments[i]->synced;
	return offset;
}

uint64_t log_durable(const struct log *l)
{
	const struct log_disk *d = l->disk;
	// Who went back further than the disk reaches has nothing there.
	if (!d || !d->n_segments || d->segments[0]->first > l->slowest)
		return l->slowest;
	uint64_t offset = synced_to(d);
	return offset > l->slowest ? offset : l->slowest;
}
