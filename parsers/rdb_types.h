// SPDX-License-Identifier: BSD-3-Clause
// The value types of RDB files, one row each: everything that the reader knows about a type byte.
#pragma once

#include "parsers/rdb.h"

// How the elements lie in the body.
enum rdb_shape {
	RDB_SHAPE_STRING,
	RDB_SHAPE_ITEMS,  // a count, then the elements themselves
	RDB_SHAPE_NODE,   // one packed node
	RDB_SHAPE_NODES,  // a count, then packed nodes
	RDB_SHAPE_STREAM,
	RDB_SHAPE_ARRAY,
	RDB_SHAPE_TEMPLATE, // values whose field names stand in a template
	RDB_SHAPE_OPAQUE, // cannot be taken apart
};

// How a packed node lies in its string.
enum rdb_pack {
	RDB_PACK_NONE,
	RDB_PACK_ZIPMAP,
	RDB_PACK_ZIPLIST,
	RDB_PACK_INTSET,
	RDB_PACK_LISTPACK,
};

// The layout of a body, for rdb_skim.h and for the element readers:
//
//   s string   l length   4 8 bytes   b sixteen bytes   d ASCII double   m module value
//   t tagged items of a module   a tag and value of an array
//   ( a count, and up to the matching ) what is repeated that often
//   { the same, with an array's cursor behind the count
struct rdb_type {
	const char *name;
	const char *layout;      // NULL: known by name only, a file that holds one is refused
	enum rdb_kind kind;
	enum rdb_shape shape;
	enum rdb_pack pack;
	uint8_t n_parts;         // entries of a packed node that make one element
	uint8_t level;           // streams: 1 (Redis 5), 2 (7.0), 3 (7.2), 4 (8.6), 5 (8.8)
	uint16_t footer_version; // lowest RDB version that owns the type
	bool field_ttl;          // elements may have expiries, and in every file one at least has
	bool redis_only;         // the number means something else, or nothing, in Valkey files
	bool always_elements;    // the body means nothing without the rest of the file
};

// @return NULL for a type that we have never heard of
const struct rdb_type *rdb_type_find(enum rdb_magic magic, uint8_t type);
