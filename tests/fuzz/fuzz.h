// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <stddef.h>
#include <stdint.h>

// What every fuzz target defines: take the bytes, abort on a broken invariant, return 0.
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);
