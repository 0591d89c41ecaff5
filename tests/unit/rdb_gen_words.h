// SPDX-License-Identifier: BSD-3-Clause
// What a value holds, as lines of text that do not depend on how it is encoded: what a generator
// meant and what a reader saw are compared as two texts.
#pragma once

#include <stdio.h>

#include "parsers/rdb.h"

struct words {
	FILE *out;
	char *text;
	size_t len;
	uint64_t n_items; // of a list: their order matters
};

void words_begin(struct words *w);

// An element: any event between RDB_BIG_BEGIN and RDB_BIG_END, or one made up by a generator. Of an
// RDB_STREAM_ENTRY, only with the reader's own fields.
void words_element(struct words *w, const struct rdb_event *ev);

// A whole string value.
void words_string(struct words *w, struct span value);

// A stream entry, by hand: the id, then pairs, then the end.
void words_entry(struct words *w, struct rdb_stream_id id);
void words_pair(struct words *w, struct span name, struct span value);
void words_entry_end(struct words *w);

// The lines in order; lines that begin with '~' say what older types do not hold. The caller frees
// it.
//
// @param without_newer  leave those out
char *words_end(struct words *w, bool without_newer);
