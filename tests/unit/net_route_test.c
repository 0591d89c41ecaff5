// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "dataplane/net/route.h"
#include "tests/unit/net_address.h"

static struct routes r;
static const char *why;

static int made(const struct net_prefix *a, unsigned n, const struct net_route *s, unsigned n_s)
{
	return routes_init(&r, a, n, s, n_s, &why);
}

static void expect_hop(const char *to, const char *hop, const char *source)
{
	struct net_address a = at(to), want_hop = at(hop), want_source = at(source);
	const struct route *found = route_find(&r, &a);
	assert_non_null(found);
	assert_true(address_eq(route_hop(found, &a), &want_hop));
	assert_true(address_eq(&found->source, &want_source));
}

static void longest_prefix_wins_and_names_hop_and_source(void **state)
{
	const struct net_prefix ours[] = {prefix("10.0.0.2", 24), prefix("192.168.1.9", 16)};
	const struct net_route statics[] = {
		{prefix("0.0.0.0", 0), at("10.0.0.1")},
		{prefix("10.9.0.0", 16), at("192.168.7.7")},
		{prefix("10.9.8.7", 32), at("10.0.0.3")},
	};
	assert_int_equal(made(ours, 2, statics, 3), 0);
	expect_hop("10.0.0.77", "10.0.0.77", "10.0.0.2");
	expect_hop("192.168.200.1", "192.168.200.1", "192.168.1.9");
	expect_hop("8.8.8.8", "10.0.0.1", "10.0.0.2");
	expect_hop("10.9.1.1", "192.168.7.7", "192.168.1.9");
	expect_hop("10.9.8.7", "10.0.0.3", "10.0.0.2");
	struct net_address six = at("2001:db8::1");
	assert_null(route_find(&r, &six));
}

static void without_a_gateway_only_the_link_is_reached(void **state)
{
	const struct net_prefix ours[] = {prefix("10.0.0.130", 25)};
	struct net_address out = at("10.0.0.127");
	assert_int_equal(made(ours, 1, NULL, 0), 0);
	expect_hop("10.0.0.128", "10.0.0.128", "10.0.0.130");
	assert_null(route_find(&r, &out));
}

static void link_local_gateway_leaves_the_wider_address_as_source(void **state)
{
	const struct net_prefix ours[] = {prefix("fe80::5", 64), prefix("2001:db8::5", 64)};
	const struct net_route statics[] = {{prefix("::", 0), at("fe80::1")}};
	assert_int_equal(made(ours, 2, statics, 1), 0);
	expect_hop("2001:4860::8", "fe80::1", "2001:db8::5");
	expect_hop("fe80::9", "fe80::9", "fe80::5");
	expect_hop("2001:db8::9", "2001:db8::9", "2001:db8::5");
}

static void what_cannot_be_is_refused_with_a_sentence(void **state)
{
	const struct net_prefix twice[] = {prefix("10.0.0.2", 24), prefix("10.0.0.2", 8)};
	const struct net_prefix loopback[] = {prefix("127.0.0.1", 8)};
	const struct net_prefix group[] = {prefix("ff02::1", 64)};
	const struct net_prefix longer[] = {prefix("10.0.0.2", 33)};
	const struct net_route far[] = {{prefix("0.0.0.0", 0), at("10.0.1.1")}};
	const struct net_route mixed[] = {{prefix("::", 0), at("10.0.0.1")}};
	assert_int_equal(made(twice, 0, NULL, 0), -EINVAL);
	assert_string_equal(why, "there is no address");
	assert_int_equal(made(twice, 2, NULL, 0), -EINVAL);
	assert_string_equal(why, "an address stands twice");
	assert_int_equal(made(loopback, 1, NULL, 0), -EINVAL);
	assert_int_equal(made(group, 1, NULL, 0), -EINVAL);
	assert_int_equal(made(longer, 1, NULL, 0), -EINVAL);
	assert_int_equal(made(twice, 1, far, 1), -EINVAL);
	assert_string_equal(why, "a gateway lies in none of the addresses' prefixes");
	assert_int_equal(made(twice, 1, mixed, 1), -EINVAL);
	assert_int_equal(made(twice, 1, NULL, 0), 0);
}

static void groups_map_to_the_macs_of_the_rfcs(void **state)
{
	uint8_t mac[MAC_LEN];
	struct net_address a = at("2001:db8::12:3456:78ab"), want = at("ff02::1:ff56:78ab");
	struct net_address group = address_solicited(&a);
	assert_true(address_eq(&group, &want));
	address_group_mac(&group, mac);
	assert_memory_equal(mac, "\x33\x33\xff\x56\x78\xab", MAC_LEN);
	a = at("224.128.1.2");
	address_group_mac(&a, mac);
	assert_memory_equal(mac, "\x01\x00\x5e\x00\x01\x02", MAC_LEN);
	a = address_of_mac((const uint8_t *)"\x34\x56\x78\x9a\xbc\xde"); // RFC 4291, appendix A
	want = at("fe80::3656:78ff:fe9a:bcde");
	assert_true(address_eq(&a, &want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_prefix_wins_and_names_hop_and_source),
		cmocka_unit_test(without_a_gateway_only_the_link_is_reached),
		cmocka_unit_test(link_local_gateway_leaves_the_wider_address_as_source),
		cmocka_unit_test(what_cannot_be_is_refused_with_a_sentence),
		cmocka_unit_test(groups_map_to_the_macs_of_the_rfcs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
