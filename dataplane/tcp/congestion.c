// SPDX-License-Identifier: BSD-3-Clause
// What the algorithms share.
#include "dataplane/tcp/congestion.h"

void congestion_init(struct congestion *c, const struct congestion_ops *ops, uint32_t mss,
		     uint32_t cwnd_first, uint64_t seed, uint64_t now_ns)
{
	*c = (struct congestion){
		.ops = ops,
		.ssthresh = UINT64_MAX, // RFC 5681, 3.1: arbitrarily high
		.mss = mss,
		.cwnd_first = cwnd_first,
		.random = seed,
		.has_sack = true,
	};
	c->cwnd = congestion_first_window(c);
	ops->init(c, now_ns);
}

void congestion_mss(struct congestion *c, uint32_t mss)
{
	c->mss = mss;
	if (c->cwnd < mss)
		c->cwnd = mss;
}

// 10 segments, but where segments are large only as many as make 14600 bytes, and at least two.
uint64_t congestion_first_window(const struct congestion *c)
{
	uint64_t window = (uint64_t)c->cwnd_first * c->mss;
	uint64_t most = 2ull * c->mss > 14600 ? 2ull * c->mss : 14600;

	return window < most ? window : most;
}
