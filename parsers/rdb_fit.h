// SPDX-License-Identifier: BSD-3-Clause
// What a server of some version can do with a value of an RDB file: by its type byte alone, which
// in every file tells what is in the value.
#pragma once

#include "parsers/rdb.h"
#include "parsers/server_version.h"

// The version of RDB from which on both families took their own ways.
#define RDB_VERSION_COMMON 11

enum rdb_fit {
	RDB_FIT_RAW,      // takes the body by RESTORE, as it lies in the file
	RDB_FIT_OLDER,    // takes it by RESTORE as an older type: rdb_stream_older()
	RDB_FIT_ELEMENTS, // has commands that make it, element by element
	RDB_FIT_NONE,     // cannot hold it
};

// What the verbs of a server can do, as far as a snapshot needs them.
struct rdb_verbs {
	bool restore_replace; // 3.0
	bool hset_many;       // 4.0; HMSET before
	bool streams;         // 5.0
	bool restore_absttl;  // 5.0, and IDLETIME, FREQ
	bool set_pxat;        // 6.2
	bool create_consumer; // 6.2
	bool stream_counters; // 7.0: ENTRIESADDED, MAXDELETEDID, ENTRIESREAD
	bool functions;       // 7.0
	bool field_ttl;       // Redis 7.4, Valkey 9.0: HPEXPIREAT
	bool stream_idmp;     // Redis 8.6
	bool arrays;          // Redis 8.8, and XNACK
};

// A server whose version is not known is taken for one that has everything: it will say.
void rdb_verbs_of(const struct server_version *server, struct rdb_verbs *verbs);

// @param magic      of the file
// @param drops_ttl  values may go without the expiries of their fields
enum rdb_fit rdb_fit_of(const struct server_version *server, enum rdb_magic magic, uint8_t type,
			bool drops_ttl);

// The type that RDB_FIT_OLDER means; 0: there is none.
uint8_t rdb_fit_stream_type(const struct server_version *server);

// Why RDB_FIT_NONE: "redis 4.0.14 has no streams". @return as snprintf()
int rdb_fit_reason(const struct server_version *server, enum rdb_magic magic, uint8_t type,
		   char *out, size_t out_len);
