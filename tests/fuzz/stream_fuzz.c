// SPDX-License-Identifier: BSD-3-Clause
// A stream with one node of arbitrary entries, then arbitrary numbers, groups and pending lists.
// Four bytes choose level, settings, slices and how much of the rest is the node.
#include <string.h>

#include "parsers/listpack.h"
#include "parsers/rdb_types.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/rdb_run.h"

#define HEAD_LEN_MAX 64

static const uint8_t types[] = {15, 19, 21, 26, 27};

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	// Header, room for the type; key; one node; its id 5-1; its length in five bytes.
	static const char begin[] = "REDIS0014?\1k\1\x10\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\1\x80";

	if (len < 4)
		return 0;
	struct rdb_settings set = rdb_run_settings(p[1]);
	size_t n = len - 4, n_node = n * p[3] / 255, total = LISTPACK_HEADER_LEN + n_node + 1;
	size_t at = sizeof(begin) - 1;
	uint8_t *file = malloc(HEAD_LEN_MAX + n + 12);

	memcpy(file, begin, at);
	file[9] = types[p[0] % sizeof(types)];
	for (int shift = 24; shift >= 0; shift -= 8)
		file[at++] = (uint8_t)(total >> shift);
	for (int shift = 0; shift < 32; shift += 8)
		file[at++] = (uint8_t)(total >> shift);
	file[at++] = 0xff; // entries: unknown
	file[at++] = 0xff;
	memcpy(file + at, p + 4, n_node);
	at += n_node;
	file[at++] = LISTPACK_END;
	memcpy(file + at, p + 4 + n_node, n - n_node);
	at += n - n_node;
	memset(file + at, 0, 9); // no sum
	file[at] = 0xff;
	rdb_run_check((struct span){(const char *)file, at + 9}, &set,
		      p[2] == 0 ? 1 : p[2] * 7u);
	free(file);
	return 0;
}
