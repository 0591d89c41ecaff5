// SPDX-License-Identifier: BSD-3-Clause
// Arbitrary frames for a stack that has a live connection, a connection that opens and a listener.
// The input is a list of records: what kind, how long, bytes.
#include <stdbool.h>
#include <string.h>

#include "dataplane/net/checksum.h"
#include "dataplane/net/ether.h"
#include "dataplane/net/icmp.h"
#include "dataplane/net/stack.h"
#include "tests/fuzz/fuzz.h"
#include "tests/tcp_settings.h"

#define SECOND    1000000000ull
#define FRAME_LEN 1600
#define PEER_PORT 6379
#define OUR_PORT  7000

static const uint8_t our_mac[MAC_LEN] = {2, 0, 0, 0, 0, 2}, peer_mac[MAC_LEN] = {2, 0, 0, 0, 0, 9};
static const struct net_address us4 = {4, {10, 0, 0, 2}}, peer4 = {4, {10, 0, 0, 9}};
static const struct net_address us6 = {6, {0x20, 0x01, 0x0d, 0xb8, [15] = 2}};
static const struct net_address peer6 = {6, {0x20, 0x01, 0x0d, 0xb8, [15] = 9}};

// One frame in, the last one out.
struct fuzz_nic {
	struct nic nic;
	struct nic_info info;
	bool has_frame;
	struct nic_frame frame;
	uint8_t in[FRAME_LEN];
	uint8_t out[FRAME_LEN];
	struct tcp_segment sent; // the last segment, its ports are 0 without one
	unsigned n_sent;
};

static struct fuzz_nic nic;

static int fuzz_receive(struct nic *n, struct nic_frame *frames, int max)
{
	if (!nic.has_frame)
		return 0;
	nic.has_frame = false;
	frames[0] = nic.frame;
	return 1;
}

// All that goes out is well formed, whatever came in.
static void sent_check(const uint8_t *p, uint32_t len)
{
	struct nic_frame f = {.p = nic.out, .len = len};
	struct ether e;
	struct ip_packet ip;
	CHECK(!ether_read(&e, &f) && !memcmp(e.source, our_mac, MAC_LEN));
	if (e.type == ETHER_ARP)
		return;
	CHECK((e.type == ETHER_IP4 ? ip4_read(&ip, e.body, e.body_len, false)
				   : ip6_read(&ip, e.body, e.body_len)) == IP_OK);
	if (ip.protocol != IP_TCP) {
		CHECK(icmp_sum_is_good(&ip));
		return;
	}
	sum_t sum = sum_pseudo(ip.family, ip.source, ip.target, IP_TCP, ip.len);
	CHECK(sum_is_good(sum_bytes(sum, ip.p, ip.len)));
	CHECK(!tcp_segment_read(&nic.sent, ip.p, ip.len));
}

static int fuzz_send(struct nic *n, const struct nic_packet *p)
{
	uint32_t len = p->head_len;
	CHECK(len <= NIC_HEAD_MAX);
	memcpy(nic.out, p->head, len);
	for (unsigned i = 0; i < p->n_body; i++) {
		CHECK(len + p->body[i].iov_len <= p->l2_len + nic.info.mtu);
		memcpy(nic.out + len, p->body[i].iov_base, p->body[i].iov_len);
		len += (uint32_t)p->body[i].iov_len;
	}
	sent_check(nic.out, len);
	nic.n_sent++;
	return 0;
}

static void fuzz_flush(struct nic *n)
{
}

static const struct nic_ops fuzz_ops = {
	.name = "fuzz",
	.receive = fuzz_receive,
	.send = fuzz_send,
	.flush = fuzz_flush,
};

// What a record turns into a frame.
struct record {
	const uint8_t *p;
	size_t len;
};

static void frame_put(uint16_t type, const uint8_t *body, size_t len)
{
	unsigned head = ether_write(nic.in, our_mac, peer_mac, 0, type);
	if (len > FRAME_LEN - head)
		len = FRAME_LEN - head;
	memcpy(nic.in + head, body, len);
	nic.frame = (struct nic_frame){.p = nic.in, .len = (uint32_t)(head + len), .n_merged = 1};
	nic.has_frame = true;
}

static void frame_raw(const struct record *r)
{
	size_t len = r->len < FRAME_LEN ? r->len : FRAME_LEN;
	memcpy(nic.in, r->p, len);
	nic.frame = (struct nic_frame){.p = nic.in, .len = (uint32_t)len, .n_merged = 1};
	nic.has_frame = true;
}

// A packet of ours to us, whose payload is arbitrary but whose sums are right. The first bytes name
// family, protocol and hop limit.
static void frame_packet(const struct record *r)
{
	uint8_t p[FRAME_LEN], body[512];
	if (r->len < 4)
		return;
	size_t len = r->len - 3 < sizeof(body) ? r->len - 3 : sizeof(body);
	const struct net_address *from = r->p[0] & 1 ? &peer6 : &peer4;
	const struct net_address *to = r->p[0] & 1 ? &us6 : &us4;
	memcpy(body, r->p + 3, len);
	if (len >= 4 && (r->p[1] == IP_ICMP || r->p[1] == IP_ICMP6))
		icmp_sum_set(body, (uint32_t)len, from, to);
	unsigned head = ip_write(p, from, to, r->p[1], r->p[2], (uint32_t)len);
	memcpy(p + head, body, len);
	frame_put(from->family == 6 ? ETHER_IP6 : ETHER_IP4, p, head + len);
	nic.frame.l4_sum = NIC_SUM_GOOD;
}

