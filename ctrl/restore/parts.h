// SPDX-License-Identifier: BSD-3-Clause
// The files that a restore reads: regular ones, since it reads them twice.
#pragma once

#include "ctrl/aof/files.h"

// @return 0, or -1: RESTORE_FILE, FILE_RIGHTS, AOF_PARTS, USAGE, MEMORY; only after 0
//         aof_files_close()
int parts_open(struct aof_files *files, const char *path, struct failure *f);
