// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "parsers/rdb.h"
#include "parsers/rewrite.h"

// A FUNCTION DUMP begins with this opcode instead of a type; since RDB version 10.
#define FUNCTION_OPCODE  245
#define FUNCTION_VERSION 10

// Redis's versions since the fork, and where Valkey's own begin.
#define FOREIGN_VERSION_MIN 12
#define VALKEY_VERSION_MIN  80

static bool target_takes(const struct rewrite_target *target, uint16_t version)
{
	if (target->valkey && version >= FOREIGN_VERSION_MIN && version < VALKEY_VERSION_MIN)
		return false;
	return version <= target->rdb_version_max;
}

// The lowest version that owns the type of a payload from a server of that version, 0 if unknown.
static uint16_t lowest_version(uint8_t type, uint16_t version)
{
	if (type == FUNCTION_OPCODE)
		return FUNCTION_VERSION;
	return rdb_type_version(
		version >= VALKEY_VERSION_MIN ? RDB_MAGIC_VALKEY : RDB_MAGIC_REDIS, type);
}

// A FUNCTION DUMP of a server that has none is a footer alone.
static uint16_t payload_version_min(struct span payload, uint16_t version)
{
	if (payload.len == RDB_FOOTER_LEN)
		return FUNCTION_VERSION;
	return lowest_version((uint8_t)payload.p[0], version);
}

static void footer_put(struct span payload, uint16_t version, uint8_t footer[RDB_FOOTER_LEN])
{
	struct rdb_footer f = {.version = version};
	rdb_footer_feed(&f, (struct span){payload.p, payload.len - RDB_FOOTER_LEN});
	rdb_footer_end(&f, footer);
}

int rewrite_footer(const void *arg, struct span payload, uint8_t footer[RDB_FOOTER_LEN])
{
	static const uint8_t no_crc[8];
	const struct rewrite_target *target = arg;
	if (payload.len < RDB_FOOTER_LEN)
		return -EINVAL;
	size_t body_len = payload.len - RDB_FOOTER_LEN;
	const uint8_t *end = (const uint8_t *)payload.p + body_len;
	uint16_t version = (uint16_t)(end[0] | end[1] << 8);
	if (target_takes(target, version) && memcmp(end + 2, no_crc, sizeof(no_crc)) != 0)
		return 0;
	uint16_t lowest = payload_version_min(payload, version);
	if (lowest == 0 || !target_takes(target, lowest))
		return -ENOTSUP;
	footer_put(payload, lowest, footer);
	return 1;
}
