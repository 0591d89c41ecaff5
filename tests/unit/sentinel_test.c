// SPDX-License-Identifier: BSD-3-Clause
// Answers of sentinels, as Redis 7.0 gives them.
#include "tests/unit/test.h"

#include <errno.h>

#include "parsers/role.h"
#include "parsers/sentinel.h"

// Take the one reply that a text is.
struct reply {
	struct resp_replies *reader;
	const struct resp_value *v;
	unsigned n;
};

static struct reply reply_of(const char *resp)
{
	struct reply r = {.reader = resp_replies_new()};
	assert_int_equal(resp_replies_feed(r.reader, resp, strlen(resp)), 0);
	assert_int_equal(resp_replies_next(r.reader, &r.v, &r.n), RESP_OK);
	return r;
}

static int address_of_text(const char *resp, struct url_node *at)
{
	struct reply r = reply_of(resp);
	int rc = sentinel_address(r.v, r.n, at);
	resp_replies_free(r.reader);
	return rc;
}

static void the_masters_address(void **state)
{
	struct url_node at;
	assert_int_equal(address_of_text("*2\r\n$9\r\n127.0.0.1\r\n$4\r\n7001\r\n", &at), 0);
	assert_string_equal(at.host, "127.0.0.1");
	assert_int_equal(at.port, 7001);
	assert_int_equal(address_of_text("*2\r\n$8\r\nfe80::1a\r\n$2\r\n10\r\n", &at), 0);
	assert_string_equal(at.host, "fe80::1a");
	assert_int_equal(address_of_text("*-1\r\n", &at), -ENOENT);
	assert_int_equal(address_of_text("$-1\r\n", &at), -ENOENT);
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const rows[] = {
		"+OK\r\n",
		"-ERR no\r\n",
		"*1\r\n$9\r\n127.0.0.1\r\n",
		"*2\r\n$0\r\n\r\n$4\r\n7001\r\n",
		"*2\r\n$1\r\na\r\n$5\r\n70001\r\n",
		"*2\r\n$1\r\na\r\n$1\r\n0\r\n",
		"*2\r\n$1\r\na\r\n*0\r\n",
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct url_node at;
		assert_int_equal(address_of_text(rows[i], &at), -EBADMSG);
	}
}

static void a_masters_row(void **state)
{
	struct sentinel_row row;
	struct reply r =
		reply_of("*14\r\n$4\r\nname\r\n$1\r\nm\r\n$2\r\nip\r\n$8\r\n10.0.0.1\r\n"
			 "$4\r\nport\r\n$4\r\n7001\r\n$5\r\nflags\r\n$13\r\nmaster,s_down\r\n"
			 "$12\r\nconfig-epoch\r\n$2\r\n12\r\n"
			 "$19\r\nnum-other-sentinels\r\n$1\r\n2\r\n"
			 "$6\r\nquorum\r\n$1\r\n2\r\n");
	assert_int_equal(sentinel_master(r.v, r.n, &row), 0);
	assert_string_equal(row.at.host, "10.0.0.1");
	assert_int_equal(row.at.port, 7001);
	assert_int_equal(row.config_epoch, 12);
	assert_int_equal(row.n_others, 2);
	assert_int_equal(row.quorum, 2);
	assert_false(row.is_well);
	resp_replies_free(r.reader);
}

#define REPLICA(port, flags, status, offset)                                                       \
	"*10\r\n$2\r\nip\r\n$8\r\n10.0.0.1\r\n$4\r\nport\r\n" port "$5\r\nflags\r\n" flags         \
	"$18\r\nmaster-link-status\r\n" status "$17\r\nslave-repl-offset\r\n" offset

