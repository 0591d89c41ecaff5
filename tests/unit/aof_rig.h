// SPDX-License-Identifier: BSD-3-Clause
// A folder of append-only files made here, and commands to fill them with.
#pragma once

#include <dirent.h>

#include "tests/unit/decode_rig.h"

#define SELECT_3 "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n"
#define SET_K_V  "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"
#define INCR_N   "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n"
#define MULTI    "*1\r\n$5\r\nMULTI\r\n"
#define EXEC     "*1\r\n$4\r\nEXEC\r\n"

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

static inline void says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in: %s", part, text);
}
