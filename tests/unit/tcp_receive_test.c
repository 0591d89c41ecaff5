// SPDX-License-Identifier: BSD-3-Clause
// What arrives: order, acknowledgements, windows, timestamps.
#include "dataplane/tcp/tcp_priv.h"
#include "tests/unit/tcp_script.h"

static void begin_with(struct script *s, const struct tcp_settings *set, uint8_t has)
{
	script_init(s, set, 0xffffff00); // the bytes below go round
	script_connect(s, has);
}

static void begin(struct script *s)
{
	struct tcp_settings set = rig_settings();

	begin_with(s, &set, HAS_ALL);
}

static void the_first_segments_are_acknowledged_one_by_one(void **state)
{
	struct script s;

	begin(&s);
	for (uint32_t i = 0; i < 15; i++) { // the sixteenth went to the SYN's
		SAY(&s, .seq = 1 + 100 * i, .ack = 1, .len = 100);
		expect_ack(&s, 1, 101 + 100 * i);
	}
	script_fini(&s);
}

static void every_second_full_segment_is_acknowledged(void **state)
{
	struct script s;
	uint32_t at;

	begin(&s);
	at = script_calm(&s);
	for (int i = 0; i < 10; i++, at += 2000) {
		SAY(&s, .seq = at, .ack = 1, .len = 1000);
		expect_nothing(&s);
		SAY(&s, .seq = at + 1000, .ack = 1, .len = 1000);
		expect_ack(&s, 1, at + 2000);
		script_read(&s, at);
	}
	script_fini(&s);
}

static void a_lone_segment_is_acknowledged_after_the_delay(void **state)
{
	struct script s;
	uint32_t at;

	begin(&s);
	at = script_calm(&s);
	SAY(&s, .seq = at, .ack = 1, .len = 10);
	expect_nothing(&s);
	script_wait(&s, 30 * MS);
	SAY(&s, .seq = at + 10, .ack = 1, .len = 10); // does not put it off
	expect_nothing(&s);
	assert_int_equal(script_wait_deadline(&s), 10 * MS);
	expect_ack(&s, 1, at + 20);
	script_fini(&s);
}

static void what_the_device_merged_is_acknowledged_at_once(void **state)
{
	struct script s;
	uint32_t at;

	begin(&s);
	at = script_calm(&s);
	SAY(&s, .seq = at, .ack = 1, .len = 1500, .n_merged = 2);
	expect_ack(&s, 1, at + 1500);
	script_fini(&s);
}

static void a_burst_gets_one_acknowledgement(void **state)
{
	struct script s;
	uint32_t at;

	begin(&s);
	at = script_calm(&s);
	for (uint32_t i = 0; i < 32; i++)
		SAY(&s, .seq = at + 1000 * i, .ack = 1, .len = 1000);
	expect_ack(&s, 1, at + 32000);
	script_fini(&s);
}

static void an_answer_carries_the_acknowledgement(void **state)
{
	struct script s;
	uint32_t at;

	begin(&s);
	at = script_calm(&s);
	SAY(&s, .seq = at, .ack = 1, .len = 10);
	script_write(&s, 20);
	expect_out(&s, TCP_ACK, 1, 20, at + 10);
	assert_true(s.out.flags & TCP_PSH);
	expect_nothing(&s);
	script_wait(&s, 100 * MS);
	expect_nothing(&s); // nothing is owed any more
	script_fini(&s);
}

