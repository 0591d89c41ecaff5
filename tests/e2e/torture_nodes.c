// SPDX-License-Identifier: BSD-3-Clause
// Sides of several nodes, which choose their masters themselves, and what goes wrong there: a
// cluster, or an ensemble that sentinels watch. Whatever is to happen to the nodes of a side waits
// until those that were away are back, see faults_run().
#include "tests/e2e/torture.h"

#define REPLICAS         1      // of each master of a cluster
#define STILL_KEYS       500    // that nobody writes again
#define FREEZE_MS        3500   // long enough for an election
#define FAILOVER_TIMEOUT "3000" // twice that passes between two failovers, ms

void cluster_side_start(struct torture *t, struct side *s, const char *name, unsigned masters)
{
	const struct cluster_way way = {.behind_proxies = true};
	const char *options[24];

	server_options(t, s->keeps, options);
	s->cluster = cluster_start_with(t->world, name, masters, REPLICAS, &way, options);
	s->url = s->cluster->url;
	if (s == &t->source)
		cluster_fill(s->cluster, "still", STILL_KEYS, 40);
}

void ensemble_side_start(struct torture *t, struct side *s, const char *name)
{
	const char *options[24];

	server_options(t, s->keeps, options);
	s->ensemble = ensemble_start_with(t->world, name, "", options);
	s->active = s->ensemble.members[0];
}

void sentinels_begin(struct torture *t)
{
	struct side *sides[] = {&t->source, &t->target};
	struct ensemble *watched[2] = {NULL};
	unsigned n = 0;

	for (unsigned i = 0; i < 2; i++)
		if (sides[i]->kind == SIDE_WATCHED)
			watched[n++] = &sides[i]->ensemble;
	if (!n)
		return;
	t->sentinels = sentinels_start(t->world, watched[0], watched[1], "");
	for (unsigned i = 0; i < 2; i++) {
		struct side *s = sides[i];
		if (s->kind != SIDE_WATCHED)
			continue;
		s->sentinels = &t->sentinels;
		s->url = sentinels_url(&t->sentinels, &s->ensemble, "");
		for (unsigned k = 0; k < SENTINELS; k++)
			run(t->sentinels.list[k], "SENTINEL SET %s failover-timeout %s",
			    s->ensemble.name, FAILOVER_TIMEOUT);
	}
}

// Connections end as a node changes its role.
static struct server *connection_renew(struct server *s)
{
	if (s->redis)
		redisFree(s->redis);
	s->redis = NULL;
	return s;
}

struct server *ensemble_side_master(struct side *s)
{
	s->active = sentinels_master(s->sentinels, &s->ensemble);
	return connection_renew(s->active);
}

void side_settle(struct side *s)
{
	if (s->kind == SIDE_CLUSTER)
		cluster_settle(s->cluster);
	else
		sentinels_await_replicas(s->sentinels, &s->ensemble, 1);
}

struct server *master_drawn(struct side *s, unsigned number)
{
	if (s->kind == SIDE_WATCHED)
		return ensemble_side_master(s);
	struct servers masters = cluster_masters(s->cluster);
	return masters.list[number % masters.n];
}

static struct server *node_drawn(struct side *s, unsigned number)
{
	if (s->kind == SIDE_WATCHED)
		return s->ensemble.members[number % MEMBERS];
	return s->cluster->nodes.list[number % s->cluster->nodes.n];
}

struct proxy *line_drawn(struct side *s, const struct fault_plan *f)
{
	return s->cluster ? master_drawn(s, f->amount)->proxy : s->proxy;
}

// A target that loses what it had answered entitles a link that is being drained to say so.
static void loss_note(struct torture *t, const struct side *s)
{
	if (s == &t->target)
		t->may_fail = true;
}

// ---- Nodes

// Sentinels write the role of a server into its configuration; ours have none, but options.
static void role_write(struct server *s, const char *of)
{
	unsigned n = 0;

	while (s->options[n] && strcmp(s->options[n], "--replicaof"))
		n++;
	s->options[n] = "--replicaof";
	s->options[n + 1] = of;
}

