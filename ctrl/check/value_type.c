// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/check/value_type.h"

static const struct value_type_row rows[] = {
	[VALUE_NONE] = {"none", NULL, NULL, NULL, 0},
	[VALUE_STRING] = {"string", "STRLEN %b", "GET %b", NULL, 1},
	[VALUE_LIST] = {"list", "LLEN %b", "LRANGE %b 0 -1", NULL, 1},
	[VALUE_SET] = {"set", "SCARD %b", "SMEMBERS %b", "SSCAN", 1},
	[VALUE_ZSET] = {"zset", "ZCARD %b", "ZRANGE %b 0 -1 WITHSCORES", "ZSCAN", 2},
	[VALUE_HASH] = {"hash", "HLEN %b", "HGETALL %b", "HSCAN", 2},
	[VALUE_STREAM] = {"stream", "XLEN %b", NULL, NULL, 0},
	[VALUE_OTHER] = {"", NULL, NULL, NULL, 0},
};

const struct value_type_row *value_type_row(enum value_type t)
{
	return &rows[t];
}

enum value_type value_type_find(struct span word)
{
	for (unsigned i = 0; i < VALUE_OTHER; i++)
		if (span_eq(word, span_of(rows[i].word)))
			return (enum value_type)i;
	return VALUE_OTHER;
}
