// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/decode/output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "parsers/rdb_string.h"

int output_init(struct output *o, int fd, size_t cap)
{
	*o = (struct output){.fd = fd, .cap = cap, .buf = malloc(cap)};
	return o->buf ? 0 : -ENOMEM;
}

void output_fini(struct output *o)
{
	free(o->buf);
	o->buf = NULL;
}

static void give(struct output *o, const char *p, size_t len)
{
	while (len > 0 && !o->error) {
		ssize_t n = write(o->fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			o->error = n ? -errno : -EIO;
			return;
		}
		p += n;
		len -= (size_t)n;
		o->n_flushed += (uint64_t)n;
	}
}

int output_flush(struct output *o)
{
	give(o, o->buf, o->len);
	o->len = 0;
	return o->error;
}

void output_add_slowly(struct output *o, struct span s)
{
	output_flush(o);
	if (s.len > o->cap)
		give(o, s.p, s.len);
	else
		output_add(o, s);
}

void output_u64(struct output *o, uint64_t v)
{
	char text[24], *end = text + sizeof(text), *p = end;
	do
		*--p = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	output_add(o, (struct span){p, (size_t)(end - p)});
}

void output_i64(struct output *o, int64_t v)
{
	char text[24];
	output_add(o, rdb_num_text(v, text));
}

void output_format(struct output *o, const char *format, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n < 0)
		return;
	output_add(o, (struct span){text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1});
}

char *output_room_slowly(struct output *o, size_t n)
{
	if (n > o->cap)
		return NULL;
	output_flush(o);
	return o->buf;
}
