// SPDX-License-Identifier: BSD-3-Clause
// `flyover restore` of files that real servers of many versions wrote, where the corpora are
// present: RDB, append-only files as they grew and rewritten ones. What this server can hold is in
// it as the servers told; what it cannot is parked by name.
#include <sys/stat.h>

#include "tests/corpora.h"
#include "tests/e2e/expected.h"
#include "tests/e2e/restore_rig.h"
#include "tests/expected.h"

#define PARKED_MAX "100000"

// What is parked: database -> key (base64) -> phase.
static json_t *parked_keys(struct world *w, const char *state)
{
	struct job *j = job_start(w, "link", "parked", "list", "--state-dir", state, "--json",
				  "--limit", PARKED_MAX, NULL);
	json_t *dbs = json_object(), *one;
	size_t i;

	assert_int_equal(process_wait(j->process), 0);
	json_t *list = json_load_file(j->process->out_path, 0, NULL);
	json_array_foreach(json_object_get(list, "parked"), i, one) {
		const char *db = text("%lld", (long long)json_integer_value(
						      json_object_get(one, "db")));
		const char *key = json_string_value(json_object_get(one, "key"));
		json_t *name = base64_json(key, strlen(key));

		if (!json_object_get(dbs, db))
			json_object_set_new(dbs, db, json_object());
		json_object_set(json_object_get(dbs, db), json_string_value(name),
				json_object_get(one, "phase"));
		json_decref(name);
	}
	json_decref(list);
	return dbs;
}

// Leave out what is parked. A key whose value was refused must not be there; one that lacks a
// command may be. @return keys
static unsigned parked_drop(json_t *all, json_t *got, const json_t *parked)
{
	const char *db, *key;
	json_t *keys, *one;
	unsigned n = 0;

	json_object_foreach((json_t *)parked, db, keys)
		json_object_foreach(keys, key, one) {
			if (!strcmp(json_string_value(one), "stream"))
				json_object_del(json_object_get(got, db), key);
			if (json_object_get(json_object_get(got, db), key))
				fail_msg("%s is both parked and there", key);
			n += json_object_del(json_object_get(all, db), key) == 0;
		}
	return n;
}

// A score of -0 that comes by ZADD is 0 in the packed sorted sets of Redis 7.0.
static void minus_zeroes_drop(json_t *all)
{
	const char *db, *key;
	json_t *keys, *one, *pair;
	size_t i;

	json_object_foreach(all, db, keys)
		json_object_foreach(keys, key, one)
			json_array_foreach(json_object_get(one, "value"), i, pair) {
				const char *score = json_string_value(json_array_get(pair, 1));

				if (score && !strcmp(score, "-0"))
					json_array_set_new(pair, 1, json_string("0"));
			}
}

// A command that this server does not have ends the restore, as it ends a sync.
static bool is_unknown(struct job *j)
{
	char *said = process_stderr(j->process);
	bool unknown = strstr(said, "unknown command") != NULL;

	free(said);
	return unknown;
}

// @param whole  whether this server can hold all of it
static void file_restore(struct world *w, struct server *target, const char *file,
			 const char *expected, bool whole)
{
	const char *state = text("%s/state-%u", w->dir, w->n_processes);

	run(target, "FLUSHALL");
	struct job *j = job_start(w, "restore", file, target->url, "--state-dir", state, "--json",
				  NULL);
	int code = job_wait(j);
	if (code == 1 && !whole && is_unknown(j)) {
		assert_one_sentence(j, "the target refuses");
		return;
	}
	if (code == 1 && !whole)
		assert_one_sentence(j, "parked");
	else if (code)
		fail_msg("%s: exit code %d", file, code);
	assert_no_traces(target);
	json_t *all = json_load_file(expected, 0, NULL), *got = expected_decode(w, rdb_of(target));
	json_t *parked = code ? parked_keys(w, state) : json_object();
	unsigned n = parked_drop(all, got, parked);
	if (!strstr(file, ".rdb")) {
		minus_zeroes_drop(all);
		minus_zeroes_drop(got);
	}
	assert_int_equal(n > 0, code == 1);
	expected_same(file, all, got);
	json_decref(parked);
	json_decref(all);
	json_decref(got);
}

// Of Redis 7.0 and before: everything has to arrive.
static bool is_of_an_older(const char *server)
{
	return !strncmp(server, "redis-", 6) && strcmp(server, "redis-7.2") < 0;
}

static void each_server(struct world *w, void (*restore)(struct world *w, struct server *target,
							 const char *folder, const char *name))
{
	const char *folder = text("%s/servers", corpora_folder());
	struct dirent *e;
	int n = 0;

	struct server *target = server_start(w, "target", NULL);
	DIR *d = opendir(folder);
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		restore(w, target, text("%s/%s", folder, e->d_name), e->d_name);
		n++;
	}
	closedir(d);
	assert_true(n >= 7);
}

static void rdb_restore(struct world *w, struct server *target, const char *folder,
			const char *name)
{
	file_restore(w, target, text("%s/dump.rdb", folder), text("%s/expected.json", folder),
		     is_of_an_older(name));
}

static void rdb_files_of_servers_are_restored(struct world *w)
{
	each_server(w, rdb_restore);
}

static void aof_restore(struct world *w, struct server *target, const char *folder,
			const char *name)
{
	static const char *const kinds[] = {"aof-incr", "aof-rewritten"};
	struct stat st;

	for (unsigned i = 0; i < 2; i++) {
		const char *file = text("%s/%s/appendonlydir", folder, kinds[i]);

		if (stat(file, &st))
			file = text("%s/%s/appendonly.aof", folder, kinds[i]);
		file_restore(w, target, file, text("%s/expected.json", folder),
			     is_of_an_older(name));
	}
}

static void append_only_files_of_servers_are_restored(struct world *w)
{
	each_server(w, aof_restore);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		E2E_TEST(rdb_files_of_servers_are_restored),
		E2E_TEST(append_only_files_of_servers_are_restored),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
