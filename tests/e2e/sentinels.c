// SPDX-License-Identifier: BSD-3-Clause
#include "tests/e2e/harness.h"

#include <sys/stat.h>
#include <sys/time.h>

#include "tests/e2e/sentinels.h"

#define OPTIONS_MAX 40
#define FAILOVER_MS 15000 // that one takes at most
#define STUBBORN_MS 10000 // after which one sentinel that differs does not count

struct ensemble ensemble_start_with(struct world *w, const char *name, const char *password,
				    const char *const *options)
{
	struct ensemble e = {.name = name};
	const char *all[OPTIONS_MAX + 8] = {"--requirepass", password, "--masterauth", password};
	unsigned n = *password ? 4 : 0;

	while (*options && n < OPTIONS_MAX)
		all[n++] = *options++;
	for (unsigned i = 0; i < MEMBERS; i++) {
		all[n] = i ? "--replicaof" : NULL;
		all[n + 1] = i ? text("%s %d", here_address(), e.members[0]->port) : NULL;
		all[n + 2] = NULL;
		e.members[i] = server_start_with(w, text("%s%u", name, i), all);
	}
	return e;
}

struct ensemble ensemble_start(struct world *w, const char *name, const char *password)
{
	const char *none = NULL;

	return ensemble_start_with(w, name, password, &none);
}

static const char *sentinel_id(unsigned i)
{
	return text("%040x", 0xa000 + i);
}

static const char *conf_of(const struct sentinels *s, unsigned i, const char *password)
{
	const char *conf = text("port %d\ndir %s\nsentinel myid %s\n", s->list[i]->port,
				s->list[i]->dir, sentinel_id(i));

	if (*password)
		conf = text("%srequirepass %s\nsentinel sentinel-pass %s\n", conf, password,
			    password);
	for (unsigned k = 0; k < s->n_watched; k++) {
		const struct ensemble *e = s->watched[k];
		conf = text("%ssentinel monitor %s %s %d 2\n"
			    "sentinel down-after-milliseconds %s 2000\n"
			    "sentinel failover-timeout %s 2000\n",
			    conf, e->name, here_address(), e->members[0]->port, e->name, e->name);
		if (e->members[0]->password[0])
			conf = text("%ssentinel auth-pass %s %s\n", conf, e->name,
				    e->members[0]->password);
		for (unsigned m = 1; m < MEMBERS; m++)
			conf = text("%ssentinel known-replica %s %s %d\n", conf, e->name,
				    here_address(), e->members[m]->port);
		for (unsigned m = 0; m < SENTINELS; m++)
			if (m != i)
				conf = text("%ssentinel known-sentinel %s %s %d %s\n", conf,
					    e->name, here_address(), s->list[m]->port,
					    sentinel_id(m));
	}
	return conf;
}

// A server's bookkeeping around a process that is none.
static struct server *sentinel_prepare(struct world *w, const char *watched, unsigned i,
				       const char *password)
{
	struct server *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->world = w;
	t->next = w->servers;
	w->servers = t;
	t->port = free_port();
	snprintf(t->name, sizeof(t->name), "%.16s-sentinel%u", watched, i);
	snprintf(t->dir, sizeof(t->dir), "%s/%s", w->dir, t->name);
	snprintf(t->password, sizeof(t->password), "%s", password);
	assert_int_equal(mkdir(t->dir, 0700), 0);
	return t;
}

static bool sentinel_answers(void *arg)
{
	redisContext *c = server_connect(arg);

	if (c)
		redisFree(c);
	return c != NULL;
}

struct sentinels sentinels_start(struct world *w, struct ensemble *first, struct ensemble *second,
				 const char *password)
{
	struct sentinels s = {.world = w, .watched = {first, second}, .n_watched = second ? 2 : 1};

	for (unsigned i = 0; i < SENTINELS; i++)
		s.list[i] = sentinel_prepare(w, first->name, i, password);
	for (unsigned i = 0; i < SENTINELS; i++) {
		const char *file = text("%s/sentinel.conf", s.list[i]->dir);
		const char *argv[] = {"redis-sentinel", file, NULL};
		const char *conf = conf_of(&s, i, password);
		file_write(file, conf, strlen(conf));
		s.list[i]->process = process_start(w, s.list[i]->name, argv, NULL);
	}
	for (unsigned i = 0; i < SENTINELS; i++)
		wait_until(sentinel_answers, s.list[i], "a sentinel to answer");
	for (unsigned k = 0; k < s.n_watched; k++)
		sentinels_await_whole(&s, s.watched[k]);
	return s;
}

const char *sentinels_url(const struct sentinels *s, const struct ensemble *e, const char *login)
{
	return text("redis+sentinel://%s%s:%d,%s:%d,%s:%d/%s", login, here(), s->list[0]->port,
		    here(), s->list[1]->port, here(), s->list[2]->port, e->name);
}

// ---- What they say

// Connections break whenever a server changes its role.
static redisReply *ask_anew(struct server *t, const char *command)
{
	struct timeval timeout = {.tv_sec = 1}; // it may be frozen
	redisContext *c = server_connect(t);

	if (c)
		redisSetTimeout(c, timeout);
	redisReply *r = c ? redisCommand(c, command) : NULL;
	if (c)
		redisFree(c);
	return r;
}

static int port_named(struct server *sentinel, const char *name)
{
	redisReply *r = ask_anew(sentinel, text("SENTINEL GET-MASTER-ADDR-BY-NAME %s", name));
	int port = r && r->type == REDIS_REPLY_ARRAY ? atoi(r->element[1]->str) : -1;

	if (r)
		freeReplyObject(r);
	return port;
}

