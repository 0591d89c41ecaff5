// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/apply/inbox.h"

#include <stdlib.h>
#include <string.h>

#define BIG_LIMIT (1024ull * 1024 * 1024)

void inbox_reset(struct inbox *in)
{
	free(in->big);
	in->big = NULL;
	in->len = in->big_len = in->big_max = 0;
}

static bool big_grow(struct inbox *in)
{
	size_t max = in->big_max ? 2 * in->big_max : 4 * INBOX_LEN;
	char *more = max <= BIG_LIMIT ? realloc(in->big, max) : NULL;
	if (!more)
		return false;
	if (!in->big) {
		memcpy(more, in->bytes, in->len);
		in->big_len = in->len;
		in->len = 0;
	}
	in->big = more;
	in->big_max = max;
	return true;
}

char *inbox_space(struct inbox *in, size_t *len)
{
	bool full = in->big ? in->big_len == in->big_max : in->len == INBOX_LEN;
	if (full && !big_grow(in))
		return NULL;
	*len = in->big ? in->big_max - in->big_len : INBOX_LEN - in->len;
	return in->big ? in->big + in->big_len : in->bytes + in->len;
}

struct span inbox_received(struct inbox *in, size_t n)
{
	if (!in->big) {
		in->len += n;
		return (struct span){in->bytes, in->len};
	}
	in->big_len += n;
	return (struct span){in->big, in->big_len};
}

void inbox_eaten(struct inbox *in, size_t n)
{
	if (!in->big) {
		in->len -= n;
		memmove(in->bytes, in->bytes + n, in->len);
		return;
	}
	in->big_len -= n;
	memmove(in->big, in->big + n, in->big_len);
	if (in->big_len >= INBOX_LEN / 2)
		return;
	memcpy(in->bytes, in->big, in->big_len);
	in->len = in->big_len;
	free(in->big);
	in->big = NULL;
	in->big_len = in->big_max = 0;
}
