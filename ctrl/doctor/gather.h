// SPDX-License-Identifier: BSD-3-Clause
// Asks two servers what the rows want to know. Blocking; changes nothing there.
#pragma once

#include "ctrl/check/client.h"
#include "ctrl/doctor/facts.h"

// How long the source's stream is watched for its rate, ms.
#define RATE_SAMPLE_MS 1000

struct gather {
	struct client source, target;
	struct facts *facts;
	uint64_t sampled_ms; // mono clock of the first sample
};

// @param g  filled, to be given to gather_close() in any case
// @param k  what is found goes there
void gather_init(struct gather *g, struct facts *k);

// Connect to both and ask for INFO. The facts have had their facts_init().
//
// @return 0, or -1 with f
int gather_open(struct gather *g, const struct link_config *c, struct failure *f);

// CONFIG, modules, markers, rights. @return 0, or -1 with f
int gather_ask(struct gather *g, const struct link_config *c, struct failure *f);

// Wait for the second sample of the stream, and take it. @return 0, or -1 with f
int gather_rate(struct gather *g, struct failure *f);

void gather_close(struct gather *g);
