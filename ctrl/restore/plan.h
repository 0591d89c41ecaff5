// SPDX-License-Identifier: BSD-3-Clause
// The plan of a restore: what a first look at the file has found, and what the primary then serves.
//
//   FILE --survey()--> plan --primary_start()--> +FULLRESYNC id BASE, $len, RDB, commands, PINGs
//
// The stream's id is a digest of the very bytes that are served, so whoever starts the same restore
// again may go on where the target's markers are, and nobody goes on in another file.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <xxhash.h>

#include "ctrl/aof/files.h"
#include "ctrl/failure.h"
#include "parsers/server_version.h"

#define PLAN_REPLID_LEN  40
#define PLAN_BASE_OFFSET 1 // of the stream where the snapshot was taken

struct plan {
	const char *name;          // of the file, as the user gave it
	const struct aof_files *files;
	int64_t until_s;           // the time at which the stream ends, INT64_MAX: with the file
	uint64_t file_len;         // of all parts
	uint64_t snapshot_len;     // of the RDB; 0: there is none, an empty one is served
	uint64_t stream_len;       // of the commands behind it
	char replid[PLAN_REPLID_LEN + 1];
	XXH128_hash_t snapshot_digest, stream_digest;

	int rdb_version;           // 0: no RDB
	bool unsummed;             // the RDB has no checksum
	bool timed;                // there is a time to hold against until_s
	uint64_t ctime_at;         // where the RDB names the time it was taken, 0: it does not
	struct server_version server; // that wrote the file
	uint64_t n_keys;           // of the RDB
	uint64_t n_expired;        // of these: their time was over when the survey saw them
	uint64_t n_modules;        // values of modules, which only a target with these can take
	uint64_t module_len_max;
	uint64_t n_functions;      // libraries
	uint64_t n_commands;       // of the stream
	uint64_t frame_max;        // bytes of its longest command or transaction
	char cut[256];             // how the file ends, where that is within a command; "" else
};

// The offset at which the stream ends, PINGs left aside.
static inline uint64_t plan_end(const struct plan *p)
{
	return PLAN_BASE_OFFSET + p->stream_len;
}
