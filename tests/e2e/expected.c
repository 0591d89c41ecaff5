// SPDX-License-Identifier: BSD-3-Clause
// expected_decode() -> converted()
#include "tests/e2e/expected.h"

#include "tests/e2e/harness.h"
#include "tests/e2e/json_bytes.h"
#include "tests/expected.h"

struct process *decode_run(struct world *w, const char *file, const char *format)
{
	const char *arguments[] = {text("%s/flyover", build_dir()), "decode", file,
				   text("--format=%s", format), NULL};
	struct process *p = process_start(w, "decode", arguments, NULL);

	process_wait(p);
	return p;
}

// The string as the servers' answers have it: base64.
static json_t *as_base64(const json_t *v)
{
	size_t len;
	const char *p = json_bytes(v, &len);

	return base64_json(p, len);
}

static json_t *all_as_base64(const json_t *array)
{
	json_t *out = json_array(), *item;
	size_t i;

	json_array_foreach((json_t *)array, i, item)
		json_array_append_new(out, as_base64(item));
	return out;
}

static json_t *pairs_of(const json_t *value, bool scores, json_t **expiries)
{
	json_t *out = json_array(), *item;
	size_t i;

	json_array_foreach((json_t *)value, i, item) {
		const json_t *second = json_array_get(item, 1), *at = json_array_get(item, 2);
		json_t *b = scores ? json_deep_copy(second) : as_base64(second);

		json_array_append_new(
			out, json_pack("[o, o]", as_base64(json_array_get(item, 0)), b));
		if (!at)
			continue;
		*expiries = *expiries ? *expiries : json_array();
		json_array_append_new(*expiries,
				      json_pack("[o, O]", as_base64(json_array_get(item, 0)), at));
	}
	return out;
}

static void stream_convert(json_t *out, const json_t *value)
{
	json_t *entries = json_array(), *groups = json_array(), *item, *one;
	size_t i, k;

	json_array_foreach(json_object_get(value, "entries"), i, item)
		json_array_append_new(entries, json_pack("[O, o]", json_array_get(item, 0),
							 all_as_base64(json_array_get(item, 1))));
	json_array_foreach(json_object_get(value, "groups"), i, item) {
		json_t *pending = json_array();

		json_array_foreach(json_object_get(item, "pending"), k, one)
			json_array_append_new(
				pending, json_pack("[O, o, O]", json_array_get(one, 0),
						   as_base64(json_array_get(one, 1)),
						   json_array_get(one, 2)));
		json_array_append_new(
			groups, json_pack("{s:O, s:o, s:o}", "last_id",
					  json_object_get(item, "last_id"), "name",
					  as_base64(json_object_get(item, "name")), "pending",
					  pending));
	}
	json_object_set_new(out, "value", entries);
	json_object_set_new(out, "groups", groups);
	json_object_set(out, "last_id", json_object_get(value, "last_id"));
}

// From our form to that of expected.json.
static json_t *converted(const json_t *o)
{
	const json_t *type = json_object_get(o, "type"), *value = json_object_get(o, "value");
	const char *name = json_string_value(type);
	json_t *out = json_object(), *expiries = NULL;

	json_object_set(out, "type", (json_t *)type);
	if (json_object_get(o, "expire_at_ms"))
		json_object_set(out, "expire_at_ms", json_object_get(o, "expire_at_ms"));
	if (!strcmp(name, "string"))
		json_object_set_new(out, "value", as_base64(value));
	else if (!strcmp(name, "list") || !strcmp(name, "set"))
		json_object_set_new(out, "value", all_as_base64(value));
	else if (!strcmp(name, "hash") || !strcmp(name, "zset"))
		json_object_set_new(out, "value", pairs_of(value, *name == 'z', &expiries));
	else if (!strcmp(name, "stream"))
		stream_convert(out, value);
	if (expiries)
		json_object_set_new(out, "field_expire_at_ms", expiries);
	return out;
}

void expected_compare(const char *server, const char *name, json_t *expected, json_t *got)
{
	expected_key_compare(server, name, expected, got);
}

json_t *expected_decode(struct world *w, const char *path)
{
	struct process *p = decode_run(w, path, "json");
	json_t *all = json_load_file(p->out_path, JSON_ALLOW_NUL, NULL), *dbs = json_object(), *o;
	size_t i;

	assert_true(json_is_array(all));
	json_array_foreach(all, i, o) {
		if (!json_object_get(o, "key") || !json_object_get(o, "db"))
			continue;
		const char *db = text("%lld", (long long)json_integer_value(
						      json_object_get(o, "db")));
		json_t *name = as_base64(json_object_get(o, "key"));

		if (!json_object_get(dbs, db))
			json_object_set_new(dbs, db, json_object());
		json_object_set_new(json_object_get(dbs, db), json_string_value(name),
				    converted(o));
		json_decref(name);
	}
	json_decref(all);
	return dbs;
}
