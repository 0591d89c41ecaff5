// SPDX-License-Identifier: BSD-3-Clause
// client_cluster_put() -> request_add() -> the owner's node ; client_cluster_next() -> that node's
// reply | request_repeat() by a connection beside the others
#include "ctrl/check/client_cluster.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ctrl/clock.h"

#define RETRY_PAUSE_MS 50
#define WALKS_MAX      8 // of slots that keep moving

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

static void nap(unsigned ms)
{
	nanosleep(&(struct timespec){0, ms * 1000000l}, NULL);
}

// ---- Nodes ----------------------------------------------------------------------------------

static int node_connect(struct client *c, struct node *node, struct failure *f)
{
	struct endpoint *e = &c->cluster->endpoint;
	snprintf(e->host, sizeof(e->host), "%s", node->host);
	e->port = node->port;
	memcpy(e->nodes[0].host, e->host, sizeof(e->host));
	e->nodes[0].port = e->port;
	return client_open(&node->client, e, c->who, f);
}

static struct node *node_new(const char *host, uint16_t port)
{
	struct node *node = calloc(1, sizeof(*node));
	if (!node)
		return NULL;
	snprintf(node->host, sizeof(node->host), "%s", host);
	node->port = port;
	node->client.fd = -1;
	return node;
}

static void node_free(struct node *node)
{
	if (node)
		client_close(&node->client);
	free(node);
}

// @return its index, or -1: NONE of the map's, or no more room; the node may not be connected
static int node_take(struct client_cluster *k, const char *host, uint16_t port)
{
	for (unsigned i = 0; i < k->n_nodes; i++)
		if (k->nodes[i]->port == port && !strcasecmp(k->nodes[i]->host, host))
			return (int)i;
	struct node *node = k->n_nodes < CLUSTER_NODES_MAX ? node_new(host, port) : NULL;
	if (!node)
		return -1;
	k->nodes[k->n_nodes] = node;
	return (int)k->n_nodes++;
}

static int owner_take(struct client_cluster *k, uint16_t slot)
{
	uint16_t owner = k->map.owner[slot];
	const struct cluster_node *node = owner == CLUSTER_NONE ? NULL : &k->map.nodes[owner];
	return node && node->host[0] ? node_take(k, node->host, node->port) : -1;
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

// What one node says.
static int map_ask(struct client *c, struct node *node, struct cluster_map *map, struct failure *f)
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
	struct node *node = node_new(host, port);
	int rc = map && node ? node_connect(c, node, f)
			     : failure_set(f, ERROR_MEMORY, "no memory for a map");
	rc = rc ? rc : map_ask(c, node, map, f);
	if (rc == 0)
		c->cluster->map = *map;
	node_free(node);
	free(map);
	return rc;
}

// From whoever answers: the masters of the last map, then the seeds.
static int map_refresh(struct client *c, const struct endpoint *seeds, struct failure *f)
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
	int rc = map_refresh(c, e, f);
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
	int at = node ? node_take(k, node->host, node->port) : -1;
	if (at >= 0)
		k->at_hand = (unsigned)at;
	return at >= 0;
}

