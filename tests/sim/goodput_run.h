// SPDX-License-Identifier: BSD-3-Clause
// What flows get of a bottleneck: bulk transfers of our TCP over a simulated wire, in virtual time.
#pragma once

#include "dataplane/tcp/tcp.h"

#define GOODPUT_FLOWS_MAX 4

// 1448 bytes of each 1538 that a frame takes on an Ethernet.
#define GOODPUT_PAYLOAD(rate) ((double)(rate)*1448 / 1538)

struct goodput_case {
	uint64_t rate;       // bits/s of the bottleneck
	uint64_t rtt_ns;     // without the queue
	double queue;        // bandwidth-delay products that the bottleneck holds, at least 64 KiB
	double loss;         // of each frame with data, at random
	uint64_t lose_every; // each n-th of them; 0: none
	uint64_t warm_ns, for_ns;
	uint64_t seed;
	unsigned n_flows; // 0: one
	enum tcp_congestion congestion[GOODPUT_FLOWS_MAX];
	uint64_t at_ns[GOODPUT_FLOWS_MAX]; // when each begins
};

// Of the time after the warming up.
struct goodput {
	double bits[GOODPUT_FLOWS_MAX]; // payload per second
	double used;                    // of what the bottleneck can carry of payload, all flows
	double window;                  // mean of the first flow's, in segments
	uint64_t queue_peak;            // bytes, since the beginning
	uint64_t n_rto, n_recoveries, n_resent;
};

// @return NULL, or what went wrong, in words that stay good until the next run
const char *goodput_run(const struct goodput_case *c, struct goodput *out);
