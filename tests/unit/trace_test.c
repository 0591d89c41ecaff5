// SPDX-License-Identifier: BSD-3-Clause
// The trace of a connection: what is written comes back, with its times, also from a ring that has
// gone round and while it is being written.
#include "tests/unit/test.h"

#include <errno.h>
#include <pthread.h>

#include "dataplane/contract/trace.h"

#define US 1000ull
#define S  1000000000ull

struct scene {
	struct trace_zone *zone;
	struct trace_ring *ring;
	struct trace_view view;
};

static const struct trace_flow some_flow = {
	.family = 4, .local = {10, 99, 0, 2}, .remote = {10, 99, 0, 1}, .local_port = 40000,
	.remote_port = 6379, .link = TRACE_NO_LINK,
};

static int scene_open(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	s->zone = aligned_alloc(64, sizeof(*s->zone));
	memset(s->zone, 0, sizeof(*s->zone));
	s->ring = trace_open(s->zone, 7, &some_flow);
	*state = s;
	return 0;
}

static int scene_close(void **state)
{
	struct scene *s = *state;
	free(s->zone);
	free(s);
	return 0;
}

static void view_take(struct scene *s)
{
	assert_int_equal(trace_read(s->zone, 7, &s->view), 0);
}

static void line_is(struct scene *s, unsigned i, const char *words)
{
	char text[TRACE_TEXT_LEN];
	assert_true(i < s->view.n);
	trace_text(&s->view.lines[i], text);
	assert_string_equal(text, words);
}

static void records_read_as_lines(void **state)
{
	struct scene *s = *state;
	struct trace_ring *r = s->ring;
	trace_segment(r, S, TRACE_OUT, 0x02, 0, 0, 0, 65535);
	trace_segment(r, S + 100 * US, TRACE_IN, 0x12, 0, 0, 1, 512);
	trace_put(r, S + 101 * US, TRACE_STATE, 0, 0, 1, 3);
	trace_segment(r, S + 102 * US, TRACE_OUT, 0x18, 1448, 1448, 77, 512);
	trace_put(r, S + 103 * US, TRACE_DROP, 9000, 77, TRACE_DROP_OUTSIDE, 100);
	trace_rto(r, S + 104 * US, 1, 200000 * US, 1448);
	trace_rto(r, S + 105 * US, 2, 400500 * US, 1448);
	trace_put(r, S + 106 * US, TRACE_CLOSE, 5, 6, TRACE_END_SHUTDOWN, 0);
	trace_failed(r, S + 107 * US, ETIMEDOUT, 5000000000ull);
	view_take(s);
	assert_int_equal(s->view.n, 9);
	line_is(s, 0, "out [S] seq 0+0 ack 0 win 65535");
	line_is(s, 1, "in [S.] seq 0+0 ack 1 win 512");
	line_is(s, 2, "state SYN-SENT -> ESTABLISHED");
	line_is(s, 3, "out [P.] seq 1448+1448 ack 77 win 512");
	line_is(s, 4, "drop outside the window, seq 9000+100 ack 77");
	line_is(s, 5, "RTO 1 of 200 ms, una 1448");
	line_is(s, 6, "RTO 2 of 400.500 ms, una 1448");
	line_is(s, 7, "close by us: shutdown, 5 unsent 6 unacked");
	line_is(s, 8, "failed Connection timed out, 4294967295 unacked");
	assert_int_equal(s->view.lines[0].time_us, 1000000);
	assert_int_equal(s->view.lines[8].time_us, 1000107);
}

static void a_long_silence_keeps_its_length(void **state)
{
	struct scene *s = *state;
	trace_put(s->ring, 0, TRACE_KEEPALIVE, 0, 0, 1, 0);
	trace_put(s->ring, (1ull << 20) * US - 1, TRACE_KEEPALIVE, 0, 0, 2, 0);
	trace_put(s->ring, (3ull << 20) * US, TRACE_KEEPALIVE, 0, 0, 3, 0);
	trace_put(s->ring, 40 * 86400 * S, TRACE_KEEPALIVE, 0, 0, 4, 0);
	view_take(s);
	assert_int_equal(s->view.n, 4);
	assert_int_equal(s->view.lines[0].time_us, 0);
	assert_int_equal(s->view.lines[1].time_us, (1 << 20) - 1);
	assert_int_equal(s->view.lines[2].time_us, 3 << 20);
	assert_int_equal(s->view.lines[3].time_us, 40ull * 86400 * 1000000);
}

