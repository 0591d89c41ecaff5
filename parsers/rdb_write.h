// SPDX-License-Identifier: BSD-3-Clause
// A small RDB writer, into a caller's buffer and from there into a caller's sink.
//
//   init, header, aux..., selectdb, (key, body)..., eof
//
// Errors stick: after the first one every call does nothing, and rdb_write_eof() returns it. A body
// is written by its layout (parsers/rdb_types.h), e.g. a hash (type 4): rdb_write_len(pairs), then
// field and value by rdb_write_str().
#pragma once

#include "parsers/rdb.h"

// Takes the next bytes of the file. Returns 0 or -errno.
typedef int rdb_write_sink(void *arg, struct span out);

struct rdb_writer {
	int error;           // 0 or -errno
	size_t len;          // bytes in buf
	uint64_t n_sunk;     // bytes given to the sink
	char *lzf_buf;       // when set, strings of 21 to lzf_cap bytes are compressed
	size_t lzf_cap;

	uint8_t *buf;
	size_t cap;
	rdb_write_sink *sink;
	void *arg;
	uint64_t crc;        // of the bytes given to the sink
	int version;
};

// Attributes of a key; -1 for none.
struct rdb_write_attrs {
	int64_t expire_at_ms;
	int64_t idle_s;
	int freq;
};

#define RDB_WRITE_NO_ATTRS ((struct rdb_write_attrs){-1, -1, -1})

// @param sink  NULL: the whole file must fit into buf, -ENOSPC otherwise
void rdb_write_init(struct rdb_writer *w, void *buf, size_t cap, rdb_write_sink *sink, void *arg);

void rdb_write_header(struct rdb_writer *w, int version); // Redis's
void rdb_write_magic(struct rdb_writer *w, enum rdb_magic magic, int version);
void rdb_write_aux(struct rdb_writer *w, struct span key, struct span value);
void rdb_write_function(struct rdb_writer *w, struct span code);
void rdb_write_selectdb(struct rdb_writer *w, uint64_t db);
void rdb_write_resizedb(struct rdb_writer *w, uint64_t n_keys, uint64_t n_expires);

// Attributes, type byte and key; the body must follow.
void rdb_write_key(struct rdb_writer *w, uint8_t type, struct span key,
		   const struct rdb_write_attrs *attrs);

void rdb_write_len(struct rdb_writer *w, uint64_t len);
void rdb_write_str(struct rdb_writer *w, struct span s);   // as an integer or LZF where possible
void rdb_write_plain(struct rdb_writer *w, struct span s); // always as it is
void rdb_write_double(struct rdb_writer *w, double d);     // score of a zset_2 (type 5)
void rdb_write_le64(struct rdb_writer *w, uint64_t v);
void rdb_write_bytes(struct rdb_writer *w, struct span s); // raw: e.g. the body of an RDB_RAW event

// End of file and checksum, then everything into the sink.
//
// @return 0, or the first error
int rdb_write_eof(struct rdb_writer *w);
