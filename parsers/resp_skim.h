// SPDX-License-Identifier: BSD-3-Clause
// Skim over commands of any size: find where they and their arguments lie without ever holding a
// body. The reader of parsers/resp.h wants a command whole in its buffer; this one needs a few
// dozen bytes, whatever the lengths that are announced.
#pragma once

#include "parsers/resp.h"

// Longest argument that is believed: eight times what servers take by default.
#define SKIM_BULK_MAX (4ull << 30)
#define SKIM_NAME_LEN 16

enum skim_verdict {
	SKIM_MORE,    // everything was used up
	SKIM_ARG,     // an argument has ended: s->arg
	SKIM_COMMAND, // the command has ended; one of no arguments is a bare newline
	SKIM_BAD,     // s->error; for good
};

struct resp_skim {
	uint64_t position; // bytes taken in all
	uint64_t begin;    // position of the command at hand
	uint32_t argc;     // announced, 0 before that
	uint32_t n_args;   // that have ended
	struct resp_arg arg;       // the last one; `at` counts from the command's beginning
	char name[SKIM_NAME_LEN];  // how argument 0 begins
	size_t name_len;           // of argument 0; may exceed SKIM_NAME_LEN
	const char *error;         // a sentence without a full stop, NULL: none

	// Its own.
	char line[24]; // "*3", "$12": what has come of the line at hand
	unsigned n_line;
	uint64_t body_left; // of the argument at hand, with its line end
	bool in_body, ended;
};

// Begin at a frame boundary; the first byte counts as position 0.
void resp_skim_init(struct resp_skim *s);

// Go on to the next event.
//
// @param in    bytes that follow those used so far
// @param used  out: how many of them were used
enum skim_verdict resp_skim_next(struct resp_skim *s, struct span in, size_t *used);
