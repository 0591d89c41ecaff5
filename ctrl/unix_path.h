// SPDX-License-Identifier: BSD-3-Clause
// Unix sockets at paths of any length: one longer than sun_path is reached through its folder's
// descriptor.
#pragma once

#include "ctrl/failure.h"

// Listen at a path: mode 0600, non-blocking. A socket that nobody
// serves any more is replaced.
//
// @return a descriptor, or -1: CONFIG
int unix_listen(const char *path, struct failure *f);

// Connect, blocking. @return a descriptor, or -1: CONNECT
int unix_connect(const char *path, struct failure *f);
