// SPDX-License-Identifier: BSD-3-Clause
// gather_turn() -> key_ask() -> asker -> reply_take() -> value_keep(), the next key
#include "dataplane/route/gather.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/apply/lane.h"
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
	g->n_skip = g->n_seen = 0;
	g->retry_at_ns = 0;
	g->waiting_since_ns = 0;
	g->waiting[0] = 0;
}

void gather_ask(struct gather *g, bool expiretime)
{
	g->expiretime = expiretime;
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
	g->n_skip = e->has_password;
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

// VERB [key [argument]]
static void question_put(struct gather *g, const char *verb, bool keyed, const char *argument,
			 uint64_t now_ns)
{
	char out[GATHER_KEY_LEN_MAX + 128];
	const struct gather_key *k = &g->keys[g->at];
	int n = snprintf(out, sizeof(out), "*%d\r\n$%zu\r\n%s\r\n", 1 + keyed + !!argument,
			 strlen(verb), verb);
	if (keyed) {
		n += snprintf(out + n, sizeof(out) - (size_t)n, "$%zu\r\n", k->name_len);
		memcpy(out + n, k->name, k->name_len);
		n += (int)k->name_len;
		n += snprintf(out + n, sizeof(out) - (size_t)n, "\r\n");
	}
	if (argument)
		n += snprintf(out + n, sizeof(out) - (size_t)n, "$%zu\r\n%s\r\n", strlen(argument),
			      argument);
	asker_put(&g->asker, out, (size_t)n, now_ns);
}

// ASKING is for the one command behind it.
static void key_question(struct gather *g, const char *verb, const char *argument, uint64_t now_ns)
{
	if (g->asking)
		question_put(g, "ASKING", false, NULL, now_ns);
	question_put(g, verb, true, argument, now_ns);
}

// The expiry first: a key that vanishes between both is gone, and does not live for ever.
static void key_ask(struct gather *g, const struct clock_reading *now)
{
	const struct gather_key *k = &g->keys[g->at];
	const struct cluster_node *owner = owner_of(g, k->slot);
	const char *host = g->redirect.host[0] ? g->redirect.host : owner ? owner->host : NULL;
	uint16_t port = g->redirect.host[0] ? g->redirect.port : owner ? owner->port : 0;
	if (!host) {
		again(g, now, "no node owns it");
		return;
	}
	g->n_seen = g->n_skip = 0;
	if (!asker_is_at(g, host, port) && !connect_to(g, host, port, now))
		return;
	if (k->how != GATHER_VALUE) {
		key_question(g, "LINDEX", k->how == GATHER_FIRST ? "0" : "-1", now->mono_ns);
		return;
	}
	if (!g->expiretime)
		question_put(g, "TIME", false, NULL, now->mono_ns);
	key_question(g, g->expiretime ? "PEXPIRETIME" : "PTTL", NULL, now->mono_ns);
	key_question(g, "DUMP", NULL, now->mono_ns);
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

static void error_take(struct gather *g, const struct clock_reading *now, struct span error)
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
	else if (refusal == REFUSAL_PARK && g->keys[g->at].how != GATHER_VALUE)
		key_next(g); // no list: the command itself will hear of it
	else
		fail(g, refusal == REFUSAL_PARK ? ERROR_TARGET_REFUSES : id, line);
}

// TIME, PTTL | PEXPIRETIME; DUMP. @return whether it was the last
static bool answer_take(struct gather *g, const struct resp_value *v, unsigned n)
{
	struct gather_key *k = &g->keys[g->at];
	unsigned stage = g->n_seen++;
	if (k->how == GATHER_VALUE && g->expiretime)
		stage++;
	if (k->how == GATHER_VALUE && stage == 0) {
		if (n == 3)
			g->now_ms = (int64_t)(span_digits(v[1].text) * 1000 +
					      span_digits(v[2].text) / 1000);
		return false;
	}
	if (k->how == GATHER_VALUE && stage == 1) {
		bool expires = v->type == RESP_INTEGER && v->integer >= 0;
		k->expire_at_ms = expires ? v->integer + (g->expiretime ? 0 : g->now_ms) : -1;
		return false;
	}
	if (v->type == RESP_STRING) {
		int rc = value_keep(g, v->text);
		if (rc)
			fail(g, ERROR_MEMORY, strerror(-rc));
	}
	return true;
}

static void reply_take(struct gather *g, const struct clock_reading *now,
		       const struct resp_value *v, unsigned n)
{
	bool skips = g->n_skip > 0 || (v->type == RESP_STATUS && g->asking);
	g->n_skip -= g->n_skip > 0;
	if (v->type == RESP_ERROR)
		error_take(g, now, v->text);
	else if (!skips && answer_take(g, v, n) && g->state == GATHER_ASKING)
		key_next(g);
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
