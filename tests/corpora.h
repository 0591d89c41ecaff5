// SPDX-License-Identifier: BSD-3-Clause
// Where the files of many servers lie, which are no part of the project.
#pragma once

#include <dirent.h>

#include "tests/unit/test.h"

// FLYOVER_CORPORA, or shared/corpora beside the source tree. Where they are not, the case ends as
// skipped, and says so.
static inline const char *corpora_folder(void)
{
	const char *dir = getenv("FLYOVER_CORPORA") ? getenv("FLYOVER_CORPORA") : CORPORA_DIR;
	DIR *d = opendir(dir);

	if (!d) {
		print_message("skipped: no corpora in %s\n", dir);
		skip();
	}
	closedir(d);
	return dir;
}
