// SPDX-License-Identifier: BSD-3-Clause
// What the way of a received frame to its connection costs: stack_turn() over bursts of 32 frames
// in memory, less tcp_input() of the same segments and what the memory itself costs. All frames are
// acknowledgements that say nothing new, so nothing else happens.
//
//   demux [FLOWS] [--ip6] [--sums]     --sums: the checksums are verified in software
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/net/arp.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/ether.h"
#include "dataplane/net/icmp.h"
#include "dataplane/net/ip.h"
#include "dataplane/net/nd.h"
#include "dataplane/net/stack.h"
#include "tests/tcp_settings.h"

#define SECOND    1000000000ull
#define FRAME_LEN 128
#define FLOWS_MAX 1024
#define START     (5 * SECOND)
#define ROUNDS    4000
#define SAMPLES   15

static const uint8_t our_mac[MAC_LEN] = {2, 0, 0, 0, 0, 2}, peer_mac[MAC_LEN] = {2, 0, 0, 0, 0, 9};

struct memory_nic {
	struct nic nic;
	struct nic_info info;
	int n; // frames of the next burst
	struct nic_frame frames[NIC_BURST];
	uint8_t bytes[NIC_BURST][FRAME_LEN];
	uint8_t sent[2048]; // the last frame
	uint32_t sent_len;
};

struct side {
	struct net_address us, peer;
	uint8_t sum;
	struct tcp_segment acks[FLOWS_MAX];
	struct tcp *tcp[FLOWS_MAX];
	uint8_t frames[FLOWS_MAX][FRAME_LEN];
	uint32_t frame_len;
};

static int memory_receive(struct nic *nic, struct nic_frame *frames, int max)
{
	struct memory_nic *n = (struct memory_nic *)nic;
	int got = n->n;
	memcpy(frames, n->frames, (size_t)got * sizeof(*frames));
	n->n = 0;
	return got;
}

static int memory_send(struct nic *nic, const struct nic_packet *p)
{
	struct memory_nic *n = (struct memory_nic *)nic;
	memcpy(n->sent, p->head, p->head_len);
	n->sent_len = p->head_len;
	return 0;
}

static void memory_flush(struct nic *nic)
{
}

static const struct nic_ops memory_ops = {
	.name = "memory",
	.receive = memory_receive,
	.send = memory_send,
	.flush = memory_flush,
};

// Of this thread alone: others may share the machine.
static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static uint32_t frame_write(const struct side *e, const struct tcp_segment *seg, uint8_t *p)
{
	uint8_t tcp[TCP_HEADER_MAX];
	uint32_t len = tcp_segment_write(seg, tcp);
	uint8_t family = e->us.family;
	uint32_t at = ether_write(p, our_mac, peer_mac, 0, family == 6 ? ETHER_IP6 : ETHER_IP4);
	sum_t sum = sum_pseudo(family, e->peer.bytes, e->us.bytes, IP_TCP, len);
	uint16_t field = sum_field(sum_bytes(sum, tcp, len));
	memcpy(tcp + 16, &field, 2);
	at += ip_write(p + at, &e->peer, &e->us, IP_TCP, IP_HOP_LIMIT, len);
	memcpy(p + at, tcp, len);
	return at + len;
}

static void give(struct memory_nic *n, const struct side *e, const uint8_t *p, uint32_t len)
{
	memcpy(n->bytes[n->n], p, len);
	n->frames[n->n] = (struct nic_frame){
		.p = n->bytes[n->n], .len = len, .ip_sum = e->sum, .l4_sum = e->sum, .n_merged = 1};
	n->n++;
}

static struct tcp_segment sent_segment(const struct memory_nic *n)
{
	struct nic_frame f = {.p = (uint8_t *)n->sent, .len = n->sent_len};
	struct ether e;
	struct ip_packet ip;
	struct tcp_segment seg;
	if (ether_read(&e, &f) ||
	    (e.type == ETHER_IP4 ? ip4_read(&ip, e.body, e.body_len, true)
				 : ip6_read(&ip, e.body, e.body_len)) ||
	    ip.protocol != IP_TCP || tcp_segment_read(&seg, ip.p, ip.len)) {
		fprintf(stderr, "demux: the stack sent no segment\n");
		exit(1);
	}
	return seg;
}

// The peer's answer to the question for its MAC.
static void neighbour_give(struct memory_nic *n, const struct side *e)
{
	uint8_t p[FRAME_LEN], body[64];
	struct arp arp = {.sender = e->peer, .target = e->us};
	struct nd nd = {
		.is_advertisement = true, .is_answer = true, .has_mac = true, .target = e->peer};
	memcpy(arp.sender_mac, peer_mac, MAC_LEN);
	memcpy(nd.mac, peer_mac, MAC_LEN);
	bool is_six = e->us.family == 6;
	uint32_t at = ether_write(p, our_mac, peer_mac, 0, is_six ? ETHER_IP6 : ETHER_ARP);
	unsigned len = ARP_LEN;
	if (is_six) {
		len = nd_write(&nd, body);
		icmp_sum_set(body, len, &e->peer, &e->us);
		at += ip_write(p + at, &e->peer, &e->us, IP_ICMP6, IP_NO_TWO_HOP, len);
	} else {
		arp_write(&arp, body);
	}
	memcpy(p + at, body, len);
	give(n, e, p, at + len);
}

