// SPDX-License-Identifier: BSD-3-Clause
#include "tools/wan/units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *name;
	double factor;
};

static bool read_number(const char *text, const struct unit *units, double *out)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || !isfinite(v) || v < 0)
		return false;
	for (; units->name; units++)
		if (!strcasecmp(end, units->name)) {
			*out = v * units->factor;
			return true;
		}
	return false;
}

static bool read_whole(const char *text, const struct unit *units, uint64_t *out)
{
	double v;

	if (!read_number(text, units, &v) || v > 1e18)
		return false;
	*out = (uint64_t)(v + 0.5);
	return true;
}

bool units_rate(const char *text, uint64_t *bits_per_s)
{
	static const struct unit units[] = {{"", 1},       {"bit", 1},    {"kbit", 1e3},
					    {"mbit", 1e6}, {"gbit", 1e9}, {NULL, 0}};

	return read_whole(text, units, bits_per_s);
}

bool units_size(const char *text, uint64_t *bytes)
{
	static const struct unit units[] = {{"", 1},          {"b", 1},         {"kb", 1e3},
					    {"mb", 1e6},      {"gb", 1e9},      {"kib", 1024},
					    {"mib", 1 << 20}, {"gib", 1 << 30}, {NULL, 0}};

	return read_whole(text, units, bytes);
}

bool units_time(const char *text, uint64_t *ns)
{
	static const struct unit units[] = {{"", 1e6},   {"ns", 1},  {"us", 1e3},
					    {"ms", 1e6}, {"s", 1e9}, {NULL, 0}};

	return read_whole(text, units, ns);
}

bool units_chance(const char *text, double *p)
{
	static const struct unit units[] = {{"", 1}, {"%", 0.01}, {NULL, 0}};

	return read_number(text, units, p) && *p <= 1;
}
