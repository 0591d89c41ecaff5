// SPDX-License-Identifier: BSD-3-Clause
// What is left of a connection in TIME-WAIT once nobody reads it any more (RFC 9293, 3.6.1): 64
// bytes, enough to answer its peer as the connection would have.
//
//   tcp_output() has no more -> time_wait_take() -> tcp_free()
//   time_wait_is_reusable() | time_wait_input() of each segment, until end_ns
#pragma once

#include <stdbool.h>

#include "dataplane/tcp/tcp.h"

struct time_wait {
	uint64_t end_ns;    // 2 MSL are over
	uint64_t answer_ns; // when the next answer to what does not fit may be sent
	struct seq snd_next, rcv_next;
	uint32_t window_max;     // MAX.SND.WND; what the peer offers from now on is not followed
	uint32_t window;         // bytes that we offered
	uint16_t window_units;   // the same, as it stands on the wire
	bool has_time, has_sack; // agreed
	uint32_t ts_recent, ts_offset;
	uint32_t before, behind; // its neighbours by end_ns; the owner's
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct time_wait) == 64, "one line, so many of them cost little");

// @return false: it is not in TIME-WAIT, or still its owner's, or has something to send
bool time_wait_take(struct tcp *t, struct time_wait *out);

// One received segment, as tcp_input() takes it (3.10.7.4). A FIN that comes again moves end_ns.
//
// @param h    of the connection
// @param out  filled: what is to be sent
// @return whether something is
bool time_wait_input(struct time_wait *w, struct tcp_host *h, const struct tcp_segment *s,
		     uint64_t now_ns, struct tcp_segment *out);

// As tcp_is_reusable().
bool time_wait_is_reusable(const struct time_wait *w, const struct tcp_segment *syn);
