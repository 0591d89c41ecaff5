// SPDX-License-Identifier: BSD-3-Clause
// Keys as one can print them.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define ESCAPE_LEN 8

// One byte.
//
// @param out  ESCAPE_LEN bytes
// @return bytes written
size_t escape_byte(uint8_t c, char *out);

// What is not printable ASCII as \xNN, \n, \r, \t, \" and \\.
//
// @return to be freed, or NULL without memory
char *escape_text(const char *p, size_t len);