void client_cluster_close(struct client *c)
{
	struct client_cluster *k = c->cluster;
	for (unsigned i = 0; i < k->n_nodes; i++)
		node_free(k->nodes[i]);
	node_free(k->aside);
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
	int at = r->slot == CLUSTER_NONE ? (int)k->at_hand : owner_take(k, r->slot);
	r->node = at < 0 ? CLUSTER_NODES_MAX : (unsigned)at;
	c->pending++;
	if (at < 0)
		return;
	struct node *node = k->nodes[at];
	if (node->client.fd < 0 && !node->client.failure.id && node_connect(c, node, &f))
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

// ---- Replies --------------------------------------------------------------------------------

struct place {
	char host[CLUSTER_HOST_LEN];
	uint16_t port;
	bool asking;
};

static bool place_owner(const struct client_cluster *k, uint16_t slot, struct place *place)
{
	uint16_t owner = k->map.owner[slot];
	if (owner == CLUSTER_NONE || !k->map.nodes[owner].host[0])
		return false;
	memcpy(place->host, k->map.nodes[owner].host, sizeof(place->host));
	place->port = k->map.nodes[owner].port;
	place->asking = false;
	return true;
}

static bool place_redirect(struct client_cluster *k, const struct cluster_redirect *r, bool asking,
			   struct place *place)
{
	if (!r->host[0] || !r->port)
		return false;
	memcpy(place->host, r->host, sizeof(place->host));
	place->port = r->port;
	place->asking = asking;
	uint16_t node = asking ? CLUSTER_NONE : cluster_node_at(&k->map, r->host, r->port);
	if (node != CLUSTER_NONE)
		cluster_owner_set(&k->map, r->slot, node);
	return true;
}

// Ask one node, by the connection beside the others. @return NULL: it cannot be asked, see f
static const struct resp_value *aside_ask(struct client *c, const struct place *place,
					  const struct request *r, unsigned *n, struct failure *f)
{
	struct client_cluster *k = c->cluster;
	struct node *node = k->aside;
	if (!node || node->client.failure.id || node->port != place->port ||
	    strcmp(node->host, place->host)) {
		node_free(node);
		node = k->aside = node_new(place->host, place->port);
		if (!node || node_connect(c, node, f)) {
			node_free(node);
			k->aside = NULL;
			return NULL;
		}
	}
	if (place->asking)
		client_ask(&node->client, "ASKING");
	client_put_raw(&node->client, k->bytes + r->at, r->len);
	const struct resp_value *v = NULL;
	if (!place->asking || !client_skip(&node->client))
		v = client_next(&node->client, n);
	if (!v)
		*f = node->client.failure;
	return v;
}

static bool passes(struct span error, enum cluster_answer answer)
{
	static const char *const words[] = {"LOADING", "MASTERDOWN"};
	if (answer == CLUSTER_TRYAGAIN || answer == CLUSTER_DOWN)
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (error.len >= strlen(words[i]) && !memcmp(error.p, words[i], strlen(words[i])))
			return true;
	return false;
}

// Follow what an error says. @return false: the error is the answer
static bool error_follow(struct client *c, const struct request *r, struct span error,
			 const char *host, struct place *place)
{
	struct client_cluster *k = c->cluster;
	const struct cluster_asked asked = {host, k->endpoint.tls};
	struct cluster_redirect redirect;
	enum cluster_answer answer = cluster_error_read(error, &asked, &redirect);
	if (answer == CLUSTER_MOVED || answer == CLUSTER_ASK)
		return place_redirect(k, &redirect, answer == CLUSTER_ASK, place);
	if (r->slot == CLUSTER_NONE || !passes(error, answer))
		return false;
	nap(RETRY_PAUSE_MS);
	return place_owner(k, r->slot, place);
}

// @param known  place is where to go first
static const struct resp_value *request_repeat(struct client *c, const struct request *r,
					       struct place *place, bool known, unsigned *n)
{
	uint64_t end = mono_ms() + CLUSTER_RETRY_MS;
	struct failure f = {0};
	failure_set(&f, ERROR_DEADLINE, "%s %s: nobody serves slot %u", c->who, c->url, r->slot);
	while (mono_ms() < end) {
		const struct resp_value *v = known ? aside_ask(c, place, r, n, &f) : NULL;
		if (v &&
		    (v->type != RESP_ERROR || !error_follow(c, r, v->text, place->host, place)))
			return v;
		if (v)
			continue;
		nap(RETRY_PAUSE_MS);
		map_refresh(c, c->seeds, &f);
		known = place_owner(c->cluster, r->slot, place);
	}
	c->failure = f;
	return NULL;
}

static const struct resp_value *reply_take(struct client *c, const struct request *r, unsigned *n)
{
	struct client_cluster *k = c->cluster;
	struct node *node = r->node < k->n_nodes ? k->nodes[r->node] : NULL;
	struct place place;
	const struct resp_value *v = NULL;
	if (node && !node->client.failure.id) {
		uint64_t before = node->client.received;
		v = client_next(&node->client, n);
		c->received += node->client.received - before;
	}
	if (v && v->type == RESP_ERROR && error_follow(c, r, v->text, node->host, &place))
		return request_repeat(c, r, &place, true, n);
	if (v)
		return v;
	if (r->slot == CLUSTER_NONE) { // of a walk that cannot go on
		c->failure = node->client.failure;
		return NULL;
	}
	return request_repeat(c, r, &place, false, n);
}

const struct resp_value *client_cluster_next(struct client *c, unsigned *n)
{
	struct client_cluster *k = c->cluster;
	unsigned count;
	if (c->failure.id || !k->n_requests)
		return NULL;
	client_cluster_flush(c);
	struct request r = k->requests[k->first];
	const struct resp_value *v = reply_take(c, &r, n ? n : &count);
	k->first++;
	k->n_requests--;
	c->pending--;
	return v;
}

// ---- Walk -----------------------------------------------------------------------------------

// Every node that owns slots is due.
int client_walk_begin(struct client *c, struct failure *f)
{
	struct client_cluster *k = c->cluster;
	if (!k)
		return 1;
	if (k->n_nodes && map_refresh(c, c->seeds, f))
		return -1;
	k->n_walks = 0;
	for (unsigned i = 0; i < k->n_nodes; i++)
		k->nodes[i]->due = false;
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
		int at = owner_take(k, (uint16_t)slot);
		if (at < 0)
			return failure_set(f, ERROR_SOURCE_REFUSES,
					   "%s %s: slot %u has no master that can be reached",
					   c->who, c->url, slot);
		k->walked[slot] = (uint16_t)at;
		k->nodes[at]->due = true;
	}
	return client_walk_next(c, f);
}

