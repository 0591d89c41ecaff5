// SPDX-License-Identifier: BSD-3-Clause
// The survey: a first pass over the whole file, before anything is written to the target. What is
// damaged, cut short or of a version that nobody knows is found here.
#pragma once

#include "ctrl/restore/plan.h"

struct survey {
	const char *name;   // of the file, as the user gave it; kept in the plan
	int64_t until_s;    // leave out what was written later, unix time; INT64_MAX: nothing
	bool strict;        // a file that ends within a command is damaged
	uint64_t big_value; // as the dataplane will have it
	// Called now and then, with the bytes passed; false ends the survey.
	bool (*progress)(void *arg, uint64_t passed, uint64_t total);
	void *arg;
};

// @param files  kept in the plan
//
// @return 0, or -1: RESTORE_DAMAGED, RDB_UNSUPPORTED, RESTORE_FILE, UNTIL_TIME, INTERRUPTED,
//         MEMORY
int survey_run(const struct survey *s, const struct aof_files *files, struct plan *plan,
	       struct failure *f);