static void replicas_that_are_down_or_apart_are_told_from_the_others(void **state)
{
	struct sentinel_row rows[8];
	struct reply r = reply_of(
		"*4\r\n" REPLICA("$4\r\n7002\r\n", "$5\r\nslave\r\n", "$2\r\nok\r\n",
				 "$3\r\n170\r\n") REPLICA("$4\r\n7003\r\n",
							  "$18\r\ns_down,slave,o_dow\r\n",
							  "$2\r\nok\r\n", "$1\r\n9\r\n")
			REPLICA("$4\r\n7004\r\n", "$18\r\nslave,disconnected\r\n", "$2\r\nok\r\n",
				"$1\r\n9\r\n") REPLICA("$1\r\n0\r\n", "$5\r\nslave\r\n",
						       "$3\r\nerr\r\n", "$1\r\n9\r\n"));
	assert_int_equal(sentinel_rows(r.v, r.n, rows, 8), 4);
	assert_int_equal(rows[0].at.port, 7002);
	assert_int_equal(rows[0].offset, 170);
	assert_true(rows[0].is_well);
	assert_false(rows[1].is_well);
	assert_false(rows[2].is_well);
	assert_false(rows[3].is_well);
	assert_int_equal(rows[3].at.port, 0);
	assert_int_equal(sentinel_rows(r.v, r.n, rows, 2), 2);
	resp_replies_free(r.reader);
	r = reply_of("-NOPERM this user has no permissions\r\n");
	assert_int_equal(sentinel_rows(r.v, r.n, rows, 8), 0);
	resp_replies_free(r.reader);
}

static bool switches(const char *message, const char *name, int port)
{
	struct url_node at = {.port = 0};
	bool yes = sentinel_switch(span_of(message), name, &at);
	return yes && at.port == port;
}

static void a_switch_names_the_new_master(void **state)
{
	assert_true(switches("m 10.0.0.1 7001 10.0.0.2 7002", "m", 7002));
	assert_false(switches("mm 10.0.0.1 7001 10.0.0.2 7002", "m", 7002));
	assert_false(switches("m 10.0.0.1 7001 10.0.0.2", "m", 0));
	assert_false(switches("m 10.0.0.1 7001 10.0.0.2 7002 x", "m", 7002));
	assert_false(switches("m 10.0.0.1 7001 10.0.0.2 0", "m", 0));
	assert_false(switches("", "m", 0));
	assert_false(switches("m    ", "m", 0));
}

static struct role role_of(const char *resp)
{
	struct reply r = reply_of(resp);
	struct role role = role_read(r.v, r.n);
	resp_replies_free(r.reader);
	return role;
}

static void a_role_is_read(void **state)
{
	struct role r = role_of("*3\r\n$6\r\nmaster\r\n:3129\r\n*1\r\n*3\r\n$1\r\na\r\n$1\r\n1\r\n"
				"$1\r\n9\r\n");
	assert_int_equal(r.kind, ROLE_MASTER);
	assert_int_equal(r.offset, 3129);
	r = role_of("*5\r\n$5\r\nslave\r\n$1\r\na\r\n:1\r\n$9\r\nconnected\r\n:77\r\n");
	assert_int_equal(r.kind, ROLE_REPLICA);
	assert_true(r.is_connected);
	assert_int_equal(r.offset, 77);
	r = role_of("*5\r\n$5\r\nslave\r\n$1\r\na\r\n:1\r\n$4\r\nsync\r\n:-1\r\n");
	assert_int_equal(r.kind, ROLE_REPLICA);
	assert_false(r.is_connected);
	assert_int_equal(r.offset, 0);
	assert_int_equal(role_of("*2\r\n$8\r\nsentinel\r\n*0\r\n").kind, ROLE_SENTINEL);
	assert_int_equal(role_of("-NOPERM no\r\n").kind, ROLE_UNKNOWN);
	assert_int_equal(role_of("*0\r\n").kind, ROLE_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_masters_address),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(a_masters_row),
		cmocka_unit_test(replicas_that_are_down_or_apart_are_told_from_the_others),
		cmocka_unit_test(a_switch_names_the_new_master),
		cmocka_unit_test(a_role_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
