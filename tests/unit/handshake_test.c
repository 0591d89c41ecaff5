// SPDX-License-Identifier: BSD-3-Clause
// The handshake of a replica, each answer whole and one byte at a time.
#include "dataplane/source/handshake.h"
#include "tests/unit/test.h"

#define ID       "0123456789abcdef0123456789abcdef01234567"
#define ID2      "ffffffffffffffffffffffffffffffffffffffff"
#define EOF_MARK "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"

static const struct endpoint open_server,
	old_password = {.password = "pw", .has_password = 1},
	user_password = {.user = "me", .password = "pw", .has_password = 1};

// Feed an answer; what is not a verdict is fed on.
static enum handshake_verdict feed(struct handshake *h, const char *answer, size_t slice)
{
	size_t len = strlen(answer), at = 0, shown = 0;
	enum handshake_verdict v = HANDSHAKE_MORE;
	while (v == HANDSHAKE_MORE) {
		size_t used, had = shown - at;
		// Exactly as long as what is shown, so that a sanitizer sees a read beyond it.
		char *exact = malloc(had ? had : 1);
		memcpy(exact, answer + at, had);
		v = handshake_feed(h, (struct span){exact, had}, &used);
		free(exact);
		assert_in_range(used, 0, had);
		at += used;
		if (v == HANDSHAKE_MORE && !used && shown == len)
			break;
		if (!used)
			shown = len - shown < slice ? len : shown + slice;
	}
	return v;
}

static void assert_sends(const struct handshake *h, const char *what)
{
	assert_int_equal(h->out_len, strlen(what));
	assert_memory_equal(h->out, what, h->out_len);
}

// The way to PSYNC of a server that wants no password.
static void to_psync(struct handshake *h, size_t slice)
{
	handshake_begin(h, &open_server, NULL, 0);
	assert_int_equal(feed(h, "+PONG\r\n", slice), HANDSHAKE_SEND);
	assert_int_equal(feed(h, "+OK\r\n", slice), HANDSHAKE_SEND);
	assert_int_equal(h->step, HANDSHAKE_PSYNC);
}

static void each_step_is_said_in_turn(void **state)
{
	for (size_t slice = 1; slice <= 100; slice += 99) {
		struct handshake h;
		handshake_begin(&h, &open_server, NULL, 0);
		assert_sends(&h, "*1\r\n$4\r\nPING\r\n");
		assert_int_equal(feed(&h, "\n\n+PONG\r\n", slice), HANDSHAKE_SEND);
		assert_sends(&h, "*5\r\n$8\r\nREPLCONF\r\n$4\r\ncapa\r\n$3\r\neof\r\n$"
				 "4\r\ncapa\r\n$6\r\npsync2\r\n");
		assert_int_equal(feed(&h, "+OK\r\n", slice), HANDSHAKE_SEND);
		assert_sends(&h, "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n");
		assert_int_equal(feed(&h, "\n+FULLRESYNC " ID " 1234567890123\r\n", slice),
				 HANDSHAKE_FULLRESYNC);
		assert_string_equal(h.replid, ID);
		assert_true(h.offset == 1234567890123);
		assert_int_equal(feed(&h, "\n\n\n$176\r\n", slice), HANDSHAKE_SNAPSHOT);
		assert_int_equal(h.snapshot_len, 176);
		assert_string_equal(h.eof_mark, "");
	}
}

static void snapshot_without_a_length_has_a_mark(void **state)
{
	for (size_t slice = 1; slice <= 100; slice += 99) {
		struct handshake h;
		to_psync(&h, slice);
		assert_int_equal(feed(&h, "+FULLRESYNC " ID " 0\r\n", slice), HANDSHAKE_FULLRESYNC);
		assert_int_equal(feed(&h, "\n$EOF:" EOF_MARK "\r\n", slice), HANDSHAKE_SNAPSHOT);
		assert_string_equal(h.eof_mark, EOF_MARK);
		assert_int_equal(h.snapshot_len, 0);
	}
}

// The bytes behind the header belong to the snapshot, also when they look like a keepalive.
static void nothing_behind_the_header_is_taken(void **state)
{
	struct handshake h;
	size_t used;
	to_psync(&h, 100);
	assert_int_equal(feed(&h, "+FULLRESYNC " ID " 0\r\n", 100), HANDSHAKE_FULLRESYNC);
	assert_int_equal(handshake_feed(&h, SPAN_LIT("$5\r\n\nREDI"), &used), HANDSHAKE_SNAPSHOT);
	assert_int_equal(used, 4);
	to_psync(&h, 100);
	assert_int_equal(handshake_feed(&h, SPAN_LIT("+CONTINUE\r\n\n*1\r\n"), &used),
			 HANDSHAKE_CONTINUE);
	assert_int_equal(used, 11);
}

