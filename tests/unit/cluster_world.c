// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/cluster_world.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGS_MAX 8

struct words {
	unsigned n;
	char *at[ARGS_MAX];
};

// ---- Keys

static uint32_t hash_of(const char *name)
{
	uint32_t h = 2166136261u;
	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	return h;
}

static struct world_key *key_find(const struct world_node *n, const char *name)
{
	uint32_t i = hash_of(name) & (WORLD_KEYS - 1);
	while (n->keys[i].name && strcmp(n->keys[i].name, name) != 0)
		i = (i + 1) & (WORLD_KEYS - 1);
	return (struct world_key *)&n->keys[i];
}

static void undo_add(struct world_node *n, const char *name, const char *value)
{
	if (n->n_undo == n->undo_max) {
		n->undo_max = 2 * n->undo_max + 64;
		n->undo = realloc(n->undo, n->undo_max * sizeof(*n->undo));
	}
	n->undo[n->n_undo++] = (struct world_undo){
		strdup(name), value ? strdup(value) : NULL, n->n_taken};
}

static void key_set(struct world_node *n, const char *name, const char *value)
{
	struct world_key *k = key_find(n, name);
	if (n->has_replica)
		undo_add(n, name, k->value);
	if (!k->name) {
		assert(++n->n_keys < WORLD_KEYS - 1);
		k->name = strdup(name);
	}
	char *copy = value ? strdup(value) : NULL;
	free(k->value);
	k->value = copy; // NULL: it is not there, but its place stays
}

static void node_clear(struct world_node *node)
{
	for (unsigned i = 0; i < WORLD_KEYS; i++) {
		if (node->keys[i].value && node->has_replica)
			undo_add(node, node->keys[i].name, node->keys[i].value);
		free(node->keys[i].value);
		node->keys[i].value = NULL;
	}
}

const char *node_value(const struct world_node *n, const char *key)
{
	return key_find(n, key)->value;
}

const char *world_value(const struct world *w, const char *key)
{
	uint16_t slot = key_slot(span_of(key));
	unsigned owner = world_owner(w, slot);
	const char *v = node_value(&w->nodes[owner], key);
	uint16_t to = w->nodes[owner].to[slot];
	return v || to == CLUSTER_NONE ? v : node_value(&w->nodes[to], key);
}

unsigned world_owner(const struct world *w, unsigned slot)
{
	return w->map.owner[slot];
}

// ---- Answers

__attribute__((format(printf, 2, 3))) static void say(struct world_client *c, const char *format,
						      ...)
{
	va_list args;
	if (c->closed)
		return;
	va_start(args, format);
	c->n_out += (size_t)vsnprintf(c->out + c->n_out, WORLD_BUFFER - c->n_out, format, args);
	va_end(args);
	assert(c->n_out < WORLD_BUFFER);
	c->stream.flags |= STREAM_READABLE;
}

static void say_bulk(struct world_client *c, const char *text)
{
	if (text)
		say(c, "$%zu\r\n%s\r\n", strlen(text), text);
	else
		say(c, "$-1\r\n");
}

// ---- Who may be asked

static bool is(const struct words *w, const char *name)
{
	return !strcmp(w->at[0], name);
}

static bool has_key(const struct words *w)
{
	static const char *const without[] = {"CLIENT",  "INFO",     "MULTI",    "EXEC", "ASKING",
					      "PUBLISH", "FLUSHALL", "FUNCTION", "PING"};
	for (unsigned i = 0; i < sizeof(without) / sizeof(without[0]); i++)
		if (is(w, without[i]))
			return false;
	return w->n > 1;
}

