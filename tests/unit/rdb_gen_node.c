// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/rdb_gen_node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "parsers/rdb_string.h"

#define END 0xff

static void bytes_add(struct gen_node *n, const void *p, size_t len)
{
	if (n->len + len > n->cap) {
		n->cap = 2 * (n->len + len);
		n->p = realloc(n->p, n->cap);
	}
	if (len)
		memcpy(n->p + n->len, p, len);
	n->len += len;
}

static void byte_add(struct gen_node *n, uint8_t b)
{
	bytes_add(n, &b, 1);
}

// The low bytes of a number, the lowest first.
static void le_add(struct gen_node *n, uint64_t v, size_t width)
{
	for (size_t i = 0; i < width; i++)
		byte_add(n, (uint8_t)(v >> 8 * i));
}

static void le_put(uint8_t *p, uint64_t v, size_t width)
{
	for (size_t i = 0; i < width; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static void be32_add(struct gen_node *n, size_t v)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		byte_add(n, (uint8_t)(v >> shift));
}

void node_init(struct gen_node *n, enum rdb_pack pack)
{
	static const uint8_t header_len[] = {[RDB_PACK_ZIPMAP] = 1, [RDB_PACK_ZIPLIST] = 10,
					     [RDB_PACK_INTSET] = 8, [RDB_PACK_LISTPACK] = 6};
	*n = (struct gen_node){.pack = pack};
	bytes_add(n, "\0\0\0\0\0\0\0\0\0\0", header_len[pack]);
	n->last_off = n->len;
}

void node_fini(struct gen_node *n)
{
	free(n->p);
}

bool text_is_num(struct span text, int64_t *num)
{
	char copy[24], *end, again[24];
	if (text.len == 0 || text.len > 20)
		return false;
	memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	errno = 0;
	*num = strtoll(copy, &end, 10);
	snprintf(again, sizeof(again), "%lld", (long long)*num);
	return errno == 0 && strlen(again) == text.len && memcmp(again, copy, text.len) == 0;
}

static bool fits(int64_t v, int bits)
{
	return v >= -((int64_t)1 << (bits - 1)) && v < (int64_t)1 << (bits - 1);
}

// -- listpack ---------------------------------------------------------------------------------

static void listpack_num(struct gen_node *n, int64_t v)
{
	if (v >= 0 && v <= 127) {
		byte_add(n, (uint8_t)v);
	} else if (fits(v, 13)) {
		byte_add(n, (uint8_t)(0xc0 | (v >> 8 & 0x1f)));
		byte_add(n, (uint8_t)v);
	} else {
		size_t width = fits(v, 16) ? 2 : fits(v, 24) ? 3 : fits(v, 32) ? 4 : 8;
		byte_add(n, width == 8 ? 0xf4 : (uint8_t)(0xf1 + width - 2));
		le_add(n, (uint64_t)v, width);
	}
}

static void listpack_text(struct gen_node *n, struct span text)
{
	if (text.len < 64) {
		byte_add(n, (uint8_t)(0x80 | text.len));
	} else if (text.len < 4096) {
		byte_add(n, (uint8_t)(0xe0 | text.len >> 8));
		byte_add(n, (uint8_t)text.len);
	} else {
		byte_add(n, 0xf0);
		le_add(n, text.len, 4);
	}
	bytes_add(n, text.p, text.len);
}

// The entry's length for those who walk backwards: seven bits a byte, the highest first, and a mark
// on all but the first.
static void listpack_back(struct gen_node *n, size_t entry_len)
{
	int groups = entry_len <= 127 ? 1 : entry_len < 16383 ? 2 : entry_len < 2097151 ? 3 : 4;
	for (int i = groups - 1; i >= 0; i--)
		byte_add(n, (uint8_t)((entry_len >> 7 * i & 127) | (i == groups - 1 ? 0 : 128)));
}

// -- ziplist ----------------------------------------------------------------------------------

static void ziplist_prev(struct gen_node *n, bool wide)
{
	if (n->last_len < 254 && !wide) {
		byte_add(n, (uint8_t)n->last_len);
	} else {
		byte_add(n, 254);
		le_add(n, n->last_len, 4);
	}
}

static void ziplist_num(struct gen_node *n, int64_t v)
{
	if (v >= 0 && v <= 12) {
		byte_add(n, (uint8_t)(0xf1 + v));
		return;
	}
	if (fits(v, 8)) {
		byte_add(n, 0xfe);
		le_add(n, (uint64_t)v, 1);
		return;
	}
	size_t width = fits(v, 16) ? 2 : fits(v, 24) ? 3 : fits(v, 32) ? 4 : 8;
	byte_add(n, width == 2 ? 0xc0 : width == 3 ? 0xf0 : width == 4 ? 0xd0 : 0xe0);
	le_add(n, (uint64_t)v, width);
}

static void ziplist_text(struct gen_node *n, struct span text)
{
	if (text.len < 64) {
		byte_add(n, (uint8_t)text.len);
	} else if (text.len < 16384) {
		byte_add(n, (uint8_t)(0x40 | text.len >> 8));
		byte_add(n, (uint8_t)text.len);
	} else {
		byte_add(n, 0x80);
		be32_add(n, text.len);
	}
	bytes_add(n, text.p, text.len);
}

// -- all --------------------------------------------------------------------------------------

void node_add(struct gen_node *n, struct span text, struct gen_entry_how how)
{
	int64_t num;
	bool is_num = !how.as_text && text_is_num(text, &num);
	size_t off = n->len;
	if (n->pack == RDB_PACK_ZIPLIST) {
		ziplist_prev(n, how.wide_prev);
		is_num ? ziplist_num(n, num) : ziplist_text(n, text);
	} else {
		is_num ? listpack_num(n, num) : listpack_text(n, text);
		listpack_back(n, n->len - off);
	}
	n->last_off = off;
	n->last_len = n->len - off;
	n->n++;
}

void node_add_num(struct gen_node *n, int64_t num)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%lld", (long long)num);
	node_add(n, (struct span){text, (size_t)len}, (struct gen_entry_how){0});
}

