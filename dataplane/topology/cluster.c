// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/topology/cluster.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/topology/asker.h"
#include "parsers/auth_error.h"
#include "parsers/info.h"
#include "parsers/noperm.h"

#define EVERY_NS     2000000000ull // asked again though nothing seems wrong
#define PATIENCE_NS  3000000000ull // of one node
#define POKED_NS     50000000ull   // the least between two asks, however often we are poked
#define RETRY_MIN_NS 200000000ull  // after all of them were asked in vain; doubles
#define RETRY_MAX_NS 1000000000ull

// The map is published in one of two places: the owner writes the other one, once nobody reads it.
#define PLACES 2

struct place {
	struct cluster_map map;
	uint64_t version;
	_Atomic uint32_t n_readers; // writers: all cores
};

enum question { ASK_AUTH, ASK_INFO, ASK_NODES, ASK_SLOTS, ASK_END };

struct cluster_topology {
	struct core *core;
	const struct endpoint *endpoint;
	struct place places[PLACES];
	_Atomic uint32_t current; // which place; writer: the owner
	_Atomic uint64_t version; // writer: the owner
	_Atomic uint32_t poked;   // writers: all cores

	// owner
	struct cluster_map told; // by the node that is being asked
	uint64_t n_told;         // maps that were believed
	struct asker asker;
	enum question question; // whose answer is next
	struct url_node node;   // who is asked
	unsigned next;          // candidate
	unsigned n_vain;        // candidates in a row that gave no map
	unsigned n_behind;      // that knew less, of these
	uint64_t epoch;         // of the cluster, the highest heard
	uint64_t told_epoch;
	bool ready; // told is waiting to be published
	uint64_t asked_ns, next_ns, retry_ns;
	char trouble[TEXT_LEN];
	enum error_id error;
};

struct cluster_topology *cluster_topology_new(struct core *core, const struct endpoint *endpoint)
{
	struct cluster_topology *t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->core = core;
	t->endpoint = endpoint;
	t->retry_ns = RETRY_MIN_NS;
	return t;
}

void cluster_topology_free(struct cluster_topology *t)
{
	if (!t)
		return;
	asker_close(&t->asker);
	free(t);
}

const struct cluster_map *cluster_topology_map(const struct cluster_topology *t)
{
	uint32_t at = atomic_load_explicit(&t->current, memory_order_relaxed);
	return t->places[at].version ? &t->places[at].map : NULL;
}

const struct cluster_map *cluster_topology_told(const struct cluster_topology *t, uint64_t *n_told,
						uint64_t *asked_ns)
{
	*n_told = t->n_told;
	*asked_ns = t->asked_ns;
	return &t->told;
}

const char *cluster_topology_trouble(const struct cluster_topology *t)
{
	return t->trouble;
}

enum error_id cluster_topology_error(const struct cluster_topology *t)
{
	return t->error;
}

uint64_t cluster_topology_version(const struct cluster_topology *t)
{
	return atomic_load_explicit(&t->version, memory_order_acquire);
}

void cluster_topology_poke(struct cluster_topology *t)
{
	if (!atomic_exchange_explicit(&t->poked, 1, memory_order_relaxed))
		core_wake(t->core);
}

// ---- Publishing -----------------------------------------------------------------------------

// The owner looks for readers after it has named a new place, readers look whether the place is
// still the one after they have signed in: one of both sees the other.
bool cluster_topology_copy(const struct cluster_topology *topology, struct cluster_map *map,
			   uint64_t *version)
{
	struct cluster_topology *t = (struct cluster_topology *)topology; // n_readers alone
	if (cluster_topology_version(t) == *version)
		return false;
	for (;;) {
		uint32_t at = atomic_load(&t->current);
		struct place *place = &t->places[at];
		atomic_fetch_add(&place->n_readers, 1);
		bool stays = atomic_load(&t->current) == at;
		bool other = stays && place->version != *version;
		if (other) {
			*map = place->map;
			*version = place->version;
		}
		atomic_fetch_sub(&place->n_readers, 1);
		if (stays)
			return other;
	}
}

// @return false: somebody still copies what lies there; at the next turn then
static bool map_publish(struct cluster_topology *t)
{
	uint32_t at = (atomic_load_explicit(&t->current, memory_order_relaxed) + 1) % PLACES;
	struct place *place = &t->places[at];
	if (atomic_load(&place->n_readers))
		return false;
	place->map = t->told;
	place->version = atomic_load_explicit(&t->version, memory_order_relaxed) + 1;
	atomic_store(&t->current, at);
	atomic_store_explicit(&t->version, place->version, memory_order_release);
	t->ready = false;
	return true;
}

