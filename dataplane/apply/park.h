// SPDX-License-Identifier: BSD-3-Clause
// Parked commands: what the target refused for good, kept on disk with its reason before it counts
// as parked. One JSON object a line in parked.jsonl of the link's state folder:
//
//   {"time_ms":N,"phase":"stream","replid":"hex","offset":N,"db":N,"verb":"text","key":"text",
//    "reason":"text","command":"base64"}
//
// `offset` is the source's replication offset before the command (in phase snapshot: the byte of
// the RDB), in the history `replid`; `command` is RESP, as it was sent; `verb` is its name and
// `key` its first argument after it, with bytes outside printable ASCII as \u00XX. They and the
// reason are cut at PARK_TEXT_MAX bytes. An empty `command` is a key of a snapshot too large to be
// kept, of which there is only the name. `command` comes last, so that a reader may leave it out.
//
// The number of a line is the id of its command; see ctrl/parked/journal.h for those who read and
// settle them.
#pragma once

#include <pthread.h>

#include "dataplane/apply/batch.h"
#include "drivers/disk.h"

#define PARK_TEXT_MAX 1024

struct park {
	const struct disk_ops *disk;
	const char *folder;
	char path[320];
	pthread_mutex_t lock; // lanes of several cores park into one file
};

// @param folder  the link's state folder; borrowed
void park_init(struct park *p, const struct disk_ops *disk, const char *folder);
void park_fini(struct park *p);

// What to park, and why.
struct park_record {
	const char *phase;     // "snapshot" or "stream"
	const char *replid;    // 40 characters at most
	uint64_t wall_ms;
	uint64_t offset;
	int32_t db;
	struct span verb, key; // cut at PARK_TEXT_MAX
	struct span reason;    // likewise
	const struct batch
		*b; // its item i is the command; NULL: only its name can be kept, and the
	unsigned i;            // "command" stays empty
};

// Keep it. Blocks until it is on disk; it is rare by nature.
//
// @return 0, or -errno (-ENOSPC: disk full): then it is not parked and must not be counted so
int park_put(struct park *p, const struct park_record *what);

// Keep item i of a batch, whatever its size. Blocks until it is on disk; it is rare by nature.
//
// @param reason  the server's own words
// @return as park_put()
int park_item(struct park *p, const struct batch *b, unsigned i, const char *phase,
	      uint64_t wall_ms, struct span reason);
