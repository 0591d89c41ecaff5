// SPDX-License-Identifier: BSD-3-Clause
// A TCP connection as a pure thing: segments, time and the application's calls in; segments and the
// next deadline out (RFC 9293 with 5961, 6528, 7323, 2018, 2883, 6298, 8985, 9937, 9438, 9406).
//
//   tcp_input() / tcp_expire() / tcp_write() / tcp_read() / tcp_close()
//     -> tcp_output() until it has no more -> tcp_deadline()
//
// It never sends, never reads a clock, knows no addresses beyond the ones it hashes, and allocates
// only buffers, from the pool it was given. IP, neighbours and ports are dataplane/net's.
#pragma once

#include <sys/types.h>

#include "dataplane/tcp/segment.h"

#define TCP_NO_DEADLINE UINT64_MAX

struct tcp;

enum tcp_state { // RFC 9293, 3.3.2
	TCP_CLOSED,
	TCP_SYN_SENT,
	TCP_SYN_RECEIVED,
	TCP_ESTABLISHED,
	TCP_FIN_WAIT_1,
	TCP_FIN_WAIT_2,
	TCP_CLOSE_WAIT,
	TCP_CLOSING,
	TCP_LAST_ACK,
	TCP_TIME_WAIT,
};

enum tcp_congestion { TCP_CUBIC, TCP_BBR };

// Of all connections of a core. Times in ns, sizes in bytes.
struct tcp_settings {
	enum tcp_congestion congestion;
	uint32_t mss_max;         // what we offer and never exceed, on IPv4; on IPv6 20 bytes less
	uint32_t mss_min;         // what path-MTU probing falls back to, 1024 at least
	uint64_t receive_max;     // most bytes of a connection's receive buffer, up to 1 GiB: the
				  // window scale follows from it
	uint64_t receive_first;   // what autotuning begins with
	uint64_t send_max;        // most bytes of a connection's send buffer
	uint64_t memory_max;      // most bytes of all buffers that autotuning grows to; 0: no limit
	uint32_t segment_max;     // most payload of one segment to be cut by the device; 0: no TSO
	uint64_t rto_min_ns;      // 200 ms
	uint64_t ack_delay_ns;    // 40 ms
	uint64_t user_timeout_ns; // dead after so long without an acknowledgement (RFC 5482)
	uint64_t connect_timeout_ns;
	uint64_t keepalive_idle_ns, keepalive_interval_ns;
	uint32_t keepalive_probes;
	uint64_t time_wait_ns;      // 2 MSL
	bool slow_start_after_idle; // RFC 5681, 4.1; else the restart is paced
	bool pacing;
};

// What a core's connections share. Owned by the stack; not shared between cores.
struct tcp_host;

struct tcp_tuple {
	uint8_t family;                   // 4 or 6
	uint8_t local[16], remote[16];    // network byte order; IPv4 in the first four
	uint16_t local_port, remote_port; // host byte order
};

// What is new, for the owner of the connection.
enum tcp_event {
	TCP_OPENED = 1,   // the handshake is over
	TCP_READABLE = 2, // bytes in order, the peer's end, or the failure
	TCP_WRITABLE = 4, // room after a write that found none, or after the opening
	TCP_FAILED = 8,   // tcp_error() says why: ECONNREFUSED, ECONNRESET, ETIMEDOUT, EHOSTUNREACH
	TCP_GONE = 16,    // CLOSED, or nothing left but TIME-WAIT: the owner may free it
};

// @param secret  16 bytes of this boot, for initial sequence numbers and timestamp offsets
// @param seed    of what is drawn at random
// @return NULL: no memory
struct tcp_host *tcp_host_new(const struct tcp_settings *set, const uint8_t secret[16],
			      uint64_t seed);
void tcp_host_free(struct tcp_host *h);

// Begin an active open; tcp_output() gives the SYN. @return 0, or -ENOMEM
int tcp_connect(struct tcp_host *h, const struct tcp_tuple *tuple, uint64_t now_ns,
		struct tcp **out);

// Begin a passive open with a SYN that a listener got; tcp_output() gives the SYN-ACK.
// @return 0; -ENOMEM; -EINVAL: not a SYN that opens
int tcp_accept(struct tcp_host *h, const struct tcp_tuple *tuple, const struct tcp_segment *syn,
	       uint64_t now_ns, struct tcp **out);

// Have it find its rate otherwise than the host's connections do. Before the handshake is over.
void tcp_set_congestion(struct tcp *t, enum tcp_congestion what);

// Drop the connection with all that it holds, sending nothing.
void tcp_free(struct tcp *t);

