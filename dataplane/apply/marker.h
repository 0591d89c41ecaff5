// SPDX-License-Identifier: BSD-3-Clause
// The marker: one short string key in database 0 of the target, written in the same transaction as
// each batch, that says which offsets of which stream the target holds. The key:
//
//   __flyover:{LINK}:FIRST-LAST      the slots that it covers
//
// The value, fields separated by one space:
//
//   1 EPOCH SITE REPLID PHASE OFFSET DB RUN SEQ CLIENT
//
// PHASE is `snapshot` or `stream`; OFFSET is the source's replication offset up to which everything
// of these slots is applied (of the snapshot's bytes in phase snapshot); DB the database that the
// source's stream has selected there; RUN and SEQ number the batches of one life of a lane; CLIENT
// is the id of the connection that wrote it, so that a successor can close it first.
#pragma once

#include "parsers/slot.h"
#include "parsers/span.h"

#define MARKER_PREFIX   "__flyover:"
#define MARKER_KEY_LEN  128
#define MARKER_TEXT_LEN 320
#define MARKER_SET_LEN  (MARKER_KEY_LEN + MARKER_TEXT_LEN + 64)

// Beside the markers stands the epoch of the link, a number in
//
//   __flyover:{LINK}:epoch
//
// that every life of the link raises by one before it does anything else. Who finds another number
// than his own after a reconnect has been replaced, and stops.

enum marker_phase { MARKER_SNAPSHOT, MARKER_STREAM };

struct marker {
	uint64_t epoch;
	char site[64];
	char replid[41];
	enum marker_phase phase;
	uint64_t offset;
	int32_t db;
	uint64_t run, seq, client;
	uint64_t looks; // in a cluster: times that the epoch's life has read the markers again
};

// The first slot of lane i of n; that of lane n is SLOT_COUNT.
static inline unsigned slots_first(unsigned i, unsigned n)
{
	return i * SLOT_COUNT / n;
}

// @param out  MARKER_KEY_LEN bytes; @return its length
size_t marker_key(char *out, const char *link, unsigned first_slot, unsigned last_slot);

// The key of the epoch. @param out  MARKER_KEY_LEN bytes; @return its length
size_t marker_epoch_key(char *out, const char *link);

// Compose "SET epoch-key epoch" in RESP. @param out  MARKER_SET_LEN bytes; @return its length
size_t marker_epoch_set(char *out, const char *link, uint64_t epoch);

// Compose the value. @param out  MARKER_TEXT_LEN bytes; @return its length
size_t marker_text(char *out, const struct marker *m);

// Compose "SET key value" in RESP. @param out  MARKER_SET_LEN bytes; @return its length
size_t marker_set(char *out, struct span key, const struct marker *m);

// @return 0, or -EINVAL: not a marker of this format
int marker_parse(struct marker *m, struct span text);

// Whether a key is one of ours, that nobody else should see.
static inline bool marker_is_reserved(struct span key)
{
	return key.len >= sizeof(MARKER_PREFIX) - 1 &&
	       !memcmp(key.p, MARKER_PREFIX, sizeof(MARKER_PREFIX) - 1);
}
