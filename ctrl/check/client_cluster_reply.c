// SPDX-License-Identifier: BSD-3-Clause
// client_cluster_next() -> reply_take() -> the node's reply | request_repeat() by a connection
// beside the others -> error_follow()
#include <stdlib.h>
#include <time.h>

#include "ctrl/check/client_cluster_priv.h"
#include "ctrl/clock.h"

#define RETRY_PAUSE_MS 50

static void nap(unsigned ms)
{
	nanosleep(&(struct timespec){0, ms * 1000000l}, NULL);
}

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
		client_node_free(node);
		node = k->aside = client_node_new(place->host, place->port);
		if (!node || client_node_connect(c, node, f)) {
			client_node_free(node);
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
		client_map_refresh(c, c->seeds, &f);
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
