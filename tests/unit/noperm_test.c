// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/test.h"

#include "parsers/auth_error.h"
#include "parsers/noperm.h"

// As Redis 6.0, 7.0 and 7.2 say it, and ACL DRYRUN.
static void each_release_is_understood(void **state)
{
	static const struct {
		const char *error, *word;
	} rows[] = {
		{"NOPERM this user has no permissions to run the 'get' command or its subcommand",
		 "+get"},
		{"-NOPERM this user has no permissions to run the 'client|kill' command",
		 "'+client|kill'"},
		{"NOPERM User bob has no permissions to run the 'json.set' command", "+json.set"},
		{"EXECABORT Transaction discarded because of: NOPERM this user has no permissions "
		 "to run the 'exec' command",
		 "+exec"},
		{"NOPERM this user has no permissions to access one of the keys used as arguments",
		 "'~*'"},
		{"NOPERM No permissions to access a key", "'~*'"},
		{"NOPERM this user has no permissions to access one of the channels used as "
		 "arguments",
		 "'&*'"},
		{"NOPERM No permissions to access a channel", "'&*'"},
		{"NOPERM", ""},
	};
	char word[NOPERM_WORD_LEN];
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(noperm_is(span_of(rows[i].error)));
		assert_int_equal(noperm_word(span_of(rows[i].error), word), strlen(rows[i].word));
		assert_string_equal(word, rows[i].word);
	}
	assert_false(noperm_is(span_of("EXECABORT Transaction discarded because of previous "
				       "errors.")));
	assert_false(noperm_is(span_of("ERR NOPERM")));
	assert_false(noperm_is(span_of("")));
}

// What is no name of a command ends up in no command that somebody copies into a shell.
static void a_name_that_is_none_is_not_believed(void **state)
{
	char word[NOPERM_WORD_LEN], advice[200];
	static const char *const errors[] = {
		"NOPERM this user has no permissions to run the 'x'; rm -r /' command",
		"NOPERM this user has no permissions to run the '$(reboot)' command",
		"NOPERM this user has no permissions to run the 'a b' command",
		"NOPERM this user has no permissions to run the '",
		"NOPERM this user has no permissions to run the 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' command",
	};
	for (unsigned i = 1; i < sizeof(errors) / sizeof(errors[0]); i++) {
		assert_int_equal(noperm_word(span_of(errors[i]), word), 0);
		noperm_advice(span_of(errors[i]), "", advice, sizeof(advice));
		assert_string_equal(advice, "");
	}
	noperm_word(span_of(errors[0]), word);
	assert_string_equal(word, "+x");
}

static void the_advice_names_the_user(void **state)
{
	char advice[200];
	struct span error =
		SPAN_LIT("NOPERM this user has no permissions to run the 'get' command");
	noperm_advice(error, "bob", advice, sizeof(advice));
	assert_string_equal(advice, "; it wants `ACL SETUSER bob +get`");
	noperm_advice(error, "", advice, sizeof(advice));
	assert_string_equal(advice, "; it wants `ACL SETUSER default +get`");
	noperm_advice(SPAN_LIT("OOM"), "bob", advice, sizeof(advice));
	assert_string_equal(advice, "");
}

static void what_was_sent_is_cut_off(void **state)
{
	static const struct {
		const char *error, *password, *text;
	} rows[] = {
		{"-ERR unknown command 'AUTH', with args beginning with: 'hush' ", "hush",
		 "ERR unknown command 'AUTH'"},
		{"ERR unknown command `AUTH`, with args beginning with: `hus", "hush",
		 "ERR unknown command `AUTH`"},
		{"-DENIED hush is not hushed", "hush", "DENIED *** is not ***ed"},
		{"WRONGPASS invalid username-password pair", "a",
		 "WRONGPASS invalid username-password pair"},
		{"ERR x", "", "ERR x"},
		{"-", "hush", ""},
		{"", "hush", ""},
	};
	char out[AUTH_ERROR_LEN];
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(auth_error_text(span_of(rows[i].error), rows[i].password, out),
				    rows[i].text);
}

// The end of what fits never shows the beginning of a password.
static void a_long_error_is_cut(void **state)
{
	char error[400], out[AUTH_ERROR_LEN];
	for (unsigned at = 180; at < 210; at++) {
		memset(error, 'x', sizeof(error));
		memcpy(error + at, "hush", 4);
		auth_error_text((struct span){error, sizeof(error)}, "hush", out);
		assert_true(strlen(out) < AUTH_ERROR_LEN);
		assert_null(strchr(out, 'h'));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_release_is_understood),
		cmocka_unit_test(a_name_that_is_none_is_not_believed),
		cmocka_unit_test(the_advice_names_the_user),
		cmocka_unit_test(what_was_sent_is_cut_off),
		cmocka_unit_test(a_long_error_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