// Redis 7.2's getNodeByQuery(). @return whether the node serves these keys; else it has said why
static bool serves(struct world_client *c, char *const *keys, unsigned n, bool asking)
{
	struct world_node *node = &c->world->nodes[c->node];
	uint16_t slot = key_slot(span_of(keys[0]));
	unsigned missing = 0;
	for (unsigned i = 0; i < n; i++) {
		if (key_slot(span_of(keys[i])) != slot) {
			say(c, "-CROSSSLOT Keys in request don't hash to the same slot\r\n");
			return false;
		}
		missing += !node_value(node, keys[i]);
	}
	if (node->owner[slot] == c->node) {
		uint16_t to = node->to[slot];
		if (to == CLUSTER_NONE || !missing)
			return true;
		node->n_asked++;
		if (missing < n)
			say(c, "-TRYAGAIN Multiple keys request during rehashing of slot\r\n");
		else
			say(c, "-ASK %u 127.0.0.1:%u\r\n", slot, 7000u + to);
		return false;
	}
	if (node->from[slot] != CLUSTER_NONE && asking) {
		if (n == 1 || !missing)
			return true;
		say(c, "-TRYAGAIN Multiple keys request during rehashing of slot\r\n");
		return false;
	}
	node->n_moved++;
	say(c, "-MOVED %u 127.0.0.1:%u\r\n", slot, 7000u + node->owner[slot]);
	return false;
}

// ---- Commands

static void client_take(struct world_client *c, const struct words *w)
{
	struct world *world = c->world;
	if (!strcmp(w->at[1], "ID")) {
		say(c, ":%llu\r\n", (unsigned long long)c->id);
	} else if (!strcmp(w->at[1], "SETNAME")) {
		snprintf(c->name, sizeof(c->name), "%s", w->at[2]);
		say(c, "+OK\r\n");
	} else if (!strcmp(w->at[1], "LIST")) {
		static char list[WORLD_CLIENTS * 200];
		size_t n = 0;
		list[0] = 0;
		for (unsigned i = 0; i < WORLD_CLIENTS; i++)
			if (world->clients[i].used && world->clients[i].node == c->node)
				n += (size_t)snprintf(list + n, sizeof(list) - n,
						      "id=%llu name=%s x\n",
						      (unsigned long long)world->clients[i].id,
						      world->clients[i].name);
		say_bulk(c, list);
	} else { // KILL ID n
		for (unsigned i = 0; i < WORLD_CLIENTS; i++) {
			struct world_client *k = &world->clients[i];
			if (k->used && k->node == c->node && k->id == strtoull(w->at[3], NULL, 10))
				world_lose(world, k, false);
		}
		say(c, ":1\r\n");
	}
}

static void apply(struct world_client *c, const struct words *w)
{
	struct world *world = c->world;
	struct world_node *node = &world->nodes[c->node];
	const char *old = w->n > 1 && has_key(w) ? node_value(node, w->at[1]) : NULL;
	char text[4096];
	node->n_commands++;
	if (is(w, "SET")) {
		key_set(node, w->at[1], w->at[2]);
		say(c, "+OK\r\n");
	} else if (is(w, "GET")) {
		say_bulk(c, old);
	} else if (is(w, "DEL")) {
		for (unsigned i = 1; i < w->n; i++)
			key_set(node, w->at[i], NULL);
		say(c, ":1\r\n");
	} else if (is(w, "APPEND")) {
		snprintf(text, sizeof(text), "%s%s", old ? old : "", w->at[2]);
		key_set(node, w->at[1], text);
		say(c, ":%zu\r\n", strlen(text));
	} else if (is(w, "INCR")) {
		snprintf(text, sizeof(text), "%lld", (old ? strtoll(old, NULL, 10) : 0) + 1);
		key_set(node, w->at[1], text);
		say(c, ":%s\r\n", text);
	} else if (is(w, "PUBLISH")) {
		snprintf(world->published[world->n_published++ % 64], 16, "%s", w->at[2]);
		say(c, ":0\r\n");
	} else if (is(w, "FLUSHALL")) {
		node_clear(node);
		say(c, "+OK\r\n");
	} else if (is(w, "BAD")) {
		say(c, "-WRONGTYPE Operation against a key\r\n");
	} else if (is(w, "INFO")) {
		snprintf(text, sizeof(text),
			 "redis_version:7.0.15\r\nredis_mode:cluster\r\nrole:%s\r\n"
			 "run_id:%s\r\n",
			 world_is_master(world, c->node) ? "master" : "slave", node->run_id);
		say_bulk(c, text);
	} else {
		say(c, "+OK\r\n");
	}
}

