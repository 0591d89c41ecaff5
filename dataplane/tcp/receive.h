// SPDX-License-Identifier: BSD-3-Clause
// What has arrived: bytes at their place, in order or not, and the list of what lies behind a hole.
// A packet is copied from at once and never kept.
//
// Places are positions in sequence space of 64 bits: the SYN is POSITION_SYN, the first byte the
// one behind it, and the FIN the one behind the last byte.
#pragma once

#include "dataplane/tcp/buffer.h"
#include "dataplane/tcp/segment.h"

// So high that what is older than the SYN still has a position; and the low 32 bits of a position
// are what is to be added to the initial sequence number.
#define POSITION_SYN  (1ull << 32)
#define POSITION_DATA (POSITION_SYN + 1)
#define POSITION_NONE UINT64_MAX

// Holes that are kept track of. One more and what lies farthest is forgotten (RFC 2018, 8 allows
// it), so the work for a segment stays bounded whatever the peer sends.
#define RUNS_MAX 4096

struct run { // [from, to)
	uint64_t from, to;
};

struct receive {
	struct buffer buffer;
	uint64_t read;     // of the next byte for the application
	uint64_t next;     // RCV.NXT: everything before it is there
	uint64_t fin;      // of the peer's FIN; POSITION_NONE: not seen yet
	struct run *runs;  // a ring in order of position, with a hole before each
	uint32_t n_slots;  // of the ring, a power of two
	uint32_t head, n;  // runs[head % n_slots] is the first of n
	struct run repeat; // what came twice and is not yet reported (RFC 2883); empty: nothing
	uint64_t recent[TCP_SACK_MAX]; // positions in the runs that were last reported first
	uint64_t n_forgotten; // segments that found no room in the list, and runs that made it
};

enum arrival {
	ARRIVED_IN_ORDER,
	ARRIVED_FILLING,   // in order, with a hole behind it: acknowledge at once
	ARRIVED_BEHIND,    // behind a hole: acknowledge at once
	ARRIVED_TWICE,     // nothing of it was new
	ARRIVED_FORGOTTEN, // no memory, or no room in the list
};

void receive_init(struct receive *r, struct block_pool *pool);
void receive_fini(struct receive *r);

// Take bytes over. They end within the window.
enum arrival receive_put(struct receive *r, uint64_t at, const void *p, size_t len);

// The peer's FIN stands at `at`. It is passed when all before it is there. One that contradicts
// what is known already is ignored.
void receive_fin(struct receive *r, uint64_t at);

// A repetition that lies before what is expected, to be reported.
void receive_repeat(struct receive *r, uint64_t from, uint64_t to);

// Bytes in order that the application has not read.
static inline uint64_t receive_readable(const struct receive *r)
{
	return (r->next > r->fin ? r->fin : r->next) - r->read;
}

static inline bool receive_ended(const struct receive *r)
{
	return r->next > r->fin;
}

// Copy what is readable. @return bytes
size_t receive_read(struct receive *r, void *p, size_t len);

// Blocks for an acknowledgement (RFC 2018, 4; RFC 2883, 4): a repetition first, then the runs in
// the order in which they last grew.
//
// @return blocks written, `max` at most
unsigned receive_sack(const struct receive *r, struct run out[], unsigned max);

// An acknowledgement with them went out.
void receive_reported(struct receive *r);

const char *receive_check(const struct receive *r); // NULL, or what does not hold
