// SPDX-License-Identifier: BSD-3-Clause
// What a user may name as an AOF, and the time at which it is to end; where the good commands end.
#include <sys/stat.h>

#include "ctrl/aof/extent.h"
#include "ctrl/aof/files.h"
#include "ctrl/aof/instant.h"
#include "tests/unit/aof_rig.h"

#define TWO_PARTS                                                                                  \
	"file a.2.incr.aof seq 2 type i\nfile a.1.base.rdb seq 1 type b\n"                         \
	"file gone.aof seq 1 type h\n"

static void folder_and_manifest_give_its_parts_in_order(void **state)
{
	struct folder d = folder_make();
	folder_text(&d, "a.aof.manifest", TWO_PARTS);
	folder_text(&d, "a.1.base.rdb", "REDIS");
	folder_text(&d, "a.2.incr.aof", SET_K_V);
	const char *const names[] = {"", "/", "/a.aof.manifest"};
	for (size_t i = 0; i < 3; i++) {
		char path[128];
		struct aof_files files;
		struct failure f = {0};
		snprintf(path, sizeof(path), "%s%s", d.path, names[i]);
		assert_int_equal(aof_files_open(&files, path, &f), 0);
		assert_int_equal(files.n, 2);
		assert_true(files.multi);
		assert_string_equal(files.v[0].name, "a.1.base.rdb");
		assert_int_equal(files.v[0].type, AOF_PART_BASE);
		assert_int_equal(files.v[0].len, 5);
		assert_string_equal(files.v[1].path, folder_file(&d, "a.2.incr.aof"));
		assert_int_equal(files.len, 5 + strlen(SET_K_V));
		assert_true(aof_file_is_aof(&files, &files.v[0]));
		aof_files_close(&files);
	}
	folder_remove(&d);
}

static void file_by_itself_is_one_part(void **state)
{
	struct folder d = folder_make();
	struct aof_files files;
	struct failure f = {0};
	folder_text(&d, "x.aof", "1234");
	assert_int_equal(aof_files_open(&files, folder_file(&d, "x.aof"), &f), 0);
	assert_int_equal(files.n, 1);
	assert_int_equal(files.len, 4);
	assert_false(files.multi);
	assert_true(aof_file_is_aof(&files, &files.v[0]));
	aof_files_close(&files);
	assert_int_equal(aof_files_open(&files, "-", &f), 0);
	assert_string_equal(files.v[0].path, "-");
	assert_false(aof_file_is_aof(&files, &files.v[0]));
	aof_files_close(&files);
	folder_remove(&d);
}

static void refuses_path(const char *path, enum error_id id, const char *part)
{
	struct aof_files files;
	struct failure f = {0};
	assert_int_equal(aof_files_open(&files, path, &f), -1);
	assert_int_equal(f.id, id);
	says(f.sentence, part);
}

static void folders_that_are_not_whole_are_refused(void **state)
{
	struct folder d = folder_make();
	refuses_path(d.path, ERROR_FILE, "is a directory without a manifest");
	refuses_path(folder_file(&d, "none.manifest"), ERROR_FILE, "No such file");
	folder_text(&d, "a.manifest", TWO_PARTS);
	folder_text(&d, "a.1.base.rdb", "");
	refuses_path(d.path, ERROR_AOF_PARTS, "a.manifest names ");
	refuses_path(d.path, ERROR_AOF_PARTS, "/a.2.incr.aof, which is not there");
	assert_int_equal(mkdir(folder_file(&d, "a.2.incr.aof"), 0700), 0);
	refuses_path(d.path, ERROR_AOF_PARTS, "/a.2.incr.aof, which is no file");
	assert_int_equal(rmdir(folder_file(&d, "a.2.incr.aof")), 0);
	folder_text(&d, "b.manifest", TWO_PARTS);
	refuses_path(d.path, ERROR_AOF_PARTS, "has two manifests, ");
	folder_text(&d, "a.manifest", "file ../../etc/passwd seq 1 type i\n");
	refuses_path(folder_file(&d, "a.manifest"), ERROR_AOF_PARTS,
		     "a.manifest: line 1: the file must be a plain name");
	folder_text(&d, "a.manifest", "");
	refuses_path(folder_file(&d, "a.manifest"), ERROR_AOF_PARTS, "names no base");
	folder_remove(&d);
}

// ---- Extents

static struct aof_extent extent_of(const struct folder *d, const char *text, uint64_t from,
				   int64_t until_s)
{
	struct aof_extent e;
	folder_text(d, "x.aof", text);
	assert_int_equal(aof_extent_find(folder_file(d, "x.aof"), from, until_s, &e), 0);
	return e;
}

