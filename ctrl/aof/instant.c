// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/aof/instant.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

// `n` digits of a date, as a number.
//
// @return false when there are not that many, or the number is not in min..max
static bool digits_take(const char **p, unsigned n, int min, int max, int *v)
{
	*v = 0;
	for (unsigned i = 0; i < n; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		*v = *v * 10 + (**p - '0');
	}
	return *v >= min && *v <= max;
}

static bool mark_take(const char **p, const char *any_of)
{
	if (!**p || !strchr(any_of, **p))
		return false;
	(*p)++;
	return true;
}

static bool date_take(const char **p, struct tm *t)
{
	if (!digits_take(p, 4, 1970, 9999, &t->tm_year) || !mark_take(p, "-") ||
	    !digits_take(p, 2, 1, 12, &t->tm_mon) || !mark_take(p, "-") ||
	    !digits_take(p, 2, 1, 31, &t->tm_mday))
		return false;
	t->tm_year -= 1900;
	t->tm_mon--;
	return true;
}

static bool clock_take(const char **p, struct tm *t)
{
	if (!digits_take(p, 2, 0, 23, &t->tm_hour) || !mark_take(p, ":") ||
	    !digits_take(p, 2, 0, 59, &t->tm_min) || !mark_take(p, ":") ||
	    !digits_take(p, 2, 0, 60, &t->tm_sec))
		return false;
	if (!mark_take(p, "."))
		return true;
	const char *digits = *p;
	*p += strspn(*p, "0123456789");
	return *p > digits;
}

// "Z", "+01:00"
static bool offset_take(const char **p, int *offset_s)
{
	int hours, minutes, sign = **p == '-' ? -1 : 1;
	*offset_s = 0;
	if (mark_take(p, "zZ"))
		return true;
	if (!mark_take(p, "+-") || !digits_take(p, 2, 0, 23, &hours) || !mark_take(p, ":") ||
	    !digits_take(p, 2, 0, 59, &minutes))
		return false;
	*offset_s = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool rfc_3339_read(const char *p, int64_t *at_s)
{
	struct tm t = {0};
	int offset_s;
	if (!date_take(&p, &t) || !mark_take(&p, "tT ") || !clock_take(&p, &t) ||
	    !offset_take(&p, &offset_s) || *p)
		return false;
	int day = t.tm_mday, leap_s = t.tm_sec == 60;
	t.tm_sec -= leap_s;
	*at_s = (int64_t)timegm(&t) - offset_s + leap_s;
	return t.tm_mday == day; // else it was a 30th of February
}

static bool seconds_read(const char *p, int64_t *at_s)
{
	size_t n = strspn(p, "0123456789");
	if (!n || n > 12 || p[n])
		return false;
	*at_s = 0;
	for (; *p; p++)
		*at_s = *at_s * 10 + (*p - '0');
	return true;
}

int instant_read(const char *text, const char *name, int64_t *at_s, struct failure *f)
{
	if (!text || seconds_read(text, at_s) || rfc_3339_read(text, at_s))
		return 0;
	return failure_set(f, ERROR_USAGE,
			   "--%s: '%s' is no time such as 1700000000 or 2023-11-14T22:13:20Z", name,
			   text);
}

const char *instant_write(int64_t at_s, char *out)
{
	struct tm t;
	time_t seconds = (time_t)at_s;
	if (!gmtime_r(&seconds, &t) || !strftime(out, INSTANT_LEN, "%Y-%m-%dT%H:%M:%SZ", &t))
		snprintf(out, INSTANT_LEN, "%lld", (long long)at_s);
	return out;
}