// A number of a header and what stands behind its line. @return NULL: not all of it is there
static char *header_read(char *p, const char *end, unsigned long *n)
{
	char *line = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
	if (line)
		*n = strtoul(p + 1, NULL, 10);
	return line ? line + 1 : NULL;
}

// Where the command at p ends, with its words when they are wanted. @return NULL: later
static char *command_read(char *p, char *end, struct words *w)
{
	unsigned long n = 0, len = 0;
	p = header_read(p, end, &n);
	for (unsigned i = 0; p && i < n; i++) {
		p = header_read(p, end, &len);
		if (!p || (size_t)(end - p) < len + 2)
			return NULL;
		if (w) {
			assert(n <= ARGS_MAX);
			w->at[i] = p;
			w->n = i + 1;
		}
		p += len;
		if (w)
			*p = 0; // where its CR was
		p += 2;
	}
	return p;
}

static void multi_end(struct world_client *c)
{
	for (unsigned i = 0; i < c->n_queued; i++)
		free(c->queued[i]);
	free(c->queued);
	c->queued = NULL;
	c->n_queued = 0;
	c->in_multi = c->dirty = c->asking = false;
}

static void exec_do(struct world_client *c)
{
	char *keys[1024];
	unsigned n = 0;
	struct words w[1024];
	if (c->dirty) {
		say(c, "-EXECABORT Transaction discarded because of previous errors.\r\n");
		multi_end(c);
		return;
	}
	assert(c->n_queued < 1024);
	for (unsigned i = 0; i < c->n_queued; i++) {
		size_t len = strlen(c->queued[i]);
		assert(command_read(c->queued[i], c->queued[i] + len, &w[i]));
		for (unsigned k = 1; has_key(&w[i]) && k < (is(&w[i], "DEL") ? w[i].n : 2u); k++)
			keys[n++] = w[i].at[k];
	}
	if (!n || serves(c, keys, n, c->asking)) {
		say(c, "*%u\r\n", c->n_queued);
		for (unsigned i = 0; i < c->n_queued; i++)
			apply(c, &w[i]);
	}
	multi_end(c);
}

static bool is_write(const struct words *w)
{
	return is(w, "SET") || is(w, "APPEND") || is(w, "INCR") || is(w, "BAD");
}

static void multi_take(struct world_client *c, struct words *w, char *raw)
{
	const struct world_node *node = &c->world->nodes[c->node];
	if (has_key(w) && !serves(c, w->at + 1, is(w, "DEL") ? w->n - 1 : 1, c->asking)) {
		c->dirty = true;
	} else if (node->refuses && is_write(w)) {
		c->dirty = true;
		say(c, "%s", node->refuses);
	} else {
		c->queued = realloc(c->queued, (c->n_queued + 1) * sizeof(*c->queued));
		c->queued[c->n_queued++] = strdup(raw);
		say(c, "+QUEUED\r\n");
	}
}

static void command_take(struct world_client *c, char *bytes, size_t len)
{
	struct world_node *node = &c->world->nodes[c->node];
	struct words w;
	node->n_taken++;
	char *raw = strndup(bytes, len), *mine = strndup(bytes, len);
	assert(command_read(mine, mine + len, &w));
	bool asking = c->asking;
	if (is(&w, "EXEC") && c->in_multi) {
		exec_do(c);
	} else if (is(&w, "EXEC")) {
		say(c, "-ERR EXEC without MULTI\r\n");
	} else if (c->in_multi) {
		multi_take(c, &w, raw);
	} else if (is(&w, "MULTI")) {
		c->in_multi = true;
		say(c, "+OK\r\n");
	} else if (is(&w, "ASKING")) {
		c->asking = true;
		say(c, "+OK\r\n");
	} else if (is(&w, "CLIENT")) {
		client_take(c, &w);
	} else {
		if (has_key(&w) && !serves(c, w.at + 1, is(&w, "DEL") ? w.n - 1 : 1, asking))
			;
		else if (node->refuses && is_write(&w))
			say(c, "%s", node->refuses);
		else
			apply(c, &w);
		c->asking = false;
	}
	free(raw);
	free(mine);
}

