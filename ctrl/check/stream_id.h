// SPDX-License-Identifier: BSD-3-Clause
// Ids of stream entries, for walking through XRANGE and XPENDING chunk by chunk.
#pragma once

#include "parsers/resp.h"

#define STREAM_ID_LEN 48

// The id right after one.
void stream_id_next(struct span id, char out[STREAM_ID_LEN]);

// The id that begins the last element of an array of arrays.
struct span stream_id_last(const struct resp_value *v, unsigned n);
