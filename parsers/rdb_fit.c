// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/rdb_fit.h"

#include <stdio.h>

#include "parsers/rdb_types.h"

// Which release of which family has it; Valkey began as Redis 7.2.
static bool has(const struct server_version *server, uint16_t redis, uint16_t valkey)
{
	if (!server->at)
		return true;
	return server->valkey ? valkey && server->at >= valkey : server->at >= redis;
}

void rdb_verbs_of(const struct server_version *server, struct rdb_verbs *verbs)
{
	const uint16_t any = SERVER_VERSION(0, 1);
	*verbs = (struct rdb_verbs){
		.restore_replace = has(server, SERVER_VERSION(3, 0), any),
		.hset_many = has(server, SERVER_VERSION(4, 0), any),
		.streams = has(server, SERVER_VERSION(5, 0), any),
		.restore_absttl = has(server, SERVER_VERSION(5, 0), any),
		.set_pxat = has(server, SERVER_VERSION(6, 2), any),
		.create_consumer = has(server, SERVER_VERSION(6, 2), any),
		.stream_counters = has(server, SERVER_VERSION(7, 0), any),
		.functions = has(server, SERVER_VERSION(7, 0), any),
		.field_ttl = has(server, SERVER_VERSION(7, 4), SERVER_VERSION(9, 0)),
		.stream_idmp = has(server, SERVER_VERSION(8, 6), 0),
		.arrays = has(server, SERVER_VERSION(8, 8), 0),
	};
}

// Whether RESTORE takes the type under a footer of the version that brought it.
static bool takes_raw(const struct server_version *server, const struct rdb_type *t)
{
	if (t->always_elements || t->layout == NULL)
		return false;
	if (!server->at)
		return true;
	bool shared = t->footer_version <= RDB_VERSION_COMMON;
	return (shared || server->valkey == !t->redis_only) &&
	       t->footer_version <= server_rdb_version(server);
}

uint8_t rdb_fit_stream_type(const struct server_version *server)
{
	static const uint8_t types[] = {27, 26, 21, 19, 15};
	for (size_t i = 0; i < sizeof(types); i++)
		if (takes_raw(server, rdb_type_find(RDB_MAGIC_REDIS, types[i])))
			return types[i];
	return 0;
}

enum rdb_fit rdb_fit_of(const struct server_version *server, enum rdb_magic magic, uint8_t type,
			bool drops_ttl)
{
	const struct rdb_type *t = rdb_type_find(magic, type);
	struct rdb_verbs verbs;
	if (!t)
		return RDB_FIT_NONE;
	if (takes_raw(server, t))
		return RDB_FIT_RAW;
	rdb_verbs_of(server, &verbs);
	switch (t->kind) {
	case RDB_KIND_LIST:
	case RDB_KIND_SET:
	case RDB_KIND_ZSET:
		return RDB_FIT_ELEMENTS;
	case RDB_KIND_HASH:
		if (t->shape == RDB_SHAPE_OPAQUE)
			return RDB_FIT_NONE;
		return !t->field_ttl || verbs.field_ttl || drops_ttl ? RDB_FIT_ELEMENTS
								     : RDB_FIT_NONE;
	case RDB_KIND_STREAM:
		return rdb_fit_stream_type(server) ? RDB_FIT_OLDER : RDB_FIT_NONE;
	default:
		return RDB_FIT_NONE;
	}
}

int rdb_fit_reason(const struct server_version *server, enum rdb_magic magic, uint8_t type,
		   char *out, size_t out_len)
{
	static const char *const what[] = {
		[RDB_KIND_STREAM] = "streams",
		[RDB_KIND_MODULE] = "modules",
		[RDB_KIND_ARRAY] = "arrays",
	};
	const struct rdb_type *t = rdb_type_find(magic, type);
	const char *who = server->text[0] ? server->text : "the target";
	if (t && t->field_ttl)
		return snprintf(out, out_len,
				"%s has no expiries of hash fields (--field-ttl=drop sends the "
				"hash without them)",
				who);
	if (t && t->kind < sizeof(what) / sizeof(*what) && what[t->kind])
		return snprintf(out, out_len, "%s has no %s", who, what[t->kind]);
	return snprintf(out, out_len, "%s cannot hold a value of type %u%s%s", who, type,
			t ? ", " : "", t ? t->name : "");
}
