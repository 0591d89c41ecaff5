// SPDX-License-Identifier: BSD-3-Clause
// CLUSTER SLOTS and CLUSTER SHARDS.
//
//   SLOTS:   [[FIRST, LAST, [HOST, PORT, ID (4.0), [NAME, VALUE...] (7.0)] master, [...]
//   replica...]...] SHARDS:  [["slots", [FIRST, LAST...], "nodes", [[NAME, VALUE...]...]...]...]
#include "parsers/cluster_priv.h"

#include <errno.h>

// Nodes of a reply, depth first; at the end once at == n.
struct walk {
	const struct resp_value *v;
	unsigned n, at;
};

// The next value, NULL at the end.
static const struct resp_value *value_take(struct walk *w)
{
	return w->at < w->n ? &w->v[w->at++] : NULL;
}

// Step over a value with all that is in it.
static void value_skip(struct walk *w)
{
	for (uint64_t left = 1; left && w->at < w->n; left--) {
		const struct resp_value *v = value_take(w);
		left += v->type == RESP_ARRAY ? v->elements : 0;
	}
}

static bool array_take(struct walk *w, unsigned least, unsigned *elements)
{
	const struct resp_value *v = value_take(w);
	*elements = v && v->type == RESP_ARRAY ? v->elements : 0;
	return v && v->type == RESP_ARRAY && v->elements >= least;
}

static bool number_take(struct walk *w, unsigned max, unsigned *out)
{
	const struct resp_value *v = value_take(w);
	if (!v || v->type != RESP_INTEGER)
		return v && v->type == RESP_STRING && cluster_number(v->text, max, out);
	*out = (unsigned)v->integer;
	return v->integer >= 0 && v->integer <= (int64_t)max;
}

// A string; nil is the empty one.
static bool text_take(struct walk *w, struct span *out)
{
	const struct resp_value *v = value_take(w);
	if (!v || (v->type != RESP_STRING && v->type != RESP_NIL && v->type != RESP_STATUS))
		return false;
	*out = v->type == RESP_NIL ? SPAN_LIT("") : v->text;
	return true;
}

static bool range_take(struct walk *w, unsigned *first, unsigned *last)
{
	return number_take(w, SLOT_COUNT - 1, first) && number_take(w, SLOT_COUNT - 1, last) &&
	       *first <= *last;
}

// ---- CLUSTER SLOTS --------------------------------------------------------------------------

// [HOST, PORT, ID, [...]]: before 4.0 without an id, the address has to do.
static int slots_node_read(struct cluster_map *map, struct walk *w,
			   const struct cluster_asked *asked, uint16_t *index)
{
	unsigned n, port;
	struct span host, id;
	if (!array_take(w, 2, &n) || !text_take(w, &host) || !number_take(w, UINT16_MAX, &port))
		return -EINVAL;
	if (n >= 3) {
		struct cluster_node *node;
		int rc = text_take(w, &id) ? cluster_node_take(map, id, &node) : -EINVAL;
		if (rc)
			return rc;
		for (unsigned i = 3; i < n; i++)
			value_skip(w);
		*index = cluster_index(map, node);
		return cluster_address_set(node, host, port, asked);
	}
	struct cluster_node probe = {0};
	int rc = cluster_address_set(&probe, host, port, asked);
	if (rc)
		return rc;
	*index = cluster_node_at(map, probe.host, probe.port);
	return *index == CLUSTER_NONE ? -ENOBUFS : 0;
}

static int slots_range_read(struct cluster_map *map, struct walk *w,
			    const struct cluster_asked *asked)
{
	unsigned n, first, last;
	uint16_t master = CLUSTER_NONE;
	if (!array_take(w, 2, &n) || !range_take(w, &first, &last))
		return -EINVAL;
	for (unsigned i = 2; i < n; i++) {
		uint16_t index;
		int rc = slots_node_read(map, w, asked, &index);
		if (rc)
			return rc;
		master = i == 2 ? index : master;
		struct cluster_node *node = &map->nodes[index];
		unsigned role = i == 2 ? CLUSTER_MASTER : CLUSTER_REPLICA;
		node->flags &= (uint16_t) ~(CLUSTER_MASTER | CLUSTER_REPLICA);
		node->flags |= (uint16_t)role;
		node->master = master;
	}
	cluster_range_set(map, first, last, master);
	return 0;
}

int cluster_slots_read(struct cluster_map *map, const struct resp_value *v, unsigned n,
		       const struct cluster_asked *asked)
{
	struct walk w = {v, n, 0};
	unsigned n_ranges;
	if (!array_take(&w, 0, &n_ranges))
		return -EINVAL;
	for (unsigned i = 0; i < n_ranges; i++) {
		int rc = slots_range_read(map, &w, asked);
		if (rc)
			return rc;
	}
	return 0;
}

// ---- CLUSTER SHARDS -------------------------------------------------------------------------

struct shard_node {
	struct span id, endpoint, ip;
	bool has_endpoint;
	unsigned port, tls_port, flags;
};

static unsigned health_read(struct span health)
{
	if (span_caseeq(health, "loading"))
		return CLUSTER_LOADING;
	return span_caseeq(health, "fail") || span_caseeq(health, "failed") ? CLUSTER_FAIL : 0;
}

