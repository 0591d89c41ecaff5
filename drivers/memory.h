// SPDX-License-Identifier: BSD-3-Clause
// Memory with a shape.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// A ring mapped twice in a row, so that every run of up to `size` bytes is contiguous wherever it
// starts: byte i and byte i + size are the same memory.
struct memory_ring {
	char *base;
	size_t size; // bytes of one mapping, a multiple of the page size
};

// @param size  rounded up to whole pages
// @return 0, or -errno (-ENOMEM: not enough address space or memory)
int memory_ring_init(struct memory_ring *r, size_t size);

// Give both mappings back. Safe on a zeroed struct.
void memory_ring_fini(struct memory_ring *r);

// Hand the pages back to the system but keep the mapping; the contents are lost.
void memory_ring_clear(struct memory_ring *r);

// Memory that lies in an unnamed file of a folder, so that the kernel can write it out and forget
// it when it wants the pages.
//
// @param folder  on a real disk, for the memory to count as cache
// @return the bytes, all zero, or NULL with errno set
void *memory_file_map(const char *folder, size_t len);
void memory_file_unmap(void *p, size_t len);

// Bytes that are written once, from the front, and then read where they lie: an unnamed file of a
// folder, which is gone with its last user, however that one ends.
struct memory_file {
	int fd;
	const char *base; // once sealed: the bytes, readable only
	size_t len;
	unsigned n_holders; // for those who share it: the last one ends it
};

// @param folder  on a real disk, for the memory to count as cache
// @return 0, or -errno
int memory_file_init(struct memory_file *f, const char *folder);
void memory_file_fini(struct memory_file *f);

// @return bytes written, perhaps fewer, or -errno (-ENOSPC, -EDQUOT: no space for a single one)
ssize_t memory_file_append(struct memory_file *f, const char *p, size_t len);

// Map what was written. @return 0, or -errno
int memory_file_seal(struct memory_file *f);

static inline bool memory_file_has(const struct memory_file *f, const char *p)
{
	return p >= f->base && p < f->base + f->len;
}

// Take whole pages between two places out of our memory; they stay in the file, and come back when
// they are looked at.
void memory_file_forget(const struct memory_file *f, size_t from, size_t to);
