// SPDX-License-Identifier: BSD-3-Clause
// A scan at work, private to ctrl/scan.
#pragma once

#include "ctrl/check/databases.h"
#include "ctrl/scan/follow.h"
#include "ctrl/scan/scan.h"

enum scan_stage {
	STAGE_PASS,      // every key of the source
	STAGE_FUNCTIONS, // and its functions
	STAGE_SWEEP,     // every key of the target that the source does not have
	STAGE_FOLLOW,    // what changes
	STAGE_DONE,
};

struct scan {
	const struct endpoint *source, *target;
	const struct scan_options *options;
	struct scan_progress *progress;
	struct failure *failure;
	struct state_dir dir;
	struct scan_state state;
	struct pair copying, scanning; // two connections to each side
	struct copier copier;
	struct walk walk;
	struct follow follow;
	struct databases databases;
	enum scan_stage stage;
	unsigned at;              // database of the pass or sweep
	bool connected;           // has been, once
	bool sweep;               // after this pass
	char run_id[RUN_ID_LEN];
	int64_t flushes;          // FLUSHALL, FLUSHDB and SWAPDB so far, -1 unknown
	uint64_t saved_ms, looked_ms, shown_ms;
};

// scan_life.c: from connecting to the end or the loss of a connection.
//
// @return 0 done, -1 failed
int scan_life(struct scan *s);
void scan_life_end(struct scan *s);

// scan_pass.c
int pass_begin(struct scan *s, bool resume);
int pass_turn(struct scan *s); // 1 something was done, 0 not, -1 failed
void through_take(struct scan *s); // what the walk has put through, into the state
int state_keep(struct scan *s, bool complete);
bool extra_keys_go(const struct scan *s);
void scan_note(struct scan *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
