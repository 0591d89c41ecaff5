// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/test.h"
#include "parsers/url.h"

#include <errno.h>

static struct url parsed(const char *text)
{
	struct url u;
	char why[200] = "";
	if (url_parse(span_of(text), &u, why, sizeof(why)))
		fail_msg("%s: %s", text, why);
	return u;
}

static void one_server_with_everything(void **state)
{
	struct url u = parsed("redis://bob:s%40cr%3Aet@db.example:7000/5");
	assert_int_equal(u.kind, URL_STANDALONE);
	assert_false(u.tls);
	assert_string_equal(u.user, "bob");
	assert_true(u.has_password);
	assert_string_equal(u.password, "s@cr:et");
	assert_int_equal(u.n_nodes, 1);
	assert_string_equal(u.nodes[0].host, "db.example");
	assert_int_equal(u.nodes[0].port, 7000);
	assert_int_equal(u.db, 5);
}

static void what_is_left_out_has_a_default(void **state)
{
	struct url u = parsed("rediss://h");
	assert_true(u.tls);
	assert_int_equal(u.nodes[0].port, 6379);
	assert_int_equal(u.db, -1);
	assert_false(u.has_password);
	assert_string_equal(u.user, "");
	assert_int_equal(parsed("redis://h/").db, -1);
	assert_string_equal(parsed("redis://bob@h").user, "bob");
	assert_false(parsed("redis://bob@h").has_password);
	assert_string_equal(parsed("REDIS://:pw@h").password, "pw");
	assert_true(parsed("redis://:@h").has_password);
}

static void addresses_of_ipv6_stand_in_brackets(void **state)
{
	struct url u = parsed("redis://[::1]:7000/0");
	assert_string_equal(u.nodes[0].host, "::1");
	assert_int_equal(u.nodes[0].port, 7000);
	assert_int_equal(parsed("redis://[fe80::1]").nodes[0].port, 6379);
}

static void a_cluster_has_several_servers(void **state)
{
	struct url u = parsed("redis+cluster://:pw@a:1,b,[::2]:3");
	assert_int_equal(u.kind, URL_CLUSTER);
	assert_int_equal(u.n_nodes, 3);
	assert_string_equal(u.nodes[1].host, "b");
	assert_int_equal(u.nodes[1].port, 6379);
	assert_string_equal(u.nodes[2].host, "::2");
	assert_int_equal(u.nodes[2].port, 3);
	assert_true(parsed("rediss+cluster://a").tls);
}

static void a_sentinel_url_ends_in_the_masters_name(void **state)
{
	struct url u = parsed("redis+sentinel://s1:26380,s2/mymaster/3");
	assert_int_equal(u.kind, URL_SENTINEL);
	assert_int_equal(u.n_nodes, 2);
	assert_int_equal(u.nodes[1].port, 26379);
	assert_string_equal(u.master, "mymaster");
	assert_int_equal(u.db, 3);
	assert_int_equal(parsed("redis+sentinel://s1/m").db, -1);
}

static void a_unix_socket_is_a_path(void **state)
{
	struct url u = parsed("unix:///run/redis.sock");
	assert_int_equal(u.kind, URL_UNIX);
	assert_string_equal(u.path, "/run/redis.sock");
	assert_int_equal(u.n_nodes, 0);
	u = parsed("unix://bob:pw@/run/a:b@c.sock?db=2");
	assert_string_equal(u.user, "bob");
	assert_string_equal(u.password, "pw");
	assert_string_equal(u.path, "/run/a:b@c.sock");
	assert_int_equal(u.db, 2);
}

static void printing_gives_the_same_url_without_its_password(void **state)
{
	static const char *const rows[][2] = {
		{"redis://bob:hush@h:1/2", "redis://bob@h:1/2"},
		{"redis://:hush@h", "redis://h:6379"},
		{"redis://b%40b:hush@[::1]", "redis://b%40b@[::1]:6379"},
		{"rediss+cluster://:hush@a,b:2", "rediss+cluster://a:6379,b:2"},
		{"redis+sentinel://:hush@a/m/1", "redis+sentinel://a:26379/m/1"},
		{"unix://:hush@/a/b?db=1", "unix:///a/b?db=1"},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[300];
		struct url u = parsed(rows[i][0]);
		assert_int_equal(url_print(&u, text, sizeof(text)), strlen(rows[i][1]));
		assert_string_equal(text, rows[i][1]);
		struct url again = parsed(text);
		assert_string_equal(again.user, u.user);
		assert_int_equal(again.db, u.db);
	}
}