// RFC 2018, 4: the segment that just arrived first, then those reported before.
static void holes_are_reported_the_newest_first(void **state)
{
	struct script s;

	begin(&s);
	SAY(&s, .seq = 101, .ack = 1, .len = 100);
	expect_ack(&s, 1, 1);
	assert_int_equal(s.out.options.n_sack, 1);
	expect_sack(&s, 0, 101, 201);
	SAY(&s, .seq = 501, .ack = 1, .len = 100);
	expect_ack(&s, 1, 1);
	expect_sack(&s, 0, 501, 601);
	expect_sack(&s, 1, 101, 201);
	SAY(&s, .seq = 301, .ack = 1, .len = 100);
	expect_ack(&s, 1, 1);
	expect_sack(&s, 0, 301, 401);
	expect_sack(&s, 1, 501, 601);
	expect_sack(&s, 2, 101, 201);
	SAY(&s, .seq = 701, .ack = 1, .len = 100);
	expect_ack(&s, 1, 1);
	assert_int_equal(s.out.options.n_sack, 3); // beside timestamps
	expect_sack(&s, 0, 701, 801);
	expect_sack(&s, 2, 501, 601);
	SAY(&s, .seq = 601, .ack = 1, .len = 100); // joins two
	expect_ack(&s, 1, 1);
	expect_sack(&s, 0, 501, 801);
	expect_sack(&s, 1, 301, 401);
	SAY(&s, .seq = 1, .ack = 1, .len = 100);
	expect_ack(&s, 1, 201);
	expect_sack(&s, 0, 501, 801);
	SAY(&s, .seq = 201, .ack = 1, .len = 300);
	expect_ack(&s, 1, 801);
	assert_int_equal(s.out.options.n_sack, 1); // 301 to 401 came twice
	expect_sack(&s, 0, 301, 401);
	assert_int_equal(script_read(&s, 1), 800);
	script_fini(&s);
}

// RFC 2883.
static void what_comes_twice_is_reported(void **state)
{
	struct script s;

	begin(&s);
	SAY(&s, .seq = 1, .ack = 1, .len = 1000);
	expect_ack(&s, 1, 1001);
	SAY(&s, .seq = 501, .ack = 1, .len = 500); // all of it
	expect_ack(&s, 1, 1001);
	assert_int_equal(s.out.options.n_sack, 1);
	expect_sack(&s, 0, 501, 1001);
	SAY(&s, .seq = 2001, .ack = 1, .len = 1000);
	expect_ack(&s, 1, 1001);
	assert_int_equal(s.out.options.n_sack, 1);  // reported once
	SAY(&s, .seq = 2501, .ack = 1, .len = 100); // within a block: that follows
	expect_ack(&s, 1, 1001);
	assert_int_equal(s.out.options.n_sack, 2);
	expect_sack(&s, 0, 2501, 2601);
	expect_sack(&s, 1, 2001, 3001);
	SAY(&s, .seq = 901, .ack = 1, .len = 1100); // a part, and the hole is filled
	expect_ack(&s, 1, 3001);
	expect_sack(&s, 0, 901, 1001);
	assert_int_equal(script_read(&s, 1), 3000);
	script_fini(&s);
}

static void full_payloads_leave_no_room_for_blocks(void **state)
{
	struct script s;

	begin(&s);
	script_write(&s, 3000);
	SAY(&s, .seq = 101, .ack = 1, .len = 100);
	expect_out(&s, TCP_ACK, 1, 0, 1);
	assert_int_equal(s.out.options.n_sack, 1);
	expect_out(&s, TCP_ACK, 1, 1448, 1);
	assert_int_equal(s.out.options.n_sack, 0);
	script_fini(&s);
}

static void without_sack_every_segment_behind_a_hole_is_answered(void **state)
{
	struct tcp_settings set = rig_settings();
	struct script s;

	begin_with(&s, &set, HAS_ALL & ~TCP_HAS_SACK_OK);
	for (uint32_t i = 0; i < 5; i++) // one burst
		SAY(&s, .seq = 1001 + 1000 * i, .ack = 1, .len = 1000);
	for (int i = 0; i < 5; i++) {
		expect_out(&s, TCP_ACK, 1, 0, 1);
		assert_int_equal(s.out.options.n_sack, 0);
	}
	expect_nothing(&s);
	script_fini(&s);
}

// RFC 7323, 5.3.
static void old_timestamps_are_dropped_and_answered(void **state)
{
	struct script s;
	struct tcp_info info;

	begin(&s);
	script_wait(&s, 100 * MS);
	SAY(&s, .seq = 1, .ack = 1, .len = 100);
	expect_ack(&s, 1, 101);
	SAY(&s, .seq = 101, .ack = 1, .len = 100, .ts = s.ts - 1);
	expect_ack(&s, 1, 101);
	tcp_info(s.t, &info);
	assert_int_equal(info.n_dropped, 1);
	SAY(&s, .seq = 101, .ack = 1, .len = 100, .no_time = true);
	expect_nothing(&s);
	tcp_info(s.t, &info);
	assert_int_equal(info.n_dropped, 2);
	SAY(&s, .seq = 101, .ack = 1, .len = 100);
	expect_ack(&s, 1, 201);
	script_fini(&s);
}

