// SPDX-License-Identifier: BSD-3-Clause
#include "tests/e2e/deployment.h"

#include "tests/e2e/rights_rig.h"

#define STRINGS   2000
#define BIG       3
#define BIG_LEN   600000 // more than --big-value: in pieces
#define MOVED     40     // slots from each master to the next
#define TORN_KEYS 1      // of the slot that is half moved

// Keys that are written for as long as somebody writes, in a cluster's slot of their own.
static const char *const torn_keys[] = {"w:count:3", "c:3"};

// ---- Start ------------------------------------------------------------------------------------

static void rights_grant_all(struct deployment *d, struct server *const *list, unsigned n,
			     const char *who)
{
	struct rights r = rights_of(d->world, "sync", who);

	for (unsigned i = 0; i < n; i++)
		rights_grant(list[i], &r, NULL);
}

static void users_make(struct deployment *d)
{
	const char *kinds[] = {d->name, text("%s, each server that sentinels watch", d->name),
			       text("%s, each node of a cluster", d->name)};
	const char *who = kinds[d->kind];

	if (d->kind == SERVER)
		rights_grant_all(d, &d->server, 1, who);
	if (d->kind == CLUSTER)
		rights_grant_all(d, d->cluster->nodes.list, d->cluster->nodes.n, who);
	if (d->kind == SENTINEL) {
		rights_grant_all(d, d->ensemble.members, MEMBERS, who);
		rights_grant_all(d, d->sentinels.list, SENTINELS,
				 "sentinels, of either side and every verb");
	}
}

static void cluster_begin(struct deployment *d, unsigned masters)
{
	static const struct cluster_way ways[] = {
		[IPV6] = {.address = "::1"}, [NAMES] = {.name = "localhost"}};
	struct cluster_way tls = {.tls = d->world->dir};

	d->cluster = cluster_start_with(d->world, d->name, masters, 1,
					d->way == TLS ? &tls : &ways[d->way], NULL);
	d->url = d->cluster->url;
}

void deployment_start(struct deployment *d, struct world *w, const char *name,
		      enum deployment_kind kind, unsigned masters, enum deployment_way way)
{
	*d = (struct deployment){.world = w, .name = name, .kind = kind, .way = way};
	if (kind == SERVER) {
		d->server = server_start(w, name, NULL);
		d->url = d->server->url;
	} else if (kind == SENTINEL) {
		d->ensemble = ensemble_start(w, name, "");
		d->sentinels = sentinels_start(w, &d->ensemble, NULL, "");
		d->url = sentinels_url(&d->sentinels, &d->ensemble, "");
	} else {
		cluster_begin(d, masters);
	}
	if (way != RIGHTS)
		return;
	users_make(d);
	const char *hosts = strstr(d->url, "://") + 3;
	d->url = text("%.*sflyover:pw@%s", (int)(hosts - d->url), d->url, hosts);
}

// ---- Data -------------------------------------------------------------------------------------

// Sentinels close connections as they promote and demote.
static struct server *anew(struct server *s)
{
	if (s->redis)
		redisFree(s->redis);
	s->redis = NULL;
	return s;
}

// The only one, or the one that the sentinels name.
static struct server *master(struct deployment *d)
{
	return d->kind == SERVER ? d->server : sentinels_master(&d->sentinels, &d->ensemble);
}

struct servers deployment_masters(struct deployment *d)
{
	return d->kind == CLUSTER ? cluster_masters(d->cluster) : just(anew(master(d)));
}

void deployment_fill(struct deployment *d)
{
	if (d->kind == CLUSTER) {
		cluster_fill(d->cluster, "key", STRINGS, 40);
		cluster_fill(d->cluster, "big", BIG, BIG_LEN);
		return;
	}
	dataset_load_strings(master(d), "key", STRINGS, 40);
	dataset_load_strings(master(d), "big", BIG, BIG_LEN);
}

void deployment_write(struct deployment *d)
{
	if (d->kind == CLUSTER)
		d->writer = cluster_writer_start(d->cluster, 1, 200);
	else if (d->pause_ms)
		d->writer = writer_start_gently(master(d), d->pause_ms);
	else
		d->writer = writer_start(master(d));
}

void deployment_rest(struct deployment *d)
{
	writer_stop(d->writer);
	d->writer = NULL;
}

// ---- Misfortunes ------------------------------------------------------------------------------

