// SPDX-License-Identifier: BSD-3-Clause
// The torture: a link between two sides under live writes, faults at random, and a judge after each
// round. A side is a server, or with --clusters one of the deployments in which servers are found.
//
//   torture.c         the rounds and the report       torture_side.c    a server behind a proxy
//   torture_plan.c    what the seed decides           torture_nodes.c   clusters and ensembles
//   torture_fault.c   what goes wrong                 torture_link.c    our programs
//   torture_slots.c   slots that move                 torture_judge.c   what must be right
#pragma once

#include "tests/e2e/cluster.h"
#include "tests/e2e/harness.h"
#include "tests/e2e/sentinels.h"
#include "tests/e2e/torture_random.h"
#include "tests/e2e/torture_writer.h"

// ---- What the seed decides

// What a server keeps when it ends.
enum keeps {
	KEEPS_NOTHING,
	KEEPS_RDB,          // as of its last orderly end
	KEEPS_AOF_EVERYSEC, // after SIGKILL nearly everything: the kernel has what was written
	KEEPS_AOF_ALWAYS,   // all that it answered
	KEEPS_COUNT,
};

// What a side is. Bits, for the kinds of faults that there are of some.
enum side_kind {
	SIDE_PAIR = 1,    // a server behind a proxy, and another one for failovers
	SIDE_CLUSTER = 2, // a Redis Cluster, each master with a replica
	SIDE_WATCHED = 4, // a master and two replicas that sentinels watch
};

struct deployment {
	const char *name;
	enum side_kind source, target;
	unsigned source_masters, target_masters; // of clusters
};

// Rounds share servers, and the link's state, for the length of an era.
#define ERA_ROUNDS 8

struct era {
	struct deployment deployment;
	enum keeps source, target;
	const char *backlog;      // of the source
	const char *output_limit; // of the source for a replica, in bytes; "0": none
	bool tiny_disk;           // the state folder is a small file system of its own
};

enum link_change {
	CHANGE_NOTHING, // the link that runs goes on
	CHANGE_ENDED,   // it was ended well, and another takes up its state
	CHANGE_KILLED,
	CHANGE_FRESH,   // into an empty target, with an empty state folder
};

#define FAULTS_MAX 6

struct fault_plan {
	unsigned kind;        // index into fault_kinds
	unsigned span;        // faults that begin before this one ends
	unsigned bytes;       // that the source sends before it begins
	unsigned amount;      // 0..999, each kind makes its own of it
	bool source_side;     // for those that exist on both sides
	unsigned replacement; // seed of the link that a restart begins
};

struct link_plan {
	bool daemon; // flyoverd with a file, or `flyover sync`
	bool at_least_once;
	unsigned lanes;
	const char *io, *memory_window, *log_keep, *extra_keys, *ack, *batch, *big_value;
};

struct plan {
	uint64_t seed;
	unsigned round;
	enum link_change change;
	struct link_plan link;
	unsigned writer_seed, connections, habits;
	unsigned n_faults;
	struct fault_plan faults[FAULTS_MAX];
	unsigned bytes_last; // that the source sends after the last fault
};

// @param clusters  of all deployments, not of two servers alone
struct era era_of(uint64_t seed, unsigned round, bool clusters);
struct plan plan_of(uint64_t seed, unsigned round, const struct era *era, uint64_t allowed_faults);
void link_plan_draw(struct link_plan *p, struct random *r);
void plan_print(const struct plan *p, const struct era *era);

// ---- What there is

struct options;

#define TORN_MAX 8

struct side {
	enum side_kind kind;
	enum keeps keeps;
	const char *url; // that the link knows

	struct server *active; // that is written to, of a pair or an ensemble

	// of a pair
	struct server *spare; // follows the active one, or has ended
	struct proxy *proxy;  // the address that the link knows
	struct proxy *line;   // that has a fault, or had the last one; also of a cluster

	// of a cluster or an ensemble
	struct cluster *cluster; // NULL: none
	struct ensemble ensemble;
	struct sentinels *sentinels;
	struct server *away;     // the node that was killed or frozen last
	uint16_t torn[TORN_MAX]; // slots that have moved half way
	unsigned n_torn;
	struct server *torn_to;
};

struct tally {
	unsigned long long rounds, commands;
	unsigned long long faults[32]; // by kind
	unsigned full_syncs, links;
};

struct torture {
	struct world *world;
	uint64_t seed;
	unsigned round;
	const struct options *options;
	bool clusters; // all deployments, see era_of()
	bool verbose, passed;
	bool may_mount;          // mount namespaces are permitted here
	uint64_t allowed_faults; // bit by index of kind
	struct tally tally;

	// of an era
	struct era era;
	struct side source, target;
	struct sentinels sentinels;
	const char *state_dir, *socket;
	bool mounted;
	unsigned gaps; // in which no link ran, so far

	// of a link
	struct link_plan link;
	struct job *job;          // `flyover sync` or flyoverd; NULL: none runs
	unsigned dataplane_kills; // since its flyoverd began
	unsigned daemon_kills;    // since its `flyover sync` began
	bool may_fail;            // something happened that entitles it to give up

