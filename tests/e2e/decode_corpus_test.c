// SPDX-License-Identifier: BSD-3-Clause
// `flyover decode` on files that real servers of many versions wrote, where the corpora are
// present: FLYOVER_CORPORA, or the folder shared/corpora beside the source tree. Every file
// decodes in every format, and the values are those that the servers told.
#include <dirent.h>

#include "tests/corpora.h"
#include "tests/e2e/expected.h"
#include "tests/e2e/harness.h"
#include "tests/expected.h"

// Files that are broken on purpose, and what is said of them.
static const char *broken(const char *name)
{
	if (!strcmp(name, "future_v19.rdb") || !strcmp(name, "invalid_chksum_v8.rdb"))
		return "it is damaged";
	return NULL;
}

static unsigned lines_check(const struct process *p)
{
	FILE *in = fopen(p->out_path, "r");
	char *line = NULL;
	size_t cap = 0;
	unsigned n = 0;

	for (ssize_t len; (len = getline(&line, &cap, in)) > 0; n++) {
		json_t *o = json_loadb(line, (size_t)len, JSON_ALLOW_NUL, NULL);

		assert_true(json_is_object(o));
		assert_true(json_is_string(json_object_get(o, "type")));
		json_decref(o);
	}
	free(line);
	fclose(in);
	return n;
}

static void file_check(struct world *w, const char *path, const char *name)
{
	static const char *const formats[] = {"jsonl", "json", "resp", "keys"};
	unsigned n_lines = 0;

	for (size_t i = 0; i < 4; i++) {
		struct process *p = decode_run(w, path, formats[i]);
		int code = process_wait(p);
		char *said = process_stderr(p);

		if (code != (broken(name) ? 1 : 0) ||
		    (broken(name) && !strstr(said, broken(name))))
			fail_msg("%s as %s: %d, %s", name, formats[i], code, said);
		free(said);
		if (i == 0)
			n_lines = lines_check(p);
		if (i == 1) {
			json_t *all = json_load_file(p->out_path, JSON_ALLOW_NUL, NULL);

			assert_int_equal(json_array_size(all), n_lines);
			json_decref(all);
		}
	}
}

static void folder_check(struct world *w, const char *sub, int n_min)
{
	const char *dir = corpora_folder();
	struct dirent *e;
	int n = 0;

	DIR *d = opendir(text("%s/%s", dir, sub));

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		size_t len = strlen(e->d_name);

		if (len < 4 || strcmp(e->d_name + len - 4, ".rdb") != 0)
			continue;
		file_check(w, text("%s/%s/%s", dir, sub, e->d_name), e->d_name);
		n++;
	}
	closedir(d);
	assert_true(n >= n_min);
}

static void files_of_librdb_decode(struct world *w)
{
	folder_check(w, "librdb", 40);
}

static void files_of_redis_rdb_tools_decode(struct world *w)
{
	folder_check(w, "redis-rdb-tools", 25);
}

// ---- Value by value

static void server_compare(struct world *w, const char *dir, const char *server)
{
	json_t *got = expected_decode(w, text("%s/%s/dump.rdb", dir, server));
	json_t *all = json_load_file(text("%s/%s/expected.json", dir, server), 0, NULL);

	expected_same(server, all, got);
	json_decref(all);
	json_decref(got);
}

static void values_are_those_that_the_servers_had(struct world *w)
{
	const char *dir = corpora_folder();
	struct dirent *e;
	int n = 0;

	dir = text("%s/servers", dir);
	DIR *d = opendir(dir);

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		server_compare(w, dir, e->d_name);
		n++;
	}
	closedir(d);
	assert_true(n >= 7);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(files_of_librdb_decode),
		E2E_TEST(files_of_redis_rdb_tools_decode),
		E2E_TEST(values_are_those_that_the_servers_had),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
