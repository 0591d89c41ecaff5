// SPDX-License-Identifier: BSD-3-Clause
// A link: one source, its log, one target by lanes; and the order in which they come to life.
//
//   OPENING --lanes ready--> JOINING --+FULLRESYNC--> LOADING --loaded--> SWEEPING --> STREAMING
//      ^                        |                        |                               |  ^
//      |                        +------- +CONTINUE ------|-------------------------------+--+
//      +-- RESETTING <----------------------- the target is not what it was -------------+
//
// OPENING reads the markers and holds them against the checkpoint: go on where they say (after
// ASKING for the expiries that a former life left held, if any), or a full sync. A target that
// turns out to hold less than it had answered sends the link back there.
//
//   any --drain--> DRAINING --all answered--> CLOSING --lanes closed--> OVER
//   any --error, stop----------------------> CLOSING
//
// Owner: core 0. Its lanes run on the cores that link_new() was given.
#pragma once

#include "dataplane/apply/lane.h"
#include "dataplane/apply/lifetimes.h"
#include "dataplane/apply/sweep.h"
#include "dataplane/core/core.h"
#include "dataplane/log/log.h"
#include "dataplane/resume.h"
#include "dataplane/route/place.h"
#include "dataplane/route/route.h"
#include "dataplane/route/snapshot.h"
#include "dataplane/source/probe.h"
#include "dataplane/source/source.h"
#include "dataplane/topology/whereabouts.h"
#include "drivers/replace.h"

enum link_stage {
	LINK_OPENING,
	LINK_ASKING,
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
	struct whereabouts source_where, target_where;
	struct whereabouts master_where; // of a member: whom the probe asks
	struct cluster_topology *target_map; // of a target that is a cluster, else NULL
	struct gather gather;                // likewise
	struct source source;
	struct probe probe;
	struct place place;
	struct route route;
	struct snapshot snapshot;
	struct sweep sweep;
	struct park *park;            // own_park, or that of the group
	struct park own_park;
	struct group *group;          // that it is a member of; NULL: none
	uint64_t slots[SWEEP_SLOT_WORDS]; // of a member, as its snapshot began
	struct lane *lanes;
	unsigned n_lanes;

	struct server_version target; // what lane 0 found as all of them were ready
	bool loading;                 // the log waits for the snapshot to be loaded
	bool snapshot_read;           // its end has been found
	unsigned n_loaded;            // snapshots loaded
	unsigned n_snapshots_lost;    // in a row
	uint64_t held_end;            // highest offset that the target holds, as the life began
	bool joined;                  // the markers were looked at once
	bool looked;                  // the lanes have been open once
	bool finds_ours;              // the target was empty then, or had our markers
	bool looks;                   // the markers say where to go on, else: full sync
	char resume_text[TEXT_LEN];   // where the target ends, and who says so
	char full_reason[TEXT_LEN];   // of the full sync that is asked for or offered
	bool begins;                  // it is the first one of all, which needs no excuse
	bool source_stays;            // the source goes on while the markers are read again
	bool from_log;                // the log holds the stream from the markers on
	bool refilling;               // the snapshot being loaded is the one on disk
	bool naming;                  // a new id of the stream is being recorded
	uint64_t stream_seq[LANES_MAX]; // first batch of each lane since the stream began

	struct replacer *files;       // of the state folder; NULL without one
	struct checkpoint point;      // what we know now, as it was read at first
	bool point_known;             // it was read, or we have been here ourselves
	char *point_text;             // as it was put last; CHECKPOINT_LEN_MAX
	size_t point_len;
	uint64_t point_at_ns;         // when it may be put again
	bool point_failed;            // people were told

	struct lifetimes lifetimes;   // of keys that a former life held
	bool holds_put;               // those of this snapshot are on their way to the disk
	unsigned n_holds_saved;
	uint64_t release_at;          // they were given back before this offset, 0: not yet

	bool drained;                 // of the drain: all that was received is routed
	bool final_markers;           // of the drain: sent
	uint64_t touch_at_ns;         // when idle lanes get their marker again
	uint64_t
		catch_up_answers; // the probe's answer that tells the offset to reach
	uint64_t catch_up_since_ns;
	uint64_t catch_up_asked_ms;   // wall clock
	bool catch_up_known;          // the offset stands in the link's state
	struct {                      // the source is asked again, for what is held
		bool open, known;
		uint64_t answers, since_ns, asked_ms, offset;
	} ask;
	struct clock_reading now;
};

// @param index       of the link in the contract, of a member that of its group
// @param lane_cores  the core of each lane, n_lanes
// @param group       NULL: it is no member
// @return NULL when out of memory
struct link *link_new(struct core *core, uint32_t index, struct link_slot *slot,
		      struct core *const *lane_cores, unsigned n_lanes, struct group *group);

// @param link  over, and no task of any core any more
void link_free(struct link *link);

// The task of core 0. See task_turn.
bool link_turn(void *link, const struct clock_reading *now, uint64_t *deadline_ns);

void link_pause(struct link *link, bool on);
void link_drain(struct link *link);
void link_stop(struct link *link);

// A full sync makes right what the stream cannot. @param why  half a sentence
void link_resync(struct link *link, const char *why);

static inline bool link_is_over(const struct link *link)
{
	return link->stage == LINK_OVER;
}
