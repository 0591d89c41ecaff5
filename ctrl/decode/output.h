// SPDX-License-Identifier: BSD-3-Clause
// What is written: bytes gathered in one buffer and given to a file. The first error sticks, and
// everything after it does nothing.
#pragma once

#include "parsers/span.h"

struct output {
	int fd;
	int error; // 0 or -errno
	size_t len, cap;
	char *buf;
	uint64_t n_flushed;
};

// @param fd   stays the caller's
// @param cap  bytes of the buffer; also the most that output_room() gives
//
// @return 0 or -ENOMEM
int output_init(struct output *o, int fd, size_t cap);
void output_fini(struct output *o);

// Give everything to the file.
//
// @return 0, or the first error
int output_flush(struct output *o);

// Of any length.
void output_add(struct output *o, struct span s);
void output_u64(struct output *o, uint64_t v);
void output_i64(struct output *o, int64_t v);
__attribute__((format(printf, 2, 3))) void output_format(struct output *o, const char *format, ...);

#define OUTPUT_LIT(o, z) output_add(o, SPAN_LIT(z))

// Room for `n` bytes at the end; they count once output_took() says how many were written.
//
// @return NULL when the buffer is shorter than that
char *output_room(struct output *o, size_t n);

static inline void output_took(struct output *o, size_t n)
{
	o->len += n;
}

static inline void output_char(struct output *o, char c)
{
	if (o->len == o->cap)
		output_flush(o);
	o->buf[o->len++] = c;
}

// Bytes written so far.
static inline uint64_t output_total(const struct output *o)
{
	return o->n_flushed + o->len;
}
