// SPDX-License-Identifier: BSD-3-Clause
// The few strings that a target keeps: markers and epochs of links.
#pragma once

#include "parsers/span.h"

struct store_row;

struct store {
	struct store_row *rows;
	unsigned n;
};

// @return the value, valid until the next store_set(); p NULL: none
struct span store_get(const struct store *s, struct span key);
void store_set(struct store *s, struct span key, struct span value);
void store_free(struct store *s);
