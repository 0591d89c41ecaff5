// SPDX-License-Identifier: BSD-3-Clause
// Small files of /proc and /sys, below a folder that tests put in the place of the root.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Below: @param root  "", or a folder without a slash at its end
//        @param format  of the path, as printf() has it, with its first slash

// What a file says, cut at out_len - 1, without the newline at its end.
//
// @return out; "" when it cannot be read
__attribute__((format(printf, 4, 5))) char *root_text(const char *root, char *out, size_t out_len,
						      const char *format, ...);

// The number that a file begins with, decimal or 0x... @return UNKNOWN when there is none
__attribute__((format(printf, 2, 3))) int64_t root_number(const char *root, const char *format,
							  ...);

// The last part of what a link points to. @return out; "" when there is no such link
__attribute__((format(printf, 4, 5))) char *root_link(const char *root, char *out, size_t out_len,
						      const char *format, ...);

__attribute__((format(printf, 2, 3))) bool root_has(const char *root, const char *format, ...);

// The names in a folder, sorted. @return how many there are; -1: no such folder
int root_names(const char *root, const char *folder, char (*names)[64], int max);
