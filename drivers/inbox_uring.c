// SPDX-License-Identifier: BSD-3-Clause
#include "drivers/inbox_uring.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <liburing.h>
#include <sys/mman.h>

#define HEAD_LEN  ((size_t)4096) // the ring of free buffers lies on a page of its own
#define INBOX_LEN (HEAD_LEN + INBOX_BUFFERS * INBOX_BUFFER_LEN)

_Static_assert(INBOX_BUFFERS * sizeof(struct io_uring_buf) <= HEAD_LEN, "fits its page");

int inbox_init(struct inbox *b, struct io_uring *ring, uint16_t group)
{
	memset(b, 0, sizeof(*b));
	void *p = mmap(NULL, INBOX_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	b->free = p;
	b->buffers = (char *)p + HEAD_LEN;
	b->group = group;
	struct io_uring_buf_reg reg = {
		.ring_addr = (uintptr_t)p, .ring_entries = INBOX_BUFFERS, .bgid = group};
	int rc = io_uring_register_buf_ring(ring, &reg, 0);
	if (rc) {
		inbox_fini(b);
		return rc;
	}
	io_uring_buf_ring_init(b->free);
	for (uint16_t i = 0; i < INBOX_BUFFERS; i++)
		inbox_return(b, i);
	return 0;
}

void inbox_fini(struct inbox *b)
{
	if (b->free)
		munmap(b->free, INBOX_LEN);
	b->free = NULL;
}

void inbox_filled(struct inbox *b, uint16_t buffer, size_t len)
{
	assert(b->n_filled < INBOX_BUFFERS && buffer < INBOX_BUFFERS && len <= INBOX_BUFFER_LEN);
	unsigned last = (b->first + b->n_filled++) % INBOX_BUFFERS;
	b->filled[last].buffer = buffer;
	b->filled[last].len = (uint32_t)len;
}

void inbox_return(struct inbox *b, uint16_t buffer)
{
	char *at = b->buffers + buffer * INBOX_BUFFER_LEN;
	io_uring_buf_ring_add(b->free, at, INBOX_BUFFER_LEN, buffer,
			      io_uring_buf_ring_mask(INBOX_BUFFERS), 0);
	io_uring_buf_ring_advance(b->free, 1);
}

static void oldest_return(struct inbox *b)
{
	inbox_return(b, b->filled[b->first].buffer);
	b->first = (b->first + 1) % INBOX_BUFFERS;
	b->n_filled--;
	b->n_read = 0;
}

size_t inbox_read(struct inbox *b, char *buf, size_t len)
{
	size_t got = 0;
	while (b->n_filled && got < len) {
		const char *from = b->buffers + b->filled[b->first].buffer * INBOX_BUFFER_LEN;
		size_t n = b->filled[b->first].len - b->n_read;
		if (n > len - got)
			n = len - got;
		memcpy(buf + got, from + b->n_read, n);
		got += n;
		b->n_read += n;
		if (b->n_read == b->filled[b->first].len)
			oldest_return(b);
	}
	return got;
}

void inbox_clear(struct inbox *b)
{
	while (b->n_filled)
		oldest_return(b);
}
