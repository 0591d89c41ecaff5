// SPDX-License-Identifier: BSD-3-Clause
// IPv6 on the link: duplicate address detection, neighbours, groups.
#include "dataplane/net/bytes.h"
#include "dataplane/net/mld.h"
#include "dataplane/net/nd.h"
#include "tests/unit/net_rig.h"

static struct fake_nic nic;
static struct stack *stack;
static uint64_t now_ns;

// With IPv6 alone.
static void begin(bool has_gateway)
{
	struct stack_settings set = rig_settings(true);
	set.addresses[0] = set.addresses[1];
	set.routes[0] = set.routes[1];
	set.n_addresses = 1;
	set.n_routes = has_gateway;
	fake_nic_init(&nic);
	stack = rig_stack(&nic, &set);
	now_ns = 0;
}

static int setup(void **state)
{
	begin(false);
	return 0;
}

static int teardown(void **state)
{
	stack_free(stack, now_ns);
	return 0;
}

static void settled(void)
{
	run_until(stack, &now_ns, 10 * SECOND);
	forget_all(&nic);
}

static void give_nd(struct nd *n, const char *from, const char *to)
{
	struct net_address source = at(from), target = at(to);
	uint8_t message[ND_LEN_MAX];
	unsigned len = nd_write(n, message);
	give_icmp(&nic, &source, &target, IP_NO_TWO_HOP, message, len);
}

static void give_solicitation(const char *from, const char *to, const char *about, bool has_mac)
{
	struct nd n = {.has_mac = has_mac, .target = at(about)};
	memcpy(n.mac, peer_mac, MAC_LEN);
	give_nd(&n, from, to);
}

static void give_advertisement(const char *about, const uint8_t *mac, bool is_answer,
			       bool overrides)
{
	struct nd n = {.is_advertisement = true,
		       .is_answer = is_answer,
		       .overrides = overrides,
		       .has_mac = mac != NULL,
		       .target = at(about)};
	if (mac)
		memcpy(n.mac, mac, MAC_LEN);
	give_nd(&n, about, is_answer ? "2001:db8::2" : "ff02::1");
}

static struct nd taken_nd(const char *from, const char *to)
{
	struct ip_packet ip = taken_packet(&nic);
	struct net_address source = at(from), target = at(to);
	struct nd n;
	assert_int_equal(ip.protocol, IP_ICMP6);
	assert_memory_equal(ip.source, source.bytes, 16);
	assert_memory_equal(ip.target, target.bytes, 16);
	assert_int_equal(nd_read(&n, &ip), 0);
	return n;
}

static void expect_about(const struct nd *n, const char *about)
{
	struct net_address a = at(about);
	assert_true(address_eq(&n->target, &a));
}

static void give_ping(void)
{
	struct net_address from = at("2001:db8::7"), to = at("2001:db8::2");
	uint8_t message[16] = {ICMP6_ECHO};
	give_icmp(&nic, &from, &to, 64, message, sizeof(message));
	stack_turn(stack, now_ns);
}

static const char *link_local = "fe80::ff:fe00:2", *solicited_link_local = "ff02::1:ff00:2";

// A report of our groups: both addresses end alike, so there is one.
static void expect_report(const char *from, uint8_t kind)
{
	struct ether e = taken(&nic);
	struct net_address source = at(from), to = at("ff02::16"), group = at("ff02::1:ff00:2");
	struct ip_packet ip;
	assert_memory_equal(e.target, "\x33\x33\x00\x00\x00\x16", MAC_LEN);
	assert_int_equal(e.body[6], IP_HOP_OPTIONS);
	assert_memory_equal(e.body + 40, "\x3a\x00\x05\x02\x00\x00\x01\x00", 8); // router alert
	assert_int_equal(ip6_read(&ip, e.body, e.body_len), IP_OK);
	assert_true(icmp_sum_is_good(&ip));
	assert_int_equal(ip.hop_limit, 1);
	assert_memory_equal(ip.source, source.bytes, 16);
	assert_memory_equal(ip.target, to.bytes, 16);
	assert_int_equal(ip.len, 8 + 20);
	assert_int_equal(ip.p[0], MLD2_REPORT);
	assert_int_equal(get16(ip.p + 6), 1);
	assert_int_equal(ip.p[8], kind);
	assert_memory_equal(ip.p + 12, group.bytes, 16);
}

