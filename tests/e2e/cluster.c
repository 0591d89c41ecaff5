// SPDX-License-Identifier: BSD-3-Clause
#include "tests/e2e/harness.h"

#define OPTIONS_MAX 40

// Long enough that a busy machine fails nobody over, short enough for a test that waits for it.
#define NODE_TIMEOUT_MS "2000"

// ---- What it looks like ---------------------------------------------------------------------

// And would answer.
static bool runs(struct server *s)
{
	return !s->frozen && !process_has_ended(s->process);
}

static bool map_read(struct server *s, struct cluster_map *map)
{
	const struct cluster_asked asked = {here_address(), false};
	redisReply *r = ask(s, "CLUSTER NODES");

	cluster_map_reset(map);
	bool read = r->type == REDIS_REPLY_STRING &&
		    !cluster_nodes_read(map, (struct span){r->str, r->len}, &asked);
	freeReplyObject(r);
	return read;
}

const struct cluster_map *cluster_look(struct cluster *c)
{
	for (unsigned i = 0; i < c->nodes.n; i++)
		if (runs(c->nodes.list[i]) && map_read(c->nodes.list[i], &c->map))
			return &c->map;
	fail_msg("no node of the cluster runs");
	return NULL;
}

const char *cluster_id(struct server *s)
{
	return ask_text(s, "CLUSTER MYID");
}

static struct server *server_at(const struct cluster *c, int port)
{
	for (unsigned i = 0; i < c->nodes.n; i++)
		if (c->nodes.list[i]->announced == port)
			return c->nodes.list[i];
	return NULL;
}

struct server *cluster_owner(const struct cluster *c, uint16_t slot)
{
	uint16_t owner = c->map.owner[slot];

	return owner == CLUSTER_NONE ? NULL : server_at(c, c->map.nodes[owner].port);
}

struct server *cluster_owner_of(const struct cluster *c, const char *key)
{
	return cluster_owner(c, key_slot(span_of(key)));
}

struct servers cluster_masters(struct cluster *c)
{
	const struct cluster_map *map = cluster_look(c);
	struct servers masters = {.n = 0};

	for (unsigned i = 0; i < map->n_nodes; i++)
		if (map->nodes[i].n_slots)
			masters.list[masters.n++] = server_at(c, map->nodes[i].port);
	return masters;
}

struct server *cluster_replica(struct cluster *c, const struct server *master)
{
	const struct cluster_map *map = cluster_look(c);

	for (unsigned i = 0; i < map->n_nodes; i++) {
		const struct cluster_node *node = &map->nodes[i];
		struct server *s = server_at(c, node->port);
		bool of_it = (node->flags & CLUSTER_REPLICA) && node->master != CLUSTER_NONE &&
			     map->nodes[node->master].port == master->announced;
		if (of_it && s && runs(s))
			return s;
	}
	return NULL;
}

struct server *cluster_master_of(struct cluster *c, struct server *node)
{
	const struct cluster_map *map = cluster_look(c);
	uint16_t at = cluster_node_find(map, span_of(cluster_id(node)));

	assert_true(at != CLUSTER_NONE);
	return map->nodes[at].master == CLUSTER_NONE
		       ? node
		       : server_at(c, map->nodes[map->nodes[at].master].port);
}

// ---- When all agree -------------------------------------------------------------------------

// Whether a node that runs sees what it should: those that run are members and up, nobody else owns
// slots, and owners and roles are those of c->map.
static bool view_is_settled(const struct cluster *c, const struct cluster_map *map)
{
	unsigned running = 0;

	for (unsigned i = 0; i < map->n_nodes; i++) {
		const struct cluster_node *node = &map->nodes[i];
		struct server *s = server_at(c, node->port);
		bool up = s && runs(s);
		unsigned bad = CLUSTER_FAIL | CLUSTER_PFAIL | CLUSTER_HANDSHAKE | CLUSTER_NOADDR;
		if (up && (node->flags & bad))
			return false;
		if (!up && node->n_slots)
			return false;
		running += up;
		uint16_t at = cluster_node_find(&c->map, span_of(node->id));
		unsigned role = CLUSTER_MASTER | CLUSTER_REPLICA;
		if (up && (at == CLUSTER_NONE || (node->flags ^ c->map.nodes[at].flags) & role))
			return false;
	}
	for (unsigned i = 0; i < c->nodes.n; i++)
		running -= runs(c->nodes.list[i]);
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
		uint16_t a = c->map.owner[slot], b = map->owner[slot];
		if (a == CLUSTER_NONE || b == CLUSTER_NONE ||
		    strcmp(c->map.nodes[a].id, map->nodes[b].id))
			return false;
	}
	return !running;
}

