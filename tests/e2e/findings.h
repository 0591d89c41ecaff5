// SPDX-License-Identifier: BSD-3-Clause
// What `flyover doctor --json` answers, and the warnings of a link.
#pragma once

#include "tests/e2e/harness.h"

// The first finding of a check, or NULL. @param list  of findings
static inline const json_t *finding_of(const json_t *list, const char *check)
{
	const json_t *found;
	size_t i;

	json_array_foreach((json_t *)list, i, found)
		if (!strcmp(json_string_value(json_object_get(found, "check")), check))
			return found;
	return NULL;
}

// The same of a whole answer.
static inline const json_t *finding(const json_t *o, const char *check)
{
	return finding_of(json_object_get(o, "findings"), check);
}

// A text of an object, "" when it has none.
static inline const char *word(const json_t *found, const char *field)
{
	const char *z = json_string_value(json_object_get(found, field));
	return z ? z : "";
}
