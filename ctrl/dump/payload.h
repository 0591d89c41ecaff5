// SPDX-License-Identifier: BSD-3-Clause
// What DUMP gives for a key, into an RDB: payload = type byte, body, footer (parsers/rdb_footer.h),
// and the body is that of the file. It may come in pieces; none of it is kept.
#pragma once

#include "ctrl/decode/filter.h"
#include "parsers/rdb_footer.h"
#include "parsers/rdb_write.h"

#define PAYLOAD_LEN_MIN (1 + RDB_FOOTER_LEN)

struct payload {
	struct rdb_writer *w;
	enum rdb_magic magic;
	int version; // of the file
	bool kept;   // else it is passed over
	bool begun;
	uint64_t left; // bytes of the body to come
	struct rdb_footer sum;
	uint8_t footer[RDB_FOOTER_LEN];
	size_t n_footer;
};

enum payload_verdict {
	PAYLOAD_OK,
	PAYLOAD_DAMAGED,  // its checksum is wrong, or it is too short
	PAYLOAD_NEWER,    // of a later version than the file
	PAYLOAD_NO_FILE,  // of a type that stands in no file, or that we do not know
};

// Begin with a key.
//
// @param len     bytes of the payload
// @param head    its first bytes: REPLY_HEAD_MIN, or all
// @param wanted  decides by type whether the key is kept
// @return PAYLOAD_OK, PAYLOAD_DAMAGED, PAYLOAD_NO_FILE
enum payload_verdict payload_begin(struct payload *p, uint64_t len, struct span head,
				   struct span key, int64_t expire_at_ms,
				   const struct decode_filter *wanted);

void payload_feed(struct payload *p, struct span bytes);

// Everything was fed.
enum payload_verdict payload_end(struct payload *p);

// The version that a payload's footer tells. @param payload  whole, at least PAYLOAD_LEN_MIN
int payload_version(struct span payload);