static bool node_is_well(struct server *s)
{
	redisReply *r = ask(s, "CLUSTER INFO");
	bool ok = r->str && strstr(r->str, "cluster_state:ok");

	freeReplyObject(r);
	return ok && (strcmp(info_text(s, "replication", "role"), "slave") ||
		      !strcmp(info_text(s, "replication", "master_link_status"), "up"));
}

// Whether a node knows of another owner.
static bool has_other_owner(struct server *s, unsigned slot, const char *owner)
{
	struct cluster_map *map = malloc(sizeof(*map));

	assert_non_null(map);
	bool other = map_read(s, map) && map->owner[slot] != CLUSTER_NONE &&
		     strcmp(map->nodes[map->owner[slot]].id, owner) != 0;
	free(map);
	return other;
}

// A node that takes a slot in hears of no failover of who gives it, and calls the whole cluster
// down. As an operator would, we end that.
static void imports_end(struct cluster *c, struct server *taker)
{
	redisReply *nodes = ask(taker, "CLUSTER NODES");
	char from[CLUSTER_ID_LEN + 1];
	unsigned slot;

	for (const char *at = nodes->str; at && (at = strchr(at, '[')); at++) {
		bool lost = false;
		if (sscanf(at, "[%u-<-%40[0-9a-f]]", &slot, from) != 2)
			continue;
		for (unsigned i = 0; i < c->nodes.n && !lost; i++)
			lost = c->nodes.list[i] != taker && runs(c->nodes.list[i]) &&
			       has_other_owner(c->nodes.list[i], slot, from);
		if (lost)
			run(taker, "CLUSTER SETSLOT %u STABLE", slot);
	}
	freeReplyObject(nodes);
}

static void lost_imports_end(struct cluster *c)
{
	for (unsigned i = 0; i < c->nodes.n; i++)
		if (runs(c->nodes.list[i]))
			imports_end(c, c->nodes.list[i]);
}

static bool is_settled(void *arg)
{
	struct cluster *c = arg;
	struct cluster_map *map = malloc(sizeof(*map));
	bool settled = true;

	assert_non_null(map);
	lost_imports_end(c);
	cluster_look(c);
	for (unsigned i = 0; settled && i < c->nodes.n; i++) {
		struct server *s = c->nodes.list[i];
		settled = !runs(s) ||
			  (node_is_well(s) && map_read(s, map) && view_is_settled(c, map));
	}
	free(map);
	return settled;
}

void cluster_settle(struct cluster *c)
{
	wait_until(is_settled, c, "the nodes of the cluster to agree");
}

// ---- Start ----------------------------------------------------------------------------------

static void slots_assign(struct cluster *c)
{
	for (unsigned i = 0; i < c->n_masters; i++) {
		unsigned first = SLOT_COUNT * i / c->n_masters;
		unsigned end = SLOT_COUNT * (i + 1) / c->n_masters;
		run(c->nodes.list[i], "CLUSTER ADDSLOTSRANGE %d %d", (int)first, (int)end - 1);
	}
	for (unsigned i = 0; i < c->nodes.n; i++)
		run(c->nodes.list[i], "CLUSTER SET-CONFIG-EPOCH %d", (int)i + 1);
}

int cluster_port(const struct server *s)
{
	return s->tls_port ? s->tls_port : s->port;
}

static const char *bus_port(const struct server *s)
{
	const char *port = "";

	for (unsigned i = 0; s->options[i]; i++)
		if (!strcmp(s->options[i], "--cluster-port"))
			port = s->options[i + 1];
	return port;
}

static void node_meet(struct cluster *c, const struct server *s)
{
	run(c->nodes.list[0], "CLUSTER MEET %s %d %s", c->way.address, cluster_port(s),
	    bus_port(s));
}

struct following {
	struct server *replica;
	const char *master;
};

// Refused until the replica has heard of its master.
static bool replica_obeys(void *arg)
{
	struct following *f = arg;
	redisReply *r = ask(f->replica, "CLUSTER REPLICATE %s", f->master);
	bool done = r->type != REDIS_REPLY_ERROR;

	freeReplyObject(r);
	return done;
}

