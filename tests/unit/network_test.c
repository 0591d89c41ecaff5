// SPDX-License-Identifier: BSD-3-Clause
// The settings of the host's network: what is taken, what is refused and with which words.
#include "dataplane/contract/network.h"

#include <errno.h>

#include "tests/unit/test.h"

static struct network_texts texts(const char *nic, const char *addr, const char *gw)
{
	struct network_texts t = {0};
	snprintf(t.nic, sizeof(t.nic), "%s", nic);
	snprintf(t.addr, sizeof(t.addr), "%s", addr);
	snprintf(t.gw, sizeof(t.gw), "%s", gw);
	return t;
}

static struct network taken(const struct network_texts *t)
{
	struct network n;
	char why[200];
	if (network_read(t, &n, why, sizeof(why)))
		fail_msg("%s", why);
	return n;
}

static void assert_refused(const struct network_texts *t, const char *words)
{
	struct network n;
	char why[200];
	assert_int_equal(network_read(t, &n, why, sizeof(why)), -EINVAL);
	if (!strstr(why, words))
		fail_msg("'%s' does not say '%s'", why, words);
	assert_false(n.present);
}

static void nothing_given_is_no_network(void **state)
{
	struct network_texts t = {0};
	assert_false(network_is_given(&t));
	assert_false(taken(&t).present);
}

static void whole_network_is_taken_apart(void **state)
{
	struct network_texts t = {0};
	char why[200], text[IP_TEXT_LEN];
	assert_int_equal(network_set(&t, "nic", "net_tap0,iface=fly0", why, sizeof(why)), 0);
	assert_int_equal(network_set(&t, "addr", "10.99.0.2/24", why, sizeof(why)), 0);
	assert_int_equal(network_set(&t, "addr", "fd00::2/64, 10.98.7.1/31", why, sizeof(why)), 0);
	assert_int_equal(network_set(&t, "gw", "10.99.0.1", why, sizeof(why)), 0);
	assert_int_equal(network_set(&t, "gw", "fd00::1", why, sizeof(why)), 0);
	assert_int_equal(network_set(&t, "vlan", "4094", why, sizeof(why)), 0);
	assert_int_equal(network_set(&t, "idle", "spin", why, sizeof(why)), 0);
	assert_int_equal(network_set(&t, "congestion", "bbr", why, sizeof(why)), 0);
	assert_int_equal(network_set(&t, "tcp-window", "1GB", why, sizeof(why)), 0);
	struct network n = taken(&t);
	assert_true(n.present);
	assert_string_equal(n.nic, "net_tap0,iface=fly0");
	assert_int_equal(n.n_addresses, 3);
	ip_prefix_print(&n.addresses[0], text);
	assert_string_equal(text, "10.99.0.2/24");
	ip_prefix_print(&n.addresses[1], text);
	assert_string_equal(text, "fd00::2/64");
	ip_prefix_print(&n.addresses[2], text);
	assert_string_equal(text, "10.98.7.1/31");
	assert_int_equal(n.n_gateways, 2);
	ip_print(&n.gateways[1], text);
	assert_string_equal(text, "fd00::1");
	assert_int_equal(n.vlan, 4094);
	assert_int_equal(n.idle, NETWORK_SPIN);
	assert_int_equal(n.congestion, NETWORK_BBR);
	assert_int_equal(n.tcp_window, 1 << 30);
}

static void what_is_not_said_has_a_default(void **state)
{
	struct network_texts t = texts("0000:03:00.0", "10.99.0.2/24", "");
	struct network n = taken(&t);
	assert_int_equal(n.idle, NETWORK_ADAPTIVE);
	assert_int_equal(n.congestion, NETWORK_CUBIC);
	assert_int_equal(n.tcp_window, 64 << 20);
	assert_int_equal(n.vlan, 0);
	assert_int_equal(n.n_gateways, 0);
}

