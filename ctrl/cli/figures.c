// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/cli/figures.h"

#include <stdio.h>
#include <string.h>

char *figure_count(uint64_t n, char *out)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	if (n >= 1000000000000000ull) // its commas would not fit
		return strcpy(out, digits);
	char *p = out;
	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*p++ = ',';
		*p++ = digits[i];
	}
	*p = 0;
	return out;
}

char *figure_short(double n, char *out)
{
	static const char *const units[] = {"", "k", "M", "G"};
	unsigned u = 0;
	for (; n >= 1000 && u < 3; u++)
		n /= 1000;
	snprintf(out, 24, n < 100 && u ? "%.1f%s" : "%.0f%s", n, units[u]);
	return out;
}

char *figure_bytes(double n, char *out)
{
	static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
	unsigned u = 0;
	for (; n >= 1024 && u < 4; u++)
		n /= 1024;
	snprintf(out, 24, n < 100 && u ? "%.1f %s" : "%.0f %s", n, units[u]);
	return out;
}