static void resume_names_the_first_byte_wanted(void **state)
{
	for (size_t slice = 1; slice <= 100; slice += 99) {
		struct handshake h;
		handshake_begin(&h, &open_server, ID, 99);
		feed(&h, "+PONG\r\n", slice);
		feed(&h, "+OK\r\n", slice);
		assert_sends(&h, "*3\r\n$5\r\nPSYNC\r\n$40\r\n" ID "\r\n$3\r\n100\r\n");
		assert_int_equal(feed(&h, "+CONTINUE\r\n", slice), HANDSHAKE_CONTINUE);
		assert_string_equal(h.replid, ID);
		handshake_begin(&h, &open_server, ID, 99);
		feed(&h, "+PONG\r\n", slice);
		feed(&h, "+OK\r\n", slice);
		assert_int_equal(feed(&h, "+CONTINUE " ID2 "\r\n", slice), HANDSHAKE_CONTINUE);
		assert_string_equal(h.replid, ID2);
		assert_int_equal(h.offset, 99);
	}
}

static void passwords_are_sent_in_the_form_that_fits(void **state)
{
	struct handshake h;
	handshake_begin(&h, &old_password, NULL, 0);
	assert_int_equal(feed(&h, "-NOAUTH Authentication required.\r\n", 1), HANDSHAKE_SEND);
	assert_sends(&h, "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n");
	assert_int_equal(feed(&h, "+OK\r\n", 1), HANDSHAKE_SEND);
	assert_int_equal(h.step, HANDSHAKE_CAPA);
	handshake_begin(&h, &user_password, NULL, 0);
	assert_int_equal(feed(&h, "-NOPERM this user has no permissions\r\n", 1), HANDSHAKE_SEND);
	assert_sends(&h, "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$2\r\npw\r\n");
	assert_int_equal(feed(&h, "-WRONGPASS invalid username-password pair\r\n", 1),
			 HANDSHAKE_FAIL);
	assert_int_equal(h.error, ERROR_AUTH);
	assert_null(strstr(h.text, "pw"));
}

static void old_server_that_knows_no_capa_goes_on(void **state)
{
	struct handshake h;
	handshake_begin(&h, &open_server, NULL, 0);
	feed(&h, "+PONG\r\n", 1);
	assert_int_equal(feed(&h, "-ERR Unrecognized REPLCONF option: capa\r\n", 1),
			 HANDSHAKE_SEND);
	assert_int_equal(h.step, HANDSHAKE_PSYNC);
}

// What a step answers to a line.
static const struct {
	enum handshake_step step;
	const char *line;
	enum handshake_verdict verdict;
	enum error_id error;
} verdicts[] = {
	{HANDSHAKE_PING, "-LOADING Redis is loading\r\n", HANDSHAKE_WAIT, ERROR_DEADLINE},
	{HANDSHAKE_PING, "-ERR max number of clients reached\r\n", HANDSHAKE_WAIT, ERROR_DEADLINE},
	{HANDSHAKE_PING, "-DENIED Redis is running in protected mode\r\n", HANDSHAKE_FAIL,
	 ERROR_NOPERM},
	{HANDSHAKE_PING, "-NOAUTH Authentication required.\r\n", HANDSHAKE_FAIL, ERROR_AUTH},
	{HANDSHAKE_PING, "-ERR operation not permitted\r\n", HANDSHAKE_FAIL, ERROR_AUTH},
	{HANDSHAKE_PING, "HTTP/1.1 400 Bad Request\r\n", HANDSHAKE_FAIL, ERROR_NOT_REDIS},
	{HANDSHAKE_PING, "+HELLO\r\n", HANDSHAKE_FAIL, ERROR_NOT_REDIS},
	{HANDSHAKE_PING, "-NOPERM ping\r\n", HANDSHAKE_SEND, ERROR_NONE},
	{HANDSHAKE_CAPA, "-NOAUTH Authentication required.\r\n", HANDSHAKE_FAIL, ERROR_AUTH},
	{HANDSHAKE_CAPA, "-NOPERM no replconf\r\n", HANDSHAKE_FAIL, ERROR_NOPERM},
	{HANDSHAKE_PSYNC, "-NOMASTERLINK Can't SYNC while not connected\r\n", HANDSHAKE_WAIT,
	 ERROR_DEADLINE},
	{HANDSHAKE_PSYNC, "-LOADING x\r\n", HANDSHAKE_WAIT, ERROR_DEADLINE},
	{HANDSHAKE_PSYNC, "-MASTERDOWN x\r\n", HANDSHAKE_WAIT, ERROR_DEADLINE},
	{HANDSHAKE_PSYNC, "-NOPERM no psync\r\n", HANDSHAKE_FAIL, ERROR_NOPERM},
	{HANDSHAKE_PSYNC, "-ERR unknown command 'PSYNC'\r\n", HANDSHAKE_FAIL, ERROR_PSYNC_REFUSED},
	{HANDSHAKE_PSYNC, "+FULLRESYNC short 1\r\n", HANDSHAKE_FAIL, ERROR_NOT_REDIS},
	{HANDSHAKE_PSYNC, "+FULLRESYNC " ID "\r\n", HANDSHAKE_FAIL, ERROR_NOT_REDIS},
	{HANDSHAKE_PSYNC, "+FULLRESYNC " ID " x\r\n", HANDSHAKE_FAIL, ERROR_NOT_REDIS},
	{HANDSHAKE_PSYNC, "$12\r\n", HANDSHAKE_FAIL, ERROR_NOT_REDIS},
	{HANDSHAKE_HEADER, "-ERR Unable to perform background save\r\n", HANDSHAKE_WAIT,
	 ERROR_DEADLINE},
	{HANDSHAKE_HEADER, "$0\r\n", HANDSHAKE_FAIL, ERROR_NOT_REDIS},
	{HANDSHAKE_HEADER, "$-1\r\n", HANDSHAKE_FAIL, ERROR_NOT_REDIS},
	{HANDSHAKE_HEADER, "$12x\r\n", HANDSHAKE_FAIL, ERROR_NOT_REDIS},
	{HANDSHAKE_HEADER, "$EOF:short\r\n", HANDSHAKE_FAIL, ERROR_NOT_REDIS},
	{HANDSHAKE_HEADER, "$\r\n", HANDSHAKE_FAIL, ERROR_NOT_REDIS},
	{HANDSHAKE_HEADER, "$99999999999999999999999999\r\n", HANDSHAKE_FAIL, ERROR_NOT_REDIS},
	{HANDSHAKE_HEADER, "hello\r\n", HANDSHAKE_FAIL, ERROR_NOT_REDIS},
};

