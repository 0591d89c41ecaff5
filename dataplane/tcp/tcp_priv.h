// SPDX-License-Identifier: BSD-3-Clause
// A connection from within. Who does what:
//
//   host.c     what the connections of a core share: memory, secrets, limits
//   open.c     handshakes: connect, accept, what SYN-SENT and SYN-RECEIVED receive
//   input.c    the steps of RFC 9293, 3.10.7.4, in its order
//   ack.c      the acknowledgement among them: window, recovery, the ends of FINs
//   window.c   what we offer to the peer: the receive window and its growth, when to acknowledge
//   output.c   what goes out next;  segment_make.c  as which segment
//   timer.c    the one deadline, and what runs out
//   close.c    shutdown, close, abort, failure, TIME-WAIT;  time_wait.c  what is left then
//   mtu.c      the size of segments
//   user.c     read and write
//   tcp.c      info and check
//
// "Position": a place in sequence space of 64 bits; see receive.h.
#pragma once

#include <stdbool.h>

#include "dataplane/contract/trace.h"
#include "dataplane/tcp/receive.h"
#include "dataplane/tcp/recovery.h"
#include "dataplane/tcp/tcp.h"

#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

#define MSS_DEFAULT_4  536 // RFC 9293, 3.7.1: the peer named none
#define MSS_DEFAULT_6  1220
#define IP6_LONGER     20 // bytes of its header, than that of IPv4
#define MSS_FLOOR      64 // a peer that names less wants our work, not our bytes (CVE-2019-11479)
#define TIME_LEN       12 // of timestamps in every segment
#define SCALE_MAX      14 // RFC 7323, 2.3
#define CWND_FIRST     10 // segments, RFC 6928
#define ANSWER_GAP_NS  (500 * NS_PER_MS) // of a connection (RFC 5961, 7)
#define PERSIST_MAX_NS (60 * NS_PER_S)   // RFC 9293, 3.8.6.1

struct tcp_host {
	struct tcp_settings set;
	struct recovery_settings recovery;
	struct block_pool pool;
	uint64_t secret[2];
	uint64_t random;
	uint64_t promised; // bytes of buffers that connections may fill; memory_max at most
	unsigned n_connections;
	uint8_t scale;
	// Challenge acknowledgements that may still be sent until then.
	uint64_t challenge_until_ns;
	unsigned challenge_left;
};

// What tcp_output() gave last, so that it can be given again.
struct sent_last {
	uint64_t from, to; // positions
	bool is_rst;
	bool is_due; // it was refused
};

struct tcp {
	// Rarely changes. Writer: handshake, close.
	struct tcp_host *host;
	struct trace_ring *trace; // NULL: none
	uint8_t state;            // enum tcp_state
	bool has_time, has_sack, has_scale;
	bool is_passive;  // opened by a listener
	bool is_released; // tcp_close(): nobody reads any more
	bool is_shut;     // tcp_shutdown(): FIN stands at snd.end
	uint8_t events;   // enum tcp_event
	int error, error_soft;
	uint64_t opened_ns;

	struct {
		struct seq iss;
		uint32_t mss;      // of payload now: peer, path and options regarded
		uint64_t una, nxt; // positions; as recovery.una, .nxt
		uint64_t end;      // behind the last byte written; the FIN's place
		uint64_t edge;     // SND.UNA + SND.WND
		uint64_t wnd_max;  // MAX.SND.WND
		uint64_t wl1, wl2; // positions of the segment that set the window
		uint64_t limit;    // of bytes in the buffer, grows to settings.send_max
		uint64_t waits_ns; // since when the oldest octet in flight waits without progress
		uint64_t sent_ns;  // when something of new data went out last
		uint64_t round;    // acknowledged up to here, another round trip is over
		uint32_t mss_peer; // what the peer named
		uint8_t scale;
		bool is_full;    // a write found no room: say when there is some
		bool probe_tail; // TLP is due
		bool syn_again;  // simultaneous open: the SYN that is out goes again, with an ACK
	} snd;

	struct {
		struct seq irs;
		uint32_t ts_recent; // TS.Recent
		uint64_t ts_recent_ns;
		uint64_t acked; // Last.ACK.sent
		uint64_t edge;  // the most that was ever offered
		uint64_t limit; // of bytes in the buffer, grows to settings.receive_max
		uint32_t mss;   // of the peer's segments, as seen
		uint8_t scale;
		bool is_shut;   // the last window that went out was none
	} rcv;

