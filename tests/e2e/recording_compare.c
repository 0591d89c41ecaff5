// SPDX-License-Identifier: BSD-3-Clause
// recording_differences() -> recording_value() of each key -> value_same()
#include "tests/e2e/harness.h"
#include "tests/e2e/recording.h"

#define SHOWN_MAX 4

static const char *const readers[][2] = {
	{"string", "GET %s"},
	{"list", "LRANGE %s 0 -1"},
	{"set", "SMEMBERS %s"},
	{"hash", "HGETALL %s"},
	{"zset", "ZRANGE %s 0 -1 WITHSCORES"},
};

static json_t *reply_json(const redisReply *r)
{
	if (r->type != REDIS_REPLY_ARRAY)
		return r->str ? json_stringn(r->str, r->len) : json_null();
	json_t *array = json_array();
	for (size_t i = 0; i < r->elements; i++)
		json_array_append_new(array, json_stringn(r->element[i]->str, r->element[i]->len));
	return array;
}

json_t *recording_value(struct server *s, const char *key, const char *type)
{
	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		if (strcmp(readers[i][0], type) != 0)
			continue;
		redisReply *r = ask(s, readers[i][1], key);
		json_t *value = reply_json(r);
		freeReplyObject(r);
		return value;
	}
	fail_msg("key %s: nobody knows the type %s", key, type);
	return NULL;
}

// Groups of n elements, in the order of their texts.
static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static json_t *sorted(const json_t *array, size_t n)
{
	size_t n_groups = json_array_size(array) / n;
	char **groups = calloc(n_groups + 1, sizeof(*groups));
	json_t *out = json_array();

	assert_non_null(groups);
	for (size_t i = 0; i < n_groups; i++) {
		json_t *group = json_array();
		for (size_t k = 0; k < n; k++)
			json_array_append(group, json_array_get(array, i * n + k));
		groups[i] = json_dumps(group, JSON_COMPACT);
		json_decref(group);
	}
	qsort(groups, n_groups, sizeof(*groups), by_text);
	for (size_t i = 0; i < n_groups; i++) {
		json_array_append_new(out, json_string(groups[i]));
		free(groups[i]);
	}
	free(groups);
	return out;
}

static bool value_same(const char *type, const json_t *expected, const json_t *got)
{
	size_t n = !strcmp(type, "set") ? 1 : !strcmp(type, "hash") ? 2 : 0;

	if (!n || !json_is_array(got))
		return json_equal(expected, got);
	json_t *a = sorted(expected, n), *b = sorted(got, n);
	bool same = json_equal(a, b);
	json_decref(a);
	json_decref(b);
	return same;
}

static bool key_same(struct server *s, const char *key, const json_t *expected, bool tell)
{
	const char *type = json_string_value(json_object_get(expected, "type"));
	const json_t *value = json_object_get(expected, "value");
	json_t *got = recording_value(s, key, type);
	bool same = value_same(type, value, got);

	if (!same && tell) {
		char *a = json_dumps(value, JSON_ENCODE_ANY), *b = json_dumps(got, JSON_ENCODE_ANY);
		print_message("key %s, slot %u: expected %.200s, %s has %.200s\n", key,
			      key_slot(span_of(key)), a, s->name, b);
		free(a);
		free(b);
	}
	json_decref(got);
	return same;
}

unsigned recording_differences(const struct recording *r, const struct servers *all,
			       struct server *(*owner)(void *arg, const char *key), void *arg,
			       bool tell)
{
	unsigned n = 0;
	long long there = 0;
	const char *key;
	json_t *expected;

	json_object_foreach(r->expected, key, expected) n += !key_same(
		owner ? owner(arg, key) : all->list[0], key, expected, tell && n < SHOWN_MAX);
	for (unsigned i = 0; i < all->n; i++)
		there += keys_count(all->list[i], 0);
	if (n || there == (long long)json_object_size(r->expected))
		return n;
	if (tell)
		print_message("%lld keys are there, %zu were expected\n", there,
			      json_object_size(r->expected));
	return 1;
}
