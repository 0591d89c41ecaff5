// SPDX-License-Identifier: BSD-3-Clause
// Feed the AOF reader in slices, and write down what it says.
#pragma once

#include "parsers/aof.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"

#define FEED_BIG_LEN AOF_BIG_LEN_MIN

struct aof_feed {
	size_t slice;          // bytes that become visible at a time; 0: all at once
	struct random *random; // with it: slices of 1 to `slice` bytes

	// Filled.
	char *trace;           // one line an event; to be freed
	enum aof_result result;
	enum aof_ending ending; // with AOF_MORE
	uint64_t good, n_commands;
	char error[256];
};

// Everything that the reader says of these bytes. Fails the test when the bytes taken are not just
// the input, or the reader asks for more than it may.
//
// @param preamble_len  where an RDB preamble ends, should the reader tell of one
void aof_feed_run(struct aof_feed *f, struct span file, size_t preamble_len);

// Whole, one byte at a time and in random slices: fails the test unless all say the same.
//
// @return the run with the whole file; its trace is to be freed
struct aof_feed aof_feed_all_ways(struct span file, size_t preamble_len, struct random *random);
