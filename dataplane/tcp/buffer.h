// SPDX-License-Identifier: BSD-3-Clause
// Bytes of a connection by their position in the stream, in blocks that come from a pool when
// something is put there and go back when it is dropped. So a window of 1 GiB costs what lies in
// it, and holes cost nothing.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#define BLOCK_LEN 65536u

// Blocks of one host. They are kept for the next one that wants some, up to a limit.
struct block_pool {
	struct block *free;
	uint32_t n_free, n_free_max;
	uint64_t n_used; // blocks that buffers hold
};

void block_pool_fini(struct block_pool *p);

struct buffer {
	struct block_pool *pool;
	char **blocks;    // block i is blocks[i % n_slots]; NULL: nothing was put there
	uint32_t n_slots; // a power of two, 0 at first
	uint32_t n_blocks;
	uint64_t first; // the lowest block that there may be
};

void buffer_init(struct buffer *b, struct block_pool *pool, uint64_t at);
void buffer_fini(struct buffer *b);

// Room for bytes at a position that was not dropped, for them to be written there before they are
// put. @return NULL: there is no block yet, or they would lie in two
void *buffer_place(const struct buffer *b, uint64_t at, size_t len);

// Put bytes at a position that was not dropped. They may lie at buffer_place() already.
//
// @return 0; -ENOMEM: nothing was put, or only a part
int buffer_put(struct buffer *b, uint64_t at, const void *p, size_t len);

// Copy bytes out that were put.
void buffer_get(const struct buffer *b, uint64_t at, void *p, size_t len);

// Where bytes that were put lie: at most BLOCK_LEN of them are one or two pieces.
void buffer_view(const struct buffer *b, uint64_t at, size_t len, struct iovec out[2]);

// What lies before `to` is not needed any more.
//
// @param empty  nothing lies behind it either
void buffer_drop(struct buffer *b, uint64_t to, bool empty);
