// SPDX-License-Identifier: BSD-3-Clause
// ICMP (RFC 792) and ICMPv6 (RFC 4443): what we read and write of them, and what an error says of a
// segment of ours.
#pragma once

#include "dataplane/net/ip.h"
#include "dataplane/tcp/tcp.h"

#define ICMP_LEN 8 // bytes of the head of a message

enum icmp_type {
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_ECHO = 8,
};

enum icmp6_type {
	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_ECHO = 128,
	ICMP6_ECHO_REPLY = 129,
	MLD_QUERY = 130,
	MLD1_REPORT = 131,
	ICMP6_SOLICITATION = 135,
	ICMP6_ADVERTISEMENT = 136,
	MLD2_REPORT = 143,
};

// What an error says of a segment that we sent.
struct icmp_error {
	struct tcp_tuple tuple; // as ours: local is who sent it
	struct seq seq;
	int error;    // ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EMSGSIZE
	uint32_t mtu; // with EMSGSIZE: most bytes of an IP packet
};

bool icmp_sum_is_good(const struct ip_packet *ip);

// Fill in the checksum of a message. The addresses count in ICMPv6.
void icmp_sum_set(uint8_t *p, uint32_t len, const struct net_address *source,
		  const struct net_address *target);

// Read an error about a TCP segment (RFC 5927 tells which of them count; its sequence number is for
// tcp_icmp() to check).
//
// @return 0; -ENOMSG: no error, or about something else; -EBADMSG: it does not quote enough
int icmp_error_read(struct icmp_error *e, const struct ip_packet *ip);
