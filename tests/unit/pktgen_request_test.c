// SPDX-License-Identifier: BSD-3-Clause
// The requests that pktgen reads, whole and byte by byte; and the strings it keeps.
#include "tests/unit/test.h"
#include "tools/pktgen/request.h"
#include "tools/pktgen/store.h"

// In memory of its own that ends where it ends, so that a read too far shows.
static enum request_verdict scan(const char *text, size_t len, struct request *r, char **copy)
{
	*copy = malloc(len ? len : 1);
	assert_non_null(*copy);
	memcpy(*copy, text, len);
	return request_scan((struct span){*copy, len}, r);
}

static void a_request_is_wanted_to_its_last_byte(void **state)
{
	static const char text[] =
		"*4\r\n$4\r\nMGET\r\n$0\r\n\r\n$3\r\nabc\r\n$12\r\n*1\r\n$4\r\nPING\r\n";
	struct request r;
	struct span key;
	char *copy;
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		assert_int_equal(scan(text, len, &r, &copy), REQUEST_MORE);
		free(copy);
	}
	assert_int_equal(scan(text, sizeof(text) - 1, &r, &copy), REQUEST_OK);
	assert_int_equal(r.argc, 4);
	assert_int_equal(r.whole.len, sizeof(text) - 1);
	assert_true(span_eq(r.argv[0], SPAN_LIT("MGET")));
	assert_true(span_eq(r.argv[2], SPAN_LIT("abc")));
	const char *at = r.second;
	assert_true(request_arg(&r, &at, &key) && !key.len);
	assert_true(request_arg(&r, &at, &key) && span_eq(key, SPAN_LIT("abc")));
	assert_true(request_arg(&r, &at, &key) && span_eq(key, SPAN_LIT("*1\r\n$4\r\nPING")));
	assert_false(request_arg(&r, &at, &key));
	free(copy);
}

static void requests_follow_one_another(void **state)
{
	static const char text[] = "*1\r\n$5\r\nMULTI\r\n*2\r\n$3\r\nGET\r\n$1\r\nx\r\n";
	struct request r;
	struct span key;
	assert_int_equal(request_scan(SPAN_LIT(text), &r), REQUEST_OK);
	assert_int_equal(r.whole.len, 15);
	const char *at = r.second;
	assert_false(request_arg(&r, &at, &key));
	assert_int_equal(request_scan((struct span){text + 15, sizeof(text) - 16}, &r), REQUEST_OK);
	assert_int_equal(r.argc, 2);
	assert_true(span_eq(r.argv[1], SPAN_LIT("x")));
}

static void what_is_no_request_is_refused(void **state)
{
	static const char *const texts[] = {
		"PING\r\n",
		"\r\n",
		"$4\r\nPING\r\n",
		"*0\r\n",
		"*-1\r\n",
		"*\r\n",
		"*1x",
		"*1\rx",
		"*1\r\n+OK\r\n",
		"*1\r\n$-1\r\n",
		"*1\r\n$4\r\nPINGxy",
		"*1\r\n$4\r\nPING\rx",
		"*1048577\r\n",
		"*1\r\n$536870913\r\n",
		"*99999999999999999999\r\n",
	};
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct request r;
		char *copy;
		assert_int_equal(scan(texts[i], strlen(texts[i]), &r, &copy), REQUEST_BAD);
		free(copy);
	}
}

static void verbs_are_compared_without_case(void **state)
{
	assert_int_equal(request_verb(SPAN_LIT("set")), request_verb(SPAN_LIT("SET")));
	assert_int_equal(request_verb(SPAN_LIT("ReplConf")), request_verb(SPAN_LIT("REPLCONF")));
	assert_int_not_equal(request_verb(SPAN_LIT("SET")), request_verb(SPAN_LIT("GET")));
	assert_int_not_equal(request_verb(SPAN_LIT("SET")), request_verb(SPAN_LIT("SETEX")));
	assert_int_equal(request_verb(SPAN_LIT("INCRBYFLOAT")), 0);
}

static void the_store_keeps_what_was_set_last(void **state)
{
	struct store s = {0};
	assert_null(store_get(&s, SPAN_LIT("a")).p);
	store_set(&s, SPAN_LIT("a"), SPAN_LIT("1"));
	store_set(&s, SPAN_LIT("ab"), SPAN_LIT("other"));
	store_set(&s, SPAN_LIT("a"), SPAN_LIT("a longer one"));
	assert_true(span_eq(store_get(&s, SPAN_LIT("a")), SPAN_LIT("a longer one")));
	store_set(&s, SPAN_LIT("a"), SPAN_LIT("2"));
	assert_true(span_eq(store_get(&s, SPAN_LIT("a")), SPAN_LIT("2")));
	assert_true(span_eq(store_get(&s, SPAN_LIT("ab")), SPAN_LIT("other")));
	assert_null(store_get(&s, SPAN_LIT("abc")).p);
	store_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_wanted_to_its_last_byte),
		cmocka_unit_test(requests_follow_one_another),
		cmocka_unit_test(what_is_no_request_is_refused),
		cmocka_unit_test(verbs_are_compared_without_case),
		cmocka_unit_test(the_store_keeps_what_was_set_last),
	};
	return cmocka_run_group_tests_name("pktgen_request", tests, NULL, NULL);
}
