// SPDX-License-Identifier: BSD-3-Clause
// What a segment costs one core: two stacks of ours at the ends of a pair of rings in this process,
// in turns on one thread, beside what DPDK itself takes for a frame in the same run. Prints JSON.
//
//   tests/bench/tcp_segment_cost [SEGMENTS [WINDOW_KB [RUNS]]]     segments of one batch
//
//   dpdk     buffers taken, sent, received and given back in bursts, nothing in them touched
//   seam     nic_send() with a copy of the payload, nic_receive()
//   write    tcp_write() with a copy
//   send     header, checksum, nic_send() with a copy; acknowledgements taken
//   receive  checksum, in order with a copy, acknowledged
//   read     tcp_read() with a copy
//
// Once with the checksums in software, since a ring sums nothing, and once as above a device that
// does it, as those of real hosts do.
//
// Nothing is asserted of the times. The bytes are: all of them arrive, nothing is sent twice.
#include <arpa/inet.h>
#include <errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/net/stack.h"
#include "drivers/nic_dpdk.h"
#include "tests/tcp_settings.h"

#define PORT      6379
#define SEGMENT   1448 // bytes of payload with timestamps and an MTU of 1500
#define FRAME     1514
#define RING_SIZE 2048
#define CHUNK     (64 * 1024) // one read or write of the application

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// What this thread has had of its processor: others on the machine do not count.
static uint64_t cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void stop(const char *what, int rc)
{
	fprintf(stderr, "tcp_segment_cost: %s: %s\n", what, strerror(-rc));
	exit(1);
}

// ---- Devices

static struct nic *device_open(const char *name)
{
	struct nic_dpdk_settings set = {
		.device = name, .n_queues = 1, .control_cpu = -1, .memory_mb = 96};
	struct nic *nic;
	char text[NIC_DPDK_TEXT_LEN];
	if (nic_dpdk_open(&set, &nic, text)) {
		fprintf(stderr, "tcp_segment_cost: %s\n", text);
		exit(1);
	}
	return nic;
}

