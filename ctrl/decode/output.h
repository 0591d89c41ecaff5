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

// What does not fit into the buffer as it is: use output_add() and output_room().
void output_add_slowly(struct output *o, struct span s);
char *output_room_slowly(struct output *o, size_t n);

// Of any length.
static inline void output_add(struct output *o, struct span s)
{
	if (s.len > o->cap - o->len) {
		output_add_slowly(o, s);
		return;
	}
	if (s.len)
		memcpy(o->buf + o->len, s.p, s.len);
	o->len += s.len;
}

void output_u64(struct output *o, uint64_t v);
void output_i64(struct output *o, int64_t v);
__attribute__((format(printf, 2, 3))) void output_format(struct output *o, const char *format, ...);

#define OUTPUT_LIT(o, z) output_add(o, SPAN_LIT(z))

// Room for `n` bytes at the end; they count once output_took() says how many were written.
//
// @return NULL when the buffer is shorter than that
static inline char *output_room(struct output *o, size_t n)
{
	return n > o->cap - o->len ? output_room_slowly(o, n) : o->buf + o->len;
}

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
