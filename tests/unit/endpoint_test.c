// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/test.h"

#include "ctrl/endpoint.h"
#include "ctrl/link_config.h"
#include "dataplane/checkpoint.h"

static struct endpoint endpoint_of(const char *url)
{
	struct endpoint e = {0};
	struct failure f = {0};
	if (endpoint_set(&e, url, &f))
		fail_msg("%s: %s", url, f.sentence);
	return e;
}

static void what_is_printed_is_what_was_read(void **state)
{
	static const char *const urls[] = {
		"redis://bob@db.example:7000/5",   "rediss://[fe80::1]:6379",
		"redis+cluster://a:1,b:2,[::2]:3", "rediss+sentinel://s1:26380,s2:26379/mymaster/3",
		"unix:///run/redis.sock?db=2",
	};
	for (unsigned i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		char text[ENDPOINT_TEXT_LEN];
		struct endpoint e = endpoint_of(urls[i]);
		endpoint_text(&e, text);
		assert_string_equal(text, urls[i]);
	}
}

static void a_password_is_taken_but_never_printed(void **state)
{
	char text[ENDPOINT_TEXT_LEN];
	struct endpoint e = endpoint_of("redis+sentinel://bob:secret@s1/m");
	assert_string_equal(e.password, "secret");
	assert_true(e.has_password);
	assert_false(e.sentinel.has_password);
	endpoint_text(&e, text);
	assert_string_equal(text, "redis+sentinel://bob@s1:26379/m");
}

static void a_password_that_was_given_survives_a_url_without_one(void **state)
{
	struct failure f;
	struct endpoint e = endpoint_of("redis://:first@a");
	assert_int_equal(endpoint_set(&e, "redis://b", &f), 0);
	assert_string_equal(e.password, "first");
	assert_string_equal(e.host, "b");
}

// The longest list that a URL may hold comes back whole.
static void sixteen_long_names_fit(void **state)
{
	char url[ENDPOINT_TEXT_LEN] = "redis+cluster://", text[ENDPOINT_TEXT_LEN];
	size_t n = strlen(url);
	for (unsigned i = 0; i < URL_NODES_MAX; i++) {
		n += (size_t)sprintf(url + n, "%s", i ? "," : "");
		memset(url + n, 'a' + (int)i, URL_HOST_LEN - 1);
		n += URL_HOST_LEN - 1;
		n += (size_t)sprintf(url + n, ":65535");
	}
	struct endpoint e = endpoint_of(url);
	endpoint_text(&e, text);
	assert_string_equal(text, url);
}

static bool meet(const char *a, const char *b)
{
	struct endpoint x = endpoint_of(a), y = endpoint_of(b);
	assert_int_equal(endpoint_meet(&x, &y), endpoint_meet(&y, &x));
	return endpoint_meet(&x, &y);
}

static void a_deployment_is_known_again(void **state)
{
	assert_true(meet("redis://a", "redis://a:6379/3"));
	assert_false(meet("redis://a", "redis://a:6380"));
	assert_true(meet("unix:///s", "unix:///s"));
	assert_false(meet("unix:///s", "redis://s"));
	assert_true(meet("redis+cluster://a,b", "redis+cluster://c,b"));
	assert_true(meet("redis+cluster://a,b", "redis://b"));
	assert_true(meet("redis+sentinel://a,b/m", "redis+sentinel://b,c/m"));
	assert_false(meet("redis+sentinel://a,b/m", "redis+sentinel://a,b/n"));
	assert_false(meet("redis+sentinel://a:6379/m", "redis://a"));
}

// The checkpoint tells a target that was moved by hand from one that failed over.
static void the_checkpoint_names_the_deployment(void **state)
{
	static const char *const rows[][2] = {
		{"redis://a:7000/3", "a:7000/3"},
		{"unix:///s", "/s"},
		{"redis+sentinel://a,b/m/2", "sentinel m/2"},
		{"redis+cluster://a,b", "cluster a:6379"},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[CHECKPOINT_TARGET_LEN];
		struct endpoint e = endpoint_of(rows[i][0]);
		checkpoint_target(text, &e);
		assert_string_equal(text, rows[i][1]);
	}
}

static void set(struct link_config *c, const char *key, const char *text)
{
	struct failure f;
	if (link_config_set(c, key, text, &f))
		fail_msg("%s: %s", key, f.sentence);
}

static void each_side_has_its_sentinels_user_and_password(void **state)
{
	struct link_config a, b;
	link_config_init(&a);
	set(&a, "source", "redis+sentinel://s1/m");
	set(&a, "target", "redis+sentinel://t1/m");
	b = a;
	set(&a, "source-sentinel-user", "watcher");
	set(&a, "source-sentinel-password", "one");
	set(&a, "target-sentinel-password", "two");
	assert_string_equal(a.source.sentinel.user, "watcher");
	assert_string_equal(a.source.sentinel.password, "one");
	assert_string_equal(a.target.sentinel.user, "");
	assert_string_equal(a.target.sentinel.password, "two");
	assert_false(a.source.has_password);
	assert_false(link_config_same(&a, &b));
	set(&b, "source-sentinel-user", "watcher");
	assert_true(link_config_same(&a, &b)); // passwords are no difference
}

static void what_is_no_setting_of_a_side_is_refused(void **state)
{
	struct link_config c;
	struct failure f;
	link_config_init(&c);
	assert_int_equal(link_config_set(&c, "source-colour", "red", &f), -1);
	assert_non_null(strstr(f.sentence, "source-colour"));
	char name[URL_USER_LEN + 1] = "";
	memset(name, 'x', URL_USER_LEN);
	assert_int_equal(link_config_set(&c, "target-sentinel-user", name, &f), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_printed_is_what_was_read),
		cmocka_unit_test(a_password_is_taken_but_never_printed),
		cmocka_unit_test(a_password_that_was_given_survives_a_url_without_one),
		cmocka_unit_test(sixteen_long_names_fit),
		cmocka_unit_test(a_deployment_is_known_again),
		cmocka_unit_test(the_checkpoint_names_the_deployment),
		cmocka_unit_test(each_side_has_its_sentinels_user_and_password),
		cmocka_unit_test(what_is_no_setting_of_a_side_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
