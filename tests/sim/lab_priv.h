// SPDX-License-Identifier: BSD-3-Clause
// For tests/sim/lab*.c alone.
#pragma once

#include "dataplane/net/stack.h"
#include "tests/sim/lab.h"
#include "tests/sim/pcap.h"

#define LAB_NEVER   UINT64_MAX
#define PATTERN_LEN 65521 // a prime: nothing else here has its period
#define ETHER_LEN   14

// One application with its end of a connection.
struct side {
	unsigned flow, end;
	struct lab_app app;
	struct tcp *tcp; // NULL before it opens and once it is gone
	struct flow *flow_of_stack;
	uint64_t sent, received;
	bool is_opened, can_read, can_write; // as TCP's events said
	bool is_shut, is_ended, is_closed, is_gone;
	int error;
	uint64_t opened_ns, gone_ns;
	uint64_t piece_at;       // bytes of the piece that is being written
	bool is_due;             // bare: it got segments
	uint64_t next_write_ns;  // not before
	uint64_t read_credit_ns; // a slow reader has read what it may up to then
	struct seq too_big_seq;  // bare: ICMP on its way back
	uint64_t too_big_ns;     // when it comes; LAB_NEVER
	uint16_t too_big_mtu;
	uint64_t n_steps;
};

// What one end has said on the wire, of one connection. Positions are unwrapped: 0 is the SYN.
struct watched {
	bool has_syn, has_ack, has_fin, has_scale, has_time, has_sack;
	struct seq first; // of the SYN
	uint32_t first_time;
	unsigned shift;
	uint32_t mss;
	uint64_t next;                // behind the last octet that it sent
	uint64_t fin;                 // position of the FIN
	uint64_t ack;                 // position in the other's stream that it acknowledged last
	uint64_t edge;                // the right edge of the window that it gave
	uint64_t n_at[LAB_RULES_MAX]; // frames that met the rule
};

struct lab_flow {
	uint64_t open_ns;
	bool is_begun;
	struct side sides[2];
	struct watched watched[2];
};

struct lab_end; // of lab_bare.c or lab_stack.c

struct lab_end_ops {
	int (*new)(struct lab *l, unsigned end);
	void (*free)(struct lab *l, unsigned end);
	int (*open)(struct lab *l, struct side *s);
	// Take what has arrived, let timers and applications do, send. @return something happened
	bool (*step)(struct lab *l, unsigned end);
	uint64_t (*deadline)(struct lab *l, unsigned end);
	// What the path does about a packet that is too big.
	void (*too_big)(struct lab *l, unsigned end, const uint8_t *frame, uint32_t len,
			uint16_t mtu);
};

extern const struct lab_end_ops lab_bare, lab_stack;

struct wire_owner { // what a wire's hooks get
	struct lab *lab;
	unsigned end;
	// Of the frame that was put last.
	bool is_tcp;
	struct tcp_segment segment;
	struct lab_flow *flow;
	uint32_t packet_len;
};

struct lab {
	struct lab_settings set;
	const struct lab_end_ops *ops;
	uint64_t now_ns;
	struct wire *wire[2];
	struct wire_owner owner[2];
	struct pcap *pcap[2];
	struct lab_flow flows[LAB_FLOWS_MAX];
	unsigned n_flows;
	struct tcp_host *host[2];
	struct stack *stack[2];
	struct nic *nic[2];
	uint64_t n_segments[2];
	uint64_t n_steps, n_idle, n_busy; // of the ends: without and with something to do
	char error[256];
	uint8_t *pattern; // twice PATTERN_LEN
};

// The first thing that went wrong is kept.
void lab_fail(struct lab *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Bytes of the stream of a connection's end, at most PATTERN_LEN of them.
const uint8_t *pattern_at(const struct lab *l, unsigned flow, unsigned end, uint64_t at);

// The application's turn. @param events  enum tcp_event that TCP told of
// @return it did something
bool side_step(struct lab *l, struct side *s, unsigned events);
uint64_t side_deadline(const struct lab *l, const struct side *s);

// The connection is no more.
void side_gone(struct lab *l, struct side *s);

// A router's answer to a frame over the MTU, as a frame.
//
// @param out  2048 bytes
// @return its length
uint32_t icmp_too_big(const uint8_t *frame, uint32_t len, uint16_t mtu, uint8_t *out);

// What must hold of a connection between its steps.
//
// @param is_waited_for  somebody else comes back to it though none of its timers runs
void side_check(struct lab *l, struct side *s, bool is_waited_for);

// The hooks of the wires.
void watch_tap(void *owner, const uint8_t *frame, uint32_t len, uint64_t now_ns, bool is_taken);
enum wire_verdict watch_match(void *owner, const uint8_t *frame, uint32_t len, uint64_t now_ns);

// Find the TCP segment in a frame. @return false: there is none
bool watch_read(const uint8_t *frame, uint32_t len, struct tcp_segment *s, uint32_t *packet_len);