	// of a round
	struct plan plan;
	struct process *writer;
	unsigned writers; // of this round so far
};

// ---- Sides (torture_side.c)

void sides_start(struct torture *t);

// The options of a server that keeps so much. @param out  room for 24, ends with NULL
void server_options(const struct torture *t, enum keeps keeps, const char **out);

// The servers that hold the data of a side, once all of them agree on that.
struct servers side_servers(struct side *s);

// Start the other server of a side as a replica of the active one, and wait until it follows.
void side_follow(struct torture *t, struct side *s);

// Now the replica is the server; the old one must have ended.
void side_promote(struct torture *t, struct side *s);

// ---- Clusters and ensembles (torture_nodes.c)

void cluster_side_start(struct torture *t, struct side *s, const char *name, unsigned masters);
void ensemble_side_start(struct torture *t, struct side *s, const char *name);

// Those of all ensembles that have been started.
void sentinels_begin(struct torture *t);

// Wait until it is settled who is master, and there is a replica that could take over.
void side_settle(struct side *s);

// Bring back nodes that are away.
void side_mend(struct side *s);

struct server *master_drawn(struct side *s, unsigned number);

// The server that the sentinels name.
struct server *ensemble_side_master(struct side *s);

// ---- What is written (torture_load.c)

void writer_begin(struct torture *t);
void writer_end(struct torture *t);

// No link runs: let the writer have a while in which it knows that.
void gap_write(struct torture *t);

// The slot of one of the keys that are written.
uint16_t slot_drawn(const struct torture *t, unsigned number);

// Wait until the source has sent so many bytes more, or until so long has passed.
void bytes_wait(struct torture *t, unsigned n_bytes, int most_ms);

// ---- The link (torture_link.c)

void link_start(struct torture *t);

// Whether its program has ended by itself.
bool link_has_ended(struct torture *t);

// SIGTERM; then link_ended(). The exit code must be 0, unless it may fail.
void link_end(struct torture *t);
void link_ended(struct torture *t);

// SIGKILL to everything of it, and wait until it is gone.
void link_kill(struct torture *t);

// flyoverd alone; started again when nobody else does.
void daemon_kill(struct torture *t);
void dataplane_kill(struct torture *t);
pid_t dataplane_pid(struct torture *t);

// A new link: an empty target, an empty state folder.
void link_forget(struct torture *t);

// What flyoverd says. @return the link's status, json_decref() it; NULL while it does not answer
json_t *link_status(struct torture *t);

// Ask flyoverd for something by verb. @return whether it agreed
bool link_verb(struct torture *t, const char *verb);

// Take leave of processes that came to us when their parents died.
void orphans_reap(struct torture *t);

// ---- Faults (torture_fault.c)

struct fault {
	const struct fault_plan *plan;
	bool on;
};

enum subject {
	SUBJECT_SOURCE = 1,
	SUBJECT_TARGET = 2,
	SUBJECT_LINK = 4,
	SUBJECT_SOURCE_LINE = 8,
	SUBJECT_TARGET_LINE = 16,
	SUBJECT_DISK = 32,
	SUBJECT_SOURCE_SLOTS = 64,
	// of the side that the plan has drawn
	SUBJECT_NODES = 128,
	SUBJECT_LINES = 256,
	SUBJECT_SLOTS = 512,
};

struct fault_kind {
	const char *name;
	unsigned weight;
	unsigned sides;    // enum side_kind: of which sides there is one; 0: it is of none
	unsigned subjects; // only one fault at a time on each
	// @return false when there was nothing to break
	bool (*begin)(struct torture *t, const struct fault_plan *f);
	void (*end)(struct torture *t, const struct fault_plan *f); // NULL: over at once
};

const struct fault_kind *fault_kinds(unsigned *n);

struct side *fault_side(struct torture *t, const struct fault_plan *f);

// Of clusters and ensembles (torture_nodes.c).
bool master_dies(struct torture *t, const struct fault_plan *f);
struct proxy *line_drawn(struct side *s, const struct fault_plan *f);
bool node_dies(struct torture *t, const struct fault_plan *f);
bool node_freezes(struct torture *t, const struct fault_plan *f);
bool cluster_dies(struct torture *t, const struct fault_plan *f);
bool replica_takes_over(struct torture *t, const struct fault_plan *f);
bool node_closes_clients(struct torture *t, const struct fault_plan *f);
void nodes_come_back(struct torture *t, const struct fault_plan *f);
bool sentinels_freeze_for_a_while(struct torture *t, const struct fault_plan *f);

// Of the slots of clusters (torture_slots.c).
bool slots_wander(struct torture *t, const struct fault_plan *f);
bool slots_are_torn(struct torture *t, const struct fault_plan *f);
void slots_are_whole(struct torture *t, const struct fault_plan *f);

// All faults of the round, one after the other and over one another; at the end all is well again.
void faults_run(struct torture *t);

// ---- The judge (torture_judge.c)

// Wait until the link has caught up, and fail the test unless everything is right.
void round_judge(struct torture *t);

// The test fails; everything that may explain it is shown first.
void torture_fail(struct torture *t, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));
