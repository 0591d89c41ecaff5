// SPDX-License-Identifier: BSD-3-Clause
// A stack without connections: who we are, who is there, and what is not for us.
#include <errno.h>

#include "dataplane/net/arp.h"
#include "dataplane/net/bytes.h"
#include "dataplane/net/mld.h"
#include "dataplane/net/nd.h"
#include "tests/unit/net_rig.h"

static struct fake_nic nic;
static struct stack *stack;
static uint64_t now_ns;

// A stack that has said all that it says at its start.
static void settled(bool is_six, uint16_t vlan)
{
	struct stack_settings set = rig_settings(is_six);
	set.vlan = vlan;
	fake_nic_init(&nic);
	stack = rig_stack(&nic, &set);
	now_ns = 0;
	stack_turn(stack, now_ns);
	give_arp_reply(&nic, "10.0.0.1", peer_mac);
	given_last(&nic)->vlan = vlan;
	run_until(stack, &now_ns, 5 * SECOND);
	forget_all(&nic);
}

static int teardown(void **state)
{
	stack_free(stack, now_ns);
	stack = NULL;
	return 0;
}

static const struct stack_counters *turn(void)
{
	stack_turn(stack, now_ns);
	return stack_counters(stack);
}

static void give_arp(bool is_request, const char *sender, const char *target)
{
	struct arp a = {.is_request = is_request, .sender = at(sender), .target = at(target)};
	uint8_t p[ARP_LEN];
	memcpy(a.sender_mac, peer_mac, MAC_LEN);
	arp_write(&a, p);
	give(&nic, everybody_mac, ETHER_ARP, p, sizeof(p));
}

static struct arp taken_arp(const uint8_t *target_mac)
{
	struct ether e = taken(&nic);
	struct arp a;
	assert_int_equal(e.type, ETHER_ARP);
	assert_memory_equal(e.target, target_mac, MAC_LEN);
	assert_int_equal(arp_read(&a, e.body, e.body_len), 0);
	assert_memory_equal(a.sender_mac, our_mac, MAC_LEN);
	return a;
}

static void arp_for_our_address_is_answered_and_for_others_not(void **state)
{
	settled(false, 0);
	give_arp(true, "10.0.0.7", "10.0.0.2");
	turn();
	struct arp a = taken_arp(peer_mac);
	struct net_address us = at("10.0.0.2"), them = at("10.0.0.7");
	assert_false(a.is_request);
	assert_true(address_eq(&a.sender, &us) && address_eq(&a.target, &them));
	assert_memory_equal(a.target_mac, peer_mac, MAC_LEN);
	give_arp(true, "0.0.0.0", "10.0.0.2"); // a probe (RFC 5227)
	turn();
	assert_false(taken_arp(peer_mac).is_request);
	give_arp(true, "10.0.0.7", "10.0.0.3");
	give_arp(false, "10.0.0.7", "10.0.0.2");
	turn();
	expect_nothing(&nic);
}

static void address_is_announced_twice_at_the_start(void **state)
{
	struct stack_settings set = rig_settings(false);
	struct net_address us = at("10.0.0.2"), gateway = at("10.0.0.1");
	set.n_routes = 0;
	fake_nic_init(&nic);
	stack = rig_stack(&nic, &set);
	for (now_ns = 0; now_ns <= 2 * SECOND; now_ns += 2 * SECOND) {
		turn();
		struct arp a = taken_arp(everybody_mac);
		assert_true(a.is_request);
		assert_true(address_eq(&a.sender, &us) && address_eq(&a.target, &us));
		expect_nothing(&nic);
	}
	assert_true(stack_deadline(stack) == UINT64_MAX);
	now_ns = 100 * SECOND;
	turn();
	expect_nothing(&nic);
	assert_false(address_eq(&us, &gateway));
}

