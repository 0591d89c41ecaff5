// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/restore/parts.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// One that stands by itself was not looked at.
static int single_check(const struct aof_files *files, struct failure *f)
{
	const char *path = files->v[0].path;
	struct stat st;
	if (stat(path, &st) || access(path, R_OK)) {
		bool rights = errno == EACCES || errno == EPERM;
		return failure_set(f, rights ? ERROR_FILE_RIGHTS : ERROR_RESTORE_FILE,
				   "cannot read %s: %s", path, strerror(errno));
	}
	if (S_ISREG(st.st_mode))
		return 0;
	return failure_set(f, ERROR_RESTORE_FILE,
			   "%s is no regular file, and a restore reads its file twice", path);
}

int parts_open(struct aof_files *files, const char *path, struct failure *f)
{
	if (!strcmp(path, "-"))
		return failure_set(f, ERROR_USAGE,
				   "a restore reads its file twice, so it takes no standard input: "
				   "save it to a file first");
	if (aof_files_open(files, path, f)) {
		if (f->id == ERROR_FILE)
			f->id = ERROR_RESTORE_FILE;
		return -1;
	}
	if (files->multi || !single_check(files, f))
		return 0;
	aof_files_close(files);
	return -1;
}
