// SPDX-License-Identifier: BSD-3-Clause
// Finding one's way in a reply with arrays inside arrays, whose nodes lie depth first in one row.
#pragma once

#include "parsers/resp.h"

// @return index of the node after the subtree that begins at `at`; n at most
unsigned tree_skip(const struct resp_value *v, unsigned n, unsigned at);

// The value of a name in an array of names and values, as XINFO answers.
//
// @param at  index of the array's node
// @return    index of the value, or 0 when the name is not there
unsigned tree_field(const struct resp_value *v, unsigned n, unsigned at, const char *name);
