// SPDX-License-Identifier: BSD-3-Clause
// A TCP segment as numbers, and as bytes (RFC 9293, 3.1; RFC 7323; RFC 2018).
#pragma once

#include <stddef.h>
#include <sys/uio.h>

#include "dataplane/tcp/seq.h"

#define TCP_HEADER_MIN 20
#define TCP_HEADER_MAX 60
#define TCP_SACK_MAX   4

enum tcp_flag {
	TCP_FIN = 1,
	TCP_SYN = 2,
	TCP_RST = 4,
	TCP_PSH = 8,
	TCP_ACK = 16,
	TCP_URG = 32,
	TCP_ECE = 64,
	TCP_CWR = 128,
};

struct tcp_range {
	struct seq from, to; // [from, to)
};

enum tcp_option { // which of the options below are there
	TCP_HAS_MSS = 1,
	TCP_HAS_SCALE = 2,
	TCP_HAS_SACK_OK = 4,
	TCP_HAS_TIME = 8,
};

struct tcp_options {
	uint8_t has;   // enum tcp_option
	uint8_t scale; // shift of the window, as it stands (above 14 counts as 14)
	uint8_t n_sack;
	uint16_t mss;
	uint32_t ts_val, ts_ecr;
	struct tcp_range sack[TCP_SACK_MAX];
};

struct tcp_segment {
	uint16_t source_port, target_port; // host byte order
	struct seq seq, ack;
	uint8_t flags;   // enum tcp_flag
	uint16_t window; // as it stands on the wire, not scaled
	uint16_t urgent;
	uint16_t n_merged; // received: segments that this was made of, at least 1
	struct tcp_options options;
	// The payload. Received: body[0], which stays the packet's, or lies at tcp_place(). To be
	// sent: one or two pieces of the send buffer, good until the next call with this
	// connection.
	struct iovec body[2];
	uint32_t len; // bytes of the payload
	uint32_t mss; // to be sent: cut the payload into pieces of so many bytes; 0: one segment
};

// Octets of sequence space: the payload, SYN and FIN.
static inline uint32_t tcp_segment_span(const struct tcp_segment *s)
{
	return s->len + !!(s->flags & TCP_SYN) + !!(s->flags & TCP_FIN);
}

// Read a header and its options. Unknown options are skipped. The checksum was verified before.
//
// @param p  header and payload, as long as the IP packet says
// @return 0, or -EBADMSG: header, data offset or an option's length does not fit
int tcp_segment_read(struct tcp_segment *s, uint8_t *p, size_t len);

// Write header and options, the checksum as 0.
//
// @param p  TCP_HEADER_MAX bytes
// @return bytes written, a multiple of 4
unsigned tcp_segment_write(const struct tcp_segment *s, uint8_t *p);
