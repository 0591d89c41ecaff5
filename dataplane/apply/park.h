// SPDX-License-Identifier: BSD-3-Clause
// Parked commands: what the target refused for good, kept on disk with its reason before it counts
// as parked. One JSON object a line in parked.jsonl of the link's state folder:
//
//   {"time_ms":N,"phase":"stream","offset":N,"db":N,"key":"text",
//    "reason":"text","command":"base64"}
//
// `offset` is the source's replication offset before the command (in phase snapshot: the byte of
// the RDB); `command` is RESP, as it was sent; `key` is its first argument after the name, with
// bytes outside printable ASCII as \u00XX.
#pragma once

#include <pthread.h>

#include "dataplane/apply/batch.h"
#include "drivers/disk.h"

struct park {
	const struct disk_ops *disk;
	struct disk_file *file; // NULL until the first command is parked
	const char *folder;
	char path[320];
	pthread_mutex_t lock; // lanes of several cores park into one file
};

// @param folder  the link's state folder; borrowed
void park_init(struct park *p, const struct disk_ops *disk, const char *folder);
void park_fini(struct park *p);

// Keep item i of a batch, whatever its size. Blocks until it is on disk; it is rare by nature.
//
// @param reason  the server's own words
// @return 0, or -errno (-ENOSPC: disk full): then it is not parked and must not be counted so
int park_item(struct park *p, const struct batch *b, unsigned i, const char *phase,
	      uint64_t wall_ms, struct span reason);