unsigned world_run(struct world *w, struct world_client *c, unsigned most)
{
	unsigned n = 0;
	size_t at = 0;
	if (!c->used || c->lost || !w->nodes[c->node].up || !c->n_in)
		return 0;
	while (n < most && c->used && c->n_in) {
		char *p = c->in + at, *end = command_read(p, c->in + c->n_in, NULL);
		if (!end)
			break;
		command_take(c, p, (size_t)(end - p));
		at = (size_t)(end - c->in);
		n++;
	}
	if (!c->used || !c->n_in)
		return n;
	memmove(c->in, c->in + at, c->n_in - at);
	c->n_in -= at;
	if (c->closed && !n) // the rest is no whole command
		c->used = false;
	return n;
}

void world_run_all(struct world *w)
{
	for (unsigned i = 0; i < WORLD_CLIENTS; i++)
		world_run(w, &w->clients[i], UINT32_MAX);
}

void world_lose(struct world *w, struct world_client *c, bool carried_out)
{
	if (!carried_out)
		c->n_in = 0;
	if (c->closed) {
		multi_end(c);
		c->used = carried_out && c->n_in;
		return;
	}
	if (carried_out)
		world_run(w, c, UINT32_MAX);
	c->n_in = c->n_out = 0;
	c->lost = true;
	c->stream.flags |= STREAM_READABLE;
}

// ---- Replicas

bool world_is_master(const struct world *w, unsigned node)
{
	return w->map.nodes[node].flags & CLUSTER_MASTER;
}

void world_replicate(struct world *w, unsigned node, unsigned behind)
{
	struct world_node *n = &w->nodes[node];
	unsigned gone = 0;
	while (gone < n->n_undo && n->undo[gone].command + behind <= n->n_taken) {
		free(n->undo[gone].name);
		free(n->undo[gone++].value);
	}
	n->n_undo -= gone;
	if (gone)
		memmove(n->undo, n->undo + gone, n->n_undo * sizeof(*n->undo));
}

static void undo_all(struct world_node *n)
{
	n->has_replica = false;
	while (n->n_undo) {
		struct world_undo *u = &n->undo[--n->n_undo];
		key_set(n, u->name, u->value);
		free(u->name);
		free(u->value);
	}
}

static void slot_set(struct world *w, unsigned slot, unsigned owner)
{
	cluster_owner_set(&w->map, (uint16_t)slot, (uint16_t)owner);
	for (unsigned i = 0; i < w->n_nodes; i++)
		w->nodes[i].owner[slot] = (uint16_t)owner;
}

static void replica_of(struct world *w, unsigned replica, unsigned master)
{
	w->map.nodes[replica].flags = CLUSTER_REPLICA;
	w->map.nodes[replica].master = (uint16_t)master;
	w->map.nodes[master].flags = CLUSTER_MASTER;
	w->map.nodes[master].master = (uint16_t)master;
	w->nodes[replica].has_replica = false;
	w->nodes[master].has_replica = true;
	w->nodes[master].replica = replica;
}

void world_failover(struct world *w, unsigned node)
{
	struct world_node *old = &w->nodes[node], *new = &w->nodes[old->replica];
	static struct world_key keys[WORLD_KEYS];
	for (unsigned i = 0; i < WORLD_CLIENTS; i++)
		if (w->clients[i].used && w->clients[i].node == node)
			world_lose(w, &w->clients[i], false);
	undo_all(old);
	memcpy(keys, old->keys, sizeof(keys));
	memcpy(old->keys, new->keys, sizeof(keys));
	memcpy(new->keys, keys, sizeof(keys));
	unsigned n_keys = old->n_keys;
	old->n_keys = new->n_keys;
	new->n_keys = n_keys;
	for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
		if (world_owner(w, slot) == node)
			slot_set(w, slot, old->replica);
	replica_of(w, node, old->replica);
	old->run_id[7] = (char)(old->run_id[7] == 'z' ? 'a' : old->run_id[7] + 1); // it starts anew
}

