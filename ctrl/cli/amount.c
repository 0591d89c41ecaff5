// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/cli/amount.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct suffix {
	const char *text;
	enum amount_unit unit;
	uint64_t times;
};

static const struct suffix suffixes[] = {
	{"", AMOUNT_COUNT, 1},         {"k", AMOUNT_COUNT, 1000},   {"m", AMOUNT_COUNT, 1000000},
	{"", AMOUNT_BYTES, 1},         {"b", AMOUNT_BYTES, 1},      {"kb", AMOUNT_BYTES, 1 << 10},
	{"mb", AMOUNT_BYTES, 1 << 20}, {"gb", AMOUNT_BYTES, 1 << 30}, {"k", AMOUNT_BYTES, 1 << 10},
	{"m", AMOUNT_BYTES, 1 << 20},  {"g", AMOUNT_BYTES, 1 << 30}, {"", AMOUNT_TIME, 1},
	{"ms", AMOUNT_TIME, 1},        {"s", AMOUNT_TIME, 1000},    {"m", AMOUNT_TIME, 60000},
	{"h", AMOUNT_TIME, 3600000},
};

int amount_read(const char *text, const char *name, enum amount_unit unit, uint64_t max,
		uint64_t *v, struct failure *f)
{
	static const char *const examples[] = {"a number such as 5000 or 20k",
					       "a size such as 64KB or 8MB",
					       "a time such as 500ms or 10s"};
	char *end;
	if (!text)
		return 0;
	unsigned long long n = strtoull(text, &end, 10);
	for (unsigned i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		const struct suffix *s = &suffixes[i];
		if (s->unit != unit || strcasecmp(end, s->text) || *text < '0' || *text > '9')
			continue;
		if (n > max / s->times)
			return failure_set(f, ERROR_USAGE, "--%s: %s is more than there can be",
					   name, text);
		*v = n * s->times;
		return 0;
	}
	return failure_set(f, ERROR_USAGE, "--%s takes %s, not '%s'", name, examples[unit], text);
}

int choice_read(const char *text, const char *name, const char *const *words, unsigned n,
		unsigned *v, struct failure *f)
{
	char list[200] = "";
	size_t len = 0;
	for (unsigned i = 0; text && i < n; i++) {
		if (!strcmp(text, words[i])) {
			*v = i;
			return 0;
		}
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
					!i ? "" : i + 1 < n ? ", " : " or ", words[i]);
		assert(len < sizeof(list));
	}
	return text ? failure_set(f, ERROR_USAGE, "--%s is %s, not '%s'", name, list, text) : 0;
}
