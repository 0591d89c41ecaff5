// SPDX-License-Identifier: BSD-3-Clause
// The trace of a connection: what has last happened to it, always on. One ring of 16-byte records
// for each flow, in the memory that flyoverd shares; `flyover debug trace` prints it, and a
// connection that fails leaves its ring in a file.
//
//   owning core: trace_open() -> trace_put(), trace_segment() ... -> trace_failed() | trace_close()
//   any process: trace_read() -> trace_text() of each line
//
// One writer, its core; readers copy, then look how far the writer has come meanwhile. A record
// holds its distance to the one before; every TRACE_ANCHOR records, and after a long silence, one
// holds the time itself.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_RECORDS   1024 // of a ring, a power of two
#define TRACE_ANCHOR    64
#define TRACE_FLOWS_MAX 1024
#define TRACE_NO_LINK   0
#define TRACE_RTO_ALARM 3 // timeouts in a row that are worth a file
#define TRACE_TEXT_LEN  160

// What is recorded: name, first word, the numbers behind it. A number is {field:name} or
// {field:name:form}; fields a and b have 32 bits, c and d 16, e 6. Forms: us (a time), state, drop,
// errno, end, flags; none: decimal. Sequence numbers count from the initial ones, as people read
// them; a and b hold UINT32_MAX for all that is larger.
#define TRACE_KINDS(X)                                                                             \
	X(TIME, "time", "")                                                                        \
	X(OUT, "out", "{e:flags:flags} seq {a:seq}+{c:len} ack {b:ack} win {d:window}")            \
	X(IN, "in", "{e:flags:flags} seq {a:seq}+{c:len} ack {b:ack} win {d:window}")              \
	X(AGAIN, "again", "{e:flags:flags} seq {a:seq}+{c:len} ack {b:ack} win {d:window}")        \
	X(STATE, "state", "{c:from:state} -> {d:to:state}")                                        \
	X(SACK, "sack", "{a:from} to {b:to}")                                                      \
	X(DROP, "drop", "{c:reason:drop}, seq {a:seq}+{d:len} ack {b:ack}")                        \
	X(CHALLENGE, "challenge", "for seq {a:seq} ack {b:ack}")                                   \
	X(RTO, "RTO", "{c:n} of {a:rto_us:us}, una {b:una}")                                       \
	X(TLP, "TLP", "seq {a:seq}+{c:len}")                                                       \
	X(REORDER, "reorder", "timer: {a:lost} bytes lost, una {b:una}")                           \
	X(RECOVERY, "recovery", "begins, cwnd {a:cwnd} ssthresh {b:ssthresh}")                     \
	X(RECOVERED, "recovered", "cwnd {a:cwnd} ssthresh {b:ssthresh}")                           \
	X(UNDO, "undo", "of a loss that was none, cwnd {a:cwnd} ssthresh {b:ssthresh}")            \
	X(PATH, "path", "rtt {a:rtt_us:us} cwnd {b:cwnd}")                                         \
	X(WINDOW_SHUT, "shut", "by the peer at {a:right_edge}")                                    \
	X(WINDOW_OPEN, "opened", "by the peer to {a:right_edge}")                                  \
	X(OUR_WINDOW_SHUT, "full", "our window is shut at {a:right_edge}")                         \
	X(OUR_WINDOW_OPEN, "room", "our window reaches {a:right_edge}")                            \
	X(PERSIST, "persist", "probe {c:n}, the next in {a:next_us:us}")                           \
	X(KEEPALIVE, "keepalive", "probe {c:n}")                                                   \
	X(MSS, "mss", "{c:from} -> {d:to}")                                                        \
	X(ICMP, "icmp", "{c:error:errno}, seq {a:seq} mtu {d:mtu}")                                \
	X(CLOSE, "close", "by us: {c:how:end}, {a:unsent} unsent {b:unacked} unacked")             \
	X(FAILED, "failed", "{c:error:errno}, {a:unacked} unacked")