static void addresses_are_looked_for_before_they_are_used(void **state)
{
	teardown(NULL);
	begin(true);
	stack_turn(stack, 0);
	expect_report("::", 4); // joined
	struct nd n = taken_nd("::", "ff02::1:ff00:2");
	assert_false(n.is_advertisement || n.has_mac);
	expect_about(&n, "2001:db8::2");
	n = taken_nd("::", "ff02::1:ff00:2");
	expect_about(&n, link_local);
	expect_nothing(&nic);

	give_solicitation("2001:db8::7", "ff02::1:ff00:2", "2001:db8::2", true);
	now_ns = SECOND - 1;
	give_ping();
	expect_nothing(&nic); // not ours yet (RFC 4862, 5.4.3)
	assert_int_equal(stack_deadline(stack), SECOND);
	now_ns = SECOND;
	stack_turn(stack, now_ns);
	expect_report("::", 4);
	n = taken_nd("2001:db8::2", "ff02::1"); // announced
	assert_true(n.is_advertisement && n.has_mac && n.overrides && !n.is_answer);
	expect_about(&n, "2001:db8::2");
	n = taken_nd(link_local, "ff02::1");
	expect_about(&n, link_local);
	n = taken_nd("2001:db8::2", "ff02::1:ff00:1"); // where is the gateway?
	assert_true(n.has_mac && !n.is_advertisement);
	expect_about(&n, "2001:db8::1");
	expect_nothing(&nic);
}

static void solicitations_are_answered(void **state)
{
	settled();
	give_solicitation("2001:db8::7", "ff02::1:ff00:2", "2001:db8::2", true);
	stack_turn(stack, now_ns);
	struct nd n = taken_nd("2001:db8::2", "2001:db8::7");
	assert_true(n.is_advertisement && n.is_answer && n.overrides && n.has_mac);
	assert_memory_equal(n.mac, our_mac, MAC_LEN);
	give_solicitation("2001:db8::7", "2001:db8::2", "2001:db8::2", false); // still there?
	stack_turn(stack, now_ns);
	n = taken_nd("2001:db8::2", "2001:db8::7");
	assert_true(n.is_answer);
	give_solicitation("::", "ff02::1:ff00:2", "2001:db8::2", false); // somebody wants it
	stack_turn(stack, now_ns);
	n = taken_nd("2001:db8::2", "ff02::1");
	assert_false(n.is_answer);
	give_solicitation("2001:db8::7", "ff02::1:ff00:3", "2001:db8::3", true);
	stack_turn(stack, now_ns);
	expect_nothing(&nic);
}

static void messages_from_afar_or_malformed_are_dropped(void **state)
{
	struct net_address us = at("2001:db8::2"), them = at("2001:db8::7"), none = at("::");
	struct nd n = {.target = at("2001:db8::2"), .has_mac = true};
	struct net_address group = at("ff02::1:ff00:2");
	uint8_t message[ND_LEN_MAX];
	unsigned len, bad = 0;
	settled();
	len = nd_write(&n, message);
	give_icmp(&nic, &them, &us, 254, message, len); // a router has passed it on
	message[1] = 1;                                 // code
	give_icmp(&nic, &them, &us, 255, message, len);
	len = nd_write(&n, message);
	message[25] = 0; // an option without length
	give_icmp(&nic, &them, &us, 255, message, len);
	message[25] = 2; // and one beyond the end
	give_icmp(&nic, &them, &us, 255, message, len);
	message[25] = 1;
	give_icmp(&nic, &them, &us, 255, message, 23);
	give_icmp(&nic, &none, &group, 255, message, len); // nobody has no MAC
	give_icmp(&nic, &none, &us, 255, message, 24);     // nor asks one alone
	message[8] = 0xff;                                 // a group has no MAC either
	give_icmp(&nic, &them, &us, 255, message, len);
	bad = 8;
	n = (struct nd){.is_advertisement = true, .is_answer = true, .target = them};
	len = nd_write(&n, message);
	group = at("ff02::1");
	give_icmp(&nic, &them, &group, 255, message, len); // an answer to everybody
	stack_turn(stack, now_ns);
	expect_nothing(&nic);
	assert_int_equal(stack_counters(stack)->bad_nd, bad + 1);
	give_icmp(&nic, &them, &us, 255, message, len);
	given_last(&nic)->p[60] ^= 1; // the sum
	stack_turn(stack, now_ns);
	assert_int_equal(stack_counters(stack)->bad_icmp, 1);
}

static void address_that_somebody_has_is_not_used(void **state)
{
	for (unsigned by_answer = 0; by_answer < 2; by_answer++) {
		if (by_answer) {
			teardown(NULL);
			setup(NULL);
		}
		stack_turn(stack, 0);
		if (by_answer)
			give_advertisement("2001:db8::2", peer_mac, false, true);
		else
			give_solicitation("::", "ff02::1:ff00:2", "2001:db8::2", false);
		stack_turn(stack, 1);
		forget_all(&nic);
		run_until(stack, &now_ns, 10 * SECOND);
		assert_string_equal(stack_trouble(stack),
				    "02:00:00:00:00:09 uses our address 2001:db8::2 as well, so we "
				    "do not use it");
		struct net_address to = at("2001:db8::7");
		struct flow *f;
		assert_int_not_equal(stack_connect(stack, &to, 6379, NULL, now_ns, &f), 0);
		forget_all(&nic);
		give_solicitation("2001:db8::7", "ff02::1:ff00:2", "2001:db8::2", true);
		give_solicitation("fe80::7", solicited_link_local, link_local, true);
		stack_turn(stack, now_ns);
		struct nd n = taken_nd(link_local, "fe80::7"); // the other one is ours
		expect_about(&n, link_local);
		expect_nothing(&nic);
	}
}

