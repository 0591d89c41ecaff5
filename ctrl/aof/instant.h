// SPDX-License-Identifier: BSD-3-Clause
// A point in time as people give it.
#pragma once

#include <stdint.h>

#include "ctrl/failure.h"

#define INSTANT_LEN 24

// @param text  unix seconds (1700000000), or RFC 3339 (2023-11-14T22:13:20Z, +01:00 for an offset,
// a
//              blank for the T; a fraction is cut off)
// @param name  of the option, for the sentence
// @param at_s  out: unix time; unchanged when text is NULL
//
// @return 0, or -1: USAGE
int instant_read(const char *text, const char *name, int64_t *at_s, struct failure *f);

// As RFC 3339, in UTC.
//
// @param out  INSTANT_LEN bytes
// @return out
const char *instant_write(int64_t at_s, char *out);
