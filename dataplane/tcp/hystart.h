// SPDX-License-Identifier: BSD-3-Clause
// HyStart++ (RFC 9406): ends the first slow start when the round trip grows, before the queue
// overflows. Pacing bounds the bursts, so L is infinite.
#pragma once

#include "dataplane/tcp/congestion.h"

#define HYSTART_SAMPLES     8 // N_RTT_SAMPLE
#define HYSTART_CSS_DIVISOR 4 // CSS_GROWTH_DIVISOR
#define HYSTART_CSS_ROUNDS  5 // CSS_ROUNDS

struct hystart {
	bool is_on;  // later slow starts are the traditional one
	bool in_css; // conservative slow start: the round trip has grown, is it so?
	unsigned n_samples, n_css_rounds;
	// Lowest round trips: of the last round, of this one, as CSS began; UINT64_MAX: none.
	uint64_t last_ns, current_ns, baseline_ns;
};

void hystart_init(struct hystart *h);

// Take an acknowledgement of slow start.
//
// @param is_over  out: the window has found its place, congestion avoidance begins
// @return bytes that the window grows by
uint64_t hystart_acked(struct hystart *h, const struct ack_sample *s, bool *is_over);
