// SPDX-License-Identifier: BSD-3-Clause
// The seam of congestion control: how much may be in flight, and how fast it goes out. Pure: every
// call carries its time. CUBIC (RFC 9438, with HyStart++, RFC 9406) and BBR (draft-ietf-ccwg-bbr).
//
// recovery.h finds out what an acknowledgement says and asks; tcp_output() keeps to the answer.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// What one acknowledgement told. Bytes and ns. "Lost" bytes stay counted when they are sent again.
struct ack_sample {
	uint64_t now_ns;
	uint64_t acked;     // newly acknowledged, cumulatively or by SACK
	uint64_t advanced;  // that SND.UNA moved; SACK may have told of them before
	uint64_t lost;      // newly found lost
	uint64_t in_flight; // before this acknowledgement (SND.NXT - SND.UNA - sacked - lost)
	uint64_t in_flight_after;
	uint64_t rtt_ns;     // of the newest segment that was sent once; 0: no sample
	uint64_t min_rtt_ns; // windowed minimum; 0: none yet
	uint64_t srtt_ns;
	bool is_app_limited;  // the rate sample was bound by the application, not by the path
	bool is_cwnd_limited; // the window was full since the last sample
	bool in_recovery;     // in fast recovery; after an RTO the window grows by slow start
	bool is_round;        // a round trip has passed since the last sample with it set
	// Delivery rate (draft-ietf-ccwg-bbr, 4.1): `rate_delivered` bytes in `rate_interval_ns`;
	// interval 0: no sample.
	uint64_t rate_delivered, rate_interval_ns;
	uint64_t delivered; // in all since the beginning, with those of this acknowledgement
	// Of the newest acknowledged segment, as it was last sent:
	uint64_t sent_delivered; // delivered in all
	uint64_t sent_in_flight; // in flight, itself included
	uint64_t sent_lost;      // lost in all
	uint64_t lost_total;
};

// One segment that was found lost. The bytes of `lost` in ack_sample, one by one.
struct loss_sample {
	uint64_t now_ns;
	uint32_t len;
	uint64_t delivered, lost_total; // now; lost_total with this one
	uint64_t sent_in_flight, sent_lost;
	bool is_app_limited; // as it was sent
};

struct congestion;

// One acknowledgement calls, in this order and as far as they apply: undo(), lost() for each
// segment, leave_recovery(), enter_recovery(), acked().
struct congestion_ops {
	const char *name; // "cubic", "bbr"
	void (*init)(struct congestion *c, uint64_t now_ns);
	// A segment went out, for the first time or again. in_flight: with it.
	void (*sent)(struct congestion *c, uint64_t in_flight, uint32_t len, uint64_t now_ns);
	// Bytes were acknowledged, or found lost by what was.
	void (*acked)(struct congestion *c, const struct ack_sample *s);
	void (*lost)(struct congestion *c, const struct loss_sample *s);
	// Fast recovery begins. Sets ssthresh; cwnd within recovery is PRR's (recovery.c), which
	// need not write it, unless `owns_recovery`.
	// in_flight: before PRR; cwnd is still that of before the loss.
	void (*enter_recovery)(struct congestion *c, uint64_t in_flight, uint64_t now_ns);
	// All that was in flight as recovery began is acknowledged; also after an RTO.
	void (*leave_recovery)(struct congestion *c, uint64_t now_ns);
	// The retransmission timer ran out, within fast recovery or not. Sets ssthresh and cwnd.
	// in_flight: before everything was marked lost.
	void (*rto)(struct congestion *c, uint64_t in_flight, uint64_t now_ns);
	// The loss was none (Eifel, F-RTO, DSACK): put back what entering recovery or the RTO
	// changed. Recovery is over with it.
	void (*undo)(struct congestion *c, uint64_t now_ns);
	// New data is about to go out and nothing is in flight; the last segment left `idle_ns`
	// ago.
	void (*restart)(struct congestion *c, uint64_t idle_ns, uint64_t rto_ns, uint64_t now_ns);
	bool owns_recovery; // cwnd within recovery is the algorithm's
	bool must_pace;
};

#define CONGESTION_PRIVATE 640 // bytes of the largest algorithm's state; it asserts that it fits

struct congestion {
	const struct congestion_ops *ops;
	uint64_t cwnd, ssthresh; // bytes
	uint64_t pacing_rate;    // bytes/s; 0: none yet
	uint32_t mss;
	uint32_t cwnd_first; // segments: 10 (RFC 6928), 1 after the SYN was lost (RFC 5681, 3.1)
	uint64_t random;     // state of the algorithm's drawing, seeded by the host
	bool slow_start_after_idle; // RFC 5681, 4.1; set after congestion_init()
	bool has_sack;              // true; recovery_open() may say otherwise
	_Alignas(16) unsigned char private[CONGESTION_PRIVATE];
};

extern const struct congestion_ops congestion_cubic;
extern const struct congestion_ops congestion_bbr;

// Pacing begins with the first sample of the round trip (pacing_rate is 0 before).
//
// @param cwnd_first  segments
// @param seed        of what the algorithm draws
void congestion_init(struct congestion *c, const struct congestion_ops *ops, uint32_t mss,
		     uint32_t cwnd_first, uint64_t seed, uint64_t now_ns);

// The segment size of the path has changed: windows keep their bytes, limits follow.
void congestion_mss(struct congestion *c, uint32_t mss);

// The initial window, in bytes (RFC 6928, 2; RFC 5681, 3.1 for the window of one segment).
uint64_t congestion_first_window(const struct congestion *c);

// When the next bytes may leave, for an algorithm that paces (EDT: earliest departure time).
struct pacer {
	uint64_t next_ns; // the earliest departure of the next segment
};

// @return 0: now, else the time to come back at
uint64_t pacer_ask(const struct pacer *p, uint64_t now_ns);

// @param quantum_ns  credit that an idle flow keeps, so that a late timer costs no rate
void pacer_sent(struct pacer *p, uint64_t rate, uint32_t wire_len, uint64_t quantum_ns,
		uint64_t now_ns);

// Most payload of one burst: about 1 ms of the rate, at least 2 segments, at most `max`.
uint32_t pacer_burst(uint64_t rate, uint32_t mss, uint32_t max);
