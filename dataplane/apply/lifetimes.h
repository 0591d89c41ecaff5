// SPDX-License-Identifier: BSD-3-Clause
// Lifetimes: which held keys still have, in the target, the expiry that a former life set for them.
// Asked by a connection of its own before the stream goes on, so that nothing of ours changes them
// meanwhile.
//
//   [AUTH] -> SELECT db, TIME, PTTL key..., TIME -> ... -> done
//
// PTTL tells what is left, by the target's clock, somewhere between both TIMEs; that works with
// every server from 2.6 on, where PEXPIRETIME would want 7.0. The set expiry is a day away to the
// millisecond, so whatever falls into that short span is ours.
//
// Of a cluster the owners of the keys are asked, one after the other. A key whose slot moves is
// asked for again, for a while.
//
// Owner: the core that reads the source.
#pragma once

#include "dataplane/core/core.h"
#include "dataplane/route/hold.h"
#include "dataplane/topology/cluster.h"
#include "dataplane/topology/whereabouts.h"
#include "parsers/resp.h"

#define LIFETIMES_QUESTION 512 // keys asked at once

struct lifetimes {
	struct core *core;
	const struct endpoint *endpoint;
	struct seek seek;         // where it is
	struct holds *holds;
	struct stream *stream;
	struct resp_replies *replies;
	bool running;
	char *out; // what is being sent
	size_t n_out, out_at, out_max;
	struct cluster_topology *topology; // of a cluster, NULL: one server; set by the owner
	char host[CLUSTER_HOST_LEN];       // of the node that is asked
	uint16_t port;
	uint64_t asked[HOLDS_MAX / 64];      // bit by hold: it was answered
	unsigned first;                      // of those that were not
	uint32_t picked[LIFETIMES_QUESTION]; // holds of the question at hand
	unsigned n_picked;
	unsigned n_moved, n_waits; // keys of it whose slot moves; how often that was waited for
	unsigned n_seen;           // answers to it so far
	unsigned n_skip;           // answers before them
	int64_t asked_ms;          // first TIME
	int64_t *left_ms;          // of each, by PTTL
	unsigned n_kept, n_changed;
	uint64_t retry_at_ns;
	char error[TEXT_LEN];   // last trouble, "" none
	char refusal[TEXT_LEN]; // the target does not let us ask; then nothing is held any more
};

void lifetimes_init(struct lifetimes *l, struct core *core, struct whereabouts *target);
void lifetimes_fini(struct lifetimes *l);

// Begin. @param holds  those that do not stand are ended; borrowed until it is done
void lifetimes_begin(struct lifetimes *l, struct holds *holds);

// @return true once it is done (or nothing was begun)
bool lifetimes_turn(struct lifetimes *l, const struct clock_reading *now, uint64_t *deadline_ns);
