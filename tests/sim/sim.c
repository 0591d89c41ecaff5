// SPDX-License-Identifier: BSD-3-Clause
// Thousands of runs of our TCP against itself in virtual time, each decided by a seed.
//
//   sim [--seed N] [--seeds COUNT] [--pcap PREFIX] [-v]
//
// Each seed also decides one connection against a peer that lies (hostile.h).
// A seed that fails says why, leaves captures of both ends in TMPDIR, and names the command that
// runs it again. --long COUNT: so many instead when FLYOVER_TEST_LONG is set.
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/sim/draw.h"
#include "tests/sim/hostile.h"

#define FAILURES_MAX 10 // then it stops

struct options {
	uint64_t seed, seeds;
	const char *pcap;
	bool is_verbose;
};

static const char *const states[] = {
	"CLOSED",     "SYN-SENT",   "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
	"FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",      "LAST-ACK",    "TIME-WAIT",
};

static const char *judge_side(const struct lab *l, const struct draw *d, unsigned flow,
			      unsigned end, char *text, size_t len)
{
	int error = lab_error(l, flow, end);
	struct tcp *t = lab_tcp(l, flow, end);

	if (!lab_gone_ns(l, flow, end) && t) {
		snprintf(text, len, "flow %u end %u is stuck in %s with %" PRIu64 " bytes read",
			 flow, end, states[tcp_state(t)], lab_received(l, flow, end));
		return text;
	}
	if (lab_is_complete(l, flow, end))
		return NULL;
	if (d->end == DRAW_QUITS && flow == 0)
		return NULL; // what came was held against the pattern
	// Who gives up says so by an RST, which may come through; a server may never have heard.
	if (d->end == DRAW_DIES && (error == ETIMEDOUT || error == ECONNRESET ||
				    error == EHOSTUNREACH || (end == 1 && !error)))
		return NULL;
	// ARP and ND ask three times, whatever the connection's patience is.
	if (d->set.level == LAB_STACK && !lab_was_open(l, flow, 0) &&
	    lab_error(l, flow, 0) == EHOSTUNREACH)
		return NULL;
	snprintf(text, len, "flow %u end %u: %" PRIu64 " of %" PRIu64 " bytes, %s", flow, end,
		 lab_received(l, flow, end), d->apps[flow][!end].send, strerror(error));
	return text;
}

static void show(const struct lab *l, uint64_t seed, const struct draw *d)
{
	printf("%" PRIu64 ": %s: %.3f s, %" PRIu64 " + %" PRIu64 " segments,", seed, d->text,
	       (double)lab_now(l) / 1e9, lab_segments(l, 0), lab_segments(l, 1));
	for (unsigned f = 0; f < WIRE_N_FATES; f++) {
		uint64_t n = wire_counters(lab_wire(l, 0))->fates[f] +
			     wire_counters(lab_wire(l, 1))->fates[f];
		if (n)
			printf(" %s %" PRIu64, wire_fate_name((enum wire_fate)f), n);
	}
	printf("\n");
}

// @return NULL, or what went wrong, in `text`
static const char *run(uint64_t seed, const char *pcap, bool is_verbose, uint64_t *n_segments,
		       char *text, size_t len)
{
	struct draw d;

	draw_run(seed, &d);
	d.set.pcap = pcap;
	struct lab *l = lab_new(&d.set);
	if (!l) {
		snprintf(text, len, "%s: no lab", d.text);
		return text;
	}
	for (unsigned i = 0; i < d.n_flows; i++)
		lab_connect(l, d.apps[i], d.at_ns[i]);
	const char *why = lab_run(l, d.limit_ns);
	char told[256];
	for (unsigned i = 0; i < 2 * d.n_flows && !why; i++)
		why = judge_side(l, &d, i / 2, i % 2, told, sizeof(told));
	*n_segments += lab_segments(l, 0) + lab_segments(l, 1);
	if (is_verbose)
		show(l, seed, &d);
	if (why)
		snprintf(text, len, "%s: %s", d.text, why);
	lab_free(l);
	return why ? text : NULL;
}

static void again(uint64_t seed, const char *program, const char *why)
{
	char prefix[3000], text[600];
	const char *dir = getenv("TMPDIR");
	uint64_t n = 0;

	snprintf(prefix, sizeof(prefix), "%s/sim-%" PRIu64, dir ? dir : "/tmp", seed);
	printf("seed %" PRIu64 ": %s\n", seed, why);
	fflush(stdout);
	run(seed, prefix, false, &n, text, sizeof(text));
	printf("  captures: %s-a.pcap %s-b.pcap\n  again: %s --seed %" PRIu64 " -v\n", prefix,
	       prefix, program, seed);
	fflush(stdout);
}

static uint64_t running; // the seed, for an assert that fails

static void tell_seed(int number)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "seed %" PRIu64 " crashed\n", running);

	if (write(STDERR_FILENO, text, (size_t)len) < 0)
		_exit(1);
	signal(number, SIG_DFL);
	raise(number);
}

static bool read_options(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{"seed", required_argument, NULL, 's'},
		{"seeds", required_argument, NULL, 'n'},
		{"long", required_argument, NULL, 'l'},
		{"pcap", required_argument, NULL, 'p'},
		{NULL, 0, NULL, 0},
	};

	const char *is_long = getenv("FLYOVER_TEST_LONG");

	*o = (struct options){.seed = 1, .seeds = 1};
	for (int c; (c = getopt_long(argc, argv, "v", known, NULL)) != -1;) {
		if (c == 's')
			o->seed = strtoull(optarg, NULL, 10);
		else if (c == 'n' || (c == 'l' && is_long && *is_long))
			o->seeds = strtoull(optarg, NULL, 10);
		else if (c == 'p')
			o->pcap = optarg;
		else if (c == 'v')
			o->is_verbose = true;
		else if (c != 'l')
			return false;
	}
	return optind == argc;
}

int main(int argc, char **argv)
{
	struct options o;
	unsigned n_failed = 0;
	uint64_t n_segments = 0;
	char text[600];

	if (!read_options(argc, argv, &o)) {
		fprintf(stderr, "usage: sim [--seed N] [--seeds COUNT] [--pcap PREFIX] [-v]\n");
		return 2;
	}
	signal(SIGABRT, tell_seed);
	for (uint64_t i = 0; i < o.seeds && n_failed < FAILURES_MAX; i++) {
		running = o.seed + i;
		const char *why =
			run(running, o.pcap, o.is_verbose, &n_segments, text, sizeof(text));
		if (!why)
			why = hostile_run(running, text, sizeof(text));
		if (!why)
			continue;
		n_failed++;
		again(running, argv[0], why);
	}
	printf("%" PRIu64 " seeds from %" PRIu64 ", %u failed, %" PRIu64 " segments\n", o.seeds,
	       o.seed, n_failed, n_segments);
	return n_failed ? 1 : 0;
}