// ---- Slots

void world_map_tell(struct world *w)
{
	w->map_version++;
}

void world_clear(struct world *w)
{
	for (unsigned i = 0; i < w->n_nodes; i++) {
		node_clear(&w->nodes[i]);
		world_replicate(w, i, 0);
	}
}

static void both_replicate(struct world *w, unsigned from, unsigned to)
{
	world_replicate(w, from, 0);
	world_replicate(w, to, 0);
}

void world_move_begin(struct world *w, unsigned slot, unsigned to)
{
	unsigned from = world_owner(w, slot);
	w->nodes[from].to[slot] = (uint16_t)to;
	w->nodes[to].from[slot] = (uint16_t)from;
	both_replicate(w, from, to);
}

static void key_move(struct world *w, struct world_key *k, unsigned from, unsigned to)
{
	key_set(&w->nodes[to], k->name, k->value);
	key_set(&w->nodes[from], k->name, NULL);
	both_replicate(w, from, to);
}

void world_move_key(struct world *w, const char *key)
{
	unsigned slot = key_slot(span_of(key)), from = world_owner(w, slot);
	key_move(w, key_find(&w->nodes[from], key), from, w->nodes[from].to[slot]);
}

unsigned world_move_keys(struct world *w, unsigned slot, unsigned most)
{
	unsigned from = world_owner(w, slot), to = w->nodes[from].to[slot], n = 0;
	for (unsigned i = 0; i < WORLD_KEYS && n < most; i++) {
		struct world_key *k = &w->nodes[from].keys[i];
		if (!k->value || key_slot(span_of(k->name)) != slot)
			continue;
		key_move(w, k, from, to);
		n++;
	}
	return n;
}

void world_move_end(struct world *w, unsigned slot)
{
	struct world_node *from = &w->nodes[world_owner(w, slot)];
	uint16_t to = from->to[slot];
	world_move_keys(w, slot, UINT32_MAX);
	both_replicate(w, world_owner(w, slot), to);
	from->to[slot] = w->nodes[to].from[slot] = CLUSTER_NONE;
	slot_set(w, slot, to);
}

void world_slot_give(struct world *w, unsigned slot, unsigned to)
{
	if (world_owner(w, slot) == to)
		return;
	world_move_begin(w, slot, to);
	world_move_end(w, slot);
}

// ---- Streams

static int world_connect(struct stream_loop *base, const struct stream_peer *peer,
			 struct stream **out)
{
	struct world *w = (struct world *)base;
	unsigned node = peer->port - 7000u;
	struct world_client *c = NULL;
	for (unsigned i = 0; i < WORLD_CLIENTS && !c; i++)
		c = w->clients[i].used ? NULL : &w->clients[i];
	assert(c && node < w->n_nodes);
	char *in = c->in ? c->in : malloc(WORLD_BUFFER),
	     *to = c->out ? c->out : malloc(WORLD_BUFFER);
	multi_end(c);
	*c = (struct world_client){.world = w, .used = true, .node = node, .in = in, .out = to};
	c->id = ++w->nodes[node].next_client;
	c->stream = (struct stream){.loop = base, .flags = STREAM_OPEN | STREAM_WRITABLE};
	if (!w->nodes[node].up) {
		c->stream.flags = STREAM_FAILED;
		c->stream.error = ECONNREFUSED;
	}
	*out = &c->stream;
	return 0;
}

static ssize_t world_read(struct stream *s, void *buf, size_t len)
{
	struct world_client *c = (struct world_client *)s;
	size_t n = c->n_out < len ? c->n_out : len;
	if (!n && c->lost)
		return 0;
	memcpy(buf, c->out, n);
	memmove(c->out, c->out + n, c->n_out - n);
	c->n_out -= n;
	if (!c->n_out && !c->lost)
		s->flags &= ~(unsigned)STREAM_READABLE;
	return n ? (ssize_t)n : -EAGAIN;
}

