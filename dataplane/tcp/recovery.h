// SPDX-License-Identifier: BSD-3-Clause
// What was sent and is not yet acknowledged: which of it is sacked, lost, sent again; what the
// acknowledgements say of the path (RFC 6298 RTT and RTO, 2018/2883 SACK and DSACK, 8985 RACK-TLP,
// 9937 PRR, 3522/5682 undo, 6675/5681/6582 without SACK, delivery rate). Pure: every call carries
// its time.
//
//   tcp_output(): recovery_next() -> what to send again, recovery_allow() -> how much of new data
//                 -> recovery_sent() / recovery_resent()
//   tcp_input():  recovery_ack() -> sample for the congestion control, which is asked here
//   tcp_expire(): recovery_expire() -> RTO, TLP or reordering timer
#pragma once

#include "dataplane/tcp/congestion.h"
#include "dataplane/tcp/segment.h"

struct recovery_settings {
	uint64_t rto_min_ns, rto_max_ns; // 200 ms, 60 s
	uint64_t rto_first_ns;           // 1 s
	uint64_t ack_delay_ns; // the peer's worst delayed acknowledgement, for TLP: 200 ms
	uint32_t records_max;  // most segments in flight
};

struct recovery {
	const struct recovery_settings *set;
	struct congestion *congestion;
	bool has_sack, has_time; // negotiated
	// Written by tcp_output() before recovery_next(): there is unsent data, and the peer's
	// window takes it (F-RTO sends that first, RFC 5682).
	bool has_new;
	uint32_t mss;
	struct seq una, nxt; // SND.UNA, SND.NXT
	// Bytes; in flight = nxt - una - sacked - lost + resent, never negative. Without SACK every
	// duplicate acknowledgement counts as a sacked segment.
	uint64_t sacked, lost, resent;
	uint64_t srtt_ns, rttvar_ns, min_rtt_ns; // 0: no sample yet
	uint64_t rto_ns;                         // without the back-off
	unsigned backoff;                        // doublings of the RTO (Karn)
	unsigned n_timeouts;                     // in a row, with nothing acknowledged between
	uint64_t n_rto, n_tlp, n_recoveries, n_undone, n_dsack;
	uint64_t delivery_rate;       // bytes/s, last sample that was not app-limited
	struct recovery_state *state; // private to recovery*.c
};

// @param congestion  borrowed, initialised
// @return 0, or -ENOMEM
int recovery_init(struct recovery *r, const struct recovery_settings *set,
		  struct congestion *congestion, struct seq iss);
void recovery_fini(struct recovery *r);

// The handshake is over: what was negotiated, and its round trip (0: the SYN was resent, no
// sample).
void recovery_open(struct recovery *r, bool has_sack, bool has_time, uint32_t mss, uint64_t rtt_ns,
		   uint64_t now_ns);

// The segment size has changed.
void recovery_mss(struct recovery *r, uint32_t mss);

static inline uint64_t recovery_in_flight(const struct recovery *r)
{
	return (uint32_t)seq_diff(r->nxt, r->una) + r->resent - r->sacked - r->lost;
}

// When the first retransmission of this recovery went out, for the test of Eifel (RFC 3522): an
// acknowledgement that echoes an older timestamp answers the original. 0: none did.
uint64_t recovery_first_resent_ns(const struct recovery *r);

// New octets went out (SYN and FIN count one). One call a segment of at most mss bytes, also when
// the device cuts.
// @return 0, or -ENOBUFS: too many segments in flight, it must not be sent
int recovery_sent(struct recovery *r, uint32_t len, bool is_app_limited, uint64_t now_ns);

// What is to be sent again next, as far as PRR and the window allow it.
//
// @return false when nothing is due
bool recovery_next(struct recovery *r, uint64_t now_ns, struct tcp_range *out);

// [from, to) of recovery_next() went out again.
void recovery_resent(struct recovery *r, const struct tcp_range *range, uint64_t now_ns);

// Bytes of new data that congestion control and PRR allow now.
uint64_t recovery_allow(const struct recovery *r, uint64_t now_ns);

// What an acknowledgement carries. Its ACK lies in [una - max window, nxt] already (RFC 5961).
struct recovery_ack {
	struct seq ack;
	bool has_data;       // the segment also carried text: no duplicate (RFC 5681)
	bool window_changed; // the same
	bool has_ts;
	uint64_t ts_rtt_ns;  // by the echoed timestamp; 0: none
	bool ts_is_of_first; // the echo is older than recovery_first_resent_ns() (Eifel)
	unsigned n_sack;
	struct tcp_range sack[TCP_SACK_MAX]; // as received, not yet validated; a DSACK stands first
	uint64_t snd_max_window;             // for the validation of blocks
	uint64_t now_ns;                     // when the burst arrived
};

struct recovery_news {
	uint64_t acked; // bytes that SND.UNA moved
	bool is_dup;    // a duplicate acknowledgement
	bool lost_new;  // something was marked lost: tcp_output() has to do
	struct ack_sample sample;
};

void recovery_ack(struct recovery *r, const struct recovery_ack *in, struct recovery_news *out);

// When recovery_expire() is due: RTO, TLP or RACK's reordering timer. TCP_NO_DEADLINE: nothing is
// in flight.
uint64_t recovery_deadline(const struct recovery *r);

enum recovery_timer { RECOVERY_NONE, RECOVERY_REORDER, RECOVERY_PROBE, RECOVERY_TIMEOUT };

// @return what has run out. PROBE: send one segment now, new data if the window has room, else the
// last one again (recovery_probe()), and tell recovery_probed(). TIMEOUT: SND.UNA and all that has
// been out for longer than a round trip is marked lost, without SACK everything (RFC 6298, 5.4-5.6;
// RFC 8985, 6.3).
enum recovery_timer recovery_expire(struct recovery *r, uint64_t now_ns);

// For a TLP without new data: the last segment in flight.
bool recovery_probe(struct recovery *r, struct tcp_range *out);

// A probe went out; is_new: with new data, by recovery_sent(), else again, by recovery_resent().
void recovery_probed(struct recovery *r, bool is_new, uint64_t now_ns);

// The window of the peer was shut, or opened: while it is shut the persist timer is tcp.c's and
// recovery_deadline() rests.
void recovery_persist(struct recovery *r, bool on, uint64_t now_ns);

bool recovery_is_on(const struct recovery *r); // in fast recovery or after an RTO

// Full-sized segments alone keep getting lost: tells path-MTU probing of a black hole (RFC 4821).
unsigned recovery_full_size_losses(const struct recovery *r);

const char *recovery_check(const struct recovery *r); // NULL, or what does not hold
