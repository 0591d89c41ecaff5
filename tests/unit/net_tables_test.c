// SPDX-License-Identifier: BSD-3-Clause
// The tables of a stack against plain arrays that do the same.
#include "dataplane/net/flow_table.h"
#include "dataplane/net/limit.h"
#include "dataplane/net/pmtu.h"
#include "dataplane/net/timers.h"
#include "tests/unit/net_address.h"
#include "tests/unit/random.h"

#define FLOWS  200
#define TUPLES 400

static const uint8_t secret[16] = "0123456789abcdef";

// Few different ones, so that they are met again.
static struct tcp_tuple tuple_of(unsigned i)
{
	struct tcp_tuple t = {.family = i % 2 ? 4 : 6,
			      .local_port = (uint16_t)(40000 + i / 2 % 4),
			      .remote_port = (uint16_t)(6379 + i / 8 % 2)};
	memset(t.remote, 1, address_len(t.family));
	t.local[0] = 10;
	t.remote[address_len(t.family) - 1] = (uint8_t)(i / 16);
	return t;
}

static void flow_table_finds_what_was_put_and_not_removed(void **state)
{
	struct random r = random_seeded("net_tables flows");
	struct flow_table table;
	unsigned index_of[TUPLES], tuple_of_index[FLOWS];
	assert_int_equal(flow_table_init(&table, FLOWS, secret), 0);
	for (unsigned i = 0; i < TUPLES; i++)
		index_of[i] = FLOW_NONE;
	for (unsigned i = 0; i < FLOWS; i++)
		tuple_of_index[i] = TUPLES;
	for (unsigned round = 0; round < 100000; round++) {
		unsigned i = (unsigned)random_below(&r, TUPLES);
		unsigned index = (unsigned)random_below(&r, FLOWS);
		struct tcp_tuple t = tuple_of(i);
		struct flow_key key = flow_key_of(&t);
		assert_int_equal(flow_table_find(&table, &key), index_of[i]);
		if (index_of[i] != FLOW_NONE && random_below(&r, 2)) {
			flow_table_remove(&table, index_of[i]);
			tuple_of_index[index_of[i]] = TUPLES;
			index_of[i] = FLOW_NONE;
		} else if (index_of[i] == FLOW_NONE && tuple_of_index[index] == TUPLES) {
			flow_table_put(&table, &key, index);
			index_of[i] = index;
			tuple_of_index[index] = i;
		}
	}
	for (unsigned i = 0; i < TUPLES; i++) {
		struct tcp_tuple t = tuple_of(i);
		struct flow_key key = flow_key_of(&t);
		assert_int_equal(flow_table_find(&table, &key), index_of[i]);
	}
	flow_table_fini(&table);
}

// Who does not know the secret cannot say what collides.
static void flow_table_spreads_by_its_secret(void **state)
{
	static const uint8_t other[16] = "fedcba9876543210";
	struct flow_table a, b;
	unsigned same = 0, low[64] = {0};
	flow_table_init(&a, FLOWS, secret);
	flow_table_init(&b, FLOWS, other);
	for (unsigned port = 0; port < 6400; port++) {
		struct tcp_tuple t = {.family = 4, .remote_port = (uint16_t)port};
		struct flow_key key = flow_key_of(&t);
		uint64_t hash = flow_table_hash(&a, &key);
		same += (hash & 63) == (flow_table_hash(&b, &key) & 63);
		low[hash & 63]++;
	}
	assert_in_range(same, 50, 150); // 100 by chance
	for (unsigned i = 0; i < 64; i++)
		assert_in_range(low[i], 50, 150);
	flow_table_fini(&a);
	flow_table_fini(&b);
}

static void timers_come_up_in_order_and_no_later_than_they_were_brought(void **state)
{
	struct random r = random_seeded("net_tables timers");
	struct timers timers;
	uint64_t due[FLOWS], now_ns = 0;
	assert_int_equal(timers_init(&timers, FLOWS), 0);
	for (unsigned i = 0; i < FLOWS; i++)
		due[i] = UINT64_MAX;
	for (unsigned round = 0; round < 50000; round++) {
		uint32_t i = (uint32_t)random_below(&r, FLOWS);
		uint64_t at_ns = now_ns + random_below(&r, 1000);
		if (random_below(&r, 4)) {
			timers_bring(&timers, i, at_ns);
			due[i] = at_ns < due[i] ? at_ns : due[i];
			timers_bring(&timers, i, UINT64_MAX);
		} else {
			timers_remove(&timers, i);
			due[i] = UINT64_MAX;
		}
		uint64_t first = UINT64_MAX;
		for (unsigned k = 0; k < FLOWS; k++)
			first = due[k] < first ? due[k] : first;
		assert_int_equal(timers_deadline(&timers), first);
		now_ns += random_below(&r, 20);
		uint32_t index = timers_take(&timers, now_ns);
		if (first > now_ns) {
			assert_int_equal(index, TIMER_NONE);
			continue;
		}
		assert_int_equal(due[index], first);
		due[index] = UINT64_MAX;
	}
	timers_fini(&timers);
}

static void limit_lets_a_burst_through_and_then_its_rate(void **state)
{
	struct limit l = {100, 10};
	unsigned n = 0;
	for (unsigned i = 0; i < 50; i++)
		n += limit_take(&l, 5);
	assert_int_equal(n, 10);
	n = 0;
	for (uint64_t ms = 0; ms < 10000; ms++) // of ten seconds
		n += limit_take(&l, 5 + ms * 1000000);
	assert_in_range(n, 999, 1001);
	n = 0;
	for (unsigned i = 0; i < 50; i++) // long silence saves no more than a burst
		n += limit_take(&l, 1000000000000);
	assert_int_equal(n, 10);
}

static void path_mtu_is_forgotten_after_its_time_and_when_others_come(void **state)
{
	static struct pmtus t;
	struct net_address a = at("10.9.9.9"), b = at("2001:db8::1");
	assert_int_equal(pmtu_find(&t, &a, 0), 0);
	pmtu_put(&t, &a, 1400, 1);
	pmtu_put(&t, &b, 1280, 2);
	pmtu_put(&t, &a, 1300, 3);
	assert_int_equal(pmtu_find(&t, &a, 4), 1300);
	assert_int_equal(pmtu_find(&t, &b, 4), 1280);
	assert_int_equal(pmtu_find(&t, &b, PMTU_AGE_NS + 2), 0);
	assert_int_equal(pmtu_find(&t, &a, PMTU_AGE_NS + 2), 1300);
	for (unsigned i = 0; i < PMTU_MAX; i++) {
		struct net_address other = at("10.8.0.0");
		other.bytes[3] = (uint8_t)i;
		pmtu_put(&t, &other, 1000 + i, 10 + i);
		assert_int_equal(pmtu_find(&t, &other, 100), 1000 + i);
	}
	assert_int_equal(pmtu_find(&t, &a, 100), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flow_table_finds_what_was_put_and_not_removed),
		cmocka_unit_test(flow_table_spreads_by_its_secret),
		cmocka_unit_test(timers_come_up_in_order_and_no_later_than_they_were_brought),
		cmocka_unit_test(limit_lets_a_burst_through_and_then_its_rate),
		cmocka_unit_test(path_mtu_is_forgotten_after_its_time_and_when_others_come),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
