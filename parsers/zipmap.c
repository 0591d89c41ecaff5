// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/zipmap.h"

#include "parsers/rdb_string.h"

// @return bytes of the length itself; 0: not all there; -1: the end mark
static int len_take(const uint8_t *p, const uint8_t *end, size_t *len)
{
	if (p >= end)
		return 0;
	if (p[0] < 254) {
		*len = p[0];
		return 1;
	}
	if (p[0] == ZIPMAP_END)
		return -1;
	if (end - p < 5)
		return 0;
	*len = rdb_le32(p + 1);
	return 5;
}

ssize_t zipmap_pair(const uint8_t *p, const uint8_t *end, struct span *field, struct span *value)
{
	const uint8_t *at = p;
	size_t len;
	int n = len_take(at, end, &len);

	if (n <= 0)
		return n;
	if ((size_t)(end - at) < (size_t)n + len)
		return 0;
	*field = (struct span){(const char *)at + n, len};
	at += (size_t)n + len;
	n = len_take(at, end, &len);
	if (n <= 0)
		return n;
	at += n;
	if (at == end || (size_t)(end - at) < 1 + len + at[0])
		return 0;
	*value = (struct span){(const char *)at + 1, len};
	return (at - p) + (ssize_t)(1 + len + at[0]);
}
