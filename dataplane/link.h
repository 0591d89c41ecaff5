// SPDX-License-Identifier: BSD-3-Clause
// A link: one source, its log, one target by lanes; and the order in which they come to life.
//
//   OPENING --lanes ready--> JOINING --+FULLRESYNC--> LOADING --loaded--> SWEEPING --> STREAMING
//      ^                        |                        |                               |  ^
//      |                        +------- +CONTINUE ------|-------------------------------+--+
//      +-- RESETTING <----------------------- the target is not what it was -------------+
//
//   any --drain--> DRAINING --all answered--> CLOSING --lanes closed--> OVER
//   any --error, stop----------------------> CLOSING
//
// Owner: core 0. Its lanes run on the cores that link_new() was given.
#pragma once

#include "dataplane/apply/lane.h"
#include "dataplane/apply/sweep.h"
#include "dataplane/core/core.h"
#include "dataplane/log/log.h"
#include "dataplane/resume.h"
#include "dataplane/route/place.h"
#include "dataplane/route/route.h"
#include "dataplane/route/snapshot.h"
#include "dataplane/source/probe.h"
#include "dataplane/source/source.h"

enum link_stage {
	LINK_OPENING,
	LINK_JOINING,
	LINK_LOADING,
	LINK_SWEEPING,
	LINK_STREAMING,
	LINK_RESETTING,
	LINK_DRAINING,
	LINK_CLOSING,
	LINK_OVER,
};

struct link {
	struct core *core;
	uint32_t index;
	struct link_slot *slot;
	const struct link_config *config;
	enum link_stage stage;
	bool paused;
	enum link_phase last_phase;   // what CLOSING ends in: DONE or FAILED

	struct log log, snapshot_log;
	unsigned log_cursor, snapshot_cursor;
	char log_text[LOG_TEXT_LEN];  // what log_init() said, not told yet
	int log_rc;                   // why it failed, or 0
	struct source source;
	struct probe probe;
	struct place place;
	struct route route;
	struct snapshot snapshot;
	struct sweep sweep;
	struct park park;
	struct lane *lanes;
	unsigned n_lanes;

	bool loading;                 // the log waits for the snapshot to be loaded
	bool snapshot_read;           // its end has been found
	unsigned n_loaded;            // snapshots loaded
	unsigned n_snapshots_lost;    // in a row
	bool target_was_ours;         // empty, or marked by this link, as the link began
	bool joined;                  // a source has accepted us at least once
	bool drained;                 // of the drain: all that was received is routed
	bool final_markers;           // of the drain: sent
	uint64_t touch_at_ns;         // when idle lanes get their marker again
	uint64_t
		catch_up_answers; // the probe's answer that tells the offset to reach
	uint64_t catch_up_since_ns;
	bool catch_up_known;          // the offset stands in the link's state
	struct clock_reading now;
};

// @param lane_cores  the core of each lane, n_lanes
// @return NULL when out of memory
struct link *link_new(struct core *core, uint32_t index, struct link_slot *slot,
		      struct core *const *lane_cores, unsigned n_lanes);

// @param link  over, and no task of any core any more
void link_free(struct link *link);

// The task of core 0. See task_turn.
bool link_turn(void *link, const struct clock_reading *now, uint64_t *deadline_ns);

void link_pause(struct link *link, bool on);
void link_drain(struct link *link);
void link_stop(struct link *link);

static inline bool link_is_over(const struct link *link)
{
	return link->stage == LINK_OVER;
}
