// SPDX-License-Identifier: BSD-3-Clause
// Manifests: what servers write is read, what could lead astray is refused with its line.
#include <errno.h>

#include "parsers/aof_manifest.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"

static int read_text(struct aof_manifest *m, const char *text)
{
	return aof_manifest_read(m, (struct span){text, strlen(text)});
}

static void manifest_of_a_server_is_read(void **state)
{
	struct aof_manifest m;
	assert_int_equal(read_text(&m,
				   "file a.2.base.rdb seq 2 type b\n"
				   "file a.1.incr.aof seq 1 type h\n"
				   "file a.2.incr.aof seq 2 type i startoffset 9703\n"
				   "file a.3.incr.aof seq 3 type i startoffset 9800 endoffset 9\n"),
			 0);
	assert_int_equal(m.n_parts, 3);
	assert_int_equal(m.n_history, 1);
	assert_string_equal(m.parts[0].name, "a.2.base.rdb");
	assert_int_equal(m.parts[0].type, AOF_PART_BASE);
	assert_int_equal(m.parts[0].start_offset, -1);
	assert_string_equal(m.parts[1].name, "a.2.incr.aof");
	assert_int_equal(m.parts[1].type, AOF_PART_INCR);
	assert_int_equal(m.parts[1].seq, 2);
	assert_int_equal(m.parts[1].start_offset, 9703);
	assert_int_equal(m.parts[1].end_offset, -1);
	assert_int_equal(m.parts[2].end_offset, 9);
	aof_manifest_fini(&m);
}

static void base_comes_first_and_comments_count_for_nothing(void **state)
{
	struct aof_manifest m;
	assert_int_equal(read_text(&m, "# made by hand\r\n"
				       "FILE one SEQ 1 TYPE i later 5\r\n"
				       "type b seq 7 file base\n"),
			 0);
	assert_string_equal(m.parts[0].name, "base");
	assert_int_equal(m.parts[0].seq, 7);
	assert_string_equal(m.parts[1].name, "one");
	aof_manifest_fini(&m);
}

static void names_may_be_quoted(void **state)
{
	struct aof_manifest m;
	assert_int_equal(read_text(&m, "file \"a b\\x41\\n\\\"\\\\.aof\" seq 1 type i\n"
				       "file 'it\\'s \\x' seq 2 type i\n"
				       "file # seq 3 type \"i\"\n"),
			 0);
	assert_string_equal(m.parts[0].name, "a bA\n\"\\.aof");
	assert_string_equal(m.parts[1].name, "it's \\x");
	assert_string_equal(m.parts[2].name, "#");
	aof_manifest_fini(&m);
}

static void refuses(const char *text, const char *says)
{
	struct aof_manifest m;
	assert_int_equal(read_text(&m, text), -EINVAL);
	if (!strstr(m.error, says))
		fail_msg("'%s' is not in: %s", says, m.error);
}

#define GOOD "file a seq 1 type i\n"

static void astray_is_refused_with_its_line(void **state)
{
	refuses("", "names no base");
	refuses("# nothing\n", "names no base");
	refuses("file a seq 1 type h\n", "names no base");
	refuses(GOOD "file ../b seq 2 type i\n", "line 2: the file must be a plain name");
	refuses(GOOD "file /b seq 2 type i\n", "line 2: the file must be a plain name");
	refuses(GOOD "file .. seq 2 type i\n", "line 2: the file must be a plain name");
	refuses(GOOD "file . seq 2 type i\n", "line 2: the file must be a plain name");
	refuses(GOOD "file \"b\\x00c\" seq 2 type i\n", "line 2: the file must be a plain name");
	refuses(GOOD "file \"\" seq 2 type i\n", "line 2: a file name has 1 to 255 bytes");
	refuses(GOOD "#\nfile a seq 2 type i\n", "line 3: the file is named a second time");
	refuses(GOOD "file a seq 2 type h\n", "line 2: the file is named a second time");
	refuses("file b seq 1 type b\nfile c seq 2 type b\n", "line 2: a second base");
	refuses("file b seq 2 type i\n" GOOD, "line 2: seq 1 comes after seq 2");
	refuses("file b seq 1 type i\n" GOOD, "line 2: seq 1 comes after seq 1");
	refuses(GOOD "\n", "line 2: expected 'file");
	refuses(GOOD "file b seq 2\n", "line 2: expected 'file");
	refuses(GOOD "seq 2 type i\n", "line 2: expected 'file");
	refuses(GOOD "file b seq type i\n", "line 2: seq is no number");
	refuses(GOOD "file b seq 2 type\n", "line 2: not pairs");
	refuses(GOOD "file b seq 0 type i\n", "line 2: seq is no number from 1");
	refuses(GOOD "file b seq -2 type i\n", "line 2: seq is no number from 1");
	refuses(GOOD "file b seq 2x type i\n", "line 2: seq is no number from 1");
	refuses(GOOD "file b seq 9999999999999999999 type i\n", "line 2: seq is no number from 1");
	refuses(GOOD "file b seq 2 type x\n", "line 2: type is b, i or h");
	refuses(GOOD "file b seq 2 type base\n", "line 2: type is b, i or h");
	refuses(GOOD "file b seq 2 type i startoffset x\n", "line 2: startoffset");
	refuses(GOOD "file b seq 2 type i endoffset \"\"\n", "line 2: endoffset");
	refuses(GOOD "file b file c seq 2 type i\n", "line 2: two file names");
	refuses(GOOD "file \"b seq 2 type i\n", "line 2: not pairs");
	refuses(GOOD "file \"b\"c seq 2 type i\n", "line 2: not pairs");
	refuses(GOOD "file b seq 2 type i", "line 2: cut short");
}

