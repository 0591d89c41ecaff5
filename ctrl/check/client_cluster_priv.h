// SPDX-License-Identifier: BSD-3-Clause
// What a client of a cluster is made of, for the files client_cluster*.c.
#pragma once

#include "ctrl/check/client_cluster.h"

struct node {
	char host[CLUSTER_HOST_LEN];
	uint16_t port;
	bool due; // the walk has yet to visit it
	struct client client;
};

// What was asked and not answered yet; the bytes are kept for asking again.
struct request {
	unsigned node;
	uint16_t slot; // CLUSTER_NONE: no key, so of this node only
	size_t at, len;
};

struct client_cluster {
	struct endpoint endpoint; // of the node that is being opened
	struct cluster_map map;
	struct node *nodes[CLUSTER_NODES_MAX]; // that were ever needed; indexes stay
	unsigned n_nodes;
	unsigned at_hand;            // takes what has no key
	uint16_t walked[SLOT_COUNT]; // node that owned it as the walk last looked
	unsigned n_walks;
	struct node *aside; // a second connection, for one request at a time
	struct request *requests;
	size_t first, n_requests, requests_room;
	char *bytes;
	size_t bytes_len, bytes_room;
};

// ---- Nodes and the map (client_cluster_map.c)

int client_node_connect(struct client *c, struct node *node, struct failure *f);
struct node *client_node_new(const char *host, uint16_t port);
void client_node_free(struct node *node);

// @return its index, or -1: NONE of the map's, or no more room; the node may not be connected
int client_node_take(struct client_cluster *k, const char *host, uint16_t port);
int client_owner_take(struct client_cluster *k, uint16_t slot);

// What one node says.
int client_map_ask(struct client *c, struct node *node, struct cluster_map *map, struct failure *f);

// From whoever answers: the masters of the last map, then the seeds.
int client_map_refresh(struct client *c, const struct endpoint *seeds, struct failure *f);
