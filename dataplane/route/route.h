// SPDX-License-Identifier: BSD-3-Clause
// Route: the stream's bytes -> commands -> fate, form, lane.
//
//   route_turn() -> route_frame_next() -> command_route() -> filter | form_find(), command_place()
//                                                                  -> place_*()
//
// What the log's window cannot hold well is collected in a file first, see giant.h.
//
// A command is forwarded as the bytes of the log that it came in, unless its form has to change.
// What the source wrapped in MULTI .. EXEC goes into one batch, which is a transaction itself.
// Offsets are given out at frame boundaries only: a command, or a whole MULTI .. EXEC.
//
// Owner: the core that reads the source.
#pragma once

#include "dataplane/group/handoff.h"
#include "dataplane/log/log.h"
#include "dataplane/route/gather.h"
#include "dataplane/route/giant.h"
#include "dataplane/route/hold.h"
#include "dataplane/route/place.h"
#include "dataplane/route/slots.h"
#include "parsers/commands.h"
#include "parsers/resp.h"
#include "parsers/rewrite.h"
#include "parsers/rewrite_older.h"

// What comes next of a command that is gathered, gather.h.
enum gather_step {
	GATHER_FENCES, // the markers of the slots that are read
	GATHER_READ,   // its keys, then the destination's unit
	GATHER_OTHERS, // the others', once that is answered
};

struct route {
	struct log *log;
	struct place *place;
	struct source_counters *counters;
	const struct link_config *config;
	struct resp_stream *reader;
	uint64_t shown;          // the reader has seen the log up to here
	int32_t db;              // selected in the stream
	struct db_map dbs;       // databases that are forwarded, and where they go
	struct slots *slots;     // of a cluster; NULL: the target is one server
	struct gather *gather;   // of a cluster, set by the owner; NULL: what needs it is parked
	enum gather_step gather_step; // of the command at hand
	struct older older;      // what the target takes
	struct rewrite_target restores; // of payloads; rdb_version_max 0: not known
	const char *resync;      // a command that only a full sync can follow; NULL: none
	bool empties;            // it deleted all that its shard had
	uint64_t routed;         // everything before it has its fate or its batch
	uint64_t now_ms;         // wall clock of this turn

	// The command at hand.
	struct resp_frame frame;
	const char *bytes;       // of the frame, in the log or in the giant's file
	struct span *argv, *argv_new; // room for argv_max, and a little more
	unsigned argv_max;
	bool argv_in_file;       // they lie in memory_file_map(), being so many
	bool words_changed;      // argv is not what `bytes` say
	struct giant giant;
	bool pending;            // it found no free batch: try again before the next

	// MULTI .. EXEC at hand.
	bool in_frame;
	uint64_t frame_begin;
	int32_t frame_db;        // selected at its beginning
	int frame_lane;          // the first that got some of it, -1: not known yet
	uint32_t frame_lanes;    // all those: more than one only for a cluster
	uint32_t frame_mask;     // lanes that it touches
	bool frame_global;       // it holds FLUSHALL or the like
	uint64_t frame_commands, frame_filtered; // counted at EXEC
	uint32_t frame_n[LANES_MAX]; // commands of it, by lane
	struct batch_mark frame_marks[LANES_MAX]; // the batches before it
	bool frame_apart;        // it cannot go as one, see route_transaction.c
	uint64_t apart_until;    // MULTI and EXEC before it are passed over

	struct holds holds;      // of the snapshot and of lags, until the stream has caught up
	bool behind;             // nobody knows yet how far the source is ahead; set by the link
	uint64_t oldest_ms;      // wall clock, when the oldest came that is not answered; 0: none

	// What the target holds already, by slot: commands that begin before it are not sent again.
	uint64_t *held;          // SLOT_COUNT offsets
	uint64_t held_end;       // the highest of them; from there on nobody looks
	bool frame_held;         // so is the transaction at hand

	// A shard of a cluster, whose slots may move to others.
	struct handoff *handoff; // NULL: it is none
	unsigned member;

	enum error_id error;     // why route_turn() said -1
	char text[TEXT_LEN];     // or of `resync`
};

// @return 0, or -ENOMEM
int route_init(struct route *r, struct log *log, struct place *place,
	       struct source_counters *counters, const struct link_config *config);
void route_fini(struct route *r);

// Begin at an offset, which is a frame boundary, for the target as it is now: lane 0 has been
// READY.
// @param db  selected there
void route_reset(struct route *r, uint64_t offset, int32_t db);

// Route what the log holds, until the lanes are full or a slice of work is done.
//
// @return 1 when there is more to do at once, 0 when it waits for bytes or lanes, -1 on what cannot
//         go on: error and text are filled, or `resync` says why a full sync has to follow
int route_turn(struct route *r, uint64_t now_ms);

// DEL of a key that is no more, behind what was routed. @return false: not now
bool route_clear(struct route *r, int32_t db, struct span key);

// Whether the command at hand waits for another shard, which has nothing more to come: it is left
// for the next life, that is, it counts as not received.
bool route_stays(struct route *r);

// Hand over what is open, as place_flush() does, but for a transaction that is not whole.
void route_flush(struct route *r, bool all);

// First byte of the log that has not been taken apart.
uint64_t route_whole(const struct route *r);

// The stream has caught up: give keys that are still held the expiry that they came with: those
// whose time has passed for the source too, and those that have time enough left.
//
// @param dead_ms  what the source wrote up to then has been routed; INT64_MAX: all are given back
// @param near_ms  those that expire behind dead_ms, and not after this, stay held
//
// @return 1 done, 0 the lanes are full: call it again, -1 error and text are filled
int route_release(struct route *r, int64_t dead_ms, int64_t near_ms);

// No more bytes will come: a transaction of which the end is missing is not begun at all.
// @return 0, or -1 error and text are filled
int route_abandon(struct route *r);
