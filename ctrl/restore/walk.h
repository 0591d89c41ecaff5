// SPDX-License-Identifier: BSD-3-Clause
// One pass over a file to be restored: first the bytes of its snapshot, then those of its stream,
// in runs as they lie in the window. The survey makes such a pass, and the primary one for each
// full sync or resume.
//
//   walk_open -> walk_snapshot... until 0 -> walk_stream... until 0 -> walk_close
#pragma once

#include "ctrl/decode/input.h"
#include "ctrl/aof/files.h"
#include "parsers/aof.h"
#include "parsers/rdb.h"
#include "parsers/server_version.h"

#define WALK_RUN_MAX (256u * 1024)

struct walk_settings {
	const struct aof_files *files;
	uint64_t snapshot_len; // when the snapshot was read before and need not be taken apart
	uint64_t stream_limit; // end the stream there, UINT64_MAX: with the file
	int64_t until_s; // end the stream at the first annotation of a later time, INT64_MAX: do
			 // not
	bool strict;           // a file that ends within a command is damaged
	uint64_t big_value;    // as the dataplane has it, so that both stumble over the same
	unsigned run_items;    // most keys or commands in one run
	size_t run_len;        // most bytes; a value of up to big_value stays whole
};

struct walk {
	struct walk_settings set;
	unsigned part;
	struct input in;
	size_t taken;          // bytes of the window that the caller has had
	struct rdb_reader rdb;
	bool rdb_open, snapshot_over;
	uint64_t snapshot_pos; // bytes of the snapshot given out
	struct aof_reader aof;
	bool aof_open, stream_over;
	uint64_t stream_pos;   // bytes of the stream given out
	uint64_t good_pos;     // of these, up to where no command or transaction is open
	uint64_t frame_max;    // bytes of the longest command or transaction
	uint64_t n_commands;
	bool timed;            // a time was seen, of the snapshot or of commands
	unsigned n_items;      // keys or commands in the last run

	// What was seen; only where the snapshot is taken apart.
	uint64_t now_ms;       // set by the caller after walk_open(): what is expired by then
	int rdb_version;
	bool unsummed;
	uint64_t ctime_at;
	int64_t ctime_s;
	struct server_version server;
	uint64_t n_keys, n_expired, n_modules, module_len_max, n_functions;
	bool in_module;        // one is being passed over
	uint64_t module_at;
	char cut[256];         // how the last file ends, where that is within a command; "" else
};

// @return 0, or -1 with f; walk_close() in every case
int walk_open(struct walk *w, const struct walk_settings *set, struct failure *f);
void walk_close(struct walk *w);

// The next bytes of the snapshot.
//
// @param run  out: valid until the next call
//
// @return 1, 0: there are no more, or -1: RESTORE_DAMAGED, RDB_UNSUPPORTED, RESTORE_FILE
int walk_snapshot(struct walk *w, struct span *run, struct failure *f);

// The next bytes of the stream: the commands as they lie in the files, annotations left out. Before
// those of each file comes a SELECT 0.
//
// @param run  out: valid until the next call
//
// @return as walk_snapshot()
int walk_stream(struct walk *w, struct span *run, struct failure *f);

// Leave the snapshot out, for one who has it; its length is known.
//
// @return 0, or -1 with f
int walk_snapshot_pass(struct walk *w, struct failure *f);