// What one node alone sees is no news.
static bool node_same(const struct cluster_node *a, const struct cluster_node *b)
{
	unsigned own = CLUSTER_MYSELF | CLUSTER_PFAIL | CLUSTER_LOADING;
	return a->port == b->port && (a->flags | own) == (b->flags | own) &&
	       a->n_slots == b->n_slots && !strcmp(a->host, b->host) && !strcmp(a->shard, b->shard);
}

static bool map_same(const struct cluster_map *a, const struct cluster_map *b)
{
	uint16_t to[CLUSTER_NODES_MAX + 1]; // b's index of each node of a; the last: nobody's
	if (a->n_nodes != b->n_nodes || a->n_owned != b->n_owned)
		return false;
	for (unsigned i = 0; i < a->n_nodes; i++) {
		to[i] = cluster_node_find(b, span_of(a->nodes[i].id));
		if (to[i] == CLUSTER_NONE || !node_same(&a->nodes[i], &b->nodes[to[i]]))
			return false;
	}
	for (unsigned i = 0; i < a->n_nodes; i++) {
		uint16_t master = a->nodes[i].master;
		master = master == CLUSTER_NONE ? master : to[master];
		if (master != b->nodes[to[i]].master)
			return false;
	}
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
		uint16_t owner = a->owner[slot];
		if ((owner == CLUSTER_NONE ? owner : to[owner]) != b->owner[slot])
			return false;
	}
	return true;
}

// ---- Whom to ask ----------------------------------------------------------------------------

static bool candidate_is(const struct cluster_node *node)
{
	return (node->flags & CLUSTER_MASTER) && cluster_node_serves(node);
}

static unsigned candidates_count(const struct cluster_topology *t)
{
	const struct cluster_map *map = cluster_topology_map(t);
	unsigned n = t->endpoint->n_nodes;
	for (unsigned i = 0; map && i < map->n_nodes; i++)
		n += candidate_is(&map->nodes[i]);
	return n;
}

// Masters first, each round; then the seeds.
static void node_choose(struct cluster_topology *t)
{
	const struct cluster_map *map = cluster_topology_map(t);
	unsigned k = t->next++ % candidates_count(t);
	for (unsigned i = 0; map && i < map->n_nodes; i++) {
		const struct cluster_node *node = &map->nodes[i];
		if (!candidate_is(node) || k--)
			continue;
		memcpy(t->node.host, node->host, sizeof(t->node.host));
		t->node.port = node->port;
		return;
	}
	t->node = t->endpoint->nodes[k];
}

// ---- Asking ---------------------------------------------------------------------------------

// @return whether all of them were asked in vain, which is trouble
static bool ask_failed(struct cluster_topology *t, const struct clock_reading *now, const char *why)
{
	asker_close(&t->asker);
	t->question = ASK_END;
	t->next_ns = now->mono_ns; // the next one at once
	if (++t->n_vain < candidates_count(t))
		return false;
	snprintf(t->trouble, sizeof(t->trouble),
		 "no node of the cluster tells its map; the last asked, %.80s:%u: %.90s",
		 t->node.host, t->node.port, why);
	t->n_vain = t->n_behind = 0;
	t->next_ns = now->mono_ns + t->retry_ns;
	t->retry_ns = t->retry_ns < RETRY_MAX_NS / 2 ? 2 * t->retry_ns : RETRY_MAX_NS;
	return true;
}

static void ask_begin(struct cluster_topology *t, const struct clock_reading *now)
{
	const struct endpoint *e = t->endpoint;
	node_choose(t);
	struct stream_peer peer = endpoint_peer_at(e, t->node.host, t->node.host, t->node.port);
	atomic_store_explicit(&t->poked, 0, memory_order_relaxed);
	t->asked_ns = now->mono_ns;
	t->told_epoch = 0;
	cluster_map_reset(&t->told);
	if (asker_open(&t->asker, t->core, &peer, now->mono_ns, PATIENCE_NS)) {
		ask_failed(t, now, t->asker.why);
		return;
	}
	t->question = e->has_password ? ASK_AUTH : ASK_INFO;
	if (e->has_password)
		asker_login(&t->asker, e->user, e->password, now->mono_ns);
	ASKER_PUT(&t->asker, now->mono_ns, "CLUSTER", "INFO");
	ASKER_PUT(&t->asker, now->mono_ns, "CLUSTER", "NODES");
	ASKER_PUT(&t->asker, now->mono_ns, "CLUSTER", "SLOTS");
}

