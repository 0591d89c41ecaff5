// SPDX-License-Identifier: BSD-3-Clause
// The command line of pktgen.
#pragma once

#include "dataplane/contract/network.h"
#include "tools/pktgen/block.h"

#define SERVERS_MAX 16 // as many ports as a stack listens on

struct options {
	struct network network;
	struct block_settings block;
	uint64_t flows; // sources
	uint64_t source_port, target_port;
	uint64_t ahead;  // commands that sources are ahead of the target at most; 0: any number
	uint64_t for_ns; // 0: until a signal
	uint64_t interval_ns; // between two reports
	bool check, json;
};

// Prints what is wrong, or the help.
//
// @return -1: go on; else the exit code
int options_read(int argc, char **argv, struct options *o);
