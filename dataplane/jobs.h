// SPDX-License-Identifier: BSD-3-Clause
// Jobs: the links that this dataplane runs. A link whose source is a cluster is a group, which has
// its members run here too, one for each shard.
//
//   COMMAND_LINK_START -> link_new()  -> tasks of core 0 and of the lanes' cores
//                      -> group_new() -> jobs_member_start() ...
//   over -> every core lets go of its tasks -> freed
//
// Owner: core 0.
#pragma once

#include "dataplane/core/core.h"
#include "dataplane/link.h"

struct group;

// Where a link runs. It is let go by every core before it is freed.
struct berth {
	struct link *link;
	bool leaving; // over, and its tasks are being removed
};

struct jobs {
	struct contract *contract;
	struct core *cores;
	unsigned n_cores;
	const char *io;  // how the kernel's sockets are waited for
	const char *net; // our own TCP's device; NULL: there is none
	struct berth links[LINKS_MAX], members[MEMBERS_MAX];
	struct group *groups[LINKS_MAX];
	bool group_leaves[LINKS_MAX];
	bool again[LINKS_MAX]; // to be started once it has left
};

// Do what flyoverd asks for; not COMMAND_EXIT.
void jobs_command(struct jobs *jobs, const struct command_record *r);

// Each turn of core 0: let go of what is over.
void jobs_turn(struct jobs *jobs);

// The cores have stopped: free everything.
void jobs_free(struct jobs *jobs);

// A place for a member: its slot, empty. @return its number, -1: all are taken
int jobs_member_find(const struct jobs *jobs);

// Begin a member, whose slot has been filled.
//
// @param group  the member's
// @return the link, or NULL without memory, or while the cores are busy with others: try again
struct link *jobs_member_start(struct jobs *jobs, unsigned member, struct group *group);

// Whether a member's place is free again.
static inline bool jobs_member_gone(const struct jobs *jobs, unsigned member)
{
	return !jobs->members[member].link;
}
