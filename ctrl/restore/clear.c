// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/restore/clear.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 16 // descriptors that the walk may have open

static int entry_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path) && errno != ENOENT ? -1 : 0;
}

int state_clear(const char *dir, const char *link, bool whole, struct failure *f)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/flyover-state", dir);
	if (access(path, F_OK))
		return 0;
	int len = whole ? snprintf(path, sizeof(path), "%s", dir)
			: snprintf(path, sizeof(path), "%s/links/%s", dir, link);
	if (len >= (int)sizeof(path) || access(path, F_OK))
		return 0;
	if (!nftw(path, entry_remove, DEPTH_MAX, FTW_DEPTH | FTW_PHYS))
		return 0;
	return failure_set(f, ERROR_STATE_DIR, "what is left of the restore in %s stays there: %s",
			   path, strerror(errno));
}