// Every field at its largest, and every kind's words.
static void no_number_is_cut_and_no_kind_is_without_words(void **state)
{
	struct scene *s = *state;
	for (unsigned kind = TRACE_TIME + 1; kind < TRACE_KIND_COUNT; kind++)
		trace_record(s->ring, S, kind, UINT32_MAX, UINT32_MAX - 1, 65535, 65534, 63);
	view_take(s);
	assert_int_equal(s->view.n, TRACE_KIND_COUNT - 1);
	for (unsigned i = 0; i < s->view.n; i++) {
		const struct trace_line *l = &s->view.lines[i];
		char text[TRACE_TEXT_LEN];
		assert_int_equal(l->kind, i + 1);
		assert_true(l->a == UINT32_MAX && l->b == UINT32_MAX - 1);
		assert_true(l->c == 65535 && l->d == 65534 && l->e == 63);
		trace_text(l, text);
		assert_null(strpbrk(text, "{}"));
		assert_true(strlen(text) < TRACE_TEXT_LEN - 1);
		assert_true(strncmp(text, trace_word(l->kind), strlen(trace_word(l->kind))) == 0);
	}
	assert_string_equal(trace_word(TRACE_KIND_COUNT), "?");
}

static void numbers_have_names(void **state)
{
	struct scene *s = *state;
	char name[16];
	uint32_t v;
	unsigned at = 0;
	trace_segment(s->ring, S, TRACE_OUT, 0x10, 10, 20, 30, 40);
	view_take(s);
	static const struct {
		const char *name;
		uint32_t value;
	} wanted[] = {{"flags", 16}, {"seq", 10}, {"len", 20}, {"ack", 30}, {"window", 40}};
	for (unsigned i = 0; i < 5; i++) {
		assert_true(trace_number(&s->view.lines[0], &at, name, sizeof(name), &v));
		assert_string_equal(name, wanted[i].name);
		assert_int_equal(v, wanted[i].value);
	}
	assert_false(trace_number(&s->view.lines[0], &at, name, sizeof(name), &v));
}

static void a_ring_that_went_round_keeps_the_newest(void **state)
{
	struct scene *s = *state;
	for (uint32_t i = 0; i < 10 * TRACE_RECORDS + 13; i++) {
		trace_segment(s->ring, (1000 + i) * US, TRACE_IN, 0x10, i, 0, 0, 0);
		view_take(s);
		unsigned n = s->view.n;
		// A lap less the slot that may be written and the anchors, and what stood before
		// the first of these.
		unsigned least = TRACE_RECORDS - 1 - TRACE_RECORDS / TRACE_ANCHOR - TRACE_ANCHOR;
		assert_true(n >= (i + 1 < least ? i + 1 : least));
		assert_int_equal(s->view.lines[n - 1].a, i);
		assert_int_equal(s->view.lines[0].a, i + 1 - n);
		assert_int_equal(s->view.lines[0].time_us, 1000 + i + 1 - n);
		assert_int_equal(s->view.lines[n - 1].time_us, 1000 + i);
	}
}

static void the_next_flow_of_a_slot_begins_anew(void **state)
{
	struct scene *s = *state;
	struct trace_flow next = some_flow;
	next.remote_port = 7000;
	trace_put(s->ring, 5 * S, TRACE_KEEPALIVE, 0, 0, 1, 0);
	trace_close(s->ring);
	view_take(s);
	assert_false(s->view.is_open);
	assert_int_equal(s->view.n, 1);
	trace_open(s->zone, 7, &next);
	view_take(s);
	assert_true(s->view.is_open);
	assert_int_equal(s->view.n, 0);
	assert_int_equal(s->view.flow.remote_port, 7000);
	assert_int_equal(s->view.flow.link, TRACE_NO_LINK);
	trace_set_link(s->ring, 3);
	trace_put(s->ring, 5 * S + US, TRACE_KEEPALIVE, 0, 0, 2, 0);
	view_take(s);
	assert_int_equal(s->view.n, 1);
	assert_int_equal(s->view.lines[0].c, 2);
	assert_int_equal(s->view.lines[0].time_us, 5000001);
	assert_int_equal(s->view.flow.link, 3);
}

