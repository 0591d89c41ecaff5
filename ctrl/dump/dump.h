// SPDX-License-Identifier: BSD-3-Clause
// An RDB file of a live server, taken without being on its host.
//
// As a replica (the usual way): the snapshot that the source makes for us, byte for byte, of one
// moment. With a filter: of that, the keys that fit, each as it lies in the snapshot. By scan,
// where the source gives no right to replicate: what DUMP gives for each key that SCAN names, so
// each key is in a state of its own moment.
//
// The file appears under its name once it is whole, checked and on the disk, and never before.
#pragma once

#include "ctrl/decode/filter.h"
#include "ctrl/failure.h"
#include "dataplane/contract/contract.h"
#include "parsers/psync.h"
#include "parsers/server_version.h"

struct dump_progress {
	const char *phase;    // "connecting", "snapshot"
	bool by_scan;
	uint64_t bytes;       // received
	uint64_t bytes_total; // that will be; 0: not known
	uint64_t keys;        // seen
	uint64_t keys_total;  // that the source said it has; 0: not known
	uint64_t kept;        // keys that are in the file
	uint64_t gone;        // by scan: keys that were gone when it was their turn
	uint64_t written;     // bytes of the file
	char waiting[160];    // "" when nothing is waited for
	int version;          // of the RDB; 0: not known yet
	enum rdb_magic magic;
	struct server_version server;
	struct psync_place
		place; // of the source's stream, at the moment of the snapshot; "" by scan
};

struct dump_options {
	const char *path; // of the file; "-" for the standard output
	bool force;       // replace a file that is there
	bool by_scan;
	bool filtered;
	struct decode_filter filter;
	uint64_t bytes_per_s; // from the source; 0: no limit
	unsigned wait_ms;     // how long a source may say LOADING and the like
	// All are given arg. progress: some times a second. note: a sentence worth telling.
	// go_on: @return false to end without a file
	void (*progress)(void *arg, const struct dump_progress *p);
	void (*note)(void *arg, const char *sentence);
	bool (*go_on)(void *arg);
	void *arg;
};

// Run to the end.
//
// @param p  out: how far it came, also on failure
// @return 0 the file is there; -1 with f, and nothing is left behind
int dump_run(const struct endpoint *source, const struct dump_options *o, struct dump_progress *p,
	     struct failure *f);
