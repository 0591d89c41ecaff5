// SPDX-License-Identifier: BSD-3-Clause
// client_open_any() -> client_map_refresh() ; client_cluster_put() -> request_add() -> the owner's
// node
#include "ctrl/check/client_cluster.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctrl/check/client_cluster_priv.h"

// ---- Open and close -------------------------------------------------------------------------

int client_open_any(struct client *c, const struct endpoint *e, const char *who, struct failure *f)
{
	if (e->kind != URL_CLUSTER)
		return client_open(c, e, who, f);
	*c = (struct client){.fd = -1, .who = who};
	endpoint_text(e, c->url);
	c->cluster = calloc(1, sizeof(*c->cluster));
	c->seeds = e;
	if (!c->cluster)
		return failure_set(f, ERROR_MEMORY, "no memory for the map of a cluster");
	c->cluster->endpoint = *e;
	c->cluster->endpoint.kind = URL_STANDALONE;
	c->cluster->endpoint.n_nodes = 1;
	cluster_map_reset(&c->cluster->map);
	int rc = client_map_refresh(c, e, f);
	if (!rc && !client_master_choose(c, 0))
		rc = failure_set(f, ERROR_CONNECT, "%s %s has no master that can be reached", who,
				 c->url);
	if (rc)
		client_close(c);
	return rc;
}

const struct cluster_map *client_map(const struct client *c)
{
	return &c->cluster->map;
}

// @return the master whose id is the next above `after`, NULL: none
static const struct cluster_node *master_above(const struct cluster_map *map, const char *after)
{
	const struct cluster_node *found = NULL;
	for (unsigned i = 0; i < map->n_nodes; i++) {
		const struct cluster_node *node = &map->nodes[i];
		bool good = (node->flags & CLUSTER_MASTER) && !(node->flags & CLUSTER_FAIL) &&
			    node->host[0] && node->port;
		if (good && strcmp(node->id, after) > 0 &&
		    (!found || strcmp(node->id, found->id) < 0))
			found = node;
	}
	return found;
}

bool client_master_choose(struct client *c, unsigned i)
{
	struct client_cluster *k = c->cluster;
	if (!k)
		return i == 0;
	const struct cluster_node *node = master_above(&k->map, "");
	while (node && i--)
		node = master_above(&k->map, node->id);
	int at = node ? client_node_take(k, node->host, node->port) : -1;
	if (at >= 0)
		k->at_hand = (unsigned)at;
	return at >= 0;
}

void client_cluster_close(struct client *c)
{
	struct client_cluster *k = c->cluster;
	for (unsigned i = 0; i < k->n_nodes; i++)
		client_node_free(k->nodes[i]);
	client_node_free(k->aside);
	if (k->bytes)
		explicit_bzero(k->bytes, k->bytes_room);
	free(k->bytes);
	free(k->requests);
	explicit_bzero(k, sizeof(*k));
	free(k);
	c->cluster = NULL;
}

// ---- Requests -------------------------------------------------------------------------------

static const char *const keyless[] = {"PING",    "INFO",   "SELECT", "SCAN",   "FUNCTION", "CLIENT",
				      "CLUSTER", "CONFIG", "TIME",   "DBSIZE", "COMMAND"};
static const char *const key_second[] = {"XINFO", "OBJECT", "MEMORY", "XGROUP"};

static bool is_among(struct span name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_caseeq(name, list[i]))
			return true;
	return false;
}

// Of commands that read, and of those that the copier writes.
static uint16_t slot_of(unsigned argc, const struct span *argv)
{
	if (argc < 2 || is_among(argv[0], keyless, sizeof(keyless) / sizeof(keyless[0])))
		return CLUSTER_NONE;
	bool second = is_among(argv[0], key_second, sizeof(key_second) / sizeof(key_second[0]));
	return second && argc < 3 ? CLUSTER_NONE : key_slot(argv[second ? 2 : 1]);
}

static int room_make(struct client_cluster *k, size_t more)
{
	if (k->n_requests == 0) {
		k->first = 0;
		k->bytes_len = 0;
	}
	if (k->first + k->n_requests == k->requests_room && k->first > k->n_requests) {
		size_t from = k->requests[k->first].at;
		memmove(k->requests, k->requests + k->first, k->n_requests * sizeof(*k->requests));
		memmove(k->bytes, k->bytes + from, k->bytes_len - from);
		for (size_t i = 0; i < k->n_requests; i++)
			k->requests[i].at -= from;
		k->bytes_len -= from;
		k->first = 0;
	}
	if (k->first + k->n_requests == k->requests_room) {
		size_t room = 2 * k->requests_room + 1024;
		struct request *r = realloc(k->requests, room * sizeof(*r));
		if (!r)
			return -ENOMEM;
		k->requests = r;
		k->requests_room = room;
	}
	if (k->bytes_room - k->bytes_len < more) {
		size_t room = 2 * (k->bytes_len + more);
		char *bytes = realloc(k->bytes, room);
		if (!bytes)
			return -ENOMEM;
		k->bytes = bytes;
		k->bytes_room = room;
	}
	return 0;
}

static struct request *request_add(struct client_cluster *k, unsigned argc, const struct span *argv)
{
	size_t more = 32;
	for (unsigned i = 0; i < argc; i++)
		more += argv[i].len + 32;
	if (room_make(k, more))
		return NULL;
	struct request *r = &k->requests[k->first + k->n_requests++];
	char *out = k->bytes + k->bytes_len, *at = out;
	at += sprintf(at, "*%u\r\n", argc);
	for (unsigned i = 0; i < argc; i++) {
		at += sprintf(at, "$%zu\r\n", argv[i].len);
		memcpy(at, argv[i].p, argv[i].len);
		at += argv[i].len;
		*at++ = '\r';
		*at++ = '\n';
	}
	*r = (struct request){.at = k->bytes_len, .len = (size_t)(at - out)};
	k->bytes_len += r->len;
	return r;
}

// What cannot be sent now is asked again when it is its turn.
void client_cluster_put(struct client *c, unsigned argc, const struct span *argv)
{
	struct client_cluster *k = c->cluster;
	struct request *r = request_add(k, argc, argv);
	struct failure f;
	if (!r) {
		failure_set(&c->failure, ERROR_MEMORY, "no memory for the requests to %s", c->who);
		return;
	}
	r->slot = slot_of(argc, argv);
	int at = r->slot == CLUSTER_NONE ? (int)k->at_hand : client_owner_take(k, r->slot);
	r->node = at < 0 ? CLUSTER_NODES_MAX : (unsigned)at;
	c->pending++;
	if (at < 0)
		return;
	struct node *node = k->nodes[at];
	if (node->client.fd < 0 && !node->client.failure.id && client_node_connect(c, node, &f))
		node->client.failure = f;
	if (!node->client.failure.id)
		client_put_raw(&node->client, k->bytes + r->at, r->len);
}

void client_cluster_flush(struct client *c)
{
	struct client_cluster *k = c->cluster;
	for (unsigned i = 0; i < k->n_nodes; i++)
		if (k->nodes[i]->client.fd >= 0)
			client_flush(&k->nodes[i]->client);
}
