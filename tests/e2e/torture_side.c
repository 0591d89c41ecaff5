// SPDX-License-Identifier: BSD-3-Clause
// A side of the link: which servers it is, and the failover of a pair.
#include "tests/e2e/torture.h"

void server_options(const struct torture *t, enum keeps keeps, const char **out)
{
	const char *options[] = {
		"--save",
		keeps == KEEPS_RDB ? "3600 1" : "",
		"--appendonly",
		keeps >= KEEPS_AOF_EVERYSEC ? "yes" : "no",
		"--appendfsync",
		keeps == KEEPS_AOF_ALWAYS ? "always" : "everysec",
		"--repl-backlog-size",
		t->era.backlog,
		"--client-output-buffer-limit",
		text("replica %s %s 60", t->era.output_limit, t->era.output_limit),
		// Who observes acknowledges nothing: a server that ends would wait for him in vain.
		"--shutdown-timeout",
		"0",
		NULL,
	};

	memcpy(out, options, sizeof(options));
}

static struct server *server_of(struct torture *t, const char *name, enum keeps keeps)
{
	const char *options[24];

	server_options(t, keeps, options);
	return server_start_with(t->world, name, options);
}

static void pair_start(struct torture *t, struct side *s, const char *name)
{
	s->active = server_of(t, name, s->keeps);
	s->proxy = proxy_start(t->world, s->active->port);
	s->url = s->proxy->url;
}

static void side_start(struct torture *t, struct side *s, const char *name, unsigned masters)
{
	if (s->kind == SIDE_CLUSTER)
		cluster_side_start(t, s, name, masters);
	else if (s->kind == SIDE_WATCHED)
		ensemble_side_start(t, s, name);
	else
		pair_start(t, s, name);
}

void sides_start(struct torture *t)
{
	const struct deployment *d = &t->era.deployment;

	t->source = (struct side){.kind = d->source, .keeps = t->era.source};
	t->target = (struct side){.kind = d->target, .keeps = t->era.target};
	side_start(t, &t->source, "source", d->source_masters);
	side_start(t, &t->target, "target", d->target_masters);
	sentinels_begin(t);
}

struct servers side_servers(struct side *s)
{
	if (s->kind == SIDE_PAIR)
		return just(s->active);
	if (s->kind == SIDE_WATCHED)
		return just(ensemble_side_master(s));
	cluster_settle(s->cluster);
	return cluster_masters(s->cluster);
}

static bool replica_follows(void *arg)
{
	return !strcmp(info_text(arg, "replication", "master_link_status"), "up");
}

void side_follow(struct torture *t, struct side *s)
{
	bool is_source = s == &t->source;

	if (!s->spare)
		s->spare = server_of(t, is_source ? "source-2" : "target-2", s->keeps);
	else if (process_has_ended(s->spare->process))
		server_start_again(s->spare);
	run(s->spare, "REPLICAOF 127.0.0.1 %d", s->active->port);
	wait_until(replica_follows, s->spare, "the replica to follow");
}

void side_promote(struct torture *t, struct side *s)
{
	struct server *old = s->active;

	s->active = s->spare;
	s->spare = old;
	proxy_upstream(s->proxy, s->active->port);
	proxy_cut(s->proxy, END_RST);
	run(s->active, "REPLICAOF NO ONE");
}
