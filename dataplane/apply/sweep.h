// SPDX-License-Identifier: BSD-3-Clause
// Sweep: after a snapshot is loaded and before its stream goes on, remove from the target the keys
// and functions that the snapshot does not hold. A connection of its own walks every database by
// SCAN.
//
//   INFO keyspace -> SELECT db, SCAN 0 -> DEL keys, SCAN cursor -> ... -> next db
//     -> FUNCTION LIST -> FUNCTION DELETE... -> done
//
// Owner: the core that reads the source.
#pragma once

#include "dataplane/apply/keyset.h"
#include "dataplane/core/core.h"
#include "dataplane/topology/whereabouts.h"
#include "parsers/resp.h"

#define SWEEP_DBS_MAX 256

struct sweep {
	struct core *core;
	const struct endpoint *endpoint;
	struct seek seek;         // where it is
	struct source_counters *counters;
	int32_t only_db;          // the one database to walk, -1: all; set by the owner
	struct keyset keys;       // of the snapshot; open while one is loaded that has to be swept
	struct stream *stream;
	struct resp_replies *replies;
	bool running, done;
	bool greeted;
	char *out;                // bytes to send
	size_t n_out, out_max, out_at;
	unsigned n_skip;          // replies that say nothing, before the next one of interest
	bool scanning;            // the reply of interest is SCAN's
	bool listing;             // it is FUNCTION LIST's
	bool finishing;           // it is that of the last PING
	int32_t dbs[SWEEP_DBS_MAX];
	unsigned n_dbs, db;
	uint64_t retry_at_ns;
	char error[TEXT_LEN];     // last trouble, "" none
};

void sweep_init(struct sweep *s, struct core *core, struct whereabouts *target,
		struct source_counters *counters);
void sweep_fini(struct sweep *s);

// Begin; keys is complete.
void sweep_begin(struct sweep *s);

// @return true once it is done (or nothing was begun)
bool sweep_turn(struct sweep *s, const struct clock_reading *now, uint64_t *deadline_ns);
