// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctrl/check/client_cluster_priv.h"

// ---- Nodes ----------------------------------------------------------------------------------

int client_node_connect(struct client *c, struct node *node, struct failure *f)
{
	struct endpoint *e = &c->cluster->endpoint;
	snprintf(e->host, sizeof(e->host), "%s", node->host);
	e->port = node->port;
	memcpy(e->nodes[0].host, e->host, sizeof(e->host));
	e->nodes[0].port = e->port;
	return client_open(&node->client, e, c->who, f);
}

struct node *client_node_new(const char *host, uint16_t port)
{
	struct node *node = calloc(1, sizeof(*node));
	if (!node)
		return NULL;
	snprintf(node->host, sizeof(node->host), "%s", host);
	node->port = port;
	node->client.fd = -1;
	return node;
}

void client_node_free(struct node *node)
{
	if (node)
		client_close(&node->client);
	free(node);
}

int client_node_take(struct client_cluster *k, const char *host, uint16_t port)
{
	for (unsigned i = 0; i < k->n_nodes; i++)
		if (k->nodes[i]->port == port && !strcasecmp(k->nodes[i]->host, host))
			return (int)i;
	struct node *node = k->n_nodes < CLUSTER_NODES_MAX ? client_node_new(host, port) : NULL;
	if (!node)
		return -1;
	k->nodes[k->n_nodes] = node;
	return (int)k->n_nodes++;
}

int client_owner_take(struct client_cluster *k, uint16_t slot)
{
	uint16_t owner = k->map.owner[slot];
	const struct cluster_node *node = owner == CLUSTER_NONE ? NULL : &k->map.nodes[owner];
	return node && node->host[0] ? client_node_take(k, node->host, node->port) : -1;
}

// ---- Map ------------------------------------------------------------------------------------

static void map_refused(const struct client *n, struct span error, struct failure *f)
{
	struct cluster_redirect redirect;
	if (cluster_error_read(error, NULL, &redirect) == CLUSTER_UNSUPPORTED)
		failure_set(f, ERROR_URL, "%s %s is no cluster: name it by redis://", n->who,
			    n->url);
	else
		client_refused(n, "CLUSTER NODES", error, f);
}

int client_map_ask(struct client *c, struct node *node, struct cluster_map *map, struct failure *f)
{
	struct client *n = &node->client;
	const struct cluster_asked asked = {node->host, c->cluster->endpoint.tls};
	unsigned n_values;
	client_ask(n, "CLUSTER NODES");
	client_ask(n, "CLUSTER SLOTS");
	cluster_map_reset(map);
	const struct resp_value *v = client_next(n, &n_values);
	if (v && v->type == RESP_ERROR) {
		map_refused(n, v->text, f);
		client_skip(n);
		return -1;
	}
	int rc = v && v->type == RESP_STRING ? cluster_nodes_read(map, v->text, &asked) : -EINVAL;
	v = v ? client_next(n, &n_values) : NULL;
	if (v && !rc && v->type == RESP_ARRAY)
		rc = cluster_slots_read(map, v, n_values, &asked);
	if (!v)
		*f = n->failure;
	else if (rc)
		failure_set(f, ERROR_NOT_REDIS, "%s %s tells no map of a cluster", c->who, n->url);
	return v && !rc ? 0 : -1;
}

static int map_ask_at(struct client *c, const char *host, uint16_t port, struct failure *f)
{
	struct cluster_map *map = malloc(sizeof(*map));
	struct node *node = client_node_new(host, port);
	int rc = map && node ? client_node_connect(c, node, f)
			     : failure_set(f, ERROR_MEMORY, "no memory for a map");
	rc = rc ? rc : client_map_ask(c, node, map, f);
	if (rc == 0)
		c->cluster->map = *map;
	client_node_free(node);
	free(map);
	return rc;
}

int client_map_refresh(struct client *c, const struct endpoint *seeds, struct failure *f)
{
	struct client_cluster *k = c->cluster;
	struct cluster_map *map = &k->map;
	int rc = -1;
	for (unsigned i = 0; rc && i < map->n_nodes; i++) {
		struct cluster_node node = map->nodes[i];
		if (cluster_node_serves(&node))
			rc = map_ask_at(c, node.host, node.port, f);
	}
	for (unsigned i = 0; rc && i < seeds->n_nodes; i++)
		rc = map_ask_at(c, seeds->nodes[i].host, seeds->nodes[i].port, f);
	return rc;
}