static void a_timestamp_of_24_days_ago_is_no_measure(void **state)
{
	struct tcp_settings set = rig_settings();
	struct script s;

	set.keepalive_idle_ns = 0;
	begin_with(&s, &set, HAS_ALL);
	s.now_ns += 25ull * 24 * 3600 * SECOND;
	SAY(&s, .seq = 1, .ack = 1, .len = 100, .ts = PEER_TS - 1);
	expect_ack(&s, 1, 101);
	script_fini(&s);
}

// RFC 7323, 4.3: of two segments that wait for one acknowledgement the first one's is echoed.
static void the_echo_is_of_the_segment_that_is_acknowledged(void **state)
{
	struct script s;
	uint32_t at, first;

	begin(&s);
	at = script_calm(&s);
	script_wait(&s, 10 * MS);
	first = s.ts;
	SAY(&s, .seq = at, .ack = 1, .len = 10);
	script_wait(&s, 10 * MS);
	SAY(&s, .seq = at + 10, .ack = 1, .len = 10);
	script_wait_deadline(&s);
	expect_ack(&s, 1, at + 20);
	assert_int_equal(s.out.options.ts_ecr, first);
	// What lies behind a hole does not count either.
	SAY(&s, .seq = at + 100, .ack = 1, .len = 10);
	expect_ack(&s, 1, at + 20);
	assert_int_equal(s.out.options.ts_ecr, first);
	script_fini(&s);
}

// RFC 9293, 3.10.7.4: what is not in the window is answered and dropped, both edges are trimmed.
static void both_edges_are_trimmed(void **state)
{
	struct tcp_settings set = rig_settings();
	struct script s;

	set.receive_first = set.receive_max = 8000;
	begin_with(&s, &set, HAS_ALL);
	SAY(&s, .seq = 1, .ack = 1, .len = 1000);
	expect_ack(&s, 1, 1001);
	SAY(&s, .seq = 501, .ack = 1, .len = 1000); // half of it is known
	expect_ack(&s, 1, 1501);
	SAY(&s, .seq = 7501, .ack = 1, .len = 1000); // half of it is too much
	expect_ack(&s, 1, 1501);
	expect_sack(&s, 0, 7501, 8001);
	SAY(&s, .seq = 8001, .ack = 1, .len = 1000); // all of it
	script_output(&s);
	SAY(&s, .seq = 1501, .ack = 1, .len = 6000);
	expect_ack(&s, 1, 8001);
	assert_int_equal(s.out.window, 0);
	assert_int_equal(script_read(&s, 1), 8000);
	script_fini(&s);
}

static void a_shut_window_takes_acks_and_answers_probes(void **state)
{
	struct tcp_settings set = rig_settings();
	struct tcp_info info;
	struct script s;

	set.receive_first = set.receive_max = 4000;
	begin_with(&s, &set, HAS_ALL);
	script_write(&s, 100);
	expect_out(&s, TCP_ACK, 1, 100, 1);
	SAY(&s, .seq = 1, .ack = 1, .len = 4000);
	expect_ack(&s, 101, 4001);
	assert_int_equal(s.out.window, 0);
	SAY(&s, .seq = 4001, .ack = 101, .len = 1); // a probe that acknowledges
	expect_ack(&s, 101, 4001);
	tcp_info(s.t, &info);
	assert_int_equal(info.unacked, 0);
	assert_int_equal(tcp_readable(s.t), 4000);
	script_fini(&s);
}

// RFC 9293, 3.8.6.2.2.
static void a_window_opens_by_much_or_not_at_all(void **state)
{
	struct tcp_settings set = rig_settings();
	struct script s;
	uint8_t p[4000];

	set.receive_first = set.receive_max = 4000;
	begin_with(&s, &set, HAS_ALL);
	SAY(&s, .seq = 1, .ack = 1, .len = 4000);
	expect_ack(&s, 1, 4001);
	assert_int_equal(s.out.window, 0);
	for (int i = 0; i < 12; i++) {
		assert_int_equal(tcp_read(s.t, p, 100, s.now_ns), 100);
		expect_nothing(&s);
	}
	assert_int_equal(tcp_read(s.t, p, 300, s.now_ns), 300); // 1500: more than a segment
	expect_ack(&s, 1, 4001);
	assert_int_equal(s.out.window, 1500);
	script_fini(&s);
}

