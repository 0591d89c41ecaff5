// SPDX-License-Identifier: BSD-3-Clause
// A lab: two ends, two simulated wires between them, one clock that jumps from event to event.
//
//   lab_new() -> lab_connect() for each connection -> lab_run() -> lab_received(), lab_tcp() ...
//
// An end is either bare connections (dataplane/tcp alone, in frames that have only what is needed)
// or a whole stack (dataplane/net over drivers/nic_wire). All that is sent is a known pattern, and
// everything that goes over the wires is held against it and against what TCP may never do
// (lab_watch.c). The same settings give the same run, to the nanosecond.
#pragma once

#include "dataplane/tcp/tcp.h"
#include "drivers/wire.h"

#define LAB_FLOWS_MAX 8
#define LAB_RULES_MAX 4
#define LAB_PORT      6379 // of the server of the first connection; the next has the next

enum lab_level { LAB_BARE, LAB_STACK };

// Frames that are lost for what they carry, beside what the wire loses by itself.
enum lab_rule_kind {
	LAB_LOSE_SYN = 1, // the first `n` with SYN
	LAB_LOSE_FIN,     // the first `n` with FIN
	LAB_LOSE_ACK,     // all without payload, from_ns to to_ns after the beginning
	LAB_LOSE_AT,      // the first `n` that carry the byte at position `at`
	LAB_LOSE_LONG,    // all packets of more than `at` bytes, from_ns to to_ns: a black hole
};

struct lab_rule {
	enum lab_rule_kind kind;
	unsigned n;
	uint64_t at;
	uint64_t from_ns, to_ns;
};

struct lab_settings {
	enum lab_level level;
	uint64_t seed;
	uint64_t begin_ns; // the clock at the beginning
	struct tcp_settings tcp[2];
	// [i]: of what end i sends. Times within count from the beginning; tap, match, too_big and
	// owner are the lab's.
	struct wire_settings wire[2];
	bool tells_too_big; // the path sends ICMP when a packet is over its MTU
	struct lab_rule rules[2][LAB_RULES_MAX];
	bool is_blind;        // do not look at what goes over the wires: for speed
	unsigned check_every; // tcp_check() after each n-th step of a connection; 0: never
	const char *pcap;     // what the names of two captures begin with; NULL: none

	// LAB_BARE only: options (enum tcp_option) that the path takes out of SYNs
	uint8_t strip;

	// LAB_STACK only
	bool is_ip6;
	uint16_t vlan;
	uint16_t mtu; // of both nics; 0: 1500
	uint32_t offloads[2];
	uint8_t sums; // enum nic_sum
	double refuse;
};

enum lab_quit {
	LAB_SHUT,  // after the last byte: half close, read to the peer's end, close
	LAB_CLOSE, // at quit_ns: close, whatever is under way
	LAB_ABORT, // at quit_ns: RST
};

// What one end's application does.
struct lab_app {
	uint64_t send;     // bytes in all
	uint32_t piece;    // bytes of one write; 0: 65536
	uint64_t pause_ns; // after each piece
	// It may have written so much: first + received / per_in * per_out. per_in 0: everything.
	uint64_t first;
	uint32_t per_in, per_out;
	uint64_t read_rate;                   // bytes/s of a slow reader; 0: at once
	uint64_t deaf_from_ns, deaf_until_ns; // does not read, counted from the opening
	enum lab_quit quit;
	uint64_t quit_ns; // counted from the beginning
};

struct lab;

// @return NULL: no memory, or settings that make no sense
struct lab *lab_new(const struct lab_settings *set);
void lab_free(struct lab *l);

// Add a connection, which end 0 opens at `at_ns` from the beginning.
//
// @param apps  of end 0 and end 1
// @return its number, or -errno
int lab_connect(struct lab *l, const struct lab_app apps[2], uint64_t at_ns);

// Go on until every connection is gone from both ends, or for so long.
//
// @param for_ns  from the beginning
// @return NULL, or what went wrong: a sentence that stays the lab's
const char *lab_run(struct lab *l, uint64_t for_ns);

bool lab_is_over(const struct lab *l); // every connection is gone
uint64_t lab_now(const struct lab *l); // ns from the beginning

// Of a connection at an end.
uint64_t lab_received(const struct lab *l, unsigned flow, unsigned end); // bytes that it has read
bool lab_is_complete(const struct lab *l, unsigned flow, unsigned end);  // all, and the end
bool lab_was_open(const struct lab *l, unsigned flow, unsigned end);
int lab_error(const struct lab *l, unsigned flow, unsigned end);        // errno, 0: none
uint64_t lab_gone_ns(const struct lab *l, unsigned flow, unsigned end); // 0: it is not
struct tcp *lab_tcp(const struct lab *l, unsigned flow, unsigned end);  // NULL: not open

struct wire *lab_wire(const struct lab *l, unsigned end); // what this end sends through
uint64_t lab_segments(const struct lab *l, unsigned end); // put on its wire

// The first sequence number of an end, and its first timestamp (0: it sends none), as seen on the
// wire. @return false: it has sent no SYN
bool lab_first_numbers(const struct lab *l, unsigned flow, unsigned end, uint32_t *seq,
		       uint32_t *time);
