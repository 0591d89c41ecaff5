// SPDX-License-Identifier: BSD-3-Clause
// The probe: a second, plain connection to the source that asks INFO, for its version and for the
// offset that it has reached by itself. Without the right to do so the link works all the same and
// takes what it has received for the source's offset.
//
// Owner: the core that reads the source.
#pragma once

#include "dataplane/topology/whereabouts.h"
#include "parsers/psync.h"
#include "parsers/resp.h"
#include "parsers/server_version.h"

struct probe {
	struct core *core;
	const struct endpoint *endpoint;
	struct seek seek;     // where it is
	struct stream *stream;
	struct resp_replies *replies;
	bool asked;           // an answer is outstanding
	bool greeted;         // AUTH is out
	bool refused;         // the server does not let us
	unsigned n_skip;      // replies before that of INFO
	uint64_t next_ns;     // when to ask or connect again
	uint64_t asked_ns;
	uint64_t answers;     // INFO answered so far
	uint64_t offset;      // master_repl_offset as last answered
	uint64_t offset_ns;   // when that was asked for
	char replid[REPLID_LEN + 1]; // of the history that it is of; "" before Redis 4.0
	bool is_replica;      // that is what it says of itself
	struct server_version version;
};

void probe_init(struct probe *p, struct core *core, struct whereabouts *where);
void probe_fini(struct probe *p);

// Ask at the next turn, not only when the second is over.
void probe_hurry(struct probe *p);

// The source is elsewhere now: ask there.
void probe_turn_away(struct probe *p);

void probe_turn(struct probe *p, const struct clock_reading *now, uint64_t *deadline_ns);