static void silent_gateway_is_told_of_and_asked_for_until_it_answers(void **state)
{
	struct stack_settings set = rig_settings(false);
	fake_nic_init(&nic);
	stack = rig_stack(&nic, &set);
	now_ns = 0;
	run_until(stack, &now_ns, 2 * SECOND + 1);
	assert_null(stack_trouble(stack));
	run_until(stack, &now_ns, 10 * SECOND);
	assert_string_equal(stack_trouble(stack), "the gateway 10.0.0.1 does not answer");
	forget_all(&nic);
	run_until(stack, &now_ns, 20 * SECOND);
	unsigned n = 0;
	for (struct net_address gateway = at("10.0.0.1"); nic.at_out < nic.n_out; n++) {
		struct arp a = taken_arp(everybody_mac);
		assert_true(a.is_request && address_eq(&a.target, &gateway));
	}
	assert_int_equal(n, 10);
	give_arp_reply(&nic, "10.0.0.1", peer_mac);
	turn();
	assert_null(stack_trouble(stack));
	run_until(stack, &now_ns, 40 * SECOND);
	expect_nothing(&nic);
	run_until(stack, &now_ns, 51 * SECOND); // kept up though unused, by unicast
	struct arp a = taken_arp(peer_mac);
	assert_true(a.is_request);
}

static void rival_for_our_address_is_told_of_and_answered_once_in_ten_seconds(void **state)
{
	struct stack_settings set = rig_settings(false);
	set.n_routes = 0;
	fake_nic_init(&nic);
	stack = rig_stack(&nic, &set);
	now_ns = 0;
	run_until(stack, &now_ns, 5 * SECOND);
	forget_all(&nic);
	for (unsigned i = 0; i < 5; i++) {
		give_arp(true, "10.0.0.2", "10.0.0.2");
		turn();
	}
	struct net_address us = at("10.0.0.2");
	struct arp a = taken_arp(everybody_mac);
	assert_true(address_eq(&a.sender, &us) && address_eq(&a.target, &us));
	expect_nothing(&nic);
	assert_int_equal(stack_counters(stack)->address_conflicts, 5);
	assert_string_equal(stack_trouble(stack),
			    "02:00:00:00:00:09 uses our address 10.0.0.2 as well");
	run_until(stack, &now_ns, now_ns + 10 * SECOND);
	give_arp(true, "10.0.0.2", "10.0.0.2");
	turn();
	taken_arp(everybody_mac);
	run_until(stack, &now_ns, now_ns + 61 * SECOND);
	turn();
	assert_null(stack_trouble(stack));
}

static void give_echo(uint8_t type, const char *from, const char *to, size_t len)
{
	struct net_address source = at(from), target = at(to);
	uint8_t message[1400];
	for (size_t i = 0; i < len; i++)
		message[i] = (uint8_t)i;
	message[0] = type;
	message[1] = 0;
	give_icmp(&nic, &source, &target, 64, message, len);
}

static void expect_echo(uint8_t type, const char *from, const char *to, size_t len)
{
	struct ip_packet ip = taken_packet(&nic);
	struct net_address source = at(from), target = at(to);
	assert_memory_equal(ip.source, source.bytes, address_len(ip.family));
	assert_memory_equal(ip.target, target.bytes, address_len(ip.family));
	assert_int_equal(ip.len, len);
	assert_int_equal(ip.p[0], type);
	for (size_t i = 4; i < len; i++)
		assert_int_equal(ip.p[i], (uint8_t)i);
}

static void echo_comes_back_as_it_was(void **state)
{
	static const size_t lens[] = {8, 9, 64, 1001, 1400};
	settled(true, 0);
	for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		// Behind the gateways, whose MAC is known or is found out.
		give_echo(ICMP_ECHO, "192.0.2.7", "10.0.0.2", lens[i]);
		turn();
		expect_echo(ICMP_ECHO_REPLY, "10.0.0.2", "192.0.2.7", lens[i]);
	}
	expect_nothing(&nic);
	give_echo(ICMP_ECHO, "192.0.2.7", "10.0.0.3", 64);
	give_echo(ICMP_ECHO, "224.0.0.1", "10.0.0.2", 64);
	give_echo(ICMP_ECHO, "192.0.2.7", "10.0.0.2", 64);
	given_last(&nic)->p[0] = 1; // a group's MAC
	give_echo(ICMP_ECHO, "192.0.2.7", "10.0.0.2", 64);
	given_last(&nic)->p[14 + 20 + 9] ^= 1;
	turn();
	expect_nothing(&nic);
	assert_int_equal(stack_counters(stack)->bad_icmp, 1);
}