// One received segment, its ports already matched.
//
// @param now_ns  when the burst arrived
void tcp_input(struct tcp *t, const struct tcp_segment *s, uint64_t now_ns);

// Where the payload of a received segment will lie, if it is what the connection waits for next and
// all of it finds room: who has to read it anyway may copy it there before tcp_input() and let
// body[0] say so. Nothing has changed by then, so the segment may still be dropped.
//
// @return room for the payload, good until the next call with this connection; NULL: it goes
//         another way
void *tcp_place(const struct tcp *t, const struct tcp_segment *s);

// The next segment that is to go out now. Call until it has none, after every other call.
// Pacing, the peer's window and congestion are kept by it.
//
// @return true when `out` was filled
bool tcp_output(struct tcp *t, uint64_t now_ns, struct tcp_segment *out);

// The last segment of tcp_output() found no room in the device: it will be asked for again.
// Nothing else was called in between.
void tcp_output_refused(struct tcp *t, uint64_t now_ns);

// When tcp_expire() and tcp_output() want to be called without other cause. TCP_NO_DEADLINE: never.
uint64_t tcp_deadline(const struct tcp *t);
void tcp_expire(struct tcp *t, uint64_t now_ns);

// What is new since the last call (enum tcp_event), and forget it.
unsigned tcp_events(struct tcp *t);
int tcp_error(const struct tcp *t);
enum tcp_state tcp_state(const struct tcp *t);
const struct tcp_tuple *tcp_tuple(const struct tcp *t);

// The application's side. Both copy.
// @return bytes; read: 0 at the peer's end; -EAGAIN; -ENOTCONN; or -tcp_error()
ssize_t tcp_read(struct tcp *t, void *buf, size_t len, uint64_t now_ns);
ssize_t tcp_write(struct tcp *t, const struct iovec *iov, int n, uint64_t now_ns);

// Bytes that tcp_read() would give now.
size_t tcp_readable(const struct tcp *t);

// No more writes: what was written goes out, then FIN (RFC 9293, 3.6).
void tcp_shutdown(struct tcp *t, uint64_t now_ns);

// The application has gone: half-close, and answer further data with RST (RFC 9293, 3.6.1).
void tcp_close(struct tcp *t, uint64_t now_ns);

// RST now (ABORT).
void tcp_abort(struct tcp *t, uint64_t now_ns);

// ICMP told of an error of a segment of ours whose sequence number was `seq` (RFC 5927: ignored
// unless that lies between SND.UNA and SND.NXT; RFC 5461: soft errors end only a connection that is
// opening).
//
// @param error  ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, or EMSGSIZE with `mtu`
// @param mtu    most bytes of an IP packet, for EMSGSIZE
void tcp_icmp(struct tcp *t, struct seq seq, int error, uint32_t mtu, uint64_t now_ns);

// The answer to a segment that belongs to no connection (RFC 9293, 3.5.2).
//
// @return false when none is due (it was an RST)
bool tcp_refusal(const struct tcp_segment *in, struct tcp_segment *out);

// Whether a SYN may open a new connection in place of this one, which is CLOSED or in TIME-WAIT
// (RFC 6191; RFC 9293, 3.10.7.4). The owner then frees it and accepts.
bool tcp_is_reusable(const struct tcp *t, const struct tcp_segment *syn);

// Record what happens in a ring of dataplane/contract/trace.h; NULL: nowhere.
struct trace_ring;
void tcp_set_trace(struct tcp *t, struct trace_ring *ring);

// For `status`, the trace and the tests: numbers of now.
struct tcp_info {
	enum tcp_state state;
	uint32_t mss;                         // of payload that is sent, options taken off
	uint64_t cwnd, ssthresh, pacing_rate; // bytes, bytes, bytes/s
	uint64_t srtt_ns, rttvar_ns, min_rtt_ns, rto_ns;
	uint64_t in_flight, send_window, receive_window, receive_buffer, send_buffer;
	uint64_t unsent, unacked; // bytes in the send buffer
	uint64_t delivery_rate;   // bytes/s, of the last sample that the application did not limit
	uint64_t bytes_in, bytes_out, bytes_resent; // payload
	uint64_t segments_in, segments_out, segments_resent;
	uint64_t n_rto, n_tlp, n_recoveries, n_undone, n_dsack, n_dup_acks, n_out_of_order,
		n_challenge, n_dropped, n_probes, n_persist;
};

void tcp_info(const struct tcp *t, struct tcp_info *out);

// What must hold between calls; tests and fuzzers call it. @return NULL, or what does not hold
const char *tcp_check(const struct tcp *t);
