// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/listpack.h"

#include "parsers/rdb_string.h"

// Bytes that repeat the length of an entry behind it, so that a listpack can be walked backwards.
// The odd limits are Redis's own (lpEncodeBacklen).
static size_t backlen_len(size_t len)
{
	if (len <= 127)
		return 1;
	if (len < 16383)
		return 2;
	if (len < 2097151)
		return 3;
	return len < 268435455 ? 4 : 5;
}

static ssize_t string_entry(const uint8_t *p, const uint8_t *end, size_t head, size_t len,
			    struct pack_entry *e)
{
	size_t n = head + len;

	n += backlen_len(n);
	if ((size_t)(end - p) < n)
		return 0;
	e->is_num = false;
	e->text = (struct span){(const char *)p + head, len};
	return (ssize_t)n;
}

static ssize_t num_entry(int64_t num, size_t n, struct pack_entry *e)
{
	e->is_num = true;
	e->num = num;
	return (ssize_t)(n + 1); // short entries have a one-byte backlen
}

// Encodings of a whole byte: 0xf0 to 0xf4.
static ssize_t wide_entry(const uint8_t *p, const uint8_t *end, struct pack_entry *e)
{
	static const uint8_t n_bytes[] = {5, 3, 4, 5, 9};
	size_t n;

	if (p[0] > 0xf4)
		return -1;
	n = n_bytes[p[0] - 0xf0];
	if ((size_t)(end - p) < n + (p[0] != 0xf0))
		return 0;
	switch (p[0]) {
	case 0xf0:
		return string_entry(p, end, 5, rdb_le32(p + 1), e);
	case 0xf1:
		return num_entry((int16_t)rdb_le16(p + 1), n, e);
	case 0xf2:
		return num_entry(rdb_le24_signed(p + 1), n, e);
	case 0xf3:
		return num_entry((int32_t)rdb_le32(p + 1), n, e);
	default:
		return num_entry((int64_t)rdb_le64(p + 1), n, e);
	}
}

ssize_t listpack_entry(const uint8_t *p, const uint8_t *end, struct pack_entry *e)
{
	size_t n = (size_t)(end - p);

	if (n < 2)
		return n == 1 && (p[0] > 0xf4) ? -1 : 0;
	if (p[0] < 0x80)
		return num_entry(p[0], 1, e);
	if (p[0] < 0xc0)
		return string_entry(p, end, 1, p[0] & 0x3f, e);
	if (p[0] < 0xe0) {
		int32_t v = (p[0] & 0x1f) << 8 | p[1];

		return n < 3 ? 0 : num_entry(v >= 1 << 12 ? v - (1 << 13) : v, 2, e);
	}
	if (p[0] < 0xf0)
		return string_entry(p, end, 2, (size_t)(p[0] & 0x0f) << 8 | p[1], e);
	return wide_entry(p, end, e);
}
