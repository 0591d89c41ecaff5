// SPDX-License-Identifier: BSD-3-Clause
// Keys as one can print them.
#pragma once

#include <stddef.h>

// What is not printable ASCII as \xNN, \n, \r, \t, \" and \\.
//
// @return to be freed, or NULL without memory
char *escape_text(const char *p, size_t len);
