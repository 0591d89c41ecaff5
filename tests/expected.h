// SPDX-License-Identifier: BSD-3-Clause
// What the corpora say a server held (expected.json), against what was found: database -> key
// (base64) -> {type, value, ...}.
#pragma once

#include <jansson.h>

#include "tests/unit/test.h"

static inline json_t *base64_json(const char *p, size_t len)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *out = malloc(len / 3 * 4 + 5), *at = out;

	for (size_t i = 0; i < len; i += 3) {
		uint32_t b = (uint32_t)(uint8_t)p[i] << 16;

		b |= i + 1 < len ? (uint32_t)(uint8_t)p[i + 1] << 8 : 0;
		b |= i + 2 < len ? (uint8_t)p[i + 2] : 0;
		*at++ = letters[b >> 18];
		*at++ = letters[b >> 12 & 63];
		*at++ = i + 1 < len ? letters[b >> 6 & 63] : '=';
		*at++ = i + 2 < len ? letters[b & 63] : '=';
	}
	*at = '\0';
	json_t *o = json_string(out);

	free(out);
	return o;
}

struct expected_item {
	json_t *item;
	char *text;
};

static inline int expected_by_text(const void *a, const void *b)
{
	return strcmp(((const struct expected_item *)a)->text,
		      ((const struct expected_item *)b)->text);
}

static inline void expected_sort(json_t *array)
{
	size_t n = json_array_size(array);
	struct expected_item *items = calloc(n + 1, sizeof(*items));

	for (size_t i = 0; i < n; i++) {
		items[i].item = json_incref(json_array_get(array, i));
		items[i].text = json_dumps(items[i].item, JSON_ENCODE_ANY | JSON_COMPACT);
	}
	qsort(items, n, sizeof(*items), expected_by_text);
	json_array_clear(array);
	for (size_t i = 0; i < n; i++) {
		json_array_append_new(array, items[i].item);
		free(items[i].text);
	}
	free(items);
}

// Put what has no order into one, and scores into numbers.
static inline void expected_normalise(json_t *key)
{
	const char *type = json_string_value(json_object_get(key, "type"));
	json_t *value = json_object_get(key, "value"), *item;
	size_t i;

	if (strcmp(type, "zset") == 0)
		json_array_foreach(value, i, item) {
			const char *score = json_string_value(json_array_get(item, 1));

			json_array_set_new(item, 1, json_sprintf("%.17g", strtod(score, NULL)));
		}
	if (strcmp(type, "set") == 0 || strcmp(type, "hash") == 0 || strcmp(type, "zset") == 0)
		expected_sort(value);
	expected_sort(json_object_get(key, "field_expire_at_ms"));
	json_array_foreach(json_object_get(key, "groups"), i, item)
		expected_sort(json_object_get(item, "pending"));
}

// One key. @param got  NULL: it is not there
static inline void expected_key_compare(const char *where, const char *name, json_t *expected,
					json_t *got)
{
	if (got == NULL)
		fail_msg("%s: key %s is missing", where, name);
	expected_normalise(expected);
	expected_normalise(got);
	// Servers that could not tell the time only say that there is one.
	if (json_object_get(expected, "expires")) {
		assert_non_null(json_object_get(got, "expire_at_ms"));
		json_object_del(got, "expire_at_ms");
		json_object_del(expected, "expires");
	}
	if (!json_equal(expected, got)) {
		char *a = json_dumps(expected, JSON_COMPACT), *b = json_dumps(got, JSON_COMPACT);

		fail_msg("%s: key %s: expected %.300s, got %.300s", where, name, a, b);
	}
}

// All of them, and no others. Both sides are normalised.
static inline void expected_same(const char *where, json_t *all, json_t *got)
{
	const char *db, *key;
	json_t *keys, *expected;

	assert_non_null(all);
	assert_int_equal(json_object_size(got), json_object_size(all));
	json_object_foreach(all, db, keys) {
		json_t *ours = json_object_get(got, db);

		assert_int_equal(json_object_size(ours), json_object_size(keys));
		json_object_foreach(keys, key, expected)
			expected_key_compare(where, key, expected, json_object_get(ours, key));
	}
}
