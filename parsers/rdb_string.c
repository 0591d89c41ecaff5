// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/rdb_string.h"

#include <lzf.h>

#define ENC_INT8  0xc0
#define ENC_INT16 0xc1
#define ENC_INT32 0xc2
#define ENC_LZF   0xc3

enum rdb_take rdb_len_take(const uint8_t **pp, const uint8_t *end, uint64_t *len)
{
	const uint8_t *p = *pp;
	size_t n = (size_t)(end - p);

	if (n == 0)
		return RDB_TAKE_MORE;
	if (p[0] < 0x40) {
		*len = p[0];
		*pp = p + 1;
		return RDB_TAKE_OK;
	}
	if (p[0] < 0x80) {
		if (n < 2)
			return RDB_TAKE_MORE;
		*len = (uint64_t)(p[0] & 0x3f) << 8 | p[1];
		*pp = p + 2;
		return RDB_TAKE_OK;
	}
	if (p[0] == 0x80) {
		if (n < 5)
			return RDB_TAKE_MORE;
		*len = (uint64_t)p[1] << 24 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 8 | p[4];
		*pp = p + 5;
		return RDB_TAKE_OK;
	}
	if (p[0] != 0x81)
		return RDB_TAKE_BAD;
	if (n < 9)
		return RDB_TAKE_MORE;
	*len = rdb_be64(p + 1);
	*pp = p + 9;
	return RDB_TAKE_OK;
}

static enum rdb_take int_head(const uint8_t **pp, const uint8_t *end, struct rdb_str *s)
{
	const uint8_t *p = *pp;
	size_t width = (size_t)1 << (p[0] - ENC_INT8);

	if ((size_t)(end - p) < 1 + width)
		return RDB_TAKE_MORE;
	if (width == 1)
		s->num = (int8_t)p[1];
	else if (width == 2)
		s->num = (int16_t)rdb_le16(p + 1);
	else
		s->num = (int32_t)rdb_le32(p + 1);
	s->how = RDB_STR_INT;
	s->body = 0;
	s->len = 0;
	s->at = p + 1 + width;
	*pp = s->at;
	return RDB_TAKE_OK;
}

static enum rdb_take lzf_head(const uint8_t **pp, const uint8_t *end, struct rdb_str *s)
{
	const uint8_t *p = *pp + 1;
	enum rdb_take t = rdb_len_take(&p, end, &s->body);

	if (t == RDB_TAKE_OK)
		t = rdb_len_take(&p, end, &s->len);
	if (t != RDB_TAKE_OK)
		return t;
	if (!rdb_lzf_plausible(s))
		return RDB_TAKE_BAD;
	s->how = RDB_STR_LZF;
	s->at = p;
	*pp = p;
	return RDB_TAKE_OK;
}

enum rdb_take rdb_str_head(const uint8_t **pp, const uint8_t *end, struct rdb_str *s)
{
	if (*pp < end && **pp >= 0xc0) {
		if (**pp <= ENC_INT32)
			return int_head(pp, end, s);
		return **pp == ENC_LZF ? lzf_head(pp, end, s) : RDB_TAKE_BAD;
	}
	enum rdb_take t = rdb_len_take(pp, end, &s->len);

	s->how = RDB_STR_PLAIN;
	s->body = s->len;
	s->at = *pp;
	return t;
}

bool rdb_str_unlzf(const struct rdb_str *s, char *out)
{
	if (s->body > UINT32_MAX || s->len > UINT32_MAX)
		return false;
	if (s->len == 0)
		return s->body == 0;
	return lzf_decompress(s->at, (unsigned)s->body, out, (unsigned)s->len) == s->len;
}

size_t rdb_str_lzf(struct span in, char *out, size_t cap)
{
	if (in.len == 0 || in.len > UINT32_MAX || cap > UINT32_MAX)
		return 0;
	return lzf_compress(in.p, (unsigned)in.len, out, (unsigned)cap);
}

struct span rdb_num_text(int64_t num, char *buf)
{
	static const char pairs[] = "0001020304050607080910111213141516171819"
				    "2021222324252627282930313233343536373839"
				    "4041424344454647484950515253545556575859"
				    "6061626364656667686970717273747576777879"
				    "8081828384858687888990919293949596979899";
	char *end = buf + 21, *p = end;
	uint64_t u = num < 0 ? 0 - (uint64_t)num : (uint64_t)num;

	// Two digits a division.
	for (; u >= 100; u /= 100) {
		p -= 2;
		memcpy(p, pairs + 2 * (u % 100), 2);
	}
	if (u >= 10) {
		p -= 2;
		memcpy(p, pairs + 2 * u, 2);
	} else {
		*--p = (char)('0' + u);
	}
	if (num < 0)
		*--p = '-';
	return (struct span){p, (size_t)(end - p)};
}