static void role_note(struct side *s)
{
	const struct server *master = s->cluster ? NULL : ensemble_side_master(s);

	if (master)
		role_write(s->away,
			   s->away == master ? "no one" : text("127.0.0.1 %d", master->port));
}

// Another one takes over, with what it has: in a cluster at once, as an operator would have it,
// else when the sentinels say so.
bool master_dies(struct torture *t, const struct fault_plan *f)
{
	struct side *s = fault_side(t, f);

	side_settle(s);
	s->away = master_drawn(s, f->amount);
	struct server *replica = s->cluster ? cluster_replica(s->cluster, s->away) : NULL;
	role_note(s);
	server_kill(s->away);
	loss_note(t, s);
	if (s->cluster)
		cluster_takeover(s->cluster, replica);
	else
		s->active = sentinels_await_other(s->sentinels, &s->ensemble, s->away);
	return true;
}

// It may be back before anybody has missed it; if not, the others may elect another master.
bool node_dies(struct torture *t, const struct fault_plan *f)
{
	struct side *s = fault_side(t, f);

	side_settle(s);
	s->away = node_drawn(s, f->amount);
	role_note(s);
	server_kill(s->away);
	loss_note(t, s);
	return true;
}

// The whole cluster is without power for a while.
bool cluster_dies(struct torture *t, const struct fault_plan *f)
{
	struct side *s = fault_side(t, f);

	side_settle(s);
	for (unsigned i = 0; i < s->cluster->nodes.n; i++)
		server_kill(s->cluster->nodes.list[i]);
	loss_note(t, s);
	return true;
}

// Slow, or away for so long that another one is elected, of which it then hears late.
bool node_freezes(struct torture *t, const struct fault_plan *f)
{
	struct side *s = fault_side(t, f);

	side_settle(s);
	s->away = node_drawn(s, f->amount);
	server_freeze(s->away);
	loss_note(t, s);
	bytes_wait(t, UINT32_MAX, (int)(f->amount % 8 ? f->amount : FREEZE_MS));
	return true;
}

// A former master of an ensemble goes on as a master for eight seconds before its sentinels make a
// replica of it; nobody waits for that here.
void side_mend(struct side *s)
{
	struct server **nodes = s->cluster ? s->cluster->nodes.list : s->ensemble.members;

	for (unsigned i = 0; i < (s->cluster ? s->cluster->nodes.n : MEMBERS); i++)
		if (process_has_ended(nodes[i]->process))
			server_start_again(nodes[i]);
		else
			server_thaw(nodes[i]);
	if (s->cluster)
		cluster_settle(s->cluster);
}

void nodes_come_back(struct torture *t, const struct fault_plan *f)
{
	side_mend(fault_side(t, f));
}

bool replica_takes_over(struct torture *t, const struct fault_plan *f)
{
	struct side *s = fault_side(t, f);

	side_settle(s);
	if (s->cluster)
		cluster_failover(s->cluster,
				 cluster_replica(s->cluster, master_drawn(s, f->amount)));
	else
		s->active = sentinels_fail_over(s->sentinels, &s->ensemble);
	loss_note(t, s);
	return true;
}

// A master closes our connections, and its clients'.
bool node_closes_clients(struct torture *t, const struct fault_plan *f)
{
	struct side *s = fault_side(t, f);
	struct server *master = connection_renew(master_drawn(s, f->amount));
	redisReply *r = ask(master, "CLIENT KILL TYPE %s SKIPME yes",
			    f->source_side ? "replica" : "normal");

	freeReplyObject(r);
	return true;
}

bool sentinels_freeze_for_a_while(struct torture *t, const struct fault_plan *f)
{
	sentinels_freeze(&t->sentinels);
	bytes_wait(t, UINT32_MAX, (int)f->amount);
	sentinels_thaw(&t->sentinels);
	return true;
}
