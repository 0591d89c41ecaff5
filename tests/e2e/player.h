// SPDX-License-Identifier: BSD-3-Clause
// The masters of a recording, played: each is a server of its own on a port of the loopback, which
// says what the recorded one said at that time. The clock begins once the snapshot of each has been
// taken, and each was asked for the map after that: of slots that move in between, nobody can know
// whether they moved before the snapshot. What is sent then may lag behind what INFO and CLUSTER
// tell, as it does on a slow line.
//
// A recorder sees bytes a little later than they were written, and later of one node than of
// another. So an answer takes twice PLAYER_SLACK_MS, and tells what was so between question and
// answer: whoever relies on either finds nothing that contradicts it.
#pragma once

#include <stdbool.h>

#include "tests/e2e/recording.h"

#define PLAYER_SLACK_MS 4

struct world;
struct player;

struct play {
	const struct recording *recording;
	double pace; // 2: twice as fast as it was recorded; 0: as fast as it goes
	int lag_ms[RECORDED_NODES_MAX]; // of the stream of each node
	bool again; // snapshots are given at any time, see shadow.h
};

struct player *player_start(struct world *w, const struct play *play);

// redis+cluster://HOST:PORT,...
const char *player_url(const struct player *p);

// Whether all streams have been sent to their ends.
bool player_is_over(const struct player *p);

// Snapshots that were asked for after the clock had begun: a recording has none to give, unless
// `again` was asked for.
unsigned player_refused(const struct player *p);
unsigned player_given(const struct player *p);
