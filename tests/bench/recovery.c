// SPDX-License-Identifier: BSD-3-Clause
// What it costs to remember a segment and to have it acknowledged (dataplane/tcp/recovery.h), with
// few and with very many in flight, and what the worst peers can make of it. Time is that of the
// processor, and congestion control does nothing, but where it is named.
//
//   recovery [SECONDS]
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "dataplane/tcp/recovery.h"

#define MSS     1448u
#define RTT_NS  200000000ull
#define RECORDS (1u << 18)

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

struct bench {
	struct recovery_settings set;
	struct congestion c;
	struct recovery r;
	uint64_t now_ns;
};

static void take_sample(struct congestion *c, const struct ack_sample *s)
{
}

static void take_flight(struct congestion *c, uint64_t in_flight, uint64_t now_ns)
{
	c->ssthresh = c->cwnd / 2;
}

static void take_time(struct congestion *c, uint64_t now_ns)
{
}

static const struct congestion_ops idle_ops = {
	.name = "none",
	.init = take_time,
	.acked = take_sample,
	.enter_recovery = take_flight,
	.leave_recovery = take_time,
	.rto = take_flight,
	.undo = take_time,
};

static void start(struct bench *b, const struct congestion_ops *ops)
{
	*b = (struct bench){
		.set = {.rto_min_ns = 200000000,
			.rto_max_ns = 60000000000,
			.rto_first_ns = 1000000000,
			.ack_delay_ns = 200000000,
			.records_max = RECORDS},
		.now_ns = 1000,
	};
	congestion_init(&b->c, ops, MSS, 10, 1, b->now_ns);
	b->c.cwnd = (uint64_t)RECORDS * MSS;
	if (recovery_init(&b->r, &b->set, &b->c, seq_of(0))) {
		fprintf(stderr, "recovery: no memory\n");
		exit(1);
	}
	recovery_open(&b->r, true, true, MSS, RTT_NS, b->now_ns);
}

static void send_one(struct bench *b)
{
	if (recovery_sent(&b->r, MSS, false, b->now_ns)) {
		fprintf(stderr, "recovery: too many segments in flight\n");
		exit(1);
	}
}

static void acknowledge(struct bench *b, struct recovery_ack *in)
{
	struct recovery_news news;

	in->now_ns = b->now_ns;
	in->snd_max_window = 1 << 30;
	recovery_ack(&b->r, in, &news);
}

static void show(const char *what, unsigned flight, uint64_t took_ns, uint64_t n)
{
	printf("%-44s %7u in flight %8.1f ns\n", what, flight, (double)took_ns / (double)n);
}

// Two segments go out, one acknowledgement takes two: the stream of a peer that delays every other.
static void in_order(const struct congestion_ops *ops, unsigned flight, uint64_t span_ns)
{
	struct bench b;
	struct recovery_ack in = {0};
	uint64_t from_ns, took_ns, n = 0;

	start(&b, ops);
	for (unsigned i = 0; i < flight; i++, b.now_ns += RTT_NS / flight)
		send_one(&b);
	from_ns = clock_ns();
	do {
		for (unsigned i = 0; i < 10000; i += 2, n += 2) {
			b.now_ns += 2 * RTT_NS / flight;
			in.ack = seq_add(b.r.una, 2 * MSS);
			acknowledge(&b, &in);
			send_one(&b);
			send_one(&b);
		}
		took_ns = clock_ns() - from_ns;
	} while (took_ns < span_ns);
	char what[64];

	snprintf(what, sizeof(what), "sent and acknowledged in order (%s)", ops->name);
	show(what, flight, took_ns, n);
	recovery_fini(&b.r);
}

static struct seq segment(const struct bench *b, unsigned i)
{
	return seq_add(b->r.una, i * MSS);
}

