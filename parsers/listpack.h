// SPDX-License-Identifier: BSD-3-Clause
// Listpack (listpack.c of Redis 5 to 8): 4 bytes LE total, 2 bytes LE count (65535: unknown), then
// entries, then 0xff. Pure readers of one step each, for bytes that arrive in pieces.
#pragma once

#include <sys/types.h>

#include "parsers/span.h"

#define LISTPACK_HEADER_LEN 6
#define LISTPACK_END        0xff

// One entry of a listpack or ziplist: a string that points into the input, or an integer.
struct pack_entry {
	bool is_num;
	int64_t num;
	struct span text;
};

// @return bytes of the entry; 0: the input ends before it does; -1: not an entry
ssize_t listpack_entry(const uint8_t *p, const uint8_t *end, struct pack_entry *e);
