// SPDX-License-Identifier: BSD-3-Clause
// Lengths and strings of RDB (rdb.c of Redis: rdbLoadLenByRef, rdbGenericLoadStringObject).
// Inner header of the reader.
#pragma once

#include <endian.h>

#include "parsers/span.h"

// What a helper that looks at bytes found out.
enum rdb_take {
	RDB_TAKE_OK,
	RDB_TAKE_MORE, // the bytes end before the thing does
	RDB_TAKE_BAD,
	RDB_TAKE_OVER, // the limit was passed (rdb_skim.h)
};

enum rdb_str_how {
	RDB_STR_PLAIN,
	RDB_STR_INT,
	RDB_STR_LZF,
};

// A string that has been looked at, not yet decoded.
struct rdb_str {
	enum rdb_str_how how;
	uint64_t body;     // bytes that follow the header in the file
	uint64_t len;      // decoded; 0 for integers
	int64_t num;       // RDB_STR_INT
	const uint8_t *at; // the body
};

static inline uint16_t rdb_le16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static inline int32_t rdb_le24_signed(const uint8_t *p)
{
	uint32_t v = (uint32_t)p[0] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 24;

	return (int32_t)v >> 8;
}

static inline uint32_t rdb_le32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static inline uint64_t rdb_le64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static inline uint64_t rdb_be64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

// Take a plain length. *p moves on only with RDB_TAKE_OK.
enum rdb_take rdb_len_take(const uint8_t **p, const uint8_t *end, uint64_t *len);

// Take the header of a string: *p then stands at its body, which need not be there.
enum rdb_take rdb_str_head(const uint8_t **p, const uint8_t *end, struct rdb_str *s);

// Whether an LZF string can be as long as it says: the longest match makes 264 bytes out of 3.
// A hostile length is caught before anything is allocated for it.
static inline bool rdb_lzf_plausible(const struct rdb_str *s)
{
	return s->len / 88 <= s->body;
}

// Decompress the whole body of an LZF string.
//
// @param out  s->len bytes
// @return false when the data does not make exactly that many
bool rdb_str_unlzf(const struct rdb_str *s, char *out);

// Compress with LZF.
//
// @return bytes made, or 0 when they would not fit into `cap`
size_t rdb_str_lzf(struct span in, char *out, size_t cap);

// Decimal text of an integer.
//
// @param buf  at least 21 bytes
struct span rdb_num_text(int64_t num, char *buf);
