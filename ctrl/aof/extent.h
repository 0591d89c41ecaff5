// SPDX-License-Identifier: BSD-3-Clause
// How far the commands of a file are to be taken: found out before the first of them is used, so
// that nothing of a transaction or command that is not whole ever gets out.
#pragma once

#include "parsers/aof.h"

// No limit in time.
#define AOF_UNTIL_NONE INT64_MAX

struct aof_extent {
	uint64_t from;          // offset of the first byte of commands
	uint64_t good;          // take the commands up to here, and none behind
	uint64_t len;           // of the file, as it was read
	bool damaged;           // behind `good`: error says how
	bool until;             // `good` is where a later time begins; the rest was not read
	enum aof_ending ending; // unless damaged or until; not AOF_WHOLE: error says how
	uint64_t n_commands;    // before `good`
	int64_t first_s;        // unix time of the first and the last annotation, -1: none
	int64_t last_s;
	char error[256];        // a sentence without a full stop, "" when all is well
};

// Read the commands of a file to their end, keeping none of them.
//
// @param path     a regular file
// @param from     offset behind an RDB preamble, 0: there is none
// @param until_s  unix time: stop at the first annotation that is later; or AOF_UNTIL_NONE
// @param e        filled
//
// @return 0, or -errno when the file cannot be read; -ESPIPE when it is no regular file
int aof_extent_find(const char *path, uint64_t from, int64_t until_s, struct aof_extent *e);
