// SPDX-License-Identifier: BSD-3-Clause
// A shard of a cluster, as one who follows it for months knows it: by the ids of all nodes that it
// ever had. Masters change by failover, replicas come and go; as long as one of them is left, it is
// the same shard, with the same stream under a chain of replication ids. (CLUSTER MYSHARDID tells
// as much from Redis 7.2 on; older servers have no name for it.) A node that goes over to another
// shard is of that one alone from then on: a shard may so come to have none at all.
//
// The ids stand in the file `nodes` of the shard's folder, one a line.
#pragma once

#include <stdbool.h>

#include "dataplane/contract/contract.h"
#include "parsers/cluster.h"

#define SHARD_NODES_MAX 32 // the newest are kept
#define SHARD_NAME_LEN  9  // the first 8 digits of the id of its first master
#define SHARD_FILE      "nodes"
#define SHARDS_FOLDER   "shards" // of the link's folder: one for each shard

// What a link, and its folder, may be called, so that its shards have room behind them.
#define SHARD_LINK_LEN_MAX   (NAME_LEN - 1 - SHARD_NAME_LEN)
#define SHARD_FOLDER_LEN_MAX (STATE_DIR_LEN - 1 - sizeof(SHARDS_FOLDER) - SHARD_NAME_LEN)

struct shard {
	char name[SHARD_NAME_LEN];
	char ids[SHARD_NODES_MAX][CLUSTER_ID_LEN + 1]; // newest last, and then its master's
	unsigned n;
};

// Whether a link can have shards. @param why  out, when not: TEXT_LEN bytes
bool shard_link_fits(const struct link_config *link, char *why);

// A shard seen for the first time. @param master  index of its master in the map
void shard_begin(struct shard *s, const struct cluster_map *map, uint16_t master);

// Take in the nodes that it has now. @return whether there was something new
bool shard_learn(struct shard *s, const struct cluster_map *map, uint16_t master);

// These nodes are another shard's now. @return whether one of them was of this one
bool shard_yield(struct shard *s, const struct cluster_map *map, uint16_t master);

// How surely a master is of a shard, whose own one is the one that it had last as long as that has
// slots: it is known itself, or it has a replica that is.
enum shard_match { SHARD_OTHER, SHARD_BY_REPLICA, SHARD_ITSELF };
enum shard_match shard_match(const struct shard *s, const struct cluster_map *map, uint16_t master);

// Whether a node is known to be of this shard.
bool shard_has(const struct shard *s, const char *id);

// The shard of a folder's folders that a master is of, whatever became of its nodes since.
//
// @return 0; -ENOENT: none of them, s is empty; or another -errno
int shard_recall(struct shard *s, const char *folder, const struct cluster_map *map,
		 uint16_t master);

// @return 0, -ENOENT: there is no such file, -EBADMSG: it holds something else, or another -errno
int shard_load(struct shard *s, const char *folder);
int shard_save(const struct shard *s, const char *folder);
