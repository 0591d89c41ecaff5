// SPDX-License-Identifier: BSD-3-Clause
// Inside the rebuilding of one value.
#pragma once

#include "ctrl/scan/copy_priv.h"
#include "ctrl/scan/rebuild.h"

struct rebuild {
	struct copier *c;
	struct client *source, *target;
	struct span key, temporary;
	enum value_type type;
	int64_t length, expiry_ms;
	unsigned piece;        // elements read at once
	bool mortal;           // what is built ends by itself when we do not finish it
	bool vanished;         // the source has it no more, or as another type
	unsigned n_put;        // commands whose answer was not read
	uint64_t claims_lost;  // of these, claims that were not taken
	char refused[160];     // the target's first error
};

// The next answer of the source. An error is `vanished`.
//
// @return NULL when the connection failed, or v->type is RESP_ERROR
const struct resp_value *rebuild_read(struct rebuild *b, unsigned *n);

// Append a command for the target, and read the answers to all that were put.
void rebuild_put(struct rebuild *b, unsigned argc, const struct span *argv);
int rebuild_answers(struct rebuild *b);

// rebuild_stream.c: entries, what it remembers, groups. @return 0 or -1
int rebuild_stream(struct rebuild *b);