// A master, another one each time, that has a replica.
static struct server *cluster_victim(struct deployment *d)
{
	struct servers masters = cluster_masters(d->cluster);

	for (unsigned i = 0; i < masters.n; i++) {
		struct server *s = masters.list[(d->n_misfortunes + i) % masters.n];
		if (cluster_replica(d->cluster, s))
			return s;
	}
	fail_msg("no master of %s has a replica left", d->name);
	return NULL;
}

// To somebody else: what has gone stays gone until the rest may follow.
static void slot_tear(struct deployment *d, const char *key, void (*pause)(void *arg), void *arg)
{
	uint16_t slot = key_slot(span_of(key));
	struct servers masters = cluster_masters(d->cluster);
	struct server *owner = cluster_owner(d->cluster, slot);
	struct server *to = masters.list[masters.list[0] == owner];

	slot_move_begin(d->cluster, slot, to);
	slot_move_keys(d->cluster, slot, to, TORN_KEYS);
	pause(arg);
	slot_move_keys(d->cluster, slot, to, UINT32_MAX);
	slot_move_end(d->cluster, slot, to);
}

static void cluster_reshard(struct deployment *d, void (*pause)(void *arg), void *arg)
{
	struct servers masters = cluster_masters(d->cluster);

	for (unsigned i = 0; i < masters.n; i++) {
		uint16_t slot = (uint16_t)(SLOT_COUNT * i / masters.n);
		slots_move(d->cluster, slot, (uint16_t)(slot + MOVED - 1),
			   masters.list[(i + 1) % masters.n]);
	}
	for (unsigned i = 0; i < sizeof(torn_keys) / sizeof(torn_keys[0]); i++)
		slot_tear(d, torn_keys[i], pause, arg);
}

static void cluster_suffer(struct deployment *d, enum misfortune m)
{
	struct server *s = cluster_victim(d);

	if (m == STEPS_DOWN)
		cluster_failover(d->cluster, cluster_replica(d->cluster, s));
	else if (m == LOSES_NODE)
		cluster_kill_master(d->cluster, s);
	else
		cluster_oust_master(d->cluster, s);
}

// A writer of one server does not look for another one.
static void writer_renew(struct deployment *d)
{
	if (!d->writer)
		return;
	deployment_rest(d);
	deployment_write(d);
}

static void sentinel_suffer(struct deployment *d, enum misfortune m)
{
	struct server *old = master(d);

	assert_int_equal(d->kind, SENTINEL);

	if (m == STEPS_DOWN)
		sentinels_fail_over(&d->sentinels, &d->ensemble);
	else if (m == LOSES_NODE)
		server_kill(old);
	else
		server_freeze(old);
	sentinels_await_other(&d->sentinels, &d->ensemble, old);
	if (m == IS_OUSTED)
		server_thaw(old);
	writer_renew(d);
}

// Not for so long that anybody would take over, unless this machine is slow itself.
static void pass_slowly(struct deployment *d, void (*pause)(void *arg), void *arg)
{
	struct server *s = d->kind == CLUSTER ? cluster_victim(d) : master(d);

	server_freeze(s);
	pause(arg);
	server_thaw(s);
	if (d->kind == CLUSTER)
		cluster_settle(d->cluster);
	else if (master(d) != s)
		writer_renew(d);
}

void deployment_suffer(struct deployment *d, enum misfortune m, void (*pause)(void *arg), void *arg)
{
	if (m == IS_SLOW)
		pass_slowly(d, pause, arg);
	else if (m == RESHARDS)
		cluster_reshard(d, pause, arg);
	else if (d->kind == CLUSTER)
		cluster_suffer(d, m);
	else
		sentinel_suffer(d, m);
	d->n_misfortunes++;
}

// ---- Rights -----------------------------------------------------------------------------------

static void judge_all(struct server *const *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!process_has_ended(list[i]->process) && *rights_denied(anew(list[i])))
			fail_msg("%s denied %s", list[i]->name, rights_denied(list[i]));
}

void deployment_judge_rights(struct deployment *d)
{
	if (d->kind == SERVER)
		judge_all(&d->server, 1);
	if (d->kind == CLUSTER)
		judge_all(d->cluster->nodes.list, d->cluster->nodes.n);
	if (d->kind == SENTINEL) {
		judge_all(d->ensemble.members, MEMBERS);
		judge_all(d->sentinels.list, SENTINELS);
	}
}
