// SPDX-License-Identifier: BSD-3-Clause
// What a disk gives: records of the log's size are written through the disk seam to segment files,
// as many at a time as the log does, made durable, and read back.
#include "tests/bench/spill.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/disk.h"
#include "drivers/disk_folder.h"

#define SEGMENT_LEN (64ull << 20)
#define SLOTS_MAX   64
#define FILES_MAX   65536

struct plain {
	const struct spill_options *options;
	struct disk_folder folder;
	struct disk *disk;
	char text[128];
	uint64_t n_records, records_per_file;
	unsigned n_files;
	int *files; // -1: not made yet
	struct disk_op ops[SLOTS_MAX];
	uint64_t record[SLOTS_MAX]; // that the slot's operation is for
	unsigned free[SLOTS_MAX], n_free;
};

// ---- Operations

// Take one back; a read has to bring what was written there.
static struct disk_op *plain_reap(struct plain *p)
{
	struct disk_op *op;
	while (!(op = disk_reap(p->disk)))
		disk_wait(p->disk);
	if (op->kind > DISK_READ)
		return op;
	unsigned slot = (unsigned)(op - p->ops);
	uint64_t found;
	if (op->result != op->len)
		give_up("write or read", op->result < 0 ? op->result : -EIO);
	memcpy(&found, disk_buffer(p->disk, slot), sizeof(found));
	if (found != p->record[slot])
		give_up("read brought the bytes of another record", -EIO);
	p->free[p->n_free++] = slot;
	return op;
}

// One operation on a whole file, while others go on.
static void plain_wait_for(struct plain *p, struct disk_op op, const char *what)
{
	int rc = disk_submit(p->disk, &op);
	while (!rc && plain_reap(p) != &op)
		continue;
	if (rc || op.result)
		give_up(what, rc ? rc : op.result);
}

static void plain_make_file(struct plain *p, unsigned i)
{
	char name[32];
	snprintf(name, sizeof(name), "spill-%u", i);
	p->files[i] = disk_file_open(p->disk, name, DISK_CREATE);
	if (p->files[i] < 0)
		give_up("making a file", p->files[i]);
	uint32_t len = (uint32_t)p->records_per_file * p->options->record_len;
	plain_wait_for(p, (struct disk_op){DISK_ALLOCATE, p->files[i], .len = len}, "allocating");
}

static void plain_submit(struct plain *p, enum disk_op_kind kind, uint64_t record)
{
	unsigned slot = p->free[--p->n_free];
	uint64_t place = record % p->records_per_file;
	uint64_t mark = kind == DISK_WRITE ? record : UINT64_MAX;
	memcpy(disk_buffer(p->disk, slot), &mark, sizeof(mark));
	p->record[slot] = record;
	p->ops[slot] = (struct disk_op){
		.kind = kind,
		.file = p->files[record / p->records_per_file],
		.buffer = slot,
		.len = p->options->record_len,
		.at = place * p->options->record_len,
	};
	int rc = disk_submit(p->disk, &p->ops[slot]);
	if (rc)
		give_up("submit", rc);
}

// Every record once, in order, with n_slots of them in flight.
static struct spill_meter plain_all(struct plain *p, enum disk_op_kind kind)
{
	struct spill_meter begin = meter_read();
	p->n_free = p->options->n_slots[kind];
	for (unsigned i = 0; i < p->n_free; i++)
		p->free[i] = i;
	for (uint64_t r = 0; r < p->n_records; r++) {
		if (p->files[r / p->records_per_file] < 0)
			plain_make_file(p, (unsigned)(r / p->records_per_file));
		while (!p->n_free)
			plain_reap(p);
		plain_submit(p, kind, r);
	}
	while (p->n_free < p->options->n_slots[kind])
		plain_reap(p);
	return meter_since(begin);
}

