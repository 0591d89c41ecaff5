// SPDX-License-Identifier: BSD-3-Clause
// The host's window is what a flow can use: over a path that holds more than the default, in
// virtual time.
#include "dataplane/net/host.h"
#include "tests/sim/lab.h"
#include "tests/unit/test.h"

#define MS   1000000ull
#define S    1000000000ull
#define MBIT 1000000ull
#define MB   (1ull << 20)

// 2 Gbit/s over 500 ms: 119 MB are under way. Jumbo frames, so that these are few.
#define RATE   (2000 * MBIT)
#define RTT_NS (500 * MS)
#define FOR_NS (11 * S)

struct under_way {
	uint64_t flight, window; // the most that was seen
	uint64_t received;
};

static struct under_way run(uint64_t tcp_window)
{
	const struct network network = {.tcp_window = tcp_window};
	const struct nic_info nic = {.mtu = 9000};
	const struct lab_app apps[2] = {{.send = UINT64_MAX / 4}, {0}};
	const struct wire_path path = {.rate = RATE, .delay_ns = RTT_NS / 2};
	struct lab_settings set = {.level = LAB_BARE, .seed = 1, .begin_ns = S, .is_blind = true};
	struct under_way out = {0};
	struct tcp_info sender, receiver;

	for (int end = 0; end < 2; end++) {
		set.tcp[end] = host_net_tcp(&network, &nic);
		set.wire[end].path = path;
		set.wire[end].memory_max = 4096 * MB;
	}
	struct lab *l = lab_new(&set);
	assert_non_null(l);
	lab_connect(l, apps, 0);
	for (uint64_t at_ns = S; at_ns <= FOR_NS; at_ns += RTT_NS / 2) {
		const char *why = lab_run(l, at_ns);
		if (why)
			fail_msg("%s", why);
		tcp_info(lab_tcp(l, 0, 0), &sender);
		tcp_info(lab_tcp(l, 0, 1), &receiver);
		out.flight = sender.in_flight > out.flight ? sender.in_flight : out.flight;
		out.window = receiver.receive_window > out.window ? receiver.receive_window
								  : out.window;
		assert_null(tcp_check(lab_tcp(l, 0, 0)));
		assert_null(tcp_check(lab_tcp(l, 0, 1)));
	}
	out.received = lab_received(l, 0, 1);
	lab_free(l);
	return out;
}

static void flow_has_more_under_way_than_the_default_allows(void **state)
{
	struct under_way wide = run(NETWORK_WINDOW_MAX), narrow = run(0);
	assert_true(wide.flight > 110 * MB);
	assert_true(wide.window > 110 * MB && wide.window <= NETWORK_WINDOW_MAX);
	assert_true(narrow.flight <= NETWORK_WINDOW && narrow.flight > NETWORK_WINDOW / 2);
	assert_true(narrow.window <= NETWORK_WINDOW);
	assert_true(wide.received > narrow.received);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flow_has_more_under_way_than_the_default_allows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
