// SPDX-License-Identifier: BSD-3-Clause
// Numbers, sizes and times as people write them on the command line.
#pragma once

#include <stdint.h>

#include "ctrl/failure.h"

enum amount_unit {
	AMOUNT_COUNT, // 1000, 10k, 2M
	AMOUNT_BYTES, // 4096, 64KB, 8MB, 1GB
	AMOUNT_TIME,  // 500ms, 1s, 10m; a bare number is of ms
};

// One of some words.
//
// @param text   NULL: *v stays as it is
// @param name   of the option, for the sentence
// @param words  n of them; *v is the number of the one that was given
// @return 0, or -1: USAGE
int choice_read(const char *text, const char *name, const char *const *words, unsigned n,
		unsigned *v, struct failure *f);

// @param text  NULL: *v stays as it is
// @param name  of the option, for the sentence
// @return 0, or -1: USAGE
int amount_read(const char *text, const char *name, enum amount_unit unit, uint64_t max,
		uint64_t *v, struct failure *f);
