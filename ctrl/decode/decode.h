// SPDX-License-Identifier: BSD-3-Clause
// From a file to what is shown: input -> reader -> filter -> printer and report. The file is an
// RDB, an AOF, an AOF with an RDB in front of it, or a folder of these with its manifest.
#pragma once

#include "ctrl/decode/filter.h"
#include "ctrl/decode/printer.h"
#include "ctrl/failure.h"

struct report;

#define DECODE_NOTE_LEN 768

struct decode {
	const char *path;         // "-": the standard input; see ctrl/aof/files.h
	struct printer *printer;  // NULL: none
	struct report *report;    // NULL: none
	struct decode_filter filter;
	bool strict;              // an AOF that ends early is damaged
	bool has_until;           // take the commands of an AOF up to a time
	int64_t until_s;          // unix time
	// Called now and then; may be NULL.
	void (*progress)(void *arg, const struct decode *d);
	void *progress_arg;

	// Filled.
	uint64_t n_keys;    // seen
	uint64_t n_commands; // of an AOF, seen
	uint64_t n_shown;
	uint64_t n_bytes;   // read
	uint64_t total;     // of the file, 0: not known
	uint64_t n_skipped; // values that were not wanted or cannot be taken apart
	int version;              // of the RDB, 0: there was none
	const char *magic;        // "REDIS", "VALKEY", "AOF"
	bool newer;         // a version that we do not know
	bool unsummed;      // the file has no checksum
	char note[DECODE_NOTE_LEN]; // what the user should know of the AOF, "" for nothing
};

// Read the file to its end, or to where it is damaged: then everything before is shown.
//
// @return 0, or -1 with f
int decode_run(struct decode *d, struct failure *f);
