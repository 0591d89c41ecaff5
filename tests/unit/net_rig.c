// SPDX-License-Identifier: BSD-3-Clause
#include "tests/tcp_settings.h"
#include "tests/unit/net_rig.h"

#include <errno.h>

#include "dataplane/net/arp.h"
#include "dataplane/net/checksum.h"

const uint8_t our_mac[MAC_LEN] = {2, 0, 0, 0, 0, 2}, peer_mac[MAC_LEN] = {2, 0, 0, 0, 0, 9};
const uint8_t everybody_mac[MAC_LEN] = {255, 255, 255, 255, 255, 255};

static int fake_receive(struct nic *nic, struct nic_frame *frames, int max)
{
	struct fake_nic *n = (struct fake_nic *)nic;
	int i = 0;
	for (; i < max && n->at_in < n->n_in; i++)
		frames[i] = n->in[n->at_in++].frame;
	if (n->at_in == n->n_in)
		n->at_in = n->n_in = 0;
	return i;
}

static int fake_send(struct nic *nic, const struct nic_packet *p)
{
	struct fake_nic *n = (struct fake_nic *)nic;
	if (!n->room)
		return -ENOBUFS;
	n->room--;
	assert_true(n->n_out < FAKE_FRAMES);
	assert_true(p->head_len <= NIC_HEAD_MAX);
	struct fake_frame *f = &n->out[n->n_out++];
	memcpy(f->bytes, p->head, p->head_len);
	uint32_t len = p->head_len;
	for (unsigned i = 0; i < p->n_body; i++) {
		assert_true(len + p->body[i].iov_len <= p->l2_len + n->info.mtu);
		memcpy(f->bytes + len, p->body[i].iov_base, p->body[i].iov_len);
		len += (uint32_t)p->body[i].iov_len;
	}
	f->frame = (struct nic_frame){.p = f->bytes, .len = len, .vlan = p->vlan, .n_merged = 1};
	return 0;
}

static void fake_flush(struct nic *nic)
{
	((struct fake_nic *)nic)->n_flushed++;
}

static const struct nic_ops fake_ops = {
	.name = "fake",
	.receive = fake_receive,
	.send = fake_send,
	.flush = fake_flush,
};

void fake_nic_init(struct fake_nic *n)
{
	memset(n, 0, sizeof(*n));
	n->info = (struct nic_info){.name = "fake", .mtu = 1500, .n_queues = 1};
	memcpy(n->info.mac, our_mac, MAC_LEN);
	n->nic.ops = &fake_ops;
	n->nic.info = &n->info;
	n->room = UINT32_MAX;
}

struct stack_settings rig_settings(bool is_six)
{
	struct stack_settings set = {
		.tcp = tcp_settings_usual(),
		.n_addresses = 1,
		.addresses = {prefix("10.0.0.2", 24)},
		.n_routes = 1,
		.routes = {{prefix("0.0.0.0", 0), at("10.0.0.1")}},
		.connections_max = 16,
		.n_cores = 1,
	};
	if (is_six) {
		set.addresses[set.n_addresses++] = prefix("2001:db8::2", 64);
		set.routes[set.n_routes++] = (struct net_route){prefix("::", 0), at("2001:db8::1")};
	}
	return set;
}

struct stack *rig_stack(struct fake_nic *n, const struct stack_settings *set)
{
	struct stack *s = NULL;
	assert_int_equal(stack_new(&n->nic, set, (const uint8_t *)"0123456789abcdef", 1, 0, &s), 0);
	return s;
}

void give(struct fake_nic *n, const uint8_t *target, uint16_t type, const void *body, size_t len)
{
	assert_true(n->n_in < FAKE_FRAMES);
	struct fake_frame *f = &n->in[n->n_in++];
	unsigned head = ether_write(f->bytes, target, peer_mac, 0, type);
	assert_true(head + len <= FAKE_LEN);
	memcpy(f->bytes + head, body, len);
	f->frame = (struct nic_frame){.p = f->bytes, .len = (uint32_t)(head + len), .n_merged = 1};
}

