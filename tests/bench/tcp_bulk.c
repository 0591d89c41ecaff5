// SPDX-License-Identifier: BSD-3-Clause
// One end of one bulk flow, and what it got:
//
//   tcp_bulk [--kernel | --device DEVICE --addr CIDR] [--to ADDRESS] [--congestion cubic|bbr]
//            [--port N] [--warm SECONDS] [--seconds SECONDS]
//
// With --to it connects and sends as much as the connection takes; without, it listens and reads.
// Says "ready" when a peer may come and "joined" when it has, then runs for both times and prints
// one JSON object about the second of them. What TCP counts is of this end: segments sent again are
// the sender's.
#include "tests/bench/tcp_bulk.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "drivers/clock.h"

#define NS_PER_S 1000000000ull
#define JOIN_NS  (30 * NS_PER_S)
#define LAG_NS   NS_PER_S // a receiver's clock starts later than its sender's

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

static const char usage[] =
	"usage: tcp_bulk [--kernel | --device DEVICE --addr CIDR] [--to ADDRESS]\n"
	"                [--congestion cubic|bbr] [--port N] [--warm S] [--seconds S]\n";

static double cpu_seconds(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static bool options_read(int argc, char **argv, struct bulk_options *o)
{
	static const struct option known[] = {
		{"kernel", no_argument, NULL, 'k'},
		{"device", required_argument, NULL, 'd'},
		{"addr", required_argument, NULL, 'a'},
		{"to", required_argument, NULL, 't'},
		{"congestion", required_argument, NULL, 'c'},
		{"port", required_argument, NULL, 'p'},
		{"warm", required_argument, NULL, 'w'},
		{"seconds", required_argument, NULL, 's'},
		{NULL, 0, NULL, 0},
	};

	*o = (struct bulk_options){
		.congestion = "cubic", .port = 7777, .warm_ns = 0, .for_ns = 10 * NS_PER_S};
	for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;)
		switch (c) {
		case 'k':
			o->is_kernel = true;
			break;
		case 'd':
			o->device = optarg;
			break;
		case 'a':
			o->prefix = optarg;
			break;
		case 't':
			o->peer = optarg;
			break;
		case 'c':
			o->congestion = optarg;
			break;
		case 'p':
			o->port = (uint16_t)atoi(optarg);
			break;
		case 'w':
			o->warm_ns = (uint64_t)(atof(optarg) * NS_PER_S);
			break;
		case 's':
			o->for_ns = (uint64_t)(atof(optarg) * NS_PER_S);
			break;
		default:
			return false;
		}
	bool is_own = o->device && o->prefix;

	return optind == argc && o->is_kernel != is_own && o->port && o->for_ns;
}

static void print(const struct bulk_reading *from, const struct bulk_reading *to, double seconds,
		  double cpu_s)
{
	printf("{\"seconds\": %.3f, \"bytes\": %" PRIu64 ", \"segments_out\": %" PRIu64
	       ", \"segments_resent\": %" PRIu64 ", \"rtos\": %" PRIu64
	       ", \"srtt_ms\": %.2f, \"min_rtt_ms\": %.2f, \"cwnd\": %" PRIu64
	       ", \"cpu_s\": %.3f, \"resent_before\": %" PRIu64 "}\n",
	       seconds, to->bytes - from->bytes, to->segments_out - from->segments_out,
	       to->segments_resent - from->segments_resent, to->n_rto - from->n_rto,
	       (double)to->srtt_ns / 1e6, (double)to->min_rtt_ns / 1e6, to->cwnd, cpu_s,
	       from->segments_resent);
	fflush(stdout);
}

// The flow goes on for a while after what is measured: its other end measures a little later.
static int measure(const struct bulk_ops *ops, struct bulk *b, const struct bulk_options *o)
{
	struct bulk_reading from, to;
	uint64_t begin_ns = clock_kernel.read().mono_ns, from_ns, to_ns;

	printf("joined\n");
	fflush(stdout);
	int rc = ops->pass(b, begin_ns + o->warm_ns);
	double cpu_s;

	if (rc)
		return rc;
	from_ns = clock_kernel.read().mono_ns;
	cpu_s = cpu_seconds();
	ops->read(b, &from);
	rc = ops->pass(b, from_ns + o->for_ns);
	if (rc)
		return rc;
	to_ns = clock_kernel.read().mono_ns;
	ops->read(b, &to);
	print(&from, &to, (double)(to_ns - from_ns) / 1e9, cpu_seconds() - cpu_s);
	if (o->peer)
		ops->pass(b, to_ns + LAG_NS);
	return 0;
}

int main(int argc, char **argv)
{
	struct bulk_options o;
	const struct bulk_ops *ops;
	struct bulk *b;
	int rc;

	if (!options_read(argc, argv, &o)) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	ops = o.is_kernel ? &bulk_kernel : &bulk_own;
	b = ops->prepare(&o);
	if (!b)
		return EXIT_FAILED;
	printf("ready\n");
	fflush(stdout);
	rc = ops->join(b, clock_kernel.read().mono_ns + JOIN_NS);
	rc = rc ? rc : measure(ops, b, &o);
	if (rc)
		fprintf(stderr, "tcp_bulk: the connection ends: %s\n", strerror(-rc));
	ops->close(b);
	return rc ? EXIT_FAILED : 0;
}