	// The acknowledgement that is owed. Writer: input; cleared by each segment that goes out.
	struct {
		uint64_t at_ns; // the delayed one is due; TCP_NO_DEADLINE: none is owed
		uint32_t len;   // bytes in order since the last one
		uint8_t quick;  // so many more are not delayed
		bool now;
		uint8_t n_dup;      // without SACK: one for each segment behind a hole
		uint64_t answer_ns; // when the next answer to what is not acceptable may be sent
	} ack;

	// Growth of the receive window (dynamic right-sizing).
	struct {
		uint64_t since_ns, read; // position then
		uint64_t drained;        // in the round trip before
		uint64_t rtt_ns;
		uint32_t ts_ecr;
	} drain;

	struct {
		uint64_t heard_ns;                   // the last segment of the peer
		uint64_t pace_ns;                    // the pacer lets the next one go
		uint64_t persist_ns, persist_gap_ns; // TCP_NO_DEADLINE: the window is open
		uint64_t alive_ns; // the next probe of keepalive, once one went out
		uint64_t end_ns;   // TIME-WAIT, or FIN-WAIT-2 of a connection that was released
		unsigned n_alive;  // probes without an answer
		bool alive_due, persist_due;
	} timer;

	struct { // an RST that is owed
		bool is_due;
		struct seq seq;
		uint8_t flags;
	} rst;

	struct {                     // path MTU, as the MSS that belongs to it
		uint32_t mss;        // what the path carries, as far as we know
		uint32_t mss_failed; // what it does not; 0: unknown
		uint64_t raise_ns;   // when to try more; TCP_NO_DEADLINE: it carries all
		uint64_t probe_end;  // position behind a larger segment that is out; 0: none is
		uint32_t probe_mss;
	} path;

	uint32_t ts_offset;
	struct sent_last last;
	struct pacer pacer;
	struct receive receive;
	struct buffer send;
	struct recovery recovery;
	struct congestion congestion;
	struct tcp_tuple tuple;
	struct {
		uint64_t bytes_in, bytes_out, bytes_resent;
		uint64_t segments_in, segments_out, segments_resent;
		uint64_t n_dup_acks, n_out_of_order, n_challenge, n_dropped, n_probes, n_persist;
	} n;
};

// A received segment with positions; trimmed to the window on its way through the steps.
struct arrived {
	const struct tcp_segment *s;
	uint64_t seq, ack;
	const char *p;
	uint32_t len;
	uint8_t flags;
	uint64_t now_ns;
};

static inline struct seq snd_seq(const struct tcp *t, uint64_t at)
{
	return seq_add(t->snd.iss, (uint32_t)at);
}

static inline struct seq rcv_seq(const struct tcp *t, uint64_t at)
{
	return seq_add(t->rcv.irs, (uint32_t)at);
}

// Positions of what the peer names, which lies less than 2^31 away.
static inline uint64_t snd_position(const struct tcp *t, struct seq seq)
{
	return t->snd.nxt + (uint64_t)(int64_t)seq_diff(seq, snd_seq(t, t->snd.nxt));
}

static inline uint64_t rcv_position(const struct tcp *t, struct seq seq)
{
	uint64_t next = t->receive.next;

	return next + (uint64_t)(int64_t)seq_diff(seq, rcv_seq(t, next));
}

// The timestamp clock: 1 ms, from a place of the connection's own (RFC 7323, 5.4).
static inline uint32_t ts_now(const struct tcp *t, uint64_t now_ns)
{
	return (uint32_t)(now_ns / NS_PER_MS) + t->ts_offset;
}

// What the trace is to tell of, if an acknowledgement or a timer changes it.
struct path_look {
	uint64_t n_recoveries, n_undone;
	bool is_on; // a recovery
};

// Whether a SYN that meets TIME-WAIT is newer than all of the old connection (RFC 6191; RFC 9293,
// 3.10.7.4).
static inline bool syn_is_newer(const struct tcp_segment *syn, bool has_time, uint32_t ts_recent,
				struct seq rcv_next)
{
	const struct tcp_options *o = &syn->options;