static bool shard_field_read(struct walk *w, struct shard_node *node)
{
	struct span name, text;
	if (!text_take(w, &name))
		return false;
	if (span_caseeq(name, "port"))
		return number_take(w, UINT16_MAX, &node->port);
	if (span_caseeq(name, "tls-port"))
		return number_take(w, UINT16_MAX, &node->tls_port);
	if (span_caseeq(name, "id"))
		return text_take(w, &node->id);
	if (span_caseeq(name, "ip"))
		return text_take(w, &node->ip);
	if (span_caseeq(name, "endpoint"))
		return node->has_endpoint = text_take(w, &node->endpoint);
	if (span_caseeq(name, "role") && text_take(w, &text)) {
		bool master = span_caseeq(text, "master") || span_caseeq(text, "primary");
		node->flags |= master ? CLUSTER_MASTER : CLUSTER_REPLICA;
	} else if (span_caseeq(name, "health") && text_take(w, &text)) {
		node->flags |= health_read(text);
	} else {
		value_skip(w);
	}
	return true;
}

static int shard_node_read(struct cluster_map *map, struct walk *w,
			   const struct cluster_asked *asked, struct cluster_node **out)
{
	struct shard_node told = {0};
	unsigned n;
	if (!array_take(w, 2, &n))
		return -EINVAL;
	for (unsigned i = 0; i + 1 < n; i += 2)
		if (!shard_field_read(w, &told))
			return -EINVAL;
	int rc = cluster_node_take(map, told.id, out);
	if (rc)
		return rc;
	struct cluster_node *node = *out;
	unsigned kept = CLUSTER_MYSELF | CLUSTER_PFAIL | CLUSTER_NOADDR | CLUSTER_HANDSHAKE;
	node->flags = (uint16_t)((node->flags & kept) | told.flags);
	if (!node->host[0] && told.ip.len) // what an endpoint "?" leaves standing
		rc = cluster_address_set(node, told.ip, 0, asked);
	if (rc)
		return rc;
	return cluster_address_set(node, told.has_endpoint ? told.endpoint : SPAN_LIT("?"),
				   asked->tls ? told.tls_port : told.port, asked);
}

// One shard, taken apart before it is believed: its ranges may stand before its nodes.
struct shard {
	struct walk ranges, nodes;
	unsigned n_ranges, n_nodes;
	struct span id;
};

static int shard_fields_read(struct walk *w, struct shard *shard)
{
	unsigned n;
	if (!array_take(w, 2, &n))
		return -EINVAL;
	for (unsigned i = 0; i + 1 < n; i += 2) {
		struct span name;
		if (!text_take(w, &name))
			return -EINVAL;
		struct walk value = *w;
		bool good = true;
		if (span_caseeq(name, "slots")) {
			good = array_take(&value, 0, &shard->n_ranges);
			shard->ranges = value;
		} else if (span_caseeq(name, "nodes")) {
			good = array_take(&value, 0, &shard->n_nodes);
			shard->nodes = value;
		} else if (span_caseeq(name, "id")) {
			good = text_take(&value, &shard->id) && shard->id.len <= CLUSTER_ID_LEN;
		}
		if (!good)
			return -EINVAL;
		value_skip(w);
	}
	return 0;
}

// A shard may list a former master beside the present one.
static uint16_t shard_master(const struct cluster_map *map, const uint16_t *members, unsigned n)
{
	uint16_t master = CLUSTER_NONE;
	for (unsigned i = 0; i < n; i++) {
		unsigned flags = map->nodes[members[i]].flags;
		bool better = master == CLUSTER_NONE || !(flags & CLUSTER_FAIL);
		if ((flags & CLUSTER_MASTER) && better)
			master = members[i];
	}
	return master;
}

static int shard_read(struct cluster_map *map, struct walk *w, const struct cluster_asked *asked)
{
	struct shard shard = {0};
	uint16_t members[CLUSTER_NODES_MAX];
	int rc = shard_fields_read(w, &shard);
	if (rc || shard.n_nodes > CLUSTER_NODES_MAX)
		return rc ? rc : -ENOBUFS;
	for (unsigned i = 0; i < shard.n_nodes; i++) {
		struct cluster_node *node;
		rc = shard_node_read(map, &shard.nodes, asked, &node);
		if (rc)
			return rc;
		if (shard.id.len) {
			memset(node->shard, 0, sizeof(node->shard));
			memcpy(node->shard, shard.id.p, shard.id.len);
		}
		members[i] = cluster_index(map, node);
	}
	uint16_t master = shard_master(map, members, shard.n_nodes);
	for (unsigned i = 0; i < shard.n_nodes; i++)
		map->nodes[members[i]].master = master;
	for (unsigned i = 0; i + 1 < shard.n_ranges; i += 2) {
		unsigned first, last;
		if (!range_take(&shard.ranges, &first, &last))
			return -EINVAL;
		cluster_range_set(map, first, last, master);
	}
	return 0;
}

int cluster_shards_read(struct cluster_map *map, const struct resp_value *v, unsigned n,
			const struct cluster_asked *asked)
{
	struct walk w = {v, n, 0};
	unsigned n_shards;
	if (!array_take(&w, 0, &n_shards))
		return -EINVAL;
	for (unsigned i = 0; i < n_shards; i++) {
		int rc = shard_read(map, &w, asked);
		if (rc)
			return rc;
	}
	return 0;
}
