// SPDX-License-Identifier: BSD-3-Clause
// What a restore looks at in its target before it begins, and what it takes away when it is done.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ctrl/failure.h"
#include "dataplane/contract/contract.h"

struct target_facts {
	uint64_t n_keys; // in the databases that are written to; our own keys count
	bool marked;     // a former life of this link was there
	bool streamed;   // and has applied commands
};

// @param link  its name
// @param db    the one database that is written to, -1: all
//
// @return 0, or -1: RESOLVE, CONNECT, AUTH, NOPERM, NOT_REDIS
int target_look(const struct endpoint *e, const char *link, int db, struct target_facts *facts,
		struct failure *f);

// Remove the markers of a link that is done: no later life goes on behind it.
//
// @return 0, or -1 as above
int target_clean(const struct endpoint *e, const char *link, struct failure *f);
