// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "ctrl/check/pair.h"

struct functions_told {
	bool known;       // both servers have functions
	char refused[160]; // why they were not copied, "" when they were
};

// Copy the libraries of functions: FUNCTION DUMP to FUNCTION RESTORE REPLACE, or library by library
// where the payload is not to be had or not taken. Nothing else may be under way.
//
// @return 0, or -1 with f when a connection failed
int functions_copy(struct pair *p, struct functions_told *t, struct failure *f);
