// SPDX-License-Identifier: BSD-3-Clause
// A giant: one command, or one transaction, of which the log's window would hold too much.
//
//   NONE --giant_begin()--> COLLECTING --its last byte--> WHOLE --its last command--> NONE
//
// Its bytes go to an unnamed file as they come, and the log lets go of them; only headers are
// looked at. When it is whole the file is mapped, and its commands are taken out of there as others
// are out of the log: the same arguments, the same batches. Each batch that has some of it
// holds the file until it is answered.
//
// What it takes of our memory: pages of the mapping while they are looked at or sent, and a few
// words a command of a transaction (GIANT_COMMANDS_MAX bounds that).
//
// Owner: the core that routes.
#pragma once

#include "dataplane/contract/contract.h"
#include "drivers/memory.h"
#include "parsers/resp_skim.h"

#define GIANT_COMMANDS_MAX (4u << 20) // of one transaction: 24 bytes each, so 100 MB at most

enum giant_state { GIANT_NONE, GIANT_COLLECTING, GIANT_WHOLE };

struct giant {
	enum giant_state state;
	const char *folder;       // of the file; borrowed
	struct memory_file *file; // NULL in NONE
	bool transaction;         // it ends with EXEC, else with its first command
	uint64_t begin;           // offset of its first byte in the stream
	uint64_t end;             // of the next byte to collect; once whole: after its last
	uint64_t n_commands;
	uint32_t argc_max;        // of one command
	struct resp_skim skim;    // what has come; once whole: what was taken out
	uint64_t forgotten;       // bytes of the file behind which our pages may still be

	char waiting[TEXT_LEN];   // why it cannot go on, "" when it can
	uint64_t waiting_since_ms, tried_ms; // wall clock
};

// Begin to collect. @return 0, or -errno: no file can be made there
int giant_begin(struct giant *g, uint64_t begin, bool transaction);

// Collect bytes that follow those so far.
//
// @param used  out: how many belong to it and are in the file now
// @return 1 it is whole and mapped, 0 it needs more, or -errno: -ENOSPC, -EDQUOT (what was used is
//         safe, try the rest later), -EBADMSG (skim.error), -E2BIG too many commands, others
int giant_collect(struct giant *g, struct span in, size_t *used);

// Take the next command out of a whole one; the last one ends at `end`.
//
// @param argv  filled, room for argc_max; the bytes are the file's
// @param f     begin, end and argc filled; argv NULL
// @return its bytes, NULL when the disk does not give back what was written
const char *giant_next(struct giant *g, struct span *argv, struct resp_frame *f);

// Begin again with its first command.
void giant_rewind(struct giant *g);

// It is over: forget it, with its file unless a batch holds that.
void giant_drop(struct giant *g);
