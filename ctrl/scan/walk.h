// SPDX-License-Identifier: BSD-3-Clause
// Walking through one database by SCAN, on a connection of its own, and giving its keys to the
// copier. The cursor up to which everything is through can be kept and gone on from.
#pragma once

#include "ctrl/scan/copy.h"

#define WALK_GROUPS 4
#define WALK_COUNT  1000
#define CURSOR_LEN  24

struct walk_group {
	struct copy_group group;
	char next[CURSOR_LEN]; // where SCAN goes on after it
};

struct walk {
	struct client *scanned; // whom SCAN is asked
	struct client *known;   // NULL; else only keys that this one does not have are given
	int db[2];
	struct walk_group groups[WALK_GROUPS]; // ring, in the order of the walk
	unsigned head, n;
	char cursor[CURSOR_LEN];  // of the SCAN that was asked
	char through[CURSOR_LEN]; // "0" at the end, and at the beginning
	bool asked, ended;
	uint64_t seen;     // keys named
	uint64_t asked_ms; // when
	uint64_t paused_until_ms;
};

// Begin at a cursor. Selects the databases.
//
// @param known   NULL to give every key
// @param cursor  "0" for all
// @return 0 or -1 with f
int walk_begin(struct walk *w, struct client *scanned, struct client *known, const int db[2],
	       int scanned_db, int known_db, const char *cursor, struct failure *f);

// Take what SCAN gave, ask for more, and see what is through.
//
// @return 1 something was done, 0 not, -1 failed
int walk_turn(struct walk *w, struct copier *c);

// See what is through, and nothing else.
void walk_settle(struct walk *w);

// Everything is through.
bool walk_is_through(const struct walk *w);

// Connections were opened anew: forget what is under way.
void walk_forget(struct walk *w);
void walk_free(struct walk *w);
