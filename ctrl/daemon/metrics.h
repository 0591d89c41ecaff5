// SPDX-License-Identifier: BSD-3-Clause
// All counters in the Prometheus text format (version 0.0.4).
#pragma once

#include <stddef.h>

struct daemon;

// @param len  out. @return text to be freed, or NULL without memory
char *metrics_text(const struct daemon *d, size_t *len);
