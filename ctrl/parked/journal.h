// SPDX-License-Identifier: BSD-3-Clause
// The parked commands of a link as one who looks at them sees them: which there are, which were
// settled, what each says. Reads, changes nothing; the dataplane may append meanwhile.
#pragma once

#include <jansson.h>

#include "ctrl/failure.h"
#include "ctrl/parked/scan.h"

enum parked_fate {
	PARKED_OPEN,
	PARKED_APPLIED, // sent to the target later, which took it
	PARKED_DROPPED,
	PARKED_LEFT_OUT, // settled so long ago that it is no longer kept
	PARKED_DAMAGED,  // a line that cannot be read: a crash tore it
};

struct parked_line {
	uint64_t at; // in parked.jsonl
	uint64_t len : 56;
	uint64_t fate : 8; // enum parked_fate
};

struct journal {
	struct scan scan, settled;
	char folder[4096];
	uint64_t first_id; // of lines[0]
	struct parked_line *lines;
	size_t n_lines, lines_max;
	size_t n_open, n_damaged;
	uint64_t n_settled; // those left out too
	uint64_t settled_bytes; // lines that need not be kept any more
};

// Read both files of a link's folder. Files that are not there are empty ones.
//
// @return 0, or -1: STATE_DIR, MEMORY
int journal_open(struct journal *j, const char *folder, struct failure *f);
void journal_close(struct journal *j);

// Read what came since. @return as journal_open(), which has to come first
int journal_refresh(struct journal *j, struct failure *f);

static inline uint64_t journal_id(const struct journal *j, size_t i)
{
	return j->first_id + i;
}

// The line of a command. @return its index, or -1: LINK_STATE, there is no such command
ssize_t journal_find(const struct journal *j, uint64_t id, struct failure *f);

// Everything about a command but its bytes, as people and programs are shown it: id, fate, time_ms,
// phase, replid, offset, db, verb, key (escaped), reason.
//
// @return to json_decref(); NULL when the line cannot be read
json_t *journal_head(const struct journal *j, size_t i);

// The command itself, RESP as it was sent.
//
// @param out  to be freed
// @param len  out; 0: a key that was too large to be kept, of which there is only the name
// @return 0, or -1: STATE_DIR (it cannot be read), MEMORY
int journal_command(const struct journal *j, size_t i, char **out, size_t *len, struct failure *f);

// "open", "applied", "dropped", "left out", "damaged"
const char *parked_fate_word(enum parked_fate fate);
