// SPDX-License-Identifier: BSD-3-Clause
// gather_turn() -> key_ask() -> asker -> reply_take() -> exec_take() -> value_keep(), the next key
#include "dataplane/route/gather.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/apply/lane.h"
#include "dataplane/apply/slot_marker.h"
#include "drivers/memory.h"

#include "parsers/auth_error.h"
#include "parsers/noperm.h"

#define MS_NS         1000000ull
#define PATIENCE_NS   (5000 * MS_NS)
#define RETRY_NS      (100 * MS_NS)
#define REDIRECTS_MAX 8
#define VALUE_MEMORY  (64 * KB) // a larger one lies in a file
#define KEYS_FIRST    4

void gather_init(struct gather *g, struct core *core, const struct link_config *config,
		 struct cluster_topology *topology)
{
	memset(g, 0, sizeof(*g));
	g->core = core;
	g->config = config;
	g->topology = topology;
}

static void value_free(struct gather_key *key)
{
	if (key->in_file)
		memory_file_unmap(key->value, key->value_len);
	else
		free(key->value);
	key->value = NULL;
}

void gather_drop(struct gather *g)
{
	for (unsigned i = 0; i < g->n_keys; i++)
		value_free(&g->keys[i]);
	if (g->state == GATHER_ASKING)
		asker_close(&g->asker);
	g->n_keys = 0;
	g->state = GATHER_IDLE;
	g->waiting[0] = 0;
}

void gather_fini(struct gather *g)
{
	gather_drop(g);
	asker_close(&g->asker);
	free(g->keys);
	g->keys = NULL;
	g->keys_max = 0;
}

int gather_add(struct gather *g, struct span key, unsigned number, enum gather_how how)
{
	assert(g->state == GATHER_IDLE && key.len <= GATHER_KEY_LEN_MAX);
	if (g->n_keys == g->keys_max) {
		unsigned max = g->keys_max ? 2 * g->keys_max : KEYS_FIRST;
		void *more = realloc(g->keys, max * sizeof(*g->keys));
		if (!more)
			return -ENOMEM;
		g->keys = more;
		g->keys_max = max;
	}
	struct gather_key *k = &g->keys[g->n_keys++];
	*k = (struct gather_key){.name_len = key.len,
				 .number = number,
				 .slot = key_slot(key),
				 .how = how,
				 .expire_at_ms = -1};
	memcpy(k->name, key.p, key.len);
	return 0;
}

static void key_begin(struct gather *g)
{
	g->redirect.host[0] = 0;
	g->asking = false;
	g->n_redirects = 0;
	g->retry_at_ns = 0;
	g->waiting_since_ns = 0;
	g->waiting[0] = 0;
}

void gather_ask(struct gather *g, bool expiretime, const struct gather_fence *fence)
{
	g->expiretime = expiretime;
	g->fence = *fence;
	g->at = 0;
	g->state = g->n_keys ? GATHER_ASKING : GATHER_READY;
	key_begin(g);
}

// ---- Trouble

static void fail(struct gather *g, enum error_id error, const char *why)
{
	g->state = GATHER_FAILED;
	g->error = error;
	snprintf(g->text, sizeof(g->text),
		 "a command over several slots cannot read its keys at the target: %.160s", why);
	asker_close(&g->asker);
}

// Ask again, where the map says then.
static void again(struct gather *g, const struct clock_reading *now, const char *why)
{
	asker_close(&g->asker);
	cluster_topology_poke(g->topology);
	g->redirect.host[0] = 0;
	g->asking = false;
	g->retry_at_ns = now->mono_ns + RETRY_NS;
	snprintf(g->waiting, sizeof(g->waiting),
		 "a command over several slots waits for slot %u of the target: %.160s",
		 g->keys[g->at].slot, why);
	if (!g->waiting_since_ns)
		g->waiting_since_ns = now->mono_ns;
	if (now->mono_ns - g->waiting_since_ns > g->config->settings.wait_timeout * MS_NS)
		fail(g, ERROR_DEADLINE, why);
}

// ---- Questions

static bool asker_is_at(const struct gather *g, const char *host, uint16_t port)
{
	return asker_is_open(&g->asker) && g->port == port && !strcmp(g->host, host);
}

