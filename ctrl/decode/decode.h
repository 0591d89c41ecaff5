// SPDX-License-Identifier: BSD-3-Clause
// From a file to what is shown: input -> reader -> filter -> printer and report.
#pragma once

#include "ctrl/decode/filter.h"
#include "ctrl/decode/printer.h"
#include "ctrl/failure.h"

struct report;

struct decode {
	const char *path;         // "-": the standard input
	struct printer *printer;  // NULL: none
	struct report *report;    // NULL: none
	struct decode_filter filter;
	// Called now and then; may be NULL.
	void (*progress)(void *arg, const struct decode *d);
	void *progress_arg;

	// Filled.
	uint64_t n_keys;    // seen
	uint64_t n_shown;
	uint64_t n_bytes;   // read
	uint64_t total;     // of the file, 0: not known
	uint64_t n_skipped; // values that were not wanted or cannot be taken apart
	int version;
	const char *magic;
	bool newer;         // a version that we do not know
	bool unsummed;      // the file has no checksum
};

// Read the file to its end, or to where it is damaged: then everything before is shown.
//
// @return 0, or -1 with f
int decode_run(struct decode *d, struct failure *f);
