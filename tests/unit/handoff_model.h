// SPDX-License-Identifier: BSD-3-Clause
// A cluster in memory whose slots move, and what one who reads its streams knows of it:
//
//   handoff_cluster.c     servers, clients, moves
//   handoff_promise.c     what handoff.h promises at every step, held against the cluster
//   handoff_load.c        full syncs: the offer, what the master says, the claim, key by key
//   handoff_model_test.c  the one who reads, and runs
#pragma once

#include "dataplane/group/handoff.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"

#define SHARDS_MAX  4
#define SLOTS       4
#define KEYS        4 // of a slot
#define VALUE_LEN   800
#define WORDS       12
#define COMMAND_LEN 10 // bytes of a stream that a command counts for
#define STREAM_MAX  3000
#define SENT_MAX    32

typedef char value[VALUE_LEN];

struct state {
	value of[SLOTS][KEYS]; // "": there is no such key
};

enum way { CLASSIC, TASK, BY_KEYS, WAYS };

struct move {
	bool on, copied;
	enum way way;
	unsigned from, to, number;
};

// A full sync: its snapshot is of the moment at which it was offered.
enum sync_stage { SYNC_NONE, SYNC_OFFERED, SYNC_LOADING };

struct sync {
	enum sync_stage stage;
	bool due; // the target's markers are gone
	struct state state;
	struct move moves[SLOTS];
	unsigned n, n_loaded, n_claims;
	unsigned former; // where the stream goes on as long as the target knows nothing of it
};

struct shard {
	struct state state;
	value *stream;
	unsigned n;
	struct sync sync;
	// As it is read.
	struct state seen;
	bool trimmed[SLOTS];
	unsigned received, routed;
	struct sent {
		unsigned command, slot;
		bool clears[KEYS], parts;
	} sent[SENT_MAX];
	unsigned n_sent;
};

struct model {
	struct random random;
	struct handoff *h;
	struct shard shards[SHARDS_MAX];
	unsigned n_shards, owner[SLOTS];
	unsigned n_keys, kinds; // of a slot; of writes, one of which deletes
	struct move moves[SLOTS];
	struct state target;
	struct backup { // of the target, with its markers
		struct state target;
		unsigned routed[SHARDS_MAX], n_claims[SHARDS_MAX];
		bool loads[SHARDS_MAX];
	} backup;
	uint64_t now, put;
	char *putting, *disk;
	size_t putting_len, disk_len;
	unsigned n_ids, n_tasks, n_resyncs, n_older;
	bool halves; // moves are given up half way, and made anew
	bool ways[WAYS];
	int traced;   // slot, -1: none
	bool watched; // at every step, for what handoff.h promises
};

static inline unsigned below(struct model *m, unsigned n)
{
	return (unsigned)random_below(&m->random, n);
}

// handoff_cluster.c

void trace(const struct model *m, unsigned slot, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void names_make(void);
void key_name(char out[32], unsigned slot, unsigned key);
bool key_parse(struct span name, unsigned *slot, unsigned *key);
int words_of(const char *text, struct span argv[WORDS]);
bool is_control(const struct span *argv);
bool is_of_slot(const struct span *argv, int argc, unsigned slot);
void state_run(struct state *s, const struct span *argv, int argc);

// A client writes something somewhere; a slot's move goes one step on, or one begins.
void client_writes(struct model *m);
void move_step(struct model *m, unsigned slot);

// handoff_load.c

// The master of a shard is asked who owns what.
void view_tell(struct model *m, unsigned shard);

// Whether the shard is being synced anew, which went one step on then.
bool sync_step(struct model *m, unsigned shard);
void sync_all(struct model *m); // .. of all of them, as the group begins

// We, or the connection to the target, are gone: what was loaded is worth nothing.
void sync_lost(struct model *m, unsigned shard, bool crashed);

// handoff_model_test.c

// The target answers the first n of what is on its way.
void sent_answer(struct model *m, unsigned shard, unsigned n);

// handoff_promise.c

// What is on its way arrives at the target.
void sent_apply(const struct model *m, struct state *target, unsigned shard,
		const struct sent *sent);

// A command was read: the copies that the shard had there.
void seen_run(struct shard *s, const struct span *argv, int argc);
void key_trace(const struct model *m, unsigned slot);

// @return whether the target and the copies are what handoff.h says of them
bool promise_holds(const struct model *m);
