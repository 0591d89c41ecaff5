// SPDX-License-Identifier: BSD-3-Clause
// What is left of a restore on this host once it is done.
#pragma once

#include <stdbool.h>

#include "ctrl/failure.h"

// Remove the state of a link from a state folder that nobody uses.
//
// @param dir    the folder; left alone unless it has Flyover's mark
// @param whole  the folder itself as well, with everything in it
//
// @return 0, or -1: STATE_DIR
int state_clear(const char *dir, const char *link, bool whole, struct failure *f);
