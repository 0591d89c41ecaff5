// SPDX-License-Identifier: BSD-3-Clause
// Append-only files that real servers wrote, where the corpora are present: FLYOVER_CORPORA, or the
// folder shared/corpora beside the source tree. Each decodes, and has as many commands as a count
// that knows nothing of the reader says.
#include <sys/stat.h>

#include "tests/corpora.h"
#include "tests/unit/aof_rig.h"
#include "tests/unit/rdb_feed.h"

static struct span file_load(const char *path)
{
	FILE *in = fopen(path, "rb");
	assert_non_null(in);
	fseek(in, 0, SEEK_END);
	long len = ftell(in);
	rewind(in);
	char *buf = malloc((size_t)len + 1);
	assert_int_equal(fread(buf, 1, (size_t)len, in), len);
	buf[len] = '\0';
	fclose(in);
	return (struct span){buf, (size_t)len};
}

static const char *number_behind(const char *p, char mark, unsigned long *v)
{
	char *end;
	assert_int_equal(*p, mark);
	*v = strtoul(p + 1, &end, 10);
	assert_int_equal(strncmp(end, "\r\n", 2), 0);
	return end + 2;
}

static size_t commands_count(struct span file)
{
	struct feeder f = {.set = FEED_SETTINGS};
	size_t n = 0;
	const char *p = file.p, *end = file.p + file.len;
	if (file.len && (*p == 'R' || *p == 'V')) {
		feed_run(&f, file);
		assert_int_equal(f.result, RDB_DONE);
		p += f.pos;
	}
	for (; p < end; n++) {
		unsigned long argc, len;
		for (p = number_behind(p, '*', &argc); argc; argc--)
			p = number_behind(p, '$', &len) + len + 2;
	}
	assert_ptr_equal(p, end);
	return n;
}

// All files of a folder but its manifest. @return commands
static size_t folder_count(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	size_t n = 0;
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		char path[5000];
		if (e->d_name[0] == '.' || strstr(e->d_name, ".manifest"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		struct span file = file_load(path);
		n += commands_count(file);
		free((char *)file.p);
	}
	closedir(d);
	return n;
}

static void aof_check(const char *path, size_t n_commands)
{
	static const char *const formats[] = {"jsonl", "json", "resp", "keys"};
	const struct decode as = {.path = path, .strict = true};
	for (size_t i = 0; i < 4; i++) {
		struct shown s = decode_as(&as, formats[i]);
		if (s.rc)
			fail_msg("%s: %s", path, s.f.sentence);
		assert_int_equal(s.d.n_commands, n_commands);
		assert_string_equal(s.d.note, "");
		assert_true(s.len > 1000);
		free(s.text);
	}
}

static void every_servers_commands_are_all_there(void **state)
{
	static const char *const folders[] = {"aof-incr", "aof-rewritten"};
	char servers[4096], path[4900];
	struct dirent *e;
	struct stat st;
	int n = 0;
	snprintf(servers, sizeof(servers), "%s/servers", corpora_folder());
	DIR *d = opendir(servers);
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		for (size_t i = 0; i < 2 && e->d_name[0] != '.'; i++, n++) {
			snprintf(path, sizeof(path), "%s/%s/%s/appendonlydir", servers, e->d_name,
				 folders[i]);
			bool multi = stat(path, &st) == 0;
			if (!multi)
				*strrchr(path, '/') = '\0';
			size_t n_commands = folder_count(path);
			if (!multi)
				strcat(path, "/appendonly.aof");
			assert_true(n_commands > 2);
			aof_check(path, n_commands);
		}
	}
	closedir(d);
	assert_true(n >= 14);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_servers_commands_are_all_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
