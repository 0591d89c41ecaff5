// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/tcp/congestion.h"

#define NS_PER_S     1000000000ull
#define BURSTS_PER_S 1000

uint64_t pacer_ask(const struct pacer *p, uint64_t now_ns)
{
	return p->next_ns > now_ns ? p->next_ns : 0;
}

void pacer_sent(struct pacer *p, uint64_t rate, uint32_t wire_len, uint64_t quantum_ns,
		uint64_t now_ns)
{
	uint64_t earliest = now_ns > quantum_ns ? now_ns - quantum_ns : 0;
	uint64_t from = p->next_ns > earliest ? p->next_ns : earliest;

	if (rate == 0)
		return;
	// Below 2^62: the length has 32 bits and a second has 30.
	p->next_ns = from + wire_len * NS_PER_S / rate;
}

uint32_t pacer_burst(uint64_t rate, uint32_t mss, uint32_t max)
{
	uint64_t burst = rate / BURSTS_PER_S;

	if (burst < 2ull * mss)
		burst = 2ull * mss;
	if (burst > max)
		burst = max;
	return (uint32_t)(burst > mss ? burst - burst % mss : burst);
}
