// SPDX-License-Identifier: BSD-3-Clause
// One pass over a file to be restored: first the bytes of its snapshot, then those of its stream,
// in runs as they lie in the window. The survey makes such a pass, and the primary one for each
// full sync or resume.
//
//   walk_open -> walk_snapshot... until 0 -> walk_stream... until 0 -> walk_close
#pragma once

#include "ctrl/decode/input.h"
#include "ctrl/failure.h"
#include "ctrl/restore/parts.h"
#include "parsers/rdb.h"
#include "parsers/server_version.h"

#define WALK_RUN_MAX (256u * 1024)

struct walk_settings {
	const struct parts *parts;
	uint64_t snapshot_len; // when the snapshot was read before and need not be taken apart
	uint64_t big_value;    // as the dataplane has it, so that both stumble over the same
	unsigned run_items;    // most keys or commands in one run
	size_t run_len;        // most bytes; a value of up to big_value stays whole
};

struct walk {
	struct walk_settings set;
	unsigned part;
	struct input in;
	size_t taken;          // bytes of the window that the caller has had
	uint64_t passed;       // bytes of the part before the window
	struct rdb_reader rdb;
	bool rdb_open, snapshot_over;
	uint64_t snapshot_pos; // bytes of the snapshot given out
	unsigned n_items;      // keys or commands in the last run

	// What was seen; only where the snapshot is taken apart.
	uint64_t now_ms;       // set by the caller after walk_open(): what is expired by then
	int rdb_version;
	bool unsummed;
	uint64_t ctime_at;
	struct server_version server;
	uint64_t n_keys, n_expired, n_modules, module_len_max, n_functions;
	bool in_module;        // one is being passed over
	uint64_t module_at;
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

// Leave the snapshot out, for one who has it; its length is known.
//
// @return 0, or -1 with f
int walk_snapshot_pass(struct walk *w, struct failure *f);
