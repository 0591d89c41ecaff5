// SPDX-License-Identifier: BSD-3-Clause
// `flyover dump` of files that real servers of many versions wrote, served by a primary of ours,
// where the corpora are present: FLYOVER_CORPORA, or the folder shared/corpora beside the source
// tree. They come out byte for byte; a filter that every key fits leaves every key as it was.
#include "tests/corpora.h"
#include "tests/e2e/dump_rig.h"

// Broken on purpose.
static bool is_broken(const char *path)
{
	return strstr(path, "invalid_chksum_v8.rdb") || strstr(path, "future_v19.rdb");
}

// What `flyover decode` makes of the keys of a file.
static char *keys_of(struct world *w, const char *path)
{
	struct job *j = job_start(w, "decode", path, "--match=*", NULL);

	assert_int_equal(process_wait(j->process), 0);
	return process_stdout(j->process);
}

static void filter_check(struct world *w, const char *url, const char *path)
{
	unlink(dump_file(w));
	dump_done(w, dump_start(w, url, "--match=*", NULL));
	char *expected = keys_of(w, path), *got = keys_of(w, dump_file(w));

	if (strcmp(expected, got))
		fail_msg("%s: a filter changed its keys", path);
	free(expected);
	free(got);
}

static void file_check(struct world *w, const char *path, bool filters)
{
	struct fake *f = fake_start(w, fake_primary, NULL);
	size_t len;
	char *file = file_read(path, &f->rdb_len);

	assert_non_null(file);
	f->rdb = file;
	struct job *j = dump_start(w, f->url, NULL);
	if (is_broken(path)) {
		dump_failed(w, j, 1, "");
	} else {
		dump_done(w, j);
		char *got = file_read(dump_file(w), &len);
		if (len != f->rdb_len || memcmp(got, file, len))
			fail_msg("%s: other bytes came out", path);
		free(got);
		if (filters)
			filter_check(w, f->url, path);
		unlink(dump_file(w));
	}
	fakes_free(w);
	free(file);
}

// @param inner  of each entry, the file; "" for the entry itself, which is not filtered then
static void folder_check(struct world *w, const char *sub, const char *inner, int n_min)
{
	const char *dir = corpora_folder();
	int n = 0;

	DIR *d = opendir(text("%s/%s", dir, sub));
	assert_non_null(d);
	dump_dir_make(w);
	for (const struct dirent *e; (e = readdir(d));) {
		const char *path = text("%s/%s/%s%s", dir, sub, e->d_name, inner);
		size_t length = strlen(path);
		if (e->d_name[0] == '.' || strcmp(path + length - 4, ".rdb") || access(path, R_OK))
			continue;
		file_check(w, path, *inner);
		processes_forget(w);
		n++;
	}
	closedir(d);
	assert_true(n >= n_min);
}

static void files_of_servers_come_out_as_they_are(struct world *w)
{
	folder_check(w, "servers", "/dump.rdb", 7);
}

static void files_of_librdb_come_out_as_they_are(struct world *w)
{
	folder_check(w, "librdb", "", 40);
}

static void files_of_redis_rdb_tools_come_out_as_they_are(struct world *w)
{
	folder_check(w, "redis-rdb-tools", "", 25);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		E2E_TEST(files_of_servers_come_out_as_they_are),
		E2E_TEST(files_of_librdb_come_out_as_they_are),
		E2E_TEST(files_of_redis_rdb_tools_come_out_as_they_are),
	};
	e2e_filter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
