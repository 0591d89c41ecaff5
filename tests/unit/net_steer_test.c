// SPDX-License-Identifier: BSD-3-Clause
// Which core gets what: ports whose answers come to the right queue, and frames handed over.
#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "dataplane/net/port.h"
#include "dataplane/net/rss.h"
#include "dataplane/net/steer.h"
#include "tests/unit/net_address.h"
#include "tests/unit/random.h"

#define CORES 4

static const uint8_t secret[16];

static struct nic_info device(struct random *r, unsigned n_queues)
{
	struct nic_info info = {.n_queues = (uint16_t)n_queues, .rss_key_len = 40, .n_reta = 64};
	for (unsigned i = 0; i < 40; i++)
		info.rss_key[i] = (uint8_t)random_next(r);
	for (unsigned i = 0; i < 64; i++)
		info.reta[i] = (uint16_t)random_below(r, n_queues);
	return info;
}

static struct tcp_tuple redis(void)
{
	struct net_address local = at("10.0.0.2"), remote = at("10.0.0.3");
	struct tcp_tuple t = {.family = 4, .remote_port = 6379};
	memcpy(t.local, local.bytes, 16);
	memcpy(t.remote, remote.bytes, 16);
	return t;
}

static void port_is_the_cores_own_and_its_answers_come_to_its_queue(void **state)
{
	struct random r = random_seeded("net_steer ports");
	struct nic_info info = device(&r, CORES);
	struct flow_table flows;
	unsigned seen[2] = {0};
	flow_table_init(&flows, 16, secret);
	for (unsigned i = 0; i < 2000; i++) {
		uint16_t core = (uint16_t)random_below(&r, CORES);
		struct port_choice c = {&info, &flows, core, CORES, core};
		struct tcp_tuple t = redis();
		assert_int_equal(port_choose(&c, &t, (uint32_t)random_next(&r)), 0);
		assert_int_equal(t.local_port % CORES, core);
		assert_int_equal(rss_queue(&info, &t), core);
		assert_true(port_is_chosen(t.local_port));
		seen[t.local_port >= PORT_FIRST + PORT_COUNT / 2]++;
	}
	assert_in_range(seen[0], 800, 1200); // from all over the range
	flow_table_fini(&flows);
}

static void taken_ports_are_passed_over_until_none_is_left(void **state)
{
	struct nic_info info = {.n_queues = 1};
	struct flow_table flows;
	struct port_choice c = {&info, &flows, 1, CORES, 0};
	static uint8_t is_taken[65536];
	struct tcp_tuple t = redis();
	flow_table_init(&flows, PORT_COUNT / CORES, secret);
	for (uint32_t i = 0; i < PORT_COUNT / CORES; i++) {
		// Always from the same place, so that the search goes on behind those taken.
		assert_int_equal(port_choose(&c, &t, 77), 0);
		assert_int_equal(t.local_port % CORES, 1);
		assert_false(is_taken[t.local_port]);
		is_taken[t.local_port] = 1;
		struct flow_key key = flow_key_of(&t);
		flow_table_put(&flows, &key, i);
	}
	assert_int_equal(port_choose(&c, &t, 77), -EADDRNOTAVAIL);
	t.remote_port++; // to another peer they are free
	assert_int_equal(port_choose(&c, &t, 77), 0);
	flow_table_fini(&flows);
}

static void port_is_chosen_though_no_queue_fits(void **state)
{
	struct random r = {1};
	struct nic_info info = device(&r, CORES);
	struct flow_table flows;
	struct port_choice c = {&info, &flows, 2, CORES, 2};
	struct tcp_tuple t = redis();
	for (unsigned i = 0; i < info.n_reta; i++)
		info.reta[i] = 3;
	flow_table_init(&flows, 16, secret);
	assert_int_equal(port_choose(&c, &t, 5), 0);
	assert_int_equal(t.local_port % CORES, 2);
	flow_table_fini(&flows);
}

