// SPDX-License-Identifier: BSD-3-Clause
// Intset (intset.c of Redis): 4 bytes LE width of an element (2, 4 or 8), 4 bytes LE count, then
// the elements, LE and ascending.
#pragma once

#include "parsers/rdb_string.h"

#define INTSET_HEADER_LEN 8

// @param p  INTSET_HEADER_LEN bytes
//
// @return false when width and count do not make up `len` bytes
static inline bool intset_header(const uint8_t *p, uint64_t len, uint32_t *width, uint32_t *n)
{
	*width = rdb_le32(p);
	*n = rdb_le32(p + 4);
	return (*width == 2 || *width == 4 || *width == 8) &&
	       INTSET_HEADER_LEN + (uint64_t)*width * *n == len;
}

// @param p  `width` bytes
static inline int64_t intset_element(const uint8_t *p, uint32_t width)
{
	if (width == 2)
		return (int16_t)rdb_le16(p);
	return width == 4 ? (int32_t)rdb_le32(p) : (int64_t)rdb_le64(p);
}
