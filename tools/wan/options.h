// SPDX-License-Identifier: BSD-3-Clause
// The command line of wan.
#pragma once

#include "drivers/wire.h"

struct options {
	const char *ports[2];
	struct wire_settings wire[2]; // [0]: from a to b
	uint64_t seed;
	uint64_t for_ns; // 0: until a signal
	bool is_quiet, spins;
};

// Prints what is wrong, or the help.
//
// @return -1: go on; else the exit code
int options_read(int argc, char **argv, struct options *o);
