// SPDX-License-Identifier: BSD-3-Clause
// What a scan keeps on disk, to go on after it ended: up to which cursor of which database
// everything is in the target. A cursor holds as long as the source's process lives (run_id).
#pragma once

#include "ctrl/daemon/state_dir.h"
#include "ctrl/endpoint.h"
#include "ctrl/scan/walk.h"

#define RUN_ID_LEN 48

struct scan_state {
	char source[ENDPOINT_TEXT_LEN], target[ENDPOINT_TEXT_LEN]; // URLs without passwords
	char run_id[RUN_ID_LEN];       // "" unknown: cannot be gone on from
	int db;                        // databases before it are through; -1: nothing is
	char cursor[CURSOR_LEN];       // in it
	uint64_t keys, gone;           // copied and deleted by then
	bool target_was_empty;         // when the first run began
	bool complete;                 // the scan came to its end
};

// @return 1 read, 0 there is none (or none that makes sense), -1 with f
int scan_state_read(const struct state_dir *d, struct scan_state *s, struct failure *f);

// Put it in the place of the old one, and onto the disk. @return 0 or -1 with f
int scan_state_write(const struct state_dir *d, const struct scan_state *s, struct failure *f);
