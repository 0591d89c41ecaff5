// SPDX-License-Identifier: BSD-3-Clause
// RDB files that real servers wrote, where the corpora are present: FLYOVER_CORPORA, or the folder
// shared/corpora beside the source tree.
#include "tests/corpora.h"
#include "tests/expected.h"
#include "tests/unit/rdb_feed.h"

static struct span file_read(const char *path)
{
	FILE *in = fopen(path, "rb");
	char *buf;
	long len;

	if (in == NULL)
		fail_msg("cannot open %s", path);
	fseek(in, 0, SEEK_END);
	len = ftell(in);
	rewind(in);
	buf = malloc((size_t)len + 1);
	assert_int_equal(fread(buf, 1, (size_t)len, in), len);
	fclose(in);
	return (struct span){buf, (size_t)len};
}

// Files that are not sound, and what the reader says.
static const struct {
	const char *name;
	enum rdb_result result;
	const char *error;
} unsound[] = {
	{"future_v19.rdb", RDB_BAD, "newer than what we know"},
	{"invalid_chksum_v8.rdb", RDB_DONE, "damaged"},
};

static void file_check(const char *dir, const char *name)
{
	char path[4200];
	struct span file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = file_read(path);
	for (int elements = 0; elements < 2; elements++) {
		struct feeder f = {.set = FEED_SETTINGS};
		enum rdb_result result = RDB_DONE;
		const char *error = "";

		f.set.elements = elements;
		for (size_t i = 0; i < sizeof(unsound) / sizeof(unsound[0]); i++)
			if (strcmp(name, unsound[i].name) == 0) {
				result = unsound[i].result;
				error = unsound[i].error;
			}
		char *trace = feed_all_ways(&f, file);

		if (f.result != result || strstr(f.error, error) == NULL ||
		    (*error == '\0' && *f.error != '\0'))
			fail_msg("%s: result %d, %s", name, f.result, f.error);
		free(trace);
	}
	free((char *)file.p);
}

static void folder_check(const char *sub, int n_min)
{
	char dir[4096];
	struct dirent *e;
	int n = 0;

	snprintf(dir, sizeof(dir), "%s/%s", corpora_folder(), sub);
	DIR *d = opendir(dir);

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		size_t len = strlen(e->d_name);

		if (len < 4 || strcmp(e->d_name + len - 4, ".rdb") != 0)
			continue;
		file_check(dir, e->d_name);
		n++;
	}
	closedir(d);
	assert_true(n >= n_min);
}

static void files_of_librdb_parse_as_their_names_say(void **state)
{
	folder_check("librdb", 40);
}

static void files_of_redis_rdb_tools_parse(void **state)
{
	folder_check("redis-rdb-tools", 25);
}

// The data set as JSON, like expected.json: database -> key -> {type, value, ...}.
struct collector {
	json_t *dbs;
	json_t *db;
	json_t *key;   // the one being read
	json_t *value;
	json_t *group; // of a stream
	char joined[1 << 20];
	size_t joined_len;
};

static json_t *b64(struct span s)
{
	return base64_json(s.p, s.len);
}

static json_t *id_text(struct rdb_stream_id id)
{
	return json_sprintf("%llu-%llu", (unsigned long long)id.ms, (unsigned long long)id.seq);
}

static void key_begin(struct collector *c, const struct rdb_event *ev)
{
	json_t *name = b64(ev->key);

	c->key = json_object();
	c->value = json_array();
	json_object_set_new(c->key, "type", json_string(rdb_kind_name(ev->value_kind)));
	if (ev->expire_at_ms != -1)
		json_object_set_new(c->key, "expire_at_ms", json_integer(ev->expire_at_ms));
	json_object_set_new(c->key, "value", c->value);
	json_object_set_new(c->db, json_string_value(name), c->key);
	json_decref(name);
}

static void hash_item(struct collector *c, const struct rdb_event *ev)
{
	json_t *expiries = json_object_get(c->key, "field_expire_at_ms");

	json_array_append_new(c->value, json_pack("[o, o]", b64(ev->field), b64(ev->value)));
	if (ev->field_expire_at_ms == -1)
		return;
	if (expiries == NULL) {
		expiries = json_array();
		json_object_set_new(c->key, "field_expire_at_ms", expiries);
	}
	json_array_append_new(expiries, json_pack("[o, I]", b64(ev->field),
						  (json_int_t)ev->field_expire_at_ms));
}

