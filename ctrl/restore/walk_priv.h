// SPDX-License-Identifier: BSD-3-Clause
// What both halves of a walk share: walk.c (files, snapshot) and walk_stream.c.
#pragma once

#include "ctrl/restore/walk.h"

// The file at hand.
const char *walk_path(const struct walk *w);
int walk_read_failed(const struct walk *w, int rc, struct failure *f);

// What the caller has had goes out of the window.
void walk_release(struct walk *w);

// Open the file behind the one at hand. @return 0, or -1 with f
int walk_next_part(struct walk *w, struct failure *f);