// In units of 16 KB, in steps of a few bytes, with a reader that stops: what was once offered is
// taken (RFC 7323, 2.4), and no more than a unit above the limit is ever held.
static void rounding_does_not_take_back_what_was_offered(void **state)
{
	struct tcp_settings set = rig_settings();
	struct random r = random_seeded(__func__);
	uint64_t most = 0;
	struct script s;
	uint32_t at = 1;

	set.receive_max = 1ull << 30;
	set.receive_first = 200000;
	begin_with(&s, &set, HAS_ALL);
	for (int i = 0; i < 3000; i++) {
		uint32_t len = 1 + (uint32_t)random_below(&r, 1000);
		uint64_t before = s.t->rcv.edge;

		if (at + len <= (uint32_t)(most - POSITION_SYN) || most == 0) {
			SAY(&s, .seq = at, .ack = 1, .len = len);
			at += len;
			assert_int_equal(s.t->receive.next, POSITION_SYN + at);
		}
		s.t->ack.now = true;
		while (script_output(&s))
			;
		assert_true(s.t->rcv.edge >= before);
		uint64_t told = s.t->receive.next + ((uint64_t)s.out.window << 14);
		assert_true(told + (1 << 14) > most); // never back by a unit
		most = told > most ? told : most;
		if (random_below(&r, 40) == 0)
			script_read(&s, (uint32_t)(s.t->receive.read - POSITION_SYN));
	}
	script_fini(&s);
}

static void a_fin_waits_for_what_is_before_it(void **state)
{
	struct script s;
	char p[10];

	begin(&s);
	SAY(&s, .seq = 101, .ack = 1, .len = 100, .flags = TCP_FIN | TCP_ACK);
	expect_ack(&s, 1, 1);
	expect_sack(&s, 0, 101, 201);
	assert_int_equal(tcp_state(s.t), TCP_ESTABLISHED);
	SAY(&s, .seq = 301, .ack = 1, .len = 10); // behind its own end
	SAY(&s, .seq = 1, .ack = 1, .len = 100);
	expect_ack(&s, 1, 202);
	assert_int_equal(tcp_state(s.t), TCP_CLOSE_WAIT);
	assert_int_equal(script_read(&s, 1), 200);
	assert_int_equal(tcp_read(s.t, p, 10, s.now_ns), 0);
	script_fini(&s);
}

static void holes_cost_no_memory(void **state)
{
	struct tcp_settings set = rig_settings();
	struct script s;

	set.receive_first = set.receive_max = 64 << 20;
	begin_with(&s, &set, HAS_ALL);
	SAY(&s, .seq = 50 << 20, .ack = 1, .len = 100);
	SAY(&s, .seq = 10 << 20, .ack = 1, .len = 100);
	assert_int_equal(s.host->pool.n_used, 2);
	SAY(&s, .seq = 1, .ack = 1, .len = 100);
	assert_int_equal(s.host->pool.n_used, 3);
	script_read(&s, 1);
	script_fini(&s);
}

static void the_list_of_holes_is_bounded(void **state)
{
	struct tcp_settings set = rig_settings();
	struct tcp_info info;
	struct script s;

	set.receive_first = set.receive_max = 16 << 20;
	begin_with(&s, &set, HAS_ALL);
	for (uint32_t i = 0; i < RUNS_MAX + 100; i++)
		SAY(&s, .seq = 3 + 2 * i, .ack = 1, .len = 1);
	tcp_info(s.t, &info);
	assert_int_equal(info.n_dropped, 2 * 100); // as a segment and as forgotten
	SAY(&s, .seq = 1, .ack = 1, .len = 1);     // the first hole stays the first
	for (uint32_t i = 0; i < 50; i++)
		SAY(&s, .seq = 2 + 2 * i, .ack = 1, .len = 1);
	assert_int_equal(tcp_readable(s.t), 101);
	script_read(&s, 1);
	script_fini(&s);
}

