// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/server_version.h"

#include <stdio.h>

#include "parsers/info.h"

bool server_version_read(struct span info, struct server_version *out)
{
	char text[24];
	unsigned major, minor = 0;
	*out = (struct server_version){0};
	out->valkey = info_field(info, "valkey_version", text, sizeof(text));
	if (!out->valkey && !info_field(info, "redis_version", text, sizeof(text)))
		return false;
	snprintf(out->text, sizeof(out->text), "%s %s", out->valkey ? "valkey" : "redis", text);
	if (sscanf(text, "%3u.%3u", &major, &minor) >= 1 && major < 256 && minor < 256)
		out->at = SERVER_VERSION(major, minor);
	return true;
}

struct rdb_since {
	uint16_t since;
	uint16_t rdb_version;
};

static const struct rdb_since redis_rows[] = {
	{SERVER_VERSION(8, 10), 15}, {SERVER_VERSION(8, 8), 14}, {SERVER_VERSION(8, 6), 13},
	{SERVER_VERSION(7, 4), 12},  {SERVER_VERSION(7, 2), 11}, {SERVER_VERSION(7, 0), 10},
	{SERVER_VERSION(5, 0), 9},   {SERVER_VERSION(4, 0), 8},  {SERVER_VERSION(3, 2), 7},
	{SERVER_VERSION(0, 1), 6},
};
static const struct rdb_since valkey_rows[] = {
	{SERVER_VERSION(9, 2), 81},
	{SERVER_VERSION(9, 0), 80},
	{SERVER_VERSION(0, 1), 11},
};

uint16_t server_rdb_version(const struct server_version *v)
{
	if (!v->at)
		return 0;
	const struct rdb_since *row = v->valkey ? valkey_rows : redis_rows;
	while (v->at < row->since)
		row++;
	return row->rdb_version;
}
