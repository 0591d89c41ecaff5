// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

// An invariant; the fuzzer keeps what breaks it.
#define CHECK(x)                 \
	do {                     \
		if (!(x))        \
			abort(); \
	} while (0)

// What every fuzz target defines: take the bytes, abort on a broken invariant, return 0.
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);