static void one_without_the_other_is_refused(void **state)
{
	struct network_texts t = texts("", "10.99.0.2/24", "");
	assert_refused(&t, "nic: missing");
	t = texts("net_tap0", "", "");
	assert_refused(&t, "addr: missing");
	t = texts("", "", "");
	strcpy(t.vlan, "7");
	assert_refused(&t, "nic: missing");
}

static void bad_addresses_are_refused(void **state)
{
	static const char *const no_prefixes[] = {
		"10.99.0.2",    "10.99.0.2/", "10.99.0.2/33",  "10.99.0.2/-1",
		"10.99.0/24",   "fd00::2",    "fd00::2/129",   "10.99.0.2/24/24",
		"10.99.0.2/2x", "host/24",    "10.99.0.2/24,", "/24",
	};
	static const char *const no_hosts[] = {
		"10.99.0.0/24",       "10.99.0.255/24", "0.0.0.0/0", "127.0.0.1/8", "224.0.0.1/4",
		"255.255.255.255/32", "::/64",          "::1/128",   "ff02::1/64",  "fd00::/64",
	};
	for (unsigned i = 0; i < sizeof(no_prefixes) / sizeof(*no_prefixes); i++) {
		struct network_texts t = texts("net_tap0", no_prefixes[i], "");
		assert_refused(&t, "is not an address with the length of its prefix");
	}
	for (unsigned i = 0; i < sizeof(no_hosts) / sizeof(*no_hosts); i++) {
		struct network_texts t = texts("net_tap0", no_hosts[i], "");
		assert_refused(&t, "is not an address that one host can have");
	}
	struct network_texts t = texts("net_tap0", "10.99.0.2/24,10.99.0.2/16", "");
	assert_refused(&t, "twice");
}

static void addresses_have_their_limit(void **state)
{
	struct network_texts t = texts("net_tap0", "", "");
	char why[200], text[IP_TEXT_LEN];
	for (int i = 1; i <= NETWORK_ADDRESSES_MAX; i++) {
		snprintf(text, sizeof(text), "10.99.%d.2/24", i);
		assert_int_equal(network_set(&t, "addr", text, why, sizeof(why)), 0);
	}
	assert_int_equal(taken(&t).n_addresses, NETWORK_ADDRESSES_MAX);
	assert_int_equal(network_set(&t, "addr", "10.98.0.2/24", why, sizeof(why)), 0);
	assert_refused(&t, "more than 16");
}

static void bad_gateways_are_refused(void **state)
{
	struct network_texts t = texts("net_tap0", "10.99.0.2/24", "10.98.0.1");
	assert_refused(&t, "lies in no network of addr (10.99.0.2/24)");
	t = texts("net_tap0", "10.99.0.2/24", "10.99.0.2");
	assert_refused(&t, "our own");
	t = texts("net_tap0", "10.99.0.2/24", "fd00::1");
	assert_refused(&t, "lies in no network");
	t = texts("net_tap0", "10.99.0.2/24", "router");
	assert_refused(&t, "is not an IP address");
	t = texts("net_tap0", "10.99.0.2/24", "10.99.0.1,10.99.0.3");
	assert_refused(&t, "second one of IPv4");
}

static void bad_words_and_numbers_are_refused(void **state)
{
	static const char *const vlans[] = {"0", "4095", "-1", "x", "1.5", "99999"};
	struct network_texts t;
	for (unsigned i = 0; i < sizeof(vlans) / sizeof(*vlans); i++) {
		t = texts("net_tap0", "10.99.0.2/24", "");
		strcpy(t.vlan, vlans[i]);
		assert_refused(&t, "is not between 1 and 4094");
	}
	t = texts("net_tap0", "10.99.0.2/24", "");
	strcpy(t.idle, "sleep");
	assert_refused(&t, "idle: 'sleep' is neither adaptive nor spin");
	t = texts("net_tap0", "10.99.0.2/24", "");
	strcpy(t.congestion, "reno");
	assert_refused(&t, "congestion: 'reno' is neither cubic nor bbr");
}

