// SPDX-License-Identifier: BSD-3-Clause
// The checkpoint: what this link knows of its target, kept in its own state folder. The markers in
// the target say where to go on; the checkpoint is the second witness, which tells a target that
// came back older, or empty, from one that was never ours, and proves old ids of the stream. A text
// file, one word and its value a line, the last line is the sum of all before:
//
//   flyover-checkpoint 1
//   link NAME
//   target HOST:PORT/DB | PATH/DB | sentinel NAME/DB | cluster HOST:PORT
//   epoch N, run N, phase snapshot|stream, marked 0|1, spoilt 0|1, ours 0|1, db N, frontier N,
//   delivery exactly-once|at-least-once, released N
//   emptied 1                   only while that is so
//   chain REPLID FIRST          one line for each run, oldest first
//   kept REPLID OFFSET LEN      of the snapshot on disk, if there is one
//   full-sync MS REASON
//   crc64 HEX
#pragma once

#include "dataplane/apply/marker.h"
#include "dataplane/chain.h"
#include "dataplane/contract/contract.h"

#define CHECKPOINT_FILE    "checkpoint"
#define CHECKPOINT_LEN_MAX 8192
#define CHECKPOINT_TARGET_LEN 400

struct checkpoint {
	char link[NAME_LEN];
	char target[CHECKPOINT_TARGET_LEN]; // where it is, as far as that can be told
	uint64_t epoch, run;     // of the life that wrote this
	enum marker_phase phase;
	bool marked;             // the target had our markers, all of phase stream
	bool spoilt;             // no marker can tell what the target lacks: only a full sync helps
	bool emptied;            // the source was: keys that the next full sync lacks have to go
	bool ours;               // the target was empty, or marked, as the link first began
	bool exactly_once;
	int32_t db;              // selected in the stream where it is routed
	uint64_t frontier;       // up to here the target has answered
	uint64_t released;       // held expiries were given back at this offset, 0: not yet
	struct chain chain;      // of the stream
	char kept_replid[CHAIN_ID_LEN]; // of the snapshot that is kept on disk
	uint64_t kept_offset;    // of the stream where it was taken
	uint64_t kept_len;       // bytes of its RDB, 0: none is kept
	uint64_t full_sync_ms;   // wall clock of the last full sync, 0: none
	char full_sync[TEXT_LEN]; // its reason
};

// Where a target is, for comparing: of a master that sentinels watch its name, which a failover
// leaves as it is. @param out  CHECKPOINT_TARGET_LEN bytes
void checkpoint_target(char *out, const struct endpoint *target);

// Compose the file. @param out  CHECKPOINT_LEN_MAX bytes; @return its length
size_t checkpoint_text(const struct checkpoint *c, char *out);

// @param why  out, on error: TEXT_LEN bytes, what is wrong with it
// @return 0, or -EBADMSG: damaged, or of a version that we do not know
int checkpoint_parse(struct checkpoint *c, struct span text, char *why);
