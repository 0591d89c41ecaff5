// SPDX-License-Identifier: BSD-3-Clause
// probe_match() -> alternative_fits() -> command_fits() -> word_fits()
#include "ctrl/doctor/probe_match.h"

#include <ctype.h>

#define MS_DIGITS 13 // from 2001 to 2286

static bool is_digits(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!isdigit((uint8_t)s.p[i]))
			return false;
	return s.len > 0;
}

static bool is_id(struct span s)
{
	const char *dash = memchr(s.p, '-', s.len);
	if (!dash)
		return false;
	size_t ms = (size_t)(dash - s.p);
	return is_digits((struct span){s.p, ms}) &&
	       is_digits((struct span){dash + 1, s.len - ms - 1});
}

static bool is_capitals(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!isupper((uint8_t)s.p[i]))
			return false;
	return s.len > 0;
}

static bool same_in_any_case(struct span a, struct span b)
{
	return a.len == b.len && !strncasecmp(a.p, b.p, a.len);
}

static bool word_fits(struct span want, struct span word, bool is_name)
{
	if (span_eq(want, SPAN_LIT("<any>")))
		return true;
	if (span_eq(want, SPAN_LIT("<ms>")))
		return word.len == MS_DIGITS && is_digits(word);
	if (span_eq(want, SPAN_LIT("<id>")))
		return is_id(word);
	if (is_name || is_capitals(want))
		return same_in_any_case(want, word);
	return span_eq(want, word);
}

static bool command_fits(const struct probe_command *want, const struct probe_command *c)
{
	if (want->argc != c->argc)
		return false;
	for (unsigned i = 0; i < c->argc; i++)
		if (!word_fits(want->argv[i], c->argv[i], i == 0))
			return false;
	return true;
}

static bool alternative_fits(struct span text, const struct probe_names *names,
			     const struct probe_list *came)
{
	struct probe_list want;
	if (span_eq(text, SPAN_LIT("-")))
		return came->n == 0;
	if (probe_list_read(&want, text, names) || want.n != came->n)
		return false;
	for (unsigned i = 0; i < want.n; i++)
		if (!command_fits(&want.list[i], &came->list[i]))
			return false;
	return true;
}

bool probe_is_open(const char *expected)
{
	return !strcmp(expected, "?");
}

bool probe_match(const char *expected, const struct probe_names *names,
		 const struct probe_list *came)
{
	if (came->cut)
		return false;
	if (probe_is_open(expected))
		return true;
	for (;;) {
		const char *bar = strstr(expected, " | ");
		size_t len = bar ? (size_t)(bar - expected) : strlen(expected);
		if (alternative_fits((struct span){expected, len}, names, came))
			return true;
		if (!bar)
			return false;
		expected = bar + 3;
	}
}
