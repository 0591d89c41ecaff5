// SPDX-License-Identifier: BSD-3-Clause
// Globs as Redis's KEYS has them (util.c of Redis, stringmatchlen), without recursion: of several
// stars, only the last one ever has to take more.
#include "ctrl/decode/filter.h"

// Whether the class that begins behind '[' holds the byte; *at is moved behind its ']'.
static bool class_holds(struct span pattern, size_t *at, uint8_t c)
{
	size_t i = *at;
	bool not = i < pattern.len && pattern.p[i] == '^', holds = false;
	i += not;
	while (i < pattern.len && pattern.p[i] != ']') {
		uint8_t low, high;
		i += pattern.p[i] == '\\' && i + 1 < pattern.len;
		low = high = (uint8_t)pattern.p[i++];
		if (i + 1 < pattern.len && pattern.p[i] == '-' && pattern.p[i + 1] != ']') {
			high = (uint8_t)pattern.p[i + 1];
			i += 2;
		}
		holds |= low <= high ? c >= low && c <= high : c >= high && c <= low;
	}
	*at = i < pattern.len ? i + 1 : i;
	return holds != not;
}

// One step of the pattern that is no star; *at moves over it.
static bool step_takes(struct span pattern, size_t *at, uint8_t c)
{
	char p = pattern.p[(*at)++];
	if (p == '?')
		return true;
	if (p == '[')
		return class_holds(pattern, at, c);
	if (p == '\\' && *at < pattern.len)
		p = pattern.p[(*at)++];
	return (uint8_t)p == c;
}

bool glob_matches(struct span pattern, struct span text)
{
	size_t at = 0, i = 0, star_at = SIZE_MAX, star_i = 0;
	while (i < text.len) {
		size_t next = at;
		if (at < pattern.len && pattern.p[at] == '*') {
			star_at = ++at;
			star_i = i;
		} else if (at < pattern.len && step_takes(pattern, &next, (uint8_t)text.p[i])) {
			at = next;
			i++;
		} else if (star_at != SIZE_MAX) {
			at = star_at;
			i = ++star_i;
		} else {
			return false;
		}
	}
	while (at < pattern.len && pattern.p[at] == '*')
		at++;
	return at == pattern.len;
}
