// SPDX-License-Identifier: BSD-3-Clause
// Starts flyover-dataplane, watches it, starts it again when it dies.
//
//           dataplane_want()              ready = 1
//   DOWN ----------------------> STARTS -------------> RUNS
//    ^ ^                            |                   | |
//    | |  gone, wanted: after a while, a fresh contract | | dataplane_leave()
//    | +----------------------------+-------------------+ v
//    +----------------------------------------------- LEAVES
//
// After QUICK_DEATHS_MAX deaths in a row, each within QUICK_DEATH_MS of its start, it stays down
// and the links that ran become FAILED.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ctrl/daemon/loop.h"
#include "ctrl/daemon/shared.h"

#define QUICK_DEATHS_MAX 5
#define QUICK_DEATH_MS   10000

struct daemon;

enum supervisor_stage { DATAPLANE_DOWN, DATAPLANE_STARTS, DATAPLANE_RUNS, DATAPLANE_LEAVES };

struct supervisor {
	enum supervisor_stage stage;
	struct shared shared; // never without a contract once supervisor_init() is through
	struct watch process; // pidfd, -1 when down
	pid_t pid;            // 0 when down
	bool is_child;        // false: taken over from an earlier flyoverd
	bool wanted;          // some link needs it
	bool has_run;         // once at least, with the settings of this flyoverd
	unsigned quick_deaths, restarts;
	uint64_t deadline_ms;  // DOWN: when to start again; STARTS, LEAVES: how long to wait (mono)
	uint64_t started_ms;   // mono
	uint64_t beat_seen_ms; // the slowest core's heartbeat as last seen (wall)
	uint64_t beat_turns;   // of our ticks since it moved
	uint64_t events_dropped; // as last told
};

// Take over the dataplane that an earlier flyoverd left running in this state folder, or prepare an
// empty contract.
//
// @return 1 taken over, 0 not, or -errno
int supervisor_init(struct daemon *d);

// The dataplane is needed: start it unless it runs or waits for its turn.
void dataplane_want(struct daemon *d);

// Whether it was asked for and does not run yet.
bool supervisor_starting(const struct daemon *d);

// Every TICK_MS: events, heartbeats, deadlines.
void supervisor_tick(struct daemon *d, uint64_t now_ms);

// Ask it to leave; it is killed when it does not within 5 s. now: kill it at once.
void dataplane_leave(struct daemon *d, bool now);

void supervisor_fini(struct daemon *d);
