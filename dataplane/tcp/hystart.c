// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/tcp/hystart.h"

#define NS_PER_MS     1000000ull
#define RTT_RISE_MIN  (4 * NS_PER_MS)  // MIN_RTT_THRESH
#define RTT_RISE_MAX  (16 * NS_PER_MS) // MAX_RTT_THRESH
#define RTT_RISE_PART 8                // MIN_RTT_DIVISOR
#define NONE          UINT64_MAX

void hystart_init(struct hystart *h)
{
	*h = (struct hystart){
		.is_on = true,
		.last_ns = NONE,
		.current_ns = NONE,
		.baseline_ns = NONE,
	};
}

static void round_begins(struct hystart *h)
{
	h->last_ns = h->current_ns;
	h->current_ns = NONE;
	h->n_samples = 0;
}

static uint64_t rtt_rise(uint64_t last_ns)
{
	uint64_t rise = last_ns / RTT_RISE_PART;

	if (rise < RTT_RISE_MIN)
		return RTT_RISE_MIN;
	return rise < RTT_RISE_MAX ? rise : RTT_RISE_MAX;
}

static bool has_grown(const struct hystart *h)
{
	return h->n_samples >= HYSTART_SAMPLES && h->last_ns != NONE &&
	       h->current_ns >= h->last_ns + rtt_rise(h->last_ns);
}

// The growth was jitter: the round trip is below what it was as CSS began.
static bool was_jitter(const struct hystart *h)
{
	return h->n_samples >= HYSTART_SAMPLES && h->current_ns < h->baseline_ns;
}

uint64_t hystart_acked(struct hystart *h, const struct ack_sample *s, bool *is_over)
{
	*is_over = false;
	if (s->is_round) {
		// The round in which CSS began counts, though it is but a part of one.
		if (h->in_css && ++h->n_css_rounds >= HYSTART_CSS_ROUNDS) {
			*is_over = true;
			return 0;
		}
		round_begins(h);
	}
	if (s->rtt_ns) {
		if (s->rtt_ns < h->current_ns)
			h->current_ns = s->rtt_ns;
		h->n_samples++;
	}
	if (!h->in_css && has_grown(h)) {
		h->in_css = true;
		h->n_css_rounds = 0;
		h->baseline_ns = h->current_ns;
	} else if (h->in_css && was_jitter(h)) {
		h->in_css = false;
		h->baseline_ns = NONE;
	}
	return h->in_css ? s->advanced / HYSTART_CSS_DIVISOR : s->advanced;
}
