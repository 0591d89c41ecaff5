// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/parked/base64.h"

#include <errno.h>
#include <stdint.h>

// @return 0 to 63, or -1
static int letter_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

ssize_t base64_decode(const char *in, size_t len, char *out)
{
	size_t n = 0;
	if (len % 4)
		return -EINVAL;
	for (size_t i = 0; i < len; i += 4) {
		// Padding stands at the very end alone, one or two of it.
		unsigned pad = i + 4 == len ? (in[i + 3] == '=') + (in[i + 2] == '=') : 0;
		uint32_t v = 0;
		for (unsigned j = 0; j < 4; j++) {
			int value = j < 4 - pad ? letter_value(in[i + j]) : 0;
			if (value < 0)
				return -EINVAL;
			v = v << 6 | (uint32_t)value;
		}
		if (pad == 1 && in[i + 3] != '=')
			return -EINVAL;
		for (unsigned j = 0; j < 3 - pad; j++)
			out[n++] = (char)(v >> (16 - 8 * j));
	}
	return (ssize_t)n;
}
