// SPDX-License-Identifier: BSD-3-Clause
// The types of values and how one reads them.
#pragma once

#include "parsers/span.h"

enum value_type {
	VALUE_NONE,
	VALUE_STRING,
	VALUE_LIST,
	VALUE_SET,
	VALUE_ZSET,
	VALUE_HASH,
	VALUE_STREAM,
	VALUE_OTHER // a module's
};

// Formats are those of client_ask(), with the key as the only argument.
struct value_type_row {
	const char *word;   // as TYPE answers
	const char *length; // asks how many elements, or bytes of a string
	const char *all;    // reads all of it; NULL where no command does
	const char *scan;   // the command that scans its elements, or NULL
	unsigned width;     // nodes of an element in an answer of `all` and `scan`
};

const struct value_type_row *value_type_row(enum value_type t);

// @param word  as TYPE answers
enum value_type value_type_find(struct span word);
