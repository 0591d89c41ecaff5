// SPDX-License-Identifier: BSD-3-Clause
// Flyover's own keys, which are neither compared nor copied.
#pragma once

#include "parsers/span.h"

#define OWN_KEYS "__flyover:"

static inline bool key_is_own(struct span key)
{
	return key.len >= sizeof(OWN_KEYS) - 1 && !memcmp(key.p, OWN_KEYS, sizeof(OWN_KEYS) - 1);
}