static ssize_t world_writev(struct stream *s, const struct iovec *iov, int n)
{
	struct world_client *c = (struct world_client *)s;
	size_t room = c->world->write_max ? c->world->write_max : SIZE_MAX, taken = 0;
	if (c->lost)
		return -EPIPE;
	for (int i = 0; i < n && taken < room; i++) {
		size_t k = iov[i].iov_len < room - taken ? iov[i].iov_len : room - taken;
		assert(c->n_in + k <= WORLD_BUFFER);
		memcpy(c->in + c->n_in, iov[i].iov_base, k);
		c->n_in += k;
		taken += k;
	}
	return (ssize_t)taken;
}

static void world_close(struct stream *s)
{
	struct world_client *c = (struct world_client *)s;
	c->closed = true;
	c->n_out = 0;
	if (c->lost || !c->n_in)
		c->used = false;
}

static void world_wake(struct stream_loop *base)
{
}

static const struct stream_ops world_ops = {
	.name = "world",
	.connect = world_connect,
	.read = world_read,
	.writev = world_writev,
	.close = world_close,
	.wake = world_wake,
};

// ---- Life

static bool map_copy(void *of, struct cluster_map *map, uint64_t *version)
{
	struct world *w = of;
	if (*version == w->map_version || (w->map_holds && *version))
		return false;
	*map = w->map;
	*version = w->map_version;
	return true;
}

static void map_poke(void *of)
{
	struct world *w = of;
	w->n_pokes++;
	if (!w->map_holds)
		w->map_version++;
}

struct world *world_new(unsigned n_nodes)
{
	struct world *w = calloc(1, sizeof(*w));
	assert(w && n_nodes <= WORLD_NODES);
	w->base.ops = &world_ops;
	w->n_nodes = n_nodes;
	cluster_map_reset(&w->map);
	for (unsigned i = 0; i < n_nodes; i++) {
		struct world_node *n = &w->nodes[i];
		uint16_t at = cluster_node_at(&w->map, "127.0.0.1", (uint16_t)(7000 + i));
		memset(n->id, 'a' + (int)i, CLUSTER_ID_LEN);
		memset(n->run_id, '1' + (int)i, CLUSTER_ID_LEN);
		memcpy(w->map.nodes[at].id, n->id, sizeof(n->id));
		w->map.nodes[at].flags = CLUSTER_MASTER;
		w->map.nodes[at].master = at;
		n->up = true;
		memset(n->to, 0xff, sizeof(n->to));
		memset(n->from, 0xff, sizeof(n->from));
	}
	for (unsigned s = 0; s < SLOT_COUNT; s++)
		slot_set(w, s, s * n_nodes / SLOT_COUNT);
	w->map_version = 1;
	w->maps = (struct cluster_maps){.of = w, .copy = map_copy, .poke = map_poke};
	return w;
}

struct world *world_new_replicated(unsigned n_masters)
{
	struct world *w = world_new(2 * n_masters);
	for (unsigned s = 0; s < SLOT_COUNT; s++)
		slot_set(w, s, s * n_masters / SLOT_COUNT);
	for (unsigned i = 0; i < n_masters; i++)
		replica_of(w, n_masters + i, i);
	return w;
}

void world_free(struct world *w)
{
	for (unsigned i = 0; i < w->n_nodes; i++) {
		world_replicate(w, i, 0);
		free(w->nodes[i].undo);
		for (unsigned k = 0; k < WORLD_KEYS; k++) {
			free(w->nodes[i].keys[k].name);
			free(w->nodes[i].keys[k].value);
		}
	}
	for (unsigned i = 0; i < WORLD_CLIENTS; i++) {
		multi_end(&w->clients[i]);
		free(w->clients[i].in);
		free(w->clients[i].out);
	}
	free(w);
}