static void expect_ping_to(const uint8_t *mac)
{
	struct ether e = taken(&nic);
	assert_memory_equal(e.target, mac, MAC_LEN);
	assert_int_equal(e.body[40], ICMP6_ECHO_REPLY);
}

// The rules of RFC 4861, 7.2.5.
static void neighbours_are_learned_from_what_they_advertise(void **state)
{
	static const uint8_t other_mac[MAC_LEN] = {2, 0, 0, 0, 0, 0x77};
	settled();
	give_ping();
	struct nd n = taken_nd("2001:db8::2", "ff02::1:ff00:7");
	expect_nothing(&nic); // the answer waits
	give_advertisement("2001:db8::7", NULL, true, true);
	stack_turn(stack, now_ns);
	expect_nothing(&nic); // does not say where
	give_advertisement("2001:db8::7", peer_mac, true, false);
	stack_turn(stack, now_ns);
	expect_ping_to(peer_mac);
	give_ping();
	expect_ping_to(peer_mac);

	give_advertisement("2001:db8::7", other_mac, false, false); // doubtful: ask the old one
	stack_turn(stack, now_ns);
	n = taken_nd("2001:db8::2", "2001:db8::7");
	expect_about(&n, "2001:db8::7");
	give_ping();
	expect_ping_to(peer_mac);
	give_advertisement("2001:db8::7", NULL, true, false); // it is still there
	stack_turn(stack, now_ns);
	now_ns += 5 * SECOND;
	give_ping();
	expect_ping_to(peer_mac);

	give_advertisement("2001:db8::7", other_mac, false, true); // has moved
	give_ping();
	expect_ping_to(other_mac);
	n = taken_nd("2001:db8::2", "2001:db8::7"); // but does it hear us?
	give_advertisement("2001:db8::7", other_mac, true, true);
	stack_turn(stack, now_ns);
	run_until(stack, &now_ns, now_ns + 20 * SECOND);
	for (unsigned asked = 0; nic.at_out < nic.n_out; asked++)
		taken(&nic);                                       // the gateway, silent
	give_advertisement("2001:db8::99", peer_mac, false, true); // a stranger
	stack_turn(stack, now_ns);
	expect_nothing(&nic);
}

static void give_query(unsigned len, uint16_t delay, uint8_t hop_limit, const char *from)
{
	struct net_address source = at(from), to = at("ff02::1");
	uint8_t p[8 + 28] = {IP_ICMP6, 0, 5, 2, 0, 0, 1, 0, MLD_QUERY};
	put16(p + 8 + 4, delay);
	icmp_sum_set(p + 8, len, &source, &to);
	give_packet(&nic, &source, &to, IP_HOP_OPTIONS, hop_limit, p, 8 + len);
}

static void routers_that_ask_for_groups_get_reports_within_their_delay(void **state)
{
	settled();
	give_query(28, 1000, 1, "fe80::1");
	stack_turn(stack, now_ns);
	uint64_t asked_ns = now_ns;
	run_until(stack, &now_ns, asked_ns + SECOND);
	expect_report(link_local, 2);
	run_until(stack, &now_ns, now_ns + SECOND / 2);
	forget_all(&nic);

	give_query(24, 0, 1, "fe80::1"); // an old router: reports of version 1
	stack_turn(stack, now_ns);
	struct ether e = taken(&nic);
	struct net_address group = at("ff02::1:ff00:2");
	assert_memory_equal(e.target, "\x33\x33\xff\x00\x00\x02", MAC_LEN);
	assert_memory_equal(e.body + 24, group.bytes, 16);
	assert_int_equal(e.body[48], MLD1_REPORT);
	assert_memory_equal(e.body + 56, group.bytes, 16);
	expect_nothing(&nic);

	give_query(28, 0, 1, "fe80::1"); // as long as it may be there
	stack_turn(stack, now_ns);
	assert_int_equal(taken(&nic).body[48], MLD1_REPORT);
	run_until(stack, &now_ns, now_ns + 260 * SECOND);
	forget_all(&nic);
	give_query(28, 0, 1, "fe80::1");
	stack_turn(stack, now_ns);
	expect_report(link_local, 2);

	forget_all(&nic);
	give_query(28, 0, 2, "fe80::1");
	give_query(28, 0, 1, "2001:db8::1");
	give_query(26, 0, 1, "fe80::1");
	stack_turn(stack, now_ns);
	expect_nothing(&nic);
	assert_int_equal(stack_counters(stack)->bad_nd, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(addresses_are_looked_for_before_they_are_used,
						setup, teardown),
		cmocka_unit_test_setup_teardown(solicitations_are_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(messages_from_afar_or_malformed_are_dropped, setup,
						teardown),
		cmocka_unit_test_setup_teardown(address_that_somebody_has_is_not_used, setup,
						teardown),
		cmocka_unit_test_setup_teardown(neighbours_are_learned_from_what_they_advertise,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			routers_that_ask_for_groups_get_reports_within_their_delay, setup,
			teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
