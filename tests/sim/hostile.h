// SPDX-License-Identifier: BSD-3-Clause
// One connection of ours against a peer that lies: wrong acknowledgements, windows that shrink,
// SACK of anything, overlapping and misplaced segments, stray SYN, FIN, RST and ICMP; then silence.
#pragma once

#include <stddef.h>
#include <stdint.h>

// @return NULL, or what does not hold, in `text`
const char *hostile_run(uint64_t seed, char *text, size_t len);
