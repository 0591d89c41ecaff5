// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/rdb_types.h"

// Shorthands for the rows below: kind, shape, pack, entries an element.
#define ITEMS(k)       .kind = RDB_KIND_##k, .shape = RDB_SHAPE_ITEMS
#define PACK(p, n)     .pack = RDB_PACK_##p, .n_parts = n
#define NODE(k, p, n)  .kind = RDB_KIND_##k, .shape = RDB_SHAPE_NODE, PACK(p, n)
#define NODES(k, p, n) .kind = RDB_KIND_##k, .shape = RDB_SHAPE_NODES, PACK(p, n)
#define STREAM(n)      .kind = RDB_KIND_STREAM, .shape = RDB_SHAPE_STREAM, .level = n
#define OPAQUE(k)      .kind = RDB_KIND_##k, .shape = RDB_SHAPE_OPAQUE

// Redis's numbers, which Valkey shares up to 21. 22 and 23 are from the release candidates of 7.4,
// which the releases still load.
static const struct rdb_type redis_types[] = {
	[0] = {"string", "s", .footer_version = 6},
	[1] = {"list", "(s)", ITEMS(LIST), .footer_version = 6},
	[2] = {"set", "(s)", ITEMS(SET), .footer_version = 6},
	[3] = {"zset", "(sd)", ITEMS(ZSET), .footer_version = 6},
	[4] = {"hash", "(ss)", ITEMS(HASH), .footer_version = 6},
	[5] = {"zset_2", "(s8)", ITEMS(ZSET), .footer_version = 8},
	[6] = {"module (before 4.0 GA)", NULL, OPAQUE(MODULE), .footer_version = 8},
	[7] = {"module_2", "m", OPAQUE(MODULE), .footer_version = 8},
	[9] = {"hash_zipmap", "s", NODE(HASH, ZIPMAP, 2), .footer_version = 6},
	[10] = {"list_ziplist", "s", NODE(LIST, ZIPLIST, 1), .footer_version = 6},
	[11] = {"set_intset", "s", NODE(SET, INTSET, 1), .footer_version = 6},
	[12] = {"zset_ziplist", "s", NODE(ZSET, ZIPLIST, 2), .footer_version = 6},
	[13] = {"hash_ziplist", "s", NODE(HASH, ZIPLIST, 2), .footer_version = 6},
	[14] = {"list_quicklist", "(s)", NODES(LIST, ZIPLIST, 1), .footer_version = 7},
	[15] = {"stream", "(ss)lll(sll(b8l)(s8(b)))", STREAM(1), .footer_version = 9},
	[16] = {"hash_listpack", "s", NODE(HASH, LISTPACK, 2), .footer_version = 10},
	[17] = {"zset_listpack", "s", NODE(ZSET, LISTPACK, 2), .footer_version = 10},
	[18] = {"list_quicklist_2", "(ls)", NODES(LIST, LISTPACK, 1), .footer_version = 10},
	[19] = {"stream_2", "(ss)llllllll(slll(b8l)(s8(b)))", STREAM(2), .footer_version = 10},
	[20] = {"set_listpack", "s", NODE(SET, LISTPACK, 1), .footer_version = 11},
	[21] = {"stream_3", "(ss)llllllll(slll(b8l)(s88(b)))", STREAM(3), .footer_version = 11},
	[22] = {"hash_metadata_pre_ga", "(lss)", ITEMS(HASH), .footer_version = 12,
		.field_ttl = true, .redis_only = true},
	[23] = {"hash_listpack_ex_pre_ga", "s", NODE(HASH, LISTPACK, 3), .footer_version = 12,
		.field_ttl = true, .redis_only = true},
	[24] = {"hash_metadata", "8(lss)", ITEMS(HASH), .footer_version = 12,
		.field_ttl = true, .redis_only = true},
	[25] = {"hash_listpack_ex", "8s", NODE(HASH, LISTPACK, 3), .footer_version = 12,
		.field_ttl = true, .redis_only = true},
	[26] = {"stream_4", "(ss)llllllll(slll(b8l)(s88(b)))ll(s(sll))ll", STREAM(4),
		.footer_version = 13, .redis_only = true},
	[27] = {"stream_5", "(ss)llllllll(slll(b8l)(s88(b))(b))ll(s(sll))ll", STREAM(5),
		.footer_version = 14, .redis_only = true},
	[28] = {"array", "{la)", .kind = RDB_KIND_ARRAY, .shape = RDB_SHAPE_ARRAY,
		.footer_version = 14, .redis_only = true},
	// These two stand in payloads of DUMP only; files have the other two.
	[29] = {"hash_template_listpack", NULL, OPAQUE(HASH), .footer_version = 15,
		.redis_only = true},
	[30] = {"hash_template_listpack_ref", "s", NODE(HASH, LISTPACK, 1), .footer_version = 15,
		.redis_only = true, .always_elements = true},
	[31] = {"hash_template_array", NULL, OPAQUE(HASH), .footer_version = 15,
		.redis_only = true},
	[32] = {"hash_template_array_ref", "l", .kind = RDB_KIND_HASH, .shape = RDB_SHAPE_TEMPLATE,
		.footer_version = 15, .redis_only = true, .always_elements = true},
};

// Valkey's own. A row here hides Redis's row of the same number.
static const struct rdb_type valkey_types[] = {
	[22] = {"hash_2", "(ss8)", ITEMS(HASH), .footer_version = 80, .field_ttl = true},
	[23] = {"path_hash", NULL, OPAQUE(HASH), .footer_version = 81},
};

#define N(a) (sizeof(a) / sizeof((a)[0]))

const struct rdb_type *rdb_type_find(enum rdb_magic magic, uint8_t type)
{
	if (magic == RDB_MAGIC_VALKEY && type < N(valkey_types) && valkey_types[type].name)
		return &valkey_types[type];
	if (type >= N(redis_types) || redis_types[type].name == NULL)
		return NULL;
	if (magic == RDB_MAGIC_VALKEY && redis_types[type].redis_only)
		return NULL;
	return &redis_types[type];
}

uint16_t rdb_type_version(enum rdb_magic magic, uint8_t type)
{
	const struct rdb_type *t = rdb_type_find(magic, type);

	return t ? t->footer_version : 0;
}

const char *rdb_kind_name(enum rdb_kind kind)
{
	static const char *const names[] = {
		[RDB_KIND_STRING] = "string", [RDB_KIND_LIST] = "list",
		[RDB_KIND_SET] = "set",       [RDB_KIND_HASH] = "hash",
		[RDB_KIND_ZSET] = "zset",     [RDB_KIND_STREAM] = "stream",
		[RDB_KIND_MODULE] = "module", [RDB_KIND_ARRAY] = "array",
	};

	return kind < N(names) ? names[kind] : "unknown";
}

void rdb_module_name(uint64_t module_id, char *name)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	module_id >>= 10; // the version of its encoding
	for (int i = RDB_MODULE_NAME_LEN - 1; i >= 0; i--, module_id >>= 6)
		name[i] = letters[module_id & 63];
	name[RDB_MODULE_NAME_LEN] = '\0';
}
