// SPDX-License-Identifier: BSD-3-Clause
// Numbers with units, as people write them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// @return false: not a number with such a unit
bool units_rate(const char *text, uint64_t *bits_per_s); // 10gbit, 2.5mbit, 64kbit, 9600
bool units_size(const char *text, uint64_t *bytes);      // 12.5MB, 64KiB, 1500
bool units_time(const char *text, uint64_t *ns);         // 50ms, 200us, 1.5s; bare: ms
bool units_chance(const char *text, double *p);          // 0.01, 1e-4, 1%
