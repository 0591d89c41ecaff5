// SPDX-License-Identifier: BSD-3-Clause
// Following a source by its keyspace notifications: they name the keys that have changed, which
// are then copied as they are. What notifications cannot say: what happened while we were not
// connected, and FLUSHALL, FLUSHDB and SWAPDB, which are seen by their counters. After either,
// everything is gone through again.
#pragma once

#include "ctrl/scan/dirty.h"
#include "ctrl/scan/walk.h"

#define FOLLOW_GROUP_KEYS 256
#define FOLLOW_GROUPS     4

struct follow {
	struct client client;    // subscribed
	struct dirty dirty;
	struct copy_group groups[FOLLOW_GROUPS];
	int only_db, target_db;  // of the source, -1 for all; and where it goes
	bool lost;               // something went unseen: everything has to be gone through again
	uint64_t events;         // named a key
	uint64_t heard_ms, pinged_ms;
	char settings[32];       // notify-keyspace-events as it was before us
	bool changed;            // we have set it
};

// Switch notifications on at the source where they are not (by its client `c`), and subscribe.
//
// @param trust  do not ask for the setting: the service refuses CONFIG
// @return 0 or -1 with f
int follow_begin(struct follow *w, struct client *c, const struct endpoint *source, int only_db,
		 int target_db, bool trust, struct failure *f);

// Put the setting back as it was, if we had changed it.
void follow_end(struct follow *w, struct client *c);
void follow_free(struct follow *w);

// Take the events that have come, and give keys to the copier as far as it takes them.
//
// @return 1 something was done, 0 not, -1 failed: the connection
int follow_turn(struct follow *w, struct copier *c);

// Take the events that have come, while something else is at work for long.
void follow_listen(struct follow *w);

// Connections were opened anew.
void follow_forget(struct follow *w);
