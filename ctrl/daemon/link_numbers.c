// SPDX-License-Identifier: BSD-3-Clause
#include "ctrl/daemon/link_numbers.h"

#include <string.h>

static uint64_t percent_of(uint64_t part, uint64_t whole)
{
	if (whole == 0)
		return 0;
	// A snapshot that is still being sent is never whole.
	return part >= whole ? 99 : (uint64_t)(100.0 * (double)part / (double)whole);
}

static uint64_t percent_read(const struct source_counters *c, enum link_phase phase)
{
	uint64_t bytes = counter_get(&c->snapshot_total_bytes);
	bool streamed = counter_get(&c->frontier_offset) > 0; // a snapshot is in the target
	switch (phase) {
	case PHASE_IDLE:
	case PHASE_CONNECTING:
	case PHASE_FAILED:
		if (streamed)
			return 100;
		// fallthrough
	case PHASE_SNAPSHOT:
		if (bytes)
			return percent_of(counter_get(&c->snapshot_bytes), bytes);
		return percent_of(counter_get(&c->snapshot_keys),
				  counter_get(&c->snapshot_total_keys));
	default:
		return 100;
	}
}

// A value below which the share q of all samples lies.
static uint64_t latency_quantile(const uint64_t *buckets, uint64_t total, double q)
{
	uint64_t rank = (uint64_t)(q * (double)total), seen = 0;
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		seen += buckets[i];
		if (seen > rank)
			return latency_floor_us(i);
	}
	return 0;
}

static void latency_read(const struct link_slot *slot, unsigned lanes, struct link_numbers *n)
{
	uint64_t buckets[LATENCY_BUCKETS] = {0}, total = 0;
	for (unsigned i = 0; i < lanes; i++)
		for (unsigned b = 0; b < LATENCY_BUCKETS; b++)
			buckets[b] += counter_get(&slot->lanes[i].latency_us[b]);
	for (unsigned b = 0; b < LATENCY_BUCKETS; b++)
		total += buckets[b];
	n->p50_us = latency_quantile(buckets, total, 0.50);
	n->p99_us = latency_quantile(buckets, total, 0.99);
	n->p999_us = latency_quantile(buckets, total, 0.999);
}

// A command is counted as received before it gets its fate. So the fates are read first, and what
// was received is never less than they are.
static void fates_read(const struct link_slot *slot, unsigned lanes, struct link_numbers *n)
{
	for (unsigned i = 0; i < lanes; i++) {
		n->applied += counter_get(&slot->lanes[i].applied_commands);
		n->parked += counter_get(&slot->lanes[i].parked_commands);
	}
	n->filtered = counter_get(&slot->state.counters.filtered_commands);
	atomic_thread_fence(memory_order_acquire);
	uint64_t fates = n->applied + n->parked + n->filtered;
	n->received = counter_get(&slot->state.counters.received_commands);
	if (n->received < fates)
		n->received = fates; // the cores' writes may show in another order
	n->in_flight = n->received - fates;
}

static void offsets_read(const struct source_counters *c, enum link_phase phase,
			 struct link_numbers *n)
{
	n->frontier_offset = counter_get(&c->frontier_offset);
	n->received_offset = counter_get(&c->received_offset);
	uint64_t source = counter_get(&c->source_offset);
	uint64_t head = source > n->received_offset ? source : n->received_offset;
	bool streams = phase == PHASE_STREAM || phase == PHASE_DRAINING || phase == PHASE_PAUSED;
	if (streams && head > n->frontier_offset)
		n->lag_bytes = head - n->frontier_offset;
}

void link_numbers_read(const struct link_slot *slot, enum link_phase phase, uint64_t now_ms,
		       struct link_numbers *n)
{
	const struct source_counters *c = &slot->state.counters;
	unsigned lanes = atomic_load(&((struct link_slot *)slot)->state.lanes);
	if (lanes > LANES_MAX)
		lanes = LANES_MAX;
	memset(n, 0, sizeof(*n));
	n->percent = percent_read(c, phase);
	n->keys = counter_get(&c->snapshot_keys);
	n->bytes = counter_get(&c->received_bytes);
	n->unfit = counter_get(&c->snapshot_unfit);
	n->degraded = counter_get(&c->degraded);
	offsets_read(c, phase, n);
	uint64_t oldest = counter_get(&c->oldest_unapplied_ms);
	n->lag_ms = oldest && oldest < now_ms ? now_ms - oldest : 0;
	fates_read(slot, lanes, n);
	latency_read(slot, lanes, n);
}