static void extent_ends_at_the_last_good_point(void **state)
{
	struct folder d = folder_make();
	struct aof_extent e = extent_of(&d, SET_K_V INCR_N, 0, AOF_UNTIL_NONE);
	assert_int_equal(e.good, 48);
	assert_int_equal(e.len, 48);
	assert_int_equal(e.ending, AOF_WHOLE);
	assert_int_equal(e.n_commands, 2);
	assert_int_equal(e.first_s, -1);
	e = extent_of(&d, SET_K_V MULTI INCR_N "*2\r\n$4\r\nIN", 0, AOF_UNTIL_NONE);
	assert_int_equal(e.good, 27);
	assert_int_equal(e.ending, AOF_OPEN_MULTI);
	assert_int_equal(e.n_commands, 1);
	assert_int_equal(e.len, 73);
	e = extent_of(&d, "an RDB" SET_K_V "*2\r\n$4\r\nIN", 6, AOF_UNTIL_NONE);
	assert_int_equal(e.good, 33);
	assert_int_equal(e.ending, AOF_CUT);
	e = extent_of(&d, SET_K_V MULTI INCR_N "garbage", 0, AOF_UNTIL_NONE);
	assert_int_equal(e.good, 27);
	assert_true(e.damaged);
	says(e.error, "at byte 63");
	e = extent_of(&d, "", 0, AOF_UNTIL_NONE);
	assert_int_equal(e.ending, AOF_EMPTY);
	folder_remove(&d);
}

static void extent_ends_before_a_later_time(void **state)
{
	static const char file[] =
		"#TS:100\r\n" SET_K_V "#TS:200\r\n" MULTI INCR_N "#TS:201\r\n" EXEC INCR_N;
	static const struct {
		int64_t until_s;
		uint64_t good, n;
		bool until;
	} cases[] = {{99, 0, 0, true},   {100, 36, 1, true},  {199, 36, 1, true},
		     {200, 45, 1, true}, {201, 125, 5, false}, {AOF_UNTIL_NONE, 125, 5, false}};
	struct folder d = folder_make();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct aof_extent e = extent_of(&d, file, 0, cases[i].until_s);
		assert_int_equal(e.good, cases[i].good);
		assert_int_equal(e.n_commands, cases[i].n);
		assert_int_equal(e.until, cases[i].until);
	}
	folder_remove(&d);
}

static void extent_of_a_pipe_is_unknown(void **state)
{
	struct aof_extent e;
	char path[64];
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	assert_int_equal(aof_extent_find(path, 0, AOF_UNTIL_NONE, &e), -ESPIPE);
	assert_int_equal(aof_extent_find("/nowhere/at/all", 0, AOF_UNTIL_NONE, &e), -ENOENT);
	close(ends[0]);
	close(ends[1]);
}

// ---- Instants

static void instants_are_read_as_people_write_them(void **state)
{
	static const struct {
		const char *text;
		int64_t at_s;
	} cases[] = {
		{"0", 0},
		{"1700000000", 1700000000},
		{"2023-11-14T22:13:20Z", 1700000000},
		{"2023-11-14t22:13:20z", 1700000000},
		{"2023-11-14 22:13:20.999Z", 1700000000},
		{"2023-11-14T23:13:20+01:00", 1700000000},
		{"2023-11-14T16:43:20-05:30", 1700000000},
		{"2024-02-29T00:00:00Z", 1709164800},
		{"1970-01-01T00:00:00Z", 0},
		{"2016-12-31T23:59:60Z", 1483228800},
	};
	char text[INSTANT_LEN];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct failure f = {0};
		int64_t at_s = -1;
		if (instant_read(cases[i].text, "until-time", &at_s, &f))
			fail_msg("%s: %s", cases[i].text, f.sentence);
		assert_int_equal(at_s, cases[i].at_s);
	}
	assert_string_equal(instant_write(1700000000, text), "2023-11-14T22:13:20Z");
}

static void what_is_no_instant_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"-1",
		"now",
		"1700000000s",
		"1700000000000000",
		"2023-11-14",
		"2023-11-14T22:13:20",
		"2023-11-14T22:13Z",
		"2023-11-14T22:13:20.Z",
		"2023-11-14T22:13:20Zulu",
		"2023-11-14T22:13:20+1:00",
		"2023-11-14T24:00:00Z",
		"2023-11-14T22:60:00Z",
		"2023-13-14T22:13:20Z",
		"2023-02-29T00:00:00Z",
		"2023-11-31T22:13:20Z",
		"2023-1-14T22:13:20Z",
		"0023-11-14T22:13:20Z",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct failure f = {0};
		int64_t at_s = 7;
		if (!instant_read(texts[i], "until-time", &at_s, &f))
			fail_msg("'%s' was read as %lld", texts[i], (long long)at_s);
		assert_int_equal(f.id, ERROR_USAGE);
		says(f.sentence, "--until-time: '");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folder_and_manifest_give_its_parts_in_order),
		cmocka_unit_test(file_by_itself_is_one_part),
		cmocka_unit_test(folders_that_are_not_whole_are_refused),
		cmocka_unit_test(extent_ends_at_the_last_good_point),
		cmocka_unit_test(extent_ends_before_a_later_time),
		cmocka_unit_test(extent_of_a_pipe_is_unknown),
		cmocka_unit_test(instants_are_read_as_people_write_them),
		cmocka_unit_test(what_is_no_instant_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
