// SPDX-License-Identifier: BSD-3-Clause
// Rebuilding one value of any size, piece by piece, under a temporary name, which then takes the
// place of the key. The source's key is WATCHed meanwhile: a value that changed while it was read
// is read again, up to REBUILD_TRIES times; then it is taken as it was read, and counted.
#pragma once

#include "ctrl/scan/copy.h"

#define REBUILD_TRIES 3
#define REBUILD_BYTES (256 * 1024) // of one piece, about

// Do it now. Nothing else may be under way.
//
// @return 0: the item has a fate, or is among the big ones again; -1 with the copier's failure
int rebuild_key(struct copier *c, struct copy_item *item);