// A segment near what the stack sent last: the first bytes move its numbers.
static void frame_segment(const struct record *r)
{
	uint8_t p[FRAME_LEN], tcp[TCP_HEADER_MAX];
	const struct tcp_segment *last = &nic.sent;
	if (r->len < 6)
		return;
	struct tcp_segment seg = {
		.source_port = last->target_port,
		.target_port = r->p[0] & 0x80 ? OUR_PORT : last->source_port,
		.seq = seq_add(last->ack, (uint32_t)(int8_t)r->p[1] << (r->p[0] & 15)),
		.ack = seq_add(last->seq, tcp_segment_span(last) + (uint32_t)(int8_t)r->p[2]),
		.flags = r->p[3],
		.window = (uint16_t)(r->p[4] << 8 | r->p[5]),
	};
	size_t len = r->len - 6;
	unsigned head = tcp_segment_write(&seg, tcp);
	unsigned ip = ip_write(p, &peer4, &us4, IP_TCP, 64, (uint32_t)(head + len));
	if (ip + head + len > sizeof(p))
		return;
	memcpy(p + ip, tcp, head);
	memcpy(p + ip + head, r->p + 6, len);
	if (r->p[0] & 0x40 && len >= 4) { // the payload's first bytes are options
		p[ip + 12] = 0x60;
	}
	frame_put(ETHER_IP4, p, ip + head + len);
	nic.frame.l4_sum = NIC_SUM_GOOD;
}

static struct stack *stack_begin(struct flow **live)
{
	static const uint8_t secret[16];
	struct stack_settings set = {
		.tcp = tcp_settings_usual(),
		.n_addresses = 2,
		.addresses = {{us4, 24}, {us6, 64}},
		.connections_max = 4,
		.n_cores = 1,
	};
	struct stack *s;
	memset(&nic, 0, sizeof(nic));
	nic.info = (struct nic_info){.mtu = 1500, .n_queues = 1};
	memcpy(nic.info.mac, our_mac, MAC_LEN);
	nic.nic = (struct nic){.ops = &fuzz_ops, .info = &nic.info};
	CHECK(!stack_new(&nic.nic, &set, secret, 1, SECOND, &s));
	CHECK(!stack_listen(s, OUR_PORT, NULL, 0, 2));
	CHECK(!stack_connect(s, &peer4, PEER_PORT, NULL, SECOND, live));
	stack_turn(s, SECOND);
	return s;
}

// The neighbour answers, the connection is established and has bytes in flight.
static void stack_live(struct stack *s, struct flow *live)
{
	static const uint8_t answer[28] = {0,  1, 8, 0, 6, 4, 0, 2, 2, 0, 0,  0, 0, 9,
					   10, 0, 0, 9, 2, 0, 0, 0, 0, 2, 10, 0, 0, 2};
	static char bytes[5000];
	struct iovec iov = {bytes, sizeof(bytes)};
	frame_put(ETHER_ARP, answer, sizeof(answer));
	stack_turn(s, SECOND);
	CHECK(nic.sent.flags == TCP_SYN);
	frame_segment(&(struct record){(const uint8_t *)"\0\0\0\x12\xff\xff", 6});
	stack_turn(s, SECOND);
	CHECK(tcp_state(flow_tcp(live)) == TCP_ESTABLISHED);
	CHECK(tcp_write(flow_tcp(live), &iov, 1, SECOND) == sizeof(bytes));
	flow_touch(live);
	stack_turn(s, SECOND);
}

static void turns(struct stack *s, struct flow *live, uint64_t now_ns)
{
	unsigned events, n = 0;
	struct flow *f;
	char bytes[1024];
	do {
		stack_turn(s, now_ns);
		CHECK(++n < 1000); // it comes to rest
	} while (stack_deadline(s) <= now_ns);
	while ((f = stack_next_news(s, &events)))
		CHECK(f == live && events);
	CHECK(!tcp_check(flow_tcp(live)));
	while (tcp_read(flow_tcp(live), bytes, sizeof(bytes), now_ns) > 0)
		flow_touch(live);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	uint64_t now_ns = SECOND;
	struct flow *live = NULL;
	struct stack *s = stack_begin(&live);
	stack_live(s, live);
	while (len >= 2) {
		size_t n = p[1] < len - 2 ? p[1] : len - 2;
		struct record r = {p + 2, n};
		switch (p[0] & 3) {
		case 0:
			frame_raw(&r);
			break;
		case 1:
			frame_packet(&r);
			break;
		case 2:
			frame_segment(&r);
			break;
		default:
			now_ns += 1ull << (p[0] >> 2) % 36;
		}
		turns(s, live, now_ns);
		p += 2 + n;
		len -= 2 + n;
	}
	stack_free(s, now_ns);
	return 0;
}
