// SPDX-License-Identifier: BSD-3-Clause
// Full syncs at any time of a recording, which has a snapshot of its beginning alone: a real server
// is a replica of the recorded master, without the lag, and a replica of its own gets what it has
// under the master's name and offset. A snapshot that Redis 7.0 cannot load comes to it by `flyover
// restore`.
#pragma once

#include "tests/e2e/recording.h"

struct world;

struct shadow {
	const struct recorded_node *node;
	struct server *server;
	char *head; // +FULLRESYNC and the snapshot, as the server is sent them
	size_t head_len;
};

// What the server is sent first; then its stream follows.
void shadow_prepare(struct world *w, struct shadow *s, const struct recording *r,
		    const struct recorded_node *node);

// @param port  where the recorded master is played to it
void shadow_start(struct world *w, struct shadow *s, int port);

// A snapshot of when the master had sent `at` bytes, or later. Runs in any thread.
//
// @param head  out: +FULLRESYNC and all of the snapshot; the caller frees it
// @param at    in, out: where the stream goes on, in the bytes of the node
// @return      0, or -1
int shadow_snapshot(const struct shadow *s, char **head, size_t *len, size_t *at);
