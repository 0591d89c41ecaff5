// SPDX-License-Identifier: BSD-3-Clause
// LZF in pieces, for strings that must never be in memory as a whole (liblzf wants them whole).
// A match reaches at most 8 KiB back. Inner header of the reader.
#pragma once

#include "parsers/rdb.h"
#include "parsers/rdb_string.h"

#define RDB_LZF_REACH 8192

void rdb_lzf_begin(struct rdb_lzf *z, const struct rdb_str *s);

// Decompress until the output is full or the input ends.
//
// @param p        compressed bytes, moved on over what was taken
// @param out      where output goes on; the RDB_LZF_REACH bytes before it are the output so far
//                 (as much of them as there is)
// @param n_out    room
// @param n_done   bytes made
//
// @return RDB_TAKE_OK: n_out bytes were made; RDB_TAKE_MORE: the input ended before; RDB_TAKE_BAD
enum rdb_take rdb_lzf_run(struct rdb_lzf *z, const uint8_t **p, const uint8_t *end, uint8_t *out,
			  size_t n_out, size_t *n_done);

// Whether input and output ended together, as they must.
static inline bool rdb_lzf_ended(const struct rdb_lzf *z)
{
	return z->in_left == 0 && z->out_left == 0 && z->n_literal == 0 && z->n_match == 0;
}
