// SPDX-License-Identifier: BSD-3-Clause
// TCP over IPv4 over Ethernet by hand, for tests of drivers that have no stack of ours.
#pragma once

#include <arpa/inet.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>

#include "drivers/nic.h"
#include "tests/unit/test.h"

struct frame_end {
	uint8_t mac[6];
	uint32_t address; // network byte order
	uint16_t port;    // host byte order
};

struct frame_tcp {
	struct frame_end from, to;
	uint32_t seq, ack;
	uint8_t flags; // TH_SYN ...
	struct {
		uint16_t aligns; // IP's header after Ethernet's 14 bytes
		uint8_t bytes[54];
	} head __attribute__((aligned(4)));
};

// RFC 1071, unfolded.
static inline uint64_t sum_add(uint64_t sum, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint64_t)p[i] << 8 | p[i + 1];
	return len & 1 ? sum + ((uint64_t)p[len - 1] << 8) : sum;
}

static inline uint16_t sum_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)sum);
}

static inline uint64_t sum_pseudo(const struct iphdr *ip, size_t len)
{
	return sum_add(sum_add(6 + len, &ip->saddr, 4), &ip->daddr, 4);
}

// Headers of a segment that carries `len` bytes at `body`, with what the device is to do.
static inline struct nic_packet frame_tcp_packet(struct frame_tcp *t, const void *body, size_t len,
						 uint32_t offloads, uint16_t mss)
{
	struct ether_header *e = (void *)t->head.bytes;
	struct iphdr *ip = (void *)(t->head.bytes + 14);
	struct tcphdr *tcp = (void *)(t->head.bytes + 34);
	memset(&t->head, 0, sizeof(t->head));
	memcpy(e->ether_dhost, t->to.mac, 6);
	memcpy(e->ether_shost, t->from.mac, 6);
	e->ether_type = htons(ETHERTYPE_IP);
	*ip = (struct iphdr){.version = 4,
			     .ihl = 5,
			     .tot_len = htons((uint16_t)(40 + len)),
			     .frag_off = htons(IP_DF),
			     .ttl = 64,
			     .protocol = IPPROTO_TCP,
			     .saddr = t->from.address,
			     .daddr = t->to.address};
	if (!(offloads & (NIC_TX_IP_SUM | NIC_TSO)))
		ip->check = (uint16_t)~sum_fold(sum_add(0, ip, 20));
	tcp->source = htons(t->from.port);
	tcp->dest = htons(t->to.port);
	tcp->seq = htonl(t->seq);
	tcp->ack_seq = htonl(t->ack);
	tcp->doff = 5;
	tcp->th_flags = t->flags;
	tcp->window = htons(65535);
	if (offloads & NIC_TSO)
		tcp->check = sum_fold(sum_pseudo(ip, 0));
	else if (offloads & NIC_TX_TCP_SUM)
		tcp->check = sum_fold(sum_pseudo(ip, 20 + len));
	else
		tcp->check = (uint16_t)~sum_fold(
			sum_add(sum_add(sum_pseudo(ip, 20 + len), tcp, 20), body, len));
	return (struct nic_packet){.head = t->head.bytes,
				   .head_len = sizeof(t->head.bytes),
				   .l2_len = 14,
				   .l3_len = 20,
				   .l4_len = 20,
				   .offloads = (uint8_t)offloads,
				   .mss = mss,
				   .n_body = len ? 1 : 0,
				   .body = {{(void *)body, len}}};
}

// @return false: it is no TCP over IPv4 without options
static inline bool frame_read_tcp(const struct nic_frame *f, struct tcphdr *tcp)
{
	if (f->len < 54 || f->p[12] != 8 || f->p[13] || f->p[14] != 0x45 || f->p[23] != IPPROTO_TCP)
		return false;
	memcpy(tcp, f->p + 34, sizeof(*tcp));
	return true;
}
