// SPDX-License-Identifier: BSD-3-Clause
// A command written as one line, for tests: words with one blank between.
#pragma once

#include <ctype.h>

#include "parsers/span.h"

#define WORDS_MAX 32

struct words {
	struct span argv[WORDS_MAX];
	int argc;
};

// @param line  stays the caller's; the words point into it
static inline void words_split(const char *line, struct words *w)
{
	w->argc = 0;
	while (*line && w->argc < WORDS_MAX) {
		size_t len = strcspn(line, " ");
		w->argv[w->argc++] = (struct span){line, len};
		line += len;
		line += *line == ' ';
	}
}