enum trace_kind {
#define X(name, word, format) TRACE_##name,
	TRACE_KINDS(X)
#undef X
	TRACE_KIND_COUNT
};
_Static_assert(TRACE_KIND_COUNT <= 64, "a kind has 6 bits");

// Why a received segment came to nothing (TRACE_DROP, field c).
#define TRACE_DROPS(X)                                                                             \
	X(OUTSIDE, "outside the window")                                                           \
	X(PAWS, "old timestamp")                                                                   \
	X(NO_TIMESTAMP, "no timestamp")                                                            \
	X(NO_ACK, "no ACK flag")                                                                   \
	X(BAD_ACK, "ACK out of range")                                                             \
	X(BAD_RST, "RST that does not fit")                                                        \
	X(SYN, "SYN within a connection")                                                          \
	X(DUPLICATE, "had already")                                                                \
	X(NO_ROOM, "no room")                                                                      \
	X(CLOSED, "nobody reads any more")                                                         \
	X(BAD_STATE, "not in this state")

enum trace_drop {
#define X(name, text) TRACE_DROP_##name,
	TRACE_DROPS(X)
#undef X
	TRACE_DROP_COUNT
};

enum trace_end { TRACE_END_SHUTDOWN, TRACE_END_CLOSE, TRACE_END_ABORT };

// Bits, from the lowest: distance to the record before in us (20), kind (6), e (6), c (16), d (16);
// a (32), b (32). TRACE_TIME: the distance is 0, the second word is the time in us.
struct trace_record {
	_Atomic uint64_t head, tail;
};
_Static_assert(sizeof(struct trace_record) == 16, "crosses processes");

// Whose connection it is. Addresses in network byte order, IPv4 in the first four bytes.
struct trace_flow {
	uint8_t family; // 4 or 6; 0: the ring was never used
	uint8_t local[16], remote[16];
	uint16_t local_port, remote_port; // host byte order
	uint32_t link;                    // its number (struct endpoint), or TRACE_NO_LINK
};

// Writer: the core that owns the flow.
struct trace_ring {
	_Atomic uint64_t head; // records ever written
	uint64_t last_us;      // of the newest record; the writer's own
	uint32_t index;        // of this ring
	_Atomic uint32_t life; // odd while `flow` and `first` change
	_Atomic uint32_t is_open;
	_Atomic uint64_t first; // index of the first record of this flow
	struct trace_flow flow;
	struct trace_record records[TRACE_RECORDS] __attribute__((aligned(64)));
} __attribute__((aligned(64)));

// All rings; the contract holds one. Pages that no flow has used take no memory.
struct trace_zone {
	// Times that a ring was worth keeping. Written by its core, apart from the rings, so that
	// flyoverd can look often.
	_Atomic uint32_t alarms[TRACE_FLOWS_MAX];
	struct trace_ring rings[TRACE_FLOWS_MAX];
};

// ---- Writing. Of a ring that is NULL nothing is recorded.

// Begin the trace of a flow in a ring that no other flow has any more.
//
// @param index  of the flow's slot, below TRACE_FLOWS_MAX
struct trace_ring *trace_open(struct trace_zone *z, uint32_t index, const struct trace_flow *flow);

// Say which link it serves, once that is known.
void trace_set_link(struct trace_ring *r, uint32_t link);

// The flow is gone; its trace stays until the slot is used again.
void trace_close(struct trace_ring *r);

// The connection has failed: recorded, and kept in a file if a timeout or a reset ended it.
//
// @param error  errno
void trace_failed(struct trace_ring *r, uint64_t now_ns, int error, uint64_t unacked);

// A retransmission timeout, the n-th in a row: TRACE_RTO_ALARM of them are worth a file.
void trace_rto(struct trace_ring *r, uint64_t now_ns, unsigned n, uint64_t rto_ns, uint32_t una);

static inline uint32_t trace_clip32(uint64_t v)
{
	return v < UINT32_MAX ? (uint32_t)v : UINT32_MAX;
}

