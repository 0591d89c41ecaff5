// SPDX-License-Identifier: BSD-3-Clause
// Zipmap (zipmap.c of Redis 2.0 to 2.4, RDB versions 1 to 3): a count byte (254 and above:
// unknown), then pairs: length, field, length, count of free bytes, value, free bytes; then 0xff.
// A length is one byte up to 253, or 254 and 4 bytes LE.
#pragma once

#include <sys/types.h>

#include "parsers/span.h"

#define ZIPMAP_HEADER_LEN 1
#define ZIPMAP_END        0xff

// @return bytes of the pair; 0: the input ends before it does; -1: not a pair
ssize_t zipmap_pair(const uint8_t *p, const uint8_t *end, struct span *field, struct span *value);