static void every_answer_has_its_verdict(void **state)
{
	for (unsigned i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		for (size_t slice = 1; slice <= 100; slice += 99) {
			struct handshake h;
			handshake_begin(&h, &open_server, NULL, 0);
			if (verdicts[i].step > HANDSHAKE_PING)
				feed(&h, "+PONG\r\n", slice);
			if (verdicts[i].step > HANDSHAKE_CAPA)
				feed(&h, "+OK\r\n", slice);
			if (verdicts[i].step > HANDSHAKE_PSYNC)
				feed(&h, "+FULLRESYNC " ID " 1\r\n", slice);
			assert_int_equal(h.step, verdicts[i].step);
			enum handshake_verdict v = feed(&h, verdicts[i].line, slice);
			if (v != verdicts[i].verdict || h.error != verdicts[i].error)
				fail_msg("%d, error %d to: %s", v, h.error, verdicts[i].line);
			assert_true(v == HANDSHAKE_SEND || h.text[0]);
		}
	}
}

static void line_without_an_end_is_refused(void **state)
{
	static char line[HANDSHAKE_LINE_MAX + 2];
	struct handshake h;
	size_t used;
	memset(line, '+', sizeof(line));
	handshake_begin(&h, &open_server, NULL, 0);
	assert_int_equal(handshake_feed(&h, (struct span){line, HANDSHAKE_LINE_MAX}, &used),
			 HANDSHAKE_MORE);
	assert_int_equal(handshake_feed(&h, (struct span){line, HANDSHAKE_LINE_MAX + 1}, &used),
			 HANDSHAKE_FAIL);
	assert_int_equal(h.error, ERROR_NOT_REDIS);
}

// The longest user and password that an endpoint holds must fit what is sent.
static void longest_password_fits(void **state)
{
	struct endpoint e = {.has_password = 1};
	struct handshake h;
	memset(e.user, 'u', sizeof(e.user) - 1);
	memset(e.password, 'p', sizeof(e.password) - 1);
	handshake_begin(&h, &e, NULL, 0);
	assert_int_equal(feed(&h, "+PONG\r\n", 100), HANDSHAKE_SEND);
	assert_in_range(h.out_len, sizeof(e.user) + sizeof(e.password), sizeof(h.out));
	assert_memory_equal(h.out + h.out_len - 4, "pp\r\n", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_step_is_said_in_turn),
		cmocka_unit_test(snapshot_without_a_length_has_a_mark),
		cmocka_unit_test(nothing_behind_the_header_is_taken),
		cmocka_unit_test(resume_names_the_first_byte_wanted),
		cmocka_unit_test(passwords_are_sent_in_the_form_that_fits),
		cmocka_unit_test(old_server_that_knows_no_capa_goes_on),
		cmocka_unit_test(every_answer_has_its_verdict),
		cmocka_unit_test(line_without_an_end_is_refused),
		cmocka_unit_test(longest_password_fits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
