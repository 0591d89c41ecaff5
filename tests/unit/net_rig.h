// SPDX-License-Identifier: BSD-3-Clause
// A nic of plain arrays, and the frames that a test writes and reads by hand. Who plays the other
// side is PEER; its MAC is peer_mac.
#pragma once

#include "dataplane/net/ether.h"
#include "dataplane/net/icmp.h"
#include "dataplane/net/stack.h"
#include "tests/unit/net_address.h"

#define FAKE_FRAMES 512
#define FAKE_LEN    2048
#define SECOND      1000000000ull
#define MS          1000000ull

extern const uint8_t our_mac[MAC_LEN], peer_mac[MAC_LEN], everybody_mac[MAC_LEN];

struct fake_frame {
	struct nic_frame frame;
	uint8_t bytes[FAKE_LEN];
};

struct fake_nic {
	struct nic nic;
	struct nic_info info;
	unsigned n_in, at_in; // given to the stack: those before at_in
	struct fake_frame in[FAKE_FRAMES];
	unsigned n_out, at_out; // looked at by the test: those before at_out
	struct fake_frame out[FAKE_FRAMES];
	unsigned room; // sends until it says that it is full
	unsigned n_flushed;
};

// Opened, with our_mac, an MTU of 1500 and no offloads.
void fake_nic_init(struct fake_nic *n);

// A stack of one core on it: 10.0.0.2/24 and, `is_six`, 2001:db8::2/64; gateways 10.0.0.1 and
// 2001:db8::1.
struct stack_settings rig_settings(bool is_six);
struct stack *rig_stack(struct fake_nic *n, const struct stack_settings *set);

// Put one frame before the stack, as the peer's.
void give(struct fake_nic *n, const uint8_t *target, uint16_t type, const void *body, size_t len);
void give_packet(struct fake_nic *n, const struct net_address *from, const struct net_address *to,
		 uint8_t protocol, uint8_t hop_limit, const void *body, size_t len);

// The frame given last, to be spoilt.
struct nic_frame *given_last(struct fake_nic *n);

// A TCP segment with its checksum.
void give_segment(struct fake_nic *n, const struct net_address *from, const struct net_address *to,
		  const struct tcp_segment *seg);

// An ICMP message with its checksum.
void give_icmp(struct fake_nic *n, const struct net_address *from, const struct net_address *to,
	       uint8_t hop_limit, void *message, size_t len);

// The peer says under which MAC an address is found; `asked` is ours.
void give_arp_reply(struct fake_nic *n, const char *sender, const uint8_t *mac);

// The next frame that the stack sent. Fails when there is none.
struct ether taken(struct fake_nic *n);
uint16_t next_type(const struct fake_nic *n); // of it, without taking it
void expect_nothing(struct fake_nic *n);
void forget_all(struct fake_nic *n); // that was sent up to now

// The next packet that was sent, its sums verified.
struct ip_packet taken_packet(struct fake_nic *n);
struct tcp_segment taken_segment(struct fake_nic *n);

// Let time pass in steps of the stack's own deadlines.
void run_until(struct stack *s, uint64_t *now_ns, uint64_t end_ns);