static void window_has_its_limits(void **state)
{
	static const char *const no_sizes[] = {"x", "-1", "64 MB", "1.5GB", "MB"};
	static const char *const outside[] = {"0", "65535", "1073741825", "2GB", "17179869184GB"};
	struct network_texts t = texts("net_tap0", "10.99.0.2/24", "");
	strcpy(t.tcp_window, "64KB");
	assert_int_equal(taken(&t).tcp_window, 65536);
	for (unsigned i = 0; i < sizeof(no_sizes) / sizeof(*no_sizes); i++) {
		strcpy(t.tcp_window, no_sizes[i]);
		assert_refused(&t, "is not a size such as 256MB");
	}
	for (unsigned i = 0; i < sizeof(outside) / sizeof(*outside); i++) {
		strcpy(t.tcp_window, outside[i]);
		assert_refused(&t, "is not between 64KB and 1GB");
	}
}

static void texts_too_long_change_nothing(void **state)
{
	struct network_texts t = texts("net_tap0", "10.99.0.2/24", ""), before = t;
	char why[200], longer[2000];
	memset(longer, '1', sizeof(longer));
	longer[sizeof(longer) - 1] = 0;
	assert_int_equal(network_set(&t, "nic", longer, why, sizeof(why)), -EINVAL);
	assert_int_equal(network_set(&t, "addr", longer, why, sizeof(why)), -EINVAL);
	assert_int_equal(network_set(&t, "addr", "", why, sizeof(why)), -EINVAL);
	assert_int_equal(network_set(&t, "mtu", "9000", why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "no setting 'mtu'"));
	assert_memory_equal(&t, &before, sizeof(t));
}

static void later_words_win(void **state)
{
	struct network_texts t = texts("net_tap0", "10.99.0.2/24", "10.99.0.1");
	struct network_texts over = texts("", "10.97.0.2/24", "");
	network_override(&t, &over);
	assert_string_equal(t.nic, "net_tap0");
	assert_string_equal(t.addr, "10.97.0.2/24");
	assert_string_equal(t.gw, "10.99.0.1");
}

static void prefix_knows_its_own(void **state)
{
	struct ip_prefix p;
	struct ip a;
	assert_int_equal(ip_prefix_parse("10.99.4.2/22", &p), 0);
	assert_int_equal(ip_parse("10.99.7.255", &a), 0);
	assert_true(ip_prefix_has(&p, &a));
	assert_int_equal(ip_parse("10.99.8.0", &a), 0);
	assert_false(ip_prefix_has(&p, &a));
	assert_int_equal(ip_prefix_parse("10.0.0.1/0", &p), 0);
	assert_true(ip_prefix_has(&p, &a));
	assert_int_equal(ip_parse("fd00::1", &a), 0);
	assert_false(ip_prefix_has(&p, &a));
	assert_int_equal(ip_prefix_parse("fd00::/127", &p), 0);
	assert_true(ip_prefix_has(&p, &a));
	assert_int_equal(ip_parse("fd00::2", &a), 0);
	assert_false(ip_prefix_has(&p, &a));
	assert_int_equal(ip_prefix_parse("fd00::2/128", &p), 0);
	assert_true(ip_prefix_has(&p, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_given_is_no_network),
		cmocka_unit_test(whole_network_is_taken_apart),
		cmocka_unit_test(what_is_not_said_has_a_default),
		cmocka_unit_test(one_without_the_other_is_refused),
		cmocka_unit_test(bad_addresses_are_refused),
		cmocka_unit_test(addresses_have_their_limit),
		cmocka_unit_test(bad_gateways_are_refused),
		cmocka_unit_test(bad_words_and_numbers_are_refused),
		cmocka_unit_test(window_has_its_limits),
		cmocka_unit_test(texts_too_long_change_nothing),
		cmocka_unit_test(later_words_win),
		cmocka_unit_test(prefix_knows_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