static void zipmap_len(struct gen_node *n, size_t len)
{
	byte_add(n, len < 254 ? (uint8_t)len : 254);
	if (len >= 254)
		le_add(n, len, 4);
}

void node_add_pair(struct gen_node *n, struct span field, struct span value,
		   struct gen_entry_how how)
{
	zipmap_len(n, field.len);
	bytes_add(n, field.p, field.len);
	zipmap_len(n, value.len);
	byte_add(n, how.n_free);
	bytes_add(n, value.p, value.len);
	for (int i = 0; i < how.n_free; i++)
		byte_add(n, 0x5a);
	n->n++;
}

void node_add_nums(struct gen_node *n, const int64_t *nums, unsigned n_nums)
{
	size_t width = 2;
	for (unsigned i = 0; i < n_nums; i++) {
		size_t needs = fits(nums[i], 16) ? 2 : fits(nums[i], 32) ? 4 : 8;
		width = needs > width ? needs : width;
	}
	le_put(n->p, width, 4);
	for (unsigned i = 0; i < n_nums; i++)
		le_add(n, (uint64_t)nums[i], width);
	n->n = n_nums;
}

struct span node_end(struct gen_node *n, bool count_unknown)
{
	uint64_t count = count_unknown || n->n > UINT16_MAX ? UINT16_MAX : n->n;
	if (n->pack != RDB_PACK_INTSET)
		byte_add(n, END);
	switch (n->pack) {
	case RDB_PACK_ZIPMAP:
		n->p[0] = count_unknown || n->n > 254 ? 254 : (uint8_t)n->n;
		break;
	case RDB_PACK_INTSET:
		le_put(n->p + 4, n->n, 4);
		break;
	case RDB_PACK_LISTPACK:
		le_put(n->p, n->len, 4);
		le_put(n->p + 4, count, 2);
		break;
	default:
		le_put(n->p, n->len, 4);
		le_put(n->p + 4, n->last_off, 4);
		le_put(n->p + 8, count, 2);
	}
	return (struct span){(const char *)n->p, n->len};
}
