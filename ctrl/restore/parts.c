// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/restore/parts.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int unreadable(const char *path, int error, struct failure *f)
{
	bool rights = error == EACCES || error == EPERM;
	return failure_set(f, rights ? ERROR_FILE_RIGHTS : ERROR_RESTORE_FILE, "cannot read %s: %s",
			   path, strerror(error));
}

// @param path  copied
static int part_add(struct parts *p, const char *path, struct failure *f)
{
	struct stat st;
	if (stat(path, &st) || access(path, R_OK))
		return unreadable(path, errno, f);
	if (!S_ISREG(st.st_mode))
		return failure_set(f, ERROR_RESTORE_FILE,
				   "%s is no regular file, and a restore reads its file twice",
				   path);
	char **paths = realloc(p->paths, (p->n + 1) * sizeof(*paths));
	if (!paths)
		return failure_set(f, ERROR_MEMORY, "no memory for the names of files");
	p->paths = paths;
	p->paths[p->n] = strdup(path);
	if (!p->paths[p->n])
		return failure_set(f, ERROR_MEMORY, "no memory for the names of files");
	p->n++;
	p->len += (uint64_t)st.st_size;
	return 0;
}

int parts_find(struct parts *p, const char *name, struct failure *f)
{
	struct stat st;
	*p = (struct parts){.name = name};
	if (!strcmp(name, "-"))
		return failure_set(f, ERROR_USAGE,
				   "a restore reads its file twice, so it takes no standard input: "
				   "save it to a file first");
	if (stat(name, &st))
		return unreadable(name, errno, f);
	return part_add(p, name, f);
}

void parts_free(struct parts *p)
{
	for (unsigned i = 0; i < p->n; i++)
		free(p->paths[i]);
	free(p->paths);
	*p = (struct parts){0};
}