static inline uint32_t trace_clip16(uint64_t v)
{
	return v < UINT16_MAX ? (uint32_t)v : UINT16_MAX;
}

// The fence lets a reader that saw any of this record see the head before it (trace_read()).
static inline void trace_write(struct trace_ring *r, uint64_t head, uint64_t tail)
{
	uint64_t at = atomic_load_explicit(&r->head, memory_order_relaxed);
	struct trace_record *record = &r->records[at % TRACE_RECORDS];
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&record->head, head, memory_order_relaxed);
	atomic_store_explicit(&record->tail, tail, memory_order_relaxed);
	atomic_store_explicit(&r->head, at + 1, memory_order_release);
}

// @return the distance to the record before; an anchor is set where it does not fit or is due
static inline uint64_t trace_distance(struct trace_ring *r, uint64_t now_ns)
{
	uint64_t now_us = now_ns / 1000, distance = now_us - r->last_us;
	uint64_t at = atomic_load_explicit(&r->head, memory_order_relaxed);
	r->last_us = now_us;
	if (__builtin_expect(distance >> 20 == 0 && at % TRACE_ANCHOR, 1))
		return distance;
	trace_write(r, (uint64_t)TRACE_TIME << 20, now_us);
	return 0;
}

static inline void trace_record(struct trace_ring *r, uint64_t now_ns, enum trace_kind kind,
				uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e)
{
	if (!r)
		return;
	uint64_t head = trace_distance(r, now_ns) | (uint64_t)kind << 20 | (uint64_t)(e & 63) << 26;
	trace_write(r, head | (uint64_t)(c & 0xffff) << 32 | (uint64_t)d << 48,
		    (uint64_t)b << 32 | a);
}

// Record anything but a segment; fields that the kind does not have are 0.
static inline void trace_put(struct trace_ring *r, uint64_t now_ns, enum trace_kind kind,
			     uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	trace_record(r, now_ns, kind, a, b, c, d, 0);
}

// Record a segment: TRACE_OUT, TRACE_AGAIN or TRACE_IN.
//
// @param flags   of the header; the lowest six are kept
// @param window  as it stands on the wire
static inline void trace_segment(struct trace_ring *r, uint64_t now_ns, enum trace_kind kind,
				 uint8_t flags, uint32_t seq, uint32_t len, uint32_t ack,
				 uint16_t window)
{
	trace_record(r, now_ns, kind, seq, ack, trace_clip16(len), window, flags);
}

// ---- Reading, from any process.

struct trace_line {
	uint64_t time_us; // of the writer's monotonic clock
	enum trace_kind kind;
	uint32_t a, b;
	uint16_t c, d;
	uint8_t e;
};

struct trace_view {
	struct trace_flow flow;
	bool is_open;
	uint64_t written; // records of this flow ever, anchors among them
	unsigned n;
	struct trace_line lines[TRACE_RECORDS]; // the oldest first
};

// Copy what a ring holds, while its core goes on writing.
//
// @return 0; -ENOENT: no flow has used it; -EAGAIN: it changed hands again and again meanwhile
int trace_read(const struct trace_zone *z, uint32_t index, struct trace_view *out);

// The word of a line's kind, "out".
const char *trace_word(enum trace_kind kind);

// A line for people, without its time: "out [P.] seq 1448+1448 ack 77 win 512".
//
// @param out  TRACE_TEXT_LEN bytes
void trace_text(const struct trace_line *line, char *out);

// The next number of a line, with its name.
//
// @param at    in: where the last call ended, 0 at first
// @param name  out: NUL-terminated, name_len bytes
// @return false when there are no more
bool trace_number(const struct trace_line *line, unsigned *at, char *name, unsigned name_len,
		  uint32_t *value);

// "10.0.0.1:6379", "[fd00::1]:6379". @param out  64 bytes
void trace_address(const struct trace_flow *f, bool remote, char *out);
