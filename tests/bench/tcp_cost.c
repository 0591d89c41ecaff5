// SPDX-License-Identifier: BSD-3-Clause
// What TCP itself costs a segment (dataplane/tcp), without frames and devices: 1448 bytes received
// in order, taken out and acknowledged; and 1448 bytes written, sent and acknowledged. In bursts of
// 32, with timestamps. Time is that of the processor, copies of the payload included.
//
//   tcp_cost [SECONDS]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/tcp/tcp.h"
#include "tests/tcp_settings.h"

#define MSS   1448u
#define BURST 32u
#define MS    1000000ull

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

struct bench {
	struct tcp_host *host;
	struct tcp *t;
	struct tcp_segment in, out;
	uint64_t now_ns;
	uint8_t payload[BURST * MSS];
};

static void must(bool x)
{
	if (!x)
		abort();
}

static void start(struct bench *b, uint32_t segment_max)
{
	static const struct tcp_tuple tuple = {.family = 4, .local_port = 1, .remote_port = 2};
	struct tcp_settings set = tcp_settings_usual();
	uint8_t secret[16] = {1};

	memset(b, 0, sizeof(*b));
	set.receive_max = set.send_max = 64 << 20;
	set.receive_first = 1 << 20;
	set.keepalive_idle_ns = 0;
	set.segment_max = segment_max;
	b->now_ns = 1000 * MS;
	b->host = tcp_host_new(&set, secret, 1);
	must(b->host && tcp_connect(b->host, &tuple, b->now_ns, &b->t) == 0);
	must(tcp_output(b->t, b->now_ns, &b->out));
	b->now_ns += 10 * MS;
	b->in.seq = seq_of(1000);
	b->in.ack = seq_add(b->out.seq, 1);
	b->in.flags = TCP_SYN | TCP_ACK;
	b->in.window = 65535;
	b->in.n_merged = 1;
	b->in.options.has = TCP_HAS_MSS | TCP_HAS_SCALE | TCP_HAS_SACK_OK | TCP_HAS_TIME;
	b->in.options.mss = 1460;
	b->in.options.scale = 14;
	b->in.options.ts_val = 1;
	b->in.options.ts_ecr = b->out.options.ts_val;
	tcp_input(b->t, &b->in, b->now_ns);
	while (tcp_output(b->t, b->now_ns, &b->out))
		;
	b->in.flags = TCP_ACK;
	b->in.options.has = TCP_HAS_TIME;
	b->in.seq = seq_add(b->in.seq, 1);
}

static void finish(struct bench *b)
{
	tcp_free(b->t);
	tcp_host_free(b->host);
}

static void receive_burst(struct bench *b)
{
	b->in.len = MSS;
	b->in.options.ts_ecr = b->out.options.ts_val;
	b->in.options.ts_val++;
	for (unsigned i = 0; i < BURST; i++) {
		b->in.body[0] = (struct iovec){b->payload + i * MSS, MSS};
		tcp_input(b->t, &b->in, b->now_ns);
		b->in.seq = seq_add(b->in.seq, MSS);
	}
	must(tcp_read(b->t, b->payload, sizeof(b->payload), b->now_ns) == BURST * MSS);
	while (tcp_output(b->t, b->now_ns, &b->out))
		;
	must(seq_eq(b->out.ack, b->in.seq));
}

// Every second segment is acknowledged, as a kernel does.
static void send_burst(struct bench *b)
{
	struct iovec iov = {b->payload, sizeof(b->payload)};
	uint32_t sent = 0;

	must(tcp_write(b->t, &iov, 1, b->now_ns) == sizeof(b->payload));
	b->in.len = 0;
	while (sent < sizeof(b->payload)) {
		uint32_t before = sent;

		while (tcp_output(b->t, b->now_ns, &b->out))
			sent += b->out.len;
		must(sent > before);
		b->now_ns += MS;
		b->in.options.ts_val++;
		b->in.options.ts_ecr = b->out.options.ts_val;
		for (; before < sent; before += 2 * MSS) {
			uint32_t n = sent - before < 2 * MSS ? sent - before : 2 * MSS;

			b->in.ack = seq_add(b->in.ack, n);
			tcp_input(b->t, &b->in, b->now_ns);
		}
	}
}

static void measure(const char *name, void (*burst)(struct bench *), uint32_t segment_max,
		    double seconds)
{
	static struct bench b;
	uint64_t best = UINT64_MAX, n = 0, end;

	start(&b, segment_max);
	for (int i = 0; i < 1000; i++)
		burst(&b);
	end = clock_ns() + (uint64_t)(seconds * 1e9);
	while (clock_ns() < end) {
		uint64_t from = clock_ns(), ns;

		for (int i = 0; i < 100; i++, b.now_ns += MS / 10)
			burst(&b);
		ns = clock_ns() - from;
		best = ns < best ? ns : best;
		n += 100 * BURST;
	}
	printf("%-28s %6.1f ns a segment (best of %llu batches)\n", name,
	       (double)best / (100 * BURST), (unsigned long long)(n / (100 * BURST)));
	finish(&b);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;

	measure("receive, read, acknowledge", receive_burst, 0, seconds);
	measure("write, send, acknowledged", send_burst, 0, seconds);
	measure("the same, cut by the device", send_burst, 65000, seconds);
	return 0;
}
