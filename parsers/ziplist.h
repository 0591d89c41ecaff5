// SPDX-License-Identifier: BSD-3-Clause
// Ziplist (ziplist.c of Redis 2.x to 6.2): 4 bytes LE total, 4 bytes LE offset of the last entry,
// 2 bytes LE count (65535: unknown), then entries, then 0xff.
#pragma once

#include "parsers/listpack.h"

#define ZIPLIST_HEADER_LEN 10
#define ZIPLIST_END        0xff

// @return bytes of the entry; 0: the input ends before it does; -1: not an entry
ssize_t ziplist_entry(const uint8_t *p, const uint8_t *end, struct pack_entry *e);
