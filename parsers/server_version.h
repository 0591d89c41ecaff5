// SPDX-License-Identifier: BSD-3-Clause
// What a server is: family and version, as its INFO tells them, and what follows for RESTORE.
#pragma once

#include "parsers/span.h"

#define SERVER_VERSION(major, minor) ((uint16_t)((major) << 8 | (minor)))

struct server_version {
	bool valkey;   // else Redis
	uint16_t at;   // SERVER_VERSION(); 0: not known
	char text[32]; // "redis 7.0.15"; "" unknown
};

// Valkey tells the Redis version that it is like as well; its own counts.
//
// @param info  what INFO answered, or its section "server"
// @return false when no version is in it: *out is then all zero
bool server_version_read(struct span info, struct server_version *out);

// The RDB version that such a server writes, and up to which it takes RESTORE payloads; 0 when the
// version is not known. Valkey takes none of 12 to 79 all the same.
//
// Source: RDB_VERSION in rdb.h of the releases.
uint16_t server_rdb_version(const struct server_version *v);