// The first segment is lost and nothing is sent again; every further one comes with an
// acknowledgement of its own, whose block grows to a hundred thousand segments.
static void hole_at_the_front(unsigned flight)
{
	struct bench b;
	uint64_t from_ns;

	start(&b, &idle_ops);
	for (unsigned i = 0; i < flight; i++, b.now_ns += 10)
		send_one(&b);
	from_ns = clock_ns();
	for (unsigned i = 1; i < flight; i++, b.now_ns += 10)
		acknowledge(&b, &(struct recovery_ack){
					.ack = b.r.una,
					.n_sack = 1,
					.sack = {{segment(&b, 1), segment(&b, i + 1)}},
				});
	show("hole at the front, an acknowledgement", flight, clock_ns() - from_ns, flight - 1);
	recovery_fini(&b.r);
}

// Every other segment, from the end to the beginning, in four blocks; then the same blocks over and
// over, from the middle of the runs: what SACK Panic did.
static void hostile_blocks(unsigned flight)
{
	struct bench b;
	uint64_t from_ns;
	unsigned n = 0;

	start(&b, &idle_ops);
	for (unsigned i = 0; i < flight; i++, b.now_ns += 10)
		send_one(&b);
	from_ns = clock_ns();
	for (unsigned i = flight - 8; i > 8; i -= 8, n++, b.now_ns += 10) {
		struct recovery_ack in = {.ack = b.r.una, .n_sack = 4};

		for (unsigned k = 0; k < 4; k++)
			in.sack[k] = (struct tcp_range){segment(&b, i + 2 * k),
							segment(&b, i + 2 * k + 1)};
		acknowledge(&b, &in);
	}
	show("every other segment, backwards, 4 blocks", flight, clock_ns() - from_ns, n);

	from_ns = clock_ns();
	for (unsigned i = 1; i < flight; i++, b.now_ns += 10) {
		struct recovery_ack in = {.ack = b.r.una, .n_sack = 4};

		for (unsigned k = 0; k < 4; k++)
			in.sack[k] = (struct tcp_range){segment(&b, 2 + i * 7 % (flight / 2)),
							segment(&b, flight)};
		acknowledge(&b, &in);
	}
	show("all, from anywhere to the end, 4 blocks", flight, clock_ns() - from_ns, flight - 1);
	recovery_fini(&b.r);
}

// A lost segment in a hundred, each found and sent again.
static void losses(unsigned flight, uint64_t span_ns)
{
	struct bench b;
	uint64_t from_ns, took_ns, n = 0;
	struct tcp_range range;

	start(&b, &idle_ops);
	from_ns = clock_ns();
	do {
		for (unsigned i = 0; i < flight; i++, b.now_ns += RTT_NS / flight)
			send_one(&b);
		for (unsigned i = 0; i < flight; i++, b.now_ns += RTT_NS / flight) {
			if (i % 100 == 0)
				continue;
			acknowledge(&b, &(struct recovery_ack){
						.ack = b.r.una,
						.n_sack = 1,
						.sack = {{segment(&b, i - i % 100 + 1),
							  segment(&b, i + 1)}},
					});
			while (recovery_next(&b.r, b.now_ns, &range))
				recovery_resent(&b.r, &range, b.now_ns);
		}
		n += flight;
		b.now_ns += RTT_NS;
		acknowledge(&b, &(struct recovery_ack){.ack = b.r.nxt});
		b.c.cwnd = (uint64_t)RECORDS * MSS;
		b.c.ssthresh = b.c.cwnd / 2;
		took_ns = clock_ns() - from_ns;
	} while (took_ns < span_ns);
	show("1 % lost, found and sent again, a segment", flight, took_ns, n);
	recovery_fini(&b.r);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 0.5;
	uint64_t span_ns = (uint64_t)(seconds * 1e9);

	in_order(&idle_ops, 100, span_ns);
	in_order(&idle_ops, 10000, span_ns);
	in_order(&idle_ops, 100000, span_ns);
	in_order(&congestion_cubic, 100000, span_ns);
	in_order(&congestion_bbr, 100000, span_ns);
	losses(1000, span_ns);
	losses(100000, span_ns);
	hole_at_the_front(172000);
	hostile_blocks(172000);
	return 0;
}
