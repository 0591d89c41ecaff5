// SPDX-License-Identifier: BSD-3-Clause
#include "tools/pktgen/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void bytes_reserve(struct bytes *b, size_t more)
{
	if (b->max - b->len >= more)
		return;
	size_t max = b->max ? b->max : 4096;
	while (max - b->len < more)
		max *= 2;
	char *p = realloc(b->p, max);
	if (!p) {
		fprintf(stderr, "pktgen: no memory for %zu bytes\n", max);
		exit(1);
	}
	b->p = p;
	b->max = max;
}

void bytes_add(struct bytes *b, const char *p, size_t len)
{
	if (!len)
		return; // of what never had a byte, p is NULL
	bytes_reserve(b, len);
	memcpy(b->p + b->len, p, len);
	b->len += len;
}

void bytes_text(struct bytes *b, const char *format, ...)
{
	for (size_t room = 64;;) { // most are shorter
		va_list args;
		bytes_reserve(b, room);
		va_start(args, format);
		size_t n = (size_t)vsnprintf(b->p + b->len, room, format, args);
		va_end(args);
		if (n < room) {
			b->len += n;
			return;
		}
		room = n + 1;
	}
}

void bytes_bulk(struct bytes *b, struct span s)
{
	bytes_text(b, "$%zu\r\n", s.len);
	bytes_add(b, s.p, s.len);
	bytes_add(b, "\r\n", 2);
}

void bytes_free(struct bytes *b)
{
	free(b->p);
	*b = (struct bytes){0};
}
