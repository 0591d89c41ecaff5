// SPDX-License-Identifier: BSD-3-Clause
// Feed bytes to the RDB reader in slices, and what came out as text: for comparing one way of
// slicing with another.
#pragma once

#include "parsers/rdb.h"
#include "tests/unit/test.h"

// How many bytes arrive at a time.
enum feed {
	FEED_WHOLE,
	FEED_BYTES,  // one
	FEED_RANDOM, // by seed
};

struct feeder {
	struct rdb_settings set;
	enum feed how;
	unsigned seed;
	// Called with each event; may be NULL.
	void (*seen)(void *arg, const struct rdb_reader *r, const struct rdb_event *ev);
	void *arg;

	// Filled.
	enum rdb_result result; // RDB_MORE: truncated
	size_t n_events;
	uint64_t pos;
	int version;
	uint64_t n_skipped;
	size_t scratch_cap;
	char error[256];
};

#define FEED_SETTINGS ((struct rdb_settings){ \
	.window_len = 1 << 20, .big_len = 1 << 16, .scratch_len = 1 << 20})

void feed_run(struct feeder *f, struct span file);

// The events as text, one line each. The caller frees it.
char *feed_trace(struct feeder *f, struct span file);

// Feed whole, byte by byte and by seeds; each must give the same events. Returns the text.
char *feed_all_ways(struct feeder *f, struct span file);

// The one event of a kind that stands at position `n` of its kind in the trace, e.g.
// feed_line(text, "LIST_ITEM", 0); a static buffer, or NULL.
const char *feed_line(const char *trace, const char *kind, int n);
