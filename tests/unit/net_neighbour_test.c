// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "dataplane/net/arp.h"
#include "dataplane/net/neighbour.h"
#include "tests/unit/net_address.h"

#define SECOND 1000000000ull

static struct neighbours table;
static const uint8_t mac_a[MAC_LEN] = {2, 0, 0, 0, 0, 0xa}, mac_b[MAC_LEN] = {2, 0, 0, 0, 0, 0xb};

static int setup(void **state)
{
	neighbours_init(&table);
	return 0;
}

static struct neighbour *want(const char *text, uint64_t now_ns)
{
	struct net_address a = at(text);
	return neighbour_want(&table, &a, now_ns);
}

static void expect_ask(uint64_t now_ns, enum neighbour_ask ask, const struct neighbour *of)
{
	struct neighbour *n = NULL;
	assert_int_equal(neighbour_next(&table, now_ns, &n), ask);
	if (ask != NEIGHBOUR_NONE)
		assert_ptr_equal(n, of);
}

static bool hold(struct neighbour *n, uint8_t number, size_t body_len)
{
	static uint8_t body[4096];
	uint8_t head[20] = {[19] = number};
	struct nic_packet p = {.head = head,
			       .head_len = sizeof(head),
			       .n_body = 2,
			       .body = {{body, body_len / 2}, {body, body_len - body_len / 2}}};
	memset(body, number, body_len);
	bool held = neighbour_hold(&table, n, &p);
	memset(body, 0, body_len); // the copy is what counts
	return held;
}

static void silent_neighbour_is_asked_once_a_second_and_then_lost(void **state)
{
	struct neighbour *n = want("10.0.0.9", 5);
	expect_ask(5, NEIGHBOUR_EVERYBODY, n);
	expect_ask(5, NEIGHBOUR_NONE, n);
	want("10.0.0.9", SECOND);
	expect_ask(SECOND + 4, NEIGHBOUR_NONE, n);
	assert_int_equal(table.due_ns, SECOND + 5);
	expect_ask(SECOND + 5, NEIGHBOUR_EVERYBODY, n);
	expect_ask(2 * SECOND + 5, NEIGHBOUR_EVERYBODY, n);
	expect_ask(3 * SECOND + 5, NEIGHBOUR_LOST, n);
	expect_ask(4 * SECOND, NEIGHBOUR_NONE, n);
	assert_false(neighbour_is_usable(n));
	assert_ptr_equal(want("10.0.0.9", 5 * SECOND), n); // somebody tries again
	expect_ask(5 * SECOND, NEIGHBOUR_EVERYBODY, n);
}

static void new_try_after_a_loss_keeps_the_rate(void **state)
{
	struct neighbour *n = want("10.0.0.9", 0);
	for (unsigned i = 0; i < 3; i++)
		expect_ask(i * SECOND, NEIGHBOUR_EVERYBODY, n);
	expect_ask(3 * SECOND, NEIGHBOUR_LOST, n);
	want("10.0.0.9", 3 * SECOND);
	expect_ask(3 * SECOND, NEIGHBOUR_EVERYBODY, n);
	expect_ask(3 * SECOND + SECOND / 2, NEIGHBOUR_NONE, n);
}

static void frames_wait_in_order_and_leave_with_the_mac(void **state)
{
	struct neighbour *n = want("10.0.0.9", 0);
	uint32_t version = n->version;
	assert_true(hold(n, 1, 100));
	assert_true(hold(n, 2, 101));
	assert_true(hold(n, 3, 0));
	neighbour_learn(&table, n, mac_a, true, 10);
	assert_true(neighbour_is_usable(n) && n->version != version);
	for (uint8_t i = 1; i <= 3; i++) {
		const struct nic_packet *p = neighbour_release(&table, n);
		assert_non_null(p);
		assert_memory_equal(p->head, mac_a, MAC_LEN);
		assert_int_equal(p->head[19], i);
		assert_int_equal(p->n_body, i < 3);
		if (p->n_body) {
			const uint8_t *body = p->body[0].iov_base;
			assert_int_equal(p->body[0].iov_len, 99 + i);
			assert_int_equal(body[0], i);
			assert_int_equal(body[98 + i], i);
		}
	}
	assert_null(neighbour_release(&table, n));
}

static void frames_that_wait_are_bounded_and_come_back_to_the_pool(void **state)
{
	for (unsigned round = 0; round < 3; round++) {
		unsigned held = 0;
		for (unsigned k = 0; k < 8; k++) {
			char text[32];
			snprintf(text, sizeof(text), "10.0.0.%u", 1 + k);
			struct neighbour *n = want(text, 0);
			assert_false(hold(n, 1, NEIGHBOUR_HELD_LEN - 19));
			for (unsigned i = 0; i < 20; i++)
				held += hold(n, 1, NEIGHBOUR_HELD_LEN - 20);
			assert_true(n->n_held <= NEIGHBOUR_HELD_OF);
		}
		assert_int_equal(held, NEIGHBOUR_HELD_MAX);
		for (unsigned i = 0; i < NEIGHBOURS_MAX; i++) {
			while (neighbour_release(&table, &table.rows[i]))
				held--;
		}
		assert_int_equal(held, 0);
	}
}