// @return false: later
static bool connect_to(struct gather *g, const char *host, uint16_t port,
		       const struct clock_reading *now)
{
	const struct endpoint *e = &g->config->target;
	struct stream_peer peer = endpoint_peer(e);
	snprintf(g->host, sizeof(g->host), "%s", host);
	g->port = port;
	peer.host = g->host;
	peer.port = port;
	if (asker_open(&g->asker, g->core, &peer, now->mono_ns, PATIENCE_NS)) {
		again(g, now, g->asker.why);
		return false;
	}
	if (e->has_password)
		asker_login(&g->asker, e->user, e->password, now->mono_ns);
	return true;
}

static const struct cluster_node *owner_of(const struct gather *g, unsigned slot)
{
	const struct cluster_map *map = cluster_topology_map(g->topology);
	uint16_t at = map ? map->owner[slot] : CLUSTER_NONE;
	if (at == CLUSTER_NONE || !map->nodes[at].host[0] || !map->nodes[at].port)
		return NULL;
	return &map->nodes[at];
}

// VERB [key [argument]]. @param key  its p NULL: none
static void question_put(struct gather *g, const char *verb, struct span key, const char *argument,
			 uint64_t now_ns)
{
	char out[GATHER_KEY_LEN_MAX + 128];
	int n = snprintf(out, sizeof(out), "*%d\r\n$%zu\r\n%s\r\n", 1 + !!key.p + !!argument,
			 strlen(verb), verb);
	if (key.p) {
		n += snprintf(out + n, sizeof(out) - (size_t)n, "$%zu\r\n", key.len);
		memcpy(out + n, key.p, key.len);
		n += (int)key.len;
		n += snprintf(out + n, sizeof(out) - (size_t)n, "\r\n");
	}
	if (argument)
		n += snprintf(out + n, sizeof(out) - (size_t)n, "$%zu\r\n%s\r\n", strlen(argument),
			      argument);
	asker_put(&g->asker, out, (size_t)n, now_ns);
}

static void marker_ask(struct gather *g, uint64_t now_ns)
{
	char text[MARKER_KEY_LEN];
	size_t len = slot_marker_key(text, g->config->name, g->keys[g->at].slot);
	question_put(g, "GET", (struct span){text, len}, NULL, now_ns);
}

static void value_ask(struct gather *g, uint64_t now_ns)
{
	const struct gather_key *k = &g->keys[g->at];
	const struct span name = {k->name, k->name_len};
	if (k->how != GATHER_VALUE) {
		question_put(g, "LINDEX", name, k->how == GATHER_FIRST ? "0" : "-1", now_ns);
		return;
	}
	if (!g->expiretime)
		question_put(g, "TIME", (struct span){0}, NULL, now_ns);
	question_put(g, g->expiretime ? "PEXPIRETIME" : "PTTL", name, NULL, now_ns);
	question_put(g, "DUMP", name, NULL, now_ns);
}

// In one transaction with the marker. ASKING before MULTI holds until EXEC.
static void key_ask(struct gather *g, const struct clock_reading *now)
{
	const struct span nothing = {0};
	const struct cluster_node *owner = owner_of(g, g->keys[g->at].slot);
	const char *host = g->redirect.host[0] ? g->redirect.host : owner ? owner->host : NULL;
	uint16_t port = g->redirect.host[0] ? g->redirect.port : owner ? owner->port : 0;
	if (!host) {
		again(g, now, "no node owns it");
		return;
	}
	if (!asker_is_at(g, host, port) && !connect_to(g, host, port, now))
		return;
	if (g->asking)
		question_put(g, "ASKING", nothing, NULL, now->mono_ns);
	question_put(g, "MULTI", nothing, NULL, now->mono_ns);
	if (g->fence.offset)
		marker_ask(g, now->mono_ns);
	value_ask(g, now->mono_ns);
	question_put(g, "EXEC", nothing, NULL, now->mono_ns);
}

// ---- Answers

static int value_keep(struct gather *g, struct span value)
{
	struct gather_key *k = &g->keys[g->at];
	size_t len = value.len ? value.len : 1;
	k->in_file = value.len > VALUE_MEMORY;
	k->value = k->in_file ? memory_file_map(g->config->state_dir, len) : malloc(len);
	if (!k->value)
		return -errno;
	memcpy(k->value, value.p, value.len);
	k->value_len = value.len;
	k->exists = true;
	return 0;
}

static void key_next(struct gather *g)
{
	g->at++;
	key_begin(g);
	if (g->at == g->n_keys)
		g->state = GATHER_READY;
}