static struct nic_frame frame_of(uint8_t *bytes, uint32_t len, uint32_t number)
{
	memset(bytes, (int)number, len);
	memcpy(bytes, &number, sizeof(number));
	return (struct nic_frame){.p = bytes, .len = len, .vlan = (uint16_t)number, .n_merged = 1};
}

static void expect_frame(const struct steer_frame *f, uint32_t number, uint32_t len)
{
	uint32_t there;
	assert_non_null(f);
	memcpy(&there, f->frame.p, sizeof(there));
	assert_int_equal(there, number);
	assert_int_equal(f->frame.len, len);
	assert_int_equal(f->frame.vlan, (uint16_t)number);
	assert_int_equal(f->frame.p[len - 1], (uint8_t)number);
}

static unsigned n_woken;

static void woken(void *arg)
{
	n_woken += *(unsigned *)arg;
}

static void frames_are_copied_bounded_and_wake_their_core_once(void **state)
{
	struct steer *s = steer_new(3, 1514);
	uint8_t bytes[2000];
	unsigned one = 1, hundred = 100, n;
	steer_on_wake(s, 1, woken, &one);
	steer_on_wake(s, 2, woken, &hundred);
	n_woken = 0;
	for (n = 0; n < 1000; n++) {
		struct nic_frame f = frame_of(bytes, 60 + n, n);
		if (!steer_put(s, 0, 1, &f, STEER_YOURS, 0))
			break;
	}
	assert_int_equal(n, STEER_FRAMES);
	assert_true(steer_is_empty(s, 2) && !steer_is_empty(s, 1));
	struct nic_frame f = frame_of(bytes, 1515, 1);
	assert_false(steer_put(s, 0, 2, &f, STEER_COPY, 0)); // too long
	f = frame_of(bytes, 1514, 7);
	assert_true(steer_put(s, 0, 2, &f, STEER_COPY, 0));
	memset(bytes, 0, sizeof(bytes));
	steer_wake(s, 0);
	assert_int_equal(n_woken, 101);
	steer_wake(s, 0);
	assert_int_equal(n_woken, 101);
	for (n = 0; n < STEER_FRAMES; n++)
		expect_frame(steer_take(s, 1), n, 60 + n);
	assert_null(steer_take(s, 1));
	const struct steer_frame *last = steer_take(s, 2);
	expect_frame(last, 7, 1514);
	assert_int_equal(last->why, STEER_COPY);
	f = frame_of(bytes, 60, 8);
	assert_true(steer_put(s, 0, 1, &f, STEER_YOURS, 0)); // room came back
	steer_free(s);
}

static void senders_are_heard_in_turn(void **state)
{
	struct steer *s = steer_new(3, 100);
	uint8_t bytes[100];
	for (uint32_t i = 0; i < 10; i++) {
		struct nic_frame f = frame_of(bytes, 60, i);
		assert_true(steer_put(s, 1, 0, &f, STEER_YOURS, 1));
		f = frame_of(bytes, 60, 100 + i);
		assert_true(steer_put(s, 2, 0, &f, STEER_YOURS, 2));
	}
	for (uint32_t i = 0; i < 10; i++) {
		expect_frame(steer_take(s, 0), i, 60);
		expect_frame(steer_take(s, 0), 100 + i, 60);
	}
	steer_free(s);
}