	if ((syn->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
		return false;
	if (has_time && o->has & TCP_HAS_TIME && o->ts_val != ts_recent)
		return (int32_t)(o->ts_val - ts_recent) > 0;
	return seq_gt(syn->seq, rcv_next);
}

static inline void arrived_drop(struct tcp *t, const struct arrived *a, enum trace_drop why)
{
	t->n.n_dropped++;
	trace_put(t->trace, a->now_ns, TRACE_DROP, (uint32_t)a->seq, (uint32_t)a->ack, why,
		  trace_clip16(a->len));
}

// What we offer and never exceed: the setting is IPv4's, and the header of IPv6 is longer.
static inline uint32_t mss_most(const struct tcp *t)
{
	return t->host->set.mss_max - (t->tuple.family == 6 ? IP6_LONGER : 0);
}

static inline bool tcp_is_opening(const struct tcp *t)
{
	return t->state == TCP_SYN_SENT || t->state == TCP_SYN_RECEIVED;
}

static inline bool is_persisting(const struct tcp *t)
{
	return t->timer.persist_ns != TCP_NO_DEADLINE;
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

// tcp.c
// Of a connection that is traced: what it is about to change, and what it has changed.
struct path_look path_look(const struct tcp *t);
void path_tell(struct tcp *t, const struct path_look *before, uint64_t now_ns);

// host.c
struct tcp *tcp_new(struct tcp_host *h, const struct tcp_tuple *tuple, uint64_t now_ns);
uint64_t host_random(struct tcp_host *h);
bool host_may_challenge(struct tcp_host *h, uint64_t now_ns);
// Promise more bytes to a connection. @return what it may have: `have` to `want`
uint64_t host_promise(struct tcp_host *h, uint64_t have, uint64_t want);
struct seq isn_choose(const struct tcp_host *h, const struct tcp_tuple *tuple, uint64_t now_ns);

// open.c
void syn_sent_input(struct tcp *t, struct arrived *a);
void open_finish(struct tcp *t, const struct arrived *a);

// input.c
void text_and_fin_steps(struct tcp *t, struct arrived *a);

// ack.c
bool ack_step(struct tcp *t, struct arrived *a);
void ack_take(struct tcp *t, const struct arrived *a);

// window.c
uint16_t window_offer(struct tcp *t, bool is_syn); // SEG.WND of a segment that goes out now
void window_tell(struct tcp *t, uint16_t units, uint64_t now_ns); // to the trace
void window_drained(struct tcp *t, uint64_t now_ns); // the application has read
void window_rtt(struct tcp *t, const struct arrived *a);
void ack_owe(struct tcp *t, const struct arrived *a, enum arrival how);
void ack_answer(struct tcp *t, const struct arrived *a);    // to what is not acceptable
void ack_challenge(struct tcp *t, const struct arrived *a); // RFC 5961
void ack_sent(struct tcp *t);

// segment_make.c
// The segment of [from, to) of our octets, with what we have to say to the peer now.
void segment_make(struct tcp *t, uint64_t from, uint64_t to, uint64_t now_ns,
		  struct tcp_segment *out);
void segment_make_rst(struct tcp *t, uint64_t now_ns, struct tcp_segment *out);

// timer.c
void persist_start(struct tcp *t, uint64_t now_ns);
void persist_stop(struct tcp *t, uint64_t now_ns);

// close.c
void state_enter(struct tcp *t, enum tcp_state state, uint64_t now_ns);
void tcp_fail(struct tcp *t, int error, uint64_t now_ns);
void rst_owe(struct tcp *t, struct seq seq, uint8_t flags);
void time_wait_enter(struct tcp *t, uint64_t now_ns);
void fin_received(struct tcp *t, uint64_t now_ns);
void fin_acked(struct tcp *t, uint64_t now_ns);

// mtu.c
void mss_settle(struct tcp *t, uint64_t now_ns); // what may be sent, by all that is known
void mss_told(struct tcp *t, uint32_t mtu, uint64_t now_ns); // by ICMP
void mss_watch(struct tcp *t, uint64_t now_ns); // an acknowledgement came: black hole, probe
// Octets of a larger segment that is to go out now, to see whether it arrives. 0: none
uint32_t mss_probe_len(const struct tcp *t, uint64_t now_ns);
void mss_probe_sent(struct tcp *t, uint64_t end);
void mss_probe_lost(struct tcp *t, uint64_t now_ns);
