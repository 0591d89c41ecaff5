// SPDX-License-Identifier: BSD-3-Clause
// What the kernel has received for one stream and nobody has read yet: a group of buffers of its own
// (a "provided buffer ring" of io_uring), which the kernel fills and read() empties in order.
//
// Each stream has its own group, so that one that is not read, because its window is full, cannot
// starve the others. A full inbox is what holds the peer back.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INBOX_BUFFERS    8 // a power of two
#define INBOX_BUFFER_LEN ((size_t)32 * 1024)

struct io_uring;
struct io_uring_buf_ring;

struct inbox {
	struct io_uring_buf_ring *free; // what the kernel may fill; the buffers lie behind it
	char *buffers;
	uint16_t group;
	struct {
		uint16_t buffer;
		uint32_t len;
	} filled[INBOX_BUFFERS]; // ring, oldest first
	unsigned first, n_filled;
	size_t n_read; // bytes gone of the oldest
};

// Map the buffers and hand them to the kernel as group `group`.
//
// @return 0, or -errno: -EINVAL when the kernel knows no such groups, -ENOMEM
int inbox_init(struct inbox *b, struct io_uring *ring, uint16_t group);

// Unmap. The ring is gone by then, or knows nothing of the group.
void inbox_fini(struct inbox *b);

// The kernel has filled a buffer.
void inbox_filled(struct inbox *b, uint16_t buffer, size_t len);

// A buffer came back without bytes.
void inbox_return(struct inbox *b, uint16_t buffer);

// Copy bytes out, oldest first; emptied buffers go back to the kernel.
//
// @return bytes copied, 0 when there are none
size_t inbox_read(struct inbox *b, char *buf, size_t len);

// Forget what was not read.
void inbox_clear(struct inbox *b);

static inline bool inbox_is_full(const struct inbox *b)
{
	return b->n_filled == INBOX_BUFFERS;
}