// Masters that take slots in are due again: keys may have come that were not met where they were.
static void importing_find(struct client *c, struct cluster_map *map)
{
	struct failure ignored; // of one that is away: its slots are somebody else's soon
	struct client_cluster *k = c->cluster;
	for (unsigned i = 0; i < k->map.n_nodes; i++) {
		const struct cluster_node *told = &k->map.nodes[i];
		bool up = (told->flags & CLUSTER_MASTER) && !(told->flags & CLUSTER_FAIL);
		int at = up && told->host[0] ? node_take(k, told->host, told->port) : -1;
		if (at < 0)
			continue;
		struct node *node = k->nodes[at];
		if ((node->client.fd < 0 && node_connect(c, node, &ignored)) ||
		    map_ask(c, node, map, &ignored))
			continue;
		for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
			node->due |= map->importing[slot] != CLUSTER_NONE;
	}
}

// Nodes that own slots which they did not own before are due again.
static int gained_find(struct client *c, struct failure *f)
{
	struct client_cluster *k = c->cluster;
	if (map_refresh(c, c->seeds, f))
		return -1;
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
		int at = owner_take(k, (uint16_t)slot);
		if (at < 0 || at == k->walked[slot])
			continue;
		k->walked[slot] = (uint16_t)at;
		k->nodes[at]->due = true;
	}
	if (k->n_walks > 1)
		return 0;
	struct cluster_map *map = malloc(sizeof(*map));
	if (!map)
		return failure_set(f, ERROR_MEMORY, "no memory for a map");
	importing_find(c, map);
	free(map);
	return 0;
}

int client_walk_next(struct client *c, struct failure *f)
{
	struct client_cluster *k = c->cluster;
	if (!k)
		return 0;
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < k->n_nodes; i++) {
			if (!k->nodes[i]->due)
				continue;
			k->nodes[i]->due = false;
			k->at_hand = i;
			return 1;
		}
		if (round == 0 && ++k->n_walks > WALKS_MAX)
			return failure_set(f, ERROR_SOURCE_REFUSES,
					   "%s %s: slots keep moving; start again when the cluster "
					   "is at rest",
					   c->who, c->url);
		if (round == 0 && gained_find(c, f))
			return -1;
	}
	return 0;
}
