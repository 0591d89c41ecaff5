// SPDX-License-Identifier: BSD-3-Clause
// The footer of a RESTORE payload: payload = type byte, body, footer. The footer is the RDB version
// (2 bytes LE) and the CRC64 of everything before it (8 bytes LE): Redis, createDumpPayload().
#pragma once

#include "parsers/span.h"

#define RDB_FOOTER_LEN 10

struct rdb_footer {
	uint64_t crc;
	uint16_t version;
};

// Incremental, so that a body in several pieces needs no copy: begin, feed..., end.
//
// @param type     type byte, counted into the sum; the caller sends it before the body
// @param version  the lowest version that owns the type: rdb_event.footer_version
void rdb_footer_begin(struct rdb_footer *f, uint8_t type, uint16_t version);
void rdb_footer_feed(struct rdb_footer *f, struct span body);
void rdb_footer_end(struct rdb_footer *f, uint8_t out[RDB_FOOTER_LEN]);

// The same for a body in one piece. Returns RDB_FOOTER_LEN.
size_t rdb_restore_footer(uint8_t type, uint16_t version, struct span body,
			  uint8_t out[RDB_FOOTER_LEN]);
