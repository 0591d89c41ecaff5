// SPDX-License-Identifier: BSD-3-Clause
// The manifest of a multi-part AOF (Redis 7.0 on): which files of the directory belong to it, and
// in which order. Format: aof.c of Redis 7.0 to 8.x and Valkey 7.2 to 9.
//
//   file appendonly.aof.2.base.rdb seq 2 type b
//   file "name with spaces" seq 1 type h
//   file appendonly.aof.2.incr.aof seq 2 type i startoffset 9703
//   # a comment
#pragma once

#include "parsers/span.h"

#define AOF_NAME_LEN      255       // longest file name
#define AOF_MANIFEST_LINE 1024      // longest line, its line end included: what servers take
#define AOF_MANIFEST_LEN  (1 << 20) // longest manifest that is believed
#define AOF_PARTS_MAX     4096

enum aof_part_type {
	AOF_PART_BASE = 'b',    // at most one: what was there when the last rewrite began
	AOF_PART_INCR = 'i',    // what came after it
	AOF_PART_HISTORY = 'h', // no longer part of the data; the server has yet to delete it
};

struct aof_part {
	char name[AOF_NAME_LEN + 1]; // of a file beside the manifest: never a path
	uint64_t seq;
	enum aof_part_type type;
	int64_t start_offset; // replication offset where it begins (newer servers), -1: not told
	int64_t end_offset;
};

struct aof_manifest {
	struct aof_part *parts; // base first, then increments by ascending seq; no history
	size_t n_parts;
	size_t n_history;       // files that were named as such
	unsigned line;          // with an error: where, from 1; 0: the manifest as a whole
	char error[256];        // one sentence without a full stop, names the line
};

// Read a manifest. Refused: a name with '/' or a NUL in it, "." and "..", a name that is there
// twice, two bases, increments out of order, a line that is too long, cut short or malformed, and a
// manifest without any part.
//
// @param text  the whole file; nothing points into it afterwards
//
// @return 0; -EINVAL, see m->error; or -ENOMEM. m needs aof_manifest_fini() only after 0
int aof_manifest_read(struct aof_manifest *m, struct span text);
void aof_manifest_fini(struct aof_manifest *m);