void give_packet(struct fake_nic *n, const struct net_address *from, const struct net_address *to,
		 uint8_t protocol, uint8_t hop_limit, const void *body, size_t len)
{
	uint8_t p[FAKE_LEN], mac[MAC_LEN];
	unsigned head = ip_write(p, from, to, protocol, hop_limit, (uint32_t)len);
	memcpy(p + head, body, len);
	memcpy(mac, our_mac, MAC_LEN);
	if (address_is_multicast(to))
		address_group_mac(to, mac);
	give(n, mac, from->family == 6 ? ETHER_IP6 : ETHER_IP4, p, head + len);
}

struct nic_frame *given_last(struct fake_nic *n)
{
	return &n->in[n->n_in - 1].frame;
}

void give_segment(struct fake_nic *n, const struct net_address *from, const struct net_address *to,
		  const struct tcp_segment *seg)
{
	uint8_t p[FAKE_LEN];
	unsigned len = tcp_segment_write(seg, p);
	if (seg->len)
		memcpy(p + len, seg->body[0].iov_base, seg->len);
	len += seg->len;
	sum_t sum = sum_pseudo(from->family, from->bytes, to->bytes, IP_TCP, len);
	uint16_t field = sum_field(sum_bytes(sum, p, len));
	memcpy(p + 16, &field, 2);
	give_packet(n, from, to, IP_TCP, IP_HOP_LIMIT, p, len);
}

void give_icmp(struct fake_nic *n, const struct net_address *from, const struct net_address *to,
	       uint8_t hop_limit, void *message, size_t len)
{
	icmp_sum_set(message, (uint32_t)len, from, to);
	give_packet(n, from, to, from->family == 6 ? IP_ICMP6 : IP_ICMP, hop_limit, message, len);
}

void give_arp_reply(struct fake_nic *n, const char *sender, const uint8_t *mac)
{
	struct arp a = {.sender = at(sender), .target = at("10.0.0.2")};
	uint8_t p[ARP_LEN];
	memcpy(a.sender_mac, mac, MAC_LEN);
	memcpy(a.target_mac, our_mac, MAC_LEN);
	arp_write(&a, p);
	give(n, our_mac, ETHER_ARP, p, sizeof(p));
}

struct ether taken(struct fake_nic *n)
{
	struct ether e;
	assert_true(n->at_out < n->n_out);
	assert_int_equal(ether_read(&e, &n->out[n->at_out++].frame), 0);
	assert_memory_equal(e.source, our_mac, MAC_LEN);
	if (n->at_out == n->n_out)
		n->at_out = n->n_out = 0; // the bytes stay until the next is sent
	return e;
}

uint16_t next_type(const struct fake_nic *n)
{
	struct ether e;
	assert_true(n->at_out < n->n_out);
	assert_int_equal(ether_read(&e, &n->out[n->at_out].frame), 0);
	return e.type;
}

void expect_nothing(struct fake_nic *n)
{
	assert_int_equal(n->at_out, n->n_out);
}

void forget_all(struct fake_nic *n)
{
	n->at_out = n->n_out = 0;
}

struct ip_packet taken_packet(struct fake_nic *n)
{
	struct ether e = taken(n);
	struct ip_packet ip;
	if (e.type == ETHER_IP4)
		assert_int_equal(ip4_read(&ip, e.body, e.body_len, false), IP_OK);
	else
		assert_int_equal(ip6_read(&ip, e.body, e.body_len), IP_OK);
	if (ip.protocol == IP_TCP) {
		sum_t sum = sum_pseudo(ip.family, ip.source, ip.target, IP_TCP, ip.len);
		assert_true(sum_is_good(sum_bytes(sum, ip.p, ip.len)));
	} else {
		assert_true(icmp_sum_is_good(&ip));
	}
	return ip;
}

struct tcp_segment taken_segment(struct fake_nic *n)
{
	struct ip_packet ip = taken_packet(n);
	struct tcp_segment seg;
	assert_int_equal(ip.protocol, IP_TCP);
	assert_int_equal(tcp_segment_read(&seg, ip.p, ip.len), 0);
	return seg;
}

void run_until(struct stack *s, uint64_t *now_ns, uint64_t end_ns)
{
	for (;;) {
		stack_turn(s, *now_ns);
		uint64_t next_ns = stack_deadline(s);
		if (next_ns <= *now_ns)
			continue;
		if (next_ns > end_ns)
			break;
		*now_ns = next_ns;
	}
	*now_ns = end_ns;
}
