// SPDX-License-Identifier: BSD-3-Clause
// What a group does for handoff.h: gives it what is known of the members, keeps on disk what a
// crash must not forget, and starts the full syncs that it asks for.
#pragma once

#include <stdbool.h>

struct cluster_map;
struct group;
struct link;
struct member;

// @return 0, or -errno with the reason said
int group_handoff_open(struct group *group);
void group_handoff_close(struct group *group);

// A member is there, or its link has begun. @return 0, -ENOSPC: too many shards, or -ENOMEM
int group_handoff_join(struct group *group, struct member *member);
void group_handoff_link(struct group *group, struct member *member);

// The first map: the owners are at home.
void group_handoff_map(struct group *group, const struct cluster_map *map);

void group_handoff_turn(struct group *group);
