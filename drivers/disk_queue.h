// SPDX-License-Identifier: BSD-3-Clause
// What the drivers of the disk seam over the kernel's files share. Private to them.
#pragma once

#include "drivers/disk.h"

// Operations in order.
struct disk_list {
	struct disk_op *first, *last;
};

void disk_list_push(struct disk_list *l, struct disk_op *op);
struct disk_op *disk_list_pop(struct disk_list *l); // NULL: empty

// Make the buffers and find out about O_DIRECT. @return 0, or -errno
int disk_queue_init(struct disk *d, const struct disk_seam *seam, const struct disk_config *config);
void disk_queue_fini(struct disk *d);

// disk_seam.file_open and file_close: the file is its descriptor.
int disk_queue_file_open(struct disk *d, const char *name, unsigned flags);
void disk_queue_file_close(struct disk *d, int file);

// Write the owner's eventfd, if he has one.
void disk_queue_wake(const struct disk *d);

// Where a write or read goes on, after the bytes that are done.
static inline char *disk_op_bytes(const struct disk *d, const struct disk_op *op)
{
	return disk_buffer(d, op->buffer) + op->buffer_at + op->done;
}

// Take in what a system call has done for an operation.
//
// @param n  bytes, 0 for what moves none, or -errno
// @return true: it has ended and has its result; false: go on with it
bool disk_op_advance(struct disk_op *op, int64_t n);

// DISK_ALLOCATE where the file system cannot: the length alone. @return 0, or -errno
int disk_op_extend(const struct disk_op *op);
