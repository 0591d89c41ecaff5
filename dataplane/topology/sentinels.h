// SPDX-License-Identifier: BSD-3-Clause
// Sentinels: all that are known are asked at once where the master is. What one of them says is
// believed when a majority has answered, or when the others do not answer within a moment; the
// highest configuration epoch is right, and one that was seen before is only given up when a
// majority says so. So the answer of one that was cut off with a former master does not count.
//
//   sentinels_ask() -> GET-MASTER-ADDR-BY-NAME, MASTER, SENTINELS [, REPLICAS] -> sentinels_turn()
//
// Further sentinels are learned from those that answer. Each that answers is also listened to:
// +switch-master is a hint to ask again, never an answer.
//
// Owner: core 0.
#pragma once

#include "dataplane/topology/asker.h"
#include "drivers/resolve.h"
#include "parsers/sentinel.h"

#define SENTINELS_MAX         URL_NODES_MAX
#define SENTINEL_REPLICAS_MAX 32

enum sentinels_verdict { SENTINELS_ASKING, SENTINELS_ANSWERED, SENTINELS_FAILED };

enum sentinel_question {
	QUESTION_LOGIN,
	QUESTION_ADDRESS,
	QUESTION_MASTER,
	QUESTION_OTHERS,
	QUESTION_REPLICAS,
	QUESTION_NONE,
};

struct sentinel {
	struct url_node at;                 // as the URL, or another sentinel, has it
	char address[RESOLVED_ADDRESS_LEN]; // of it; "" not resolved
	bool is_stale;                      // it did not do: to be resolved anew
	unsigned n_failures;                // so far: a name with several addresses
	struct resolve *resolve;
	struct asker asker, listener;
	enum sentinel_question due;         // which answer comes next
	bool was_refused;                   // it wants a password that we were not told for it
	uint64_t listen_at_ns;              // not before
	// Of the round.
	bool is_over;   // it has answered, or will not
	bool knows;     // it knows the master: where, and since which epoch
	bool knows_not; // it knows no master of this name
	struct url_node master;
	uint64_t epoch;
	char why[120];  // it did not answer
};

struct sentinels {
	struct core *core;
	const struct endpoint *endpoint;
	uint64_t patience_ns;
	bool wants_replicas;
	struct sentinel list[SENTINELS_MAX];
	unsigned n;
	bool is_asking;
	bool is_hinted; // the master is said to have moved; the owner clears it
	uint64_t began_ns, first_answer_ns;
	// What was last believed.
	struct url_node master;
	uint64_t epoch;
	struct sentinel_row replicas[SENTINEL_REPLICAS_MAX];
	unsigned n_replicas;
	enum error_id error; // of SENTINELS_FAILED
	char why[TEXT_LEN];
};

// @param endpoint        borrowed
// @param patience_ns     longest wait for one of them
// @param wants_replicas  ask for them too
// @return NULL when out of memory
struct sentinels *sentinels_new(struct core *core, const struct endpoint *endpoint,
				uint64_t patience_ns, bool wants_replicas);
void sentinels_free(struct sentinels *s);

// Begin a round; one that is under way is begun anew.
void sentinels_ask(struct sentinels *s, const struct clock_reading *now);

// @return ANSWERED and FAILED once for each round
enum sentinels_verdict sentinels_turn(struct sentinels *s, const struct clock_reading *now,
				      uint64_t *deadline_ns);
