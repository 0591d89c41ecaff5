// SPDX-License-Identifier: BSD-3-Clause
// Sides of several nodes, which choose their masters themselves, and what goes wrong there: a
// cluster, or an ensemble that sentinels watch. One node at a time is away; whatever else is to
// happen to the side waits until it is back, see faults_run().
#include "tests/e2e/torture.h"

#include <signal.h>

#define REPLICAS         1      // of each master of a cluster
#define STILL_KEYS       500    // that nobody writes again
#define LATE_MOST_MS     800    // behind slots that have moved
#define FREEZE_MS        3500   // long enough for an election
#define FAILOVER_TIMEOUT "1500" // twice that passes between two failovers, ms

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

// Who is master is settled, and there is a replica that could follow it.
static void side_settle(struct side *s)
{
	if (s->kind == SIDE_CLUSTER)
		cluster_settle(s->cluster);
	else
		sentinels_await_replicas(s->sentinels, &s->ensemble, 1);
}

static struct server *master_drawn(struct side *s, unsigned number)
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

void cluster_comes_back(struct torture *t, const struct fault_plan *f)
{
	struct side *s = fault_side(t, f);

	for (unsigned i = 0; i < s->cluster->nodes.n; i++)
		server_start_again(s->cluster->nodes.list[i]);
	cluster_settle(s->cluster);
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
void node_comes_back(struct torture *t, const struct fault_plan *f)
{
	struct side *s = fault_side(t, f);

	if (process_has_ended(s->away->process))
		server_start_again(s->away);
	else
		server_thaw(s->away);
	if (s->cluster)
		cluster_settle(s->cluster);
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

// ---- Slots

static struct server *taker_drawn(struct side *s, uint16_t slot, const struct fault_plan *f)
{
	struct servers masters = cluster_masters(s->cluster);
	unsigned at = f->amount % masters.n;

	if (masters.list[at] == cluster_owner(s->cluster, slot))
		at = (at + 1) % masters.n;
	return masters.list[at];
}

// Half of the time, what one of the masters says of it comes late.
bool slots_wander(struct torture *t, const struct fault_plan *f)
{
	struct side *s = fault_side(t, f);

	side_settle(s);
	struct proxy *late = line_drawn(s, f);
	proxy_delay(late, f->amount % 2 ? (int)f->amount % LATE_MOST_MS : 0);
	for (unsigned i = 0; i < 1 + f->amount % 12; i++) {
		uint16_t slot = slot_drawn(t, f->amount + i * 7);
		slots_move(s->cluster, slot, slot, taker_drawn(s, slot, f));
	}
	bytes_wait(t, f->bytes, LATE_MOST_MS);
	proxy_delay(late, 0);
	return true;
}

// Some of their keys are here, others there.
bool slots_are_torn(struct torture *t, const struct fault_plan *f)
{
	struct side *s = fault_side(t, f);

	side_settle(s);
	s->n_torn = 0;
	s->torn_to = taker_drawn(s, slot_drawn(t, f->amount), f);
	for (unsigned i = 0; i < TORN_MAX; i++) {
		uint16_t slot = slot_drawn(t, f->amount + i);
		if (cluster_owner(s->cluster, slot) == s->torn_to)
			continue;
		slot_move_begin(s->cluster, slot, s->torn_to);
		slot_move_keys(s->cluster, slot, s->torn_to, f->amount / 10 % 3);
		s->torn[s->n_torn++] = slot;
	}
	return true;
}

static void slots_given_up(struct torture *t, struct side *s)
{
	process_signal(t->writer, SIGSTOP);
	for (unsigned i = 0; i < s->n_torn; i++)
		slot_move_give_up(s->cluster, s->torn[i], s->torn_to);
	process_signal(t->writer, SIGCONT);
}

// The other keys follow; then the slots may move back, all at once. Or the operator gives up, and
// what has moved is lost: the target has to lose it, too.
void slots_are_whole(struct torture *t, const struct fault_plan *f)
{
	struct side *s = fault_side(t, f);
	struct server *from = s->n_torn ? cluster_owner(s->cluster, s->torn[0]) : NULL;

	if (f->amount % 3 == 0 && f->source_side) {
		slots_given_up(t, s);
		return;
	}
	for (unsigned i = 0; i < s->n_torn; i++) {
		slot_move_keys(s->cluster, s->torn[i], s->torn_to, UINT32_MAX);
		slot_move_end(s->cluster, s->torn[i], s->torn_to);
		if (f->amount % 3 == 1)
			slots_move(s->cluster, s->torn[i], s->torn[i], from);
	}
}
