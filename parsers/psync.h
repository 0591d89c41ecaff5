// SPDX-License-Identifier: BSD-3-Clause
// The lines that a primary says before a snapshot or a stream: its answer to PSYNC, and the header
// of the snapshot. Source: replication.c of Redis 2.8 to 8.x, syncWithMaster() and
// readSyncBulkPayload().
#pragma once

#include "parsers/span.h"

#define REPLID_LEN   40
#define EOF_MARK_LEN 40

// Where the stream begins or goes on.
struct psync_place {
	char replid[REPLID_LEN + 1];
	uint64_t offset;
};

// "+FULLRESYNC ID OFFSET". @return false for anything else
bool psync_fullresync_read(struct span line, struct psync_place *out);

// "+CONTINUE [ID]", of which nothing else is looked at.
//
// @param replid  out, REPLID_LEN + 1 bytes: left alone where the line has none
void psync_continue_read(struct span line, char *replid);

// How the end of a snapshot is known.
struct psync_header {
	uint64_t len;                // 0 with mark
	char mark[EOF_MARK_LEN + 1]; // "" with len
};

// "$LENGTH" or "$EOF:MARK". @return false for anything else
bool psync_header_read(struct span line, struct psync_header *out);

// Whether a refusal passes by itself: data are loaded, a script runs, the primary's own is away.
//
// @param error  with or without its '-'
bool psync_error_passes(struct span error);
