// SPDX-License-Identifier: BSD-3-Clause
// Gets over the snapshot of a full sync.
#pragma once

#include "ctrl/check/client.h"

// Read the answer to a PSYNC that wants a full sync, and drop the snapshot behind it. What follows
// is left to client_next().
//
// @param c  has asked for it; every earlier answer was taken
// @return   0, or -1: CONNECT, DEADLINE, PSYNC_REFUSED; LINK_STATE when go_on() says no
int probe_snapshot_skip(struct client *c, bool (*go_on)(void *arg), void *arg, struct failure *f);
