// SPDX-License-Identifier: BSD-3-Clause
// A folder of append-only files made here.
#pragma once

#include <dirent.h>

#include "tests/unit/aof_bytes.h"
#include "tests/unit/decode_rig.h"

struct folder {
	char path[64];
};

static inline struct folder folder_make(void)
{
	struct folder d = {"/tmp/flyover-aof-XXXXXX"};
	assert_non_null(mkdtemp(d.path));
	return d;
}

static inline const char *folder_file(const struct folder *d, const char *name)
{
	static char path[400];
	snprintf(path, sizeof(path), "%s/%s", d->path, name);
	return path;
}

static inline void folder_write(const struct folder *d, const char *name, struct span bytes)
{
	FILE *out = fopen(folder_file(d, name), "w");
	assert_non_null(out);
	assert_int_equal(fwrite(bytes.p, 1, bytes.len, out), bytes.len);
	assert_int_equal(fclose(out), 0);
}

static inline void folder_text(const struct folder *d, const char *name, const char *text)
{
	folder_write(d, name, span_of(text));
}

static inline void folder_remove(const struct folder *d)
{
	DIR *all = opendir(d->path);
	struct dirent *e;
	assert_non_null(all);
	while ((e = readdir(all)) != NULL)
		if (e->d_name[0] != '.')
			assert_int_equal(remove(folder_file(d, e->d_name)), 0);
	closedir(all);
	assert_int_equal(rmdir(d->path), 0);
}