static void the_buffer_grows_with_what_is_drained(void **state)
{
	struct tcp_settings set = rig_settings();
	struct tcp_info info;
	struct script s;
	uint32_t at = 1;

	set.memory_max = 2 << 20;
	begin_with(&s, &set, HAS_ALL);
	for (int i = 0; i < 200; i++) {
		for (int k = 0; k < 50; k++, at += 1000)
			SAY(&s, .seq = at, .ack = 1, .len = 1000);
		script_read(&s, at - 50000);
		while (script_output(&s))
			;
		script_wait(&s, 5 * MS);
	}
	tcp_info(s.t, &info);
	// 10 MB/s over 10 ms, twice; and no more than the host may promise.
	assert_in_range(info.receive_buffer, 150000, 800000);
	assert_true(s.host->promised <= set.memory_max);
	script_fini(&s);
}

// A list of bytes says what should be there.
static void any_order_gives_the_same_bytes(void **state)
{
	struct random r = random_seeded(__func__);

	for (int round = 0; round < 300; round++) {
		struct block_pool pool = {.n_free_max = 4};
		static uint8_t bytes[200000];
		bool there[3000] = {false};
		uint32_t total = 3000, next = 0, read = 0;
		struct receive q;

		receive_init(&q, &pool);
		while (next < total) {
			uint32_t at = (uint32_t)random_below(&r, total);
			uint32_t len = 1 + (uint32_t)random_below(&r, 60);

			at = random_below(&r, 3) ? at : next;
			len = at + len > total ? total - at : len;
			for (uint32_t i = 0; i < len; i++)
				bytes[i] = rig_byte(1, at + i);
			receive_put(&q, POSITION_DATA + at, bytes, len);
			memset(there + at, true, len);
			while (next < total && there[next])
				next++;
			assert_int_equal(q.next, POSITION_DATA + next);
			assert_null(receive_check(&q));
			struct run sack[TCP_SACK_MAX];
			unsigned n = receive_sack(&q, sack, 3);
			receive_reported(&q);
			for (unsigned k = 0; k < n; k++)
				for (uint64_t i = sack[k].from; i < sack[k].to; i++)
					assert_true(there[i - POSITION_DATA]);
			if (random_below(&r, 4) == 0) {
				size_t got = receive_read(&q, bytes, random_below(&r, 500));

				for (size_t i = 0; i < got; i++)
					assert_int_equal(bytes[i], rig_byte(1, read + i));
				read += (uint32_t)got;
			}
		}
		assert_int_equal(receive_read(&q, bytes, sizeof(bytes)), total - read);
		assert_int_equal(pool.n_used, 0);
		receive_fini(&q);
		block_pool_fini(&pool);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_segments_are_acknowledged_one_by_one),
		cmocka_unit_test(every_second_full_segment_is_acknowledged),
		cmocka_unit_test(a_lone_segment_is_acknowledged_after_the_delay),
		cmocka_unit_test(what_the_device_merged_is_acknowledged_at_once),
		cmocka_unit_test(a_burst_gets_one_acknowledgement),
		cmocka_unit_test(an_answer_carries_the_acknowledgement),
		cmocka_unit_test(holes_are_reported_the_newest_first),
		cmocka_unit_test(what_comes_twice_is_reported),
		cmocka_unit_test(full_payloads_leave_no_room_for_blocks),
		cmocka_unit_test(without_sack_every_segment_behind_a_hole_is_answered),
		cmocka_unit_test(old_timestamps_are_dropped_and_answered),
		cmocka_unit_test(a_timestamp_of_24_days_ago_is_no_measure),
		cmocka_unit_test(the_echo_is_of_the_segment_that_is_acknowledged),
		cmocka_unit_test(both_edges_are_trimmed),
		cmocka_unit_test(a_shut_window_takes_acks_and_answers_probes),
		cmocka_unit_test(a_window_opens_by_much_or_not_at_all),
		cmocka_unit_test(rounding_does_not_take_back_what_was_offered),
		cmocka_unit_test(a_fin_waits_for_what_is_before_it),
		cmocka_unit_test(holes_cost_no_memory),
		cmocka_unit_test(the_list_of_holes_is_bounded),
		cmocka_unit_test(the_buffer_grows_with_what_is_drained),
		cmocka_unit_test(any_order_gives_the_same_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
