// SPDX-License-Identifier: BSD-3-Clause
// One end of a bulk flow, over our own TCP or over a socket of the kernel's.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct bulk_options {
	bool is_kernel;
	const char *congestion;      // "cubic" or "bbr"
	const char *device, *prefix; // our own TCP's: in DPDK's words, and our address on it
	const char *peer;            // address to send to; NULL: listen and receive
	uint16_t port;
	uint64_t warm_ns, for_ns;
};

// Sums since the connection was opened, and states of now.
struct bulk_reading {
	uint64_t bytes; // acknowledged by the peer, or read
	uint64_t segments_out, segments_resent;
	uint64_t n_rto; // kernel's: not told, 0
	uint64_t srtt_ns, min_rtt_ns;
	uint64_t cwnd; // segments
};

struct bulk;

struct bulk_ops {
	// Everything that needs no peer.
	//
	// @return NULL after a sentence on stderr
	struct bulk *(*prepare)(const struct bulk_options *o);

	// Connect or accept. @return 0, or -errno: -ETIMEDOUT at `until_ns`
	int (*join)(struct bulk *b, uint64_t until_ns);

	// Let bytes pass. @return 0 at `until_ns`; -EPIPE: the peer ended; or -errno
	int (*pass)(struct bulk *b, uint64_t until_ns);

	void (*read)(const struct bulk *b, struct bulk_reading *out);

	// Aborts the connection.
	void (*close)(struct bulk *b);
};

extern const struct bulk_ops bulk_own, bulk_kernel;