static void echoes_are_limited(void **state)
{
	settled(false, 0);
	for (unsigned i = 0; i < 400; i++)
		give_echo(ICMP_ECHO, "192.0.2.7", "10.0.0.2", 64);
	while (nic.n_in)
		turn();
	const struct stack_counters *c = stack_counters(stack);
	assert_int_equal(c->icmp_out, 100);
	assert_int_equal(c->icmp_limited, 300);
	now_ns += SECOND;
	give_echo(ICMP_ECHO, "192.0.2.7", "10.0.0.2", 64);
	assert_int_equal(turn()->icmp_out, 101);
}

static void frames_that_are_not_for_us_are_counted_by_their_reason(void **state)
{
	settled(false, 0);
	give_echo(ICMP_ECHO, "192.0.2.7", "10.0.0.2", 64);
	memcpy(given_last(&nic)->p + MAC_LEN, our_mac, MAC_LEN);
	assert_int_equal(turn()->own_mac, 1);
	give_echo(ICMP_ECHO, "192.0.2.7", "10.0.0.2", 64);
	given_last(&nic)->p[5] ^= 1;
	assert_int_equal(turn()->not_ours, 1);
	give_echo(ICMP_ECHO, "192.0.2.7", "10.0.0.2", 64);
	given_last(&nic)->vlan = 7;
	assert_int_equal(turn()->bad_vlan, 1);
	give_echo(ICMP_ECHO, "192.0.2.7", "10.0.0.2", 64);
	given_last(&nic)->len = 13;
	assert_int_equal(turn()->bad_ether, 1);
	give_echo(ICMP_ECHO, "192.0.2.7", "10.0.0.2", 64);
	given_last(&nic)->len -= 1; // shorter than the packet says
	assert_int_equal(turn()->bad_ip, 1);
	give_echo(ICMP_ECHO, "192.0.2.7", "10.0.0.2", 64);
	given_last(&nic)->p[14 + 8] ^= 1;
	assert_int_equal(turn()->bad_ip_sum, 1);
	give_echo(ICMP_ECHO, "192.0.2.7", "10.0.0.2", 64);
	given_last(&nic)->p[12] = 0x88;
	assert_int_equal(turn()->other_protocol, 1);
	give_arp(true, "10.0.0.7", "10.0.0.2");
	given_last(&nic)->p[14] = 9;
	assert_int_equal(turn()->bad_arp, 1);
	expect_nothing(&nic);
	give_echo(ICMP_ECHO, "192.0.2.7", "10.0.0.2", 64); // padding is no part of the packet
	given_last(&nic)->len += 30;
	turn();
	expect_echo(ICMP_ECHO_REPLY, "10.0.0.2", "192.0.2.7", 64);
	assert_int_equal(stack_counters(stack)->frames_in, 10); // and the gateway's answer
}

static void sum_that_the_device_has_seen_is_not_looked_at_again(void **state)
{
	settled(false, 0);
	for (uint8_t sum = NIC_SUM_UNKNOWN; sum <= NIC_SUM_NONE; sum++) {
		give_echo(ICMP_ECHO, "192.0.2.7", "10.0.0.2", 64);
		given_last(&nic)->p[14 + 10] ^= 1; // the field alone
		given_last(&nic)->ip_sum = sum;
		turn();
		if (sum == NIC_SUM_GOOD || sum == NIC_SUM_NONE)
			expect_echo(ICMP_ECHO_REPLY, "10.0.0.2", "192.0.2.7", 64);
		expect_nothing(&nic);
	}
	assert_int_equal(stack_counters(stack)->bad_ip_sum, 2);
}

static void fragments_are_dropped_and_atomic_ones_taken(void **state)
{
	settled(true, 0);
	give_echo(ICMP_ECHO, "192.0.2.7", "10.0.0.2", 64);
	given_last(&nic)->p[14 + 6] |= 0x20; // more fragments
	given_last(&nic)->ip_sum = NIC_SUM_GOOD;
	turn();
	give_echo(ICMP_ECHO, "192.0.2.7", "10.0.0.2", 64);
	given_last(&nic)->p[14 + 7] = 9; // not the first
	given_last(&nic)->ip_sum = NIC_SUM_GOOD;
	assert_int_equal(turn()->fragments, 2);
	expect_nothing(&nic);

	struct net_address us = at("2001:db8::2"), them = at("2001:db8::7");
	uint8_t body[8 + 8] = {IP_ICMP6, 0, 0, 1, [8] = ICMP6_ECHO};
	icmp_sum_set(body + 8, 8, &them, &us);
	give_packet(&nic, &them, &us, IP_FRAGMENT_HEADER, 64, body, sizeof(body));
	assert_int_equal(turn()->fragments, 3);
	expect_nothing(&nic);
	body[3] = 0; // a whole packet (RFC 6946)
	give_packet(&nic, &them, &us, IP_FRAGMENT_HEADER, 64, body, sizeof(body));
	turn();
	assert_int_equal(taken_packet(&nic).p[0], ICMP6_SOLICITATION); // who is that?
	assert_int_equal(stack_counters(stack)->icmp_out, 1);
}

