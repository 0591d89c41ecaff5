// SPDX-License-Identifier: BSD-3-Clause
// Find the end of an encoded value without decoding it. Resumable at any byte, so that a value fed
// in small slices is looked at once. Inner header of the reader.
#pragma once

#include "parsers/rdb.h"
#include "parsers/rdb_string.h"

// What stands before a value of an array (sparsearray.h of Redis 8.8, AR_RDB_TAG_*).
enum {
	RDB_ARRAY_TAG_STRING,
	RDB_ARRAY_TAG_INT,
	RDB_ARRAY_TAG_FLOAT,
	RDB_ARRAY_TAG_SHORT, // a string, too
};

// @param layout  as in struct rdb_type
void rdb_skim_begin(struct rdb_skim *s, const char *layout);

// Go on over the bytes at *p; they are not looked at again, and may be released.
//
// @param limit  give up once the value is known to be longer
//
// @return RDB_TAKE_OK: *p stands behind the value; RDB_TAKE_MORE: *p stands where to go on;
//         RDB_TAKE_OVER: longer than limit; RDB_TAKE_BAD
enum rdb_take rdb_skim_run(struct rdb_skim *s, const uint8_t **p, const uint8_t *end,
			   uint64_t limit);