static void neighbour_in_use_is_refreshed_by_unicast_and_stays_usable(void **state)
{
	struct neighbour *n = want("10.0.0.9", 0);
	expect_ask(0, NEIGHBOUR_EVERYBODY, n);
	neighbour_learn(&table, n, mac_a, true, 100);
	uint32_t version = n->version;
	n->used_ns = 20 * SECOND;
	expect_ask(30 * SECOND, NEIGHBOUR_NONE, n);
	expect_ask(30 * SECOND + 100, NEIGHBOUR_ITSELF, n);
	assert_true(neighbour_is_usable(n));
	neighbour_learn(&table, n, mac_a, true, 30 * SECOND + 500);
	assert_int_equal(n->version, version); // nobody has to look at it again
	expect_ask(59 * SECOND, NEIGHBOUR_NONE, n);
	expect_ask(61 * SECOND, NEIGHBOUR_NONE, n); // nobody used it: forgotten
	struct net_address a = at("10.0.0.9");
	assert_null(neighbour_find(&table, &a));
}

static void neighbour_that_falls_silent_is_asked_of_everybody_again(void **state)
{
	struct neighbour *n = want("10.0.0.9", 0);
	neighbour_learn(&table, n, mac_a, true, 0);
	uint32_t version = n->version;
	n->used_ns = SECOND;
	for (unsigned i = 0; i < 3; i++)
		expect_ask((30 + i) * SECOND, NEIGHBOUR_ITSELF, n);
	assert_true(neighbour_is_usable(n));
	expect_ask(33 * SECOND, NEIGHBOUR_EVERYBODY, n);
	assert_false(neighbour_is_usable(n));
	assert_int_not_equal(n->version, version);
}

static void news_of_another_mac_are_taken_and_checked(void **state)
{
	struct neighbour *n = want("10.0.0.9", 0);
	neighbour_learn(&table, n, mac_a, true, 0);
	uint32_t version = n->version;
	neighbour_learn(&table, n, mac_b, false, 50);
	assert_memory_equal(n->mac, mac_b, MAC_LEN);
	assert_int_not_equal(n->version, version);
	expect_ask(50, NEIGHBOUR_ITSELF, n);
	neighbour_learn(&table, n, mac_b, true, 60);
	expect_ask(SECOND + 60, NEIGHBOUR_NONE, n);
}

static void silent_gateway_is_asked_for_ever_and_idle_one_is_kept_up(void **state)
{
	struct neighbour *n = want("10.0.0.1", 0);
	n->is_gateway = true;
	for (unsigned i = 0; i < 3; i++)
		expect_ask(i * SECOND, NEIGHBOUR_EVERYBODY, n);
	expect_ask(3 * SECOND, NEIGHBOUR_LOST, n);
	for (unsigned i = 3; i < 100; i++) {
		want("10.0.0.1", i * SECOND);
		expect_ask(i * SECOND, NEIGHBOUR_EVERYBODY, n);
		expect_ask(i * SECOND + SECOND / 2, NEIGHBOUR_NONE, n);
		assert_int_equal(n->state, NEIGHBOUR_FAILED); // status says so all the while
	}
	neighbour_learn(&table, n, mac_a, true, 200 * SECOND);
	expect_ask(230 * SECOND, NEIGHBOUR_ITSELF, n);
}

static void full_table_forgets_what_was_used_longest_ago_but_no_gateway(void **state)
{
	char text[32];
	struct net_address gateway = at("10.0.0.1"), oldest = at("10.1.0.0"), next = at("10.1.0.1");
	want("10.0.0.1", 0)->is_gateway = true;
	for (unsigned i = 0; i < NEIGHBOURS_MAX; i++) {
		snprintf(text, sizeof(text), "10.1.0.%u", i);
		hold(want(text, 1 + i), 1, 10);
	}
	assert_non_null(neighbour_find(&table, &gateway));
	assert_null(neighbour_find(&table, &oldest));
	assert_non_null(neighbour_find(&table, &next));
}

static void arp_packets_are_read_as_they_are_written(void **state)
{
	struct arp a = {.is_request = true, .sender = at("10.0.0.1"), .target = at("10.0.0.2")}, b;
	uint8_t p[ARP_LEN];
	memcpy(a.sender_mac, mac_a, MAC_LEN);
	memcpy(a.target_mac, mac_b, MAC_LEN);
	arp_write(&a, p);
	assert_int_equal(arp_read(&b, p, sizeof(p)), 0);
	assert_true(b.is_request && address_eq(&a.sender, &b.sender));
	assert_true(address_eq(&a.target, &b.target));
	assert_memory_equal(b.sender_mac, mac_a, MAC_LEN);
	assert_memory_equal(b.target_mac, mac_b, MAC_LEN);
	assert_int_equal(arp_read(&b, p, sizeof(p) - 1), -EBADMSG);
	for (unsigned i = 0; i < 8; i++) {
		p[i] ^= 0x40;
		assert_int_equal(arp_read(&b, p, sizeof(p)), -EBADMSG);
		p[i] ^= 0x40;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(silent_neighbour_is_asked_once_a_second_and_then_lost,
				       setup),
		cmocka_unit_test_setup(new_try_after_a_loss_keeps_the_rate, setup),
		cmocka_unit_test_setup(frames_wait_in_order_and_leave_with_the_mac, setup),
		cmocka_unit_test_setup(frames_that_wait_are_bounded_and_come_back_to_the_pool,
				       setup),
		cmocka_unit_test_setup(neighbour_in_use_is_refreshed_by_unicast_and_stays_usable,
				       setup),
		cmocka_unit_test_setup(neighbour_that_falls_silent_is_asked_of_everybody_again,
				       setup),
		cmocka_unit_test_setup(news_of_another_mac_are_taken_and_checked, setup),
		cmocka_unit_test_setup(silent_gateway_is_asked_for_ever_and_idle_one_is_kept_up,
				       setup),
		cmocka_unit_test_setup(full_table_forgets_what_was_used_longest_ago_but_no_gateway,
				       setup),
		cmocka_unit_test(arp_packets_are_read_as_they_are_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
