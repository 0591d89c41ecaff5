// SPDX-License-Identifier: BSD-3-Clause
// caution_due() -> INFO behind a batch -> caution_take() -> caution_holds()
//
// Batches are sent without waiting for answers, so behind one that a target refuses for its memory
// stands another, perhaps smaller, that it may take: out of order, which only a full sync mends
// when they cannot be repeated. And so it goes at the very edge of maxmemory, where the commands
// that a transaction has queued count. Near that edge a lane therefore sends one batch at a time.
// How near it is, the target tells once a second; behind a pause the first batch asks, and goes
// alone.
#include "dataplane/apply/lane.h"

#include <stdlib.h>

#include "parsers/info.h"

#define ASK_EVERY_NS  1000000000ull
#define STALE_NS      3000000000ull
#define OOM_MEMORY_NS 10000000000ull // so long after a refusal it is near, whatever the target says

bool caution_due(const struct lane *l)
{
	return !l->caution.asked_ns || l->now.mono_ns - l->caution.asked_ns >= ASK_EVERY_NS;
}

void caution_asked(struct lane *l)
{
	l->caution.asked_ns = l->now.mono_ns;
}

static uint64_t field(struct span info, const char *name)
{
	char value[24];
	return info_field(info, name, value, sizeof(value)) ? strtoull(value, NULL, 10) : 0;
}

void caution_take(struct lane *l, struct span info)
{
	struct caution *c = &l->caution;
	c->answered_ns = l->now.mono_ns;
	if (!info.len)
		return;
	uint64_t sent = counter_get(&l->counters->sent_bytes);
	uint64_t a_second = sent - c->sent_bytes;
	uint64_t margin = l->n_lanes * (4 * l->config->settings.inflight_bytes + 2 * a_second);
	uint64_t limit = field(info, "maxmemory");
	c->sent_bytes = sent;
	c->is_near = limit && field(info, "used_memory") + margin > limit;
}

void caution_refused(struct lane *l)
{
	l->caution.until_ns = l->now.mono_ns + OOM_MEMORY_NS;
}

bool caution_holds(const struct lane *l)
{
	const struct caution *c = &l->caution;
	return c->is_near || l->now.mono_ns < c->until_ns ||
	       l->now.mono_ns - c->answered_ns > STALE_NS;
}
