// SPDX-License-Identifier: BSD-3-Clause
// A group: a link whose source is a cluster. Each shard of it is a member, which is a link by
// itself, with a stream, a log, a checkpoint, markers and lanes of its own; the group finds the
// shards, tells each member where its shard is now, and shows all of them as one.
//
//   LOOKING --the map of the cluster--> RUNNING --drain--> DRAINING --all members over--> OVER
//      |                                   |                  |
//      +-----------------------------------+--error, stop-----+--> CLOSING --all over--> OVER
//
// A member's folder is shards/NAME in that of the link, with the ids of its nodes in it, so that
// the next life finds the stream of a shard whatever became of its nodes. Its markers are those of
// a link LINK.NAME. What a target refuses is parked with the link, whichever member it came from.
//
// A full sync is taken from a replica that is well, unless `prefer-replica` says no. The stream
// goes on at the master as soon as we have what that has, by partial resync; with `yes` it is read
// at the replica until there is trouble. Every resumption goes to the master. Offsets are asked of
// the master always: what it has reached when it is asked says the same of its replica's stream.
//
// A new shard gets a member, with a full sync. A shard that has lost all its slots keeps its member
// for what is still in its stream; one that has left the cluster, or is away without any slots, is
// let go. If its last words were not heard, the slots that it had are synced anew.
//
// Owner: core 0, on which all members route.
#pragma once

#include "dataplane/group/handoff.h"
#include "dataplane/group/shard.h"
#include "dataplane/jobs.h"
#include "dataplane/topology/cluster.h"
#include "drivers/replace.h"

#define GROUP_MEMBERS_MAX MEMBERS_MAX

enum group_stage { GROUP_LOOKING, GROUP_RUNNING, GROUP_DRAINING, GROUP_CLOSING, GROUP_OVER };

struct member {
	struct shard shard;
	unsigned place;         // of the jobs' members
	struct link_slot *slot; // there; its state stays when the link is gone
	struct link *link;      // NULL: not begun yet, or gone
	bool begun;
	bool leaving;    // the shard has left the cluster: it drains, and is forgotten
	unsigned n_orphan; // maps in a row in which no node of the shard is a master
	bool unsaved;    // its nodes could not be written down
	bool at_replica; // its stream is read there
	char node[CLUSTER_ID_LEN + 1]; // which one
	struct {                       // no older may the snapshot of a replica be
		uint64_t chosen_ns;    // when the replica was
		bool known;
		uint64_t offset; // that the master had, asked after that
		unsigned n_tries;
	} floor;
	unsigned number;    // in hand-offs
	uint64_t n_answers; // of the probe, taken
	uint64_t gate_ns;   // a full sync waits since then for what its master says; 0: none does
};

struct group {
	struct jobs *jobs;
	struct core *core;
	uint32_t index;
	struct link_slot *slot; // of the link as people see it
	const struct link_config *config;
	enum group_stage stage;
	bool paused;
	bool ours;                  // the target was empty, or marked, as the link first began
	bool gathered;              // all members have looked at the target once
	enum link_phase last_phase; // what it ends in
	struct park park;           // of all members
	struct cluster_topology *topology;
	uint64_t map_version; // of the map that the members were matched with; 0: none
	struct member *members[GROUP_MEMBERS_MAX];
	unsigned n_members;
	struct handoff *handoff; // slots that move between the members
	struct replacer *files;  // of the link's folder, NULL without one
	uint64_t handoff_put;    // version of the hand-offs that was put last
	int files_failed;        // it could not be written, which was told: -errno
	uint64_t n_told, n_seen; // maps of single nodes, taken for members and for hand-offs
	struct {                 // of members that have left
		struct source_counters source;
		struct lane_counters lanes[LANES_MAX];
	} gone;
	uint64_t settle_at_ns, poke_at_ns;
	uint64_t sum_at_ns;     // when people are told again
	uint64_t deadline_ms;   // wall clock, of the wait for the first map
	char waiting[TEXT_LEN]; // "" when for nothing of its own
	struct clock_reading now;
};

// Whether a link has to be a group.
static inline bool group_is_due(const struct link_config *config)
{
	return config->source.kind == URL_CLUSTER;
}

// @param index  of the link in the contract
// @return NULL when out of memory
struct group *group_new(struct jobs *jobs, uint32_t index);

// @param group  over, its members freed, and no task any more
void group_free(struct group *group);

// The task of core 0. See task_turn.
bool group_turn(void *group, const struct clock_reading *now, uint64_t *deadline_ns);

void group_pause(struct group *group, bool on);
void group_drain(struct group *group);
void group_stop(struct group *group);

static inline bool group_is_over(const struct group *group)
{
	return group->stage == GROUP_OVER;
}

// ---- For a member

// It has looked at the target for the first time. Whether it may go on: what one member writes
// shall not be there when another counts the keys.
//
// @param is_ours  its own answer, false: there were keys and none of our markers
bool group_may_begin(struct group *group, bool *is_ours);

// It is about to turn to its source: choose the node.
//
// @param full_sync  it needs no more than any node has; else only the master surely has all that is
//                   asked for
void group_choose_node(struct group *group, const struct link *member, bool full_sync);

// Whether its stream may be read again from an offset on, for a target that came back older: what
// was skipped there as slots moved, another stream or a full sync had brought instead.
bool group_may_replay(struct group *group, const struct link *member, uint64_t offset);

// A full sync is offered where it had asked to go on. Whether it was the master of its shard that
// did so: a former master that has become a replica may have lost the stream that its successor
// still has. It is not believed before the master has said since that it is one; an offer by
// another node is refused.
bool group_believes_offer(struct group *group, struct link *member);

// Whether its full sync may begin: its master has said lately which slots it owns.
bool group_may_sync(struct group *group, const struct link *member);

// It begins. @param slots  out, bit by slot: those that it is of
void group_claim(struct group *group, const struct link *member, uint64_t slots[SLOT_COUNT / 64]);
