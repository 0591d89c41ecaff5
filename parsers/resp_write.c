// SPDX-License-Identifier: BSD-3-Clause
#include "parsers/resp_write.h"

#include <stdio.h>
#include <string.h>

size_t resp_write(char *out, size_t out_len, unsigned n, const char *const *words)
{
	size_t at = (size_t)snprintf(out, out_len, "*%u\r\n", n);
	for (unsigned i = 0; i < n; i++)
		at += (size_t)snprintf(at < out_len ? out + at : NULL,
				       at < out_len ? out_len - at : 0, "$%zu\r\n%s\r\n",
				       strlen(words[i]), words[i]);
	return at;
}
