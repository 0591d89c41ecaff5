// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/test.h"

#include <stdio.h>

#include "ctrl/rights.h"

static void words_are_fit_for_a_shell(void **state)
{
	static const struct {
		const char *word, *text;
	} rows[] = {
		{"GET", "+get"},        {"CLIENT NO-TOUCH", "'+client|no-touch'"},
		{"~*", "'~*'"},         {"&__flyover:*", "'&__flyover:*'"},
		{"+@write", "+@write"}, {"-@dangerous", "-@dangerous"},
	};
	char out[64];
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		right_text(&(struct right){.word = rows[i].word}, out, sizeof(out));
		assert_string_equal(out, rows[i].text);
	}
}

// No line is cut, and none says a word twice.
static void every_user_has_a_line(void **state)
{
	char text[RIGHTS_LEN], *next;
	for (unsigned user = 0; user < RIGHTS_USERS_COUNT; user++) {
		for (unsigned kind = RIGHTS_SINGLE; kind <= RIGHTS_WATCHED; kind++) {
			const char *words[64];
			unsigned n = 0;
			rights_text((enum rights_user)user, (enum rights_kind)kind, text);
			assert_in_range(strlen(text), 10, RIGHTS_LEN - 80);
			for (char *w = strtok_r(text, " ", &next); w;
			     w = strtok_r(NULL, " ", &next)) {
				for (unsigned i = 0; i < n; i++)
					assert_string_not_equal(words[i], w);
				assert_true(n < 64);
				words[n++] = w;
			}
		}
	}
}

// What may be left out says what is missed; what may not be left out has no such excuse.
static void every_word_is_of_use_to_somebody(void **state)
{
	const struct right *r;
	for (unsigned i = 0; (r = right_at(i)); i++) {
		assert_true(r->needed | r->useful);
		assert_int_equal(r->needed & r->useful, 0);
		assert_true(!r->useful || r->without);
	}
}

static void only_verbs_that_log_in_are_known(void **state)
{
	assert_int_equal(rights_print("decode"), -1);
	assert_int_equal(rights_print("syn"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_fit_for_a_shell),
		cmocka_unit_test(every_user_has_a_line),
		cmocka_unit_test(every_word_is_of_use_to_somebody),
		cmocka_unit_test(only_verbs_that_log_in_are_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
