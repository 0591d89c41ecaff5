// SPDX-License-Identifier: BSD-3-Clause
// Inside recovery*.c: the records of what is in flight, and what one acknowledgement does to them.
#pragma once

#include <assert.h>

#include "dataplane/tcp/recovery.h"
#include "dataplane/tcp/tcp.h"

#define NS_PER_MS      1000000ull
#define NS_PER_S       1000000000ull
#define DUP_THRESH     3 // RFC 5681, 3.2; RFC 8985, 6.2
#define RECORDS_FIRST  64
#define MIN_RTT_SPAN   (150 * NS_PER_S) // the minimum is that of the last one or two of these
#define TIMESTAMP_TICK NS_PER_MS        // RFC 7323, 5.4

// Where a record is. LOST, AGAIN and RESENT are lists through `prev` and `next`. For SACKED ones
// `next` leads towards the end of the sacked run that they are in (record_skip_sacked()).
enum record_where {
	RECORD_SENT,   // went out once and may yet arrive
	RECORD_SACKED, // the peer has it
	RECORD_LOST,   // is to be sent again, for the first time
	RECORD_AGAIN,  // is to be sent again, not for the first time
	RECORD_RESENT, // went out more than once and may yet arrive
};

enum record_flag {
	RECORD_IS_LOST = 1, // the transmission before the last is held for lost
	RECORD_WAS_RESENT = 2,
	RECORD_APP_LIMITED = 4,
};

// One segment. Records touch: one's `to` is the next one's `from`.
struct record {
	struct seq from, to;
	uint64_t sent_ns; // when it last went out
	// As it last went out; 32 bits of what only grows, compared within a window.
	uint64_t delivered_ns, first_sent_ns;
	uint32_t delivered, lost, in_flight;
	uint8_t where, flags;
	uint16_t again; // bytes of it that went out again and may yet arrive
	uint32_t prev, next;
};

_Static_assert(sizeof(struct record) == 56, "a record is read and written with every segment");

struct record_list {
	uint32_t first, last, n;
};

enum recovery_phase {
	RECOVERY_OPEN, // nothing is held for lost
	RECOVERY_FAST, // fast recovery
	RECOVERY_LOSS, // after a retransmission timeout
};

enum frto { FRTO_OFF, FRTO_FIRST_ACK, FRTO_SECOND_ACK }; // the acknowledgement that is waited for

struct recovery_state {
	// The ring. Indexes count on for ever and wrap; `mask` makes places of them.
	struct record *records;
	uint32_t mask, head, tail;
	uint32_t fresh; // no RECORD_SENT before this one is sent before RACK's
	struct record_list lost, again, resent;

	enum recovery_phase phase;
	struct seq high; // FAST, LOSS: SND.NXT as it began
	bool is_open;    // the handshake is over
	bool is_persisting;
	uint64_t timer_ns;   // the RTO runs from here, or from the transmission of SND.UNA if later
	uint64_t reorder_ns; // RACK's timer; 0: off

	struct { // RFC 8985, 6
		uint64_t sent_ns, rtt_ns;
		struct seq to;   // RACK.end_seq; with sent_ns: the segment sent last that arrived
		struct seq fack; // the highest one that arrived
		bool reordering_seen;
		bool dsack_round_on;
		struct seq dsack_round;
		unsigned reo_wnd_mult, reo_wnd_persist;
		uint32_t n_sacked; // segments
	} rack;

	struct {                      // RFC 8985, 7
		bool is_on, is_again; // a probe is out; it was a retransmission
		bool is_armed;
		struct seq to;     // TLP.end_seq
		uint64_t start_ns; // armed: the timer runs from here
	} tlp;

	struct { // RFC 9937
		uint64_t delivered, out, first_flight;
		uint64_t room; // sndcnt: bytes that may go out now
	} prr;

	struct {
		bool is_on;
		bool is_judged;   // Eifel has had its acknowledgement
		struct seq from;  // SND.UNA as recovery began
		struct seq until; // acknowledgements beyond it come too late
		uint64_t bytes;   // sent again and not yet reported as received twice
		uint64_t first_resent_ns;
		enum frto frto;
	} undo;

	struct { // without SACK
		unsigned n_dup;
		uint64_t inferred;  // bytes of `sacked` that stand for duplicate acknowledgements
		struct seq recover; // RFC 6582
	} reno;

	struct { // delivery rate
		uint64_t delivered, delivered_ns, first_sent_ns, lost;
		uint64_t app_limited; // `delivered` at which the bubble is out; 0: none
		uint64_t round;       // `delivered` at which the round trip began
		struct seq full;      // what was sent up to here, was sent as the window was full
	} rate;