static void stream_event(struct collector *c, const struct rdb_event *ev)
{
	struct rdb_fields fields = ev->fields;
	struct rdb_field field;
	json_t *groups = json_object_get(c->key, "groups"), *list;

	switch (ev->kind) {
	case RDB_STREAM_ENTRY:
		list = json_array();
		while (rdb_fields_next(&fields, &field)) {
			json_array_append_new(list, b64(field.name));
			json_array_append_new(list, b64(field.value));
		}
		json_array_append_new(c->value, json_pack("[o, o]", id_text(ev->id), list));
		break;
	case RDB_STREAM_META:
		assert_int_equal(ev->stream.length, json_array_size(c->value));
		json_object_set_new(c->key, "last_id", id_text(ev->stream.last));
		json_object_set_new(c->key, "groups", json_array());
		break;
	case RDB_STREAM_GROUP:
		c->group = json_pack("{s:o, s:o, s:[]}", "last_id", id_text(ev->id), "name",
				     b64(ev->group), "pending");
		json_array_append_new(groups, c->group);
		break;
	case RDB_STREAM_PENDING:
		assert_true(ev->delivered_at_ms > 1000000000000);
		json_array_append_new(json_object_get(c->group, "pending"),
				      json_pack("[o, o, I]", id_text(ev->id), b64(ev->consumer),
						(json_int_t)ev->n_delivered));
		break;
	default:
		assert_int_equal(ev->kind, RDB_STREAM_CONSUMER);
		assert_true(ev->seen_at_ms > 1000000000000);
	}
}

static void string_event(struct collector *c, const struct rdb_event *ev)
{
	if (ev->kind == RDB_STRING || ev->kind == RDB_STRING_BEGIN) {
		key_begin(c, ev);
		c->joined_len = 0;
	}
	if (ev->kind == RDB_STRING || ev->kind == RDB_STRING_PART) {
		assert_true(c->joined_len + ev->value.len <= sizeof(c->joined));
		memcpy(c->joined + c->joined_len, ev->value.p, ev->value.len);
		c->joined_len += ev->value.len;
	}
	if (ev->kind == RDB_STRING || ev->kind == RDB_STRING_END)
		json_object_set_new(c->key, "value",
				    b64((struct span){c->joined, c->joined_len}));
}

static void collect(void *arg, const struct rdb_reader *r, const struct rdb_event *ev)
{
	struct collector *c = arg;
	char name[40];

	switch (ev->kind) {
	case RDB_SELECTDB:
		snprintf(name, sizeof(name), "%llu", (unsigned long long)ev->db);
		c->db = json_object();
		json_object_set_new(c->dbs, name, c->db);
		break;
	case RDB_STRING:
	case RDB_STRING_BEGIN:
	case RDB_STRING_PART:
	case RDB_STRING_END:
		string_event(c, ev);
		break;
	case RDB_BIG_BEGIN:
		key_begin(c, ev);
		break;
	case RDB_RAW: // Redis 8's vector set is a module's value: there is no taking it apart
		assert_int_equal(ev->value_kind, RDB_KIND_MODULE);
		key_begin(c, ev);
		json_object_del(c->key, "value");
		json_object_set_new(c->key, "type", json_string("vectorset"));
		break;
	case RDB_LIST_ITEM:
	case RDB_SET_ITEM:
		json_array_append_new(c->value, b64(ev->value));
		break;
	case RDB_HASH_ITEM:
		hash_item(c, ev);
		break;
	case RDB_ZSET_ITEM:
		snprintf(name, sizeof(name), "%.*s", (int)ev->value.len, ev->value.p);
		assert_true(strtod(name, NULL) == ev->score);
		json_array_append_new(c->value,
				      json_pack("[o, s%]", b64(ev->field), ev->value.p,
						ev->value.len));
		break;
	case RDB_AUX:
	case RDB_RESIZEDB:
	case RDB_FUNCTION:
	case RDB_BIG_END:
		break;
	case RDB_EOF:
		assert_int_equal(ev->crc, RDB_CRC_OK);
		break;
	default:
		stream_event(c, ev);
	}
}

static void server_compare(const char *server, enum feed how, size_t big_len)
{
	static struct collector c;
	char path[4200];
	struct feeder f = {.set = FEED_SETTINGS, .how = how, .seed = 1, .seen = collect, .arg = &c};

	c.dbs = json_object();
	snprintf(path, sizeof(path), "%s/servers/%s/dump.rdb", corpora_folder(), server);
	struct span file = file_read(path);

	snprintf(path, sizeof(path), "%s/servers/%s/expected.json", corpora_folder(), server);
	json_t *all = json_load_file(path, 0, NULL);

	f.set.elements = true;
	f.set.big_len = big_len;
	feed_run(&f, file);
	if (f.result != RDB_DONE)
		fail_msg("%s: %s", server, f.error);
	expected_same(server, all, c.dbs);
	json_decref(all);
	json_decref(c.dbs);
	free((char *)file.p);
}

static void values_are_those_that_the_servers_had(void **state)
{
	static const char *const servers[] = {"redis-2.8.24", "redis-4.0.14", "redis-6.2.14",
					      "redis-7.2.4",  "redis-8.0.2",  "valkey-8.0.1",
					      "valkey-9.0.4"};

	for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
		server_compare(servers[i], FEED_WHOLE, 65536);
		server_compare(servers[i], FEED_BYTES, 50);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_of_librdb_parse_as_their_names_say),
		cmocka_unit_test(files_of_redis_rdb_tools_parse),
		cmocka_unit_test(values_are_those_that_the_servers_had),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
