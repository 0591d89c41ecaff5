// SPDX-License-Identifier: BSD-3-Clause
// The golden table: what one flow gets of a bottleneck, by round trip, loss and congestion control.
//
//   goodput [--rate MBIT] [--seconds N] [--seed N]
//
// Virtual time: the same seed prints the same table on every machine.
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/goodput_run.h"

#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

#define N(a) (sizeof(a) / sizeof(*(a)))

static const uint64_t rtts_ms[] = {1, 20, 100, 200};
static const double losses[] = {0, 1e-5, 1e-4, 1e-3, 1e-2};
static const char *const names[] = {[TCP_CUBIC] = "CUBIC", [TCP_BBR] = "BBR"};

// A window that losses at random decide has a mean only over many of them.
static uint64_t span_ns(uint64_t seconds, uint64_t rtt_ms, double loss, enum tcp_congestion what)
{
	bool is_bound = what == TCP_CUBIC && loss > 0 && rtt_ms >= 20;

	return seconds * NS_PER_S * (is_bound ? 10 : 1);
}

static int print_row(uint64_t rate, uint64_t rtt_ms, enum tcp_congestion what, uint64_t seconds,
		     uint64_t seed)
{
	printf("%4" PRIu64 " ms  %-5s", rtt_ms, names[what]);
	for (unsigned i = 0; i < N(losses); i++) {
		struct goodput_case c = {
			.rate = rate,
			.rtt_ns = rtt_ms * NS_PER_MS,
			.queue = 1,
			.loss = losses[i],
			// What the first slow start has broken is to be mended.
			.warm_ns = (10 + rtt_ms / 4) * NS_PER_S,
			.for_ns = span_ns(seconds, rtt_ms, losses[i], what),
			.seed = seed,
			.congestion = {what},
		};
		struct goodput g;
		const char *why = goodput_run(&c, &g);

		if (why) {
			printf("\n%s\n", why);
			return 1;
		}
		printf("  %9.2f", g.bits[0] / 1e6);
		fflush(stdout);
	}
	printf("\n");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{"rate", required_argument, NULL, 'r'},
		{"seconds", required_argument, NULL, 't'},
		{"seed", required_argument, NULL, 's'},
		{NULL, 0, NULL, 0},
	};
	uint64_t mbit = 1000, seconds = 60, seed = 1;

	for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
		uint64_t n = optarg ? strtoull(optarg, NULL, 10) : 0;

		if (n == 0) {
			fprintf(stderr, "usage: goodput [--rate MBIT] [--seconds N] [--seed N]\n");
			return 2;
		}
		*(c == 'r' ? &mbit : c == 't' ? &seconds : &seed) = n;
	}
	printf("Mbit/s of payload, bottleneck %" PRIu64 " Mbit/s (%.0f of payload), queue 1 BDP,\n"
	       "mean of %" PRIu64 " s (tenfold where losses bound CUBIC's window), seed %" PRIu64
	       "\n\nRTT      loss ",
	       mbit, GOODPUT_PAYLOAD(mbit), seconds, seed);
	for (unsigned i = 0; i < N(losses); i++)
		printf("  %9g", losses[i]);
	printf("\n");
	for (unsigned i = 0; i < N(rtts_ms); i++)
		for (enum tcp_congestion what = TCP_CUBIC; what <= TCP_BBR; what++)
			if (print_row(mbit * 1000000, rtts_ms[i], what, seconds, seed))
				return 1;
	return 0;
}