// The node has told its map. Whether it is to be believed, and says anything new.
static void map_judge(struct cluster_topology *t, const struct clock_reading *now)
{
	const struct cluster_map *map = cluster_topology_map(t);
	bool outside = map && map->n_owned && !t->told.n_owned; // it was reset
	bool behind = outside || (t->told_epoch && t->told_epoch < t->epoch);
	asker_close(&t->asker);
	t->question = ASK_END;
	if (behind && ++t->n_behind < candidates_count(t)) {
		ask_failed(t, now, "it knows less than another one did");
		return;
	}
	if (t->told_epoch)
		t->epoch = t->told_epoch;
	t->n_vain = t->n_behind = 0;
	t->retry_ns = RETRY_MIN_NS;
	t->trouble[0] = 0;
	t->error = ERROR_NONE;
	t->next_ns = now->mono_ns + EVERY_NS;
	t->n_told++;
	t->ready = !map || !map_same(map, &t->told);
}

static void refusal_take(struct cluster_topology *t, const struct clock_reading *now,
			 struct span error)
{
	struct cluster_redirect redirect;
	enum error_id id = ERROR_NONE;
	char why[AUTH_ERROR_LEN];
	auth_error_text(error, t->endpoint->password, why);
	if (cluster_error_read(error, NULL, &redirect) == CLUSTER_UNSUPPORTED)
		id = ERROR_URL;
	else if (t->question == ASK_AUTH || (error.len >= 6 && !memcmp(error.p, "NOAUTH", 6)))
		id = ERROR_AUTH;
	else if (noperm_is(error))
		id = ERROR_NOPERM;
	noperm_short(error, t->endpoint->user, why, sizeof(why));
	if (ask_failed(t, now, why) && id)
		t->error = id;
}

// What only makes the map better may be refused: INFO, and SLOTS where NODES has told enough.
static void answer_take(struct cluster_topology *t, const struct clock_reading *now,
			const struct resp_value *v, unsigned n)
{
	const struct cluster_asked asked = {t->node.host, t->endpoint->tls};
	bool refused = v->type == RESP_ERROR;
	char number[24];
	int rc = 0;
	if (refused && (t->question == ASK_AUTH || t->question == ASK_NODES)) {
		refusal_take(t, now, v->text);
		return;
	}
	if (t->question == ASK_INFO && v->type == RESP_STRING &&
	    info_field(v->text, "cluster_current_epoch", number, sizeof(number)))
		t->told_epoch = strtoull(number, NULL, 10);
	else if (t->question == ASK_NODES)
		rc = v->type == RESP_STRING ? cluster_nodes_read(&t->told, v->text, &asked) : -1;
	else if (t->question == ASK_SLOTS && !refused)
		rc = cluster_slots_read(&t->told, v, n, &asked);
	if (rc)
		ask_failed(t, now,
			   rc == -ENOBUFS ? "the cluster has more than 512 nodes"
					  : "it answers in a way that is not known");
	else if (++t->question == ASK_END)
		map_judge(t, now);
}

// Somebody found the map wrong: the next ask is due soon.
static void poke_take(struct cluster_topology *t)
{
	uint64_t soon_ns = t->asked_ns + POKED_NS;
	if (atomic_load_explicit(&t->poked, memory_order_relaxed) && !t->trouble[0] &&
	    t->next_ns > soon_ns)
		t->next_ns = soon_ns;
}

void cluster_topology_turn(struct cluster_topology *t, const struct clock_reading *now,
			   uint64_t *deadline_ns)
{
	const struct resp_value *v;
	enum resp_verdict verdict;
	unsigned n;
	poke_take(t);
	if (!asker_is_open(&t->asker) && !t->ready && now->mono_ns >= t->next_ns)
		ask_begin(t, now);
	while (asker_is_open(&t->asker) &&
	       (verdict = asker_next(&t->asker, now, &v, &n)) != RESP_MORE) {
		if (verdict == RESP_OK)
			answer_take(t, now, v, n);
		else
			ask_failed(t, now, t->asker.why);
	}
	if (t->ready && !map_publish(t))
		*deadline_ns = now->mono_ns;
	poke_take(t); // one that came meanwhile
	asker_deadline(&t->asker, deadline_ns);
	if (!asker_is_open(&t->asker) && t->next_ns < *deadline_ns)
		*deadline_ns = t->next_ns;
}