static struct spill_meter plain_sync(struct plain *p)
{
	struct spill_meter begin = meter_read();
	for (unsigned i = 0; i < p->n_files; i++)
		plain_wait_for(p, (struct disk_op){DISK_SYNC, p->files[i]}, "sync");
	return meter_since(begin);
}

// ---- Begin and end

static void slots_check(const struct spill_options *o)
{
	bool slots = o->n_slots[0] && o->n_slots[1] && o->n_slots[0] <= SLOTS_MAX &&
		     o->n_slots[1] <= SLOTS_MAX;
	bool len = o->record_len && o->record_len <= SEGMENT_LEN && !(o->record_len % DISK_BLOCK);
	if (!slots || !len)
		give_up("so long records, or so many at once", -ERANGE);
}

static void plain_open(struct plain *p, const struct spill_options *o, const char *path)
{
	int rc = disk_folder_open(&p->folder, path);
	if (rc)
		give_up(path, rc);
	struct disk_config c = {
		.folder_fd = p->folder.fd,
		.n_buffers = o->n_slots[0] > o->n_slots[1] ? o->n_slots[0] : o->n_slots[1],
		.buffer_len = o->record_len,
		.depth = SLOTS_MAX + 1,
		.wake_fd = -1,
	};
	rc = disk_open(o->choice, &c, &p->disk, p->text, sizeof(p->text));
	if (rc)
		give_up(p->text, rc);
	for (unsigned i = 0; i < c.n_buffers; i++) // nothing that a clever disk would not store
		for (uint32_t at = 0; at < c.buffer_len; at += 4)
			*(int32_t *)(void *)(disk_buffer(p->disk, i) + at) = (int32_t)mrand48();
}

struct plain *plain_new(const struct spill_options *o, const char *path)
{
	struct plain *p = calloc(1, sizeof(*p));
	if (!p)
		give_up("memory", -ENOMEM);
	p->options = o;
	slots_check(o);
	plain_open(p, o, path);
	p->records_per_file = SEGMENT_LEN / o->record_len;
	p->n_records = o->bytes / o->record_len;
	p->n_files = (unsigned)((p->n_records + p->records_per_file - 1) / p->records_per_file);
	if (!p->n_files || p->n_files > FILES_MAX)
		give_up("so many bytes", -ERANGE);
	p->files = malloc(p->n_files * sizeof(int));
	if (!p->files)
		give_up("memory", -ENOMEM);
	for (unsigned i = 0; i < p->n_files; i++)
		p->files[i] = -1;
	return p;
}

void plain_clear(struct plain *p)
{
	char name[32];
	for (unsigned i = 0; i < p->n_files; i++) {
		if (p->files[i] < 0)
			continue;
		disk_file_close(p->disk, p->files[i]);
		snprintf(name, sizeof(name), "spill-%u", i);
		disk_folder_unlink(&p->folder, name);
		p->files[i] = -1;
	}
}

void plain_free(struct plain *p)
{
	plain_clear(p);
	disk_close(p->disk);
	disk_folder_close(&p->folder);
	free(p->files);
	free(p);
}

const char *plain_text(const struct plain *p)
{
	return p->text;
}

void plain_turn(struct plain *p, double *f)
{
	double mb = (double)(p->n_records * p->options->record_len) / 1e6;
	struct spill_meter write = plain_all(p, DISK_WRITE), sync = plain_sync(p);
	struct spill_meter read = plain_all(p, DISK_READ);
	f[SPILL_plain_write_mb_s] = mb / (write.wall_s + sync.wall_s);
	f[SPILL_plain_write_cpu_us_per_mb] = 1e6 * (write.cpu_s + sync.cpu_s) / mb;
	f[SPILL_plain_sync_ms] = 1e3 * sync.wall_s;
	f[SPILL_plain_read_mb_s] = mb / read.wall_s;
	f[SPILL_plain_read_cpu_us_per_mb] = 1e6 * read.cpu_s / mb;
}
