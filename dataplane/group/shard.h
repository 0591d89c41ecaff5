// SPDX-License-Identifier: BSD-3-Clause
// A shard of a cluster, as one who follows it for months knows it: by the ids of all nodes that it
// ever had. Masters change by failover, replicas come and go; as long as one of them is left, it is
// the same shard, with the same stream under a chain of replication ids. (CLUSTER MYSHARDID tells
// as much from Redis 7.2 on; older servers have no name for it.)
//
// The ids stand in the file `nodes` of the shard's folder, one a line.
#pragma once

#include <stdbool.h>

#include "parsers/cluster.h"

#define SHARD_NODES_MAX 32 // the newest are kept
#define SHARD_NAME_LEN  9  // the first 8 digits of the id of its first master
#define SHARD_FILE      "nodes"

struct shard {
	char name[SHARD_NAME_LEN];
	char ids[SHARD_NODES_MAX][CLUSTER_ID_LEN + 1]; // newest last
	unsigned n;
};

// A shard seen for the first time. @param master  index of its master in the map
void shard_begin(struct shard *s, const struct cluster_map *map, uint16_t master);

// Take in the nodes that it has now. @return whether there was a new one
bool shard_learn(struct shard *s, const struct cluster_map *map, uint16_t master);

// Whether a master, or one of its replicas, is of this shard.
bool shard_is(const struct shard *s, const struct cluster_map *map, uint16_t master);

// The shard of a folder's folders that these nodes are of, whatever became of them since.
//
// @return 0; -ENOENT: none of them, s is empty; or another -errno
int shard_recall(struct shard *s, const char *folder, const struct cluster_map *map,
		 uint16_t master);

// @return 0, -ENOENT: there is no such file, -EBADMSG: it holds something else, or another -errno
int shard_load(struct shard *s, const char *folder);
int shard_save(const struct shard *s, const char *folder);
