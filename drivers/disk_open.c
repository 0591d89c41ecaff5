// SPDX-License-Identifier: BSD-3-Clause
// The public calls of the disk queue: which driver, and what holds for all of them.
#include "drivers/disk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool config_is_good(const struct disk_config *c)
{
	return c->n_buffers && c->n_buffers <= DISK_BUFFERS_MAX && c->buffer_len &&
	       c->buffer_len % DISK_BLOCK == 0 && c->depth && c->depth <= DISK_DEPTH_MAX;
}

static const char *error_name(int error)
{
	const char *name = strerrorname_np(-error);
	return name ? name : "unknown error";
}

int disk_open(unsigned choice, const struct disk_config *config, struct disk **out, char *text,
	      size_t text_len)
{
	const struct disk_seam *seam = choice == DISK_THREAD ? &disk_thread : &disk_uring;
	char why[64] = "";
	int rc = config_is_good(config) ? seam->open(config, out) : -EINVAL;
	if (rc && rc != -EINVAL && choice == DISK_AUTO) {
		snprintf(why, sizeof(why), " (io_uring: %s)", error_name(rc));
		seam = &disk_thread;
		rc = seam->open(config, out);
	}
	if (rc) {
		snprintf(text, text_len, "%s%s: %s", seam->name, why, error_name(rc));
		return rc;
	}
	if (*(*out)->note)
		snprintf(why, sizeof(why), " (%s)", (*out)->note);
	snprintf(text, text_len, "%s%s, %s", seam->name, why,
		 (*out)->direct ? "O_DIRECT" : "buffered (no O_DIRECT here)");
	return 0;
}

void disk_close(struct disk *d)
{
	while (d->n_pending)
		if (!disk_reap(d))
			disk_wait(d);
	d->seam->close(d);
}

int disk_file_open(struct disk *d, const char *name, unsigned flags)
{
	return strchr(name, '/') ? -EINVAL : d->seam->file_open(d, name, flags);
}

void disk_file_close(struct disk *d, int file)
{
	d->seam->file_close(d, file);
}

static bool op_is_good(const struct disk *d, const struct disk_op *op)
{
	uint32_t room = d->config.buffer_len;
	if (op->kind == DISK_SYNC)
		return true;
	if (op->kind == DISK_REMOVE)
		return op->name && *op->name && !strchr(op->name, '/');
	if (!op->len || op->len % DISK_BLOCK || op->at % DISK_BLOCK ||
	    op->at > (uint64_t)INT64_MAX - op->len)
		return false;
	if (op->kind == DISK_ALLOCATE)
		return true;
	return (op->kind == DISK_WRITE || op->kind == DISK_READ) &&
	       op->buffer < d->config.n_buffers && op->buffer_at % DISK_BLOCK == 0 &&
	       op->buffer_at <= room && op->len <= room - op->buffer_at;
}

int disk_submit(struct disk *d, struct disk_op *op)
{
	if (!op_is_good(d, op))
		return -EINVAL;
	if (d->n_pending >= d->config.depth)
		return -EBUSY;
	op->done = 0;
	op->next = NULL;
	d->n_pending++;
	d->seam->submit(d, op);
	return 0;
}

struct disk_op *disk_reap(struct disk *d)
{
	struct disk_op *op = d->n_pending ? d->seam->reap(d) : NULL;
	d->n_pending -= op != NULL;
	return op;
}

void disk_wait(struct disk *d)
{
	if (d->n_pending)
		d->seam->wait(d);
}
