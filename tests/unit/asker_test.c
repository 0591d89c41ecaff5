// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/fake_stream.h"
#include "dataplane/topology/asker.h"
#include "tests/unit/test.h"

#include <errno.h>

#define PATIENCE_NS 1000000000ull

struct scene {
	struct fake_loop loop;
	struct core core;
	struct asker asker;
	const struct resp_value *v;
	unsigned n;
};

static struct scene *scene_new(void)
{
	struct scene *s = calloc(1, sizeof(*s));
	const struct stream_peer peer = {.host = "192.0.2.1", .port = 26379};
	fake_loop_init(&s->loop);
	s->core.loop = &s->loop.base;
	assert_int_equal(asker_open(&s->asker, &s->core, &peer, fake_now.mono_ns, PATIENCE_NS), 0);
	return s;
}

static void scene_free(struct scene *s)
{
	asker_close(&s->asker);
	assert_int_equal(s->loop.n_closes, s->loop.n_connects);
	free(s);
}

static enum resp_verdict next(struct scene *s)
{
	return asker_next(&s->asker, &fake_now, &s->v, &s->n);
}

static void answer(struct scene *s, const char *resp)
{
	fake_reply(&s->loop, resp, strlen(resp));
}

static void questions_are_asked_and_answered_in_order(void **state)
{
	struct scene *s = scene_new();
	asker_login(&s->asker, "bob", "secret", fake_now.mono_ns);
	ASKER_PUT(&s->asker, fake_now.mono_ns, "ROLE");
	assert_int_equal(s->loop.n_out, 0);
	assert_int_equal(next(s), RESP_MORE);
	static const char said[] = "*3\r\n$4\r\nAUTH\r\n$3\r\nbob\r\n$6\r\nsecret\r\n"
				   "*1\r\n$4\r\nROLE\r\n";
	assert_int_equal(s->loop.n_out, sizeof(said) - 1);
	assert_memory_equal(s->loop.out, said, sizeof(said) - 1);
	answer(s, "+OK\r\n*1\r\n");
	assert_int_equal(next(s), RESP_OK);
	assert_int_equal(s->v->type, RESP_STATUS);
	assert_int_equal(next(s), RESP_MORE);
	answer(s, "$6\r\nmaster\r\n");
	assert_int_equal(next(s), RESP_OK);
	assert_int_equal(s->n, 2);
	assert_int_equal(s->asker.n_due, 0);
	scene_free(s);
}

static void a_password_does_not_stay_in_memory(void **state)
{
	struct scene *s = scene_new();
	asker_login(&s->asker, "", "topsecret", fake_now.mono_ns);
	s->loop.write_max = 7;
	assert_int_equal(next(s), RESP_MORE);
	assert_null(memmem(s->asker.out, sizeof(s->asker.out), "secret", 6));
	scene_free(s);
}

static void what_a_connection_does_not_take_at_once_goes_later(void **state)
{
	struct scene *s = scene_new();
	s->loop.stuck = true;
	ASKER_PUT(&s->asker, fake_now.mono_ns, "PING");
	assert_int_equal(next(s), RESP_MORE);
	assert_int_equal(s->loop.n_out, 0);
	s->loop.stuck = false;
	s->loop.stream.flags |= STREAM_WRITABLE;
	assert_int_equal(next(s), RESP_MORE);
	assert_int_equal(s->loop.n_out, 14);
	scene_free(s);
}

static void silence_is_an_answer(void **state)
{
	struct scene *s = scene_new();
	uint64_t deadline = NO_DEADLINE;
	asker_deadline(&s->asker, &deadline);
	assert_true(deadline == NO_DEADLINE); // it is open, and nothing was asked
	ASKER_PUT(&s->asker, fake_now.mono_ns, "PING");
	asker_deadline(&s->asker, &deadline);
	assert_true(deadline == fake_now.mono_ns + PATIENCE_NS);
	fake_now.mono_ns = deadline - 1;
	assert_int_equal(next(s), RESP_MORE);
	fake_now.mono_ns = deadline;
	assert_int_equal(next(s), RESP_BAD);
	assert_string_equal(s->asker.why, "no answer within 1000 ms");
	assert_false(asker_is_open(&s->asker));
	assert_int_equal(next(s), RESP_MORE);
	scene_free(s);
}

// One that only listens may be silent for ever.
static void what_was_published_is_no_answer(void **state)
{
	struct scene *s = scene_new();
	ASKER_PUT(&s->asker, fake_now.mono_ns, "SUBSCRIBE", "c");
	answer(s, "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
	assert_int_equal(next(s), RESP_OK);
	fake_now.mono_ns += 1000 * PATIENCE_NS;
	assert_int_equal(next(s), RESP_MORE);
	answer(s, "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n");
	assert_int_equal(next(s), RESP_OK);
	assert_int_equal(s->asker.n_due, 0);
	scene_free(s);
}

static void a_refused_connection_and_an_end_have_their_words(void **state)
{
	struct scene *s = scene_new();
	s->loop.stream.flags = STREAM_FAILED;
	s->loop.stream.error = ECONNREFUSED;
	assert_int_equal(next(s), RESP_BAD);
	assert_string_equal(s->asker.why, "Connection refused");
	scene_free(s);
	s = scene_new();
	fake_lose(&s->loop);
	assert_int_equal(next(s), RESP_BAD);
	assert_string_equal(s->asker.why, "the connection was closed");
	scene_free(s);
	s = scene_new();
	answer(s, "HTTP/1.1 400 Bad Request\r\n");
	assert_int_equal(next(s), RESP_BAD);
	assert_string_equal(s->asker.why, "what answers there is no Redis server");
	scene_free(s);
}

static void too_many_questions_close_it(void **state)
{
	struct scene *s = scene_new();
	for (unsigned i = 0; i < ASKER_OUT_LEN / 14 + 1; i++)
		ASKER_PUT(&s->asker, fake_now.mono_ns, "PING");
	assert_false(asker_is_open(&s->asker));
	assert_string_equal(s->asker.why, "it takes no more questions");
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_are_asked_and_answered_in_order),
		cmocka_unit_test(a_password_does_not_stay_in_memory),
		cmocka_unit_test(what_a_connection_does_not_take_at_once_goes_later),
		cmocka_unit_test(silence_is_an_answer),
		cmocka_unit_test(what_was_published_is_no_answer),
		cmocka_unit_test(a_refused_connection_and_an_end_have_their_words),
		cmocka_unit_test(too_many_questions_close_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
