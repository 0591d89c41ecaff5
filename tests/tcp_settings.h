// SPDX-License-Identifier: BSD-3-Clause
// How TCP is set where a test, a fuzz target or a bench does not care: small buffers, the timers of
// the product, no pacing. Who cares about a field sets it afterwards.
#pragma once

#include "dataplane/tcp/tcp.h"

static inline struct tcp_settings tcp_settings_usual(void)
{
	const uint64_t ms = 1000000, second = 1000 * ms;
	return (struct tcp_settings){
		.congestion = TCP_CUBIC,
		.mss_max = 1460,
		.mss_min = 1024,
		.receive_max = 4 << 20,
		.receive_first = 64 << 10,
		.send_max = 4 << 20,
		.rto_min_ns = 200 * ms,
		.ack_delay_ns = 40 * ms,
		.user_timeout_ns = 30 * second,
		.connect_timeout_ns = 20 * second,
		.keepalive_idle_ns = 60 * second,
		.keepalive_interval_ns = 5 * second,
		.keepalive_probes = 3,
		.time_wait_ns = 60 * second,
	};
}
