// SPDX-License-Identifier: BSD-3-Clause
// verbs_answer() -> row_find() -> its answer, into the replies or those of a transaction
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/pktgen/pktgen.h"

#define SAY(out, text) bytes_add(out, text, sizeof(text) - 1)

typedef void answer(struct peer *p, const struct request *r, struct bytes *out);

// ---- The small talk of any server

static void say_ok(struct peer *p, const struct request *r, struct bytes *out)
{
	SAY(out, "+OK\r\n");
}

static void say_pong(struct peer *p, const struct request *r, struct bytes *out)
{
	SAY(out, "+PONG\r\n");
}

static void say_nothing_there(struct peer *p, const struct request *r, struct bytes *out)
{
	SAY(out, "*0\r\n");
}

static void say_zero(struct peer *p, const struct request *r, struct bytes *out)
{
	SAY(out, ":0\r\n");
}

static void say_scanned(struct peer *p, const struct request *r, struct bytes *out)
{
	SAY(out, "*2\r\n$1\r\n0\r\n*0\r\n");
}

// An acknowledgement has no answer.
static void replconf(struct peer *p, const struct request *r, struct bytes *out)
{
	if (r->argc < 2 || !span_caseeq(r->argv[1], "ack"))
		SAY(out, "+OK\r\n");
}

static unsigned replicas_count(const struct peer *p)
{
	const struct peer *other;
	unsigned n = 0;
	TAILQ_FOREACH(other, &p->world->peers, all)
	n += other->server == p->server && other->is_replica;
	return n;
}

static void info(struct peer *p, const struct request *r, struct bytes *out)
{
	const struct server *s = p->server;
	struct bytes text = {0};
	bytes_text(&text,
		   "# Server\r\nredis_version:7.2.4\r\nredis_mode:standalone\r\nrun_id:%s\r\n"
		   "tcp_port:%u\r\nprocess_id:1\r\n",
		   s->replid, s->port);
	bytes_text(&text, "# Memory\r\nused_memory:1048576\r\nmaxmemory:0\r\n"
			  "maxmemory_policy:noeviction\r\n");
	bytes_text(&text, "# Persistence\r\nloading:0\r\n");
	bytes_text(&text,
		   "# Replication\r\nrole:master\r\nconnected_slaves:%u\r\nmaster_replid:%s\r\n"
		   "master_repl_offset:%" PRIu64 "\r\n",
		   replicas_count(p), s->replid, FIRST_OFFSET + s->position);
	bytes_text(&text, "# Keyspace\r\n");
	bytes_bulk(out, (struct span){text.p, text.len});
	bytes_free(&text);
}

// ---- CLIENT

static void client_list(struct peer *p, struct bytes *out)
{
	const struct peer *other;
	struct bytes text = {0};
	TAILQ_FOREACH(other, &p->world->peers, all)
	{
		if (other->server == p->server)
			bytes_text(&text, "id=%" PRIu64 " name=%s db=0\n", other->id, other->name);
	}
	bytes_bulk(out, (struct span){text.p, text.len});
	bytes_free(&text);
}

// "CLIENT KILL ID n"
static void client_kill(struct peer *p, const struct request *r, struct bytes *out)
{
	struct peer *other;
	struct span id = {0};
	const char *at = r->second;
	unsigned n = 0;
	while (request_arg(r, &at, &id))
		; // the last one
	TAILQ_FOREACH(other, &p->world->peers, all)
	{
		if (other->server != p->server || other->id != span_digits(id))
			continue;
		peer_end(other);
		n++;
	}
	bytes_text(out, ":%u\r\n", n);
}

static void client(struct peer *p, const struct request *r, struct bytes *out)
{
	struct span what = r->argc > 1 ? r->argv[1] : (struct span){0};
	if (span_caseeq(what, "id")) {
		bytes_text(out, ":%" PRIu64 "\r\n", p->id);
	} else if (span_caseeq(what, "list")) {
		client_list(p, out);
	} else if (span_caseeq(what, "kill")) {
		client_kill(p, r, out);
	} else {
		if (span_caseeq(what, "setname") && r->argc > 2)
			snprintf(p->name, sizeof(p->name), "%.*s", (int)r->argv[2].len,
				 r->argv[2].p);
		SAY(out, "+OK\r\n");
	}
}

// ---- The table

// The most frequent first. What is not here is taken for a command that writes.
static const struct {
	const char *name;
	answer *answer;
} rows[] = {
	{"SET", target_set},
	{"INCR", target_incr},
	{"HSET", target_number},
	{"RPUSH", target_number},
	{"DEL", target_number},
	{"MSET", target_ok},
	{"MULTI", NULL}, // these three are not queued
	{"EXEC", NULL},
	{"DISCARD", NULL},
	{"SELECT", say_ok},
	{"GET", target_get},
	{"MGET", target_mget},
	{"PING", say_pong},
	{"AUTH", say_ok},
	{"REPLCONF", replconf},
	{"PSYNC", source_psync},
	{"INFO", info},
	{"CLIENT", client},
	{"SCAN", say_scanned},
	{"FUNCTION", say_nothing_there},
	{"CONFIG", say_nothing_there},
	{"COMMAND", say_nothing_there},
	{"DBSIZE", say_zero},
	{"EXISTS", say_zero},
};
#define N_ROWS      (sizeof(rows) / sizeof(rows[0]))
#define ROW_MULTI   6
#define ROW_EXEC    7
#define ROW_DISCARD 8

struct verbs {
	uint64_t names[N_ROWS]; // request_verb()
};

struct verbs *verbs_new(void)
{
	struct verbs *v = calloc(1, sizeof(*v));
	for (unsigned i = 0; v && i < N_ROWS; i++)
		v->names[i] = request_verb(span_of(rows[i].name));
	return v;
}

void verbs_free(struct verbs *v)
{
	free(v);
}

static unsigned row_find(const struct verbs *v, struct span name)
{
	uint64_t verb = request_verb(name);
	unsigned i = 0;
	while (i < N_ROWS && v->names[i] != verb)
		i++;
	return i;
}

void verbs_answer(struct peer *p, const struct request *r)
{
	unsigned row = row_find(p->world->verbs, r->argv[0]);
	if (row == ROW_MULTI) {
		target_multi(p);
	} else if (row == ROW_EXEC) {
		target_exec(p);
	} else if (row == ROW_DISCARD) {
		target_discard(p);
	} else {
		answer *to = row < N_ROWS ? rows[row].answer : target_ok;
		to(p, r, p->in_multi ? &p->exec : &p->out);
		if (p->in_multi)
			target_queued(p);
		else
			target_commit(p);
	}
}
