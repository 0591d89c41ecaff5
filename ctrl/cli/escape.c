// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/cli/escape.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t escape_byte(uint8_t c, char *out)
{
	static const char from[] = "\n\r\t\"\\", to[] = "nrt\"\\";
	const char *at = c ? strchr(from, c) : NULL;
	if (at) {
		out[0] = '\\';
		out[1] = to[at - from];
		return 2;
	}
	if (c >= ' ' && c < 0x7f) {
		out[0] = (char)c;
		return 1;
	}
	return (size_t)sprintf(out, "\\x%02x", c);
}

char *escape_text(const char *p, size_t len)
{
	char *text = malloc(len * 4 + 2); // sprintf ends with a NUL
	if (!text)
		return NULL;
	size_t n = 0;
	for (size_t i = 0; i < len; i++)
		n += escape_byte((uint8_t)p[i], text + n);
	text[n] = 0;
	return text;
}
