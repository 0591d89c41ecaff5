// SPDX-License-Identifier: BSD-3-Clause
// Bytes that grow at their end and are taken from their beginning.
#pragma once

#include "parsers/span.h"

struct bytes {
	char *p;
	size_t at, len, max; // [at, len) is in it
};

// Room for more at the end: p + len. Ends the program when there is no memory.
void bytes_reserve(struct bytes *b, size_t more);

void bytes_add(struct bytes *b, const char *p, size_t len);
void bytes_text(struct bytes *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

// "$5\r\nhello\r\n"
void bytes_bulk(struct bytes *b, struct span s);

static inline size_t bytes_left(const struct bytes *b)
{
	return b->len - b->at;
}

// What was taken makes room when it is all, or half of what there is.
static inline void bytes_take(struct bytes *b, size_t len)
{
	b->at += len;
	if (b->at == b->len) {
		b->at = b->len = 0;
	} else if (b->at > b->max / 2) {
		memmove(b->p, b->p + b->at, b->len - b->at);
		b->len -= b->at;
		b->at = 0;
	}
}

void bytes_free(struct bytes *b);