static void long_lines_and_names_are_refused(void **state)
{
	char text[2 * AOF_MANIFEST_LINE];
	struct aof_manifest m;
	snprintf(text, sizeof(text), "file %0*d seq 1 type i\n", AOF_NAME_LEN, 1);
	assert_int_equal(read_text(&m, text), 0);
	assert_int_equal(strlen(m.parts[0].name), AOF_NAME_LEN);
	aof_manifest_fini(&m);
	snprintf(text, sizeof(text), "file %0*d seq 1 type i\n", AOF_NAME_LEN + 1, 1);
	refuses(text, "line 1: a file name has 1 to 255 bytes");
	snprintf(text, sizeof(text), GOOD "#%0*d\n", AOF_MANIFEST_LINE - 2, 1);
	assert_int_equal(read_text(&m, text), 0);
	aof_manifest_fini(&m);
	snprintf(text, sizeof(text), GOOD "#%0*d\n", AOF_MANIFEST_LINE - 1, 1);
	refuses(text, "line 2: longer than 1024 bytes");
}

static void manifests_that_are_too_long_are_refused(void **state)
{
	size_t len = AOF_MANIFEST_LEN + 1;
	char *text = malloc(len + 1);
	struct aof_manifest m;
	memset(text, '\n', len);
	assert_int_equal(aof_manifest_read(&m, (struct span){text, len}), -EINVAL);
	assert_non_null(strstr(m.error, "longer than 1048576 bytes"));
	size_t n = 0;
	for (int i = 0; i <= AOF_PARTS_MAX; i++)
		n += (size_t)sprintf(text + n, "file %d seq %d type i\n", i, i + 1);
	assert_int_equal(aof_manifest_read(&m, (struct span){text, n}), -EINVAL);
	assert_non_null(strstr(m.error, "line 4097: more than 4096 files"));
	free(text);
}

// Any change of one byte: read or refused, and no name that leads elsewhere.
static void damage_never_leads_elsewhere(void **state)
{
	static const char good[] = "file \"a\\x42.base\" seq 2 type b\nfile c seq 2 type i\n";
	struct random random = random_seeded("damage");
	for (int round = 0; round < 20000; round++) {
		struct aof_manifest m;
		char *text = strdup(good);
		for (unsigned i = 0; i <= random_below(&random, 3); i++)
			text[random_below(&random, sizeof(good) - 1)] = (char)random_next(&random);
		int rc = aof_manifest_read(&m, (struct span){text, sizeof(good) - 1});
		assert_int_equal(rc == 0, m.error[0] == 0);
		for (size_t i = 0; rc == 0 && i < m.n_parts; i++)
			assert_true(m.parts[i].name[0] && !strchr(m.parts[i].name, '/'));
		if (!rc)
			aof_manifest_fini(&m);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(manifest_of_a_server_is_read),
		cmocka_unit_test(base_comes_first_and_comments_count_for_nothing),
		cmocka_unit_test(names_may_be_quoted),
		cmocka_unit_test(astray_is_refused_with_its_line),
		cmocka_unit_test(long_lines_and_names_are_refused),
		cmocka_unit_test(manifests_that_are_too_long_are_refused),
		cmocka_unit_test(damage_never_leads_elsewhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