static void ring_pair_open(struct nic *out[2])
{
	nic_close(device_open("net_null0")); // starts DPDK
	struct rte_ring *to[2];
	for (int i = 0; i < 2; i++) {
		to[i] = rte_ring_create(i ? "b" : "a", RING_SIZE, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (!to[i])
			stop("a ring", -ENOMEM);
	}
	rte_eth_from_rings("a", &to[0], 1, &to[1], 1, 0);
	rte_eth_from_rings("b", &to[1], 1, &to[0], 1, 0);
	out[0] = device_open("net_ring_a");
	out[1] = device_open("net_ring_b");
}

// What is received passes for verified, and nobody sums what is sent.
struct summing {
	struct nic nic;
	struct nic_info info;
	struct nic *below;
};

static int summing_receive(struct nic *n, struct nic_frame *frames, int max)
{
	int got = nic_receive(((struct summing *)n)->below, frames, max);
	for (int i = 0; i < got; i++)
		frames[i].ip_sum = frames[i].l4_sum = NIC_SUM_GOOD;
	return got;
}

static int summing_send(struct nic *n, const struct nic_packet *p)
{
	return nic_send(((struct summing *)n)->below, p);
}

static void summing_flush(struct nic *n)
{
	nic_flush(((struct summing *)n)->below);
}

static struct nic *summing_init(struct summing *s, struct nic *below)
{
	static const struct nic_ops ops = {.name = "summing",
					   .receive = summing_receive,
					   .send = summing_send,
					   .flush = summing_flush};
	*s = (struct summing){.info = *below->info, .below = below};
	s->info.offloads |= NIC_TX_IP_SUM | NIC_TX_TCP_SUM;
	s->nic.ops = &ops;
	s->nic.info = &s->info;
	return &s->nic;
}

// ---- Below TCP

// Buffers taken, sent, received and given back, in bursts, and nothing in them touched.
static double floor_ns(uint64_t n)
{
	uint16_t a, b;
	struct rte_mbuf *m[NIC_BURST];
	rte_eth_dev_get_port_by_name("net_ring_a", &a);
	rte_eth_dev_get_port_by_name("net_ring_b", &b);
	static struct rte_mempool *pool;
	if (!pool)
		pool = rte_pktmbuf_pool_create("floor", 4095, 256, 0, 2048 + 128, 0);
	if (!pool)
		stop("a pool", -ENOMEM);
	uint64_t begin = cpu_ns();
	for (uint64_t i = 0; i < n; i += NIC_BURST) {
		if (rte_pktmbuf_alloc_bulk(pool, m, NIC_BURST))
			stop("buffers", -ENOMEM);
		for (int k = 0; k < NIC_BURST; k++)
			m[k]->pkt_len = m[k]->data_len = FRAME;
		if (rte_eth_tx_burst(a, 0, m, NIC_BURST) != NIC_BURST ||
		    rte_eth_rx_burst(b, 0, m, NIC_BURST) != NIC_BURST)
			stop("a burst", -EIO);
		rte_pktmbuf_free_bulk(m, NIC_BURST);
	}
	return (double)(cpu_ns() - begin) / (double)n;
}

// The same through the seam, with the bytes copied in.
static double seam_ns(struct nic *nic[2], uint64_t n)
{
	static uint8_t head[66], body[SEGMENT];
	struct nic_packet p = {.head = head,
			       .head_len = sizeof(head),
			       .l2_len = 14,
			       .n_body = 1,
			       .body = {{body, sizeof(body)}}};
	struct nic_frame f[NIC_BURST];
	uint64_t begin = cpu_ns();
	for (uint64_t i = 0; i < n; i += NIC_BURST) {
		for (int k = 0; k < NIC_BURST; k++)
			if (nic_send(nic[0], &p))
				stop("nic_send", -EIO);
		nic_flush(nic[0]);
		if (nic_receive(nic[1], f, NIC_BURST) != NIC_BURST)
			stop("nic_receive", -EIO);
	}
	double ns = (double)(cpu_ns() - begin) / (double)n;
	nic_receive(nic[1], f, NIC_BURST);
	return ns;
}

// ---- TCP

enum column { DPDK, SEAM, WRITE, SEND, RECEIVE, READ, N_COLUMNS };

struct end {
	struct stack *stack;
	struct flow *flow;
};

static void end_init(struct end *e, struct nic *nic, const char *address, uint64_t window)
{
	static const uint8_t secret[16] = "not a secret...";
	struct stack_settings set = {
		.tcp = tcp_settings_usual(),
		.n_addresses = 1,
		.connections_max = 16,
		.n_cores = 1,
	};
	set.tcp.receive_max = set.tcp.receive_first = set.tcp.send_max = window;
	set.tcp.mss_max = 0; // what the device takes
	set.tcp.keepalive_idle_ns = 0;
	set.addresses[0].address.family = 4;
	inet_pton(AF_INET, address, set.addresses[0].address.bytes);
	set.addresses[0].len = 24;
	*e = (struct end){0};
	int rc = stack_new(nic, &set, secret, 1, now_ns(), &e->stack);
	if (rc)
		stop("stack_new", rc);
}

static void connect_ends(struct end *from, struct end *to)
{
	struct net_address address = {.family = 4};
	inet_pton(AF_INET, "10.9.0.2", address.bytes);
	int rc = stack_listen(to->stack, PORT, NULL, 0, 4);
	if (rc)
		stop("stack_listen", rc);
	rc = stack_connect(from->stack, &address, PORT, NULL, now_ns(), &from->flow);
	if (rc)
		stop("stack_connect", rc);
	uint64_t most = now_ns() + 5000000000u;
	while (!to->flow || tcp_state(flow_tcp(from->flow)) != TCP_ESTABLISHED) {
		stack_turn(from->stack, now_ns());
		stack_turn(to->stack, now_ns());
		to->flow = to->flow ? to->flow : stack_accept(to->stack, PORT, NULL);
		if (now_ns() > most)
			stop("the handshake", -ETIMEDOUT);
	}
}

static void news_forget(struct stack *s)
{
	unsigned events;
	while (stack_next_news(s, &events)) {
	}
}

// The application writes what there is room for.
static void bytes_write(struct end *e, uint64_t *left, uint64_t now)
{
	static uint8_t bytes[CHUNK];
	while (*left) {
		struct iovec v = {bytes, *left < CHUNK ? *left : CHUNK};
		ssize_t n = tcp_write(flow_tcp(e->flow), &v, 1, now);
		if (n <= 0)
			break;
		*left -= (uint64_t)n;
		flow_touch(e->flow);
	}
}

// The application reads everything, and the window opens again.
static void bytes_read(struct end *e, uint64_t *got, uint64_t now)
{
	static uint8_t bytes[CHUNK];
	for (ssize_t n; (n = tcp_read(flow_tcp(e->flow), bytes, CHUNK, now)) > 0;) {
		*got += (uint64_t)n;
		flow_touch(e->flow);
	}
}

// What a look at the clock takes, which is not to be counted.
static uint64_t look_ns(void)
{
	enum { LOOKS = 1000 };
	uint64_t begin = cpu_ns(), end = begin;
	for (int i = 0; i < LOOKS; i++)
		end = cpu_ns();
	return (end - begin) / LOOKS;
}

// The time since the last lap, to a column.
static void lap(double *ns, uint64_t *last, uint64_t look)
{
	uint64_t now = cpu_ns(), spent = now - *last;
	*ns += (double)(spent > look ? spent - look : 0);
	*last = now;
}

// @param ns  added to, by column
static void bytes_pass(struct end *from, struct end *to, uint64_t len, double ns[N_COLUMNS])
{
	uint64_t left = len, got = 0, last_ns = now_ns(), look = look_ns();
	while (got < len) {
		uint64_t before = got, now = now_ns(), at = cpu_ns();
		bytes_write(from, &left, now);
		lap(&ns[WRITE], &at, look);
		stack_turn(from->stack, now);
		news_forget(from->stack);
		lap(&ns[SEND], &at, look);
		stack_turn(to->stack, now);
		news_forget(to->stack);
		lap(&ns[RECEIVE], &at, look);
		bytes_read(to, &got, now);
		lap(&ns[READ], &at, look);
		if (got > before)
			last_ns = now;
		else if (now - last_ns > 5000000000u)
			stop("no byte has arrived for 5 s", -ETIMEDOUT);
	}
}

// ---- Batches: the median is what a batch takes when nobody disturbs its caches

#define BATCHES 201

static int by_size(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;
	return d < 0 ? -1 : d > 0;
}

static void run(struct nic *nic[2], struct end *from, struct end *to, uint64_t n,
		double medians[N_COLUMNS])
{
	static double ns[N_COLUMNS][BATCHES];
	struct tcp_info before, after;
	tcp_info(flow_tcp(to->flow), &before);
	for (int i = 0; i < BATCHES; i++) {
		double spent[N_COLUMNS] = {0};
		ns[DPDK][i] = floor_ns(n);
		ns[SEAM][i] = seam_ns(nic, n);
		bytes_pass(from, to, n * SEGMENT, spent);
		for (int c = WRITE; c < N_COLUMNS; c++)
			ns[c][i] = spent[c] / (double)n;
	}
	tcp_info(flow_tcp(to->flow), &after);
	if (after.bytes_in - before.bytes_in != BATCHES * n * SEGMENT)
		stop("bytes were lost", -EIO);
	tcp_info(flow_tcp(from->flow), &before);
	if (before.segments_resent)
		stop("segments were sent again", -EIO);
	for (int c = 0; c < N_COLUMNS; c++) {
		qsort(ns[c], BATCHES, sizeof(ns[c][0]), by_size);
		medians[c] = ns[c][BATCHES / 2];
	}
}

// The best of some runs: what the machine gives when it is left alone.
static void measure(struct nic *nic[2], const char *name, uint64_t n, uint64_t window, int runs)
{
	static const char *const columns[] = {"dpdk", "seam", "write", "send", "receive", "read"};
	struct end from, to;
	end_init(&from, nic[0], "10.9.0.1", window);
	end_init(&to, nic[1], "10.9.0.2", window);
	connect_ends(&from, &to);
	double best[N_COLUMNS], ns[N_COLUMNS];
	for (int i = 0; i < runs; i++) {
		run(nic, &from, &to, n, ns);
		for (int c = 0; c < N_COLUMNS; c++)
			best[c] = i && best[c] < ns[c] ? best[c] : ns[c];
	}
	printf("\"%s\": {", name);
	for (int c = 0; c < N_COLUMNS; c++)
		printf("%s\"%s_ns\": %.1f", c ? ", " : "", columns[c], best[c]);
	printf("}");
	flow_close(from.flow, now_ns());
	flow_close(to.flow, now_ns());
	stack_free(from.stack, now_ns());
	stack_free(to.stack, now_ns());
}

int main(int argc, char **argv)
{
	uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 4096;
	uint64_t window = (argc > 2 ? strtoull(argv[2], NULL, 10) : 256) * 1024;
	int runs = argc > 3 ? atoi(argv[3]) : 3;
	n = (n + NIC_BURST - 1) / NIC_BURST * NIC_BURST;
	struct nic *nic[2];
	struct summing summing[2];
	ring_pair_open(nic);
	printf("{\"segment\": %d, \"segments\": %lu, \"batches\": %d, \"runs\": %d, "
	       "\"window_kb\": %lu, ",
	       SEGMENT, (unsigned long)n, BATCHES, runs, (unsigned long)window / 1024);
	measure(nic, "software", n, window, runs);
	printf(", ");
	measure((struct nic *[]){summing_init(&summing[0], nic[0]),
				 summing_init(&summing[1], nic[1])},
		"device", n, window, runs);
	printf("}\n");
	nic_close(nic[0]);
	nic_close(nic[1]);
	return 0;
}