static void printing_is_cut_at_the_room(void **state)
{
	struct url u = parsed("redis://host:7000");
	char text[8];
	assert_int_equal(url_print(&u, text, sizeof(text)), strlen("redis://host:7000"));
	assert_string_equal(text, "redis:/");
}

static void wrong_urls_are_refused_without_their_password(void **state)
{
	static const char *const rows[] = {
		"",
		"redis",
		"redis:",
		"redis://",
		"http://:hush@h",
		"redis://:hush@",
		"redis://:hush@h:0",
		"redis://:hush@h:65536",
		"redis://:hush@h:x",
		"redis://:hush@h/x",
		"redis://:hush@h:1:2",
		"redis://:hush%zz@h",
		"redis://:hush%0@h",
		"redis://:hush%00@h",
		"redis://:hu/sh@h",
		"redis://:hush@a,b",
		"redis://:hush@[::1",
		"redis://:hush@[::1]x",
		"redis://:hush@h h",
		"redis+sentinel://:hush@h",
		"redis+sentinel://:hush@h/",
		"redis+cluster://:hush@h/1",
		"unix://path",
		"unix://:hush@",
		"unix:///p?x=1",
		"unix:///p?db=",
		"redis://h/-1",
		"redis://h/99999999999",
		"redis+cluster://a,,b",
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct url u;
		char why[200] = "";
		if (url_parse(span_of(rows[i]), &u, why, sizeof(why)) != -EINVAL)
			fail_msg("taken: %s", rows[i]);
		assert_true(strlen(why) > 10);
		assert_null(strstr(why, "hu"));
	}
	struct url u;
	char why[200];
	assert_int_equal(url_parse((struct span){"redis://h\0x", 11}, &u, why, sizeof(why)),
			 -EINVAL);
}

static void too_long_parts_are_refused(void **state)
{
	char text[2000];
	struct url u;
	char why[200];
	snprintf(text, sizeof(text), "redis://:%0512d@h", 1);
	assert_int_equal(url_parse(span_of(text), &u, why, sizeof(why)), -EINVAL);
	snprintf(text, sizeof(text), "redis://:%0511d@h", 1);
	assert_int_equal(url_parse(span_of(text), &u, why, sizeof(why)), 0);
	snprintf(text, sizeof(text), "redis://%0256d", 1);
	assert_int_equal(url_parse(span_of(text), &u, why, sizeof(why)), -EINVAL);
	snprintf(text, sizeof(text), "unix:///%0107d", 1);
	assert_int_equal(url_parse(span_of(text), &u, why, sizeof(why)), -EINVAL);
	int n = snprintf(text, sizeof(text), "redis+cluster://a");
	for (unsigned i = 0; i < URL_NODES_MAX; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ",a");
	assert_int_equal(url_parse(span_of(text), &u, why, sizeof(why)), -EINVAL);
}

static void the_secret_is_found_in_whatever_looks_like_a_url(void **state)
{
	static const char *const rows[][2] = {
		{"redis://:pw@h", "pw"},     {"redis://bob:pw@h:1/2", "pw"},
		{"redis://:p:w@h", "p:w"},   {"redis://:p@w@h", "p@w"},
		{"redis://:p/w@h", "p/w"},   {"nonsense://:pw@", "pw"},
		{"redis://bob@h", ""},       {"redis://h:6379/0", ""},
		{"unix:///a:b@c", ""},       {"plain:text@h", ""},
		{"--x=redis://:pw@h", "pw"}, {"", ""},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span s = url_secret(span_of(rows[i][0]));
		assert_int_equal(s.len, strlen(rows[i][1]));
		assert_memory_equal(s.p, rows[i][1], s.len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_server_with_everything),
		cmocka_unit_test(what_is_left_out_has_a_default),
		cmocka_unit_test(addresses_of_ipv6_stand_in_brackets),
		cmocka_unit_test(a_cluster_has_several_servers),
		cmocka_unit_test(a_sentinel_url_ends_in_the_masters_name),
		cmocka_unit_test(a_unix_socket_is_a_path),
		cmocka_unit_test(printing_gives_the_same_url_without_its_password),
		cmocka_unit_test(printing_is_cut_at_the_room),
		cmocka_unit_test(wrong_urls_are_refused_without_their_password),
		cmocka_unit_test(too_long_parts_are_refused),
		cmocka_unit_test(the_secret_is_found_in_whatever_looks_like_a_url),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
