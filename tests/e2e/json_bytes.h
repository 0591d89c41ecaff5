// SPDX-License-Identifier: BSD-3-Clause
// Strings of `flyover decode`: JSON strings, or {"base64":"..."}.
#pragma once

#include <jansson.h>
#include <string.h>

#include "tests/unit/test.h"

// @param len  out
// @return     the bytes, which live as long as the value
static inline const char *json_bytes(const json_t *v, size_t *len)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	if (json_is_string(v)) {
		*len = json_string_length(v);
		return json_string_value(v);
	}
	const char *p = json_string_value(json_object_get(v, "base64"));

	assert_non_null(p);
	char *bytes = malloc(strlen(p) + 1);
	unsigned bits = 0;
	uint32_t sum = 0;

	*len = 0;
	for (; *p && *p != '='; p++) {
		const char *at = strchr(letters, *p);

		assert_non_null(at);
		sum = sum << 6 | (uint32_t)(at - letters);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			bytes[(*len)++] = (char)(sum >> bits);
		}
	}
	json_t *kept = json_stringn_nocheck(bytes, *len);

	free(bytes);
	json_object_set_new_nocheck((json_t *)v, "bytes", kept);
	return json_string_value(kept);
}
