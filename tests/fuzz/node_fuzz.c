// SPDX-License-Identifier: BSD-3-Clause
// Packed nodes of arbitrary entries: listpack, ziplist, zipmap, intset. Three bytes choose type,
// settings and slices; the rest are the entries, around which everything is made to fit, so that
// the fuzzer need not guess lengths.
#include <string.h>

#include "parsers/intset.h"
#include "parsers/rdb_types.h"
#include "parsers/ziplist.h"
#include "parsers/zipmap.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/rdb_run.h"

#define HEAD_LEN_MAX 64

static const uint8_t types[] = {9, 10, 11, 12, 13, 14, 16, 17, 18, 20, 23, 25};

static size_t put_le(uint8_t *p, uint64_t v, size_t width)
{
	for (size_t i = 0; i < width; i++)
		p[i] = (uint8_t)(v >> 8 * i);
	return width;
}

// The node's header, before `len` bytes of entries with the end mark.
static size_t node_header(uint8_t *p, enum rdb_pack pack, size_t len, uint8_t choice)
{
	static const uint8_t widths[] = {2, 4, 8, 3};

	switch (pack) {
	case RDB_PACK_LISTPACK:
		put_le(p, LISTPACK_HEADER_LEN + len, 4);
		put_le(p + 4, choice, 2);
		return LISTPACK_HEADER_LEN;
	case RDB_PACK_ZIPLIST:
		put_le(p, ZIPLIST_HEADER_LEN + len, 4);
		put_le(p + 4, choice, 4);
		put_le(p + 8, choice, 2);
		return ZIPLIST_HEADER_LEN;
	case RDB_PACK_INTSET:
		put_le(p, widths[choice & 3], 4);
		put_le(p + 4, len / widths[choice & 3], 4);
		return INTSET_HEADER_LEN;
	default:
		p[0] = choice;
		return ZIPMAP_HEADER_LEN;
	}
}

// An entry is as long as it is: any part of it is "not all there", and what stands behind it makes
// no difference.
static void entry_check(enum rdb_pack pack, const uint8_t *p, const uint8_t *end)
{
	struct pack_entry e, again;
	struct span a, b;
	ssize_t n = pack == RDB_PACK_LISTPACK  ? listpack_entry(p, end, &e)
		    : pack == RDB_PACK_ZIPLIST ? ziplist_entry(p, end, &e)
					       : zipmap_pair(p, end, &a, &b);

	CHECK(n <= end - p);
	for (ssize_t cut = n > 300 ? n - 300 : 0; cut <= n; cut++) {
		ssize_t m = pack == RDB_PACK_LISTPACK  ? listpack_entry(p, p + cut, &again)
			    : pack == RDB_PACK_ZIPLIST ? ziplist_entry(p, p + cut, &again)
						       : zipmap_pair(p, p + cut, &a, &b);

		CHECK(m == (cut < n ? 0 : n));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static const char begin[] = "REDIS0012";

	if (len < 3)
		return 0;
	const struct rdb_type *t = rdb_type_find(RDB_MAGIC_REDIS, types[p[0] % sizeof(types)]);
	struct rdb_settings set = rdb_run_settings(p[1]);
	size_t n = len - 3, at = sizeof(begin) - 1;
	bool marked = t->pack != RDB_PACK_INTSET;
	uint8_t *file = malloc(HEAD_LEN_MAX + n + 12), header[16];
	size_t header_len = node_header(header, t->pack, n + marked, p[0] / sizeof(types));

	if (n > 0 && marked && t->pack != RDB_PACK_INTSET)
		entry_check(t->pack, p + 3, p + len);
	memcpy(file, begin, at);
	file[at++] = types[p[0] % sizeof(types)];
	file[at++] = 1;
	file[at++] = 'k';
	if (t->layout[0] == '8')
		at += put_le(file + at, 1000, 8);
	if (t->layout[0] == '(') // one node
		file[at++] = 1;
	if (t->layout[1] == 'l') // packed
		file[at++] = 2;
	file[at++] = 0x80;
	for (int shift = 24; shift >= 0; shift -= 8)
		file[at++] = (uint8_t)((header_len + n + marked) >> shift);
	memcpy(file + at, header, header_len);
	at += header_len;
	memcpy(file + at, p + 3, n);
	at += n;
	if (marked)
		file[at++] = 0xff;
	memset(file + at, 0, 9); // no sum
	file[at] = 0xff;
	rdb_run_check((struct span){(const char *)file, at + 9}, &set,
		      p[2] == 0 ? 1 : p[2] * 7u);
	free(file);
	return 0;
}
