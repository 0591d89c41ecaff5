// SPDX-License-Identifier: BSD-3-Clause
// A dump at work, private to ctrl/dump.
#pragma once

#include "ctrl/check/client.h"
#include "ctrl/dump/dump.h"
#include "ctrl/dump/fresh_file.h"

#define SHORT_WAIT_MS 100 // nobody is left waiting for longer without being asked to go on

struct dump {
	const struct endpoint *source;
	const struct dump_options *options;
	struct dump_progress *progress;
	struct failure *failure;
	struct fresh_file file;
	uint64_t shown_ms;
	uint64_t waiting_since_ms; // for a source that cannot yet; 0: not
};

// Show how far it is, and ask whether to go on. Cheap enough for every turn.
//
// @return 0, or -1 with the failure: CUT_SHORT
int dump_goes_on(struct dump *d);

void dump_note(struct dump *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Wait a little for a source that cannot yet.
//
// @param why  its words
// @return 0 try again, -1 it took too long: DEADLINE, or nobody wants to wait: CUT_SHORT
int dump_wait(struct dump *d, struct span why);

// Connect and log in, waiting for a source that loads its data.
int dump_connect(struct dump *d, struct client *c);

// Ask for version and number of keys; nothing if it does not tell.
//
// @return 0, or -1 when the connection failed
int dump_look(struct dump *d, struct client *c);

// Write to the file: a sink for struct rdb_writer. @param arg  the dump
int dump_write(void *arg, struct span bytes);

// Say why writing failed. @param rc  -errno @return -1
int dump_not_written(struct dump *d, int rc);

enum dump_end {
	DUMP_FAILED = -1,
	DUMP_DONE,
	DUMP_REFUSED, // the source gives no right to replicate; the failure has its words
};

// The two ways. What was written is not kept yet.
enum dump_end dump_as_replica(struct dump *d);
int dump_by_scan(struct dump *d);
