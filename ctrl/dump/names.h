// SPDX-License-Identifier: BSD-3-Clause
// The keys of one database, named by SCAN and measured by MEMORY USAGE, ahead of whoever wants
// their values. Nobody waits here: what has come is taken.
//
//   SCAN -> group -> [MEMORY USAGE ->] ready -> (the caller) -> open is 0: the group is used again
#pragma once

#include "ctrl/dump/seen.h"
#include "ctrl/scan/copy.h"

#define NAMES_GROUPS 8 // that are named and not done with
#define NAMES_COUNT  1000

struct names {
	struct client *client; // ours alone
	bool measures;         // MEMORY USAGE is to be had
	const char *match;     // NULL: all
	struct copy_group groups[NAMES_GROUPS]; // ring, in the order of the scan
	unsigned head, n;
	char cursor[24]; // where the next SCAN goes on
	bool asked, ended;
	// Replies to come, a ring: a group whose sizes are told, or SCAN.
	struct {
		bool scan;
		unsigned group, left;
	} expected[NAMES_GROUPS + 1];
	unsigned first, n_expected;
	uint64_t named; // keys, each once
	uint64_t heard_ms, paused_until_ms, busy_since_ms; // 0: SCAN is answered
	struct seen seen;
};

// Begin with a database, which is selected. Nothing may be under way.
//
// @return 0 or -1 with f
int names_begin(struct names *n, int db, struct failure *f);

// Take what has come and ask for more.
//
// @param ready  keys whose turn it is are added here
// @return 1 something was done, 0 not, -1 failed
int names_turn(struct names *n, struct copy_list *ready, struct failure *f);

// Everything was named, and is done with.
bool names_are_through(const struct names *n);

void names_free(struct names *n);
