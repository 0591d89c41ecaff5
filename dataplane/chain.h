// SPDX-License-Identifier: BSD-3-Clause
// The chain of a stream's ids. A source that fails over goes on with the same bytes under a new id;
// what was applied under an old one then counts for the new one, up to where we had the bytes of
// the old one when the new one took over:
//
//   runs[0].replid  |first -------- |first
//                     runs[1].replid  |             runs[2].replid ... newest, without an end
//
// An offset under an id that stands in the chain is proven when it is not behind the end of its
// run.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CHAIN_MAX      32 // older runs are forgotten
#define CHAIN_ID_LEN   41

struct chain_run {
	char replid[CHAIN_ID_LEN];
	uint64_t first; // from here on the stream has this id
};

struct chain {
	struct chain_run runs[CHAIN_MAX];
	unsigned n;
};

// A new history begins.
void chain_begin(struct chain *c, const char *replid, uint64_t offset);

// The same history goes on under another id. @param offset  up to here the old one is proven
void chain_rename(struct chain *c, const char *replid, uint64_t offset);

// The newest id, "" when there is none.
const char *chain_newest(const struct chain *c);

enum chain_verdict {
	CHAIN_PROVEN,  // the newest history holds these very bytes
	CHAIN_BEHIND,  // the id is known, but left the history before this offset
	CHAIN_UNKNOWN, // the id is not known
};

// @param end  out, when known: how far the id is proven, UINT64_MAX for the newest; NULL is allowed
enum chain_verdict chain_look(const struct chain *c, const char *replid, uint64_t offset,
			      uint64_t *end);
