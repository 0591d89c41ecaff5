// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/tcp/buffer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 4

struct block {
	struct block *next; // of the free ones; else bytes from here on
};

static char *block_new(struct block_pool *p)
{
	struct block *block = p->free;

	if (block) {
		p->free = block->next;
		p->n_free--;
	} else {
		block = malloc(BLOCK_LEN);
	}
	p->n_used += block != NULL;
	return (char *)block;
}

static void block_free(struct block_pool *p, char *bytes)
{
	struct block *block = (struct block *)bytes;

	p->n_used--;
	if (p->n_free == p->n_free_max) {
		free(block);
		return;
	}
	block->next = p->free;
	p->free = block;
	p->n_free++;
}

void block_pool_fini(struct block_pool *p)
{
	assert(p->n_used == 0);
	while (p->free) {
		struct block *block = p->free;

		p->free = block->next;
		free(block);
	}
	p->n_free = 0;
}

void buffer_init(struct buffer *b, struct block_pool *pool, uint64_t at)
{
	*b = (struct buffer){.pool = pool, .first = at / BLOCK_LEN};
}

static char **slot_of(const struct buffer *b, uint64_t block)
{
	return &b->blocks[block & (b->n_slots - 1)];
}

// Slots for blocks up to this one.
static int slots_grow(struct buffer *b, uint64_t block)
{
	uint32_t n = b->n_slots ? b->n_slots : SLOTS_FIRST;

	while (block - b->first >= n)
		n *= 2;
	char **blocks = calloc(n, sizeof(*blocks));
	if (blocks == NULL)
		return -ENOMEM;
	for (uint64_t i = b->first; i < b->first + b->n_slots; i++)
		blocks[i & (n - 1)] = *slot_of(b, i);
	free(b->blocks);
	b->blocks = blocks;
	b->n_slots = n;
	return 0;
}

// The block of a position, made when there is none. @return NULL: no memory
static char *block_at(struct buffer *b, uint64_t block)
{
	if (block - b->first >= b->n_slots && slots_grow(b, block))
		return NULL;
	char **slot = slot_of(b, block);
	if (*slot == NULL) {
		*slot = block_new(b->pool);
		b->n_blocks += *slot != NULL;
	}
	return *slot;
}

void *buffer_place(const struct buffer *b, uint64_t at, size_t len)
{
	uint64_t block = at / BLOCK_LEN;

	if (block - b->first >= b->n_slots || len > BLOCK_LEN - at % BLOCK_LEN)
		return NULL;
	char *bytes = *slot_of(b, block);
	return bytes ? bytes + at % BLOCK_LEN : NULL;
}

int buffer_put(struct buffer *b, uint64_t at, const void *p, size_t len)
{
	const char *from = p;

	assert(at / BLOCK_LEN >= b->first);
	while (len) {
		char *block = block_at(b, at / BLOCK_LEN);
		size_t n = BLOCK_LEN - at % BLOCK_LEN;

		if (block == NULL)
			return -ENOMEM;
		n = n < len ? n : len;
		if (from != block + at % BLOCK_LEN)
			memcpy(block + at % BLOCK_LEN, from, n);
		at += n;
		from += n;
		len -= n;
	}
	return 0;
}

// The run of bytes from a position to the end of its block. @return its length, `len` at most
static size_t run_at(const struct buffer *b, uint64_t at, size_t len, char **out)
{
	size_t n = BLOCK_LEN - at % BLOCK_LEN;

	assert(at / BLOCK_LEN - b->first < b->n_slots);
	char *block = *slot_of(b, at / BLOCK_LEN);
	assert(block);
	*out = block + at % BLOCK_LEN;
	return n < len ? n : len;
}

void buffer_get(const struct buffer *b, uint64_t at, void *p, size_t len)
{
	char *to = p, *run;

	while (len) {
		size_t n = run_at(b, at, len, &run);

		memcpy(to, run, n);
		at += n;
		to += n;
		len -= n;
	}
}

void buffer_view(const struct buffer *b, uint64_t at, size_t len, struct iovec out[2])
{
	char *first = NULL, *second = NULL;
	size_t n = 0;

	assert(len <= BLOCK_LEN);
	if (len)
		n = run_at(b, at, len, &first);
	if (n < len)
		run_at(b, at + n, len - n, &second);
	out[0] = (struct iovec){first, n};
	out[1] = (struct iovec){second, len - n};
}

static void slot_free(struct buffer *b, uint64_t block)
{
	char **slot = slot_of(b, block);

	if (*slot == NULL)
		return;
	block_free(b->pool, *slot);
	*slot = NULL;
	b->n_blocks--;
}

void buffer_drop(struct buffer *b, uint64_t to, bool empty)
{
	uint64_t first = to / BLOCK_LEN;

	// Behind an empty buffer lie at most leftovers of what was given up.
	for (uint64_t i = b->first; i < b->first + b->n_slots && b->n_blocks; i++) {
		if (i >= first && !empty)
			break;
		slot_free(b, i);
	}
	b->first = first;
}

void buffer_fini(struct buffer *b)
{
	buffer_drop(b, b->first * BLOCK_LEN, true);
	free(b->blocks);
	b->blocks = NULL;
	b->n_slots = 0;
}
