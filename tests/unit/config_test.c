// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/test.h"
#include "parsers/config.h"

#include <errno.h>

static struct config_node *parsed(const char *text)
{
	struct config_node *root;
	char why[200];
	if (config_parse(text, strlen(text), &root, why, sizeof(why)))
		fail_msg("%s", why);
	return root;
}

static void entries_keep_their_order_and_lines(void **state)
{
	struct config_node *root = parsed("# first\n"
					  "listen: /run/x.sock\n"
					  "links:\n"
					  "  - name: one\n"
					  "    lanes: 4\n"
					  "  - name: 'two'\n"
					  "empty:\n"
					  "null: ~\n");
	assert_int_equal(root->kind, CONFIG_MAPPING);
	assert_string_equal(root->child->key, "listen");
	assert_int_equal(root->child->line, 2);
	const struct config_node *links = config_find(root, "links");
	assert_int_equal(links->kind, CONFIG_SEQUENCE);
	assert_int_equal(links->line, 3);
	const struct config_node *one = links->child;
	assert_null(one->key);
	assert_string_equal(config_find(one, "lanes")->text, "4");
	assert_int_equal(config_find(one, "lanes")->line, 5);
	assert_string_equal(config_find(one->next, "name")->text, "two");
	assert_null(one->next->next);
	assert_string_equal(config_find(root, "empty")->text, "");
	assert_string_equal(config_find(root, "null")->text, "");
	assert_null(config_find(root, "nothing"));
	config_free(root);
}

static void an_empty_file_is_an_empty_mapping(void **state)
{
	static const char *const rows[] = {"", "# only a comment\n", "\n\n"};
	for (unsigned i = 0; i < 3; i++) {
		struct config_node *root = parsed(rows[i]);
		assert_int_equal(root->kind, CONFIG_MAPPING);
		assert_null(root->child);
		config_free(root);
	}
}

static void assert_refused(const char *text, size_t len, const char *word)
{
	struct config_node *root = (struct config_node *)text;
	char why[200] = "";
	assert_int_equal(config_parse(text, len, &root, why, sizeof(why)), -EINVAL);
	assert_null(root);
	if (!strstr(why, word))
		fail_msg("'%s' does not speak of '%s'", why, word);
}

static void what_is_no_mapping_is_refused_with_its_line(void **state)
{
	static const char *const rows[][2] = {
		{"a: 1\nb: [1, 2\n", "line 3"},
		{"a: 1\na: 2\n", "line 2: 'a' stands here"},
		{"- a\n- b\n", "line 1"},
		{"just text\n", "line 1"},
		{"a: &x 1\nb: *x\n", "line 2"},
		{"a: 1\n---\nb: 2\n", "line 2"},
		{"? [a]\n: 1\n", "line 1: a key"},
		{"a: \"\\0\"\n", "zero byte"},
		{"a: {b: {c: {d: {e: {f: {g: {h: {i: 1}}}}}}}}\n", "nested too deep"},
		{"a:\n\t- 1\n", "line 2"},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_refused(rows[i][0], strlen(rows[i][0]), rows[i][1]);
	assert_refused("a: \xff\xfe\n", 6, "line 1");
}

static void too_much_is_refused(void **state)
{
	size_t len = CONFIG_BYTES_MAX + 1;
	char *text = malloc(len);
	assert_non_null(text);
	memset(text, '\n', len);
	assert_refused(text, len, "1 MB");
	memset(text, 'x', 2 * CONFIG_TEXT_MAX);
	memcpy(text, "a: ", 3);
	assert_refused(text, 2 * CONFIG_TEXT_MAX, "too long");
	size_t n = (size_t)snprintf(text, len, "a:\n");
	for (unsigned i = 0; i < CONFIG_NODES_MAX; i++)
		n += (size_t)snprintf(text + n, len - n, "- 1\n");
	assert_refused(text, n, "too many");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_keep_their_order_and_lines),
		cmocka_unit_test(an_empty_file_is_an_empty_mapping),
		cmocka_unit_test(what_is_no_mapping_is_refused_with_its_line),
		cmocka_unit_test(too_much_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
