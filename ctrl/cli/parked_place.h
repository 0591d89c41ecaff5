// SPDX-License-Identifier: BSD-3-Clause
// Where the parked commands lie that a user speaks of: those of a link that a flyoverd has, or
// those in a state folder, whose flyoverd may run or not.
#pragma once

#include "ctrl/cli/options.h"
#include "ctrl/cli/session.h"
#include "dataplane/contract/contract.h"

struct parked_place {
	char link[NAME_LEN];
	char folder[4096];   // the link's own
	bool has_session;    // a flyoverd has this link
	struct session session;
	unsigned args_taken; // of o->args: 1 when the link was named
};

// @return 0, or -1: CONNECT, LINK_UNKNOWN, STATE_DIR, USAGE
int parked_place_find(struct parked_place *p, const struct options *o, struct failure *f);
void parked_place_close(struct parked_place *p);
