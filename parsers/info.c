// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/info.h"

#include <stdio.h>

bool info_field(struct span info, const char *name, char *out, size_t out_len)
{
	size_t name_len = strlen(name);
	for (const char *p = info.p, *end = info.p + info.len, *line_end; p < end;
	     p = line_end + 1) {
		line_end = memchr(p, '\n', (size_t)(end - p));
		line_end = line_end ? line_end : end;
		if ((size_t)(line_end - p) <= name_len || memcmp(p, name, name_len) ||
		    p[name_len] != ':')
			continue;
		const char *value = p + name_len + 1;
		size_t len = (size_t)(line_end - value);
		len -= len && value[len - 1] == '\r';
		snprintf(out, out_len, "%.*s", (int)len, value);
		return true;
	}
	return false;
}
