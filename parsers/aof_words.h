// SPDX-License-Identifier: BSD-3-Clause
// A line of words as servers write and read them in manifests: blanks between, a word with anything
// unusual in it between double quotes with escapes, or between single quotes. Format: sds.c of
// Redis 7.0.
#pragma once

#include "parsers/span.h"

// Take the next word of a line.
//
// @param line     in and out: what is left of it
// @param out      the word, NUL-terminated
// @param out_len  room for it; a longer word is an error
// @param len      out: its bytes, which may hold a NUL
//
// @return 1 a word; 0 there is none left; -1 it has no closing quote, goes on right behind it, or
//         is too long
int aof_word_take(struct span *line, char *out, size_t out_len, size_t *len);