static void replicas_follow(struct cluster *c)
{
	for (unsigned i = c->n_masters; i < c->nodes.n; i++) {
		struct server *master = c->nodes.list[i % c->n_masters];
		struct following f = {c->nodes.list[i], cluster_id(master)};
		wait_until(replica_obeys, &f, "a replica to know its master");
	}
}

// @return how many words
static unsigned tls_options(const char *folder, const char **options)
{
	const char *words[] = {
		"--tls-port",         text("%d", free_port()),
		"--tls-cert-file",    text("%s/server.crt", folder),
		"--tls-key-file",     text("%s/server.key", folder),
		"--tls-ca-cert-file", text("%s/ca.crt", folder),
		"--tls-auth-clients", "yes",
		"--tls-cluster",      "yes",
		"--tls-replication",  "yes",
	};
	memcpy(options, words, sizeof(words));
	return sizeof(words) / sizeof(words[0]);
}

static unsigned way_options(const struct cluster_way *way, const char **options)
{
	unsigned n = way->tls ? tls_options(way->tls, options) : 0;

	if (strchr(way->address, ':') && !net_is_ours()) {
		options[n++] = "--bind";
		options[n++] = "127.0.0.1"; // for the test itself
		options[n++] = way->address;
	}
	if (way->name) {
		options[n++] = "--cluster-announce-hostname";
		options[n++] = way->name;
		options[n++] = "--cluster-preferred-endpoint-type";
		options[n++] = "hostname";
	}
	return n;
}

static void url_add(struct cluster *c, const struct server *s)
{
	const char *host = c->way.name ? c->way.name : c->way.address;
	size_t len = strlen(c->url);
	int more = snprintf(c->url + len, sizeof(c->url) - len,
			    strchr(host, ':') ? "%s[%s]:%d" : "%s%s:%d", c->nodes.n ? "," : "",
			    host, s->tls_port ? s->tls_port : s->announced);

	assert_true(len + (size_t)more < sizeof(c->url));
}

static struct server *node_start(struct cluster *c, const char *const *more)
{
	struct proxy *proxy = c->way.behind_proxies ? proxy_start(c->world, 0) : NULL;
	const char *options[OPTIONS_MAX + 48] = {
		"--cluster-enabled",
		"yes",
		"--cluster-node-timeout",
		NODE_TIMEOUT_MS,
		"--cluster-announce-ip",
		c->way.address,
		"--cluster-port",
		text("%d", free_port()),
		"--cluster-allow-replica-migration",
		"no",
		"--cluster-replica-validity-factor",
		"0",
	};
	unsigned n = 12;

	n += way_options(&c->way, options + n);
	if (proxy) {
		options[n++] = "--cluster-announce-port";
		options[n++] = text("%d", proxy->port);
	}
	for (; more && *more; more++)
		options[n++] = *more;
	assert_true(c->nodes.n < SERVERS_MAX);
	struct server *s =
		server_start_with(c->world, text("%s-%u", c->name, c->n_started++), options);
	s->proxy = proxy;
	s->announced = proxy ? proxy->port : s->port;
	if (proxy)
		proxy_upstream(proxy, s->port);
	url_add(c, s);
	c->nodes.list[c->nodes.n++] = s;
	return s;
}

struct cluster *cluster_start_with(struct world *w, const char *name, unsigned masters,
				   unsigned replicas, const struct cluster_way *way,
				   const char *const *options)
{
	struct cluster *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->world = w;
	c->next = w->clusters;
	w->clusters = c;
	c->n_masters = masters;
	c->way = *way;
	if (!c->way.address)
		c->way.address = here_address();
	snprintf(c->name, sizeof(c->name), "%s", name);
	snprintf(c->url, sizeof(c->url), "redis%s+cluster://", way->tls ? "s" : "");
	for (unsigned i = 0; i < masters * (1 + replicas); i++)
		node_start(c, options);
	slots_assign(c);
	for (unsigned i = 1; i < c->nodes.n; i++)
		node_meet(c, c->nodes.list[i]);
	replicas_follow(c);
	cluster_settle(c);
	return c;
}

struct cluster *cluster_start(struct world *w, const char *name, unsigned masters,
			      unsigned replicas, ...)
{
	const char *options[OPTIONS_MAX] = {NULL};
	va_list args;

	va_start(args, replicas);
	for (unsigned n = 0; n < OPTIONS_MAX - 1 && (options[n] = va_arg(args, const char *));)
		n++;
	va_end(args);
	return cluster_start_with(w, name, masters, replicas, &(struct cluster_way){0}, options);
}

