// SPDX-License-Identifier: BSD-3-Clause
// Numbers as people read them. Each returns out, which has 24 bytes.
#pragma once

#include <stdint.h>

// 1234567 -> "1,234,567"
char *figure_count(uint64_t n, char *out);

// 12345.6 -> "12.3k"
char *figure_short(double n, char *out);

// 1536 -> "1.5 KB"
char *figure_bytes(double n, char *out);
