// SPDX-License-Identifier: BSD-3-Clause
#include "drivers/nic_wire_frame.h"

#include <string.h>

#define IP4_SUM_AT     10
#define TCP_SEQ_AT     4
#define TCP_FLAGS_AT   13
#define TCP_SUM_AT     16
#define FLAGS_FIRST    0x80 // CWR
#define FLAGS_LAST     0x09 // FIN, PSH
#define PROTOCOL_TCP   6
#define ETHER_LEN      14
#define ETHER_TYPE_IP4 0x0800
#define ETHER_TYPE_IP6 0x86dd
#define ETHER_TYPE_TAG 0x8100
#define IP6_LEN        40

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

// RFC 1071, without the last complement. Plain on purpose: it stands against the stack's own.
static uint32_t sum(const uint8_t *p, size_t len, uint32_t begin)
{
	uint64_t total = begin;

	for (size_t i = 0; i + 1 < len; i += 2)
		total += get16(p + i);
	if (len & 1)
		total += (uint32_t)p[len - 1] << 8;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint32_t)total;
}

void nic_frame_cut(const struct nic_packet *p, uint32_t total, uint32_t from,
		   struct nic_piece *piece)
{
	uint8_t *ip = piece->head + p->l2_len, *tcp = ip + p->l3_len;

	memcpy(piece->head, p->head, p->head_len);
	piece->from = from;
	piece->len = total - from < p->mss ? total - from : p->mss;
	if (p->is_ip6) {
		put16(ip + 4, p->l3_len - IP6_LEN + p->l4_len + piece->len);
	} else {
		put16(ip + 2, (uint32_t)p->l3_len + p->l4_len + piece->len);
		put16(ip + 4, get16(ip + 4) + from / p->mss);
	}
	put32(tcp + TCP_SEQ_AT, get32(tcp + TCP_SEQ_AT) + from);
	if (from)
		tcp[TCP_FLAGS_AT] &= (uint8_t)~FLAGS_FIRST;
	if (from + piece->len < total)
		tcp[TCP_FLAGS_AT] &= (uint8_t)~FLAGS_LAST;
	uint8_t len[2];
	put16(len, p->l4_len + piece->len);
	put16(tcp + TCP_SUM_AT, sum(len, 2, get16(tcp + TCP_SUM_AT)));
}

void nic_frame_fill(const struct nic_packet *p, uint8_t *frame, uint32_t len, bool fill_tcp)
{
	uint8_t *ip = frame + p->l2_len, *tcp = ip + p->l3_len;

	if (p->offloads & (NIC_TX_IP_SUM | NIC_TSO) && !p->is_ip6) {
		put16(ip + IP4_SUM_AT, 0);
		put16(ip + IP4_SUM_AT, ~sum(ip, p->l3_len, 0));
	}
	if (fill_tcp && p->offloads & (NIC_TX_TCP_SUM | NIC_TSO))
		put16(tcp + TCP_SUM_AT, ~sum(tcp, len - p->l2_len - p->l3_len, 0));
}

static enum nic_sum verdict(uint32_t total)
{
	return total == 0xffff ? NIC_SUM_GOOD : NIC_SUM_BAD;
}

static uint32_t pseudo_header(const uint8_t *addresses, size_t len, size_t l4_len)
{
	return sum(addresses, len, (uint32_t)l4_len + PROTOCOL_TCP);
}

static void look_ip4(struct nic_frame *f, const uint8_t *ip, size_t len)
{
	if (len < 20)
		return;
	size_t l3_len = (size_t)(ip[0] & 15) * 4, total = get16(ip + 2);
	if (l3_len < 20 || total < l3_len || total > len)
		return;
	f->ip_sum = (uint8_t)verdict(sum(ip, l3_len, 0));
	if (ip[9] == PROTOCOL_TCP && total - l3_len >= 20)
		f->l4_sum = (uint8_t)verdict(sum(ip + l3_len, total - l3_len,
						 pseudo_header(ip + 12, 8, total - l3_len)));
}

static void look_ip6(struct nic_frame *f, const uint8_t *ip, size_t len)
{
	if (len < IP6_LEN)
		return;
	size_t l4_len = get16(ip + 4);
	if (l4_len > len - IP6_LEN || ip[6] != PROTOCOL_TCP || l4_len < 20)
		return;
	f->l4_sum = (uint8_t)verdict(sum(ip + IP6_LEN, l4_len, pseudo_header(ip + 8, 32, l4_len)));
}

// Like a device: of what is no TCP it says nothing.
void nic_frame_look(struct nic_frame *f)
{
	const uint8_t *p = f->p;
	size_t at = ETHER_LEN;

	if (f->len < ETHER_LEN + 4)
		return;
	uint16_t type = get16(p + 12);
	if (type == ETHER_TYPE_TAG) {
		type = get16(p + 16);
		at += 4;
	}
	if (type == ETHER_TYPE_IP4)
		look_ip4(f, p + at, f->len - at);
	else if (type == ETHER_TYPE_IP6)
		look_ip6(f, p + at, f->len - at);
}