static void an_unused_ring_is_none(void **state)
{
	struct scene *s = *state;
	assert_int_equal(trace_read(s->zone, 8, &s->view), -ENOENT);
	trace_put(NULL, S, TRACE_KEEPALIVE, 0, 0, 1, 0);
	trace_rto(NULL, S, TRACE_RTO_ALARM, S, 0);
	trace_failed(NULL, S, ETIMEDOUT, 0);
	trace_set_link(NULL, 0);
	trace_close(NULL);
}

// A writer that dies while it changes the flow leaves an odd life behind: the ring is not read, and
// the next dataplane's flow in this slot mends it.
static void a_flow_half_written_is_not_read(void **state)
{
	struct scene *s = *state;
	atomic_fetch_add(&s->ring->life, 1);
	assert_int_equal(trace_read(s->zone, 7, &s->view), -EAGAIN);
	trace_open(s->zone, 7, &some_flow);
	view_take(s);
}

static uint32_t alarms(const struct scene *s)
{
	return atomic_load(&s->zone->alarms[7]);
}

static void what_is_worth_a_file_raises_the_alarm(void **state)
{
	struct scene *s = *state;
	for (unsigned n = 1; n < TRACE_RTO_ALARM; n++)
		trace_rto(s->ring, S, n, S, 0);
	trace_failed(s->ring, S, ECONNREFUSED, 0);
	trace_failed(s->ring, S, EHOSTUNREACH, 0);
	assert_int_equal(alarms(s), 0);
	trace_rto(s->ring, S, TRACE_RTO_ALARM, S, 0);
	trace_rto(s->ring, S, TRACE_RTO_ALARM + 1, S, 0);
	assert_int_equal(alarms(s), 1);
	trace_failed(s->ring, S, ETIMEDOUT, 0);
	trace_failed(s->ring, S, ECONNRESET, 0);
	assert_int_equal(alarms(s), 3);
	for (unsigned i = 0; i < TRACE_FLOWS_MAX; i++)
		assert_int_equal(atomic_load(&s->zone->alarms[i]), i == 7 ? 3 : 0);
}

static void addresses_read_as_people_write_them(void **state)
{
	char text[64];
	struct trace_flow six = {.family = 6, .remote = {0xfd, [15] = 1}, .remote_port = 6379};
	trace_address(&some_flow, false, text);
	assert_string_equal(text, "10.99.0.2:40000");
	trace_address(&some_flow, true, text);
	assert_string_equal(text, "10.99.0.1:6379");
	trace_address(&six, true, text);
	assert_string_equal(text, "[fd00::1]:6379");
}

// ---- While it is being written ----------------------------------------------------------------

#define LAPS 200

// Every record says the same number in all of its fields, and its time.
static void *write_laps(void *arg)
{
	struct scene *s = arg;
	for (uint32_t i = 1; i <= LAPS * TRACE_RECORDS; i++)
		trace_record(s->ring, i * US, TRACE_IN, i, i, i & 0xffff, i & 0xffff, i & 63);
	return NULL;
}

static void a_reader_never_sees_a_torn_record(void **state)
{
	struct scene *s = *state;
	pthread_t writer;
	uint32_t last = 0;
	assert_int_equal(pthread_create(&writer, NULL, write_laps, s), 0);
	while (last < LAPS * TRACE_RECORDS) {
		view_take(s);
		for (unsigned i = 0; i < s->view.n; i++) {
			const struct trace_line *l = &s->view.lines[i];
			uint32_t v = s->view.lines[0].a + i;
			assert_true(l->a == v && l->b == v && l->time_us == v);
			assert_true(l->c == (v & 0xffff) && l->d == l->c && l->e == (v & 63));
		}
		if (s->view.n) {
			assert_true(s->view.lines[s->view.n - 1].a >= last);
			last = s->view.lines[s->view.n - 1].a;
		}
	}
	pthread_join(writer, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_open, scene_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(records_read_as_lines),
		TEST(a_long_silence_keeps_its_length),
		TEST(no_number_is_cut_and_no_kind_is_without_words),
		TEST(numbers_have_names),
		TEST(a_ring_that_went_round_keeps_the_newest),
		TEST(the_next_flow_of_a_slot_begins_anew),
		TEST(an_unused_ring_is_none),
		TEST(a_flow_half_written_is_not_read),
		TEST(what_is_worth_a_file_raises_the_alarm),
		TEST(addresses_read_as_people_write_them),
		TEST(a_reader_never_sees_a_torn_record),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
