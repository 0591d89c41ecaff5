// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/ziplist.h"

#include "parsers/rdb_string.h"

// Length of the header of a string entry, by its first byte; 0 for an integer.
static size_t string_head(uint8_t b)
{
	static const uint8_t n[] = {1, 2, 5, 0};

	return n[b >> 6];
}

// Width of an integer entry's bytes; -1 for what is no encoding.
static int num_width(uint8_t b)
{
	switch (b) {
	case 0xc0:
		return 2;
	case 0xd0:
		return 4;
	case 0xe0:
		return 8;
	case 0xf0:
		return 3;
	case 0xfe:
		return 1;
	}
	return b >= 0xf1 && b <= 0xfd ? 0 : -1; // 0 to 12 in the byte itself
}

static int64_t num_value(const uint8_t *p, int width)
{
	switch (width) {
	case 0:
		return (p[0] & 0x0f) - 1;
	case 1:
		return (int8_t)p[1];
	case 2:
		return (int16_t)rdb_le16(p + 1);
	case 3:
		return rdb_le24_signed(p + 1);
	case 4:
		return (int32_t)rdb_le32(p + 1);
	default:
		return (int64_t)rdb_le64(p + 1);
	}
}

static size_t string_len(const uint8_t *p, size_t head)
{
	if (head == 1)
		return p[0] & 0x3f;
	if (head == 2)
		return (size_t)(p[0] & 0x3f) << 8 | p[1];
	return (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
}

ssize_t ziplist_entry(const uint8_t *p, const uint8_t *end, struct pack_entry *e)
{
	size_t n = (size_t)(end - p), head;

	if (n == 0)
		return 0;
	// The length of the entry before: not needed forwards.
	size_t prev = p[0] == 254 ? 5 : 1;

	if (p[0] == ZIPLIST_END)
		return -1;
	if (n <= prev)
		return 0;
	p += prev;
	n -= prev;
	head = string_head(p[0]);
	if (head > 0) {
		if (n < head || n - head < string_len(p, head))
			return 0;
		e->is_num = false;
		e->text = (struct span){(const char *)p + head, string_len(p, head)};
		return (ssize_t)(prev + head + e->text.len);
	}
	int width = num_width(p[0]);

	if (width < 0)
		return -1;
	if (n < 1 + (size_t)width)
		return 0;
	e->is_num = true;
	e->num = num_value(p, width);
	return (ssize_t)(prev + 1 + (size_t)width);
}
