// SPDX-License-Identifier: BSD-3-Clause
// A server of the test: strings, lists and sets, and the commands on them that streams of tests
// have. Keys lie in one table; slots are the caller's business.
#pragma once

#include <stdbool.h>

#include "parsers/span.h"

#define STORE_KEYS  64
#define STORE_WORDS 32
#define STORE_WORD  64

struct store_value {
	char key[STORE_WORD]; // "": free
	char type;            // 's', 'l', 'S' (sorted)
	unsigned n;
	char words[STORE_WORDS][STORE_WORD];
};

struct store {
	struct store_value values[STORE_KEYS];
};

// Run a command. @return whether it was carried out and changed something
bool store_run(struct store *s, const struct span *argv, int argc);

// What DUMP gives, which RESTORE takes. @return bytes, 0: there is no such key
size_t store_dump(const struct store *s, struct span key, char *out, size_t out_len);

// An element of a list. @return bytes, 0: there is none
size_t store_element(const struct store *s, struct span key, bool last, char *out);

// Whether both hold the same; who differs is printed.
bool store_same(const struct store *a, const struct store *b);
