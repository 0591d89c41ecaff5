// SPDX-License-Identifier: BSD-3-Clause
// What two servers and our users there can do, found out by asking: versions say less, since
// services rename commands and rights differ.
#pragma once

#include <stdbool.h>

#include "ctrl/check/pair.h"

struct can {
	// of the source
	bool dump, memory_usage, expire_time, field_ttl_read, watch, lfu;
	// of the target
	bool restore, absolute_ttl, multi, stream_facts, field_ttl_write;
	bool target_is_replica;
	int64_t source_ahead_ms; // the source's clock beside ours
	char run_id[48];         // of the source; "" unknown
};

// Ask. Clusters are refused.
//
// @return 0, or -1 with f
int can_probe(struct can *c, struct pair *p, struct failure *f);

// The same of the source alone; the target of the pair is not looked at.
int can_probe_source(struct can *c, struct pair *p, struct failure *f);

// Whether it is an error that passes by itself: a script runs, or data are loaded.
#define BUSY_PAUSE_MS 250
bool error_is_busy(const struct resp_value *v);

// Whether an error says that the command itself is not there or not permitted, whatever its key.
bool error_is_command(const struct resp_value *v);
