// SPDX-License-Identifier: BSD-3-Clause
// What the files of a group share: group.c (life and turn), member.c (a member from its first turn
// to its last), group_map.c (which shards there are, and where their streams are read),
// group_handoff.c (slots that move), group_sum.c (what people see).
#pragma once

#include "dataplane/group/group.h"

// group.c
void group_fail(struct group *g, enum error_id error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

// member.c

// A shard that was not there before: its member. @return NULL: the group has failed
struct member *member_add(struct group *g, const struct cluster_map *map, uint16_t master);

// Write its nodes down.
void member_save(struct group *g, struct member *m);

struct member *member_of_link(const struct group *g, const struct link *link);

// Take note of those whose link is gone. Before anything else: it has been freed.
void members_look(struct group *g);

// Begin, let go, and look after those that are there. @return whether all of them are over
bool members_turn(struct group *g);

// group_map.c

// New maps: members, and their places.
void group_map_turn(struct group *g);

// The member that a master is of. @return NULL: none
struct member *member_of_master(const struct group *g, const struct cluster_map *map,
				uint16_t master);

// Its stream is read at the master from now on.
void member_turn_to_master(struct group *g, struct member *m);

// @return index of the shard's master that has slots, CLUSTER_NONE: there is none
uint16_t member_master(const struct group *g, const struct member *m,
		       const struct cluster_map *map);

// Whether the cluster does not have the shard any more.
bool member_is_orphan(const struct group *g, const struct member *m);