static void new_flows_go_to_the_core_with_the_fewest(void **state)
{
	struct steer *s = steer_new(CORES, 100);
	unsigned of[CORES] = {0};
	for (unsigned core = 1; core < CORES; core++)
		assert_int_equal(steer_listen(s, core, 6379), 0);
	steer_count(s, 1, 1);
	steer_count(s, 1, 1);
	steer_count(s, 2, 1);
	// Core 0 has none, but does not listen.
	assert_int_equal(steer_listener(s, 0, 6379, 7), 3);
	assert_int_equal(steer_listener(s, 1, 6379, 7), 3);
	steer_count(s, 3, 1);
	for (uint64_t hash = 0; hash < 100; hash++) {
		of[steer_listener(s, 1, 6379, hash)]++;
		assert_int_equal(steer_listener(s, 2, 6379, hash), 2); // its own, without need
	}
	assert_int_equal(of[2], 50);
	assert_int_equal(of[3], 50);
	steer_count(s, 1, -1);
	steer_count(s, 1, -1);
	assert_int_equal(steer_listener(s, 0, 6379, 7), 1);
	steer_free(s);
}

static void each_core_that_listens_is_asked_once(void **state)
{
	struct steer *s = steer_new(CORES, 100);
	for (unsigned core = 0; core < CORES; core += 2)
		assert_int_equal(steer_listen(s, core, 6379), 0);
	assert_int_equal(steer_next(s, 0, 6379, 0), 2);
	assert_int_equal(steer_next(s, 2, 6379, 0), -1);
	assert_int_equal(steer_next(s, 1, 6379, 1), 2); // where it came to nobody listens
	assert_int_equal(steer_next(s, 2, 6379, 1), 0);
	assert_int_equal(steer_next(s, 0, 6379, 1), -1);
	assert_int_equal(steer_next(s, 0, 7000, 0), -1);
	steer_free(s);
}

static void listeners_of_a_port_share_its_hashes(void **state)
{
	struct steer *s = steer_new(CORES, 100);
	unsigned of[CORES] = {0};
	assert_int_equal(steer_listener(s, 0, 6379, 1), -1);
	assert_int_equal(steer_listen(s, 1, 6379), 0);
	assert_int_equal(steer_listen(s, 3, 6379), 0);
	assert_int_equal(steer_listen(s, 2, 7000), 0);
	for (uint64_t hash = 0; hash < 100; hash++)
		of[steer_listener(s, 0, 6379, hash)]++;
	assert_int_equal(of[1], 50);
	assert_int_equal(of[3], 50);
	assert_int_equal(steer_listener(s, 0, 7000, 12345), 2);
	for (uint16_t port = 1; port <= STEER_LISTEN_MAX - 2; port++)
		assert_int_equal(steer_listen(s, 0, port), 0);
	assert_int_equal(steer_listen(s, 0, 9999), -ENOBUFS);
	steer_free(s);
}

#define THREAD_FRAMES 100000u

static void *sender(void *arg)
{
	uint8_t bytes[64];
	for (uint32_t i = 0; i < THREAD_FRAMES; i++) {
		struct nic_frame f = frame_of(bytes, 64, i);
		while (!steer_put(arg, 1, 0, &f, STEER_YOURS, 1))
			sched_yield();
	}
	return NULL;
}

static void frames_pass_between_threads_whole_and_in_order(void **state)
{
	struct steer *s = steer_new(2, 64);
	pthread_t thread;
	pthread_create(&thread, NULL, sender, s);
	for (uint32_t i = 0; i < THREAD_FRAMES; i++) {
		struct steer_frame *f;
		while (!(f = steer_take(s, 0)))
			sched_yield();
		expect_frame(f, i, 64);
	}
	pthread_join(thread, NULL);
	steer_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(port_is_the_cores_own_and_its_answers_come_to_its_queue),
		cmocka_unit_test(taken_ports_are_passed_over_until_none_is_left),
		cmocka_unit_test(port_is_chosen_though_no_queue_fits),
		cmocka_unit_test(frames_are_copied_bounded_and_wake_their_core_once),
		cmocka_unit_test(senders_are_heard_in_turn),
		cmocka_unit_test(new_flows_go_to_the_core_with_the_fewest),
		cmocka_unit_test(each_core_that_listens_is_asked_once),
		cmocka_unit_test(listeners_of_a_port_share_its_hashes),
		cmocka_unit_test(frames_pass_between_threads_whole_and_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