static void redirected(struct gather *g, const struct clock_reading *now, bool ask)
{
	cluster_topology_poke(g->topology);
	if (++g->n_redirects > REDIRECTS_MAX || !g->redirect.host[0]) {
		again(g, now, "its nodes send us from one to the other");
		return;
	}
	g->asking = ask;
	asker_close(&g->asker); // with what it was asked behind this
}

// @param ran  the transaction ran; else it is not carried out
static void error_take(struct gather *g, const struct clock_reading *now, struct span error,
		       bool ran)
{
	const struct cluster_asked asked = {g->host, false};
	const struct endpoint *e = &g->config->target;
	char line[AUTH_ERROR_LEN];
	enum error_id id;
	auth_error_text(error, e->password, line);
	noperm_short(error, e->user, line, sizeof(line));
	enum cluster_answer answer = cluster_error_read(error, &asked, &g->redirect);
	enum refusal refusal = refusal_of(error, &id);
	if (answer == CLUSTER_MOVED || answer == CLUSTER_ASK)
		redirected(g, now, answer == CLUSTER_ASK);
	else if (answer == CLUSTER_TRYAGAIN || answer == CLUSTER_DOWN || refusal == REFUSAL_WAIT ||
		 refusal == REFUSAL_MOVE)
		again(g, now, line);
	else if (refusal == REFUSAL_PARK && ran && g->keys[g->at].how != GATHER_VALUE)
		key_next(g); // no list: the command itself will hear of it
	else
		fail(g, refusal == REFUSAL_PARK ? ERROR_TARGET_REFUSES : id, line);
}

// Whether the marker is the one that was put before the question.
static bool fence_stands(const struct gather *g, const struct resp_value *v)
{
	struct slot_marker m;
	return v->type == RESP_STRING && !slot_marker_parse(&m, v->text) &&
	       m.marker.run == g->fence.run && m.marker.offset == g->fence.offset;
}

static int64_t expiry_read(const struct gather *g, const struct resp_value *v)
{
	const struct resp_value *ttl = g->expiretime ? v : v + 3;
	if (ttl->integer < 0)
		return -1;
	return g->expiretime ? ttl->integer
			     : ttl->integer + (int64_t)(span_digits(v[1].text) * 1000 +
							span_digits(v[2].text) / 1000);
}

// [marker], then [TIME] PTTL | PEXPIRETIME and DUMP, or LINDEX.
static void exec_take(struct gather *g, const struct clock_reading *now, const struct resp_value *v,
		      unsigned n)
{
	struct gather_key *k = &g->keys[g->at];
	unsigned fenced = g->fence.offset > 0;
	unsigned n_value = k->how != GATHER_VALUE ? 1 : g->expiretime ? 2 : 5;
	for (unsigned i = 1; i < n; i++)
		if (v[i].type == RESP_ERROR) {
			error_take(g, now, v[i].text, true);
			return;
		}
	if (n != 1 + fenced + n_value) {
		again(g, now, "its node gives other answers than it was asked for");
		return;
	}
	if (fenced && !fence_stands(g, v + 1)) {
		again(g, now, "its node does not hold all that was written to it");
		return;
	}
	if (k->how == GATHER_VALUE)
		k->expire_at_ms = expiry_read(g, v + 1 + fenced);
	int rc = v[n - 1].type == RESP_STRING ? value_keep(g, v[n - 1].text) : 0;
	if (rc)
		fail(g, ERROR_MEMORY, strerror(-rc));
	else
		key_next(g);
}

static void reply_take(struct gather *g, const struct clock_reading *now,
		       const struct resp_value *v, unsigned n)
{
	if (v->type == RESP_ERROR)
		error_take(g, now, v->text, false);
	else if (v->type == RESP_ARRAY)
		exec_take(g, now, v, n);
}

void gather_turn(struct gather *g, const struct clock_reading *now, uint64_t *deadline_ns)
{
	while (g->state == GATHER_ASKING) {
		const struct resp_value *v;
		unsigned n;
		if (now->mono_ns < g->retry_at_ns) {
			if (g->retry_at_ns < *deadline_ns)
				*deadline_ns = g->retry_at_ns;
			return;
		}
		if (!g->asker.n_due)
			key_ask(g, now);
		if (g->state != GATHER_ASKING || now->mono_ns < g->retry_at_ns)
			continue;
		enum resp_verdict verdict = asker_next(&g->asker, now, &v, &n);
		if (verdict == RESP_MORE) {
			asker_deadline(&g->asker, deadline_ns);
			return;
		}
		if (verdict == RESP_BAD)
			again(g, now, g->asker.why);
		else
			reply_take(g, now, v, n);
	}
}
