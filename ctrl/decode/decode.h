// SPDX-License-Identifier: BSD-3-Clause
// From a file to what is shown: input -> reader -> filter -> printer and report.
#pragma once

#include "ctrl/decode/printer.h"
#include "ctrl/failure.h"

struct report;

// Which keys are shown. Zero shows all.
struct decode_filter {
	bool one_db;
	uint64_t db;
	const char *match; // glob as KEYS has it, or NULL
	const char *type;  // "zset", "module", a module's name, or NULL
	uint64_t limit;    // keys, 0: all
};

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

// Glob as Redis's KEYS: * ? [a-z] [^a-z] \x.
bool glob_matches(struct span pattern, struct span text);