static bool is_master(struct server *t)
{
	redisReply *r = ask_anew(t, "ROLE");
	bool yes = r && r->type == REDIS_REPLY_ARRAY && !strcmp(r->element[0]->str, "master");

	if (r)
		freeReplyObject(r);
	return yes;
}

// The member that so many sentinels name, if it agrees.
static struct server *master_agreed(struct sentinels *s, struct ensemble *e, unsigned n)
{
	unsigned named[MEMBERS] = {0};

	for (unsigned i = 0; i < SENTINELS; i++) {
		int port = port_named(s->list[i], e->name);
		for (unsigned k = 0; k < MEMBERS; k++)
			named[k] += e->members[k]->port == port;
	}
	for (unsigned k = 0; k < MEMBERS; k++)
		if (named[k] >= n)
			return is_master(e->members[k]) ? e->members[k] : NULL;
	return NULL;
}

struct quest {
	struct sentinels *s;
	struct ensemble *e;
	const struct server *than;
	struct server *found;
	unsigned n_replicas; // that are wanted
	long long again_ms;  // when a failover is asked for again
	struct server *most; // that the majority names, since then
	long long most_ms;
};

// All sentinels, or their majority for long: one that was leading a failover when the master that
// it had promoted went down stays with that until it comes back.
static bool master_is_found(void *arg)
{
	struct quest *q = arg;
	struct server *most = master_agreed(q->s, q->e, SENTINELS / 2 + 1);

	if (most != q->most)
		q->most_ms = now_ms();
	q->most = most;
	q->found =
		now_ms() - q->most_ms > STUBBORN_MS ? most : master_agreed(q->s, q->e, SENTINELS);
	return q->found && q->found != q->than;
}

struct server *sentinels_await_other(struct sentinels *s, struct ensemble *e,
				     const struct server *than)
{
	struct quest q = {.s = s, .e = e, .than = than};

	wait_until(master_is_found, &q, text("a master of %s that all agree on", e->name));
	return q.found;
}

struct server *sentinels_master(struct sentinels *s, struct ensemble *e)
{
	return sentinels_await_other(s, e, NULL);
}

static bool failover_is_taken_on(void *arg)
{
	struct quest *q = arg;
	redisReply *r = ask_anew(q->s->list[0], text("SENTINEL FAILOVER %s", q->e->name));
	bool ok = r && r->type == REDIS_REPLY_STATUS;

	if (r)
		freeReplyObject(r);
	return ok;
}

// On a busy machine a failover may be given up before it has come to its end; then it is asked for
// again.
static bool failover_is_done(void *arg)
{
	struct quest *q = arg;

	if (now_ms() >= q->again_ms) {
		wait_until(failover_is_taken_on, q, "SENTINEL FAILOVER to be taken on");
		q->again_ms = now_ms() + FAILOVER_MS;
	}
	return master_is_found(q);
}

struct server *sentinels_fail_over(struct sentinels *s, struct ensemble *e)
{
	struct quest q = {.s = s, .e = e, .than = sentinels_master(s, e)};

	wait_until(failover_is_done, &q, text("another master of %s", e->name));
	return q.found;
}

// ---- Whole

// How many replicas of the master are in step, as it sees them itself.
static bool has_replicas(void *arg)
{
	struct quest *q = arg;
	struct server *master = master_agreed(q->s, q->e, SENTINELS);
	unsigned n = 0;

	for (unsigned i = 0; master && i < MEMBERS; i++) {
		redisReply *r = ask_anew(q->e->members[i], "ROLE");
		n += r && r->type == REDIS_REPLY_ARRAY && r->elements == 5 &&
		     r->element[2]->integer == master->port &&
		     !strcmp(r->element[3]->str, "connected");
		if (r)
			freeReplyObject(r);
	}
	return n >= q->n_replicas;
}

// Whether a sentinel would take each of them for a master.
static bool all_are_known(void *arg)
{
	struct quest *q = arg;
	unsigned n = 0;

	for (unsigned i = 0; i < SENTINELS; i++) {
		redisReply *r = ask_anew(q->s->list[i], text("SENTINEL CKQUORUM %s", q->e->name));
		n += r && r->type == REDIS_REPLY_STATUS && !strncmp(r->str, "OK 3", 4);
		if (r)
			freeReplyObject(r);
		r = ask_anew(q->s->list[i], text("SENTINEL REPLICAS %s", q->e->name));
		for (size_t k = 0; r && r->type == REDIS_REPLY_ARRAY && k < r->elements; k++)
			for (size_t f = 0; f + 1 < r->element[k]->elements; f += 2)
				n += !strcmp(r->element[k]->element[f]->str,
					     "master-link-status") &&
				     !strcmp(r->element[k]->element[f + 1]->str, "ok");
		if (r)
			freeReplyObject(r);
	}
	return n >= SENTINELS * (1 + MEMBERS - 1);
}

void sentinels_await_replicas(struct sentinels *s, struct ensemble *e, unsigned n)
{
	struct quest q = {.s = s, .e = e, .n_replicas = n};

	wait_until(has_replicas, &q, text("%u replicas of %s to be in step", n, e->name));
}

void sentinels_await_whole(struct sentinels *s, struct ensemble *e)
{
	struct quest q = {.s = s, .e = e};

	sentinels_await_replicas(s, e, MEMBERS - 1);
	wait_until(all_are_known, &q, text("the sentinels to find all of %s well", e->name));
}

void sentinels_freeze(struct sentinels *s)
{
	for (unsigned i = 0; i < SENTINELS; i++)
		server_freeze(s->list[i]);
}

void sentinels_thaw(struct sentinels *s)
{
	for (unsigned i = 0; i < SENTINELS; i++)
		server_thaw(s->list[i]);
}
