// SPDX-License-Identifier: BSD-3-Clause
// Packed nodes as Redis 2.0 to 7.2 wrote them (zipmap.c, ziplist.c, intset.c, listpack.c): real
// servers of today write listpacks and intsets only, so the tests bring encoders of their own.
#pragma once

#include "parsers/rdb_types.h"

struct gen_node {
	enum rdb_pack pack;
	uint8_t *p;      // malloc'ed
	size_t len, cap;
	size_t last_off; // of the last entry
	size_t last_len;
	unsigned n;      // entries; of a zipmap: pairs
};

// How an entry is written.
struct gen_entry_how {
	bool as_text;   // an integer as its text, too
	bool wide_prev; // ziplist: the length of the entry before in five bytes, though one would
			// do
	uint8_t n_free; // zipmap: bytes that lie unused behind a value
};

void node_init(struct gen_node *n, enum rdb_pack pack);
void node_fini(struct gen_node *n);

// Listpack and ziplist: one entry, as an integer where the text is one.
void node_add(struct gen_node *n, struct span text, struct gen_entry_how how);

// The same for what is an integer in any case.
void node_add_num(struct gen_node *n, int64_t num);

// Zipmap.
void node_add_pair(struct gen_node *n, struct span field, struct span value,
		   struct gen_entry_how how);

// Intset, all at once.
//
// @param nums  ascending
void node_add_nums(struct gen_node *n, const int64_t *nums, unsigned n_nums);

// End it. The span is the node's own.
//
// @param count_unknown  write the count that says "walk it"
struct span node_end(struct gen_node *n, bool count_unknown);

// Whether a text is just what an integer prints as.
bool text_is_num(struct span text, int64_t *num);
