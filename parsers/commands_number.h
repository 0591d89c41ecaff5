// SPDX-License-Identifier: BSD-3-Clause
// Integers inside commands, as strictly as the server reads them. Private to this table.
#pragma once

#include "parsers/span.h"

// @return false unless all of s is one decimal int64 without blanks, plus sign or leading zeros
bool number_parse(struct span s, int64_t *number);

// Write a number in decimal.
//
// @param digits  room for NUMBER_LEN_MAX bytes; not NUL-terminated
//
// @return the span of it in digits
#define NUMBER_LEN_MAX 20
struct span number_print(int64_t number, char *digits);
