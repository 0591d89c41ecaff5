// SPDX-License-Identifier: BSD-3-Clause
// A check at work, private to ctrl/check.
#pragma once

#include "ctrl/check/databases.h"
#include "ctrl/check/suspects.h"
#include "ctrl/pace.h"

// Keys of one SCAN, copied: the next question to the same server wipes its answer out.
struct portion {
	char *bytes;
	size_t room;
	unsigned n;
	struct subject *keys; // SCAN may give more than it was asked for
	unsigned keys_room;
	char cursor[24];
};

struct check {
	const struct endpoint *source, *target;
	const struct check_options *options;
	struct check_result *result;
	struct failure *failure;
	struct pair pair;
	struct compare compare;
	struct databases databases;
	struct suspects suspects;
	struct portion portion;
	struct pace keys_pace, bytes_pace;
	uint64_t bytes_paid; // of those that the source sent
	bool mostly_missing; // in the target, of the last portion
	int db[2];
};

// keys_walk.c: the keys of the source, then those of the target, of the selected databases.
// @return 0 or -1
int source_walk(struct check *c);
int target_walk(struct check *c);

// check.c
int suspect_add(struct check *c, struct span key, enum difference d);

// Whether to go on. @return 0, or -1: INTERRUPTED
int check_goes_on(struct check *c);

// repair.c: give the target the source's state of all suspects, and compare them again: those that
// still differ stay. @return 0 or -1
int suspects_repair(struct check *c);
int functions_repair(struct check *c, bool *same);