// A SYN of a peer makes a flow, an ACK opens it; the same ACK again is what is measured.
static void flow_open(struct memory_nic *n, struct stack *s, struct side *e, unsigned i)
{
	struct tcp_segment seg = {
		.source_port = (uint16_t)(10000 + i),
		.target_port = 7000,
		.seq = seq_of(i * 1000),
		.flags = TCP_SYN,
		.window = 65535,
		.options = {.has = TCP_HAS_MSS | TCP_HAS_TIME, .mss = 1460, .ts_val = 1},
	};
	uint8_t p[FRAME_LEN];
	give(n, e, p, frame_write(e, &seg, p));
	stack_turn(s, START);
	if (i == 0) {
		neighbour_give(n, e);
		stack_turn(s, START);
	}
	struct tcp_segment answer = sent_segment(n);
	seg.seq = seq_add(seg.seq, 1);
	seg.ack = seq_add(answer.seq, 1);
	seg.flags = TCP_ACK;
	seg.options = (struct tcp_options){
		.has = TCP_HAS_TIME, .ts_val = 2, .ts_ecr = answer.options.ts_val};
	e->frame_len = frame_write(e, &seg, e->frames[i]);
	e->acks[i] = seg;
	e->acks[i].n_merged = 1;
	give(n, e, e->frames[i], e->frame_len);
	stack_turn(s, START);
	struct flow *f = stack_accept(s, 7000, NULL);
	if (!f) {
		fprintf(stderr, "demux: flow %u did not open\n", i);
		exit(1);
	}
	e->tcp[i] = flow_tcp(f);
}

enum what {
	TURN,    // the stack takes the frames
	INPUT,   // tcp_input() alone of the same segments
	RECEIVE, // the frames are laid ready and received, and that is all
};

// ns a frame of one sample.
static double sample(struct memory_nic *n, struct stack *s, const struct side *e, unsigned n_flows,
		     enum what what)
{
	struct nic_frame frames[NIC_BURST];
	unsigned flow = 0;
	uint64_t begin = now();
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < NIC_BURST; i++, flow++) {
			unsigned k = flow % n_flows;
			if (what == INPUT)
				tcp_input(e->tcp[k], &e->acks[k], START);
			else
				n->frames[i].p = (uint8_t *)e->frames[k];
		}
		n->n = what == INPUT ? 0 : NIC_BURST;
		if (what == TURN)
			stack_turn(s, START);
		else if (what == RECEIVE)
			nic_receive(&n->nic, frames, NIC_BURST);
	}
	return (double)(now() - begin) / ROUNDS / NIC_BURST;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(struct memory_nic *n, struct stack *s, const struct side *e, unsigned n_flows,
		     enum what what)
{
	double all[SAMPLES];
	for (unsigned i = 0; i < SAMPLES; i++)
		all[i] = sample(n, s, e, n_flows, what);
	qsort(all, SAMPLES, sizeof(all[0]), by_value);
	return all[SAMPLES / 2];
}

static struct stack *stack_open(struct memory_nic *n, const struct side *e)
{
	static const uint8_t secret[16] = "a secret of ours";
	struct stack_settings set = {
		.tcp = tcp_settings_usual(),
		.n_addresses = 1,
		.addresses = {{e->us, 24}},
		.connections_max = FLOWS_MAX,
		.n_cores = 1,
	};
	struct stack *s;
	set.tcp.keepalive_idle_ns = 600 * SECOND;
	n->info = (struct nic_info){.mtu = 1500, .n_queues = 1};
	memcpy(n->info.mac, our_mac, MAC_LEN);
	n->nic = (struct nic){.ops = &memory_ops, .info = &n->info};
	if (stack_new(&n->nic, &set, secret, 1, 0, &s) || stack_listen(s, 7000, NULL, 0, 4)) {
		fprintf(stderr, "demux: no stack\n");
		exit(1);
	}
	for (uint64_t at = 0; at < START; at += SECOND)
		stack_turn(s, at); // addresses are looked for and announced
	return s;
}

int main(int argc, char **argv)
{
	static struct memory_nic n;
	static struct side e = {{4, {10, 0, 0, 2}}, {4, {10, 0, 0, 9}}, NIC_SUM_GOOD};
	unsigned n_flows = 1;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--ip6")) {
			e.us = (struct net_address){6, {0xfd, [15] = 2}};
			e.peer = (struct net_address){6, {0xfd, [15] = 9}};
		} else if (!strcmp(argv[i], "--sums")) {
			e.sum = NIC_SUM_UNKNOWN;
		} else {
			n_flows = (unsigned)strtoul(argv[i], NULL, 10);
		}
	}
	if (!n_flows || n_flows > FLOWS_MAX) {
		fprintf(stderr, "usage: demux [1-%u] [--ip6] [--sums]\n", FLOWS_MAX);
		return 2;
	}
	struct stack *s = stack_open(&n, &e);
	for (unsigned i = 0; i < n_flows; i++)
		flow_open(&n, s, &e, i);
	for (unsigned i = 0; i < NIC_BURST; i++)
		n.frames[i] = (struct nic_frame){
			.len = e.frame_len, .ip_sum = e.sum, .l4_sum = e.sum, .n_merged = 1};
	double receive = median(&n, s, &e, n_flows, RECEIVE);
	double turn = median(&n, s, &e, n_flows, TURN) - receive;
	double input = median(&n, s, &e, n_flows, INPUT);
	printf("flows %u, IPv%u, sums %s: turn %.1f ns a frame, of it tcp_input %.1f, the rest "
	       "%.1f\n",
	       n_flows, e.us.family, e.sum == NIC_SUM_GOOD ? "by the device" : "in software", turn,
	       input, turn - input);
	stack_free(s, START);
	return 0;
}