	// 2^-16 ns, so that many small gains add up (RFC 7323, appendix G)
	uint64_t srtt_fine, rttvar_fine;
	uint64_t min_rtt_ns[2], min_rtt_until_ns; // of this span and the last; 0: none
	unsigned full_size_losses;
};

// What one acknowledgement says.
struct delivery {
	const struct recovery_ack *in;
	uint64_t now_ns;
	uint64_t in_flight;          // before it
	uint64_t lost;               // rate.lost before it
	uint64_t bytes;              // that arrived, cumulatively or by SACK
	uint64_t acked;              // that SND.UNA moved
	uint64_t sacked;             // newly sacked
	const struct record *newest; // that it delivers, the one sent last
	const struct record *once;   // of those that were sent once, the one sent last
	bool has_original;           // what was sent once, before recovery began
	bool has_dsack, dsack_is_probe;
};

static inline struct record *record_of(const struct recovery_state *st, uint32_t i)
{
	return &st->records[i & st->mask];
}

static inline uint32_t record_len(const struct record *rec)
{
	return rec->to.v - rec->from.v;
}

static inline bool index_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

// RFC 8985, 5.1: RACK_sent_after()
static inline bool sent_after(uint64_t a_ns, struct seq a, uint64_t b_ns, struct seq b)
{
	return a_ns > b_ns || (a_ns == b_ns && seq_gt(a, b));
}

// recovery_record.c
int record_init(struct recovery_state *st);
struct record *record_push(struct recovery *r, uint32_t len);       // NULL: too many
uint32_t record_find(const struct recovery *r, struct seq from);    // the first at or after `from`
uint32_t record_skip_sacked(struct recovery_state *st, uint32_t i); // the next not sacked after i
void record_move(struct recovery_state *st, uint32_t i, enum record_where where);
void record_move_first(struct recovery_state *st, uint32_t i); // within its list
void record_delivered(struct recovery *r, uint32_t i, struct delivery *d);
void record_sacked(struct recovery *r, uint32_t i, struct delivery *d);
void record_lost(struct recovery *r, uint32_t i, uint64_t now_ns);
void record_resent(struct recovery *r, uint32_t i, uint32_t len);
void record_cut(struct recovery *r, struct seq una, struct delivery *d); // the first, up to una
void records_unsack(struct recovery *r);                                 // reneging
void records_unlose(struct recovery *r);                                 // the loss was none

// recovery_rtt.c
void rtt_first(struct recovery *r, uint64_t rtt_ns, uint64_t now_ns);
uint64_t rtt_update(struct recovery *r, const struct delivery *d); // the sample, 0: none
uint64_t rto_backed_off(const struct recovery *r);

// recovery_sack.c
void sack_take(struct recovery *r, struct delivery *d);

// recovery_reno.c
void reno_take(struct recovery *r, struct delivery *d, bool is_dup);
void reno_detect(struct recovery *r, const struct delivery *d);
void reno_clear(struct recovery *r);

// recovery_rack.c
void rack_delivered(struct recovery *r, const struct record *rec, struct delivery *d);
void rack_dsack(struct recovery *r, const struct delivery *d);
void rack_recovered(struct recovery *r);
void rack_detect(struct recovery *r, uint64_t now_ns);
void rack_timeout(struct recovery *r, uint64_t now_ns);

// recovery_tlp.c
void tlp_arm(struct recovery *r, uint64_t now_ns);
uint64_t tlp_deadline(const struct recovery *r, uint64_t rto_at_ns); // TCP_NO_DEADLINE: off
bool tlp_take(struct recovery *r, const struct delivery *d,
	      bool is_dup); // true: it repaired a loss

// recovery_prr.c
void prr_begin(struct recovery *r, const struct delivery *d);
void prr_take(struct recovery *r, const struct delivery *d);
void prr_sent(struct recovery *r, uint32_t len);

// recovery_undo.c
void undo_begin(struct recovery *r, bool is_rto);
void undo_resent(struct recovery *r, uint32_t len, uint64_t now_ns);
bool undo_take(struct recovery *r, const struct delivery *d, bool is_dup); // true: undone

// recovery_rate.c
void rate_sent(struct recovery *r, struct record *rec, uint32_t len, uint64_t in_flight,
	       uint64_t now_ns);
void rate_fill(struct recovery *r, const struct delivery *d, struct ack_sample *s);

// recovery.c
void recovery_change_phase(struct recovery *r, const struct delivery *d);
