// SPDX-License-Identifier: BSD-3-Clause
// The text that INFO answers: lines of "name:value" with CR LF, and headings.
#pragma once

#include "parsers/span.h"

// The value of a line.
//
// @param out  out: the value, NUL-terminated, cut at out_len - 1 bytes
// @return false when there is no such line
bool info_field(struct span info, const char *name, char *out, size_t out_len);
