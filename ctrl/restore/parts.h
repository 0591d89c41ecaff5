// SPDX-License-Identifier: BSD-3-Clause
// What a file to be restored is made of.
#pragma once

#include <stdint.h>

#include "ctrl/failure.h"

struct parts {
	const char *name; // as the user gave it
	char **paths;     // in the order in which they are read
	unsigned n;
	uint64_t len;     // bytes of all
};

// @param name  kept
//
// @return 0, or -1: RESTORE_FILE, FILE_RIGHTS, USAGE, MEMORY. p needs parts_free() in every case
int parts_find(struct parts *p, const char *name, struct failure *f);
void parts_free(struct parts *p);
