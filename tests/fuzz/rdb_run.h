// SPDX-License-Identifier: BSD-3-Clause
// For the fuzz targets around the RDB reader: read a file whole and in slices, and check that it
// makes no difference.
#pragma once

#include "parsers/rdb.h"

// Settings of one byte: how much comes in pieces, and what is asked for.
struct rdb_settings rdb_run_settings(uint8_t choice);

// Aborts unless the file gives the same events, and the same end, whole and `slice` bytes at a
// time, within the settings' limits.
void rdb_run_check(struct span file, const struct rdb_settings *set, size_t slice);