struct server *cluster_join(struct cluster *c)
{
	struct server *s = node_start(c, (const char *const[]){NULL});

	run(s, "CLUSTER SET-CONFIG-EPOCH %d", 100 + (int)c->n_started);
	node_meet(c, s);
	cluster_settle(c);
	return s;
}

void cluster_leave(struct cluster *c, struct server *master)
{
	const char *id = cluster_id(master);
	unsigned n = 0;

	for (unsigned i = 0; i < c->nodes.n; i++)
		if (c->nodes.list[i] != master)
			c->nodes.list[n++] = c->nodes.list[i];
	c->nodes.n = n;
	for (unsigned i = 0; i < n; i++)
		run(c->nodes.list[i], "CLUSTER FORGET %s", id);
	run(master, "CLUSTER RESET SOFT");
	cluster_settle(c);
}

void clusters_free(struct world *w)
{
	while (w->clusters) {
		struct cluster *c = w->clusters;
		w->clusters = c->next;
		free(c); // its servers are the world's
	}
}

// ---- Keys and failovers ---------------------------------------------------------------------

void cluster_fill(struct cluster *c, const char *prefix, unsigned n, unsigned len)
{
	char *value = malloc(len + 1);

	assert_non_null(value);
	for (unsigned i = 0; i < n; i++) {
		const char *key = text("%s:%u", prefix, i);
		snprintf(value, len + 1, "%0*u", (int)len, i);
		queue(cluster_owner_of(c, key), "SET %s %b", key, value, (size_t)len);
	}
	for (unsigned i = 0; i < c->nodes.n; i++)
		queue_flush(c->nodes.list[i]);
	free(value);
}

struct takeover {
	struct cluster *c;
	char former[CLUSTER_ID_LEN + 1];
};

// Nobody is left who takes the former master for an owner of slots.
static bool has_no_slots(void *arg)
{
	struct takeover *t = arg;
	lost_imports_end(t->c);
	const struct cluster_map *map = cluster_look(t->c);
	uint16_t former = cluster_node_find(map, span_of(t->former));

	return former == CLUSTER_NONE || !map->nodes[former].n_slots;
}

static void replica_promote(struct cluster *c, struct server *replica, const char *command)
{
	struct takeover t = {.c = c};
	const char *id = cluster_id(replica);
	const struct cluster_map *map = cluster_look(c);
	uint16_t node = cluster_node_find(map, span_of(id));

	assert_true(node != CLUSTER_NONE && map->nodes[node].master != CLUSTER_NONE);
	snprintf(t.former, sizeof(t.former), "%s", map->nodes[map->nodes[node].master].id);
	run(replica, command);
	wait_until(has_no_slots, &t, "the replica to take over");
	cluster_settle(c);
}

void cluster_failover(struct cluster *c, struct server *replica)
{
	replica_promote(c, replica, "CLUSTER FAILOVER");
}

void cluster_takeover(struct cluster *c, struct server *replica)
{
	replica_promote(c, replica, "CLUSTER FAILOVER TAKEOVER");
}

// Begin, wait until a replica has taken over, and end it.
static struct server *master_replace(struct cluster *c, struct server *master,
				     void (*begin)(struct server *), void (*end)(struct server *))
{
	struct takeover t = {.c = c};
	uint16_t slot = 0;

	cluster_look(c);
	while (cluster_owner(c, slot) != master)
		slot++;
	snprintf(t.former, sizeof(t.former), "%s", c->map.nodes[c->map.owner[slot]].id);
	begin(master);
	wait_until(has_no_slots, &t, "a replica to take over");
	if (end)
		end(master);
	cluster_settle(c);
	return cluster_owner(c, slot);
}

struct server *cluster_kill_master(struct cluster *c, struct server *master)
{
	return master_replace(c, master, server_kill, NULL);
}

struct server *cluster_oust_master(struct cluster *c, struct server *master)
{
	return master_replace(c, master, server_freeze, server_thaw);
}

struct copy {
	struct cluster *of;
	struct server *in;
};

static bool is_same(void *arg)
{
	struct copy *copy = arg;
	struct servers masters = cluster_masters(copy->of), one = just(copy->in);

	return !data_differences_of(&masters, &one);
}

void wait_same_as_masters(struct cluster *c, struct server *target)
{
	struct copy copy = {c, target};

	wait_until(is_same, &copy, "the target to hold what the masters hold");
}
