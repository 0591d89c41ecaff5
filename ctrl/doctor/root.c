// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/doctor/root.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctrl/doctor/facts.h"

// The path of the arguments behind `format`.
#define PATH_MAKE(path, root, format)                                                              \
	do {                                                                                       \
		va_list args;                                                                      \
		size_t used = (size_t)snprintf(path, sizeof(path), "%s", root);                    \
		va_start(args, format);                                                            \
		if (used < sizeof(path))                                                           \
			vsnprintf(path + used, sizeof(path) - used, format, args);                 \
		va_end(args);                                                                      \
	} while (0)

char *root_text(const char *root, char *out, size_t out_len, const char *format, ...)
{
	char path[PATH_MAX];
	PATH_MAKE(path, root, format);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, out_len - 1);
	if (fd >= 0)
		close(fd);
	n = n < 0 ? 0 : n;
	if (n && out[n - 1] == '\n')
		n--;
	out[n] = 0;
	return out;
}

int64_t root_number(const char *root, const char *format, ...)
{
	char path[PATH_MAX], text[64], *end;
	PATH_MAKE(path, root, format);
	root_text("", text, sizeof(text), "%s", path);
	long long v = strtoll(text, &end, 0);
	return end == text ? UNKNOWN : v;
}

char *root_link(const char *root, char *out, size_t out_len, const char *format, ...)
{
	char path[PATH_MAX], target[PATH_MAX];
	PATH_MAKE(path, root, format);
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = 0;
	const char *slash = strrchr(target, '/');
	snprintf(out, out_len, "%s", slash ? slash + 1 : target);
	return out;
}

bool root_has(const char *root, const char *format, ...)
{
	char path[PATH_MAX];
	PATH_MAKE(path, root, format);
	return access(path, F_OK) == 0;
}

static int is_visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

int root_names(const char *root, const char *folder, char (*names)[64], int max)
{
	char path[PATH_MAX];
	struct dirent **found;
	snprintf(path, sizeof(path), "%s%s", root, folder);
	int n = scandir(path, &found, is_visible, alphasort);
	for (int i = 0; i < n; i++) {
		if (i < max)
			snprintf(names[i], sizeof(names[i]), "%.63s", found[i]->d_name);
		free(found[i]);
	}
	if (n >= 0)
		free(found);
	return n < max ? n : max;
}