static void tag_is_put_in_by_hand_or_by_the_device(void **state)
{
	settled(false, 77);
	for (unsigned by_device = 0; by_device < 2; by_device++) {
		give_arp(true, "10.0.0.7", "10.0.0.2");
		given_last(&nic)->vlan = by_device ? 77 | 0x6000 : 0;
		if (!by_device) { // with priority, in the header
			struct nic_frame *f = given_last(&nic);
			memmove(f->p + 16, f->p + 12, f->len - 12);
			memcpy(f->p + 12, "\x81\x00\x60\x4d", 4);
			f->len += 4;
		}
		turn();
		struct ether e = taken(&nic);
		assert_int_equal(e.type, ETHER_ARP);
		assert_int_equal(e.vlan, 77);
		assert_int_equal(e.body - e.target, 18);
	}
	give_arp(true, "10.0.0.7", "10.0.0.2");
	assert_int_equal(turn()->bad_vlan, 1);
	teardown(NULL);

	struct stack_settings set = rig_settings(false);
	set.vlan = 77;
	fake_nic_init(&nic);
	nic.info.offloads = NIC_TX_VLAN | NIC_RX_VLAN;
	stack = rig_stack(&nic, &set);
	turn();
	struct ether e = taken(&nic);
	assert_int_equal(e.vlan, 77);
	assert_int_equal(e.body - e.target, 14);
}

static void what_cannot_be_is_no_stack(void **state)
{
	struct stack_settings good = rig_settings(true), set = good;
	const uint8_t *secret = (const uint8_t *)"0123456789abcdef";
	fake_nic_init(&nic);
	set.n_addresses = 0;
	assert_int_equal(stack_new(&nic.nic, &set, secret, 1, 0, &stack), -EINVAL);
	set = good;
	set.routes[0].gateway = at("10.0.1.1");
	assert_int_equal(stack_new(&nic.nic, &set, secret, 1, 0, &stack), -EINVAL);
	set = good;
	set.addresses[1] = set.addresses[0];
	assert_int_equal(stack_new(&nic.nic, &set, secret, 1, 0, &stack), -EINVAL);
	set = good;
	set.vlan = 4095;
	assert_int_equal(stack_new(&nic.nic, &set, secret, 1, 0, &stack), -EINVAL);
	set = good;
	set.core = 1;
	assert_int_equal(stack_new(&nic.nic, &set, secret, 1, 0, &stack), -EINVAL);
	stack = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(arp_for_our_address_is_answered_and_for_others_not,
					  teardown),
		cmocka_unit_test_teardown(address_is_announced_twice_at_the_start, teardown),
		cmocka_unit_test_teardown(silent_gateway_is_told_of_and_asked_for_until_it_answers,
					  teardown),
		cmocka_unit_test_teardown(
			rival_for_our_address_is_told_of_and_answered_once_in_ten_seconds,
			teardown),
		cmocka_unit_test_teardown(echo_comes_back_as_it_was, teardown),
		cmocka_unit_test_teardown(echoes_are_limited, teardown),
		cmocka_unit_test_teardown(frames_that_are_not_for_us_are_counted_by_their_reason,
					  teardown),
		cmocka_unit_test_teardown(sum_that_the_device_has_seen_is_not_looked_at_again,
					  teardown),
		cmocka_unit_test_teardown(fragments_are_dropped_and_atomic_ones_taken, teardown),
		cmocka_unit_test_teardown(tag_is_put_in_by_hand_or_by_the_device, teardown),
		cmocka_unit_test(what_cannot_be_is_no_stack),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
