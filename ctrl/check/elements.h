// SPDX-License-Identifier: BSD-3-Clause
// Comparing the elements of collections, whatever order and encoding a server has them in.
#pragma once

#include "ctrl/check/pair.h"

// Both arrays hold the same tuples in any order: digests of 128 bits, summed up.
//
// @param width  1 members, 2 field and value
bool elements_unordered_equal(const struct pair_reply *r, unsigned width);

// Both arrays hold the same members with the same scores in the same order.
bool elements_scored_equal(const struct pair_reply *r);

// Two scores as text are the same number; versions write them differently.
bool score_equal(struct span a, struct span b);
