// SPDX-License-Identifier: BSD-3-Clause
// One flow over one bottleneck, segment by segment, in virtual time: a congestion control with the
// least that stands around it. Every segment is acknowledged; what is lost is told as the third
// segment after it is acknowledged, and counts as sent again elsewhere.
#pragma once

#include "dataplane/tcp/congestion.h"

#define BOTTLENECK_RING 65536 // most segments in flight

struct bottleneck_segment {
	uint64_t sent_ns, arrives_ns; // arrives: its acknowledgement
	uint64_t delivered, delivered_ns, first_sent_ns, in_flight, lost;
	bool is_lost, is_app_limited;
};

struct bottleneck {
	// the path
	uint64_t rate;     // bytes/s
	uint64_t delay_ns; // both ways, without the queue
	uint64_t buffer;   // bytes of queue
	double loss;       // of each segment
	uint64_t random;

	// the flow
	struct congestion c;
	struct pacer pacer;
	uint64_t now_ns, busy_until_ns;
	uint64_t supply;      // bytes/s that the application has; 0: as much as may go
	uint64_t supplied_ns; // up to when it was taken
	uint64_t in_flight, delivered, delivered_ns, first_sent_ns, lost;
	uint64_t app_limited_until;
	uint64_t srtt_ns, min_rtt_ns, round_delivered, recovery_end;
	bool is_recovering;
	uint64_t head, next, tail; // of the ring: sent, acknowledged, looked at for loss
	struct bottleneck_segment *ring;

	// what was seen
	uint64_t queue_max; // bytes, since it was last set to 0
	uint64_t n_lost, n_overflowed;
	double queue_sum; // over segments
	uint64_t n_queued;
	void (*watch)(struct bottleneck *p); // after each acknowledgement
	void *watcher;
};

void bottleneck_init(struct bottleneck *p, const struct congestion_ops *ops, uint64_t rate,
		     uint64_t delay_ns, uint64_t buffer, double loss, uint64_t seed);
void bottleneck_fini(struct bottleneck *p);

// Let so much time pass.
void bottleneck_run(struct bottleneck *p, uint64_t ns);
